// SPDX-License-Identifier: Apache-2.0
//! How long to wait before the next attempt: doubling, with a limit and with jitter, so that a thousand nodes that lost
//! their server do not come back in one moment.

use crate::time::Ms;

/// Random numbers that need not be secret (xorshift64*), from a seed of the board.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed; equal seeds give equal numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9E37_79B9_7F4A_7C15 | 1)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `limit`; zero if the limit is.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 { 0 } else { self.number() % limit }
    }
}

/// Waiting times between attempts.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    first: Ms,
    limit: Ms,
    next: Ms,
}

impl Backoff {
    /// From the first waiting time up to a limit.
    #[must_use]
    pub const fn new(first: Ms, limit: Ms) -> Self {
        Self {
            first,
            limit,
            next: first,
        }
    }

    /// How long to wait now: between half and all of a time that doubles with each failure.
    pub fn failed(&mut self, random: &mut Random) -> Ms {
        let now = self.next;
        self.next = (now * 2).min(self.limit);
        now / 2 + random.below(now / 2 + 1)
    }

    /// The attempt succeeded: the next failure starts from the beginning.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_within_the_limit() {
        let mut random = Random::new(7);
        let mut backoff = Backoff::new(1000, 30_000);
        for full in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let wait = backoff.failed(&mut random);
            assert!((full / 2..=full).contains(&wait), "{wait} of {full}");
        }
        backoff.reset();
        assert!(backoff.failed(&mut random) <= 1000);
    }

    #[test]
    fn two_boards_do_not_wait_alike() {
        let waits = |seed| {
            let mut random = Random::new(seed);
            let mut backoff = Backoff::new(1000, 60_000);
            core::array::from_fn::<Ms, 6, _>(|_| backoff.failed(&mut random))
        };
        assert_ne!(waits(1), waits(2));
    }
}
