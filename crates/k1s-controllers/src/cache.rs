// SPDX-License-Identifier: Apache-2.0
//! What is known of a kind: a reflector of kube-rs that all controllers share, so that a kind is watched once.
//!
//! Entry points: [`Cache`] to ask, [`Cache::on_change`] to be told. A controller that has written waits until the cache has
//! seen its write ([`Cache::caught_up`], [`Cache::gone`]) before its reconciliation ends; so the next one, which never runs
//! at the same time, sees what the last one did, and nothing is made twice.

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// A kind that can be cached.
pub(crate) trait Kind:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
}

/// A kind that lives in namespaces.
pub(crate) trait Namespaced: Kind + Resource<Scope = NamespaceResourceScope> {}

impl<K: Kind + Resource<Scope = NamespaceResourceScope>> Namespaced for K {}

/// How long a controller waits to see its own write before it goes on without. A watch that is down for longer is made
/// anew with a list, which has the write.
const CATCH_UP: Duration = Duration::from_secs(5);

/// An object came (`old` is none), changed, or went (`new` is none).
#[derive(Debug)]
pub(crate) struct Change<K> {
    /// As it was known before.
    pub(crate) old: Option<Arc<K>>,
    /// As it is now.
    pub(crate) new: Option<Arc<K>>,
}

impl<K> Clone for Change<K> {
    fn clone(&self) -> Self {
        Self {
            old: self.old.clone(),
            new: self.new.clone(),
        }
    }
}

impl<K> Change<K> {
    /// The object as it is, or as it last was.
    pub(crate) fn latest(&self) -> Option<&Arc<K>> {
        self.new.as_ref().or(self.old.as_ref())
    }

    /// What is known of it, old state first.
    pub(crate) fn states(&self) -> impl Iterator<Item = &Arc<K>> {
        self.old.iter().chain(&self.new)
    }
}

type Listener<K> = Box<dyn Fn(&Change<K>) + Send + Sync>;

/// All objects of a kind, kept up to date by one watch. Clones share it.
pub(crate) struct Cache<K: Kind> {
    store: Store<K>,
    listeners: Arc<Mutex<Vec<Listener<K>>>>,
    /// The highest resource version that was seen, and how many times something was.
    seen: watch::Sender<(u64, u64)>,
    synced: watch::Sender<bool>,
}

impl<K: Kind> Clone for Cache<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            listeners: self.listeners.clone(),
            seen: self.seen.clone(),
            synced: self.synced.clone(),
        }
    }
}

