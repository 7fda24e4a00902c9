// SPDX-License-Identifier: Apache-2.0
//! [`Group`]: a thread that commits what many callers write in one transaction.
//!
//! While one commit is on its way to the disk the next writes gather. A batch that fails does not
//! touch the others in its transaction.

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
    /// None until the first write: a store that is only read needs no thread.
    writer: Option<JoinHandle<()>>,
    closing: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        let (future, promise) = WriteFuture::waiting();
        let mut state = self.shared.lock();
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
    let (mut expected, mut gather) = (1, Duration::ZERO);
    while let Some((batches, promises)) = next_group(shared, expected, gather) {
        let start = Instant::now();
        let results = core.commit(&batches);
        (expected, gather) = (batches.len(), gathering(start.elapsed()));
        for (promise, result) in promises.into_iter().zip(results) {
            promise.keep(result);
        }
    }
}

/// Waits for something to write; none when the store is closed and everything is written.
fn next_group(
    shared: &Shared,
    expected: usize,
    gather: Duration,
) -> Option<(Vec<Batch>, Vec<Promise>)> {
    let mut state = shared.lock();
    while state.queue.is_empty() {
        if state.closing {
            return None;
        }
        state = shared
            .submitted
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner);
    }
    if expected > 1 {
        // The callers of the last group are about to write again; one commit for all of them is
        // better than one for the first and another for the rest.
        let deadline = Instant::now() + gather;
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
    Some((batches, promises))
}
