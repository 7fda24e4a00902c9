// SPDX-License-Identifier: Apache-2.0
//! Controller references: whose an object is, and taking up or letting go of one whose labels say otherwise.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::api::{Patch, PatchParams};
use kube::core::{Selector, SelectorExt as _};
use kube::runtime::reflector::ObjectRef;
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

use crate::cache::{Cache, Kind, Namespaced, Queue};
use crate::error::{Error, Refusal as _, Result};

/// The reference that says who controls the object.
pub(crate) fn controller_of(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references
        .iter()
        .flatten()
        .find(|reference| reference.controller == Some(true))
}

/// Whether the object of this uid controls it.
pub(crate) fn is_controlled_by(meta: &ObjectMeta, uid: &str) -> bool {
    controller_of(meta).is_some_and(|reference| reference.uid == uid)
}

/// The key of the controller of kind `K`, if it has one of that kind.
pub(crate) fn controller_key<K: Kind>(meta: &ObjectMeta) -> Option<ObjectRef<K>> {
    let reference = controller_of(meta)?;
    let group = reference
        .api_version
        .split_once('/')
        .map_or("", |(group, _)| group);
    (reference.kind == K::kind(&()) && group == K::group(&()))
        .then(|| ObjectRef::new(&reference.name).within(meta.namespace.as_deref().unwrap_or("")))
}

/// What an object that `owner` makes says of it.
pub(crate) fn controller_ref<K: Kind>(owner: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: owner.name_any(),
        uid: owner.uid().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

/// A selector that can be asked.
///
/// # Errors
/// When an operator is unknown. The API lets none such in.
pub(crate) fn selector(selector: &LabelSelector) -> Result<Selector> {
    Selector::try_from(selector.clone())
        .map_err(|error| Error::Object(format!("the selector cannot be read: {error}")))
}

/// Whether the labels meet the selector; an empty selector is met by none, as a controller's must not be empty.
pub(crate) fn selects(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    let empty = selector
        .match_labels
        .as_ref()
        .is_none_or(BTreeMap::is_empty)
        && selector
            .match_expressions
            .as_ref()
            .is_none_or(Vec::is_empty);
    !empty && Selector::try_from(selector.clone()).is_ok_and(|s| s.matches(labels))
}

/// Reconciles the owner of every object that changes, and, for one without an owner, all that might take it up.
pub(crate) fn feed_children<O: Kind, C: Kind>(
    children: &Cache<C>,
    owners: &Cache<O>,
    queue: &Queue<O>,
    selects: impl Fn(&O, &BTreeMap<String, String>) -> bool + Send + Sync + 'static,
) {
    let owners = owners.clone();
    children.feed(queue, move |change| {
        let mut keys: Vec<ObjectRef<O>> = Vec::new();
        for state in change.states() {
            keys.extend(controller_key::<O>(state.meta()));
        }
        if let Some(orphan) = &change.new
            && orphan.meta().deletion_timestamp.is_none()
            && controller_of(orphan.meta()).is_none()
        {
            let namespace = orphan.namespace().unwrap_or_default();
            let takers = owners.in_namespace(&namespace, |o| selects(o, orphan.labels()));
            keys.extend(takers.iter().map(|o| ObjectRef::from_obj(o.as_ref())));
        }
        keys.dedup();
        keys
    });
}

/// What an object is to somebody who looks for what is his.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Relation {
    Mine,
    ToAdopt,
    ToRelease,
    Foreign,
}

fn relation(object: &ObjectMeta, owner: &ObjectMeta, matches: bool) -> Relation {
    let (uid, going) = (
        owner.uid.as_deref().unwrap_or(""),
        owner.deletion_timestamp.is_some(),
    );
    match controller_of(object) {
        Some(reference) if reference.uid != uid => Relation::Foreign,
        Some(_) if matches => Relation::Mine,
        // The garbage collector deals with what the owner leaves behind.
        Some(_) if going => Relation::Foreign,
        Some(_) => Relation::ToRelease,
        None if matches && !going && object.deletion_timestamp.is_none() => Relation::ToAdopt,
        None => Relation::Foreign,
    }
}

/// The objects that `owner` controls: those that it does already and that `wanted` accepts, with those that nobody does
/// and that it accepts taken up. What it controls and no longer accepts is let go.
pub(crate) async fn claim<O: Namespaced, C: Namespaced>(
    client: &Client,
    cache: &Cache<C>,
    owner: &O,
    wanted: impl Fn(&C) -> bool,
) -> Result<Vec<Arc<C>>> {
    claim_with(client, cache, owner, &[], wanted).await
}

