// SPDX-License-Identifier: Apache-2.0
//! What can go wrong between here and a host: what was tried, where, why it failed, and what to do. Never with a secret in it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a host's key is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HostKeyProblem {
    /// None of the pinned keys is it.
    #[error("that is none of the {0} that are pinned")]
    NotPinned(usize),
    /// The file has no key of the host.
    #[error("{0} has no key of this host")]
    Unknown(PathBuf),
    /// The file has another one.
    #[error("{file}:{line} has another key of this host: it was installed anew, or somebody is in between", file = .0.display(), line = .1)]
    Changed(PathBuf, usize),
    /// The file revokes it.
    #[error("{file}:{line} revokes this key", file = .0.display(), line = .1)]
    Revoked(PathBuf, usize),
    /// It is signed by an authority, and none is known here.
    #[error("it is a certificate, and host certificates are not supported")]
    Certificate,
}

/// Why something was not done on a host.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// What the caller gave cannot be used.
    #[error("{0}")]
    Argument(String),
    /// Nobody answers there.
    #[error("{address} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        address: String,
        /// What the system says.
        why: String,
    },
    /// It took too long.
    #[error("{address} did not {what} within {} s", .within.as_secs_f64())]
    Timeout {
        /// The host.
        address: String,
        /// What it was to do.
        what: &'static str,
        /// The time that it had.
        within: Duration,
    },
    /// Somebody answers, but not as an SSH server does.
    #[error("{address} does not speak SSH as it should: {why}")]
    Protocol {
        /// The host.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// The host's key is not trusted. Nothing secret was sent.
    #[error("{address} is not trusted: it showed the key {shown}, and {problem}")]
    HostKey {
        /// The host.
        address: String,
        /// Type and fingerprint of the key that it showed.
        shown: String,
        /// Why that is not enough.
        problem: HostKeyProblem,
    },
    /// The file with host keys cannot be read or written.
    #[error("{} cannot be used", .file.display())]
    KnownHosts {
        /// The file.
        file: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The private key cannot be used.
    #[error("the private key cannot be used: {0}")]
    Key(String),
    /// The SSH agent cannot be used.
    #[error("the SSH agent cannot be used: {0}")]
    Agent(String),
    /// The login was refused.
    #[error("{address} does not let {user} in with {tried}; it takes {takes}")]
    Refused {
        /// The host.
        address: String,
        /// The user.
        user: String,
        /// What was shown to it.
        tried: String,
        /// The methods that it takes.
        takes: String,
    },
    /// The connection broke.
    #[error("the connection to {address} broke: {why}")]
    Lost {
        /// The host.
        address: String,
        /// What is known of it.
        why: String,
    },
    /// More came than was asked for.
    #[error("{what} on {address} is longer than {limit} bytes")]
    TooLong {
        /// The host.
        address: String,
        /// What was read.
        what: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// There is no such file.
    #[error("{address} has no file {path}")]
    NoFile {
        /// The host.
        address: String,
        /// The file.
        path: String,
    },
    /// The user may not read a file, neither itself nor by `sudo`.
    #[error("{path} on {address} may not be read by {user}, and sudo does not help: {why}")]
    Denied {
        /// The host.
        address: String,
        /// The user.
        user: String,
        /// The file.
        path: String,
        /// What `sudo` says.
        why: String,
    },
    /// A command failed.
    #[error("{what} failed on {address}: {why}")]
    Failed {
        /// The host.
        address: String,
        /// What it was to do.
        what: String,
        /// How it ended.
        why: String,
    },
}

impl Error {
    /// Whether the host may answer later: it is down, on its way up, or too slow.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Lost { .. }
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unreachable { .. } => {
                "see whether the module is on and has booted, and whether address and port are right"
            }
            Self::HostKey {
                problem: HostKeyProblem::Changed(..),
                ..
            } => {
                "if the module was flashed anew, remove the old key: ssh-keygen -R HOST (or -R '[HOST]:PORT')"
            }
            Self::HostKey { .. } => {
                "compare it with what the module says on its console (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then pin it or add it"
            }
            Self::Key(_) => {
                "an OpenSSH or PKCS #8 private key of type Ed25519 or ECDSA is expected; ssh-keygen -t ed25519 makes one"
            }
            Self::Agent(_) => {
                "SSH_AUTH_SOCK must name the socket of a running agent that holds a key: ssh-add -l lists them"
            }
            Self::Refused { .. } => {
                "see whether user and password are right, and whether the user has the key in its authorized_keys"
            }
            Self::Denied { .. } => {
                "log in as root, or let the user run sudo without a password, or give its password"
            }
            _ => return None,
        })
    }
}

/// What a host wrote, for an error text: its last line without control characters, at most 200 characters.
pub(crate) fn words(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let last = last
        .unwrap_or("it says nothing")
        .trim()
        .trim_end_matches('.');
    last.chars().filter(|c| !c.is_control()).take(200).collect()
}
