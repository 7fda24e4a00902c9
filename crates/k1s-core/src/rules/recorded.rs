// SPDX-License-Identifier: Apache-2.0
//! Replays recorded exchanges through the rules alone: decode, default, prepare, validate, cells. No service, no store.
//!
//! What the service adds (metadata, allocation, other objects) is not there, and what concerns it is not compared.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Clock, Request, service_allocation};
use crate::field::Errors;
use crate::kinds::{self, Kind};
use crate::object;

/// 2020-01-02T00:00:00Z
const NOW: i64 = 1_577_923_200;

/// Replays the cases of a recorded file whose names start with one of `only`; gives what differs.
fn replay(file: &str, only: &[&str]) -> Vec<String> {
    let path = format!("{}/../../e2e/wire/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.replace("${id}", "x1").replace("${ns}", "ns");
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let mut differences = Vec::new();
    for case in recorded["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        if !only.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let mut objects = BTreeMap::new();
        let mut saved = Vec::new();
        for (number, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            let step = with_saved(step, &saved);
            if let Some(difference) = replay_step(&step, &mut objects) {
                differences.push(format!("{name} [{number}]: {difference}"));
            }
            save(&step, &objects, &mut saved);
        }
    }
    differences
}

/// A step with the values that earlier steps saved.
fn with_saved(step: &Value, saved: &[(String, String)]) -> Value {
    let mut text = step.to_string();
    for (mark, value) in saved {
        text = text.replace(mark, value);
    }
    serde_json::from_str(&text).unwrap()
}

fn save(step: &Value, objects: &BTreeMap<String, Value>, saved: &mut Vec<(String, String)>) {
    for (mark, path) in object::map(step, &["save"]).into_iter().flatten() {
        let name = object::name(&step["do"]["body"]);
        let parts: Vec<&str> = path.as_str().unwrap_or_default().split('.').collect();
        if let Some(object) = objects.get(name)
            && let Value::String(value) = dig(object, &parts)
        {
            saved.push((format!("${{{mark}}}"), value));
        }
    }
}

/// What a request path names: kind, object name, subresource.
fn target(path: &str) -> Option<(&'static Kind, String, String)> {
    let path = path.split('?').next()?;
    let mut parts: Vec<&str> = path.split('/').skip(1).collect();
    let (group, version) = match parts.first()? {
        &"api" => ("", parts[1]),
        _ => (parts[1], parts[2]),
    };
    parts.drain(..if group.is_empty() { 2 } else { 3 });
    if parts.first() == Some(&"namespaces") && parts.len() > 2 {
        parts.drain(..2);
    }
    let kind = kinds::of_resource(group, version, parts.first()?)?;
    let part = |index: usize| parts.get(index).copied().unwrap_or_default().to_owned();
    Some((kind, part(1), part(2)))
}

fn replay_step(step: &Value, objects: &mut BTreeMap<String, Value>) -> Option<String> {
    let request = &step["do"];
    let expected = &step["expect"];
    let (kind, name, subresource) = target(request["path"].as_str()?)?;
    let rules = super::of(kind);
    let method = request["method"].as_str()?;
    let old = objects.get(&name).cloned();
    if method == "GET" {
        return rules
            .cells
            .and_then(|cells| compare_cells(cells(&old?, &Clock { now_seconds: NOW }), expected));
    }
    let body = request.get("body")?;
    let mut new = match (method, &old) {
        ("POST", _) => {
            let mut body = body.clone();
            object::set(&mut body, &["metadata", "uid"], "u");
            if kind.namespaced {
                object::set(&mut body, &["metadata", "namespace"], "ns");
            }
            body
        }
        ("PUT", Some(old)) => {
            let mut body = body.clone();
            object::set(&mut body, &["metadata", "uid"], object::uid(old));
            body
        }
        ("PATCH", Some(old)) => {
            let mut new = old.clone();
            // Directives and lists of strategic patches are not for this replay.
            let strategic = request["headers"].to_string().contains("strategic");
            if !body.is_object()
                || is_directed(body)
                || strategic && subresource != "status" && body.to_string().contains('[')
            {
                return None;
            }
            merge(&mut new, body);
            new
        }
        _ => return None,
    };
    let known = |name: &str| {
        ["", "status"].contains(&name) || rules.subresources.iter().any(|u| u.name == name)
    };
    if expected["status"] == 400 || !known(&subresource) {
        return None;
    }
    crate::decode::decode(kind.schema, &mut new).ok()?;
    let errors = write(kind, &mut new, old.as_ref(), &subresource, objects);
    crate::decode::tidy(kind.schema, &mut new);
    let found: Vec<(String, String)> = errors
        .into_vec()
        .into_iter()
        .map(|e| (e.field, e.message))
        .collect();
    if let Some(difference) = compare_errors(&found, expected) {
        return Some(difference);
    }
    if found.is_empty() && expected["status"].as_i64()? < 300 {
        let name = object::name(&new).to_owned();
        let difference = compare_body(&new, &expected["body"]);
        objects.insert(name, new);
        return difference;
    }
    None
}

/// What the stored Services hold.
struct Held<'a>(&'a BTreeMap<String, Value>);

