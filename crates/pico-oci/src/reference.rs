// SPDX-License-Identifier: Apache-2.0
//! References to images in registries: `registry.example:5000/pico/blink:v1`.

use std::fmt;
use std::str::FromStr;

use pico_eci::Digest;

use crate::error::Error;

/// Which of a repository's images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// A tag, which may move.
    Tag(String),
    /// A digest, which names the same bytes for ever.
    Digest(Digest),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => f.write_str(tag),
            Self::Digest(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Host, and port if it is not the usual one.
    pub registry: String,
    /// The repository's path.
    pub repository: String,
    /// The image.
    pub name: Name,
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Reference(text.into());
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| refused())?)),
            None => (text, None),
        };
        let (registry, path) = rest.split_once('/').ok_or_else(refused)?;
        let (repository, tag) = path
            .rsplit_once(':')
            .map_or((path, None), |(repository, tag)| (repository, Some(tag)));
        // as everywhere: the first part is a registry when it could not be a part of a path
        let host = |c: char| c.is_ascii_alphanumeric() || "-.:[]".contains(c);
        if !(registry.contains(['.', ':']) || registry == "localhost")
            || !registry.chars().all(host)
        {
            return Err(refused());
        }
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        };
        let tag_is_good = |tag: &str| {
            !tag.is_empty()
                && tag.len() <= 128
                && tag
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        if !repository.split('/').all(part)
            || repository.split('/').any(|part| part.starts_with('.'))
            || !tag.is_none_or(tag_is_good)
        {
            return Err(refused());
        }
        let name = digest.map_or_else(|| Name::Tag(tag.unwrap_or("latest").into()), Name::Digest);
        Ok(Self {
            registry: registry.into(),
            repository: repository.into(),
            name,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if matches!(self.name, Name::Tag(_)) {
            ':'
        } else {
            '@'
        };
        write!(
            f,
            "{}/{}{between}{}",
            self.registry, self.repository, self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let with_digest = format!("r.example/pico/blink@{digest}");
        for (text, expected) in [
            (
                "localhost:5000/pico/blink:v1",
                Some("localhost:5000/pico/blink:v1"),
            ),
            ("localhost/blink", Some("localhost/blink:latest")),
            ("[::1]:5000/blink:v1", Some("[::1]:5000/blink:v1")),
            (with_digest.as_str(), Some(with_digest.as_str())),
            ("pico/blink:v1", None),
            ("blink", None),
            ("r.example/", None),
            ("r.example/../x:v1", None),
            ("r.example/Blink:v1", None),
            ("r.example/blink:", None),
            ("r.example/blink@sha256:12", None),
            ("r.example/blink:v1 x", None),
            ("user@r.example/blink:v1", None),
        ] {
            assert_eq!(
                text.parse::<Reference>()
                    .ok()
                    .map(|reference| reference.to_string())
                    .as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
