// SPDX-License-Identifier: Apache-2.0
//! Validation of volumes that other systems store.

use serde_json::{Value, json};

use super::check::{descending, dns_label, dns_subdomain, given, one_of, required, required_label};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, map, text};
use crate::rules::number::number;

const AZURE_CACHING: [&str; 3] = ["None", "ReadOnly", "ReadWrite"];
const AZURE_KINDS: [&str; 3] = ["Dedicated", "Managed", "Shared"];
const AZURE_MANAGED_URI: [&str; 1] = [
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
];
const AZURE_BLOB_URI: [&str; 1] =
    ["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"];
const CSI_DRIVER_MAX_BYTES: usize = 63;
const QUOBYTE_TENANT_MAX_BYTES: usize = 64;

pub(super) fn git_repo(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "repository", path, errors);
    descending(
        text(source, &["directory"]),
        &path.child("directory"),
        errors,
    );
}

pub(super) fn gce_persistent_disk(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "pdName", path, errors);
    partition(source, path, errors);
}

pub(super) fn aws_elastic_block_store(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "volumeID", path, errors);
    partition(source, path, errors);
}

/// 0 is no partition.
fn partition(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let partition = number(source, "partition");
    if !(0..=255).contains(&partition) {
        errors.invalid(
            path.child("partition"),
            &json!(partition),
            name::inclusive_range(1, 255),
        );
    }
}

pub(super) fn nfs(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "server", path, errors);
    required(source, "path", path, errors);
    let exported = text(source, &["path"]);
    if !exported.starts_with('/') {
        errors.invalid_text(path.child("path"), exported, "must be an absolute path");
    }
}

pub(super) fn iscsi(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "targetPortal", path, errors);
    if required(source, "iqn", path, errors) {
        let iqn = text(source, &["iqn"]);
        if let Some(complaint) = iscsi_name(iqn).first() {
            errors.invalid_text(path.child("iqn"), iqn, complaint);
        }
    }
    lun(source, path, errors);
    let with_password = ["chapAuthDiscovery", "chapAuthSession"]
        .iter()
        .any(|key| source.get(key) == Some(&Value::Bool(true)));
    if with_password && !given(source, "secretRef") {
        errors.required(path.child("secretRef"), "");
    }
    if let Some(initiator) = source.get("initiatorName").and_then(Value::as_str) {
        for complaint in iscsi_name(initiator) {
            errors.invalid_text(path.child("initiatorname"), initiator, complaint);
        }
    }
}

/// The number of a unit is one byte.
pub(in crate::rules) fn lun(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let lun = number(source, "lun");
    if !(0..=255).contains(&lun) {
        errors.invalid(
            path.child("lun"),
            &json!(lun),
            name::inclusive_range(0, 255),
        );
    }
}

/// What is wrong with the name of an iSCSI target or initiator.
pub(in crate::rules) fn iscsi_name(value: &str) -> Vec<&'static str> {
    let hex_after = |prefix: &str, digits: usize| {
        value.strip_prefix(prefix).is_some_and(|rest| {
            let mut chars = rest.chars();
            chars.next().is_some_and(|c| c != '\n')
                && chars.as_str().len() == digits
                && chars.all(|c| c.is_ascii_hexdigit())
        })
    };
    let fine = if value.starts_with("iqn") {
        is_qualified_iscsi_name(value)
    } else if value.starts_with("eui") {
        hex_after("eui", 16)
    } else if value.starts_with("naa") {
        hex_after("naa", 32)
    } else {
        return vec!["must be valid format starting with iqn, eui, or naa"];
    };
    if fine {
        Vec::new()
    } else {
        vec!["must be valid format"]
    }
}

/// `iqn.YYYY-MM.DOMAIN:NAME`
fn is_qualified_iscsi_name(value: &str) -> bool {
    let Some(rest) = value.strip_prefix("iqn.") else {
        return false;
    };
    let Some((date, rest)) = rest.split_once('.') else {
        return false;
    };
    let Some((domain, name)) = rest.split_once(':') else {
        return false;
    };
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    date.split_once('-')
        .is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
        && !domain.is_empty()
        && domain
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && !name.is_empty()
        && !name.contains([',', ';', '*', '&', '$', '|', ' ', '\t', '\n', '\r', '\u{c}'])
}

pub(super) fn glusterfs(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "endpoints", path, errors);
    required(source, "path", path, errors);
}

