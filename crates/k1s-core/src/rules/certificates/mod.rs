// SPDX-License-Identifier: Apache-2.0
//! CertificateSigningRequest, the kind of certificates.k8s.io.

mod pem;
mod request;
mod signer;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::keep::{drop_status, keep_spec, keep_status};
use super::{Clock, Request, Rules, SubresourceRules, UnknownField, cells};
use crate::field::{Errors, Path};
use crate::name::NameRule;
use crate::object::{self, at, int, list, map_mut, text};
use crate::time;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    (kind == "CertificateSigningRequest").then_some(&RULES)
}

static RULES: Rules = Rules {
    prepare_create,
    prepare_update: |new, old, _| {
        keep_spec(new, old);
        keep_status(new, old);
    },
    prepare_status: |new, old, request| {
        keep_spec(new, old);
        keep_decisions(new, old);
        stamp_conditions(new, old, request);
    },
    validate: |object, errors| validate(object, errors),
    validate_update: |new, old, errors| validate_change(new, old, Change::Main, errors),
    validate_status: |new, old, errors| validate_change(new, old, Change::Status, errors),
    subresources: &[SubresourceRules {
        name: "approval",
        prepare: |new, old, request| {
            let conditions = at(new, &CONDITIONS).cloned();
            keep_spec(new, old);
            keep_status(new, old);
            match conditions {
                Some(conditions) => object::set(new, &CONDITIONS, conditions),
                None => drop(object::remove(new, &CONDITIONS)),
            }
            stamp_conditions(new, old, request);
        },
        validate: |new, old, errors| validate_change(new, old, Change::Approval, errors),
    }],
    name: NameRule::PathSegment,
    fields: &["spec.signerName"],
    field: |object, _| text(object, &["spec", "signerName"]).to_owned(),
    unknown_field: UnknownField::NotSupported,
    cells: Some(row),
    ..Rules::NONE
};

const CONDITIONS: [&str; 2] = ["status", "conditions"];
/// Conditions that only `/approval` adds.
const DECISIONS: [&str; 2] = ["Approved", "Denied"];
/// Conditions that are only ever true, and never go.
const FINAL: [&str; 3] = ["Approved", "Denied", "Failed"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const LEAST_SECONDS: i64 = 600;
const USAGES: [&str; 23] = [
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
];

/// Which way a change comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Main,
    Status,
    Approval,
}

/// Who asks is who is authenticated.
fn prepare_create(object: &mut Value, request: &Request<'_>) {
    drop_status(object);
    let spec = map_mut(object, &["spec"]);
    spec.insert("username".to_owned(), request.user.into());
    spec.insert("groups".to_owned(), json!(request.groups));
    for key in ["uid", "extra"] {
        spec.remove(key);
    }
}

fn of_type<'a>(object: &'a Value, kind: &str) -> Vec<&'a Value> {
    list(object, &CONDITIONS)
        .iter()
        .filter(|condition| text(condition, &["type"]) == kind)
        .collect()
}

/// Where the status has as many decisions as before, they are those of before.
fn keep_decisions(new: &mut Value, old: &Value) {
    let mut conditions = list(new, &CONDITIONS).to_vec();
    for kind in DECISIONS {
        let before = of_type(old, kind);
        if before.len() != of_type(new, kind).len() {
            continue;
        }
        let own = conditions
            .iter_mut()
            .filter(|condition| text(condition, &["type"]) == kind);
        for (condition, before) in own.zip(before) {
            *condition = before.clone();
        }
    }
    if !conditions.is_empty() {
        object::set(new, &CONDITIONS, conditions);
    }
}

