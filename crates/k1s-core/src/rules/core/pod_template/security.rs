// SPDX-License-Identifier: Apache-2.0
//! Validation of the security contexts of pods and containers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::check::{descending, given, number, one_of};
use super::windows::validate_windows_options;
use crate::field::{Errors, Fault, Path};
use crate::name::user_or_group_id;
use crate::object::{is_true, list, text};
use crate::rules::core::internal_form;

const PROC_MOUNTS: [&str; 2] = ["Default", "Unmasked"];
const PROFILE_TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
const FS_GROUP_CHANGES: [&str; 2] = ["Always", "OnRootMismatch"];
const GROUPS_POLICIES: [&str; 2] = ["Merge", "Strict"];
const SELINUX_CHANGES: [&str; 2] = ["MountOption", "Recursive"];
const APP_ARMOR_PROFILE_MAX_BYTES: usize = 4095;
const SYSCTL_MAX_BYTES: usize = 253;
const SYSCTL: &str = r"must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";

/// Checks `securityContext` of a container; `host_users` says that its users are the host's.
pub(super) fn validate_container_security(
    container: &Value,
    host_users: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let Some(context) = container.get("securityContext").filter(|v| !v.is_null()) else {
        return;
    };
    let at = path.child("securityContext");
    for key in ["runAsUser", "runAsGroup"] {
        number(context, key, user_or_group_id, &at, errors);
    }
    one_of(context, "procMount", &PROC_MOUNTS, &at, errors);
    if host_users && text(context, &["procMount"]) == "Unmasked" {
        errors.invalid_text(
            at.child("procMount"),
            "Unmasked",
            "`hostUsers` must be false to use `Unmasked`",
        );
    }
    validate_seccomp(context, &at, errors);
    if context.get("allowPrivilegeEscalation") == Some(&Value::Bool(false)) {
        let mut refuse = |what: &str| {
            let shown = internal_form::security_context(context);
            let detail = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
            errors.push(
                Fault::Invalid,
                at,
                format!("Invalid value: {shown}: {detail}"),
            );
        };
        if is_true(context, &["privileged"]) {
            refuse("`privileged` to true");
        }
        for _ in list(context, &["capabilities", "add"])
            .iter()
            .filter(|c| *c == "CAP_SYS_ADMIN")
        {
            refuse("`capabilities.Add` CAP_SYS_ADMIN");
        }
    }
    validate_windows_options(context, &at, errors);
    validate_app_armor(context, &at, errors);
}

/// Checks `spec.securityContext`. `path` is that of the spec.
pub(super) fn validate_pod_security(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(context) = spec.get("securityContext").filter(|v| !v.is_null()) else {
        return;
    };
    let at = path.child("securityContext");
    for key in ["fsGroup", "runAsUser", "runAsGroup"] {
        number(context, key, user_or_group_id, &at, errors);
    }
    let groups = at.child("supplementalGroups");
    for (index, group) in list(context, &["supplementalGroups"]).iter().enumerate() {
        for complaint in user_or_group_id(group.as_i64().unwrap_or_default()) {
            errors.invalid(groups.index(index), group, complaint);
        }
    }
    if is_true(spec, &["shareProcessNamespace"]) && is_true(spec, &["hostPID"]) {
        errors.invalid(
            at.child("shareProcessNamespace"),
            &json!(true),
            "ShareProcessNamespace and HostPID cannot both be enabled",
        );
    }
    validate_sysctls(
        spec,
        list(context, &["sysctls"]),
        &at.child("sysctls"),
        errors,
    );
    one_of(
        context,
        "fsGroupChangePolicy",
        &FS_GROUP_CHANGES,
        &at,
        errors,
    );
    validate_seccomp(context, &at, errors);
    validate_windows_options(context, &at, errors);
    validate_app_armor(context, &at, errors);
    one_of(
        context,
        "supplementalGroupsPolicy",
        &GROUPS_POLICIES,
        &at,
        errors,
    );
    one_of(
        context,
        "seLinuxChangePolicy",
        &SELINUX_CHANGES,
        &at,
        errors,
    );
}

