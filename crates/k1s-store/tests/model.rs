// SPDX-License-Identifier: Apache-2.0
//! Random operations against a naive model: every list at every readable revision, every watch, every
//! outcome of a write, with expiry, compaction and restarts in between.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k1s_store::{
    Batch, Change, Clock, Encoded, Error, EventKind, History, Key, ListRequest, Options,
    Precondition, Prefix, Revision, Store, Ttl, Watcher,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Write>),
    Compact(u8),
    Pass(u64),
    Sweep,
    Restart,
    Look {
        prefix: usize,
        back: u8,
        limit: usize,
    },
}

#[derive(Clone, Debug)]
struct Write {
    key: usize,
    text: u8,
    condition: Condition,
    delete: bool,
    ttl: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Condition {
    Any,
    Absent,
    Present,
    Current,
    Stale,
}

fn step() -> impl Strategy<Value = Step> {
    let condition = prop_oneof![
        4 => Just(Condition::Any),
        1 => Just(Condition::Absent),
        1 => Just(Condition::Present),
        3 => Just(Condition::Current),
        1 => Just(Condition::Stale),
    ];
    let write = (
        0..KEYS.len(),
        any::<u8>(),
        condition,
        prop::bool::weighted(0.25),
        prop::option::weighted(0.2, 1..20_u64),
    )
        .prop_map(|(key, text, condition, delete, ttl)| Write {
            key,
            text,
            condition,
            delete,
            ttl,
        });
    prop_oneof![
        12 => prop::collection::vec(write, 1..4).prop_map(Step::Write),
        1 => any::<u8>().prop_map(Step::Compact),
        2 => (0..10_u64).prop_map(Step::Pass),
        1 => Just(Step::Sweep),
        1 => Just(Step::Restart),
        6 => (0..PREFIXES, any::<u8>(), 0..4_usize).prop_map(|(prefix, back, limit)| Step::Look { prefix, back, limit }),
    ]
}

const KEYS: [(&str, &str, Option<&str>, &str); 8] = [
    ("t", "pods", Some("a"), "x"),
    ("t", "pods", Some("a"), "xy"),
    ("t", "pods", Some("a-b"), "x"),
    ("t", "pods", Some("b"), "x"),
    ("t", "apps/pods", Some("a"), "x"),
    ("t", "nodes", None, "x"),
    ("u", "pods", Some("a"), "x"),
    ("t", "podsx", Some("a"), "x"),
];

const PREFIXES: usize = 6;

fn key(index: usize) -> Key {
    let (tenant, resource, namespace, name) = KEYS[index];
    Key::new(tenant, resource, namespace, name).unwrap()
}

fn prefix(index: usize) -> Prefix {
    match index {
        0 => Prefix::everything(),
        1 => Prefix::tenant("t").unwrap(),
        2 => Prefix::resource("t", "pods").unwrap(),
        3 => Prefix::namespace("t", "pods", "a").unwrap(),
        4 => Prefix::resource("t", "nodes").unwrap(),
        _ => Prefix::object(&key(0)),
    }
}

/// An object: its text, its revision, its expiry.
type Object = (u8, u64, Option<u64>);
type State = BTreeMap<Key, Object>;
/// Revision, kind, key, text, revision in the text.
type Change4 = (u64, EventKind, Key, u8);

struct Model {
    now: u64,
    /// The state at each revision from 1 on.
    states: Vec<State>,
    changes: Vec<Change4>,
}

impl Model {
    fn head(&self) -> u64 {
        self.states.len() as u64
    }

    fn state(&self) -> &State {
        self.states.last().unwrap()
    }

    fn change(&mut self, kind: EventKind, key: &Key, text: u8, expires: Option<u64>) {
        let mut state = self.state().clone();
        let revision = self.head() + 1;
        match kind {
            EventKind::Deleted => drop(state.remove(key)),
            _ => drop(state.insert(key.clone(), (text, revision, expires))),
        }
        self.states.push(state);
        self.changes.push((revision, kind, key.clone(), text));
    }

    fn visible(&self, key: &Key) -> Option<Object> {
        self.state()
            .get(key)
            .copied()
            .filter(|(_, _, expires)| expires.is_none_or(|at| at > self.now))
    }

    fn drop_expired(&mut self, key: &Key) {
        if let Some((text, ..)) = self.state().get(key).copied()
            && self.visible(key).is_none()
        {
            self.change(EventKind::Deleted, key, text, None);
        }
    }

