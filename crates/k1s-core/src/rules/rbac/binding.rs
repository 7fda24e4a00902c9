// SPDX-License-Identifier: Apache-2.0
//! RoleBinding and ClusterRoleBinding.

use serde_json::{Value, json};

use super::GROUP;
use crate::field::{Errors, Fault, Path, quote};
use crate::name::{self, NameRule};
use crate::object::{self, list, make_map, map_mut, text};
use crate::rules::address::report;
use crate::rules::{Clock, Rules, cells};

pub(super) static ROLE_BINDING: Rules = Rules {
    validate: |object, errors| validate(object, true, errors),
    validate_update: |new, old, errors| {
        validate(new, true, errors);
        keep_role(new, old, errors);
    },
    ..BINDING
};

pub(super) static CLUSTER_ROLE_BINDING: Rules = Rules {
    validate: |object, errors| validate(object, false, errors),
    validate_update: |new, old, errors| {
        validate(new, false, errors);
        keep_role(new, old, errors);
    },
    ..BINDING
};

const BINDING: Rules = Rules {
    default,
    name: NameRule::PathSegment,
    create_on_update: true,
    cells: Some(row),
    ..Rules::NONE
};

const SUBJECTS: [&str; 3] = ["ServiceAccount", "User", "Group"];

fn default(object: &mut Value) {
    object::default(map_mut(object, &["roleRef"]), "apiGroup", GROUP);
    let subjects = object.get_mut("subjects").and_then(Value::as_array_mut);
    for subject in subjects.into_iter().flatten() {
        if matches!(text(subject, &["kind"]), "User" | "Group") {
            object::default(make_map(subject), "apiGroup", GROUP);
        }
    }
}

fn validate(object: &Value, namespaced: bool, errors: &mut Errors) {
    let role = &object["roleRef"];
    let path = Path::new("roleRef");
    let group = text(role, &["apiGroup"]);
    if group != GROUP {
        errors.not_supported(path.child("apiGroup"), &json!(group), &[GROUP]);
    }
    let kinds: &[&str] = if namespaced {
        &["Role", "ClusterRole"]
    } else {
        &["ClusterRole"]
    };
    let kind = text(role, &["kind"]);
    if !kinds.contains(&kind) {
        errors.not_supported(path.child("kind"), &json!(kind), kinds);
    }
    let name = text(role, &["name"]);
    if name.is_empty() {
        errors.required(path.child("name"), "");
    } else {
        let path = path.child("name");
        report(name::path_segment_name(name), name, &path, errors);
    }
    let path = Path::new("subjects");
    for (index, subject) in list(object, &["subjects"]).iter().enumerate() {
        validate_subject(subject, namespaced, &path.index(index), errors);
    }
}

fn validate_subject(subject: &Value, namespaced: bool, path: &Path<'_>, errors: &mut Errors) {
    let name = text(subject, &["name"]);
    if name.is_empty() {
        errors.required(path.child("name"), "");
    }
    let group = text(subject, &["apiGroup"]);
    match text(subject, &["kind"]) {
        "ServiceAccount" => {
            if !name.is_empty() {
                let path = path.child("name");
                report(name::dns1123_subdomain(name), name, &path, errors);
            }
            if !group.is_empty() {
                errors.not_supported(path.child("apiGroup"), &json!(group), &[""]);
            }
            if !namespaced && text(subject, &["namespace"]).is_empty() {
                errors.required(path.child("namespace"), "");
            }
        }
        "User" | "Group" => {
            if group != GROUP {
                errors.not_supported(path.child("apiGroup"), &json!(group), &[GROUP]);
            }
        }
        other => errors.not_supported(path.child("kind"), &json!(other), &SUBJECTS),
    }
}

/// The role of a binding stays.
fn keep_role(new: &Value, old: &Value, errors: &mut Errors) {
    let role = &new["roleRef"];
    if *role != old["roleRef"] {
        let shown = |key: &str| quote(text(role, &[key]));
        errors.push(
            Fault::Invalid,
            "roleRef",
            format!(
                "Invalid value: {{\"APIGroup\":{},\"Kind\":{},\"Name\":{}}}: cannot change roleRef",
                shown("apiGroup"),
                shown("kind"),
                shown("name")
            ),
        );
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let role = &object["roleRef"];
    let [users, groups, accounts] = ["User", "Group", "ServiceAccount"].map(|kind| {
        let all: Vec<String> = list(object, &["subjects"])
            .iter()
            .filter(|subject| text(subject, &["kind"]) == kind)
            .map(|subject| {
                let name = text(subject, &["name"]);
                match kind {
                    "ServiceAccount" => format!("{}/{name}", text(subject, &["namespace"])),
                    _ => name.to_owned(),
                }
            })
            .collect();
        Value::from(all.join(", "))
    });
    vec![
        cells::name(object),
        format!("{}/{}", text(role, &["kind"]), text(role, &["name"])).into(),
        cells::age(object, clock),
        users,
        groups,
        accounts,
    ]
}
