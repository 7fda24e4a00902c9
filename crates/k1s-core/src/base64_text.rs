// SPDX-License-Identifier: Apache-2.0
//! Base64 as Kubernetes reads it: line breaks are not heeded, bits that are left over do not matter, and a mistake is told by
//! the place at which Go's decoder gives up.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
const PADDED: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BARE: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    LENIENT.with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Text that is no base64, by the byte at which that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub struct Illegal(pub usize);

/// Reads the standard alphabet with padding: the values of Secrets and the like.
///
/// # Errors
/// The place of the first mistake.
pub fn decode(text: &str) -> Result<Vec<u8>, Illegal> {
    read(&PADDED, text, true, b"+/")
}

/// Reads the alphabet for addresses, without padding: continue tokens.
///
/// # Errors
/// The place of the first mistake.
pub fn decode_bare(text: &str) -> Result<Vec<u8>, Illegal> {
    read(&BARE, text, false, b"-_")
}

/// Writes the standard alphabet with padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    PADDED.encode(bytes)
}

fn read(
    engine: &GeneralPurpose,
    text: &str,
    padded: bool,
    extra: &[u8; 2],
) -> Result<Vec<u8>, Illegal> {
    if let Ok(bytes) = engine.decode(text) {
        return Ok(bytes);
    }
    let packed: Vec<u8> = text.bytes().filter(|b| !is_break(*b)).collect();
    engine
        .decode(packed)
        .map_err(|_| Illegal(place(text.as_bytes(), padded, extra)))
}

fn is_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Where a decoder that takes four digits at a time gives up.
fn place(text: &[u8], padded: bool, extra: &[u8; 2]) -> usize {
    let mut digits = 0; // of the present four
    for (at, &byte) in text.iter().enumerate() {
        if is_break(byte) {
            continue;
        }
        if byte.is_ascii_alphanumeric() || extra.contains(&byte) {
            digits = (digits + 1) % 4;
            continue;
        }
        if byte != b'=' || !padded || digits < 2 {
            return at;
        }
        let mut rest = (at + 1..text.len()).filter(|i| !is_break(text[*i]));
        if digits == 2 {
            match rest.next() {
                None => return text.len(),
                Some(next) if text[next] != b'=' => return next - 1,
                Some(_) => {}
            }
        }
        return rest.next().unwrap_or(text.len());
    }
    text.len() - digits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, usize>) {
        assert_eq!(
            decode(text).map_err(|e| e.0),
            expected.map(|t| t.as_bytes().to_vec()),
            "{text}"
        );
    }

    #[test]
    fn reading() {
        check("", Ok(""));
        check("aGk=", Ok("hi"));
        check("aG\nk=\r\n", Ok("hi"));
        check("aGl=", Ok("hi")); // two bits are left over
        check("aGk", Err(0));
        check("YWFhaGk", Err(4));
        check("a", Err(0));
        check("!!", Err(0));
        check("aG!k", Err(2));
        check("a\nb", Err(1));
        check("aGk=x", Err(4));
        check("aA=x", Err(2));
        check("aA=", Err(3));
        check("a===", Err(1));
        check("aGk=aGk=", Err(4));
        assert_eq!(decode_bare("x"), Err(Illegal(0)));
        assert_eq!(decode_bare("e30"), Ok(b"{}".to_vec()));
        assert_eq!(decode_bare("e30="), Err(Illegal(3)));
    }
}
