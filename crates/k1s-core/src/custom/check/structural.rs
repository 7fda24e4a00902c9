// SPDX-License-Identifier: Apache-2.0
//! What makes a schema structural: every field has a type, and junctors only restrict what is said outside of them.

use serde_json::{Map, Value};

use crate::field::Errors;
use crate::object::{is_true, list, text};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Checks a schema whose keywords are right.
pub(super) fn check(schema: &Value, path: &str, errors: &mut Errors) {
    invariants(schema, Level::Root, path, errors);
    complete(schema, schema, path, path, errors);
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

fn schema_at<'a>(schema: &'a Value, key: &str) -> Option<&'a Value> {
    schema.get(key).filter(|s| s.is_object())
}

fn invariants(schema: &Value, level: Level, path: &str, errors: &mut Errors) {
    if let Some(items) = schema_at(schema, "items") {
        invariants(items, Level::Item, &format!("{path}.items"), errors);
    }
    for (name, property) in properties(schema) {
        invariants(
            property,
            Level::Field,
            &format!("{path}.properties[{name}]"),
            errors,
        );
    }
    if let Some(additional) = schema_at(schema, "additionalProperties") {
        invariants(
            additional,
            Level::Field,
            &format!("{path}.additionalProperties"),
            errors,
        );
    }
    let has = |key: &str| is_true(schema, &[key]);
    let (preserves, embedded, int_or_string) = (
        has("x-kubernetes-preserve-unknown-fields"),
        has("x-kubernetes-embedded-resource"),
        has("x-kubernetes-int-or-string"),
    );
    if schema
        .get("additionalProperties")
        .is_some_and(|a| !a.is_null())
    {
        if level == Level::Root {
            errors.forbidden(
                format!("{path}.additionalProperties"),
                "must not be used at the root",
            );
        }
        if embedded {
            errors.forbidden(
                format!("{path}.additionalProperties"),
                "must not be used if x-kubernetes-embedded-resource is set",
            );
        }
    }
    if int_or_string {
        for (on, key) in [
            (preserves, "x-kubernetes-preserve-unknown-fields"),
            (embedded, "x-kubernetes-embedded-resource"),
        ] {
            if on {
                errors.invalid(
                    format!("{path}.{key}"),
                    &Value::Bool(true),
                    "must be false if x-kubernetes-int-or-string is true",
                );
            }
        }
    }
    junctors(schema, int_or_string, path, errors);
    types(
        schema,
        level,
        embedded,
        preserves || int_or_string,
        path,
        errors,
    );
    metadata(schema, level, embedded, path, errors);
    if embedded && !preserves && properties(schema).next().is_none() {
        errors.required(
            format!("{path}.properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        );
    }
}

fn types(
    schema: &Value,
    level: Level,
    embedded: bool,
    may_be_empty: bool,
    path: &str,
    errors: &mut Errors,
) {
    let kind = text(schema, &["type"]);
    let at = format!("{path}.type");
    if embedded && kind != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        if kind.is_empty() {
            errors.required(&at, why);
        } else {
            errors.invalid_text(&at, kind, why);
        }
    } else if kind.is_empty() && !may_be_empty {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.required(&at, why);
    }
    if level == Level::Root && !kind.is_empty() && kind != "object" {
        errors.invalid_text(&at, kind, "must be object at the root");
    }
    if kind == "array" && schema.get("items").is_none_or(Value::is_null) {
        errors.required(format!("{path}.items"), "must be specified");
    }
}

fn metadata(schema: &Value, level: Level, embedded: bool, path: &str, errors: &mut Errors) {
    let property = |name: &str| schema.get("properties").and_then(|p| p.get(name));
    if level == Level::Root || embedded {
        for (name, wanted) in [
            ("kind", "string"),
            ("apiVersion", "string"),
            ("metadata", "object"),
        ] {
            if let Some(own) = property(name)
                .map(|p| text(p, &["type"]))
                .filter(|t| *t != wanted)
            {
                errors.invalid_text(
                    format!("{path}.properties[{name}].type"),
                    own,
                    format!("must be {wanted}"),
                );
            }
        }
    }
    let Some(metadata) = property("metadata").filter(|_| level == Level::Root) else {
        return;
    };
    let mut rest: Map<String, Value> = metadata.as_object().cloned().unwrap_or_default();
    let known =
        properties(metadata).all(|(name, _)| matches!(name.as_str(), "name" | "generateName"));
    if known {
        rest.remove("properties");
    }
    for key in ["type", "default"] {
        rest.remove(key);
    }
    if !rest.is_empty() {
        errors.forbidden(
            format!("{path}.properties[metadata]"),
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        );
    }
}

/// Whether this is `anyOf: [{type: integer}, {type: string}]`, as generators write int-or-string.
fn is_int_or_string(any_of: &[Value]) -> bool {
    let only = |schema: &Value, kind: &str| {
        schema.as_object().is_some_and(|m| m.len() == 1) && text(schema, &["type"]) == kind
    };
    matches!(any_of, [a, b] if only(a, "integer") && only(b, "string"))
}

fn junctors(schema: &Value, int_or_string: bool, path: &str, errors: &mut Errors) {
    let any_of = list(schema, &["anyOf"]);
    if !(int_or_string && is_int_or_string(any_of)) {
        for (i, one) in any_of.iter().enumerate() {
            nested(one, &format!("{path}.anyOf[{i}]"), errors);
        }
    }
    for (i, one) in list(schema, &["allOf"]).iter().enumerate() {
        let is_pattern = int_or_string && i == 0 && is_int_or_string(list(one, &["anyOf"]));
        if !is_pattern {
            nested(one, &format!("{path}.allOf[{i}]"), errors);
        }
    }
    for (i, one) in list(schema, &["oneOf"]).iter().enumerate() {
        nested(one, &format!("{path}.oneOf[{i}]"), errors);
    }
    if let Some(not) = schema_at(schema, "not") {
        nested(not, &format!("{path}.not"), errors);
    }
}

/// What stands within a junctor may say nothing but checks of values.
fn nested(schema: &Value, path: &str, errors: &mut Errors) {
    junctors(schema, false, path, errors);
    if let Some(items) = schema_at(schema, "items") {
        nested(items, &format!("{path}.items"), errors);
    }
    for (name, property) in properties(schema) {
        nested(property, &format!("{path}.properties[{name}]"), errors);
    }
    let given = |key: &str| schema.get(key).is_some_and(|v| !v.is_null());
    if !text(schema, &["type"]).is_empty() {
        errors.forbidden(format!("{path}.type"), "must be empty to be structural");
    }
    for key in ["additionalProperties", "default"] {
        if given(key) {
            errors.forbidden(
                format!("{path}.{key}"),
                "must be undefined to be structural",
            );
        }
    }
    for key in ["title", "description"] {
        if !text(schema, &[key]).is_empty() {
            errors.forbidden(format!("{path}.{key}"), "must be empty to be structural");
        }
    }
    for key in [
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        if is_true(schema, &[key]) {
            errors.forbidden(format!("{path}.{key}"), "must be false to be structural");
        }
    }
    for key in [
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-map-type",
    ] {
        if given(key) {
            errors.forbidden(
                format!("{path}.{key}"),
                "must be undefined to be structural",
            );
        }
    }
    if schema
        .get("properties")
        .is_some_and(|p| p.get("metadata").is_some())
    {
        errors.forbidden(
            format!("{path}.properties[metadata]"),
            "must not be specified in a nested context",
        );
    }
}

/// What junctors of the root speak of is said outside of them too.
fn complete(junctor: &Value, schema: &Value, path: &str, place: &str, errors: &mut Errors) {
    for key in ["allOf", "anyOf", "oneOf"] {
        for (i, one) in list(junctor, &[key]).iter().enumerate() {
            known(
                one,
                Some(schema),
                path,
                &format!("{place}.{key}[{i}]"),
                errors,
            );
        }
    }
    if let Some(not) = schema_at(junctor, "not") {
        known(not, Some(schema), path, &format!("{place}.not"), errors);
    }
}

fn known(nested: &Value, schema: Option<&Value>, path: &str, place: &str, errors: &mut Errors) {
    let Some(schema) = schema else {
        errors.required(path, &format!("because it is defined in {place}"));
        return;
    };
    complete(nested, schema, path, place, errors);
    if let Some(items) = schema_at(nested, "items") {
        known(
            items,
            schema_at(schema, "items"),
            &format!("{path}.items"),
            &format!("{place}.items"),
            errors,
        );
    }
    for (name, property) in properties(nested) {
        known(
            property,
            schema.get("properties").and_then(|p| p.get(name)),
            &format!("{path}.properties[{name}]"),
            &format!("{place}.properties[{name}]"),
            errors,
        );
    }
}
