// SPDX-License-Identifier: Apache-2.0
//! A pod runs as a service account: the default one where it names none, with its token mounted and its pull secrets.

use k1s_core::kinds::Kind;
use k1s_core::object::{self, annotation, at, is_unset, list, list_mut, set, text};
use k1s_core::status::Status;
use serde_json::{Value, json};

use super::lookup;
use super::pods::forbidden;
use crate::api::Api;
use crate::random;

const MIRROR_POD: &str = "kubernetes.io/config.mirror";
const MOUNTABLE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";
const VOLUME_PREFIX: &str = "kube-api-access-";
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// An hour and seven seconds: tokens of this life are told apart from those that were asked for.
const TOKEN_SECONDS: i64 = 3607;
const FILE_MODE: i64 = 0o644;

/// Makes a new pod run as its account.
pub(super) fn fill(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    pod: &mut Value,
) -> Result<(), Status> {
    if annotation(pod, MIRROR_POD).is_some() {
        return check_mirror(kind, pod);
    }
    let mut name = text(pod, &["spec", "serviceAccountName"]).to_owned();
    if name.is_empty() {
        name = "default".to_owned();
        set(pod, &["spec", "serviceAccountName"], name.as_str());
    }
    set(pod, &["spec", "serviceAccount"], name.as_str());
    let accounts = lookup::kind("", "v1", "ServiceAccount")?;
    let Some(account) = lookup::one(api, accounts, namespace, &name)? else {
        let why = format!(
            "error looking up service account {namespace}/{name}: serviceaccount {} not found",
            k1s_core::field::quote(&name)
        );
        return Err(forbidden(kind, pod, why));
    };
    if mounts_token(&account, pod) {
        mount_token(pod);
    }
    let secrets = list(&account, &["imagePullSecrets"]);
    if list(pod, &["spec", "imagePullSecrets"]).is_empty() && !secrets.is_empty() {
        set(pod, &["spec", "imagePullSecrets"], secrets.to_vec());
    }
    check_secrets(kind, &account, pod)
}

/// The pod says it, else the account, else it is so.
fn mounts_token(account: &Value, pod: &Value) -> bool {
    at(pod, &["spec", "automountServiceAccountToken"])
        .or_else(|| at(account, &["automountServiceAccountToken"]))
        .and_then(Value::as_bool)
        .unwrap_or(true)
}

fn mount_token(pod: &mut Value) {
    let present = list(pod, &["spec", "volumes"])
        .iter()
        .map(|v| text(v, &["name"]))
        .find(|name| name.starts_with(VOLUME_PREFIX))
        .map(str::to_owned);
    let name = present
        .clone()
        .unwrap_or_else(|| format!("{VOLUME_PREFIX}{}", random::suffix()));
    let mount = json!({"name": name, "readOnly": true, "mountPath": MOUNT_PATH});
    let mut mounted = false;
    for kind in ["initContainers", "containers"] {
        for container in list_mut(pod, &["spec", kind]) {
            let mut mounts = list(container, &["volumeMounts"]).to_vec();
            if mounts.iter().any(|m| text(m, &["mountPath"]) == MOUNT_PATH) {
                continue;
            }
            mounts.push(mount.clone());
            set(container, &["volumeMounts"], mounts);
            mounted = true;
        }
    }
    if mounted && present.is_none() {
        let mut volumes = list(pod, &["spec", "volumes"]).to_vec();
        volumes.push(json!({"name": name, "projected": token_sources()}));
        set(pod, &["spec", "volumes"], volumes);
    }
}

fn token_sources() -> Value {
    json!({
        "defaultMode": FILE_MODE,
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": TOKEN_SECONDS}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ],
    })
}

/// A mirror of a pod that a kubelet runs by itself has nothing of the cluster's.
fn check_mirror(kind: &Kind, pod: &Value) -> Result<(), Status> {
    if !text(pod, &["spec", "serviceAccountName"]).is_empty() {
        return Err(forbidden(
            kind,
            pod,
            "a mirror pod may not reference service accounts",
        ));
    }
    if !secrets_of(pod).is_empty() || !list(pod, &["spec", "imagePullSecrets"]).is_empty() {
        return Err(forbidden(
            kind,
            pod,
            "a mirror pod may not reference secrets",
        ));
    }
    let has_token = list(pod, &["spec", "volumes"])
        .iter()
        .flat_map(|v| list(v, &["projected", "sources"]))
        .any(|s| !is_unset(s.get("serviceAccountToken")));
    if has_token {
        return Err(forbidden(
            kind,
            pod,
            "a mirror pod may not use ServiceAccountToken volume projections",
        ));
    }
    Ok(())
}

