// SPDX-License-Identifier: Apache-2.0
//! PEM blocks inside base64 fields, and as much of DER as it takes to see that something is what it says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A block between `-----BEGIN TYPE-----` and `-----END TYPE-----`.
pub(super) struct Block {
    pub(super) kind: String,
    pub(super) has_headers: bool,
    pub(super) bytes: Vec<u8>,
}

/// The text in a base64 field.
pub(super) fn field_text(field: &str) -> String {
    let bytes = STANDARD.decode(field).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The first block of a text, and what follows it.
pub(super) fn block(text: &str) -> Option<(Block, &str)> {
    const BEGIN: &str = "-----BEGIN ";
    const DASHES: &str = "-----";
    let start = text.find(BEGIN)? + BEGIN.len();
    let (kind, rest) = text[start..].split_once(DASHES)?;
    let end = format!("-----END {kind}-----");
    let (inner, rest) = rest.split_once(end.as_str())?;
    let (headers, body): (Vec<&str>, Vec<&str>) =
        inner.lines().partition(|line| line.contains(':'));
    let bytes = STANDARD.decode(body.concat().trim()).ok()?;
    let block = Block {
        kind: kind.to_owned(),
        has_headers: !headers.is_empty(),
        bytes,
    };
    Some((block, rest))
}

/// Checks the certificates of a status; none at all is fine.
pub(super) fn check_certificates(field: &str) -> Result<(), String> {
    if field.is_empty() {
        return Ok(());
    }
    let text = field_text(field);
    let mut rest = text.as_str();
    let mut blocks = 0;
    while let Some((block, after)) = block(rest) {
        rest = after;
        if block.kind != "CERTIFICATE" {
            return Err(format!(
                "only CERTIFICATE PEM blocks are allowed, found \"{}\"",
                block.kind
            ));
        }
        if block.has_headers {
            return Err("no PEM block headers are permitted".to_owned());
        }
        if !is_signed(&block.bytes) {
            return Err("x509: malformed certificate".to_owned());
        }
        blocks += 1;
    }
    if blocks == 0 {
        return Err("must contain at least one CERTIFICATE PEM block".to_owned());
    }
    Ok(())
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// Whether DER is what certificates and requests for one both are: content, algorithm, signature.
pub(super) fn is_signed(der: &[u8]) -> bool {
    let Some((whole, &[])) = element(der, SEQUENCE) else {
        return false;
    };
    let signature = element(whole, SEQUENCE)
        .and_then(|(_, rest)| element(rest, SEQUENCE))
        .and_then(|(_, rest)| element(rest, BIT_STRING));
    matches!(signature, Some((_, &[])))
}

/// The content of the element of this tag at the start, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    if found != tag {
        return None;
    }
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let length = bytes
                .iter()
                .fold(0usize, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}