fn validate_sysctls(spec: &Value, sysctls: &[Value], path: &Path<'_>, errors: &mut Errors) {
    let mut names = BTreeSet::new();
    for (index, sysctl) in sysctls.iter().enumerate() {
        let at = path.index(index);
        let at = at.child("name");
        let name = text(sysctl, &["name"]);
        if name.is_empty() {
            errors.required(at, "");
        } else if !is_sysctl(name) {
            errors.invalid_text(at, name, SYSCTL);
        } else if names.contains(name) {
            errors.duplicate(at, &json!(name));
        }
        match sysctl_namespace(name) {
            "net" if is_true(spec, &["hostNetwork"]) => {
                errors.invalid_text(at, name, "may not be specified when 'hostNetwork' is true");
            }
            "ipc" if is_true(spec, &["hostIPC"]) => {
                errors.invalid_text(at, name, "may not be specified when 'hostIPC' is true");
            }
            _ => {}
        }
        names.insert(name);
    }
}

fn is_sysctl(name: &str) -> bool {
    let is_end = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    name.len() <= SYSCTL_MAX_BYTES
        && name.split(['.', '/']).all(|part| {
            let bytes = part.as_bytes();
            bytes.first().is_some_and(|b| is_end(*b))
                && bytes.last().is_some_and(|b| is_end(*b))
                && bytes.iter().all(|b| is_end(*b) || matches!(b, b'-' | b'_'))
        })
}

/// The namespace of the kernel that a setting belongs to, as far as pods can share it with the host.
fn sysctl_namespace(name: &str) -> &'static str {
    let name = name.replace('/', ".");
    if name.starts_with("net.") {
        "net"
    } else if name == "kernel.sem"
        || ["kernel.shm", "kernel.msg", "fs.mqueue."]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    {
        "ipc"
    } else {
        ""
    }
}

fn validate_seccomp(context: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(profile) = context.get("seccompProfile").filter(|v| !v.is_null()) else {
        return;
    };
    let at = path.child("seccompProfile");
    let file = profile.get("localhostProfile").and_then(Value::as_str);
    let kind = text(profile, &["type"]);
    if kind.is_empty() {
        errors.required(
            at.child("type"),
            "type is required when seccompProfile is set",
        );
    }
    if !kind.is_empty() {
        one_of(profile, "type", &PROFILE_TYPES, &at, errors);
    }
    match (kind, file) {
        ("Localhost", None) => errors.required(
            at.child("localhostProfile"),
            "must be set when seccomp type is Localhost",
        ),
        ("Localhost", Some(file)) => descending(file, &at.child("localhostProfile"), errors),
        (_, Some(_)) => errors.push(
            Fault::Invalid,
            at.child("localhostProfile"),
            format!(
                "Invalid value: {}: can only be set when seccomp type is Localhost",
                internal_form::profile(profile)
            ),
        ),
        (_, None) => {}
    }
}

fn validate_app_armor(context: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(profile) = context.get("appArmorProfile").filter(|v| !v.is_null()) else {
        return;
    };
    const NEEDED: &str = "must be set when AppArmor type is Localhost";
    let at = path.child("appArmorProfile");
    let at_file = at.child("localhostProfile");
    let file = profile.get("localhostProfile").and_then(Value::as_str);
    match (text(profile, &["type"]), file) {
        ("Localhost", None) => errors.required(at_file, NEEDED),
        ("Localhost", Some(file)) => {
            if file.trim() != file {
                errors.invalid_text(at_file, file, "must not be padded with whitespace");
            } else if file.is_empty() {
                errors.required(at_file, NEEDED);
            }
            if file.len() > APP_ARMOR_PROFILE_MAX_BYTES {
                errors.too_long(at_file, APP_ARMOR_PROFILE_MAX_BYTES);
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(file)) => errors.invalid_text(
            at_file,
            file,
            "can only be set when AppArmor type is Localhost",
        ),
        ("RuntimeDefault" | "Unconfined", None) => {}
        ("", _) => errors.required(
            at.child("type"),
            "type is required when appArmorProfile is set",
        ),
        _ => one_of(profile, "type", &PROFILE_TYPES, &at, errors),
    }
}

/// With users of its own a pod may not be in these namespaces of the host. `path` is that of the spec.
pub(super) fn validate_host_users(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    const WHY: &str = "when `hostUsers` is false";
    if spec.get("hostUsers") != Some(&Value::Bool(false)) {
        return;
    }
    for (key, shown) in [
        ("hostNetwork", "hostNetwork"),
        ("hostPID", "HostPID"),
        ("hostIPC", "HostIPC"),
    ] {
        if is_true(spec, &[key]) {
            errors.forbidden(path.child(shown), WHY);
        }
    }
    for (kind, index, container) in super::containers(spec) {
        if given(container, "volumeDevices") && !list(container, &["volumeDevices"]).is_empty() {
            let at = path.child(kind);
            errors.forbidden(at.index(index).child("volumeDevices"), WHY);
        }
    }
}