/// The secrets that volumes and variables of a pod use, with words for where.
fn secrets_of(pod: &Value) -> Vec<(String, &str)> {
    let mut secrets = Vec::new();
    for volume in list(pod, &["spec", "volumes"]) {
        let name = text(volume, &["secret", "secretName"]);
        if !name.is_empty() {
            secrets.push((format!("volume with secret.secretName=\"{name}\" is"), name));
        }
    }
    for (kind, words) in [
        ("initContainers", "init container"),
        ("containers", "container"),
    ] {
        for container in list(pod, &["spec", kind]) {
            let who = format!("{words} {}", text(container, &["name"]));
            for variable in list(container, &["env"]) {
                let name = text(variable, &["valueFrom", "secretKeyRef", "name"]);
                if !name.is_empty() {
                    let variable = text(variable, &["name"]);
                    secrets.push((
                        format!("{who} with envVar {variable} referencing secret.secretName=\"{name}\" is"),
                        name,
                    ));
                }
            }
            for source in list(container, &["envFrom"]) {
                let name = text(source, &["secretRef", "name"]);
                if !name.is_empty() {
                    secrets.push((
                        format!("{who} with envFrom referencing secret.secretName=\"{name}\" is"),
                        name,
                    ));
                }
            }
        }
    }
    secrets
}

/// An account may say that its pods use its secrets only.
fn check_secrets(kind: &Kind, account: &Value, pod: &Value) -> Result<(), Status> {
    let enforced = annotation(account, MOUNTABLE_SECRETS)
        .is_some_and(|v| ["1", "t", "T", "true", "TRUE", "True"].contains(&v));
    if !enforced {
        return Ok(());
    }
    let account_name = object::name(account);
    let has = |field: &str, name: &str| {
        list(account, &[field])
            .iter()
            .any(|s| text(s, &["name"]) == name)
    };
    for (words, name) in secrets_of(pod) {
        if !has("secrets", name) {
            let why = format!(
                "{words} not allowed because service account {account_name} does not reference that secret"
            );
            return Err(forbidden(kind, pod, why));
        }
    }
    for (index, secret) in list(pod, &["spec", "imagePullSecrets"]).iter().enumerate() {
        let name = text(secret, &["name"]);
        if !has("imagePullSecrets", name) {
            let why = format!(
                "imagePullSecrets[{index}].name=\"{name}\" is not allowed because service account {account_name} does not reference that imagePullSecret"
            );
            return Err(forbidden(kind, pod, why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_mounted_once() {
        let mut pod = json!({"spec": {"containers": [{"name": "a"}, {"name": "b", "volumeMounts": [{"mountPath": MOUNT_PATH, "name": "own"}]}]}});
        mount_token(&mut pod);
        assert_eq!(list(&pod, &["spec", "containers", "0"]).len(), 0);
        assert_eq!(
            pod["spec"]["containers"][0]["volumeMounts"][0]["readOnly"],
            true
        );
        assert_eq!(
            pod["spec"]["containers"][1]["volumeMounts"]
                .as_array()
                .map(Vec::len),
            Some(1)
        );
        assert_eq!(pod["spec"]["volumes"].as_array().map(Vec::len), Some(1));
        mount_token(&mut pod);
        assert_eq!(pod["spec"]["volumes"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn who_decides_about_the_token() {
        let check = |account: Value, pod: Value, expected: bool| {
            assert_eq!(mounts_token(&account, &pod), expected);
        };
        check(json!({}), json!({}), true);
        check(
            json!({"automountServiceAccountToken": false}),
            json!({}),
            false,
        );
        check(
            json!({"automountServiceAccountToken": false}),
            json!({"spec": {"automountServiceAccountToken": true}}),
            true,
        );
    }
}