/// The same; what is taken up gets finalizers.
pub(crate) async fn claim_with<O: Namespaced, C: Namespaced>(
    client: &Client,
    cache: &Cache<C>,
    owner: &O,
    finalizers: &[&str],
    wanted: impl Fn(&C) -> bool,
) -> Result<Vec<Arc<C>>> {
    let namespace = owner.namespace().unwrap_or_default();
    let uid = owner.meta().uid.as_deref().unwrap_or("");
    let candidates = cache.in_namespace(&namespace, |object| match controller_of(object.meta()) {
        Some(reference) => reference.uid == uid,
        None => wanted(object),
    });
    let objects: Api<C> = Api::namespaced(client.clone(), &namespace);
    let params = PatchParams::default();
    let (mut mine, mut sure) = (Vec::with_capacity(candidates.len()), false);
    for object in candidates {
        let name = object.name_any();
        match relation(object.meta(), owner.meta(), wanted(&object)) {
            Relation::Mine => mine.push(object),
            Relation::Foreign => {}
            Relation::ToAdopt => {
                if !sure {
                    is_still_there(client, owner, &namespace).await?;
                    sure = true;
                }
                let mut changed = json!({
                    "ownerReferences": [controller_ref(owner)],
                    "uid": object.uid(),
                });
                if !finalizers.is_empty() {
                    changed["finalizers"] = json!(finalizers);
                }
                let patch = Patch::Strategic(json!({"metadata": changed}));
                match objects.patch(&name, &params, &patch).await {
                    Ok(adopted) => {
                        cache.caught_up(&adopted).await;
                        mine.push(Arc::new(adopted));
                    }
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Relation::ToRelease => {
                let patch = Patch::Strategic(json!({"metadata": {
                    "ownerReferences": [{"$patch": "delete", "uid": uid}],
                    "uid": object.uid(),
                }}));
                match objects.patch(&name, &params, &patch).await {
                    Ok(released) => cache.caught_up(&released).await,
                    // Gone, or not the same any more.
                    Err(error) if error.is_not_found() || is_invalid(&error) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(mine)
}

fn is_invalid(error: &kube::Error) -> bool {
    error.status().is_some_and(|status| status.code == 422)
}

/// Nothing is adopted on the word of a cache: the owner may be gone, and another of its name may be there.
async fn is_still_there<O: Namespaced>(client: &Client, owner: &O, namespace: &str) -> Result {
    let owners: Api<O> = Api::namespaced(client.clone(), namespace);
    let fresh = owners.get(&owner.name_any()).await?;
    if fresh.uid() == owner.uid() && fresh.meta().deletion_timestamp.is_none() {
        return Ok(());
    }
    Err(Error::Object(format!(
        "{} {namespace}/{} is not there any more",
        O::kind(&()),
        owner.name_any()
    )))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    #[test]
    fn relations() {
        let meta = |owner: &str, going: bool| ObjectMeta {
            uid: Some("me".into()),
            owner_references: (!owner.is_empty()).then(|| {
                vec![OwnerReference {
                    uid: owner.into(),
                    controller: Some(true),
                    ..Default::default()
                }]
            }),
            deletion_timestamp: going.then_some(Time(Timestamp::UNIX_EPOCH)),
            ..Default::default()
        };
        // object's controller, object goes, owner goes, labels match
        for (controller, going, owner_going, matches, expected) in [
            ("me", false, false, true, Relation::Mine),
            ("me", true, false, true, Relation::Mine),
            ("me", false, true, true, Relation::Mine),
            ("me", false, false, false, Relation::ToRelease),
            ("me", true, false, false, Relation::ToRelease),
            ("me", false, true, false, Relation::Foreign),
            ("other", false, false, true, Relation::Foreign),
            ("", false, false, true, Relation::ToAdopt),
            ("", true, false, true, Relation::Foreign),
            ("", false, true, true, Relation::Foreign),
            ("", false, false, false, Relation::Foreign),
        ] {
            let found = relation(&meta(controller, going), &meta("", owner_going), matches);
            assert_eq!(
                found, expected,
                "{controller} {going} {owner_going} {matches}"
            );
        }
    }
}
