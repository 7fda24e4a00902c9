// SPDX-License-Identifier: Apache-2.0
//! The daemon's one state of transfers, and what it says of ours.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::{APPEAR, Progress, TransferError};
use crate::answer::{document, unknown};
use crate::error::Result;

/// What the daemon says of its transfer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// None since the daemon started.
    Ready,
    /// One is under way.
    Transferring {
        /// The handle that its start gave.
        id: u64,
        /// What it is: `Node 1 os install service`.
        process: String,
        /// Its declared size in bytes.
        size: u64,
        /// How far it is. The counter runs a second time for the check.
        bytes_written: u64,
    },
    /// The last one did well. Whose it was is not told.
    Done {
        /// How long it took.
        took: Duration,
        /// Its declared size in bytes.
        size: u64,
    },
    /// The last one failed, in the daemon's words.
    Error(String),
}

impl State {
    pub(crate) fn read(what: &str, body: &[u8]) -> Result<Self> {
        let value = document(what, body)?;
        let shape = || unknown(what, &value.to_string());
        if value == "Ready" {
            return Ok(Self::Ready);
        }
        let object = value.as_object().filter(|o| o.len() == 1);
        let (name, inner) = object.and_then(|o| o.iter().next()).ok_or_else(shape)?;
        let number = |v: Option<&Value>| v.and_then(Value::as_u64);
        match (name.as_str(), inner) {
            ("Transferring", Value::Object(o)) => Ok(Self::Transferring {
                id: number(o.get("id")).ok_or_else(shape)?,
                process: o
                    .get("process_name")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned(),
                size: number(o.get("size")).ok_or_else(shape)?,
                bytes_written: number(o.get("bytes_written")).ok_or_else(shape)?,
            }),
            // forms that other clients have seen
            ("Transferring", Value::Array(pair)) => Ok(Self::Transferring {
                id: 0,
                process: String::new(),
                bytes_written: number(pair.first()).ok_or_else(shape)?,
                size: number(pair.get(1)).ok_or_else(shape)?,
            }),
            ("Flashing", Value::Object(o)) => Ok(Self::Transferring {
                id: 0,
                process: String::new(),
                bytes_written: number(o.get("bytes_written")).ok_or_else(shape)?,
                size: number(o.get("total_bytes")).ok_or_else(shape)?,
            }),
            ("Done", Value::Array(pair)) => {
                let took = pair.first().ok_or_else(shape)?;
                let seconds = number(took.get("secs")).ok_or_else(shape)?;
                let nanos = number(took.get("nanos")).unwrap_or(0);
                Ok(Self::Done {
                    took: Duration::from_secs(seconds) + Duration::from_nanos(nanos),
                    size: number(pair.get(1)).ok_or_else(shape)?,
                })
            }
            ("Error", Value::String(text)) => Ok(Self::Error(text.clone())),
            _ => Err(shape()),
        }
    }
}

/// The handle that a start gives: bare, without an envelope.
pub(super) fn handle(what: &str, body: &[u8]) -> Result<u64> {
    let value = document(what, body)?;
    value
        .get("handle")
        .and_then(Value::as_u64)
        .ok_or_else(|| unknown(what, &value.to_string()))
}

/// What a look at the state showed.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// Ours is done; the declared size.
    Done(u64),
    /// Ours is under way, and its counter.
    Progress(Progress, u64),
    /// Nothing of ours.
    Nothing,
}

/// Follows one transfer through the state of all.
pub(super) struct Watch {
    handle: u64,
    before: State,
    started: Instant,
    /// How long after its start ours was last known to be under way.
    seen: Option<Duration>,
    uploaded: bool,
    upload_failed: bool,
    verifying: bool,
    counter: u64,
}

impl Watch {
    pub(super) fn new(handle: u64, before: State) -> Self {
        Self {
            handle,
            before,
            started: Instant::now(),
            seen: None,
            uploaded: false,
            upload_failed: false,
            verifying: false,
            counter: 0,
        }
    }

