// SPDX-License-Identifier: Apache-2.0
//! [`Options`]: how a store is opened.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How much history a store keeps. Whatever exceeds a bound first is forgotten, oldest first, a few
/// entries with each write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct History {
    /// Changes.
    pub entries: u64,
    /// Bytes of log, which holds the replaced and deleted states.
    pub bytes: u64,
    /// Age of a change.
    pub age: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 24 << 20,
            age: Duration::from_secs(3600),
        }
    }
}

/// How a store is opened; the default suits a command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much history is kept.
    pub history: History,
    /// Events that a watcher may be behind before it has to reread the log.
    pub watch_buffer: usize,
    /// Commit many concurrent writes at once, from a thread of its own: for servers. A caller who is
    /// alone still commits in its own thread as long as that takes no more than a millisecond.
    /// Without it each write commits in the thread of its caller.
    pub group_commit: bool,
    /// Open without ever writing.
    pub read_only: bool,
    /// Examine every page before anything else is read, for a file that may be damaged. Takes as long
    /// as to read the file.
    pub examine: bool,
    /// Address space to start with, in bytes; a default that suits the machine if none.
    pub map_size: Option<usize>,
    /// The clock that times to live are measured with.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            history: History::default(),
            watch_buffer: 1000,
            group_commit: false,
            read_only: false,
            examine: false,
            map_size: None,
            clock: Clock::default(),
        }
    }
}

/// Milliseconds since the Unix epoch, from the system or from a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Clock {
    /// A clock of one's own.
    pub fn new(now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(now_ms))
    }

    /// The time in milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(|| {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now_ms())
    }
}