impl<K: Kind> Cache<K> {
    /// An empty cache, and the future that fills it and keeps it up to date for as long as it is polled.
    pub(crate) fn new(client: Client) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (reader, writer) = store::<K>();
        let cache = Self {
            store: reader,
            listeners: Arc::default(),
            seen: watch::Sender::default(),
            synced: watch::Sender::default(),
        };
        let events = watcher(Api::<K>::all(client), watcher::Config::default());
        (cache.clone(), cache.follow(writer, events))
    }

    async fn follow(
        self,
        mut writer: kube::runtime::reflector::store::Writer<K>,
        events: impl futures_util::Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    ) {
        let mut events = std::pin::pin!(events.default_backoff());
        while let Some(event) = events.next().await {
            let mut event = match event {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(kind = %K::kind(&()), %error, "watch");
                    continue;
                }
            };
            // Nobody here looks at them, and a PUT without them leaves them as they are.
            if let Event::Apply(object) | Event::InitApply(object) = &mut event {
                object.meta_mut().managed_fields = None;
            }
            match &event {
                Event::Apply(object) => {
                    let key = ObjectRef::from_obj(object);
                    let old = self.store.get(&key);
                    writer.apply_watcher_event(&event);
                    let new = self.store.get(&key);
                    self.tell(&Change { old, new });
                    self.saw(revision(object));
                }
                Event::Delete(object) => {
                    let key = ObjectRef::from_obj(object);
                    let old = self
                        .store
                        .get(&key)
                        .or_else(|| Some(Arc::new(object.clone())));
                    writer.apply_watcher_event(&event);
                    self.tell(&Change { old, new: None });
                    self.saw(revision(object));
                }
                Event::InitDone => {
                    let before = self.store.state();
                    writer.apply_watcher_event(&event);
                    self.refreshed(before);
                }
                Event::Init | Event::InitApply(_) => writer.apply_watcher_event(&event),
            }
        }
    }

    /// Tells of everything that a list found to be different.
    fn refreshed(&self, before: Vec<Arc<K>>) {
        let now = self.store.state();
        let highest = now.iter().map(|o| revision(o.as_ref())).max().unwrap_or(0);
        let mut old: std::collections::HashMap<_, _> = before
            .into_iter()
            .map(|object| (ObjectRef::from_obj(object.as_ref()), object))
            .collect();
        for object in now {
            let old = old.remove(&ObjectRef::from_obj(object.as_ref()));
            self.tell(&Change {
                old,
                new: Some(object),
            });
        }
        for object in old.into_values() {
            self.tell(&Change {
                old: Some(object),
                new: None,
            });
        }
        self.saw(highest);
        self.synced.send_replace(true);
    }

    fn saw(&self, revision: u64) {
        self.seen.send_modify(|(highest, times)| {
            *highest = revision.max(*highest);
            *times += 1;
        });
    }

    fn tell(&self, change: &Change<K>) {
        let listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter() {
            listener(change);
        }
    }

    /// Calls `listener` for every change from now on; it must not block. Registered before the cache is filled, it is
    /// told of every object.
    pub(crate) fn on_change(&self, listener: impl Fn(&Change<K>) + Send + Sync + 'static) {
        let mut listeners = self
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        listeners.push(Box::new(listener));
    }

    /// Every change from now on, as a channel.
    pub(crate) fn changes(&self) -> mpsc::UnboundedReceiver<Change<K>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.on_change(move |change| {
            // Nobody listens any more when its task has ended.
            let _ = sender.send(change.clone());
        });
        receiver
    }

    /// Puts keys of `queue` into it for every change.
    pub(crate) fn feed<Q, I>(
        &self,
        queue: &Queue<Q>,
        keys: impl Fn(&Change<K>) -> I + Send + Sync + 'static,
    ) where
        Q: Kind,
        I: IntoIterator<Item = ObjectRef<Q>>,
    {
        let queue = queue.clone();
        self.on_change(move |change| {
            for key in keys(change) {
                queue.add(key);
            }
        });
    }

    /// Puts the objects themselves into their queue.
    pub(crate) fn feed_own(&self, queue: &Queue<K>) {
        self.feed(queue, |change| {
            change.new.as_deref().map(ObjectRef::from_obj)
        });
    }

    /// Returns once the objects that there were at the start are known.
    pub(crate) async fn synced(&self) {
        // The sender is `self`.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// The reflector's store.
    pub(crate) fn store(&self) -> &Store<K> {
        &self.store
    }

    /// The object of that name; the namespace of a cluster-scoped one is empty.
    pub(crate) fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let key = ObjectRef::new(name);
        self.store.get(&if namespace.is_empty() {
            key
        } else {
            key.within(namespace)
        })
    }

    /// All objects of a namespace that `wanted` accepts.
    pub(crate) fn in_namespace(&self, namespace: &str, wanted: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        self.store.state_filter(|object| {
            object.meta().namespace.as_deref() == Some(namespace) && wanted(object)
        })
    }

    /// Returns once the cache has what was written, or something newer, and has told of it.
    pub(crate) async fn caught_up(&self, written: &K) {
        let wanted = revision(written);
        let mut seen = self.seen.subscribe();
        let _ = timeout(CATCH_UP, seen.wait_for(|(highest, _)| *highest >= wanted)).await;
    }

    /// Returns once the cache knows that the object was deleted, or is on its way out, and has told of it.
    pub(crate) async fn gone(&self, object: &K) {
        let key = ObjectRef::from_obj(object);
        let mut seen = self.seen.subscribe();
        let gone = |_: &(u64, u64)| match self.store.get(&key) {
            None => true,
            Some(known) => known.meta().deletion_timestamp.is_some() || known.uid() != object.uid(),
        };
        let _ = timeout(CATCH_UP, seen.wait_for(gone)).await;
    }
}

fn revision<K: Kind>(object: &K) -> u64 {
    object
        .meta()
        .resource_version
        .as_deref()
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

/// What is to be reconciled. Clones share it; a key that is in it twice is reconciled once.
pub(crate) struct Queue<K: Kind> {
    sender: mpsc::UnboundedSender<ObjectRef<K>>,
}

impl<K: Kind> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
        }
    }
}

impl<K: Kind> Queue<K> {
    /// A queue and its end.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<ObjectRef<K>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender }, receiver)
    }

    /// Asks for a reconciliation.
    pub(crate) fn add(&self, key: ObjectRef<K>) {
        // Its controller has ended; so has everything else then.
        let _ = self.sender.send(key);
    }
}
