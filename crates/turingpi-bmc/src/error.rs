// SPDX-License-Identifier: Apache-2.0
//! What can go wrong between here and a board.

use std::time::Duration;

use crate::flash::TransferError;
use crate::slot::Slot;

/// The result of a call.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the BMC cannot be used.
    #[error("{endpoint:?} is not the address of a BMC: {why}")]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody answers. It says nothing about what is there.
    #[error("cannot reach the BMC at {endpoint}: {why}")]
    Unreachable {
        /// Host and port.
        endpoint: String,
        /// In words.
        why: String,
    },
    /// Somebody answers, but with a certificate that is not trusted.
    #[error("the BMC at {endpoint} is not trusted: {why}")]
    Untrusted {
        /// Host and port.
        endpoint: String,
        /// In words, with what to do.
        why: String,
    },
    /// No answer in time.
    #[error("the BMC at {endpoint} did not answer {what} within {} s", after.as_secs())]
    Timeout {
        /// Host and port.
        endpoint: String,
        /// Which call.
        what: String,
        /// How long was waited.
        after: Duration,
    },
    /// The daemon was told to restart, and the old one still answers.
    #[error("the BMC at {endpoint} was told to restart, and after {} s its old daemon still answers", after.as_secs())]
    StillOld {
        /// Host and port.
        endpoint: String,
        /// How long was waited.
        after: Duration,
    },
    /// Something under way on the board would be spoilt. Nothing was sent.
    #[error("{what}: {holder}")]
    Busy {
        /// Which call.
        what: String,
        /// Who does what.
        holder: String,
    },
    /// A login is needed, and there is nothing to log in with.
    #[error("the BMC at {endpoint} asks for a login: set user name and password")]
    NoCredentials {
        /// Host and port.
        endpoint: String,
    },
    /// The login was refused. Not repeated: each failure counts towards a ban.
    #[error("the BMC at {endpoint} refused user {user:?}: {text}")]
    Credentials {
        /// Host and port.
        endpoint: String,
        /// The user name.
        user: String,
        /// The BMC's words.
        text: String,
    },
    /// This address is banned after too many failed logins; everything is refused for a while, right passwords too.
    #[error("the BMC at {endpoint} has banned this machine after too many failed logins{}", remaining(*for_at_most))]
    Banned {
        /// Host and port.
        endpoint: String,
        /// How long the ban lasts, if the BMC said so.
        for_at_most: Option<Duration>,
    },
    /// The BMC answered with an error.
    #[error("{what}: the BMC says: {text}")]
    Refused {
        /// Which call.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The BMC's words.
        text: String,
    },
    /// An answer that no known firmware gives.
    #[error("{what}: the BMC answered in an unknown form: {shape}")]
    Shape {
        /// Which call.
        what: String,
        /// The answer, shortened.
        shape: String,
    },
    /// The firmware of this board does not have it.
    #[error("{what} needs BMC firmware {since} or newer; this board runs {running}")]
    Unsupported {
        /// Which feature.
        what: String,
        /// The first firmware that has it.
        since: &'static str,
        /// What runs.
        running: String,
    },
    /// An argument that must not be sent.
    #[error("{0}")]
    Argument(String),
    /// A file on this machine.
    #[error("cannot read or write {path}")]
    File {
        /// Which one.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A transfer of an image failed.
    #[error("flashing {}", slot.map_or_else(|| "the BMC".to_owned(), |s| format!("slot {s}")))]
    Transfer {
        /// Into which slot; none is the BMC itself.
        slot: Option<Slot>,
        /// Why.
        #[source]
        source: TransferError,
    },
}

fn remaining(duration: Option<Duration>) -> String {
    match duration {
        Some(d) if d.as_secs() >= 120 => format!(" for another {} min", d.as_secs().div_ceil(60)),
        Some(d) => format!(" for another {} s", d.as_secs()),
        None => String::new(),
    }
}

impl Error {
    /// Whether the board may be in any state: nothing was learnt about it.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Banned { .. }
        )
    }

    /// What to do about it, where there is something to say.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => {
                Some("check the address, the network cable and that the board has power")
            }
            Self::Untrusted { .. } => Some(
                "boards sign their own certificate: pin its fingerprint, trust it on first use, or give its authority",
            ),
            Self::Credentials { .. } => {
                Some("each refused login counts; the fifth bans this machine for a minute or more")
            }
            Self::Banned { .. } => {
                Some("wait until the ban is over; trying again before does not help")
            }
            Self::StillOld { .. } => {
                Some("ask again; if it goes on, take the power from the board for a moment")
            }
            Self::Busy { .. } => Some(
                "wait until it is done, or cancel the transfer; by force it can be done all the same, and the transfer fails",
            ),
            Self::Shape { .. } => Some("the firmware may be newer than this program"),
            _ => None,
        }
    }
}