impl service_allocation::Taken for Held<'_> {
    fn cluster_ip(&self, ip: &str) -> bool {
        self.0
            .values()
            .any(|s| service_allocation::holds(s).0.any(|held| held == ip))
    }

    fn node_port(&self, port: u16) -> bool {
        self.0
            .values()
            .any(|s| service_allocation::holds(s).1.any(|held| held == port))
    }
}

fn write(
    kind: &Kind,
    new: &mut Value,
    old: Option<&Value>,
    subresource: &str,
    objects: &BTreeMap<String, Value>,
) -> Errors {
    let rules = super::of(kind);
    let given = |given: Result<(), service_allocation::Refused>| match given {
        Err(service_allocation::Refused::Invalid(errors)) => Some(errors),
        _ => None,
    };
    let request = Request {
        now_seconds: NOW,
        user: "jane",
        groups: &[
            "system:masters".to_owned(),
            "system:authenticated".to_owned(),
        ],
    };
    let mut errors = Errors::new();
    (rules.default)(new);
    match (old, subresource) {
        (None, _) => {
            (rules.prepare_create)(new, &request);
            if kind.kind == "Service"
                && let Some(errors) = given(service_allocation::create(new, &Held(objects), 7))
            {
                return errors;
            }
            (rules.validate)(new, &mut errors);
        }
        (Some(old), "status") => {
            (rules.prepare_status)(new, old, &request);
            (rules.validate_status)(new, old, &mut errors);
        }
        (Some(old), name) => match rules.subresources.iter().find(|u| u.name == name) {
            Some(update) => {
                (update.prepare)(new, old, &request);
                (update.validate)(new, old, &mut errors);
            }
            None => {
                (rules.prepare_update)(new, old, &request);
                if kind.kind == "Service"
                    && let Some(errors) =
                        given(service_allocation::update(new, old, &Held(objects), 7))
                {
                    return errors;
                }
                (rules.validate_update)(new, old, &mut errors);
            }
        },
    }
    errors
}

/// Whether a patch holds directives such as `$retainKeys`; `${ns}` is a mark of the recording.
fn is_directed(patch: &Value) -> bool {
    patch.to_string().replace("\"${", "").contains("\"$")
}

/// A merge patch.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    let target = object::make_map(target);
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

fn compare_errors(found: &[(String, String)], expected: &Value) -> Option<String> {
    let causes = object::list(&expected["body"], &["details", "causes"]);
    let wanted: Vec<(String, String)> = causes
        .iter()
        .map(|cause| {
            (
                object::text(cause, &["field"]).to_owned(),
                object::text(cause, &["message"]).to_owned(),
            )
        })
        .filter(|(field, _)| !field.starts_with("metadata."))
        .collect();
    let dull = |errors: &[(String, String)]| -> Vec<(String, String)> {
        errors
            .iter()
            .filter(|(field, _)| !field.starts_with("metadata."))
            .map(|(field, message)| (field.clone(), message.clone()))
            .collect()
    };
    let found = dull(found);
    if causes.is_empty() && expected["status"] == 422 {
        return found
            .is_empty()
            .then(|| "no errors, but 422 was recorded".to_owned());
    }
    let marks = ["<uid>", "<time>", "${"];
    let marked =
        |words: &str| marks.iter().any(|mark| words.contains(mark)) || words.contains("10.0.0.");
    let same = found.len() == wanted.len()
        && found.iter().zip(&wanted).all(|(a, b)| {
            // What follows is the difference of two inner forms.
            let wanted = b.1.split("@@").next().unwrap_or_default();
            a.0 == b.0 && (a.1 == wanted || marked(&b.1))
        });
    (!same).then(|| format!("errors\n   found  {found:#?}\n   wanted {wanted:#?}"))
}

