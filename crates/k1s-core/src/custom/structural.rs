// SPDX-License-Identifier: Apache-2.0
//! The structural schema of a version: what fields there are, their defaults, and what their values must be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pattern::Pattern;
use crate::object::{is_true, list, text};

/// Schemas within schemas may be so deep; what lies deeper is not looked at.
const MOST_DEPTH: usize = 128;

/// A node of a structural schema, or of a junctor (`allOf`, `anyOf`, `oneOf`, `not`) within one.
#[derive(Debug, Default)]
pub struct Structural {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean`; empty when it is not said.
    pub(super) kind: String,
    pub(super) nullable: bool,
    pub(super) int_or_string: bool,
    pub(super) preserves: bool,
    pub(super) embedded: bool,
    pub(super) list: List,
    pub(super) map_atomic: bool,
    pub(super) properties: BTreeMap<String, Structural>,
    pub(super) additional: Option<Additional>,
    pub(super) items: Option<Box<Structural>>,
    pub(super) default: Option<Value>,
    pub(super) checks: Checks,
}

/// What a map holds beside its properties.
#[derive(Debug)]
pub(super) enum Additional {
    /// Anything (`true`), or nothing (`false`).
    Any(bool),
    /// Values of this schema.
    Of(Box<Structural>),
}

/// How the elements of a list are told apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum List {
    /// They are not.
    #[default]
    Atomic,
    /// By their value.
    Set,
    /// By these fields.
    Map(Vec<String>),
}

/// What a value must be beside its type.
#[derive(Debug, Default)]
pub(super) struct Checks {
    pub(super) format: String,
    pub(super) maximum: Option<serde_json::Number>,
    pub(super) exclusive_maximum: bool,
    pub(super) minimum: Option<serde_json::Number>,
    pub(super) exclusive_minimum: bool,
    pub(super) multiple_of: Option<serde_json::Number>,
    pub(super) max_length: Option<i64>,
    pub(super) min_length: Option<i64>,
    pub(super) pattern: Option<Pattern>,
    pub(super) max_items: Option<i64>,
    pub(super) min_items: Option<i64>,
    pub(super) max_properties: Option<i64>,
    pub(super) min_properties: Option<i64>,
    pub(super) required: Vec<String>,
    pub(super) values: Vec<Value>,
    pub(super) all_of: Vec<Structural>,
    pub(super) any_of: Vec<Structural>,
    pub(super) one_of: Vec<Structural>,
    pub(super) not: Option<Box<Structural>>,
}

impl Structural {
    /// Reads a schema. What is not right in it (see [`super::check`]) is taken as not said.
    #[must_use]
    pub fn parse(schema: &Value) -> Self {
        parse(schema, 0)
    }

    /// The schema of a field of a map.
    pub(super) fn property(&self, name: &str) -> Option<&Self> {
        match (self.properties.get(name), &self.additional) {
            (Some(property), _) => Some(property),
            (None, Some(Additional::Of(of))) => Some(of),
            _ => None,
        }
    }
}

fn parse(schema: &Value, depth: usize) -> Structural {
    if depth > MOST_DEPTH {
        return Structural::default();
    }
    let below = |key: &str| -> Vec<Structural> {
        let all = list(schema, &[key]).iter();
        all.map(|s| parse(s, depth + 1)).collect()
    };
    let one = |key: &str| -> Option<Box<Structural>> {
        let found = schema.get(key).filter(|s| s.is_object())?;
        Some(Box::new(parse(found, depth + 1)))
    };
    let int = |key: &str| schema.get(key).and_then(Value::as_i64);
    let number = |key: &str| match schema.get(key) {
        Some(Value::Number(number)) => Some(number.clone()),
        _ => None,
    };
    let strings = |key: &str| -> Vec<String> {
        let all = list(schema, &[key]).iter().filter_map(Value::as_str);
        all.map(str::to_owned).collect()
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    let additional = match schema.get("additionalProperties") {
        Some(Value::Bool(any)) => Some(Additional::Any(*any)),
        Some(Value::Object(_)) => one("additionalProperties").map(Additional::Of),
        _ => None,
    };
    Structural {
        kind: text(schema, &["type"]).to_owned(),
        nullable: is_true(schema, &["nullable"]),
        int_or_string: is_true(schema, &["x-kubernetes-int-or-string"]),
        preserves: is_true(schema, &["x-kubernetes-preserve-unknown-fields"]),
        embedded: is_true(schema, &["x-kubernetes-embedded-resource"]),
        list: match text(schema, &["x-kubernetes-list-type"]) {
            "set" => List::Set,
            "map" => List::Map(strings("x-kubernetes-list-map-keys")),
            _ => List::Atomic,
        },
        map_atomic: text(schema, &["x-kubernetes-map-type"]) == "atomic",
        properties: properties
            .into_iter()
            .flatten()
            .map(|(name, of)| (name.clone(), parse(of, depth + 1)))
            .collect(),
        additional,
        items: one("items"),
        default: schema.get("default").filter(|d| !d.is_null()).cloned(),
        checks: Checks {
            format: text(schema, &["format"]).to_owned(),
            maximum: number("maximum"),
            exclusive_maximum: is_true(schema, &["exclusiveMaximum"]),
            minimum: number("minimum"),
            exclusive_minimum: is_true(schema, &["exclusiveMinimum"]),
            multiple_of: number("multipleOf"),
            max_length: int("maxLength"),
            min_length: int("minLength"),
            pattern: Some(text(schema, &["pattern"]))
                .filter(|p| !p.is_empty())
                .and_then(|p| Pattern::parse(p).ok()),
            max_items: int("maxItems"),
            min_items: int("minItems"),
            max_properties: int("maxProperties"),
            min_properties: int("minProperties"),
            required: strings("required"),
            values: list(schema, &["enum"]).to_vec(),
            all_of: below("allOf"),
            any_of: below("anyOf"),
            one_of: below("oneOf"),
            not: one("not"),
        },
    }
}
