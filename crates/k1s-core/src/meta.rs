// SPDX-License-Identifier: Apache-2.0
//! Object metadata: what the server fills in on a write, and what it checks.

use serde_json::{Map, Value};

use crate::field::{Errors, Fault, Path, quote};
use crate::kinds::Kind;
use crate::name;
use crate::object::{self, finalizers, list, map_mut, text};
use crate::rules::{Generation, Rules};
use crate::status::Status;

/// Annotations of an object hold at most this many bytes.
const MOST_ANNOTATION_BYTES: usize = 256 * 1024;
const METADATA: Path<'static> = Path::new("metadata");
/// Finalizer of an object whose dependents go first.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents stay.
pub const ORPHAN: &str = "orphan";

/// What the server gives a new object.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// Namespace of the request.
    pub namespace: &'a str,
    /// A new uid.
    pub uid: &'a str,
    /// The present time, RFC 3339.
    pub now: &'a str,
    /// Five random characters to put behind `generateName`.
    pub suffix: &'a str,
}

/// Fits the object's namespace to that of the request.
///
/// # Errors
/// 400 when the two differ.
pub fn fit_namespace(kind: &Kind, object: &mut Value, namespace: &str) -> Result<(), Status> {
    let metadata = map_mut(object, &["metadata"]);
    if !kind.namespaced {
        metadata.remove("namespace");
        return Ok(());
    }
    match metadata
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or_default()
    {
        "" => {
            metadata.insert("namespace".into(), namespace.into());
            Ok(())
        }
        own if own == namespace => Ok(()),
        _ => Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        )),
    }
}

/// Fills in the metadata of a new object.
pub fn begin(rules: &Rules, object: &mut Value, birth: &Birth<'_>) {
    let metadata = map_mut(object, &["metadata"]);
    for key in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "managedFields",
    ] {
        metadata.remove(key);
    }
    metadata.insert("creationTimestamp".into(), birth.now.into());
    metadata.insert("uid".into(), birth.uid.into());
    if rules.generation != Generation::None {
        metadata.insert("generation".into(), 1.into());
    }
    let prefix = metadata
        .get("generateName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if !prefix.is_empty() && object::is_unset(metadata.get("name")) {
        // a name has 63 characters at most, of which the suffix takes five
        let end = prefix
            .char_indices()
            .map(|(i, _)| i)
            .take_while(|i| *i <= 58)
            .last()
            .map_or(0, |i| if prefix.len() <= 58 { prefix.len() } else { i });
        let name = format!("{}{}", &prefix[..end], birth.suffix);
        metadata.insert("name".into(), name.into());
    } else if rules.names_itself && object::is_unset(metadata.get("name")) {
        metadata.insert("name".into(), birth.uid.into());
    }
}

/// Puts back what an update cannot change, before the kind's own rules look at it.
pub fn carry_over(object: &mut Value, old: &Value) {
    let before = object::map(old, &["metadata"]).cloned().unwrap_or_default();
    let metadata = map_mut(object, &["metadata"]);
    metadata.remove("managedFields");
    for key in ["creationTimestamp", "generation"] {
        put_back(metadata, &before, key);
    }
    if object::is_unset(metadata.get("uid")) {
        put_back(metadata, &before, "uid");
    }
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds"] {
        if before.contains_key(key) {
            put_back(metadata, &before, key);
        }
    }
}

fn put_back(metadata: &mut Map<String, Value>, before: &Map<String, Value>, key: &str) {
    match before.get(key) {
        Some(value) => metadata.insert(key.into(), value.clone()),
        None => metadata.remove(key),
    };
}

/// Drops references to owners that stand there twice; says whether there were any.
pub fn drop_repeated_owners(object: &mut Value) -> bool {
    const PATH: [&str; 2] = ["metadata", "ownerReferences"];
    let owners = list(object, &PATH);
    let mut kept: Vec<Value> = Vec::new();
    for owner in owners {
        if !kept.contains(owner) {
            kept.push(owner.clone());
        }
    }
    if kept.len() == owners.len() {
        return false;
    }
    object::set(object, &PATH, kept);
    true
}

/// Lets the generation grow when the write changed what counts.
pub fn count_generation(rules: &Rules, object: &mut Value, old: &Value) {
    let grows = match rules.generation {
        Generation::None => false,
        Generation::Spec => object.get("spec") != old.get("spec"),
        Generation::SpecAndAnnotations => {
            const ANNOTATIONS: [&str; 2] = ["metadata", "annotations"];
            object.get("spec") != old.get("spec")
                || object::map(object, &ANNOTATIONS).filter(|m| !m.is_empty())
                    != object::map(old, &ANNOTATIONS).filter(|m| !m.is_empty())
        }
        Generation::Content => content(object) != content(old),
        Generation::ContentAndLabels => {
            const LABELS: [&str; 2] = ["metadata", "labels"];
            content(object) != content(old)
                || object::map(object, &LABELS).filter(|m| !m.is_empty())
                    != object::map(old, &LABELS).filter(|m| !m.is_empty())
        }
        Generation::ContentAndStatus => {
            content(object) != content(old) || object.get("status") != old.get("status")
        }
    };
    if grows {
        let next = object::int(old, &["metadata", "generation"]).unwrap_or_default() + 1;
        object::set(object, &["metadata", "generation"], next);
    }
}

