// SPDX-License-Identifier: Apache-2.0
//! [`Versioned`]: the one implementation of [`Store`], over any [`Engine`].
//!
//! The log is an undo log: the entry of a revision holds the state that the change replaced. The
//! state that it made is the object itself, or what the next change of the same object replaced. A
//! create thus writes its document once.

mod check;
mod compact;
mod history;
mod read;
mod write;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;

use crate::engine::{Engine, Reader, Table};
use crate::error::{Error, Result};
use crate::record::{LogEntry, u64_at};
use crate::spin;
use crate::store::Visitor;
use crate::watch::{Attached, Event, Hub, HubState, Queue, Replay, Source};
use crate::{
    Batch, Entry, Key, ListRequest, Options, Page, Prefix, Report, Revision, SideKey, Stats, Store,
    Watcher, WriteFuture, Written,
};

/// The key of the record that says where a log without entries ends.
const FLOOR: &[u8] = b"floor";

/// The end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    revision: Revision,
    /// Bytes of all log entries ever written.
    total: u64,
}

/// The end of the log as a transaction sees it.
fn head(reader: &impl Reader) -> Result<Head> {
    let Some((key, value)) = reader.last(Table::Log)? else {
        return floor(reader);
    };
    let revision = log_revision(&key)?;
    Ok(Head {
        revision,
        total: LogEntry::read(revision, &value)?.total,
    })
}

/// The end of a log that has no entries.
fn floor(reader: &impl Reader) -> Result<Head> {
    let Some(value) = reader.get(Table::Meta, FLOOR)? else {
        return Ok(Head {
            revision: Revision::FIRST,
            total: 0,
        });
    };
    match (u64_at(&value, 0), u64_at(&value, 8)) {
        (Some(revision), Some(total)) => Ok(Head {
            revision: Revision(revision),
            total,
        }),
        _ => Err(Error::corrupt(b"the floor of the log", "it is cut short")),
    }
}

/// The oldest revision that can be read.
fn oldest(reader: &impl Reader) -> Result<Revision> {
    let mut first = None;
    reader.scan(Table::Log, &[], &[0xff; 9], &mut |key, _| {
        first = Some(log_revision(key)?);
        Ok(ControlFlow::Break(()))
    })?;
    match first {
        Some(first) => Ok(Revision(first.0.saturating_sub(1))),
        None => Ok(floor(reader)?.revision),
    }
}

fn log_revision(key: &[u8]) -> Result<Revision> {
    u64_at(key, 0)
        .map(Revision)
        .ok_or_else(|| Error::corrupt(key, "its log key is cut short"))
}

/// Checks that a revision can be read, and watched after.
fn readable(reader: &impl Reader, requested: Revision, head: Head) -> Result<()> {
    if requested > head.revision {
        return Err(Error::FutureRevision {
            requested,
            current: head.revision,
        });
    }
    if requested < head.revision {
        let oldest = oldest(reader)?;
        if requested < oldest {
            return Err(Error::Compacted { requested, oldest });
        }
    }
    Ok(())
}

/// What the store and its watchers share.
pub(crate) struct Core<E> {
    engine: E,
    options: Options,
    hub: Hub,
    /// Held from the commit of a write to the publication of its events, so that they are in order.
    commit: Mutex<()>,
}

impl<E: Engine> Core<E> {
    pub(crate) fn new(engine: E, options: Options) -> Arc<Self> {
        Arc::new(Self {
            engine,
            options,
            hub: Hub::default(),
            commit: Mutex::new(()),
        })
    }

    #[cfg(test)]
    pub(crate) fn engine(&self) -> &E {
        &self.engine
    }

    #[cfg(feature = "lmdb")]
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    fn now(&self) -> u64 {
        self.options.clock.now_ms()
    }

