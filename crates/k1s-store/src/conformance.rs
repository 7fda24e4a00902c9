// SPDX-License-Identifier: Apache-2.0
//! The conformance suite: the cases of Kubernetes' own storage tests, run on every engine.
//!
//! A case is named after the one it stands for. What Kubernetes tests through a transformer that
//! fails is tested here with bytes that were damaged in the engine.

mod interface;
mod lists;
mod stores;
mod updates;
mod watch_tables;
mod watches;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::engine::memory::Memory;
use crate::engine::{Engine, Table, Writer};
use crate::versioned::{Core, Versioned};
use crate::{
    Batch, Change, Clock, Encoded, Entry, Key, Options, Precondition, Prefix, Result, Revision,
    Store, Ttl,
};

/// Runs each case on each engine.
macro_rules! conformance {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[test] fn $case() { super::$case(&crate::conformance::Rig::in_memory()); })*
        }
        #[cfg(feature = "lmdb")]
        mod lmdb {
            $(#[test] fn $case() { super::$case(&crate::conformance::Rig::on_disk()); })*
        }
    };
}
use conformance;

type Damage = Box<dyn Fn(&Key, &[u8]) + Send + Sync>;

/// A store under test, with a clock to turn and a way to damage it.
pub(super) struct Rig {
    store: Arc<dyn Store>,
    damage: Damage,
    clock: Arc<AtomicU64>,
    _directory: Option<tempfile::TempDir>,
}

impl Rig {
    fn in_memory() -> Self {
        Self::over(|_| Memory::default(), None)
    }

    #[cfg(feature = "lmdb")]
    fn on_disk() -> Self {
        // What is durable is tested elsewhere; here a disk would only make thousands of commits slow.
        let fast = std::path::Path::new("/dev/shm");
        let directory = if fast.is_dir() {
            tempfile::tempdir_in(fast)
        } else {
            tempfile::tempdir()
        };
        let directory = directory.unwrap();
        let path = directory.path().to_owned();
        Self::over(
            move |options| crate::lmdb::Lmdb::open(&path, options).unwrap(),
            Some(directory),
        )
    }

    fn over<E: Engine>(
        engine: impl FnOnce(&Options) -> E,
        directory: Option<tempfile::TempDir>,
    ) -> Self {
        let clock = Arc::new(AtomicU64::new(1_000_000));
        let now = clock.clone();
        let options = Options {
            clock: Clock::new(move || now.load(Ordering::SeqCst)),
            ..Options::default()
        };
        let core = Core::new(engine(&options), options);
        let store = Arc::new(Versioned::over(core.clone()));
        let damage = Box::new(move |key: &Key, junk: &[u8]| {
            let junk = Bytes::copy_from_slice(junk);
            let write = |transaction: &mut E::Write<'_>| {
                transaction.put(Table::Objects, key.as_bytes(), junk.clone())
            };
            core.engine().write(write).unwrap();
        });
        Self {
            store,
            damage,
            clock,
            _directory: directory,
        }
    }

    fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    fn damage(&self, key: &Key) {
        (self.damage)(key, b"junk");
    }

    fn revision(&self) -> Revision {
        self.store.revision().unwrap()
    }

    fn create(&self, pod: &Pod) -> Result<Pod> {
        let written = self
            .store
            .write(Batch::new().create(pod.key(), pod.encoded()))
            .wait()?;
        Ok(Pod::of(&written.into_entry().unwrap()))
    }

    /// Creates or replaces.
    fn put(&self, pod: &Pod) -> Pod {
        self.put_for(pod, Ttl::Forever)
    }

    fn put_for(&self, pod: &Pod, ttl: Ttl) -> Pod {
        let change = Change::Put {
            encoded: pod.encoded(),
            ttl,
        };
        let batch = Batch::new().with(pod.key(), Precondition::Any, change);
        Pod::of(
            &self
                .store
                .write(batch)
                .wait()
                .unwrap()
                .into_entry()
                .unwrap(),
        )
    }

    fn get(&self, pod: &Pod) -> Result<Option<Pod>> {
        Ok(self.store.get(&pod.key())?.map(|entry| Pod::of(&entry)))
    }

    fn delete(&self, pod: &Pod) -> Pod {
        let batch = Batch::new().with(pod.key(), Precondition::Any, Change::Delete);
        Pod::of(
            &self
                .store
                .write(batch)
                .wait()
                .unwrap()
                .into_entry()
                .unwrap(),
        )
    }

    /// A write that has nothing to do with pods.
    fn unrelated(&self) -> Revision {
        let key = Key::new("t", "others", None, "other").unwrap();
        let change = Change::Put {
            encoded: Encoded::opaque(b"other".to_vec()),
            ttl: Ttl::Forever,
        };
        let batch = Batch::new().with(key, Precondition::Any, change);
        self.store.write(batch).wait().unwrap().revision
    }
}

/// The object of the suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pod {
    namespace: String,
    name: String,
    node: String,
    uid: String,
    note: String,
    /// Filled in by the store.
    revision: u64,
}

impl Pod {
    fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// Reads `name@namespace[node]`; the namespace and the node may be missing.
    fn parse(text: &str) -> Self {
        let (text, node) = text
            .strip_suffix(']')
            .and_then(|t| t.split_once('['))
            .unwrap_or((text, ""));
        let (name, namespace) = text.split_once('@').unwrap_or((text, ""));
        Self::new(namespace, name).on(node)
    }

    fn on(mut self, node: &str) -> Self {
        node.clone_into(&mut self.node);
        self
    }

    fn note(mut self, note: &str) -> Self {
        note.clone_into(&mut self.note);
        self
    }

    fn uid(mut self, uid: &str) -> Self {
        uid.clone_into(&mut self.uid);
        self
    }

    fn key(&self) -> Key {
        let namespace = Some(self.namespace.as_str()).filter(|n| !n.is_empty());
        Key::new("t", "pods", namespace, &self.name).unwrap()
    }

    fn encoded(&self) -> Encoded {
        let Self {
            namespace,
            name,
            node,
            uid,
            note,
            ..
        } = self;
        let front = format!("{namespace};{name};{node};");
        Encoded::new(format!("{front};{uid};{note}").into_bytes(), front.len())
    }

    fn of(entry: &Entry) -> Self {
        Self::decode(&entry.value)
    }

    fn decode(bytes: &[u8]) -> Self {
        let parts: Vec<&str> = std::str::from_utf8(bytes).unwrap().split(';').collect();
        let [namespace, name, node, revision, uid, note] = parts[..] else {
            panic!("{parts:?}")
        };
        Self {
            revision: revision.parse().unwrap(),
            ..Self::new(namespace, name).on(node).uid(uid).note(note)
        }
    }

    /// Without what the store fills in.
    fn content(&self) -> Self {
        Self {
            revision: 0,
            ..self.clone()
        }
    }
}

fn pods() -> Prefix {
    Prefix::resource("t", "pods").unwrap()
}

/// How long to wait for what must come, and for what must not.
const SOON: Duration = Duration::from_secs(10);
const NOT: Duration = Duration::from_millis(5);
