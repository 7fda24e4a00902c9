// SPDX-License-Identifier: Apache-2.0
//! StatefulSet.

use serde_json::{Value, json};

use super::{deployment, template};
use crate::field::{Errors, Fault, Path};
use crate::name::{self, NameRule};
use crate::object::{self, at, int, list, make_map, map_mut, text};
use crate::rules::address::report;
use crate::rules::core::{persistent_volume_claim, pod_template};
use crate::rules::keep::{drop_status, keep, keep_spec, keep_status, same};
use crate::rules::number::{
    all_not_negative, at_most_100_percent, int_or_percent, int_or_percent_value, not_negative,
    number,
};
use crate::rules::{Clock, Generation, Rules, cells, label_selector};
use crate::selector::LabelSelector;

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| {
        drop_status(object);
        object::remove(object, &MAX_UNAVAILABLE);
    },
    prepare_update: |new, old, _| {
        keep_status(new, old);
        if at(old, &MAX_UNAVAILABLE).is_none() {
            object::remove(new, &MAX_UNAVAILABLE);
        }
    },
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| validate_spec(object, Fixed::New, errors),
    validate_update,
    validate_status,
    warnings: |new, old, warnings| {
        template::warn_of_template(new, old, &["spec", "template"], warnings);
        let path = Path::new("spec");
        let path = path.child("volumeClaimTemplates");
        for (index, claim) in list(new, &["spec", "volumeClaimTemplates"])
            .iter()
            .enumerate()
        {
            let here = path.index(index);
            // Kubernetes names the part only when it is changed, and with a capital
            let below = here.child("Spec");
            let here = if old.is_some() { &below } else { &here };
            persistent_volume_claim::warn_of_spec(&claim["spec"], here, warnings);
        }
        if int(new, &["spec", "revisionHistoryLimit"]).is_some_and(|limit| limit < 0) {
            warnings.push(
                "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
                    .to_owned(),
            );
        }
    },
    name: NameRule::Dns1123Label,
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

/// A field that is not served by default: it is dropped unless it is there already.
const MAX_UNAVAILABLE: [&str; 4] = ["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"];
const RETENTION: [&str; 2] = ["Retain", "Delete"];
/// Fields of the spec that an update may change.
const MUTABLE: [&str; 7] = [
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
];

fn default(object: &mut Value) {
    let spec = map_mut(object, &["spec"]);
    object::default(spec, "podManagementPolicy", "OrderedReady");
    object::default_absent(spec, "replicas", 1);
    object::default_absent(spec, "revisionHistoryLimit", 10);
    let strategy = map_mut(object, &["spec", "updateStrategy"]);
    if object::is_unset(strategy.get("type")) {
        strategy.insert("type".to_owned(), "RollingUpdate".into());
        object::default_absent(strategy, "rollingUpdate", json!({}));
    }
    if strategy["type"] == "RollingUpdate"
        && let Some(rolling) = strategy.get_mut("rollingUpdate")
    {
        object::default_absent(make_map(rolling), "partition", 0);
    }
    let retention = map_mut(object, &["spec", "persistentVolumeClaimRetentionPolicy"]);
    object::default(retention, "whenDeleted", "Retain");
    object::default(retention, "whenScaled", "Retain");
    if let Some(Value::Array(claims)) = map_mut(object, &["spec"]).get_mut("volumeClaimTemplates") {
        for claim in claims {
            let map = make_map(claim);
            map.insert("apiVersion".to_owned(), "v1".into());
            map.insert("kind".to_owned(), "PersistentVolumeClaim".into());
            persistent_volume_claim::default(claim);
        }
    }
    template::default_template(object);
}