    fn sweep(&mut self) {
        let mut expired: Vec<_> = self
            .state()
            .iter()
            .filter_map(|(key, (.., expires))| {
                expires
                    .filter(|at| *at <= self.now)
                    .map(|at| (at, key.clone()))
            })
            .collect();
        expired.sort();
        expired.iter().for_each(|(_, key)| self.drop_expired(key));
    }

    /// The batch for the store, and whether it must succeed; applies it if so.
    fn write(&mut self, writes: &[Write]) -> (Batch, bool) {
        let mut batch = Batch::new();
        let mut fits = true;
        let mut keys = Vec::new();
        for write in writes {
            let key = key(write.key);
            let found = self.visible(&key);
            let (precondition, holds) = match write.condition {
                Condition::Any => (Precondition::Any, true),
                Condition::Absent => (Precondition::Absent, found.is_none()),
                Condition::Present => (Precondition::Present, found.is_some()),
                Condition::Current => match found {
                    Some((_, revision, _)) => (Precondition::Revision(Revision(revision)), true),
                    None => (Precondition::Absent, true),
                },
                Condition::Stale => (Precondition::Revision(Revision(self.head() + 7)), false),
            };
            fits &= holds && !keys.contains(&key) && !(write.delete && found.is_none());
            let change = if write.delete {
                Change::Delete
            } else {
                let ttl = write
                    .ttl
                    .map_or(Ttl::Forever, |ms| Ttl::For(Duration::from_millis(ms)));
                Change::Put {
                    encoded: encoded(write.text),
                    ttl,
                }
            };
            batch = batch.with(key.clone(), precondition, change);
            keys.push(key);
        }
        if fits {
            for (write, key) in writes.iter().zip(&keys) {
                self.drop_expired(key);
                let found = self.visible(key);
                let expires = write.ttl.map(|ms| self.now + ms);
                match found {
                    Some((text, ..)) if write.delete => {
                        self.change(EventKind::Deleted, key, text, None)
                    }
                    Some(_) => self.change(EventKind::Updated, key, write.text, expires),
                    None => self.change(EventKind::Created, key, write.text, expires),
                }
            }
            self.sweep();
        }
        (batch, fits)
    }
}

fn encoded(text: u8) -> Encoded {
    Encoded::new(format!("<>{text}").into_bytes(), 1)
}

fn spliced(text: u8, revision: u64) -> String {
    format!("<{revision}>{text}")
}

struct Run {
    open: Box<dyn Fn(Options) -> Arc<dyn Store>>,
    restarts: bool,
    history: u64,
}

impl Run {
    fn options(&self, clock: &Arc<AtomicU64>) -> Options {
        let clock = clock.clone();
        Options {
            clock: Clock::new(move || clock.load(Ordering::SeqCst)),
            history: History {
                entries: self.history,
                ..History::default()
            },
            watch_buffer: 3,
            ..Options::default()
        }
    }

