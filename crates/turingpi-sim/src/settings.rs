// SPDX-License-Identifier: Apache-2.0
//! What the daemon keeps in its flash memory: it is written three seconds after the last change, and a restart before that loses it.

use std::time::Duration;

/// How long after the last change they are written.
const WRITE: Duration = Duration::from_secs(3);

/// What is known of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) name: Option<String>,
    pub(crate) module_name: Option<String>,
    pub(crate) uart_baud: Option<u64>,
}

/// The settings, as they are and as they are written.
#[derive(Default)]
pub(crate) struct Settings {
    nodes: [Node; 4],
    written: [Node; 4],
    changed: Option<Duration>,
}

impl Settings {
    pub(crate) fn node(&self, slot: usize) -> &Node {
        &self.nodes[slot]
    }

    /// Changes a module's settings at a time of the board.
    pub(crate) fn change(&mut self, slot: usize, now: Duration, change: impl FnOnce(&mut Node)) {
        self.write(now);
        change(&mut self.nodes[slot]);
        self.changed = Some(now);
    }

    /// Writes what is old enough.
    fn write(&mut self, now: Duration) {
        if self.changed.is_some_and(|changed| now >= changed + WRITE) {
            self.written = self.nodes.clone();
            self.changed = None;
        }
    }

    /// The BMC restarts: what was not written is lost.
    pub(crate) fn restart(&mut self, now: Duration) {
        self.write(now);
        self.nodes = self.written.clone();
        self.changed = None;
    }

    /// The memory is empty.
    pub(crate) fn lose(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_written_is_lost() {
        let mut settings = Settings::default();
        let name = |name: &str| Some(name.to_owned());
        settings.change(0, Duration::from_secs(1), |n| n.name = name("a"));
        settings.change(1, Duration::from_secs(3), |n| n.name = name("b"));
        // the second change has put off the first one
        settings.restart(Duration::from_secs(5));
        assert_eq!(settings.node(0).name, None);
        settings.change(0, Duration::from_secs(6), |n| n.name = name("a"));
        settings.change(1, Duration::from_secs(9), |n| n.name = name("b"));
        settings.restart(Duration::from_secs(11));
        assert_eq!(settings.node(0).name, name("a"));
        assert_eq!(settings.node(1).name, None);
        settings.lose();
        assert_eq!(settings.node(0), &Node::default());
    }
}