pub(super) fn flocker(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let name = text(source, &["datasetName"]);
    match (name.is_empty(), text(source, &["datasetUUID"]).is_empty()) {
        (true, true) => errors.required(path, "one of datasetName and datasetUUID is required"),
        (false, false) => errors.invalid_text(
            path,
            "resource",
            "datasetName and datasetUUID can not be specified simultaneously",
        ),
        _ => {}
    }
    if name.contains('/') {
        errors.invalid_text(path.child("datasetName"), name, "must not contain '/'");
    }
}

pub(super) fn rbd(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    cephfs(source, path, errors);
    required(source, "image", path, errors);
}

pub(super) fn cephfs(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    if list(source, &["monitors"]).is_empty() {
        errors.required(path.child("monitors"), "");
    }
}

pub(super) fn cinder(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "volumeID", path, errors);
    secret_ref(source, path, errors);
}

/// A reference to a secret names one.
fn secret_ref(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    if let Some(secret) = source.get("secretRef").filter(|v| !v.is_null()) {
        required(secret, "name", &path.child("secretRef"), errors);
    }
}

pub(super) fn quobyte(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    let registry = text(source, &["registry"]);
    if registry.is_empty() {
        errors.required(path.child("registry"), PAIRS);
    } else if text(source, &["tenant"]).len() > QUOBYTE_TENANT_MAX_BYTES {
        errors.required(
            path.child("tenant"),
            "must be a UUID and may not exceed a length of 64 characters",
        );
    } else {
        for _ in registry.split(',').filter(|pair| !is_host_and_port(pair)) {
            errors.invalid_text(path.child("registry"), registry, PAIRS);
        }
    }
    required(source, "volume", path, errors);
}

fn is_host_and_port(pair: &str) -> bool {
    match pair.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").is_some_and(|(host, port)| {
            !host.contains(['[', ']']) && !port.contains([':', '[', ']'])
        }),
        None => pair.matches(':').count() == 1 && !pair.contains(['[', ']']),
    }
}

pub(super) fn fibre_channel(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    let names = list(source, &["targetWWNs"]);
    let ids = list(source, &["wwids"]);
    let at = path.child("targetWWNs");
    if names.is_empty() && ids.is_empty() {
        errors.required(at, "must specify either targetWWNs or wwids, but not both");
    }
    if !names.is_empty() && !ids.is_empty() {
        errors.invalid(
            at,
            &json!(names),
            "targetWWNs and wwids can not be specified simultaneously",
        );
    }
    if !names.is_empty() {
        match source.get("lun").and_then(Value::as_i64) {
            None => errors.required(
                path.child("lun"),
                "lun is required if targetWWNs is specified",
            ),
            Some(lun) if !(0..=255).contains(&lun) => {
                errors.invalid(
                    path.child("lun"),
                    &json!(lun),
                    name::inclusive_range(0, 255),
                );
            }
            Some(_) => {}
        }
    }
}

pub(super) fn flex_volume(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "driver", path, errors);
    let options = path.child("options");
    for key in map(source, &["options"]).into_iter().flat_map(|m| m.keys()) {
        let namespace = key.split_once('/').map_or(key.as_str(), |(first, _)| first);
        let dotted = format!(".{}", namespace.to_lowercase());
        if dotted.ends_with(".kubernetes.io") || dotted.ends_with(".k8s.io") {
            errors.invalid_text(
                options.key(key),
                key,
                "kubernetes.io and k8s.io namespaces are reserved",
            );
        }
    }
}

pub(super) fn azure_file(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "secretName", path, errors);
    required(source, "shareName", path, errors);
}

pub(super) fn azure_disk(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "diskName", path, errors);
    required(source, "diskURI", path, errors);
    one_of(source, "cachingMode", &AZURE_CACHING, path, errors);
    one_of(source, "kind", &AZURE_KINDS, path, errors);
    let uri = text(source, &["diskURI"]);
    let (start, allowed) = match text(source, &["kind"]) {
        "" => return,
        "Managed" => ("/subscriptions/", &AZURE_MANAGED_URI),
        _ => ("https://", &AZURE_BLOB_URI),
    };
    if !uri.starts_with(start) {
        errors.not_supported(path.child("diskURI"), &json!(uri), allowed);
    }
}

pub(super) fn vsphere_volume(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "volumePath", path, errors);
}