    /// The daemon took the whole upload.
    pub(super) fn upload_is_done(&mut self) {
        self.uploaded = true;
    }

    /// The upload broke off: what the state says from now on is about ours.
    pub(super) fn upload_has_failed(&mut self) {
        self.upload_failed = true;
    }

    pub(super) fn since_start(&self) -> Duration {
        self.started.elapsed()
    }

    /// What the state says of ours; `asked` is how long after its start it was asked for.
    pub(super) fn look(
        &mut self,
        state: &State,
        asked: Duration,
    ) -> std::result::Result<Seen, TransferError> {
        let ours_began = self.seen.is_some() || self.uploaded || self.upload_failed;
        match state {
            State::Transferring {
                id,
                process,
                size,
                bytes_written,
            } => {
                if *id != self.handle && *id != 0 {
                    return Err(TransferError::PreEmpted(process.clone()));
                }
                self.seen = Some(asked);
                // the counter begins anew when what was written is read back
                if *bytes_written < self.counter {
                    self.verifying = true;
                }
                self.counter = *bytes_written;
                let progress = if self.verifying {
                    Progress::Verifying(*bytes_written, *size)
                } else {
                    Progress::Writing(*bytes_written, *size)
                };
                Ok(Seen::Progress(progress, *bytes_written))
            }
            // an old state stays until ours begins
            state if *state == self.before && !ours_began => {
                if self.since_start() > APPEAR {
                    return Err(TransferError::Failed(
                        "the transfer was accepted and never began".into(),
                    ));
                }
                Ok(Seen::Nothing)
            }
            State::Ready => Err(TransferError::Restarted),
            // `Done` does not say whose: one that took less time than ours was under way is of another
            State::Done { took, .. } if self.seen.is_some_and(|seen| seen > *took) => {
                Err(TransferError::PreEmpted("it is done already".into()))
            }
            State::Done { size, .. } => Ok(Seen::Done(*size)),
            State::Error(text) => Err(in_words(text)),
        }
    }
}

