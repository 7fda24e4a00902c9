// SPDX-License-Identifier: Apache-2.0
//! Uids and name suffixes.

use std::cell::RefCell;

/// The characters of generated names: no vowels, so that they spell nothing, and nothing that looks like something else.
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

thread_local! {
    /// Random bytes, asked of the system many at a time.
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; 512], left: 0 }) };
}

struct Pool {
    bytes: [u8; 512],
    left: usize,
}

/// Fills a few bytes, fewer than the pool has.
fn fill(out: &mut [u8]) {
    POOL.with_borrow_mut(|pool| {
        if pool.left < out.len() {
            // without randomness the system is broken; a uid that is not random would be worse than no answer
            getrandom::fill(&mut pool.bytes)
                .unwrap_or_else(|e| panic!("the system gives no random bytes: {e}"));
            pool.left = pool.bytes.len();
        }
        let (rest, taken) = pool.bytes[..pool.left].split_at_mut(pool.left - out.len());
        out.copy_from_slice(taken);
        taken.fill(0);
        pool.left = rest.len();
    });
}

/// A random uid: a UUID of version 4 (RFC 9562).
#[must_use]
pub(crate) fn uid() -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut bytes = [0; 16];
    fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = String::with_capacity(36);
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push(HEX[usize::from(byte >> 4)] as char);
        out.push(HEX[usize::from(byte & 15)] as char);
    }
    out
}

/// Five random characters for behind a `generateName`.
#[must_use]
pub(crate) fn suffix() -> String {
    let mut out = String::with_capacity(5);
    while out.len() < 5 {
        let mut byte = [0];
        fill(&mut byte);
        // 243 is the largest multiple of 27 in a byte: above it some characters would come more often
        if byte[0] < 243 {
            out.push(SAFE[usize::from(byte[0]) % SAFE.len()] as char);
        }
    }
    out
}

/// A random number below `end`.
#[must_use]
pub(crate) fn below(end: u32) -> u32 {
    let mut bytes = [0; 8];
    fill(&mut bytes);
    u32::try_from(u64::from_le_bytes(bytes) % u64::from(end.max(1))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_are_uuids_and_differ() {
        let (a, b) = (uid(), uid());
        assert_ne!(a, b);
        assert_eq!((a.len(), a.as_bytes()[14]), (36, b'4'));
        assert!(suffix().bytes().all(|c| SAFE.contains(&c)));
        assert!((0..100).all(|_| below(7) < 7));
    }
}
