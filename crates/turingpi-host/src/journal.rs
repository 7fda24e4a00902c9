// SPDX-License-Identifier: Apache-2.0
//! What services said since the boot; the last lines of it.

use std::collections::VecDeque;
use std::time::Duration;

/// The lines that are kept.
const LINES: usize = 2000;

/// A line.
pub(crate) struct Line {
    pub(crate) at: Duration,
    pub(crate) unit: String,
    pub(crate) text: String,
}

/// The journal.
#[derive(Default)]
pub(crate) struct Journal(VecDeque<Line>);

impl Journal {
    pub(crate) fn add(&mut self, at: Duration, unit: &str, text: &str) {
        if self.0.len() == LINES {
            self.0.pop_front();
        }
        self.0.push_back(Line {
            at,
            unit: unit.to_owned(),
            text: text.to_owned(),
        });
    }

    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.0.iter()
    }
}