    fn setup(&self) -> write::Setup<'_> {
        write::Setup {
            now: self.now(),
            watched: self.hub.watched(),
            checksums: E::CHECKSUMS,
            history: &self.options.history,
        }
    }

    /// Commits batches in one transaction. Each succeeds or fails for itself; an error of the
    /// engine is that of all.
    pub(crate) fn commit(&self, batches: &[Batch]) -> Vec<Result<Written>> {
        let _order = if E::SHORT_WRITES {
            spin::lock(&self.commit)
        } else {
            self.commit.lock().unwrap_or_else(PoisonError::into_inner)
        };
        let committed = self
            .engine
            .write(|transaction| write::commit(transaction, batches, self.setup()));
        match committed {
            Ok(committed) => {
                self.publish(&committed.events, committed.first, committed.last);
                committed.results
            }
            Err(error) => batches.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Hands events to watchers, after those of other processes that came before.
    fn publish(&self, events: &[Arc<Event>], first: Revision, last: Revision) {
        if last < first {
            return;
        }
        self.engine.ring();
        if !self.hub.watched() {
            return;
        }
        let state = self.hub.lock();
        if events.is_empty() || self.hub.published().next() < first {
            self.catch_up(&state);
        } else if self.hub.published() < last {
            self.hub.publish(&state, events, last);
        }
    }

    /// Publishes what the log has and the watchers have not: changes of other processes.
    fn catch_up(&self, state: &HubState) {
        if state.is_empty() {
            return;
        }
        loop {
            let published = self.hub.published();
            let replay = self.engine.snapshot(|reader| {
                history::replay(
                    reader,
                    &Prefix::everything(),
                    published,
                    usize::MAX,
                    E::CHECKSUMS,
                )
            });
            match replay {
                Ok(replay) => {
                    self.hub.publish(state, &replay.events, replay.upto);
                    if replay.complete {
                        return;
                    }
                }
                Err(_) => {
                    // Each watcher rereads the log and finds the error itself if it concerns it.
                    let wakers = state.overflow_all(published);
                    if let Ok(head) = self.engine.read(|reader| head(reader)) {
                        self.hub.set_published(state, head.revision);
                    }
                    wakers.into_iter().for_each(std::task::Waker::wake);
                    return;
                }
            }
        }
    }

    /// Looks for changes of other processes; called when one of them has written.
    pub(crate) fn look(&self) {
        if self.hub.watched() {
            let state = self.hub.lock();
            self.catch_up(&state);
        }
    }
}

impl<E: Engine> Source for Core<E> {
    fn replay(&self, prefix: &Prefix, after: Revision, bytes: usize) -> Result<Replay> {
        self.engine
            .snapshot(|reader| history::replay(reader, prefix, after, bytes, E::CHECKSUMS))
    }

    fn attach(&self, queue: &Arc<Queue>, after: Revision) -> Result<Attached> {
        let mut state = self.hub.lock();
        self.hub.expect_events();
        if state.is_empty() {
            let head = self.engine.read(|reader| head(reader))?;
            self.hub.set_published(&state, head.revision);
        } else {
            self.catch_up(&state);
        }
        let published = self.hub.published();
        let missed = if after < published {
            let mut replay = self.replay(queue.prefix(), after, usize::MAX)?;
            replay.events.retain(|event| event.revision <= published);
            replay.events
        } else {
            Vec::new()
        };
        state.attach(queue);
        Ok(Attached { missed })
    }

    fn detach(&self, queue: &Arc<Queue>) {
        self.hub.detach(queue);
    }

    fn published(&self) -> Revision {
        self.hub.published()
    }
}

/// Who commits batches instead of the caller of [`Store::write`].
pub(crate) type Submit = Box<dyn Fn(Batch) -> WriteFuture + Send + Sync>;

/// A store over an engine.
pub(crate) struct Versioned<E> {
    core: Arc<Core<E>>,
    submit: Option<Submit>,
}

impl<E: Engine> Versioned<E> {
    pub(crate) fn over(core: Arc<Core<E>>) -> Self {
        Self { core, submit: None }
    }

    #[cfg(feature = "lmdb")]
    pub(crate) fn submit_to(&mut self, submit: Submit) {
        self.submit = Some(submit);
    }
}

impl<E: Engine> Store for Versioned<E> {
    fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.core
            .engine
            .read(|reader| read::get(reader, key, || self.core.now(), E::CHECKSUMS))
    }

    fn list(&self, request: &ListRequest) -> Result<Page> {
        self.core
            .engine
            .snapshot(|reader| read::list(reader, request, self.core.now(), E::CHECKSUMS))
    }

    fn scan(&self, request: &ListRequest, visit: Visitor<'_>) -> Result<Revision> {
        self.core
            .engine
            .snapshot(|reader| read::scan(reader, request, self.core.now(), E::CHECKSUMS, visit))
    }

    fn count(&self, request: &ListRequest) -> Result<usize> {
        self.core
            .engine
            .snapshot(|reader| read::count(reader, request, self.core.now()))
    }

    fn is_empty(&self, prefix: &Prefix) -> Result<bool> {
        self.core
            .engine
            .read(|reader| read::is_empty(reader, prefix, || self.core.now()))
    }

    fn write(&self, batch: Batch) -> WriteFuture {
        match &self.submit {
            Some(submit) => submit(batch),
            None => {
                let mut results = self.core.commit(std::slice::from_ref(&batch));
                WriteFuture::ready(results.pop().unwrap_or(Err(Error::Closed)))
            }
        }
    }

    fn watch(&self, prefix: &Prefix, after: Revision) -> Result<Watcher> {
        let core = &self.core;
        let head = core.engine.read(|reader| {
            let head = head(reader)?;
            readable(reader, after, head)?;
            Ok(head)
        })?;
        let weak: Weak<Core<E>> = Arc::downgrade(core);
        core.engine.listen(Box::new(move || match weak.upgrade() {
            Some(core) => {
                core.look();
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }))?;
        let queue = Queue::new(prefix.clone(), core.options.watch_buffer);
        let mut watcher = Watcher::new(core.clone(), queue, after);
        if after == head.revision {
            watcher.join()?;
        }
        Ok(watcher)
    }

    fn revision(&self) -> Result<Revision> {
        self.core.engine.read(|reader| Ok(head(reader)?.revision))
    }

    fn compacted_revision(&self) -> Result<Revision> {
        self.core.engine.read(|reader| oldest(reader))
    }

    fn compact(&self, before: Revision) -> Result<Revision> {
        let core = &self.core;
        core.engine.read(|reader| {
            let current = head(reader)?.revision;
            if before > current {
                Err(Error::FutureRevision {
                    requested: before,
                    current,
                })
            } else {
                Ok(())
            }
        })?;
        loop {
            let _order = core.commit.lock().unwrap_or_else(PoisonError::into_inner);
            if core
                .engine
                .write(|transaction| compact::some(transaction, before))?
            {
                return core.engine.read(|reader| oldest(reader));
            }
        }
    }

    fn stats(&self, prefix: &Prefix) -> Result<Stats> {
        self.core
            .engine
            .snapshot(|reader| read::stats(reader, prefix, self.core.now()))
    }

    fn check(&self) -> Result<Report> {
        self.core.engine.check()?;
        self.core
            .engine
            .snapshot(|reader| check::check(reader, E::CHECKSUMS))
    }

    fn side(&self, key: &SideKey) -> Result<Option<Bytes>> {
        self.core.engine.read(|reader| {
            Ok(reader
                .get(Table::Sides, key.as_bytes())?
                .map(|value| value.from(0)))
        })
    }

    fn sides(&self, tenant: &str, space: &str) -> Result<Vec<(SideKey, Bytes)>> {
        let from = SideKey::space(tenant, space)?.into_bytes();
        let mut to = from.clone();
        if let Some(last) = to.last_mut() {
            *last += 1;
        }
        let mut sides = Vec::new();
        self.core.engine.snapshot(|reader| {
            reader.scan(Table::Sides, &from, &to, &mut |key, value| {
                sides.push((SideKey::stored(key)?, value.from(0)));
                Ok(ControlFlow::Continue(()))
            })
        })?;
        Ok(sides)
    }

    fn next_expiry(&self) -> Result<Option<u64>> {
        self.core.engine.read(|reader| {
            Ok(reader
                .first(Table::Expiry)?
                .and_then(|(key, _)| u64_at(&key, 0)))
        })
    }

    fn sweep(&self) -> Result<usize> {
        let core = &self.core;
        let _order = core.commit.lock().unwrap_or_else(PoisonError::into_inner);
        let swept = core
            .engine
            .write(|transaction| write::sweep(transaction, core.setup()))?;
        core.publish(&swept.events, swept.first, swept.last);
        Ok(usize::try_from((swept.last.0 + 1).saturating_sub(swept.first.0)).unwrap_or(usize::MAX))
    }

    fn copy_to(&self, directory: &Path) -> Result<()> {
        self.core.engine.copy_to(directory)
    }
}