/// Compares a whole body, or the values at dotted paths.
fn compare_body(found: &Value, expected: &Value) -> Option<String> {
    let mut differences = Vec::new();
    for (key, wanted) in expected.as_object()? {
        if key.starts_with("metadata") && !key.starts_with("metadata.annotations")
            || key == "kind" && wanted.as_str() == Some("Status")
        {
            continue;
        }
        let parts: Vec<&str> = key.split('.').collect();
        let found = dig(found, &parts);
        if !alike(&found, wanted) {
            differences.push(format!("{key}\n   found  {found}\n   wanted {wanted}"));
        }
    }
    (!differences.is_empty()).then(|| differences.join("\n"))
}

fn dig(value: &Value, parts: &[&str]) -> Value {
    let Some((first, rest)) = parts.split_first() else {
        return value.clone();
    };
    match (value, *first) {
        (Value::Array(list), "*") => list.iter().map(|item| dig(item, rest)).collect(),
        (Value::Array(list), index) => index
            .parse()
            .ok()
            .and_then(|index: usize| list.get(index))
            .map_or(Value::Null, |item| dig(item, rest)),
        (value, key) => value.get(key).map_or(Value::Null, |item| dig(item, rest)),
    }
}

/// Whether two values are the same but for marks that stand for what changes from run to run.
fn alike(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (_, Value::String(mark)) if mark.starts_with('<') && mark.ends_with('>') => true,
        (Value::String(_), Value::String(mark)) if mark.contains("${") => true,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(key, value)| b.get(key).is_some_and(|other| alike(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (a, b) => a == b,
    }
}

fn compare_cells(found: Vec<Value>, expected: &Value) -> Option<String> {
    let mut differences = Vec::new();
    for (key, wanted) in expected["body"].as_object()? {
        let Some(index) = key.strip_prefix("rows.0.cells.") else {
            continue;
        };
        let found = found.get(index.parse::<usize>().ok()?).cloned();
        if !alike(&found.clone().unwrap_or_default(), wanted) {
            differences.push(format!("cell {index}: {found:?}, wanted {wanted}"));
        }
    }
    (!differences.is_empty()).then(|| differences.join("\n"))
}

fn check(file: &str, only: &[&str], known: &[&str]) {
    let differences: Vec<String> = replay(file, only)
        .into_iter()
        .filter(|difference| !known.iter().any(|start| difference.starts_with(start)))
        .collect();
    assert_eq!(differences.join("\n"), "", "{}", json!(differences.len()));
}

#[test]
fn apps() {
    check("kinds-apps", &[""], &[]);
}

#[test]
fn batch() {
    check("kinds-batch", &[""], &[]);
}

#[test]
fn pods() {
    check(
        "kinds-core",
        &["Pod: "],
        &[
            // Needs the admission of service accounts.
            "Pod: everything defaulted inside what is set [0]",
            // Need the admission of priorities, tolerations and limits.
            "Pod: the least there may be, with its defaults [0]",
            "Pod: token volume",
            "Pod: priority class sets the priority [1]",
            "Pod: default tolerations are added, not doubled [0]",
            "Pod: limits of the namespace are filled in [1]",
            // Needs the delete before.
            "Pod: a bound pod is deleted with grace [3]",
        ],
    );
}

#[test]
fn net() {
    check("kinds-net", &[""], &[]);
}

#[test]
fn core_kinds() {
    check(
        "kinds-core",
        &[
            "Namespace",
            "ConfigMap",
            "Secret",
            "ServiceAccount",
            "Event (v1)",
            "Node",
        ],
        &[
            // Needs the token's maker.
            "Secret: service account token is filled in [2]",
            // Another namespace than all others.
            "Event (v1): about a node, in the default namespace [0]",
            // Refused before the rules.
            "Node: status: addresses twice, bad quantity [2]",
            // Needs the admission of nodes: they are not ready at first.
            "Node: the least there may be, with its defaults [0]",
            "Node: everything set [0]",
            "Node: status as a kubelet patches it",
        ],
    );
    check("kinds-policy", &["LimitRange", "ResourceQuota"], &[]);
}

#[test]
fn rbac() {
    check("kinds-rbac", &[""], &[]);
}

#[test]
fn storage() {
    // Need the delete before.
    let known = [
        "PersistentVolume: delete waits for the protection finalizer [2]",
        "PersistentVolumeClaim: delete waits for the protection finalizer [2]",
    ];
    check("kinds-storage", &[""], &known);
}

#[test]
fn policy() {
    check(
        "kinds-policy",
        &[
            "Lease",
            "PriorityClass",
            "RuntimeClass",
            "PodDisruptionBudget",
            "HorizontalPodAutoscaler",
            "CertificateSigningRequest",
        ],
        &[],
    );
}
