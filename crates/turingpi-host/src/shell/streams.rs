// SPDX-License-Identifier: Apache-2.0
//! What a command reads from and writes to: the session, files, and what is on its way to another command.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::parse;
use crate::session::Stream;

/// Bytes on their way from one command to another.
#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<VecDeque<u8>>>);

impl Buffer {
    pub(super) fn with(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes.into())))
    }

    pub(super) fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lock()).into()
    }

    /// Whether there is a line, or more than one may be long.
    pub(super) fn has_line(&self) -> bool {
        let bytes = self.lock();
        bytes.contains(&b'\n') || bytes.len() >= parse::SCRIPT_BYTES
    }

    /// The next line, with its end.
    pub(super) fn line(&self) -> Option<Vec<u8>> {
        let mut bytes = self.lock();
        let end = bytes
            .iter()
            .position(|b| *b == b'\n')
            .map_or(bytes.len(), |i| i + 1);
        (end > 0).then(|| bytes.drain(..end).collect())
    }
}

#[derive(Clone)]
pub(super) enum In {
    Session,
    Bytes(Buffer),
    Null,
}

#[derive(Clone)]
pub(super) enum Out {
    Session(Stream),
    Bytes(Buffer),
    File(String),
    Null,
}

/// What a command reads from and writes to.
#[derive(Clone)]
pub(super) struct Fds {
    pub(super) stdin: In,
    pub(super) stdout: Out,
    pub(super) stderr: Out,
}

impl Fds {
    pub(super) fn session() -> Self {
        Self {
            stdin: In::Session,
            stdout: Out::Session(Stream::Output),
            stderr: Out::Session(Stream::Error),
        }
    }

    /// The same with output into a buffer.
    pub(super) fn captured(&self) -> (Self, Buffer) {
        let buffer = Buffer::default();
        (
            Self {
                stdout: Out::Bytes(buffer.clone()),
                ..self.clone()
            },
            buffer,
        )
    }
}
