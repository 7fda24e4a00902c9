// SPDX-License-Identifier: Apache-2.0
//! Validation of what concerns the operating system of a pod: `os`, and the options for Windows.

use serde_json::{Value, json};

use super::check::{complain, given};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{is_true, list, text};

const SYSTEMS: [&str; 2] = ["linux", "windows"];
const CREDENTIAL_SPEC_MAX_BYTES: usize = 64 * 1024;
const DOMAIN_MAX_BYTES: usize = 255;
const USER_MAX_BYTES: usize = 104;
const NETBIOS_MAX_CHARS: usize = 15;
const NOT_IN_NETBIOS: [char; 9] = ['\\', '/', ':', '*', '?', '"', '<', '>', '|'];
const NOT_IN_USER: [char; 16] = [
    '"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']',
];
const NOT_FOR_WINDOWS: &str = "cannot be set for a windows pod";

/// Fields that a Windows pod may not have, in the order in which they are looked at: in the spec's security context or not.
const NOT_OF_WINDOWS_PODS: [(bool, &str); 15] = [
    (true, "appArmorProfile"),
    (true, "seLinuxOptions"),
    (false, "hostUsers"),
    (false, "hostPID"),
    (false, "hostIPC"),
    (true, "seccompProfile"),
    (true, "fsGroup"),
    (true, "fsGroupChangePolicy"),
    (true, "sysctls"),
    (false, "shareProcessNamespace"),
    (true, "runAsUser"),
    (true, "runAsGroup"),
    (true, "supplementalGroups"),
    (true, "supplementalGroupsPolicy"),
    (true, "seLinuxChangePolicy"),
];
const NOT_OF_WINDOWS_CONTAINERS: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];

/// Checks `windowsOptions` of a security context.
pub(super) fn validate_windows_options(context: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(options) = context.get("windowsOptions").filter(|v| !v.is_null()) else {
        return;
    };
    let at = path.child("windowsOptions");
    if let Some(name) = options
        .get("gmsaCredentialSpecName")
        .and_then(Value::as_str)
    {
        let complaints = name::dns1123_subdomain(name);
        complain(
            complaints,
            name,
            &at.child("gmsaCredentialSpecName"),
            errors,
        );
    }
    if let Some(spec) = options.get("gmsaCredentialSpec").and_then(Value::as_str) {
        let at = at.child("gmsaCredentialSpec");
        if spec.is_empty() {
            errors.invalid_text(at, spec, "gmsaCredentialSpec cannot be an empty string");
        } else if spec.len() > CREDENTIAL_SPEC_MAX_BYTES {
            errors.invalid_text(at, spec, "gmsaCredentialSpec size must be under 64 KiB");
        }
    }
    if let Some(user) = options.get("runAsUserName").and_then(Value::as_str) {
        for complaint in user_name_complaints(user) {
            errors.invalid_text(at.child("runAsUserName"), user, complaint);
        }
    }
}

