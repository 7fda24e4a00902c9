// SPDX-License-Identifier: Apache-2.0
//! The terminal that a command is run on.

use std::io::{IsTerminal as _, stdin};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal that gives each key as it is pressed; as it was before when dropped. Nothing where standard input is no terminal.
pub struct Raw(Option<Termios>);

impl Raw {
    /// Makes standard input raw from now on.
    #[must_use]
    pub fn new() -> Self {
        let stdin = stdin();
        let before = stdin
            .is_terminal()
            .then(|| tcgetattr(&stdin).ok())
            .flatten();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            let _ = tcsetattr(&stdin, OptionalActions::Now, &raw);
        }
        Self(before)
    }

    /// Whether there is a terminal.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.0.is_some()
    }
}

impl Default for Raw {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

/// Columns and rows of the terminal at standard input.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(stdin()).ok()?;
    Some((size.ws_col, size.ws_row))
}
