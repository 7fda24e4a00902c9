// SPDX-License-Identifier: Apache-2.0
//! Validation of environment variables, and of references to fields and resources of the pod.

use serde_json::{Value, json};

use super::check::{complain, dns_subdomain, given, no_backsteps, required, required_label};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, text};
use crate::quantity::Quantity;

/// Fields of the pod that a variable can hold.
const FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields of a pod that have a name for references and selectors at all.
const KNOWN_FIELDS: [&str; 14] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const WITH_SUBSCRIPT: [&str; 2] = ["metadata.annotations", "metadata.labels"];
const RESOURCES: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const HUGE_PAGES: [&str; 2] = ["limits.hugepages-", "requests.hugepages-"];
const CPU_DIVISORS: [&str; 2] = ["1m", "1"];
const BYTE_DIVISORS: [&str; 13] = [
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];
const SOURCES: [&str; 5] = [
    "fieldRef",
    "resourceFieldRef",
    "configMapKeyRef",
    "secretKeyRef",
    "fileKeyRef",
];
const TOO_MANY_SOURCES: &str = "may not have more than one field specified at a time";

/// Checks `env`.
pub(super) fn validate_env(variables: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, variable) in variables.iter().enumerate() {
        let at = path.index(index);
        let name = text(variable, &["name"]);
        if required(variable, "name", &at, errors) {
            complain(
                name::relaxed_env_var_name(name),
                name,
                &at.child("name"),
                errors,
            );
        }
        if let Some(source) = variable.get("valueFrom").filter(|v| !v.is_null()) {
            let has_value = !text(variable, &["value"]).is_empty();
            validate_value_from(source, has_value, &at.child("valueFrom"), errors);
        }
    }
}

fn validate_value_from(source: &Value, has_value: bool, path: &Path<'_>, errors: &mut Errors) {
    let mut count = 0;
    for key in SOURCES {
        let Some(reference) = source.get(key).filter(|v| !v.is_null()) else {
            continue;
        };
        count += 1;
        let at = path.child(key);
        match key {
            "fieldRef" => validate_field_ref(reference, &FIELDS, &at, errors),
            "resourceFieldRef" => validate_resource_field_ref(reference, false, &at, errors),
            "fileKeyRef" => validate_file_key_ref(reference, &at, errors),
            _ => validate_key_ref(reference, &at, errors),
        }
    }
    let complaint = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        }
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return,
        _ => TOO_MANY_SOURCES,
    };
    errors.invalid_text(path, "", complaint);
}

/// Checks `envFrom`.
pub(super) fn validate_env_from(sources: &[Value], path: &Path<'_>, errors: &mut Errors) {
    for (index, source) in sources.iter().enumerate() {
        let at = path.index(index);
        let prefix = text(source, &["prefix"]);
        if !prefix.is_empty() {
            complain(
                name::relaxed_env_var_name(prefix),
                prefix,
                &at.child("prefix"),
                errors,
            );
        }
        let given: Vec<&str> = ["configMapRef", "secretRef"]
            .into_iter()
            .filter(|key| given(source, key))
            .collect();
        for key in &given {
            let at = at.child(key);
            let reference = &source[*key];
            if required(reference, "name", &at, errors) {
                let name = text(reference, &["name"]);
                let complaints = name::NameRule::Dns1123Subdomain.generate_name(name);
                complain(complaints, name, &at.child("name"), errors);
            }
        }
        match given.len() {
            0 => errors.invalid_text(
                path,
                "",
                "must specify one of: `configMapRef` or `secretRef`",
            ),
            1 => {}
            _ => errors.invalid_text(path, "", TOO_MANY_SOURCES),
        }
    }
}

/// Checks a reference to a field of the pod; `fields` are those that may be meant, sorted.
pub(super) fn validate_field_ref(
    reference: &Value,
    fields: &[&str],
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if !required(reference, "apiVersion", path, errors)
        || !required(reference, "fieldPath", path, errors)
    {
        return;
    }
    let version = text(reference, &["apiVersion"]);
    let field = text(reference, &["fieldPath"]);
    let at = path.child("fieldPath");
    let subscript = split_subscript(field);
    let complaint = match subscript {
        _ if version != "v1" => format!("unsupported pod version: {version}"),
        Some((base, _)) if !WITH_SUBSCRIPT.contains(&base) => {
            format!("field label does not support subscript: {field}")
        }
        None if !KNOWN_FIELDS.contains(&field) && field != "spec.host" => {
            format!("field label not supported: {field}")
        }
        _ => String::new(),
    };
    if !complaint.is_empty() {
        errors.invalid_text(
            at,
            field,
            format!("error converting fieldPath: {complaint}"),
        );
        return;
    }
    match subscript {
        Some(("metadata.annotations", key)) => {
            let key = key.to_lowercase();
            complain(name::label_key(&key), &key, path, errors);
        }
        Some((_, key)) => complain(name::label_key(key), key, path, errors),
        None => {
            let field = if field == "spec.host" {
                "spec.nodeName"
            } else {
                field
            };
            if !fields.contains(&field) {
                errors.not_supported(at, &json!(field), fields);
            }
        }
    }
}

