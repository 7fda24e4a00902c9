// SPDX-License-Identifier: Apache-2.0
//! What a controller is given at its start: caches shared with the others, a client under its own name, and the loop that
//! reconciles.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use http::header::USER_AGENT;
use http::{HeaderValue, Request};
use kube::Client;
use kube::client::Body;
use kube::runtime::applier;
use kube::runtime::controller::{Action, Config, Error as ControllerError};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Options;
use crate::cache::{Cache, Kind, Queue};
use crate::error::{Error, Refusal as _, Result};
use crate::recorder::Recorder;

/// The name under which controllers write; it stands in managedFields.
const CONTROLLER_MANAGER: &str = "kube-controller-manager";

/// Reconciliations of one controller at a time.
const CONCURRENCY: u16 = 10;

/// Everything that is going to run.
pub(crate) struct Setup {
    base: Client,
    client: Client,
    /// What the caller of [`crate::run`] wants.
    pub(crate) options: Options,
    caches: HashMap<TypeId, Box<dyn Any + Send>>,
    synced: Vec<BoxFuture<'static, ()>>,
    tasks: Vec<BoxFuture<'static, ()>>,
    work: Vec<BoxFuture<'static, ()>>,
}

impl Setup {
    pub(crate) fn new(base: Client, options: Options) -> Self {
        Self {
            client: named(&base, CONTROLLER_MANAGER),
            base,
            options,
            caches: HashMap::new(),
            synced: Vec::new(),
            tasks: Vec::new(),
            work: Vec::new(),
        }
    }

    /// A client that writes as kube-controller-manager.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client that writes under a name of its own.
    pub(crate) fn client_of(&self, agent: &'static str) -> Client {
        named(&self.base, agent)
    }

    /// The cache of a kind. It is filled once all controllers have said what they want to be told.
    pub(crate) fn cache<K: Kind>(&mut self) -> Cache<K> {
        let known = self.caches.get(&TypeId::of::<K>());
        if let Some(cache) = known.and_then(|any| any.downcast_ref::<Cache<K>>()) {
            return cache.clone();
        }
        let (cache, follow) = Cache::<K>::new(self.client.clone());
        self.tasks.push(follow.boxed());
        self.synced.push({
            let cache = cache.clone();
            async move { cache.synced().await }.boxed()
        });
        self.caches
            .insert(TypeId::of::<K>(), Box::new(cache.clone()));
        cache
    }

    /// A recorder of events whose source is `component`.
    pub(crate) fn recorder(&mut self, component: &'static str) -> Recorder {
        let (recorder, write) = Recorder::new(self.client.clone(), component);
        self.tasks.push(write.boxed());
        recorder
    }

    /// Runs `task` once every cache is filled.
    pub(crate) fn task(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.work.push(task.boxed());
    }

    /// Reconciles the objects of `cache` whose keys come out of the queue: never one object twice at a time, again after
    /// a growing pause when it fails, and not at all once the object is gone.
    pub(crate) fn controller<K, C, F>(
        &mut self,
        name: &'static str,
        (queue, keys): (Queue<K>, mpsc::UnboundedReceiver<ObjectRef<K>>),
        cache: &Cache<K>,
        context: C,
        reconcile: impl Fn(Arc<K>, Arc<C>) -> F + Send + 'static,
    ) where
        K: Kind,
        C: Send + Sync + 'static,
        F: Future<Output = Result<Action>> + Send + 'static,
    {
        let store = cache.store().clone();
        let failures = Arc::new(Failures::<K>::default());
        let (counted, dropped) = (failures.clone(), failures.clone());
        self.task(async move {
            // For as long as the controller runs its queue is not at its end.
            let _queue = queue;
            let keys = futures_util::stream::unfold(keys, |mut keys| async move {
                let key = keys.recv().await?;
                Some((Ok::<_, std::convert::Infallible>(key), keys))
            });
            let reconcile = move |object: Arc<K>, context: Arc<C>| {
                let (failures, key) = (failures.clone(), ObjectRef::from_obj(object.as_ref()));
                let reconciling = reconcile(object, context);
                async move {
                    let result = reconciling.await;
                    if result.is_ok() {
                        failures.forget(&key);
                    }
                    result
                }
                .boxed()
            };
            let retry = move |object: Arc<K>, error: &Error, _: Arc<C>| {
                counted.retry(ObjectRef::from_obj(object.as_ref()), error)
            };
            let config = Config::default().concurrency(CONCURRENCY);
            let results = applier(reconcile, retry, Arc::new(context), store, keys, config);
            let mut results = std::pin::pin!(results);
            while let Some(result) = results.next().await {
                match result {
                    Ok(_) => {}
                    Err(ControllerError::ObjectNotFound(gone)) => {
                        let mut key = ObjectRef::new(&gone.name);
                        key.namespace = gone.namespace;
                        dropped.forget(&key);
                    }
                    Err(error) => {
                        let cause = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::debug!(controller = name, %error, cause, "reconciliation");
                    }
                }
            }
        });
    }

    /// Starts everything. Dropping the set ends it.
    pub(crate) fn spawn(self) -> JoinSet<()> {
        let mut set = JoinSet::new();
        for task in self.tasks {
            set.spawn(task);
        }
        let (synced, work) = (self.synced, self.work);
        set.spawn(async move {
            futures_util::future::join_all(synced).await;
            let mut running: JoinSet<()> = work.into_iter().collect();
            while let Some(ended) = running.join_next().await {
                if let Err(error) = ended {
                    tracing::error!(%error, "a controller ended");
                }
            }
        });
        set
    }
}

/// The client with a name of its own: the API takes the field manager from it.
fn named(client: &Client, agent: &'static str) -> Client {
    let (base, namespace) = (client.clone(), client.default_namespace().to_owned());
    let named = tower::service_fn(move |mut request: Request<Body>| {
        let (base, name) = (base.clone(), HeaderValue::from_static(agent));
        request.headers_mut().insert(USER_AGENT, name);
        async move { base.send(request).await }
    });
    Client::new(named, namespace)
}

/// How often the reconciliation of an object has failed in a row.
struct Failures<K: Kind>(Mutex<HashMap<ObjectRef<K>, u32>>);

impl<K: Kind> Default for Failures<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Kind> Failures<K> {
    fn forget(&self, key: &ObjectRef<K>) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.remove(key);
    }

    fn retry(&self, key: ObjectRef<K>, error: &Error) -> Action {
        if error.is_namespace_terminating() || error.is_not_found() {
            self.forget(&key);
            return Action::await_change();
        }
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = failures.entry(key).or_default();
        *times = times.saturating_add(1);
        Action::requeue(pause(*times))
    }
}

/// The pause after the n-th failure in a row: 5 ms, doubled up to 1000 s, as the work queues of Kubernetes have it.
fn pause(failures: u32) -> Duration {
    let doubled = 5u64.saturating_mul(1 << failures.saturating_sub(1).min(20));
    Duration::from_millis(doubled.min(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_at_1000_s() {
        for (failures, ms) in [
            (1, 5),
            (2, 10),
            (3, 20),
            (10, 2560),
            (18, 655_360),
            (19, 1_000_000),
            (4_000_000, 1_000_000),
        ] {
            assert_eq!(pause(failures), Duration::from_millis(ms), "{failures}");
        }
    }
}
