// SPDX-License-Identifier: Apache-2.0
//! Which host keys are trusted.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use russh::keys::ssh_key::Fingerprint;
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyOrCertificate};

use crate::address::Address;
use crate::error::{Error, HostKeyProblem, Result};
use crate::known_hosts::{self, Known};

/// A host key that is expected: a fingerprint `SHA256:…`, or a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostKey {
    /// Its fingerprint, as `ssh-keygen -lf` shows it.
    Fingerprint(Fingerprint),
    /// The key itself.
    Key(Box<PublicKey>),
}

impl FromStr for HostKey {
    type Err = Error;

    /// Reads `SHA256:…`, a line of a `.pub` file, or one of `known_hosts` and `ssh-keyscan`.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with("SHA256:") {
            return text.parse().map(Self::Fingerprint).map_err(|_| {
                Error::Argument(format!(
                    "{text:?} is no fingerprint: SHA256: and 43 letters and digits are one"
                ))
            });
        }
        let words: Vec<&str> = text.split_whitespace().take(4).collect();
        words
            .windows(2)
            .find_map(|pair| PublicKey::from_openssh(&pair.join(" ")).ok())
            .map(|key| Self::Key(Box::new(key)))
            .ok_or_else(|| {
                let shown: String = text.chars().take(60).collect();
                Error::Argument(format!(
                    "{shown:?} is no host key: a fingerprint SHA256:… or a public key such as ssh-ed25519 AAAA… is one"
                ))
            })
    }
}

impl HostKey {
    fn is(&self, shown: &PublicKey) -> bool {
        match self {
            Self::Fingerprint(fingerprint) => {
                shown.fingerprint(fingerprint.algorithm()) == *fingerprint
            }
            Self::Key(key) => key.key_data() == shown.key_data(),
        }
    }
}

/// Which key a host may show.
#[derive(Clone, Debug)]
pub enum Trust {
    /// One of these.
    Pinned(Vec<HostKey>),
    /// Those of a file in the form of OpenSSH's `known_hosts`.
    KnownHosts(PathBuf),
    /// Those of such a file; the key of a host that is not in it yet is written into it.
    FirstUse(PathBuf),
    /// Any. Whoever is in between can read the password and change what is sent.
    Insecure,
}

impl Trust {
    /// The user's own `~/.ssh/known_hosts`; none where there is no home directory.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let home = std::env::home_dir()?;
        Some(Self::KnownHosts(home.join(".ssh/known_hosts")))
    }

    /// The types of keys that are expected of a host: it has several, and shows one of the first type that the client asks for.
    ///
    /// # Errors
    /// [`Error::KnownHosts`] when the file cannot be read.
    pub(crate) fn expected(&self, address: &Address) -> Result<Vec<Algorithm>> {
        match self {
            Self::Pinned(keys) => Ok(keys
                .iter()
                .filter_map(|key| match key {
                    HostKey::Key(key) => Some(key.algorithm()),
                    HostKey::Fingerprint(_) => None,
                })
                .collect()),
            Self::KnownHosts(file) | Self::FirstUse(file) => {
                Ok(known_hosts::types(&known_hosts::read(file)?, address))
            }
            Self::Insecure => Ok(Vec::new()),
        }
    }

    /// Decides about a key; may read and write a file.
    ///
    /// # Errors
    /// [`Error::HostKey`] when it is not trusted, [`Error::KnownHosts`] when the file cannot be used.
    pub(crate) fn check(&self, address: &Address, shown: &PublicKeyOrCertificate) -> Result<()> {
        let refused = |shown: String, problem| {
            Err(Error::HostKey {
                address: address.to_string(),
                shown,
                problem,
            })
        };
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else {
            return refused("of an authority".into(), HostKeyProblem::Certificate);
        };
        let name = format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256));
        let in_file = |known: Known, file: &Path| match known {
            Known::Yes => Ok(()),
            Known::No => refused(name.clone(), HostKeyProblem::Unknown(file.to_owned())),
            Known::Another(line) => {
                refused(name.clone(), HostKeyProblem::Changed(file.to_owned(), line))
            }
            Known::Revoked(line) => {
                refused(name.clone(), HostKeyProblem::Revoked(file.to_owned(), line))
            }
        };
        match self {
            Self::Pinned(keys) if keys.iter().any(|k| k.is(key)) => Ok(()),
            Self::Pinned(keys) => refused(name, HostKeyProblem::NotPinned(keys.len())),
            Self::KnownHosts(file) => in_file(
                known_hosts::look_up(&known_hosts::read(file)?, address, key),
                file,
            ),
            Self::FirstUse(file) => in_file(known_hosts::remember(file, address, key)?, file),
            Self::Insecure => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn keys_that_are_pinned() {
        let key = PublicKey::from_openssh(LINE).unwrap();
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        for text in [
            LINE,
            &format!("{LINE} root@cp1"),
            &format!("cp1,10.0.0.1 {LINE}\n"),
            &fingerprint,
        ] {
            assert!(text.parse::<HostKey>().unwrap().is(&key), "{text}");
        }
        let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(!other.parse::<HostKey>().unwrap().is(&key));
        for text in [
            "",
            "SHA256:",
            "SHA256:x",
            "MD5:00:11",
            "ssh-ed25519",
            "ssh-ed25519 AAAA",
            "cp1",
        ] {
            assert!(text.parse::<HostKey>().is_err(), "{text}");
        }
    }
}