fn content(object: &Value) -> Vec<(&String, &Value)> {
    let outside = |key: &str| matches!(key, "metadata" | "status" | "apiVersion" | "kind");
    object
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !outside(key))
        .collect()
}

/// Checks the metadata of a new object.
pub fn validate(kind: &Kind, rules: &Rules, object: &Value, errors: &mut Errors) {
    let prefix = text(object, &["metadata", "generateName"]);
    if !prefix.is_empty() {
        for complaint in rules.name.generate_name(prefix) {
            errors.invalid_text(METADATA.child("generateName"), prefix, complaint);
        }
    }
    let own = object::name(object);
    if own.is_empty() {
        errors.required(METADATA.child("name"), "name or generateName is required");
    } else {
        for complaint in rules.name.name(own) {
            errors.invalid_text(METADATA.child("name"), own, complaint);
        }
    }
    let namespace = object::namespace(object);
    if kind.namespaced {
        if namespace.is_empty() {
            errors.required(METADATA.child("namespace"), "");
        } else {
            for complaint in name::dns1123_label(namespace) {
                errors.invalid_text(METADATA.child("namespace"), namespace, complaint);
            }
        }
    } else if !namespace.is_empty() {
        errors.forbidden(METADATA.child("namespace"), "not allowed on this type");
    }
    if let Some(generation) = object::at(object, &["metadata", "generation"])
        .filter(|g| g.as_i64().is_some_and(|n| n < 0))
    {
        errors.invalid(
            METADATA.child("generation"),
            generation,
            "must be greater than or equal to 0",
        );
    }
    labels_and_owners(object, errors);
    check_finalizers(rules, object, errors);
    both_policies(object, errors);
}

fn check_finalizers(rules: &Rules, object: &Value, errors: &mut Errors) {
    let path = METADATA.child("finalizers");
    for finalizer in finalizers(object) {
        for complaint in name::label_key(finalizer) {
            errors.invalid_text(path, finalizer, complaint);
        }
    }
    if rules.plain_finalizers {
        return;
    }
    for (index, finalizer) in finalizers(object).enumerate() {
        for complaint in name::finalizer_name(finalizer) {
            errors.invalid_text(path.index(index), finalizer, complaint);
        }
    }
}

fn both_policies(object: &Value, errors: &mut Errors) {
    if finalizers(object).any(|f| f == ORPHAN)
        && finalizers(object).any(|f| f == FOREGROUND)
        && let Some(all) = object::at(object, &["metadata", "finalizers"])
    {
        errors.invalid(
            METADATA.child("finalizers"),
            all,
            "finalizer orphan and foregroundDeletion cannot be both set",
        );
    }
}

fn labels_and_owners(object: &Value, errors: &mut Errors) {
    check_labels(
        object::map(object, &["metadata", "labels"]),
        &METADATA.child("labels"),
        errors,
    );
    check_annotations(
        object::map(object, &["metadata", "annotations"]),
        &METADATA.child("annotations"),
        errors,
    );
    check_owners(list(object, &["metadata", "ownerReferences"]), errors);
}

/// Checks labels: their keys and their values.
pub fn check_labels(labels: Option<&Map<String, Value>>, path: &Path<'_>, errors: &mut Errors) {
    for (key, value) in labels.into_iter().flatten() {
        for complaint in name::label_key(key) {
            errors.invalid_text(path, key, complaint);
        }
        let value = value.as_str().unwrap_or_default();
        for complaint in name::label_value(value) {
            errors.invalid_text(path, value, complaint);
        }
    }
}

/// Checks annotations: their keys and their size.
pub fn check_annotations(
    annotations: Option<&Map<String, Value>>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut bytes = 0;
    for (key, value) in annotations.into_iter().flatten() {
        for complaint in name::annotation_key(key) {
            errors.invalid_text(path, key, complaint);
        }
        bytes += key.len() + value.as_str().map_or(0, str::len);
    }
    if bytes > MOST_ANNOTATION_BYTES {
        errors.too_long(path, MOST_ANNOTATION_BYTES);
    }
}