/// Fills in the times that a client left out.
fn stamp_conditions(new: &mut Value, old: &Value, request: &Request<'_>) {
    let Ok(now) = jiff::Timestamp::from_second(request.now_seconds) else {
        return;
    };
    let now = Value::from(time::print_time(now));
    let conditions = new
        .pointer_mut("/status/conditions")
        .and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        let kind = text(condition, &["type"]).to_owned();
        let status = text(condition, &["status"]).to_owned();
        let before = of_type(old, &kind)
            .into_iter()
            .find(|before| text(before, &["status"]) == status)
            .and_then(|before| before.get("lastTransitionTime"))
            .filter(|moment| moment.is_string());
        let map = object::make_map(condition);
        object::default_absent(map, "lastUpdateTime", now.clone());
        let moment = before.cloned().unwrap_or_else(|| now.clone());
        object::default_absent(map, "lastTransitionTime", moment);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    let request = text(spec, &["request"]);
    if let Err(problem) = request::check(request) {
        let shown = spec.get("request").unwrap_or(&Value::Null);
        errors.invalid(path.child("request"), shown, problem);
    }
    validate_usages(spec, &path.child("usages"), errors);
    signer::validate(
        text(spec, &["signerName"]),
        &path.child("signerName"),
        errors,
    );
    if let Some(seconds) = int(spec, &["expirationSeconds"]).filter(|s| *s < LEAST_SECONDS) {
        errors.invalid(
            path.child("expirationSeconds"),
            &json!(seconds),
            "may not specify a duration less than 600 seconds (10 minutes)",
        );
    }
    validate_conditions(list(object, &CONDITIONS), errors);
    if let Err(problem) = pem::check_certificates(text(object, &["status", "certificate"])) {
        errors.invalid_text("status.certificate", "<certificate data>", problem);
    }
}

fn validate_usages(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let usages = list(spec, &["usages"]);
    if usages.is_empty() {
        errors.required(path, "");
    }
    for (index, usage) in usages.iter().enumerate() {
        if !usage.as_str().is_some_and(|usage| USAGES.contains(&usage)) {
            errors.not_supported(path.index(index), usage, &USAGES);
        }
    }
    for (index, usage) in usages.iter().enumerate() {
        if usages[..index].contains(usage) {
            errors.duplicate(path.index(index), usage);
        }
    }
}

fn validate_conditions(conditions: &[Value], errors: &mut Errors) {
    let path = Path::new("status");
    let path = path.child("conditions");
    let mut seen = BTreeSet::new();
    for (index, condition) in conditions.iter().enumerate() {
        let own = path.index(index);
        let kind = text(condition, &["type"]);
        if kind.is_empty() {
            errors.required(own.child("type"), "");
        }
        let allowed: &[&str] = if FINAL.contains(&kind) {
            &["True"]
        } else {
            &STATUSES
        };
        let status = text(condition, &["status"]);
        if status.is_empty() {
            errors.required(own.child("status"), "");
        } else if !allowed.contains(&status) {
            errors.not_supported(own.child("status"), &json!(status), allowed);
        }
        let other = match kind {
            "Approved" => "Denied",
            "Denied" => "Approved",
            _ => "",
        };
        if seen.contains(other) {
            errors.invalid_text(
                path,
                kind,
                "Approved and Denied conditions are mutually exclusive",
            );
        }
        if !seen.insert(kind) {
            errors.duplicate(own.child("type"), &json!(kind));
        }
    }
}

fn validate_change(new: &Value, old: &Value, change: Change, errors: &mut Errors) {
    validate(new, errors);
    for kind in FINAL {
        if of_type(new, kind).len() < of_type(old, kind).len() {
            errors.forbidden(
                "status.conditions",
                format!("updates may not remove a condition of type \"{kind}\""),
            );
        }
    }
    if change != Change::Approval {
        for kind in DECISIONS {
            let (after, before) = (of_type(new, kind), of_type(old, kind));
            let what = match after.len().cmp(&before.len()) {
                std::cmp::Ordering::Greater => "add",
                std::cmp::Ordering::Equal if after != before => "modify",
                _ => continue,
            };
            errors.forbidden(
                "status.conditions",
                format!("updates may not {what} a condition of type \"{kind}\""),
            );
        }
    }
    const CERTIFICATE: [&str; 2] = ["status", "certificate"];
    let (after, before) = (text(new, &CERTIFICATE), text(old, &CERTIFICATE));
    if after == before {
        return;
    }
    if change != Change::Status {
        errors.forbidden(
            "status.certificate",
            "updates may not set certificate content",
        );
    } else if !before.is_empty() {
        errors.forbidden(
            "status.certificate",
            "updates may not modify existing certificate content",
        );
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let has = |kind: &str| !of_type(object, kind).is_empty();
    let mut state = if has("Denied") {
        "Denied"
    } else if has("Approved") {
        "Approved"
    } else {
        "Pending"
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if !text(object, &["status", "certificate"]).is_empty() {
        state.push_str(",Issued");
    }
    let seconds = int(object, &["spec", "expirationSeconds"]);
    vec![
        cells::name(object),
        cells::age(object, clock),
        cells::or_none(text(object, &["spec", "signerName"])),
        text(object, &["spec", "username"]).into(),
        seconds
            .map_or(cells::NONE.to_owned(), cells::duration)
            .into(),
        state.into(),
    ]
}
