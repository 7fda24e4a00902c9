// SPDX-License-Identifier: Apache-2.0
//! What goes wrong with the machine that boards are simulated on, as opposed to what goes wrong with a board: it is said
//! once, however many boards meet it.

use std::io;
use std::sync::Mutex;

use tokio::sync::Notify;

/// What went wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Troubles {
    said: Mutex<Vec<String>>,
    changed: Notify,
}

/// More are not kept.
const KEPT: usize = 32;

impl Troubles {
    /// Says it, unless it was said before.
    pub(crate) fn say(&self, text: String) {
        let Ok(mut said) = self.said.lock() else {
            return;
        };
        if said.len() < KEPT && !said.contains(&text) {
            said.push(text);
            self.changed.notify_waiters();
        }
    }

    /// A connection could not be made. That nobody listens is a board's own business; that the machine is at its end is
    /// not.
    pub(crate) fn dialling(&self, error: &io::Error) {
        if is_out_of_files(error) {
            self.say(
                "too many open files: boards wait until connections of others end. Raise the limit (ulimit -n), simulate \
                 fewer boards, or let them share connections (--connections shared)"
                    .to_owned(),
            );
        }
    }

    /// What was said after the first so many.
    pub(crate) async fn after(&self, known: usize) -> Vec<String> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let new = self.said.lock().map_or_else(
                |_| Vec::new(),
                |said| said.get(known..).unwrap_or_default().to_vec(),
            );
            if !new.is_empty() {
                return new;
            }
            changed.await;
        }
    }
}

/// Whether the process or the machine has as many files open as it may.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    // EMFILE and ENFILE have the same numbers on every Unix that this runs on.
    matches!(error.raw_os_error(), Some(24 | 23))
}
