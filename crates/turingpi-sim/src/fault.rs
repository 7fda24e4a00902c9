// SPDX-License-Identifier: Apache-2.0
//! What can be made to go wrong.

use std::str::FromStr;

/// A fault. Those with a number happen once, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Sessions are lost when this many bytes of a transfer are written.
    LoseTokensAt(u64),
    /// The daemon restarts when this many bytes of a transfer are written.
    RestartAt(u64),
    /// The upload's connection drops when this many bytes of it have arrived.
    DropUploadAt(u64),
    /// What is read back is not what was written.
    CrcMismatch,
    /// Writing stops when this many bytes are written, and the state stays.
    StuckAt(u64),
    /// Reading back stops when this many bytes are read, and the state stays.
    StuckVerifyAt(u64),
    /// The daemon runs out of memory after this many transfers, every time: it answers nothing until it is restarted.
    OutOfMemoryAfter(u32),
    /// Power cannot be read: `Unknown`.
    PowerUnknown,
    /// There is no microSD card.
    NoSdCard,
    /// Answers to `power` are no JSON.
    Garbage,
    /// Connections are taken, and nothing is answered.
    Silent,
    /// The handshake of the WebSocket never ends.
    WebSocketHangs,
    /// The module in this slot, 1 to 4, never boots.
    NeverBoots(u8),
    /// A daemon that is told to restart goes on answering until this fault ends.
    Lingers,
    /// The next restart of the BMC loses all settings.
    SettingsLost,
}

/// What is no fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no fault: lose-tokens-at=N, restart-at=N, drop-upload-at=N, crc-mismatch, stuck-at=N, stuck-verify-at=N, out-of-memory-after=N, \
     power-unknown, no-sd-card, garbage, silent, web-socket-hangs, never-boots=SLOT, lingers and settings-lost are"
)]
pub struct FaultError(String);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LoseTokensAt(n) => write!(f, "lose-tokens-at={n}"),
            Self::RestartAt(n) => write!(f, "restart-at={n}"),
            Self::DropUploadAt(n) => write!(f, "drop-upload-at={n}"),
            Self::CrcMismatch => f.write_str("crc-mismatch"),
            Self::StuckAt(n) => write!(f, "stuck-at={n}"),
            Self::StuckVerifyAt(n) => write!(f, "stuck-verify-at={n}"),
            Self::OutOfMemoryAfter(n) => write!(f, "out-of-memory-after={n}"),
            Self::PowerUnknown => f.write_str("power-unknown"),
            Self::NoSdCard => f.write_str("no-sd-card"),
            Self::Garbage => f.write_str("garbage"),
            Self::Silent => f.write_str("silent"),
            Self::WebSocketHangs => f.write_str("web-socket-hangs"),
            Self::NeverBoots(slot) => write!(f, "never-boots={slot}"),
            Self::Lingers => f.write_str("lingers"),
            Self::SettingsLost => f.write_str("settings-lost"),
        }
    }
}

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let wrong = || FaultError(text.to_owned());
        let (name, number) = match text.split_once('=') {
            Some((name, number)) => (name, Some(number.parse::<u64>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        match (name, number) {
            ("lose-tokens-at", Some(n)) => Ok(Self::LoseTokensAt(n)),
            ("restart-at", Some(n)) => Ok(Self::RestartAt(n)),
            ("drop-upload-at", Some(n)) => Ok(Self::DropUploadAt(n)),
            ("crc-mismatch", None) => Ok(Self::CrcMismatch),
            ("stuck-at", Some(n)) => Ok(Self::StuckAt(n)),
            ("stuck-verify-at", Some(n)) => Ok(Self::StuckVerifyAt(n)),
            ("out-of-memory-after", Some(n)) => u32::try_from(n)
                .map(Self::OutOfMemoryAfter)
                .map_err(|_| wrong()),
            ("power-unknown", None) => Ok(Self::PowerUnknown),
            ("no-sd-card", None) => Ok(Self::NoSdCard),
            ("garbage", None) => Ok(Self::Garbage),
            ("silent", None) => Ok(Self::Silent),
            ("web-socket-hangs", None) => Ok(Self::WebSocketHangs),
            ("lingers", None) => Ok(Self::Lingers),
            ("settings-lost", None) => Ok(Self::SettingsLost),
            ("never-boots", Some(n @ 1..=4)) => {
                u8::try_from(n).map(Self::NeverBoots).map_err(|_| wrong())
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_read_as_it_is_written_and_as_the_error_says() {
        let error = FaultError("x".into()).to_string();
        let (_, list) = error.split_once("no fault: ").unwrap();
        let list = list.trim_end_matches(" are").replace(" and ", ", ");
        let forms: Vec<_> = list.split(", ").collect();
        assert_eq!(forms.len(), 15, "{forms:?}");
        for form in forms {
            let text = form.replace("=N", "=12").replace("=SLOT", "=3");
            let fault: Fault = text.parse().unwrap();
            assert_eq!(fault.to_string(), text);
        }
    }
}