fn check_owners(owners: &[Value], errors: &mut Errors) {
    let path = METADATA.child("ownerReferences");
    let mut controller: Option<String> = None;
    for owner in owners {
        let api_version = text(owner, &["apiVersion"]);
        // what is no group and version has neither
        let (group, version) = if api_version.matches('/').count() > 1 {
            ("", "")
        } else {
            crate::kinds::split_api_version(api_version)
        };
        if version.is_empty() {
            errors.invalid_text(
                path.child("apiVersion"),
                api_version,
                "version must not be empty",
            );
        }
        for key in ["kind", "name", "uid"] {
            if text(owner, &[key]).is_empty() {
                errors.invalid_text(path.child(key), "", "must not be empty");
            }
        }
        if text(owner, &["kind"]) == "Event" && (group.is_empty() || group == "events.k8s.io") {
            errors.invalid(
                path,
                owner,
                format!("{group}/{version}, Kind=Event is disallowed from being an owner"),
            );
        }
        if object::is_true(owner, &["controller"]) {
            let this = format!("{}/{}", text(owner, &["kind"]), text(owner, &["name"]));
            match &controller {
                None => controller = Some(this),
                Some(first) => {
                    let detail = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                    );
                    errors.invalid(path, &Value::from(owners), detail);
                }
            }
        }
    }
}

/// Checks the metadata of a changed object.
pub fn validate_update(rules: &Rules, object: &Value, old: &Value, errors: &mut Errors) {
    if object::is_deleting(old) {
        let added: Vec<&str> = finalizers(object)
            .filter(|f| !finalizers(old).any(|o| o == *f))
            .collect();
        if !added.is_empty() {
            let quoted: Vec<String> = added.iter().map(|f| quote(f)).collect();
            let detail = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                quoted.join(", ")
            );
            errors.forbidden(METADATA.child("finalizers"), detail);
        }
    }
    let (now, before) = (
        object::at(object, &["metadata"]).unwrap_or(&Value::Null),
        object::at(old, &["metadata"]).unwrap_or(&Value::Null),
    );
    for key in [
        "name",
        "namespace",
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        immutable(now.get(key), before.get(key), &METADATA.child(key), errors);
    }
    check_finalizers(rules, object, errors);
    both_policies(object, errors);
    labels_and_owners(object, errors);
}

/// `field is immutable` where a value is another than it was.
pub fn immutable(
    now: Option<&Value>,
    before: Option<&Value>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (now, before) = (now.unwrap_or(&Value::Null), before.unwrap_or(&Value::Null));
    if now != before {
        errors.push(
            Fault::Invalid,
            path,
            format!(
                "Invalid value: {}: field is immutable",
                crate::field::show(now)
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{kinds, rules};
    use serde_json::json;

    fn birth() -> Birth<'static> {
        Birth {
            namespace: "n",
            uid: "u",
            now: "2026-01-02T03:04:05Z",
            suffix: "abcde",
        }
    }

    #[test]
    fn a_new_object_gets_its_metadata() {
        let kind = kinds::of_kind("", "v1", "ConfigMap").unwrap();
        let mut object =
            json!({"metadata": {"generateName": "gen-", "uid": "mine", "deletionTimestamp": "x"}});
        fit_namespace(kind, &mut object, "n").unwrap();
        begin(rules::of(kind), &mut object, &birth());
        assert_eq!(
            object,
            json!({"metadata": {"generateName": "gen-", "name": "gen-abcde", "namespace": "n", "uid": "u", "creationTimestamp": "2026-01-02T03:04:05Z"}})
        );
        assert_eq!(
            fit_namespace(kind, &mut object, "other").unwrap_err().code,
            400
        );
    }

    #[test]
    fn a_long_prefix_is_cut() {
        let kind = kinds::of_kind("", "v1", "ConfigMap").unwrap();
        for (length, expected) in [(5, 10), (58, 63), (59, 63), (200, 63)] {
            let mut object = json!({"metadata": {"generateName": "a".repeat(length)}});
            begin(rules::of(kind), &mut object, &birth());
            assert_eq!(object::name(&object).len(), expected, "{length}");
        }
    }

    fn check(metadata: Value, expected: &[&str]) {
        let kind = kinds::of_kind("", "v1", "ConfigMap").unwrap();
        let mut errors = Errors::new();
        validate(
            kind,
            rules::of(kind),
            &json!({"metadata": metadata}),
            &mut errors,
        );
        let got: Vec<String> = errors
            .iter()
            .map(|e| format!("{}: {}", e.field, e.message))
            .collect();
        assert_eq!(
            got.iter()
                .map(|m| m.chars().take(60).collect::<String>())
                .collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn metadata_is_checked() {
        check(json!({"name": "a", "namespace": "n"}), &[]);
        check(
            json!({"namespace": "n"}),
            &["metadata.name: Required value: name or generateName is requi"],
        );
        check(
            json!({"name": "a", "namespace": "n", "finalizers": ["noslash"]}),
            &["metadata.finalizers[0]: Invalid value: \"noslash\": name is ne"],
        );
        check(
            json!({"name": "a", "namespace": "n", "ownerReferences": [{"apiVersion": "v1", "kind": "X", "name": "y"}]}),
            &["metadata.ownerReferences.uid: Invalid value: \"\": must not be"],
        );
        check(
            json!({"name": "a", "namespace": "n", "labels": {"bad key!": "v"}}),
            &["metadata.labels: Invalid value: \"bad key!\": name part must c"],
        );
    }
}
