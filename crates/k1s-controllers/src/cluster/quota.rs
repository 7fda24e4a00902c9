// SPDX-License-Identifier: Apache-2.0
//! The status of ResourceQuotas: the limits that are in force, and what is used of them.
//!
//! The server counts what is made, this counts what is there: after an object went, a pod ended, or the quota changed. It asks
//! the server each time and writes only if the quota is still as it was before it asked; so neither undoes the other's count.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use k1s_core::kinds::{self, Kind};
use k1s_core::quantity::{Quantity, QuantityFormat};
use k1s_core::rules::quota::{self, Usage};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::cache::{Cache, Queue};
use crate::error::{Error, Refusal as _, Result};
use crate::setup::Setup;

/// Objects in one answer of a list.
const PAGE: u32 = 500;
/// How long a kind that the server does not have is not asked for again.
const UNKNOWN_PAUSE: std::time::Duration = std::time::Duration::from_secs(30);

struct Context {
    client: Client,
    quotas: Cache<ResourceQuota>,
    queue: Queue<ResourceQuota>,
    /// The kinds whose deletions are watched.
    watched: Mutex<Watched>,
}

/// Group and plural of the kinds that are watched, and the watches; they end with it.
#[derive(Default)]
struct Watched {
    kinds: HashSet<(String, String)>,
    watches: JoinSet<()>,
}

/// Registers the resource quota controller.
pub(crate) fn start(setup: &mut Setup) {
    let quotas = setup.cache::<ResourceQuota>();
    let (queue, keys) = Queue::<ResourceQuota>::new();
    quotas.feed_own(&queue);
    let all = quotas.clone();
    setup.cache::<Pod>().feed(&queue, move |change| {
        let phase = |pod: &Pod| pod.status.as_ref().and_then(|s| s.phase.clone());
        let ended = |pod: &Pod| matches!(phase(pod).as_deref(), Some("Succeeded" | "Failed"));
        let old = change.old.as_deref();
        let new = change.new.as_deref();
        let frees = match (old, new) {
            (Some(_), None) => true,
            (old, Some(new)) => ended(new) && !old.is_some_and(ended),
            (None, None) => false,
        };
        let namespace = change.latest().and_then(|pod| pod.namespace());
        keys_of(&all, namespace.filter(|_| frees).as_deref())
    });
    let context = Context {
        client: setup.client(),
        quotas: quotas.clone(),
        queue: queue.clone(),
        watched: Mutex::default(),
    };
    setup.controller(
        "resource-quota",
        (queue, keys),
        &quotas,
        context,
        |quota, context| async move { reconcile(&context, &quota).await },
    );
}

/// The quotas of a namespace.
fn keys_of(
    quotas: &Cache<ResourceQuota>,
    namespace: Option<&str>,
) -> Vec<ObjectRef<ResourceQuota>> {
    let Some(namespace) = namespace else {
        return Vec::new();
    };
    let all = quotas.in_namespace(namespace, |_| true);
    all.iter()
        .map(|quota| ObjectRef::from_obj(quota.as_ref()))
        .collect()
}

