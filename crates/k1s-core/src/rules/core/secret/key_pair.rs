// SPDX-License-Identifier: Apache-2.0
//! Whether a certificate and a key in PEM form look like a pair: blocks of the right type are there. What the blocks hold is not
//! read.

/// What is wrong, in the words of Go's TLS.
pub(super) fn complaint(certificate: &[u8], key: &[u8]) -> Option<String> {
    let blocks = block_types(certificate);
    if !blocks.iter().any(|b| b == "CERTIFICATE") {
        return Some(match blocks.as_slice() {
            [] => "tls: failed to find any PEM data in certificate input".to_owned(),
            [one] if one.ends_with("PRIVATE KEY") => "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched".to_owned(),
            all => format!("tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: [{}]", all.join(" ")),
        });
    }
    let blocks = block_types(key);
    if blocks
        .iter()
        .any(|b| b == "PRIVATE KEY" || b.ends_with(" PRIVATE KEY"))
    {
        return None;
    }
    Some(match blocks.as_slice() {
        [] => "tls: failed to find any PEM data in key input".to_owned(),
        [one] if one == "CERTIFICATE" => {
            "tls: found a certificate rather than a key in the PEM for the private key".to_owned()
        }
        all => format!(
            "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: [{}]",
            all.join(" ")
        ),
    })
}

/// Types of the blocks that begin and end.
fn block_types(pem: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(pem);
    let mut open: Option<&str> = None;
    let mut types = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let between = |start: &str| line.strip_prefix(start)?.strip_suffix("-----");
        if let Some(kind) = between("-----BEGIN ") {
            open = Some(kind);
        } else if let Some(kind) = between("-----END ")
            && open == Some(kind)
        {
            types.push(kind.to_owned());
            open = None;
        }
    }
    types
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn pairs() {
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAA==\n-----END {kind}-----\n");
        let check = |certificate: &str, key: &str, expected: Option<&str>| {
            let found = complaint(certificate.as_bytes(), key.as_bytes());
            assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
            assert!(
                found
                    .unwrap_or_default()
                    .contains(expected.unwrap_or_default())
            );
        };
        let (certificate, key) = (block("CERTIFICATE"), block("RSA PRIVATE KEY"));
        check(&certificate, &key, None);
        check(
            "",
            &key,
            Some("failed to find any PEM data in certificate input"),
        );
        check(
            &key,
            &certificate,
            Some("PEM inputs may have been switched"),
        );
        check(
            &certificate,
            "",
            Some("failed to find any PEM data in key input"),
        );
        check(
            &certificate,
            &certificate,
            Some("found a certificate rather than a key"),
        );
    }
}