    fn run(&self, steps: &[Step]) {
        let clock = Arc::new(AtomicU64::new(1000));
        let mut store = Some((self.open)(self.options(&clock)));
        let mut model = Model {
            now: 1000,
            states: vec![State::new()],
            changes: Vec::new(),
        };
        let mut live = Some((
            store
                .as_ref()
                .unwrap()
                .watch(&prefix(1), Revision(1))
                .unwrap(),
            1,
        ));
        for step in steps {
            let opened = store.clone().unwrap();
            match step {
                Step::Write(writes) => {
                    let (batch, fits) = model.write(writes);
                    let written = opened.write(batch).wait();
                    assert_eq!(written.is_ok(), fits, "{written:?}");
                }
                Step::Compact(part) => {
                    let to = Revision(1 + model.head() * u64::from(*part) / 300);
                    let before = opened.compacted_revision().unwrap();
                    assert_eq!(opened.compact(to).unwrap(), to.max(before));
                }
                Step::Pass(ms) => model.now = clock.fetch_add(*ms, Ordering::SeqCst) + ms,
                Step::Sweep => {
                    let before = model.head();
                    model.sweep();
                    assert_eq!(opened.sweep().unwrap() as u64, model.head() - before);
                }
                Step::Restart if self.restarts => {
                    drop((opened, store.take(), live.take()));
                    store = Some((self.open)(self.options(&clock)));
                }
                Step::Restart => {}
                Step::Look {
                    prefix,
                    back,
                    limit,
                } => look(&*opened, &model, *prefix, u64::from(*back), *limit),
            }
            let store = store.as_ref().unwrap();
            assert_eq!(store.revision().unwrap().0, model.head());
            if let Some((watcher, position)) = &mut live
                && model.head().is_multiple_of(5)
                && !follow(watcher, position, &model, 1)
            {
                live = None;
            }
        }
        let store = store.unwrap();
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
        assert!(
            model.head() - store.compacted_revision().unwrap().0
                <= self.history + 3 + KEYS.len() as u64
        );
        (0..KEYS.len()).for_each(|index| {
            let found = store.get(&key(index)).unwrap();
            let found = found.map(|entry| {
                (
                    String::from_utf8(entry.value.to_vec()).unwrap(),
                    entry.expires,
                )
            });
            let expected = model
                .visible(&key(index))
                .map(|(text, revision, expires)| (spliced(text, revision), expires));
            assert_eq!(found, expected);
        });
    }
}

/// Compares what a watcher has with the model; false when the log does not reach back any more.
fn follow(watcher: &mut Watcher, position: &mut u64, model: &Model, prefix_index: usize) -> bool {
    let range = prefix(prefix_index);
    let expected = model
        .changes
        .iter()
        .filter(|(revision, _, key, _)| *revision > *position && range.contains(key));
    for (revision, kind, key, text) in expected {
        match watcher.next_timeout(Duration::from_secs(10)).unwrap() {
            Ok(event) => {
                let value = String::from_utf8(event.value.to_vec()).unwrap();
                let expected = (*revision, *kind, key, spliced(*text, *revision));
                assert_eq!((event.revision.0, event.kind, &event.key, value), expected);
                let before = model.states[*revision as usize - 2].get(key);
                let before = before.map(|(text, revision, _)| spliced(*text, *revision));
                assert_eq!(
                    event
                        .previous
                        .as_ref()
                        .map(|b| String::from_utf8(b.to_vec()).unwrap()),
                    before
                );
            }
            Err(Error::Compacted { .. }) => return false,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(watcher.next_timeout(Duration::ZERO).is_none());
    assert_eq!(watcher.progress().0, model.head());
    *position = model.head();
    true
}

/// Lists and watches from some revision.
fn look(store: &dyn Store, model: &Model, prefix_index: usize, back: u64, limit: usize) {
    let at = model.head().saturating_sub(back % 32).max(1);
    let range = prefix(prefix_index);
    let compacted = store.compacted_revision().unwrap().0;
    let listed = store.list(
        &ListRequest::new(range.clone())
            .at(Revision(at))
            .limit(limit),
    );
    let watched = store.watch(&range, Revision(at));
    if at < compacted {
        assert!(matches!(listed, Err(Error::Compacted { .. })));
        assert!(matches!(watched, Err(Error::Compacted { .. })));
        return;
    }
    let expected: Vec<_> = model.states[at as usize - 1]
        .iter()
        .filter(|(key, _)| range.contains(key))
        .map(|(key, (text, revision, _))| (key.clone(), spliced(*text, *revision)))
        .collect();
    // Page by page, all at the same revision.
    let mut page = listed.unwrap();
    let mut found = Vec::new();
    loop {
        assert_eq!(page.revision.0, at);
        found.extend(
            page.entries
                .iter()
                .map(|e| (e.key.clone(), String::from_utf8(e.value.to_vec()).unwrap())),
        );
        assert_eq!(page.remaining, expected.len() - found.len());
        let Some(last) = page.entries.last().filter(|_| page.remaining > 0) else {
            break;
        };
        let request = ListRequest::new(range.clone())
            .after(&last.key)
            .at(page.revision)
            .limit(limit);
        page = store.list(&request).unwrap();
    }
    assert_eq!(found, expected);
    assert!(follow(
        &mut watched.unwrap(),
        &mut { at },
        model,
        prefix_index
    ));
}

fn in_memory(history: u64) -> Run {
    Run {
        open: Box::new(k1s_store::memory),
        restarts: false,
        history,
    }
}

#[cfg(feature = "lmdb")]
fn on_disk(history: u64) -> Run {
    let fast = std::path::Path::new("/dev/shm");
    let directory = if fast.is_dir() {
        tempfile::tempdir_in(fast)
    } else {
        tempfile::tempdir()
    }
    .unwrap();
    let open = move |options| k1s_store::open(directory.path(), options).unwrap();
    Run {
        open: Box::new(open),
        restarts: true,
        history,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_is_the_model(steps in prop::collection::vec(step(), 1..80), history in prop_oneof![Just(5_u64), Just(1000)]) {
        in_memory(history).run(&steps);
    }

    #[cfg(feature = "lmdb")]
    #[test]
    fn lmdb_is_the_model(steps in prop::collection::vec(step(), 1..80), history in prop_oneof![Just(5_u64), Just(1000)]) {
        on_disk(history).run(&steps);
    }
}
