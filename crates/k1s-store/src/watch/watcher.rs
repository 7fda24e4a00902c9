// SPDX-License-Identifier: Apache-2.0
//! [`Watcher`]: the stream of the changes in a range.
//!
//! It starts in the log and moves over to a queue of the hub once it has caught up; when it is too
//! slow for its queue it goes back to the log. So it needs bounded memory, writers never wait for
//! it, and it ends only when the log does not reach back to it any more.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_core::Stream;

use crate::error::Result;
use crate::future::poll_until;
use crate::watch::hub::Taken;
use crate::watch::{Event, Queue};
use crate::{Prefix, Revision};

/// Bytes of events that are read from the log at once.
const REPLAY_BYTES: usize = 4 << 20;

/// A stretch of the log.
pub(crate) struct Replay {
    pub(crate) events: Vec<Arc<Event>>,
    /// All events up to here are in it.
    pub(crate) upto: Revision,
    /// Whether that is the end of the log.
    pub(crate) complete: bool,
}

/// A queue that takes events from now on.
pub(crate) struct Attached {
    /// What happened before that, after the revision asked for.
    pub(crate) missed: Vec<Arc<Event>>,
}

/// Where watchers get their events.
pub(crate) trait Source: Send + Sync {
    fn replay(&self, prefix: &Prefix, after: Revision, bytes: usize) -> Result<Replay>;
    fn attach(&self, queue: &Arc<Queue>, after: Revision) -> Result<Attached>;
    fn detach(&self, queue: &Arc<Queue>);
    fn published(&self) -> Revision;
}

/// The changes in a range, in order and without gaps: a stream that ends with an error when the
/// history that it needs has been compacted.
pub struct Watcher {
    source: Arc<dyn Source>,
    queue: Arc<Queue>,
    /// Events that were read from the log and not handed out yet.
    replayed: VecDeque<Arc<Event>>,
    /// Everything up to here was handed out or is in `replayed`.
    position: Revision,
    /// The last event that was handed out, or where the watch began.
    seen: Revision,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Log,
    Live,
    Ended,
}

impl Watcher {
    pub(crate) fn new(source: Arc<dyn Source>, queue: Arc<Queue>, after: Revision) -> Self {
        Self {
            source,
            queue,
            replayed: VecDeque::new(),
            position: after,
            seen: after,
            mode: Mode::Log,
        }
    }

    /// Joins the live events, if that is all that is needed.
    pub(crate) fn join(&mut self) -> Result<()> {
        let attached = self.source.attach(&self.queue, self.position)?;
        self.replayed.extend(attached.missed);
        self.mode = Mode::Live;
        Ok(())
    }

    /// A revision up to which all changes of the range have been handed out. It moves on with
    /// changes elsewhere, so bookmarks can be newer than the last event.
    pub fn progress(&self) -> Revision {
        let published = self.source.published();
        if self.mode == Mode::Live && self.replayed.is_empty() && self.queue.is_drained() {
            published.max(self.seen)
        } else {
            self.seen
        }
    }

    /// The next event if one comes in time, for callers without a runtime.
    pub fn next_timeout(&mut self, timeout: Duration) -> Option<Result<Arc<Event>>> {
        poll_until(
            |context| Pin::new(&mut *self).poll_next(context),
            Some(Instant::now() + timeout),
        )
        .flatten()
    }

    fn read_log(&mut self) -> Result<()> {
        let replay = self
            .source
            .replay(self.queue.prefix(), self.position, REPLAY_BYTES)?;
        self.replayed.extend(replay.events);
        self.position = replay.upto;
        if replay.complete { self.join() } else { Ok(()) }
    }

    fn hand_out(&mut self, event: Arc<Event>) -> Poll<Option<Result<Arc<Event>>>> {
        self.seen = event.revision;
        self.position = self.position.max(event.revision);
        Poll::Ready(Some(Ok(event)))
    }
}

impl Stream for Watcher {
    type Item = Result<Arc<Event>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(event) = self.replayed.pop_front() {
                return self.hand_out(event);
            }
            match self.mode {
                Mode::Ended => return Poll::Ready(None),
                Mode::Log => {
                    if let Err(error) = self.read_log() {
                        self.mode = Mode::Ended;
                        self.source.detach(&self.queue);
                        return Poll::Ready(Some(Err(error)));
                    }
                }
                Mode::Live => match self.queue.take(context.waker()) {
                    Taken::Event(event) => return self.hand_out(event),
                    Taken::Empty => return Poll::Pending,
                    Taken::Overflowed(upto) => {
                        self.position = self.position.max(upto);
                        self.mode = Mode::Log;
                    }
                },
            }
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.source.detach(&self.queue);
    }
}