pub(super) fn photon_persistent_disk(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "pdID", path, errors);
}

pub(super) fn portworx_volume(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(source, "volumeID", path, errors);
}

pub(super) fn storageos(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    required_label(source, "volumeName", path, errors);
    let namespace = text(source, &["volumeNamespace"]);
    if !namespace.is_empty() {
        dns_label(namespace, &path.child("volumeNamespace"), errors);
    }
    secret_ref(source, path, errors);
}

pub(super) fn scale_io(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in ["gateway", "system", "volumeName"] {
        required(source, key, path, errors);
    }
}

pub(super) fn csi(source: &Value, path: &Path<'_>, errors: &mut Errors) {
    csi_driver(source, path, errors);
    let Some(secret) = source.get("nodePublishSecretRef").filter(|v| !v.is_null()) else {
        return;
    };
    if required(secret, "name", &path.child("nodePublishSecretRef"), errors) {
        // Kubernetes puts what is wrong with the secret's name at the driver's level.
        dns_subdomain(text(secret, &["name"]), &path.child("name"), errors);
    }
}

/// `parent.driver` is the name of a CSI driver.
pub(in crate::rules) fn csi_driver(parent: &Value, path: &Path<'_>, errors: &mut Errors) {
    csi_driver_name(parent, "driver", path, errors);
}

/// `parent[key]` is the name of a CSI driver.
pub(in crate::rules) fn csi_driver_name(
    parent: &Value,
    key: &str,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let at = path.child(key);
    if !required(parent, key, path, errors) {
        return;
    }
    let driver = text(parent, &[key]);
    if driver.len() > CSI_DRIVER_MAX_BYTES {
        errors.too_long(at, CSI_DRIVER_MAX_BYTES);
    }
    for complaint in name::dns1123_subdomain(&driver.to_lowercase()) {
        errors.invalid_text(at, driver, complaint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&Value, &Path<'_>, &mut Errors), source: Value, expected: &[&str]) {
        let mut errors = Errors::new();
        rule(&source, &Path::new("v"), &mut errors);
        let found: Vec<String> = errors
            .iter()
            .map(|e| format!("{}: {}", e.field, e.message))
            .collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn sources() {
        check(
            nfs,
            json!({"server": "s", "path": "x"}),
            &["v.path: Invalid value: \"x\": must be an absolute path"],
        );
        check(nfs, json!({"server": "s", "path": "/x"}), &[]);
        let iqn = "iqn.2001-04.com.example:storage.x";
        check(
            iscsi,
            json!({"targetPortal": "p", "iqn": iqn, "lun": 256}),
            &["v.lun: Invalid value: 256: must be between 0 and 255, inclusive"],
        );
        check(
            iscsi,
            json!({"targetPortal": "p", "iqn": "x"}),
            &["v.iqn: Invalid value: \"x\": must be valid format starting with iqn, eui, or naa"],
        );
        check(
            iscsi,
            json!({"targetPortal": "p", "iqn": "eui.0123456789abcdef", "initiatorName": "naa.1"}),
            &["v.initiatorname: Invalid value: \"naa.1\": must be valid format"],
        );
        check(
            iscsi,
            json!({"targetPortal": "p", "iqn": iqn, "chapAuthSession": true}),
            &["v.secretRef: Required value"],
        );
        check(
            fibre_channel,
            json!({"targetWWNs": ["a"]}),
            &["v.lun: Required value: lun is required if targetWWNs is specified"],
        );
        check(
            flex_volume,
            json!({"driver": "d", "options": {"x.k8s.io/a": ""}}),
            &[
                "v.options[x.k8s.io/a]: Invalid value: \"x.k8s.io/a\": kubernetes.io and k8s.io namespaces are reserved",
            ],
        );
        check(
            azure_disk,
            json!({"diskName": "n", "diskURI": "u", "kind": "Managed"}),
            &[
                "v.diskURI: Unsupported value: \"u\": supported values: \"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}\"",
            ],
        );
        check(
            csi,
            json!({"driver": "a.b", "nodePublishSecretRef": {}}),
            &["v.nodePublishSecretRef.name: Required value"],
        );
        check(
            quobyte,
            json!({"registry": "h:1,h", "volume": "v"}),
            &[
                "v.registry: Invalid value: \"h:1,h\": must be a host:port pair or multiple pairs separated by commas",
            ],
        );
    }
}
