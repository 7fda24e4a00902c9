// SPDX-License-Identifier: Apache-2.0
//! The last lines of a container, within a limit of bytes.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::time::{Ms, Wall};

/// Bytes that the lines of a container take, with what each costs beside its text: short ones would take ten times
/// as much memory otherwise.
const LIMIT: usize = 4096;
const COST: usize = 40;

/// A line and when it was written.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) at: Ms,
    pub(crate) wall: Option<Wall>,
    pub(crate) text: Vec<u8>,
}

/// The lines that are kept; each has a number that stays.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: VecDeque<Line>,
    bytes: usize,
    /// The number of the first line that is still there.
    first: u64,
}

impl Log {
    pub(crate) fn push(&mut self, line: Line) {
        self.bytes += line.text.len() + COST;
        self.lines.push_back(line);
        while self.bytes > LIMIT && self.lines.len() > 1 {
            if let Some(line) = self.lines.pop_front() {
                self.bytes -= line.text.len() + COST;
                self.first += 1;
            }
        }
    }

    /// The number that the next line will have.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The lines from this number on that are still there, with the number after the last.
    pub(crate) fn from(&self, number: u64) -> impl Iterator<Item = &Line> {
        let skip = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.lines.iter().skip(skip)
    }

    /// The number of the first line that is still there.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_lines_go_and_numbers_stay() {
        let mut log = Log::default();
        for n in 0..100u8 {
            log.push(Line {
                at: n.into(),
                wall: None,
                text: alloc::vec![n; 100],
            });
        }
        assert_eq!((log.first(), log.end()), (71, 100));
        assert_eq!(log.from(98).map(|l| l.at).collect::<Vec<_>>(), [98, 99]);
        assert_eq!(log.from(0).count(), 29);
        assert_eq!(log.from(100).count(), 0);
    }
}
