// SPDX-License-Identifier: Apache-2.0
//! How messages show whole structures: all fields in their order, by their inner names, the absent ones as `null`.

use serde_json::Value;

use crate::field::show;

/// How a field is shown.
enum Form {
    /// As JSON has it, `null` when absent.
    Plain,
    /// Text, empty when absent.
    Text,
    /// A structure of its own, `null` when absent.
    Inner(&'static [Field]),
}

type Field = (&'static str, &'static str, Form);

const CAPABILITIES: &[Field] = &[("Add", "add", Form::Plain), ("Drop", "drop", Form::Plain)];
const SELINUX: &[Field] = &[
    ("User", "user", Form::Text),
    ("Role", "role", Form::Text),
    ("Type", "type", Form::Text),
    ("Level", "level", Form::Text),
];
const WINDOWS: &[Field] = &[
    (
        "GMSACredentialSpecName",
        "gmsaCredentialSpecName",
        Form::Plain,
    ),
    ("GMSACredentialSpec", "gmsaCredentialSpec", Form::Plain),
    ("RunAsUserName", "runAsUserName", Form::Plain),
    ("HostProcess", "hostProcess", Form::Plain),
];
const PROFILE: &[Field] = &[
    ("Type", "type", Form::Text),
    ("LocalhostProfile", "localhostProfile", Form::Plain),
];
const SECURITY_CONTEXT: &[Field] = &[
    ("Capabilities", "capabilities", Form::Inner(CAPABILITIES)),
    ("Privileged", "privileged", Form::Plain),
    ("SELinuxOptions", "seLinuxOptions", Form::Inner(SELINUX)),
    ("WindowsOptions", "windowsOptions", Form::Inner(WINDOWS)),
    ("RunAsUser", "runAsUser", Form::Plain),
    ("RunAsGroup", "runAsGroup", Form::Plain),
    ("RunAsNonRoot", "runAsNonRoot", Form::Plain),
    (
        "ReadOnlyRootFilesystem",
        "readOnlyRootFilesystem",
        Form::Plain,
    ),
    (
        "AllowPrivilegeEscalation",
        "allowPrivilegeEscalation",
        Form::Plain,
    ),
    ("ProcMount", "procMount", Form::Plain),
    ("SeccompProfile", "seccompProfile", Form::Inner(PROFILE)),
    ("AppArmorProfile", "appArmorProfile", Form::Inner(PROFILE)),
];
const RESOURCE_CLAIM: &[Field] = &[
    ("Name", "name", Form::Text),
    ("ResourceClaimName", "resourceClaimName", Form::Plain),
    (
        "ResourceClaimTemplateName",
        "resourceClaimTemplateName",
        Form::Plain,
    ),
];
const TAINT: &[Field] = &[
    ("Key", "key", Form::Text),
    ("Value", "value", Form::Text),
    ("Effect", "effect", Form::Text),
    ("TimeAdded", "timeAdded", Form::Plain),
];
const OBJECT_REFERENCE: &[Field] = &[
    ("Kind", "kind", Form::Text),
    ("Namespace", "namespace", Form::Text),
    ("Name", "name", Form::Text),
    ("UID", "uid", Form::Text),
    ("APIVersion", "apiVersion", Form::Text),
    ("ResourceVersion", "resourceVersion", Form::Text),
    ("FieldPath", "fieldPath", Form::Text),
];

/// A security context of a container.
pub(in crate::rules) fn security_context(value: &Value) -> String {
    words(value, SECURITY_CONTEXT)
}

/// A seccomp or AppArmor profile.
pub(in crate::rules) fn profile(value: &Value) -> String {
    words(value, PROFILE)
}

/// A resource claim of a pod.
pub(in crate::rules) fn resource_claim(value: &Value) -> String {
    words(value, RESOURCE_CLAIM)
}

/// A taint of a node.
pub(in crate::rules) fn taint(value: &Value) -> String {
    words(value, TAINT)
}

/// A reference to an object.
pub(in crate::rules) fn object_reference(value: &Value) -> String {
    words(value, OBJECT_REFERENCE)
}

fn words(value: &Value, fields: &[Field]) -> String {
    let parts: Vec<String> = fields
        .iter()
        .map(|(shown, key, form)| {
            let field = value.get(key).unwrap_or(&Value::Null);
            let field = match (form, field) {
                (Form::Text, Value::Null) => "\"\"".to_owned(),
                (Form::Inner(fields), Value::Object(_)) => words(field, fields),
                _ => show(field),
            };
            format!("\"{shown}\":{field}")
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}