/// The daemon's words for a failure, sorted by what can be done. Its sentences vary; only their beginnings are looked at.
fn in_words(text: &str) -> TransferError {
    let lower = text.to_lowercase();
    if lower.contains("usb interface not found") {
        TransferError::NoModule
    } else if lower.starts_with("cancelled by user")
        || lower.starts_with("send timeout")
        || lower.starts_with("missing ")
    {
        // nobody asked for an end here: the daemon means the upload
        TransferError::BrokenOff(text.to_owned())
    } else if lower.starts_with("crc error") {
        TransferError::Damaged(text.to_owned())
    } else if lower.contains("memory") && lower.contains("limit") {
        TransferError::WrongImage(format!(
            "the BMC has too little memory to unpack it ({text}); pack it with a smaller dictionary, as `xz -6` does"
        ))
    } else if ["xz", "lzma", "format not recognized"]
        .iter()
        .any(|word| lower.contains(word))
    {
        // the BMC goes by the ending of the name
        TransferError::WrongImage(format!(
            "the BMC cannot unpack it as .xz ({text}): it is damaged, cut short, or something else; get it again"
        ))
    } else if lower.starts_with("sha256") {
        TransferError::WrongImage(text.to_owned())
    } else {
        TransferError::Failed(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(json: &str) -> State {
        State::read("x", json.as_bytes()).unwrap()
    }

    fn transferring(id: u64, written: u64) -> State {
        state(&format!(
            r#"{{"Transferring":{{"id":{id},"process_name":"Node 1 os install service","size":100,"cancelled":false,"bytes_written":{written}}}}}"#
        ))
    }

    #[test]
    fn every_form_of_the_state() {
        assert_eq!(state("\"Ready\""), State::Ready);
        assert!(matches!(
            transferring(7, 3),
            State::Transferring {
                id: 7,
                bytes_written: 3,
                ..
            }
        ));
        assert!(matches!(
            state(r#"{"Transferring":[3,9]}"#),
            State::Transferring { size: 9, .. }
        ));
        assert!(matches!(
            state(r#"{"Flashing":{"bytes_written":3,"total_bytes":9}}"#),
            State::Transferring { size: 9, .. }
        ));
        assert_eq!(
            state(r#"{"Done":[{"secs":1,"nanos":500000000},9]}"#),
            State::Done {
                took: Duration::from_millis(1500),
                size: 9
            }
        );
        assert_eq!(state(r#"{"Error":"e"}"#), State::Error("e".into()));
        for wrong in [
            "{}",
            "\"Done\"",
            r#"{"Done":[1]}"#,
            r#"{"Transferring":{}}"#,
            r#"{"Error":1}"#,
            "<html>",
        ] {
            assert!(State::read("x", wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_transfer_is_followed() {
        let mut watch = Watch::new(7, State::Error("old".into()));
        assert_eq!(
            watch.look(&State::Error("old".into()), Duration::ZERO),
            Ok(Seen::Nothing)
        );
        let check = |watch: &mut Watch, written, expected| {
            let seen = watch.look(&transferring(7, written), Duration::ZERO);
            assert_eq!(seen, Ok(Seen::Progress(expected, written)));
        };
        check(&mut watch, 10, Progress::Writing(10, 100));
        check(&mut watch, 100, Progress::Writing(100, 100));
        check(&mut watch, 5, Progress::Verifying(5, 100));
        let done = state(r#"{"Done":[{"secs":1,"nanos":0},100]}"#);
        assert_eq!(watch.look(&done, Duration::ZERO), Ok(Seen::Done(100)));
    }

    #[test]
    fn what_ended_it() {
        let check = |json: &str, expected: TransferError| {
            let mut watch = Watch::new(7, State::Ready);
            watch.look(&transferring(7, 1), Duration::ZERO).unwrap();
            assert_eq!(
                watch.look(&state(json), Duration::ZERO),
                Err(expected),
                "{json}"
            );
        };
        check("\"Ready\"", TransferError::Restarted);
        check(
            r#"{"Error":"Compute module's USB interface not found or supported"}"#,
            TransferError::NoModule,
        );
        check(
            r#"{"Error":"cancelled by user"}"#,
            TransferError::BrokenOff("cancelled by user".into()),
        );
        check(
            r#"{"Error":"crc error. expected 1, calculated 2"}"#,
            TransferError::Damaged("crc error. expected 1, calculated 2".into()),
        );
        for text in [
            "lzma data error",
            "xz compressed stream is truncated or otherwise corrupt",
            "stream/file format not recognized",
            "memory limit reached",
        ] {
            let mut watch = Watch::new(7, State::Ready);
            watch.look(&transferring(7, 1), Duration::ZERO).unwrap();
            let seen = watch.look(&State::Error(text.into()), Duration::ZERO);
            assert!(
                matches!(seen, Err(TransferError::WrongImage(_))),
                "{seen:?}"
            );
        }
        check(
            r#"{"Error":"sha256 checksum failed"}"#,
            TransferError::WrongImage("sha256 checksum failed".into()),
        );
        let mut watch = Watch::new(7, State::Ready);
        let other = watch.look(&transferring(8, 1), Duration::ZERO);
        assert!(matches!(other, Err(TransferError::PreEmpted(_))));
    }

    #[test]
    fn the_done_of_somebody_else_is_not_ours() {
        let old = state(r#"{"Done":[{"secs":1,"nanos":0},100]}"#);
        let mut watch = Watch::new(7, old.clone());
        assert_eq!(watch.look(&old, Duration::ZERO), Ok(Seen::Nothing));
        watch.upload_is_done();
        assert_eq!(watch.look(&old, Duration::ZERO), Ok(Seen::Done(100)));
        // ours was under way for longer than this one took
        let mut watch = Watch::new(7, State::Ready);
        watch
            .look(&transferring(7, 1), Duration::from_secs(3))
            .unwrap();
        let other = watch.look(&old, Duration::from_secs(4));
        assert!(matches!(other, Err(TransferError::PreEmpted(_))));
    }
}
