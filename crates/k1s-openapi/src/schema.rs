// SPDX-License-Identifier: Apache-2.0
//! The schema of a built-in type as OpenAPI writes it, in version 2 or 3.

use k1s_core::schema::{Field, Form, ListType, Presence, Schema, Shape};
use serde_json::{Map, Value, json};

use crate::descriptions::Descriptions;

/// The version of OpenAPI that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Version 2: no defaults, words stand beside a reference, quantities are strings.
    V2,
    /// Version 3
    V3,
}

impl Dialect {
    /// A reference to a schema.
    pub(crate) fn reference(self, schema: &str) -> Value {
        match self {
            Self::V2 => json!({"$ref": format!("#/definitions/{schema}")}),
            Self::V3 => json!({"$ref": format!("#/components/schemas/{schema}")}),
        }
    }
}

/// Types of which only one field may be set: the field that tells which, and its value for each.
#[expect(clippy::type_complexity, reason = "a table that is read in one place")]
const UNIONS: [(&str, &str, &[(&str, &str)]); 5] = [
    (
        "io.k8s.api.core.v1.AppArmorProfile",
        "type",
        &[("localhostProfile", "LocalhostProfile")],
    ),
    (
        "io.k8s.api.core.v1.SeccompProfile",
        "type",
        &[("localhostProfile", "LocalhostProfile")],
    ),
    (
        "io.k8s.api.flowcontrol.v1.LimitResponse",
        "type",
        &[("queuing", "Queuing")],
    ),
    (
        "io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec",
        "type",
        &[("exempt", "Exempt"), ("limited", "Limited")],
    ),
    (
        "io.k8s.api.flowcontrol.v1.Subject",
        "kind",
        &[
            ("group", "Group"),
            ("serviceAccount", "ServiceAccount"),
            ("user", "User"),
        ],
    ),
];

/// Values that need no more words than these.
const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

/// A schema with its descriptions.
pub(crate) fn schema(schema: &Schema, dialect: Dialect, texts: &mut Descriptions) -> Value {
    let mut out = leaf(schema, dialect);
    let words = match texts.of_type(schema.name) {
        "" => of_list(schema).unwrap_or_default(),
        words => words.to_owned(),
    };
    if !words.is_empty() {
        out.insert("description".into(), words.into());
    }
    if !schema.fields.is_empty() {
        let properties: Map<String, Value> = schema
            .fields
            .iter()
            .map(|f| (f.name.to_owned(), field(schema, f, dialect, texts)))
            .collect();
        out.insert("properties".into(), properties.into());
    }
    if !schema.required.is_empty() {
        out.insert("required".into(), schema.required.into());
    }
    if !schema.gvks.is_empty() {
        let kinds = schema.gvks.iter().map(
            |(group, version, kind)| json!({"group": group, "version": version, "kind": kind}),
        );
        out.insert("x-kubernetes-group-version-kind".into(), kinds.collect());
    }
    if schema.atomic {
        out.insert("x-kubernetes-map-type".into(), "atomic".into());
    }
    if let Some((_, discriminator, fields)) = UNIONS.iter().find(|(name, ..)| *name == schema.name)
    {
        let fields: Map<String, Value> = fields
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).into()))
            .collect();
        out.insert(
            "x-kubernetes-unions".into(),
            json!([{"discriminator": discriminator, "fields-to-discriminateBy": fields}]),
        );
    }
    out.into()
}

