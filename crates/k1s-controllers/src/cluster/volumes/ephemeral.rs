// SPDX-License-Identifier: Apache-2.0
//! Makes the claims that pods bring along as ephemeral volumes.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Volume};
use kube::api::PostParams;
use kube::runtime::controller::Action;
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, Resource as _, ResourceExt as _};

use crate::cache::{Cache, Queue};
use crate::error::{Error, Refusal as _, Result, message};
use crate::recorder::Recorder;
use crate::scheduler::volumes::not_owner;
use crate::setup::Setup;

struct Context {
    client: Client,
    claims: Cache<PersistentVolumeClaim>,
    recorder: Recorder,
}

/// Registers the ephemeral volume controller.
pub(crate) fn start(setup: &mut Setup) {
    let pods = setup.cache::<Pod>();
    let claims = setup.cache::<PersistentVolumeClaim>();
    let (queue, keys) = Queue::<Pod>::new();
    pods.feed(&queue, |change| {
        let new = change.new.as_deref();
        new.filter(|pod| brings_claims(pod))
            .map(ObjectRef::from_obj)
    });
    claims.feed(&queue, |change| {
        // A claim that went is made again for a pod that still wants it.
        let gone = change.old.as_ref().filter(|_| change.new.is_none())?;
        let owner = gone
            .metadata
            .owner_references
            .iter()
            .flatten()
            .find(|o| o.kind == "Pod")?;
        Some(ObjectRef::new(&owner.name).within(&gone.namespace()?))
    });
    let context = Context {
        client: setup.client(),
        claims,
        recorder: setup.recorder("ephemeral_volume"),
    };
    setup.controller(
        "ephemeral-volume",
        (queue, keys),
        &pods,
        context,
        |pod, context| async move { reconcile(&context, &pod).await },
    );
}

fn brings_claims(pod: &Pod) -> bool {
    let volumes = pod
        .spec
        .iter()
        .flat_map(|spec| spec.volumes.iter().flatten());
    volumes.into_iter().any(|volume| volume.ephemeral.is_some())
}

async fn reconcile(context: &Context, pod: &Pod) -> Result<Action> {
    if pod.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_deref());
    for volume in volumes.unwrap_or_default() {
        if let Err(error) = bring(context, pod, volume).await {
            let why = match &error {
                Error::Claim { name, source } => format!("create PVC {name}: {}", message(source)),
                other => other.to_string(),
            };
            let note = format!("ephemeral volume {}: {why}", volume.name);
            context.recorder.warning(pod, "FailedBinding", note);
            return Err(error);
        }
    }
    Ok(Action::await_change())
}

/// Makes the claim of a volume, if it brings one.
async fn bring(context: &Context, pod: &Pod, volume: &Volume) -> Result {
    let template = volume.ephemeral.as_ref();
    let Some(template) = template.and_then(|e| e.volume_claim_template.as_ref()) else {
        return Ok(());
    };
    let namespace = pod.namespace().unwrap_or_default();
    let name = format!("{}-{}", pod.name_any(), volume.name);
    if let Some(present) = context.claims.get(&namespace, &name) {
        let owners = present.owner_references();
        if owners
            .iter()
            .any(|o| Some(&o.uid) == pod.metadata.uid.as_ref())
        {
            return Ok(());
        }
        return Err(Error::Object(not_owner(pod, &name)));
    }
    let mut metadata = template.metadata.clone().unwrap_or_default();
    metadata.name = Some(name.clone());
    metadata.namespace = Some(namespace.clone());
    let mut owner = pod.controller_owner_ref(&());
    if let Some(owner) = &mut owner {
        owner.block_owner_deletion = Some(true);
    }
    metadata.owner_references = owner.map(|owner| vec![owner]);
    let claim = PersistentVolumeClaim {
        metadata,
        spec: Some(template.spec.clone()),
        status: None,
    };
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &namespace);
    match api.create(&PostParams::default(), &claim).await {
        Ok(written) => context.claims.caught_up(&written).await,
        Err(error) if error.is_already_exists() => {}
        Err(error) if error.is_namespace_terminating() => return Err(error.into()),
        Err(error) => {
            let source = Box::new(error);
            return Err(Error::Claim { name, source });
        }
    }
    Ok(())
}