/// `metadata.labels['a']` is `metadata.labels` and `a`.
fn split_subscript(field: &str) -> Option<(&str, &str)> {
    field
        .strip_suffix("']")
        .and_then(|rest| rest.split_once("['"))
        .filter(|(base, _)| !base.is_empty())
}

/// Checks a reference to a container's resources; in a volume it names the container.
pub(super) fn validate_resource_field_ref(
    reference: &Value,
    in_volume: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let resource = text(reference, &["resource"]);
    if in_volume && text(reference, &["containerName"]).is_empty() {
        errors.required(path.child("containerName"), "");
    } else if required(reference, "resource", path, errors)
        && !RESOURCES.contains(&resource)
        && !HUGE_PAGES.iter().any(|prefix| resource.starts_with(prefix))
    {
        errors.not_supported(path.child("resource"), &json!(resource), &RESOURCES);
    }
    validate_divisor(resource, reference.get("divisor"), path, errors);
}

fn validate_divisor(resource: &str, divisor: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let Some(divisor) = divisor
        .and_then(|d| Quantity::from_json(d).ok())
        .filter(|d| !d.is_zero())
    else {
        return;
    };
    let (allowed, what): (&[&str], &str) = match resource {
        "limits.cpu" | "requests.cpu" => (&CPU_DIVISORS, "cpu"),
        "limits.memory" | "requests.memory" => (&BYTE_DIVISORS, "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => {
            (&BYTE_DIVISORS, "local ephemeral storage")
        }
        _ if HUGE_PAGES.iter().any(|prefix| resource.starts_with(prefix)) => {
            (&BYTE_DIVISORS, "hugepages")
        }
        _ => return,
    };
    if !allowed.contains(&divisor.to_string().as_str()) {
        let list = if what == "cpu" {
            "1m and 1".to_owned()
        } else {
            allowed.join(", ")
        };
        errors.invalid_text(
            path.child("divisor"),
            resource,
            format!("only divisor's values {list} are supported with the {what} resource"),
        );
    }
}

/// A key of a ConfigMap or a Secret.
fn validate_key_ref(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    dns_subdomain(text(reference, &["name"]), &path.child("name"), errors);
    if required(reference, "key", path, errors) {
        let key = text(reference, &["key"]);
        complain(name::config_map_key(key), key, &path.child("key"), errors);
    }
}

/// A variable of a file in a volume.
fn validate_file_key_ref(reference: &Value, path: &Path<'_>, errors: &mut Errors) {
    if required(reference, "key", path, errors) {
        let key = text(reference, &["key"]);
        complain(
            name::relaxed_env_var_name(key),
            key,
            &path.child("key"),
            errors,
        );
    }
    required_label(reference, "volumeName", path, errors);
    if required(reference, "path", path, errors) {
        no_backsteps(text(reference, &["path"]), &path.child("path"), errors);
    }
}

/// Files that variables are read from lie in volumes of type `emptyDir`. `path` is that of the spec.
pub(super) fn validate_file_volumes(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let volumes = list(spec, &["volumes"]);
    for (kind, index, container) in super::containers(spec) {
        let at = path.child(kind);
        let at = at.index(index);
        let at = at.child("env");
        for (index, variable) in list(container, &["env"]).iter().enumerate() {
            let Some(reference) = variable.pointer("/valueFrom/fileKeyRef") else {
                continue;
            };
            let name = text(reference, &["volumeName"]);
            let at = at.index(index);
            let at = at.child("valueFrom");
            let at = at.child("fileKeyRef");
            let at = at.child("volumeName");
            match volumes.iter().rfind(|v| text(v, &["name"]) == name) {
                None => errors.not_found(at, &json!(name)),
                Some(volume) if !given(volume, "emptyDir") => {
                    errors.invalid_text(at, name, "referenced volume must be of type emptyDir")
                }
                Some(_) => {}
            }
        }
    }
}