async fn reconcile(context: &Context, quota: &ResourceQuota) -> Result<Action> {
    let (name, namespace) = (quota.name_any(), quota.namespace().unwrap_or_default());
    let api: Api<ResourceQuota> = Api::namespaced(context.client.clone(), &namespace);
    let Some(present) = api.get_opt(&name).await? else {
        return Ok(Action::await_change());
    };
    let mut present = serde_json::to_value(present).map_err(unreadable)?;
    let hard = present.pointer("/spec/hard").cloned().unwrap_or_default();
    let limits: Vec<String> = hard
        .as_object()
        .map(|map| map.keys().cloned().collect())
        .unwrap_or_default();
    let mut used = Usage::new();
    for kind in counted_kinds(&limits) {
        context.watch(kind.group, kind.plural, &resource(kind));
        for limit in limits.iter().filter(|limit| quota::uses(kind, limit)) {
            used.entry(limit.clone()).or_insert_with(Quantity::zero);
        }
        count(context, &namespace, kind, &present, &limits, &mut used).await?;
    }
    let mut unknown = false;
    for limit in &limits {
        if let Some((plural, group)) = custom(limit).filter(|_| !used.contains_key(limit)) {
            match count_custom(context, &namespace, plural, group, &present).await? {
                Some(count) => drop(used.insert(limit.clone(), count)),
                None => unknown = true,
            }
        }
    }
    let action = if unknown {
        // Its definition may come.
        Action::requeue(UNKNOWN_PAUSE)
    } else {
        Action::await_change()
    };
    let used = if used.is_empty() {
        json!({})
    } else {
        quota::to_json(&used)
    };
    let status = json!({"hard": hard, "used": used});
    if same(present.get("status"), &status) {
        return Ok(action);
    }
    present["status"] = status;
    let wanted: ResourceQuota = serde_json::from_value(present).map_err(unreadable)?;
    match api
        .replace_status(&name, &PostParams::default(), &wanted)
        .await
    {
        Ok(written) => context.quotas.caught_up(&written).await,
        // The server has counted something meanwhile; once more.
        Err(error) if error.is_conflict() => {
            return Ok(Action::requeue(std::time::Duration::from_millis(5)));
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    Ok(action)
}

/// Plural and group of a limit on the number of objects of a kind that is not built in.
fn custom(limit: &str) -> Option<(&str, &str)> {
    limit.strip_prefix("count/")?.split_once('.')
}

/// The number of objects of a kind that is not built in; none where the server has no such kind.
async fn count_custom(
    context: &Context,
    namespace: &str,
    plural: &str,
    group: &str,
    quota: &Value,
) -> Result<Option<Quantity>> {
    let found = match kube::discovery::group(&context.client, group).await {
        Ok(found) => found,
        Err(kube::Error::Discovery(_)) => return Ok(None),
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let kinds = found.recommended_resources();
    let Some((resource, _)) = kinds.into_iter().find(|(kind, _)| kind.plural == plural) else {
        return Ok(None);
    };
    context.watch(group, plural, &resource);
    let scoped = ["/spec/scopes", "/spec/scopeSelector"]
        .iter()
        .any(|path| quota.pointer(path).is_some());
    let mut count = 0;
    if !scoped {
        let api: Api<DynamicObject> =
            Api::namespaced_with(context.client.clone(), namespace, &resource);
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let list = api.list_metadata(&params).await?;
            count += list.items.len();
            match list.metadata.continue_ {
                Some(token) if !token.is_empty() => params = params.continue_token(&token),
                _ => break,
            }
        }
    }
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Ok(Some(Quantity::new(count, QuantityFormat::DecimalSi)))
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::Object(format!("a quota cannot be read: {error}"))
}

/// Whether two statuses say the same, however the amounts are written.
fn same(present: Option<&Value>, wanted: &Value) -> bool {
    ["hard", "used"].iter().all(|part| {
        let list = |status: Option<&Value>| -> Option<Usage> {
            let map = status?.get(part)?.as_object()?;
            map.iter()
                .map(|(key, value)| Some((key.clone(), Quantity::from_json(value).ok()?)))
                .collect()
        };
        list(present).is_some() && list(present) == list(Some(wanted))
    })
}

/// The kinds whose objects use any of the resources, each in its stored version only.
fn counted_kinds(limits: &[String]) -> Vec<&'static Kind> {
    let mut seen = HashSet::new();
    kinds::all()
        .iter()
        .filter(|kind| limits.iter().any(|limit| quota::uses(kind, limit)))
        .filter(|kind| kind.allows("list"))
        .filter(|kind| seen.insert((kind.group, kind.plural)))
        .collect()
}

fn resource(kind: &Kind) -> ApiResource {
    let gvk = GroupVersionKind::gvk(kind.group, kind.version, kind.kind);
    ApiResource::from_gvk_with_plural(&gvk, kind.plural)
}

/// Adds what the objects of a kind use.
async fn count(
    context: &Context,
    namespace: &str,
    kind: &'static Kind,
    quota: &Value,
    limits: &[String],
    used: &mut Usage,
) -> Result {
    let api: Api<DynamicObject> =
        Api::namespaced_with(context.client.clone(), namespace, &resource(kind));
    let now = Timestamp::now().as_second();
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let list = match api.list(&params).await {
            Ok(list) => list,
            // This server does not have the kind.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for object in &list.items {
            let object = serde_json::to_value(object).map_err(unreadable)?;
            if !quota::counts(quota, kind, &object) {
                continue;
            }
            for (resource, amount) in quota::usage(kind, &object, now) {
                if limits.contains(&resource) {
                    quota::add(used, &resource, &amount);
                }
            }
        }
        match list.metadata.continue_ {
            Some(token) if !token.is_empty() => params = params.continue_token(&token),
            _ => return Ok(()),
        }
    }
}

impl Context {
    /// Watches the deletions of a kind that a quota counts; pods are heard of anyway.
    fn watch(&self, group: &str, plural: &str, resource: &ApiResource) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let is_pod = group.is_empty() && plural == "pods";
        if is_pod || !watched.kinds.insert((group.to_owned(), plural.to_owned())) {
            return;
        }
        let api: Api<PartialObjectMeta<DynamicObject>> =
            Api::all_with(self.client.clone(), resource);
        let (quotas, queue) = (self.quotas.clone(), self.queue.clone());
        watched.watches.spawn(async move {
            let events = watcher(api, watcher::Config::default()).default_backoff();
            let mut events = std::pin::pin!(events);
            let mut listed = true;
            while let Some(event) = events.next().await {
                let namespace = match event {
                    Ok(Event::Delete(object)) => object.namespace(),
                    // After the first list nothing is known of what went before the next.
                    Ok(Event::InitDone) if listed => {
                        listed = false;
                        None
                    }
                    Ok(Event::InitDone) => {
                        for quota in quotas.store().state() {
                            queue.add(ObjectRef::from_obj(quota.as_ref()));
                        }
                        None
                    }
                    Ok(_) => None,
                    Err(error) => {
                        tracing::debug!(%error, "watch for quotas");
                        None
                    }
                };
                for key in keys_of(&quotas, namespace.as_deref()) {
                    queue.add(key);
                }
            }
        });
    }
}