fn validate_spec(object: &Value, fixed: Fixed, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    match text(spec, &["podManagementPolicy"]) {
        "" => errors.required(path.child("podManagementPolicy"), ""),
        "OrderedReady" | "Parallel" => {}
        other => errors.invalid_text(
            path.child("podManagementPolicy"),
            other,
            "must be 'OrderedReady' or 'Parallel'",
        ),
    }
    validate_strategy(
        &spec["updateStrategy"],
        &path.child("updateStrategy"),
        errors,
    );
    validate_retention(spec, &path, errors);
    if fixed == Fixed::New {
        let path = path.child("volumeClaimTemplates");
        for (index, claim) in list(spec, &["volumeClaimTemplates"]).iter().enumerate() {
            let path = path.index(index);
            persistent_volume_claim::validate_spec(&claim["spec"], &path.child("spec"), errors);
        }
    }
    not_negative(spec, "replicas", &path, errors);
    not_negative(spec, "minReadySeconds", &path, errors);
    not_negative(&spec["ordinals"], "start", &path.child("ordinals"), errors);
    let service = text(spec, &["serviceName"]);
    if fixed == Fixed::New && !service.is_empty() {
        let path = path.child("serviceName");
        report(name::dns1123_label(service), service, &path, errors);
    }
    template::validate_selector(spec, &path, "statefulset", errors);
    validate_template(&as_made(spec), &path, fixed, errors);
}

/// What cannot be changed is checked when it is new only; a template that was bad may stay so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fixed {
    New,
    Kept,
    KeptWithBadTemplate,
}

fn validate_template(spec: &Value, path: &Path<'_>, fixed: Fixed, errors: &mut Errors) {
    let selector = spec.get("selector");
    let pods = spec.get("template").unwrap_or(&Value::Null);
    let pods_path = path.child("template");
    if let Ok(read) = LabelSelector::from_object(selector) {
        let everything = selector.is_some_and(|s| s.is_object() && label_selector::is_empty(s));
        if !everything && !template::selects(&read, pods) {
            template::mismatch(pods, &pods_path, errors);
        }
        if fixed != Fixed::KeptWithBadTemplate {
            pod_template::validate_template(pods, &pods_path, errors);
        }
        // the metadata of the template is looked at once more
        pod_template::validate_metadata(pods, &pods_path, errors);
    } else {
        label_selector::invalid(&path.child("selector"), selector, "", errors);
    }
    template::validate_lasting(pods, &pods_path, "StatefulSet", errors);
}

/// The specification as pods are made of it. Containers mount claims as if they were volumes of the pod, and a claim takes the
/// place of a volume of its name; host name and subdomain are those of the pod and of the service.
fn as_made(spec: &Value) -> Value {
    let mut spec = spec.clone();
    for key in ["hostname", "subdomain"] {
        object::remove(&mut spec, &["template", "spec", key]);
    }
    let claims: Vec<Value> = list(&spec, &["volumeClaimTemplates"])
        .iter()
        .map(object::name)
        .map(|name| json!({"name": name, "persistentVolumeClaim": {"claimName": name}}))
        .collect();
    if claims.is_empty() {
        return spec;
    }
    let volumes = map_mut(&mut spec, &["template", "spec"])
        .entry("volumes")
        .or_insert_with(|| json!([]));
    if let Value::Array(volumes) = volumes {
        let taken = |volume: &Value| claims.iter().any(|claim| claim["name"] == volume["name"]);
        volumes.retain(|volume| !taken(volume));
        volumes.splice(0..0, claims);
    }
    spec
}

fn validate_retention(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("persistentVolumeClaimRetentionPolicy");
    let policy = &spec["persistentVolumeClaimRetentionPolicy"];
    for key in ["whenDeleted", "whenScaled"] {
        let value = text(policy, &[key]);
        if policy.is_object() && !RETENTION.contains(&value) {
            errors.not_supported(path.child(key), &json!(value), &RETENTION);
        }
    }
}

