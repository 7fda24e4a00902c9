// SPDX-License-Identifier: Apache-2.0
//! Claims stay while pods use them, volumes while they are bound: a finalizer holds them until then.

use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use kube::api::{ListParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};

use super::choice::phase;
use crate::cache::{Cache, Kind, Queue};
use crate::error::{Refusal as _, Result};
use crate::scheduler::volumes::claim_names;
use crate::setup::Setup;
use crate::workload::pod::is_finished;

const OF_CLAIMS: &str = "kubernetes.io/pvc-protection";
const OF_VOLUMES: &str = "kubernetes.io/pv-protection";

struct Context {
    client: Client,
    pods: Cache<Pod>,
}

/// Registers the protection of claims.
pub(crate) fn start_claims(setup: &mut Setup) {
    let claims = setup.cache::<PersistentVolumeClaim>();
    let pods = setup.cache::<Pod>();
    let (queue, keys) = Queue::<PersistentVolumeClaim>::new();
    claims.feed_own(&queue);
    pods.feed(&queue, |change| {
        let new = change.new.as_deref();
        let frees = new.is_none_or(|pod| is_finished(pod) || !is_placed(pod));
        let namespace = change.latest().and_then(|pod| pod.namespace());
        let names: Vec<String> = change
            .states()
            .filter(|_| frees)
            .flat_map(|pod| claim_names(pod))
            .map(|(name, _)| name)
            .collect();
        let namespace = namespace.unwrap_or_default();
        names
            .into_iter()
            .map(move |name| ObjectRef::new(&name).within(&namespace))
            .collect::<Vec<_>>()
    });
    let context = Context {
        client: setup.client(),
        pods,
    };
    setup.controller(
        "pvc-protection",
        (queue, keys),
        &claims,
        context,
        |claim, context| async move { reconcile_claim(&context, &claim).await },
    );
}

fn is_placed(pod: &Pod) -> bool {
    let node = pod.spec.as_ref().and_then(|s| s.node_name.as_deref());
    node.is_some_and(|name| !name.is_empty())
}

/// Whether a pod holds a claim: once it is on a node and, unless the claim is its own, until it is gone, ended or not.
fn holds(pod: &Pod, claim: &str) -> bool {
    let metadata = &pod.metadata;
    let is_shut_down =
        metadata.deletion_timestamp.is_some() && metadata.deletion_grace_period_seconds == Some(0);
    is_placed(pod)
        && claim_names(pod).any(|(name, is_own)| name == claim && !(is_own && is_shut_down))
}

async fn reconcile_claim(context: &Context, claim: &PersistentVolumeClaim) -> Result<Action> {
    let protected = claim.finalizers().iter().any(|f| f == OF_CLAIMS);
    let api = Api::namespaced(
        context.client.clone(),
        &claim.namespace().unwrap_or_default(),
    );
    if claim.metadata.deletion_timestamp.is_none() {
        if !protected {
            protect(&api, claim, OF_CLAIMS).await?;
        }
        return Ok(Action::await_change());
    }
    if !protected {
        return Ok(Action::await_change());
    }
    let (namespace, name) = (claim.namespace().unwrap_or_default(), claim.name_any());
    let in_use = |pod: &Pod| holds(pod, &name);
    if !context.pods.in_namespace(&namespace, in_use).is_empty() {
        return Ok(Action::await_change());
    }
    // The cache may be behind: what is let go now is gone.
    let live: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    let live = live.list(&ListParams::default()).await?;
    if !live.items.iter().any(in_use) {
        let_go(&api, claim, OF_CLAIMS).await?;
    }
    Ok(Action::await_change())
}

/// Registers the protection of volumes.
pub(crate) fn start_volumes(setup: &mut Setup) {
    let volumes = setup.cache::<PersistentVolume>();
    let (queue, keys) = Queue::<PersistentVolume>::new();
    volumes.feed_own(&queue);
    let client = setup.client();
    setup.controller(
        "pv-protection",
        (queue, keys),
        &volumes,
        client,
        |volume, client| async move {
            let protected = volume.finalizers().iter().any(|f| f == OF_VOLUMES);
            let api: Api<PersistentVolume> = Api::all((*client).clone());
            let deleting = volume.metadata.deletion_timestamp.is_some();
            if !deleting && !protected {
                protect(&api, volume.as_ref(), OF_VOLUMES).await?;
            }
            if deleting && protected && phase(&volume) != Some("Bound") {
                let_go(&api, volume.as_ref(), OF_VOLUMES).await?;
            }
            Ok(Action::await_change())
        },
    );
}

async fn protect<K: Kind + serde::Serialize>(api: &Api<K>, object: &K, finalizer: &str) -> Result {
    let mut wanted = object.clone();
    wanted.finalizers_mut().push(finalizer.to_owned());
    write(api, &wanted).await
}

async fn let_go<K: Kind + serde::Serialize>(api: &Api<K>, object: &K, finalizer: &str) -> Result {
    let mut wanted = object.clone();
    wanted.finalizers_mut().retain(|f| f != finalizer);
    write(api, &wanted).await
}

async fn write<K: Kind + serde::Serialize>(api: &Api<K>, wanted: &K) -> Result {
    match api
        .replace(&wanted.name_any(), &PostParams::default(), wanted)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}
