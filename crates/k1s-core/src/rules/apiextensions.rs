// SPDX-License-Identifier: Apache-2.0
//! CustomResourceDefinition: defaults, what a write may change, checks. What a definition means is [`crate::custom`]'s.

use serde_json::{Value, json};

use super::{Generation, Request, Rules};
use crate::custom::check;
use crate::field::quote;
use crate::object::{default, is_true, list, map_mut, text};

pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "CustomResourceDefinition" => Some(&DEFINITION),
        _ => None,
    }
}

static DEFINITION: Rules = Rules {
    default: fill,
    prepare_create,
    prepare_update,
    prepare_status,
    validate: check::create,
    validate_update: check::update,
    warnings,
    generation: Generation::Spec,
    unconditional_update: false,
    plain_finalizers: true,
    ..Rules::NONE
};

fn fill(object: &mut Value) {
    let names = map_mut(object, &["spec", "names"]);
    let kind = names
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if !kind.is_empty() {
        default(names, "singular", kind.to_lowercase());
        default(names, "listKind", format!("{kind}List"));
    }
    let conversion = map_mut(object, &["spec", "conversion"]);
    default(conversion, "strategy", "None");
    if let Some(service) = conversion
        .get_mut("webhook")
        .and_then(|w| w.get_mut("clientConfig"))
        .and_then(|c| c.get_mut("service"))
        .and_then(Value::as_object_mut)
    {
        default(service, "port", 443);
    }
    drop_null_defaults(object);
}

/// A default of null is none.
fn drop_null_defaults(object: &mut Value) {
    for version in crate::object::list_mut(object, &["spec", "versions"]) {
        if let Some(schema) = version.get_mut("schema") {
            drop_nulls(schema);
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.get("default").is_some_and(Value::is_null) {
                map.remove("default");
            }
            for (key, inner) in map.iter_mut() {
                if !matches!(key.as_str(), "default" | "enum" | "example") {
                    drop_nulls(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn prepare_create(object: &mut Value, _: &Request<'_>) {
    object["status"] = json!({"storedVersions": []});
    note_storage_version(object);
}

fn prepare_update(new: &mut Value, old: &Value, _: &Request<'_>) {
    new["status"] = old["status"].clone();
    note_storage_version(new);
}

fn prepare_status(new: &mut Value, old: &Value, _: &Request<'_>) {
    let labels = new["metadata"].clone();
    new["spec"] = old["spec"].clone();
    // of the metadata a status write may change nothing either
    new["metadata"] = old["metadata"].clone();
    if let Some(managed) = labels.get("managedFields") {
        new["metadata"]["managedFields"] = managed.clone();
    }
}

/// The storage version is among those in which objects may be stored.
fn note_storage_version(object: &mut Value) {
    let versions = list(object, &["spec", "versions"]);
    let storage: Vec<Value> = versions
        .iter()
        .filter(|v| is_true(v, &["storage"]))
        .map(|v| v["name"].clone())
        .collect();
    let mut stored = list(object, &["status", "storedVersions"]).to_vec();
    // two of them are a fault that is told about the last
    if let [one] | [one, ..] = storage.as_slice()
        && !stored.contains(one)
    {
        stored.push(one.clone());
    }
    object["status"]["storedVersions"] = stored.into();
}

/// Formats that nobody knows are told.
fn warnings(new: &Value, _: Option<&Value>, out: &mut Vec<String>) {
    for version in list(new, &["spec", "versions"]) {
        let schema = &version["schema"]["openAPIV3Schema"];
        unknown_formats(schema, out);
    }
}

fn unknown_formats(schema: &Value, out: &mut Vec<String>) {
    let format = text(schema, &["format"]);
    if !crate::custom::is_known_format(format) {
        let warning = format!("unrecognized format {}", quote(format));
        if !out.contains(&warning) {
            out.push(warning);
        }
    }
    for property in schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        unknown_formats(property.1, out);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key).filter(|s| s.is_object()) {
            unknown_formats(inner, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Errors;

    fn errors(spec: Value) -> Vec<String> {
        let mut object = json!({"metadata": {"name": "gizmos.example.com"}, "spec": spec});
        fill(&mut object);
        let request = Request {
            now_seconds: 0,
            user: "",
            groups: &[],
        };
        prepare_create(&mut object, &request);
        let mut errors = Errors::new();
        (DEFINITION.validate)(&object, &mut errors);
        errors
            .iter()
            .map(|e| format!("{}: {}", e.field, e.message))
            .collect()
    }

    #[test]
    fn definitions_are_checked() {
        let spec = |schema: Value| {
            json!({"group": "example.com", "scope": "Namespaced", "names": {"kind": "Gizmo", "plural": "gizmos"},
                   "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]})
        };
        assert!(errors(spec(json!({"type": "object"}))).is_empty());
        assert_eq!(
            errors(spec(json!({"type": "object", "properties": {"a": {}}}))),
            [
                "spec.validation.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields"
            ]
        );
        assert_eq!(
            errors(spec(
                json!({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}})
            )),
            [
                "spec.validation.openAPIV3Schema.properties[a].default: Invalid value: \"string\":  in body must be of type integer: \"string\""
            ]
        );
    }
}
