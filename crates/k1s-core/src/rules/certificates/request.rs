// SPDX-License-Identifier: Apache-2.0
//! `spec.request`: a certificate request in PEM.

use super::pem;

/// Why a field is no certificate request.
pub(super) fn check(field: &str) -> Result<(), String> {
    let text = pem::field_text(field);
    let block = pem::block(&text).map(|(block, _)| block);
    let Some(block) = block.filter(|block| block.kind == "CERTIFICATE REQUEST") else {
        return Err("PEM block type must be CERTIFICATE REQUEST".to_owned());
    };
    if pem::is_signed(&block.bytes) {
        Ok(())
    } else {
        Err(problem(&block.bytes))
    }
}

/// What is wrong, in the words of Go's parser as far as the outermost element goes.
fn problem(der: &[u8]) -> String {
    const SEQUENCE: u8 = 16;
    let [first, length, ..] = *der else {
        return "asn1: syntax error: truncated tag or length".to_owned();
    };
    let (class, compound, tag) = (first >> 6, first & 0x20 != 0, first & 0x1f);
    if tag == SEQUENCE && compound && class == 0 || length >= 0x80 {
        return "asn1: structure error: certificateRequest".to_owned();
    }
    format!(
        "asn1: structure error: tags don't match ({SEQUENCE} vs {{class:{class} tag:{tag} length:{length} isCompound:{compound}}}) \
         {{optional:false explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 \
         set:false omitEmpty:false}} certificateRequest @2"
    )
}