fn validate_strategy(strategy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let rolling = strategy.get("rollingUpdate");
    let rolling_path = path.child("rollingUpdate");
    match (text(strategy, &["type"]), rolling) {
        ("", _) => errors.required(path, ""),
        ("OnDelete", Some(rolling)) => errors.push(
            Fault::Invalid,
            rolling_path,
            format!(
                "Invalid value: {}: only allowed for updateStrategy 'RollingUpdate'",
                deployment::rolling_words(rolling, &["partition", "maxUnavailable"])
            ),
        ),
        ("RollingUpdate", Some(rolling)) => {
            not_negative(rolling, "partition", &rolling_path, errors);
            if let Some(unavailable) = rolling.get("maxUnavailable") {
                int_or_percent(rolling, "maxUnavailable", &rolling_path, errors);
                if int_or_percent_value(Some(unavailable)) == 0 {
                    errors.invalid(
                        rolling_path.child("maxUnavailable"),
                        unavailable,
                        "cannot be 0",
                    );
                }
                at_most_100_percent(rolling, "maxUnavailable", &rolling_path, errors);
            }
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        (other, rolling) => {
            let rolling = rolling.map_or("null".to_owned(), |rolling| {
                deployment::rolling_words(rolling, &["partition", "maxUnavailable"])
            });
            errors.push(
                Fault::Invalid,
                path,
                format!(
                    "Invalid value: {{\"Type\":{},\"RollingUpdate\":{rolling}}}: must be 'RollingUpdate' or 'OnDelete'",
                    crate::field::quote(other)
                ),
            );
        }
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    let mut before = Errors::new();
    validate_spec(old, Fixed::Kept, &mut before);
    let fixed = if before.is_empty() {
        Fixed::Kept
    } else {
        Fixed::KeptWithBadTemplate
    };
    validate_spec(new, fixed, errors);
    let mut as_before = new.clone();
    for key in MUTABLE {
        keep(&mut as_before, old, &["spec", key]);
    }
    let claims = ["spec", "volumeClaimTemplates"];
    if !same_claims(list(new, &claims), list(old, &claims)) {
        refuse(errors);
        return;
    }
    keep(&mut as_before, old, &claims);
    if !same(as_before.get("spec"), old.get("spec")) {
        refuse(errors);
    }
}

/// Claim templates are compared without what a decode may add to their metadata.
fn same_claims(new: &[Value], old: &[Value]) -> bool {
    let plain = |claims: &[Value]| -> Vec<Value> {
        claims
            .iter()
            .map(|claim| {
                let mut claim = claim.clone();
                if at(&claim, &["metadata", "creationTimestamp"]).is_some_and(Value::is_null) {
                    object::remove(&mut claim, &["metadata", "creationTimestamp"]);
                }
                claim
            })
            .collect()
    };
    plain(new) == plain(old)
}

fn refuse(errors: &mut Errors) {
    errors.forbidden(
        Path::new("spec"),
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
         'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    );
}

fn validate_status(new: &Value, old: &Value, errors: &mut Errors) {
    const COUNTS: [&str; 7] = [
        "replicas",
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
        "observedGeneration",
        "collisionCount",
    ];
    const PARTS: [&str; 4] = [
        "readyReplicas",
        "currentReplicas",
        "updatedReplicas",
        "availableReplicas",
    ];
    let status = &new["status"];
    all_not_negative(status, &COUNTS, &Path::new("status"), errors);
    template::replicas_add_up(status, &PARTS, "status.readyReplicas", errors);
    template::collisions_only_grow(new, old, errors);
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let ready = number(&object["status"], "readyReplicas");
    let desired = number(&object["spec"], "replicas");
    let [names, images] = cells::containers(at(object, &["spec", "template", "spec"]));
    vec![
        cells::name(object),
        format!("{ready}/{desired}").into(),
        cells::age(object, clock),
        names,
        images,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_mount_claims_as_volumes() {
        let mut set = json!({"metadata": {"name": "db"}, "spec": {
            "serviceName": "db",
            "selector": {"matchLabels": {"app": "db"}},
            "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [
                {"name": "c", "image": "i", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]}});
        default(&mut set);
        let mut errors = Errors::default();
        validate_spec(&set, Fixed::Kept, &mut errors);
        assert_eq!(errors.into_vec(), []);
    }
}
