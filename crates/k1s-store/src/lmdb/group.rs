// SPDX-License-Identifier: Apache-2.0
//! [`Group`]: commits what many callers write in one transaction.
//!
//! A caller who is alone commits in its own thread, which spares it two wake-ups. While a commit is
//! on its way to the disk the next writes gather, and a thread commits them together. A batch that
//! fails does not touch the others in its transaction.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::future::Promise;
use crate::lmdb::Lmdb;
use crate::versioned::Core;
use crate::{Batch, Error, WriteFuture};

/// Batches in one transaction.
const BATCHES: usize = 1000;
/// Bytes in one transaction.
const BYTES: usize = 16 << 20;
/// A caller may be held up by a commit of its own when the last one took no longer than this: others
/// may wait for the thread that it holds up.
const SHORT: Duration = Duration::from_millis(1);

/// A caller that comes sooner after the last commit than a lone client could answer and ask again is one of several, which this
/// very thread may have kept from coming: what they write is to gather.
const APART: Duration = Duration::from_micros(100);

/// How long to wait for callers who are expected to write again: a part of what the last commit
/// took, so that waiting can cost little and a slow disk commits larger groups.
fn gathering(last_commit: Duration) -> Duration {
    (last_commit / 4).clamp(Duration::from_micros(50), Duration::from_millis(2))
}

/// The writer of a store.
pub(super) struct Group {
    shared: Arc<Shared>,
    core: Arc<Core<Lmdb>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    submitted: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<(Batch, Promise)>,
    /// None until someone had to wait: a store that is only read needs no thread.
    writer: Option<JoinHandle<()>>,
    /// Whether someone is committing: the thread, or a caller.
    committing: bool,
    /// What the last commit was.
    last: Last,
    closing: bool,
}

/// A commit that is done.
#[derive(Clone, Copy, Default)]
struct Last {
    batches: usize,
    took: Duration,
    ended: Option<Instant>,
}

impl State {
    /// Whether a caller should commit itself: nobody else does, or is about to.
    fn is_quiet(&self) -> bool {
        !self.committing
            && self.queue.is_empty()
            && self.last.batches <= 1
            && self.last.took <= SHORT
            && self.last.ended.is_none_or(|at| at.elapsed() >= APART)
    }
}

/// Someone's turn to commit, which ends when this is dropped.
struct Turn<'a> {
    shared: &'a Shared,
    batches: usize,
    begun: Instant,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.committing = false;
        state.last = Last {
            batches: self.batches,
            took: self.begun.elapsed(),
            ended: Some(Instant::now()),
        };
        let waiting = !state.queue.is_empty();
        drop(state);
        if waiting {
            self.shared.submitted.notify_one();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the turn to commit so many batches.
    fn turn(&self, state: &mut State, batches: usize) -> Turn<'_> {
        state.committing = true;
        Turn {
            shared: self,
            batches,
            begun: Instant::now(),
        }
    }
}

impl Group {
    pub(super) fn new(core: Arc<Core<Lmdb>>) -> Self {
        Self {
            shared: Arc::default(),
            core,
        }
    }

    pub(super) fn submit(&self, batch: Batch) -> WriteFuture {
        let mut state = self.shared.lock();
        if state.is_quiet() {
            let turn = self.shared.turn(&mut state, 1);
            drop(state);
            let mut results = self.core.commit(std::slice::from_ref(&batch));
            drop(turn);
            return WriteFuture::ready(results.pop().unwrap_or(Err(Error::Closed)));
        }
        let (future, promise) = WriteFuture::waiting();
        if state.writer.is_none() {
            let (shared, core) = (self.shared.clone(), self.core.clone());
            let writer = thread::Builder::new()
                .name("k1s-store".to_owned())
                .spawn(move || run(&shared, &core));
            match writer {
                Ok(writer) => state.writer = Some(writer),
                Err(_) => {
                    promise.keep(Err(Error::Closed));
                    return future;
                }
            }
        }
        state.queue.push_back((batch, promise));
        drop(state);
        self.shared.submitted.notify_one();
        future
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let writer = {
            let mut state = self.shared.lock();
            state.closing = true;
            state.writer.take()
        };
        self.shared.submitted.notify_one();
        if let Some(writer) = writer {
            // A writer that has panicked has told its callers by dropping their promises.
            let _ = writer.join();
        }
    }
}

fn run(shared: &Shared, core: &Core<Lmdb>) {
    while let Some((turn, batches, promises)) = next_group(shared) {
        let results = core.commit(&batches);
        drop(turn);
        for (promise, result) in promises.into_iter().zip(results) {
            promise.keep(result);
        }
    }
}

/// Waits for something to write; none when the store is closed and everything is written.
fn next_group(shared: &Shared) -> Option<(Turn<'_>, Vec<Batch>, Vec<Promise>)> {
    let mut state = shared.lock();
    while state.queue.is_empty() || state.committing {
        if state.closing && state.queue.is_empty() {
            return None;
        }
        state = shared
            .submitted
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
    let expected = state.last.batches;
    if expected > 1 {
        // The callers of the last group are about to write again; one commit for all of them is
        // better than one for the first and another for the rest.
        let deadline = Instant::now() + gathering(state.last.took);
        while state.queue.len() < expected && !state.closing {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = shared
                .submitted
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
    let (mut batches, mut promises, mut bytes) = (Vec::new(), Vec::new(), 0);
    while batches.len() < BATCHES && bytes < BYTES {
        let Some((batch, promise)) = state.queue.pop_front() else {
            break;
        };
        bytes += batch.bytes();
        batches.push(batch);
        promises.push(promise);
    }
    let turn = shared.turn(&mut state, batches.len());
    Some((turn, batches, promises))
}
