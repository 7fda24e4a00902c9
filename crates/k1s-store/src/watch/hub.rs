// SPDX-License-Identifier: Apache-2.0
//! [`Hub`]: hands each committed event to the queues of those who watch its key.
//!
//! Queues are found by the prefixes of the key, so an event costs as much as has watchers for it,
//! however many others there are. A full queue takes no more events and is never waited for; its
//! watcher rereads the log instead.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::watch::Event;
use crate::{Prefix, Revision};

/// Who watches what.
#[derive(Default)]
pub(crate) struct Hub {
    watched: AtomicBool,
    /// Everything up to here is in the queues; changed under the lock, after the queues.
    published: AtomicU64,
    state: Mutex<HubState>,
}

/// The part of a hub that is behind its lock.
#[derive(Default)]
pub(crate) struct HubState {
    queues: HashMap<Box<str>, Vec<Arc<Queue>>>,
}

impl Hub {
    /// Whether anyone watches. A writer asks before it commits, and again behind that.
    pub(crate) fn watched(&self) -> bool {
        self.watched.load(Ordering::SeqCst)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks writers to publish from now on; to be called before the revision is read.
    pub(crate) fn expect_events(&self) {
        self.watched.store(true, Ordering::SeqCst);
    }

    pub(crate) fn published(&self) -> Revision {
        Revision(self.published.load(Ordering::Acquire))
    }

    pub(crate) fn set_published(&self, _state: &HubState, revision: Revision) {
        self.published.store(revision.0, Ordering::Release);
    }

    /// Puts events into the queues of their watchers.
    pub(crate) fn publish(&self, state: &HubState, events: &[Arc<Event>], upto: Revision) {
        let mut wakers = Vec::new();
        for event in events
            .iter()
            .filter(|event| event.revision > self.published())
        {
            state.deliver(event, &mut wakers);
        }
        self.set_published(state, upto);
        for waker in wakers {
            waker.wake();
        }
    }

    pub(crate) fn detach(&self, queue: &Arc<Queue>) {
        let mut state = self.lock();
        if let Some(queues) = state.queues.get_mut(queue.prefix.as_str()) {
            queues.retain(|other| !Arc::ptr_eq(other, queue));
            if queues.is_empty() {
                state.queues.remove(queue.prefix.as_str());
            }
        }
        if state.is_empty() {
            self.watched.store(false, Ordering::SeqCst);
        }
    }
}

impl HubState {
    pub(crate) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Lets a queue take events from now on; a second call empties it first.
    pub(crate) fn attach(&mut self, queue: &Arc<Queue>) {
        queue.reset();
        let queues = self.queues.entry(queue.prefix.as_str().into()).or_default();
        if !queues.iter().any(|other| Arc::ptr_eq(other, queue)) {
            queues.push(queue.clone());
        }
    }

    /// Tells all watchers to reread the log, because some of it could not be published.
    pub(crate) fn overflow_all(&self, published: Revision) -> Vec<Waker> {
        self.queues
            .values()
            .flatten()
            .filter_map(|queue| queue.overflow(published))
            .collect()
    }

    fn deliver(&self, event: &Arc<Event>, wakers: &mut Vec<Waker>) {
        let key = event.key.as_str();
        let parts = std::iter::once(0)
            .chain(key.match_indices('/').map(|(at, _)| at + 1))
            .chain([key.len()]);
        for end in parts {
            let Some(queues) = key.get(..end).and_then(|prefix| self.queues.get(prefix)) else {
                continue;
            };
            wakers.extend(queues.iter().filter_map(|queue| queue.push(event)));
        }
    }
}

/// The bounded queue of one watcher.
pub(crate) struct Queue {
    prefix: Prefix,
    capacity: usize,
    state: Mutex<QueueState>,
}

#[derive(Default)]
struct QueueState {
    events: VecDeque<Arc<Event>>,
    overflowed: bool,
    /// Nothing is missing up to here, if the queue overflowed while it was empty.
    upto: Revision,
    waker: Option<Waker>,
}

/// What a queue has for its watcher.
pub(crate) enum Taken {
    Event(Arc<Event>),
    /// Nothing; the waker will be woken.
    Empty,
    /// Events are missing, but none up to this revision or the last event taken.
    Overflowed(Revision),
}

impl Queue {
    pub(crate) fn new(prefix: Prefix, capacity: usize) -> Arc<Self> {
        Arc::new(Self {
            prefix,
            capacity,
            state: Mutex::default(),
        })
    }

    pub(crate) fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reset(&self) {
        let mut state = self.lock();
        state.events.clear();
        state.overflowed = false;
        state.upto = Revision::default();
    }

    fn push(&self, event: &Arc<Event>) -> Option<Waker> {
        let mut state = self.lock();
        if state.overflowed {
            return None;
        }
        if state.events.len() >= self.capacity {
            state.overflowed = true;
        } else {
            state.events.push_back(event.clone());
        }
        state.waker.take()
    }

    fn overflow(&self, published: Revision) -> Option<Waker> {
        let mut state = self.lock();
        if !state.overflowed {
            state.overflowed = true;
            state.upto = published;
        }
        state.waker.take()
    }

    pub(crate) fn take(&self, waker: &Waker) -> Taken {
        let mut state = self.lock();
        if let Some(event) = state.events.pop_front() {
            if state.events.is_empty() {
                // Thousands of idle watchers must not keep the room of their busiest moment.
                state.events = VecDeque::new();
            }
            return Taken::Event(event);
        }
        if state.overflowed {
            return Taken::Overflowed(state.upto);
        }
        match &mut state.waker {
            Some(old) => old.clone_from(waker),
            empty => *empty = Some(waker.clone()),
        }
        Taken::Empty
    }

    pub(crate) fn is_drained(&self) -> bool {
        let state = self.lock();
        state.events.is_empty() && !state.overflowed
    }
}