/// What is wrong with `DOMAIN\USER`.
fn user_name_complaints(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.chars().any(|c| c.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    let (domain, user) = match name.split_once('\\') {
        Some((_, rest)) if rest.contains('\\') => {
            return vec!["runAsUserName cannot contain more than one backslash"];
        }
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    let mut complaints = Vec::new();
    if let Some(domain) = domain {
        if domain.len() > DOMAIN_MAX_BYTES {
            complaints.push("runAsUserName's Domain length must be under 256 characters");
        }
        if !is_netbios(domain) && !is_domain(domain) {
            complaints.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        }
    }
    if user.is_empty() {
        complaints.push("runAsUserName's User cannot be empty");
    } else if user.len() > USER_MAX_BYTES {
        complaints.push("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        complaints.push("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(NOT_IN_USER) {
        complaints.push(
            r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#,
        );
    }
    complaints
}

fn is_netbios(domain: &str) -> bool {
    (1..=NETBIOS_MAX_CHARS).contains(&domain.chars().count())
        && !domain.starts_with('.')
        && !domain.contains(NOT_IN_NETBIOS)
}

fn is_domain(domain: &str) -> bool {
    domain
        .split('.')
        .all(|part| name::dns1123_label(&part.to_ascii_lowercase()).is_empty())
}

/// Where one container is a process of the host, all are. `path` is that of the spec.
pub(super) fn validate_host_processes(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let pointer = "/securityContext/windowsOptions/hostProcess";
    let of_pod = spec.pointer(pointer).and_then(Value::as_bool);
    let (mut all, mut on_host) = (0, 0);
    for (kind, index, container) in super::containers(spec) {
        all += 1;
        let own = container.pointer(pointer).and_then(Value::as_bool);
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let at = path.child(kind);
            let at = at.index(index);
            let at = at.child("securityContext");
            errors.invalid(
                at.child("windowsOptions").child("hostProcess"),
                &json!(own),
                format!("pod hostProcess value must be identical if both are specified, was {pod}"),
            );
        }
        on_host += usize::from(own.or(of_pod).unwrap_or_default());
    }
    if on_host == 0 {
        return;
    }
    if on_host != all {
        errors.invalid_text(
            path,
            "",
            "If pod contains any hostProcess containers then all containers must be HostProcess containers",
        );
    }
    if !is_true(spec, &["hostNetwork"]) {
        errors.invalid(
            path.child("hostNetwork"),
            &json!(false),
            "hostNetwork must be true if pod contains any hostProcess containers",
        );
    }
}

/// Checks `os`, and that nothing of another system is set. `path` is that of the spec.
pub(super) fn validate_system(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    if !given(spec, "os") {
        return;
    }
    let name = text(spec, &["os", "name"]);
    let at = path.child("os");
    match name {
        "" => errors.required(at.child("name"), ""),
        "linux" => refuse_windows_options(spec, path, errors),
        "windows" => refuse_linux_options(spec, path, errors),
        _ => errors.not_supported(at, &json!(name), &SYSTEMS),
    }
}

fn refuse_windows_options(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    const WHY: &str = "windows options cannot be set for a linux pod";
    let has = |holder: &Value| {
        holder
            .get("securityContext")
            .is_some_and(|c| given(c, "windowsOptions"))
    };
    if has(spec) {
        errors.forbidden(path.child("securityContext").child("windowsOptions"), WHY);
    }
    for (kind, index, container) in super::containers(spec).filter(|(_, _, c)| has(c)) {
        let _ = container;
        let at = path.child(kind);
        let at = at.index(index);
        errors.forbidden(at.child("securityContext").child("windowsOptions"), WHY);
    }
}

fn refuse_linux_options(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let context_path = path.child("securityContext");
    for (in_context, key) in NOT_OF_WINDOWS_PODS {
        let (holder, at) = if in_context {
            (spec.get("securityContext"), &context_path)
        } else {
            (Some(spec), path)
        };
        if holder.is_some_and(|h| is_set(h, key)) {
            errors.forbidden(at.child(key), NOT_FOR_WINDOWS);
        }
    }
    for (kind, index, container) in super::containers(spec) {
        let at = path.child(kind);
        let at = at.index(index);
        let at = at.child("securityContext");
        for key in NOT_OF_WINDOWS_CONTAINERS {
            if container
                .get("securityContext")
                .is_some_and(|c| given(c, key))
            {
                errors.forbidden(at.child(key), NOT_FOR_WINDOWS);
            }
        }
    }
}

/// Lists and the two flags without a third state count when they say something, the rest when it is given.
fn is_set(holder: &Value, key: &str) -> bool {
    match key {
        "hostPID" | "hostIPC" => is_true(holder, &[key]),
        "sysctls" | "supplementalGroups" => !list(holder, &[key]).is_empty(),
        _ => given(holder, key),
    }
}

#[cfg(test)]
mod tests {
    use super::user_name_complaints;

    #[test]
    fn user_names() {
        for good in ["u", "DOMAIN\\u", "a.b.c\\u", "NT AUTHORITY\\Local Service"] {
            assert!(user_name_complaints(good).is_empty(), "{good}");
        }
        for (bad, count) in [
            ("", 1),
            ("a\\b\\c", 1),
            ("\\u", 1),
            ("d\\", 1),
            ("..", 1),
            ("a@b", 1),
            ("a\u{1}", 1),
        ] {
            assert_eq!(user_name_complaints(bad).len(), count, "{bad}");
        }
    }
}