/// Type and format of a schema.
fn leaf(schema: &Schema, dialect: Dialect) -> Map<String, Value> {
    let out = match schema.form {
        Form::Quantity if dialect == Dialect::V3 => {
            json!({"oneOf": [{"type": "string"}, {"type": "number"}]})
        }
        Form::Quantity => json!({"type": "string"}),
        Form::IntOrString if dialect == Dialect::V3 => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        Form::IntOrString => json!({"format": "int-or-string", "type": "string"}),
        Form::Time | Form::MicroTime => json!({"format": "date-time", "type": "string"}),
        // what may be more than an object has no type
        Form::Any if schema.name.starts_with("io.k8s.apiextensions-apiserver.") => json!({}),
        Form::Any | Form::Object => json!({"type": "object"}),
    };
    match out {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Lists have no descriptions of their own.
fn of_list(schema: &Schema) -> Option<String> {
    let kind = schema.short_name().strip_suffix("List")?;
    schema
        .field("items")
        .map(|_| format!("{kind}List is a list of objects of kind {kind}."))
}

fn words(schema: &Schema, field: &Field, texts: &mut Descriptions) -> String {
    let known = texts.of_field(schema.name, field.name);
    let mut words = if known.is_empty() && of_list(schema).is_some() {
        match field.name {
            "items" => "The objects of the list.".to_owned(),
            "metadata" => "Metadata of the list.".to_owned(),
            // the words of these two are the same everywhere
            name => texts
                .of_field("io.k8s.api.core.v1.ConfigMap", name)
                .to_owned(),
        }
    } else {
        known.to_owned()
    };
    if !field.values.is_empty() && matches!(field.shape, Shape::String) {
        words.push_str("\n\nPossible enum values:");
        for value in field.values {
            words.push_str(&format!("\n - `{value:?}`"));
            if PROTOCOLS.contains(value) {
                words.push_str(&format!(" is the {value} protocol."));
            }
        }
    }
    words
}

fn field(schema: &Schema, field: &Field, dialect: Dialect, texts: &mut Descriptions) -> Value {
    let pointer = matches!(field.presence, Presence::Given | Presence::Null);
    let mut out = shape(
        &field.shape,
        field,
        pointer,
        field.presence == Presence::Always,
        dialect,
    );
    let mut more = Map::new();
    let words = words(schema, field, texts);
    if !words.is_empty() {
        more.insert("description".into(), words.into());
    }
    if let (Some(default), Dialect::V3) = (
        field
            .default
            .and_then(|d| serde_json::from_str::<Value>(d).ok()),
        dialect,
    ) {
        more.insert("default".into(), default);
    }
    let is_map = matches!(field.shape, Shape::Map(_) | Shape::Object(_));
    let list_type = match field.list {
        ListType::Plain => None,
        ListType::Atomic => Some("atomic"),
        ListType::Granular => Some("granular"),
        ListType::Set => Some("set"),
        ListType::Keyed => Some("map"),
    };
    if let Some(list_type) = list_type {
        let key = if is_map {
            "x-kubernetes-map-type"
        } else {
            "x-kubernetes-list-type"
        };
        more.insert(key.into(), list_type.into());
    }
    if !field.keys.is_empty() {
        more.insert("x-kubernetes-list-map-keys".into(), field.keys.into());
    }
    let strategy = field.strategy;
    let strategies: Vec<&str> = [
        (strategy.merge, "merge"),
        (strategy.retain_keys, "retainKeys"),
        (strategy.replace, "replace"),
    ]
    .into_iter()
    .filter_map(|(is, name)| is.then_some(name))
    .collect();
    if !strategies.is_empty() {
        more.insert(
            "x-kubernetes-patch-strategy".into(),
            strategies.join(",").into(),
        );
    }
    if let Some(key) = field.merge_key {
        more.insert("x-kubernetes-patch-merge-key".into(), key.into());
    }
    // in version 3 nothing may stand beside a reference
    if !more.is_empty() && dialect == Dialect::V3 && out.contains_key("$ref") {
        out = Map::from_iter([("allOf".to_owned(), json!([out]))]);
    }
    out.extend(more);
    out.into()
}

/// The schema of a value. `always` says that a zero value is written, which version 3 tells as a default.
fn shape(
    shape: &Shape,
    field: &Field,
    pointer: bool,
    always: bool,
    dialect: Dialect,
) -> Map<String, Value> {
    let mut out = Map::new();
    let mut primitive = |kind: &str, format: &str, zero: Value| {
        out.insert("type".into(), kind.into());
        if !format.is_empty() {
            out.insert("format".into(), format.into());
        }
        if always && dialect == Dialect::V3 && !zero.is_null() {
            out.insert("default".into(), zero);
        }
        if !field.values.is_empty() {
            out.insert("enum".into(), field.values.into());
        }
    };
    match shape {
        Shape::String => primitive("string", "", "".into()),
        Shape::Bytes => primitive("string", "byte", Value::Null),
        Shape::Bool => primitive("boolean", "", false.into()),
        Shape::Int32 => primitive("integer", "int32", 0.into()),
        Shape::Int64 => primitive("integer", "int64", 0.into()),
        Shape::Double => primitive("number", "double", 0.into()),
        Shape::Any => primitive("object", "", Value::Null),
        Shape::Object(of) => {
            let reference = dialect.reference(of.name);
            if pointer || of.form != Form::Object || dialect == Dialect::V2 {
                return Map::from_iter([("$ref".to_owned(), reference["$ref"].clone())]);
            }
            out.insert("allOf".into(), json!([reference]));
            out.insert("default".into(), json!({}));
        }
        Shape::List(of) => {
            out.insert("type".into(), "array".into());
            out.insert(
                "items".into(),
                self::shape(of, field, false, true, dialect).into(),
            );
        }
        Shape::Map(of) => {
            out.insert("type".into(), "object".into());
            out.insert(
                "additionalProperties".into(),
                self::shape(of, field, false, true, dialect).into(),
            );
        }
    }
    out
}

#[cfg(test)]
mod tests;
