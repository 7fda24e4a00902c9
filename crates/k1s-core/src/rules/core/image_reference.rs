// SPDX-License-Identifier: Apache-2.0
//! References to container images: `host:5000/path/name:tag@sha256:…`.

const NAME_MAX_BYTES: usize = 255;
const TAG_MAX_BYTES: usize = 128;
/// Digest algorithms and how many hex digits each has.
const DIGESTS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];

/// The tag of an image: `latest` where it names neither tag nor digest, empty where it names a digest only, none where the
/// reference cannot be read.
pub(in crate::rules) fn tag(image: &str) -> Option<&str> {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (name, None),
    };
    let fine = is_name(name)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
        && !(tag.is_none() && digest.is_none() && is_identifier(name));
    fine.then_some(match (tag, digest) {
        (Some(tag), _) => tag,
        (None, Some(_)) => "",
        (None, None) => "latest",
    })
}

/// Whether images of this reference are pulled each time when nothing is said.
pub(in crate::rules) fn is_latest(image: &str) -> bool {
    tag(image) == Some("latest")
}

/// The 64 hex digits of an image's identity are no name.
fn is_identifier(name: &str) -> bool {
    name.len() == 64
        && name
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        Some((first, rest)) if is_domain_like(first) => {
            if !is_domain(first) {
                return false;
            }
            rest
        }
        _ => name,
    };
    // what names no host and no owner is in the library of the default host
    let owner = if path.len() == name.len() && !path.contains('/') {
        "library/".len()
    } else {
        0
    };
    owner + path.len() <= NAME_MAX_BYTES && path.split('/').all(is_path_component)
}

/// The first part is a host when it cannot be a part of the path.
fn is_domain_like(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':']) || part.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let port_fine = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    port_fine
        && match address {
            Some(address) => address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
            None => host.split('.').all(is_domain_component),
        }
}

fn is_domain_component(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('-')
        && !part.ends_with('-')
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Lower case letters and digits, between them `.`, `_`, `__` or dashes.
fn is_path_component(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends_are_words =
        bytes.first().is_some_and(|b| is_word(*b)) && bytes.last().is_some_and(|b| is_word(*b));
    ends_are_words
        && bytes
            .split(|b| is_word(*b))
            .all(|gap| matches!(gap, b"" | b"." | b"_" | b"__") || gap.iter().all(|b| *b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= TAG_MAX_BYTES
        && tag.bytes().next().is_some_and(is_word)
        && tag.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        DIGESTS.contains(&(algorithm, hex.len()))
            && hex
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

#[cfg(test)]
mod tests {
    use super::tag;

    #[test]
    fn tags() {
        let digest = format!("@sha256:{}", "0".repeat(64));
        let check = |image: &str, expected: Option<&str>| {
            assert_eq!(tag(image), expected, "{image}");
        };
        check("x", Some("latest"));
        check("x:latest", Some("latest"));
        check("x:1", Some("1"));
        check(&format!("x{digest}"), Some(""));
        check(&format!("x:latest{digest}"), Some("latest"));
        check("host:5000/x", Some("latest"));
        check("host:5000/x:2", Some("2"));
        check("example.com/a/b__c.d-e", Some("latest"));
        check("[::1]:5000/x", Some("latest"));
        check("Host/x", Some("latest"));
        for bad in [
            "",
            " x",
            "X",
            "a/X",
            "x:",
            "x:-",
            "x@sha256:1",
            "a//b",
            "a..b",
            "-a",
            "x@md5:1",
            "https://x",
        ] {
            check(bad, None);
        }
        check(&"0".repeat(64), None);
    }
}
