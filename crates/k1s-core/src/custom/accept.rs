// SPDX-License-Identifier: Apache-2.0
//! Which names a definition gets: the first definition of a group that asks for a name has it.

use serde_json::{Map, Value, json};

use crate::field::quote;
use crate::object::{list, text};

/// Whether a definition is served: all its names are accepted and it has been established.
#[must_use]
pub fn is_established(definition: &Value) -> bool {
    condition(definition, "Established").is_some_and(|c| text(c, &["status"]) == "True")
}

/// The condition of this type.
#[must_use]
pub fn condition<'a>(definition: &'a Value, kind: &str) -> Option<&'a Value> {
    list(definition, &["status", "conditions"])
        .iter()
        .find(|c| text(c, &["type"]) == kind)
}

/// The status of a definition whose names have been compared with those of the others of its group.
#[must_use]
pub fn status(definition: &Value, others: &[Value], now: &str) -> Value {
    let asked = &definition["spec"]["names"];
    let present = &definition["status"]["acceptedNames"];
    let taken = Taken::of(others);
    let mut accepted = present.as_object().cloned().unwrap_or_default();
    let mut conflict: Option<(&str, String)> = None;
    let mut take = |key: &str, in_use: bool, reason: &'static str| {
        let own = text(asked, &[key]);
        if in_use {
            conflict = Some((reason, format!("{} is already in use", quote(own))));
        } else if own.is_empty() {
            accepted.remove(key);
        } else {
            accepted.insert(key.to_owned(), own.into());
        }
    };
    take(
        "plural",
        taken.resource(text(asked, &["plural"])),
        "PluralConflict",
    );
    take(
        "singular",
        taken.resource(text(asked, &["singular"])),
        "SingularConflict",
    );
    let short: Vec<String> = list(asked, &["shortNames"])
        .iter()
        .filter_map(Value::as_str)
        .filter(|s| taken.resource(s))
        .map(|s| format!("{} is already in use", quote(s)))
        .collect();
    take("kind", taken.kind(text(asked, &["kind"])), "KindConflict");
    take(
        "listKind",
        taken.kind(text(asked, &["listKind"])),
        "ListKindConflict",
    );
    match short.as_slice() {
        [] => copy(asked, "shortNames", &mut accepted),
        [one] => conflict = conflict.or(Some(("ShortNamesConflict", one.clone()))),
        many => {
            let all = format!("[{}]", many.join(", "));
            conflict = conflict.or(Some(("ShortNamesConflict", all)));
        }
    }
    copy(asked, "categories", &mut accepted);
    let mut status = definition["status"].clone();
    status["acceptedNames"] = Value::Object(accepted);
    let (value, reason, message) = match &conflict {
        None => ("True", "NoConflicts", "no conflicts found".to_owned()),
        Some((reason, message)) => ("False", *reason, message.clone()),
    };
    set(&mut status, "NamesAccepted", value, reason, &message, now);
    if condition(definition, "Established").is_none() {
        // it is established when its names have been accepted, by the next write
        set(
            &mut status,
            "Established",
            "False",
            "NotAccepted",
            "not all names are accepted",
            now,
        );
    }
    if conflict.is_none()
        && let Some(conformant) = approval(definition, now)
    {
        put(&mut status, conformant);
    }
    status
}

/// The status of a definition that is served from now on; none when it is not to be, or is already.
#[must_use]
pub fn established(definition: &Value, now: &str) -> Option<Value> {
    let accepted =
        condition(definition, "NamesAccepted").is_some_and(|c| text(c, &["status"]) == "True");
    if !accepted || is_established(definition) {
        return None;
    }
    let mut status = definition["status"].clone();
    set(
        &mut status,
        "Established",
        "True",
        "InitialNamesAccepted",
        "the initial names have been accepted",
        now,
    );
    Some(status)
}

fn approval(definition: &Value, now: &str) -> Option<Value> {
    use super::check::{Approval, approval, is_protected};
    if !is_protected(text(definition, &["spec", "group"])) {
        return None;
    }
    let (value, reason, message) = match approval(definition) {
        Approval::Approved(own) => ("True", "ApprovedAnnotation", format!("approved in {own}")),
        Approval::Bypassed(own) => (
            "False",
            "UnapprovedAnnotation",
            format!("not approved: {}", quote(own)),
        ),
        Approval::Missing => (
            "False",
            "MissingAnnotation",
            "protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111".to_owned(),
        ),
        Approval::Invalid(own) => (
            "False",
            "InvalidAnnotation",
            format!("protected groups must have approval annotation \"api-approved.kubernetes.io\" with either a URL or a reason starting with \"unapproved\", see https://github.com/kubernetes/enhancements/pull/1111, not {}", quote(own)),
        ),
    };
    Some(
        json!({"type": "KubernetesAPIApprovalPolicyConformant", "status": value, "reason": reason, "message": message, "lastTransitionTime": now}),
    )
}

fn copy(from: &Value, key: &str, to: &mut Map<String, Value>) {
    match from.get(key).filter(|v| !crate::object::is_unset(Some(v))) {
        Some(value) => to.insert(key.to_owned(), value.clone()),
        None => to.remove(key),
    };
}

/// Sets a condition of a status.
pub fn set(status: &mut Value, kind: &str, value: &str, reason: &str, message: &str, now: &str) {
    put(
        status,
        json!({"type": kind, "status": value, "reason": reason, "message": message, "lastTransitionTime": now}),
    );
}

fn put(status: &mut Value, mut condition: Value) {
    let mut all = list(status, &["conditions"]).to_vec();
    let kind = condition["type"].clone();
    match all.iter_mut().find(|c| c["type"] == kind) {
        Some(old) => {
            if old["status"] == condition["status"] {
                condition["lastTransitionTime"] = old["lastTransitionTime"].clone();
            }
            *old = condition;
        }
        None => all.push(condition),
    }
    status["conditions"] = all.into();
}

/// Names that other definitions of the group have.
struct Taken<'a> {
    resources: Vec<&'a str>,
    kinds: Vec<&'a str>,
}

impl<'a> Taken<'a> {
    fn of(others: &'a [Value]) -> Self {
        let mut out = Self {
            resources: Vec::new(),
            kinds: Vec::new(),
        };
        for other in others {
            let names = &other["status"]["acceptedNames"];
            for key in ["plural", "singular"] {
                out.resources.push(text(names, &[key]));
            }
            out.resources.extend(
                list(names, &["shortNames"])
                    .iter()
                    .filter_map(Value::as_str),
            );
            for key in ["kind", "listKind"] {
                out.kinds.push(text(names, &[key]));
            }
        }
        out
    }

    fn resource(&self, name: &str) -> bool {
        !name.is_empty() && self.resources.contains(&name)
    }

    fn kind(&self, name: &str) -> bool {
        !name.is_empty() && self.kinds.contains(&name)
    }
}
