// SPDX-License-Identifier: Apache-2.0
//! A structural schema as the tables have those of built-in kinds, for what walks along either: which lists are sets or maps,
//! which maps are one value.

use super::structural::{Additional, List, Structural};
use super::{leak, leak_all};
use crate::schema::{Field, Form, ListType, Presence, Schema, Shape, Strategy};

/// The fields of an object: its names, its metadata, and what its schema has.
pub(super) fn of_root(schema: &Structural) -> &'static [Field] {
    let mut fields: Vec<Field> = schema
        .properties
        .iter()
        .filter(|(name, _)| !["apiVersion", "kind", "metadata"].contains(&name.as_str()))
        .map(|(name, of)| field(leak(name), of))
        .collect();
    for name in ["apiVersion", "kind"] {
        fields.push(plain(name, Shape::String));
    }
    if let Some(metadata) = Schema::named("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta") {
        fields.push(plain("metadata", Shape::Object(metadata)));
    }
    fields.sort_by_key(|f| f.name);
    leak_all(fields)
}

fn plain(name: &'static str, shape: Shape) -> Field {
    Field {
        name,
        shape,
        presence: Presence::Given,
        required: false,
        default: None,
        values: &[],
        list: ListType::Plain,
        keys: &[],
        strategy: Strategy {
            merge: false,
            retain_keys: false,
            replace: false,
        },
        merge_key: None,
    }
}

fn field(name: &'static str, of: &Structural) -> Field {
    let mut out = plain(name, shape(of));
    if of.kind == "array" {
        out.list = match &of.list {
            List::Atomic => ListType::Atomic,
            List::Set => ListType::Set,
            List::Map(keys) => {
                out.keys = leak_all(keys.iter().map(|k| leak(k)).collect());
                ListType::Keyed
            }
        };
    } else if of.kind == "object" && of.map_atomic {
        out.list = ListType::Atomic;
    }
    out
}

fn shape(of: &Structural) -> Shape {
    let boxed = |of: &Structural| -> &'static Shape { Box::leak(Box::new(shape(of))) };
    match of.kind.as_str() {
        _ if of.int_or_string => Shape::Any,
        "string" => Shape::String,
        "boolean" => Shape::Bool,
        "integer" => Shape::Int64,
        "number" => Shape::Double,
        "array" => match &of.items {
            Some(items) => Shape::List(boxed(items)),
            None => Shape::Any,
        },
        "object" => match &of.additional {
            Some(Additional::Of(values)) => Shape::Map(boxed(values)),
            None if !of.preserves && !of.properties.is_empty() => {
                Shape::Object(Box::leak(Box::new(Schema {
                    name: "",
                    form: Form::Object,
                    atomic: of.map_atomic,
                    gvks: &[],
                    required: &[],
                    fields: leak_all(
                        of.properties
                            .iter()
                            .map(|(name, of)| field(leak(name), of))
                            .collect(),
                    ),
                    custom: None,
                })))
            }
            _ => Shape::Any,
        },
        _ => Shape::Any,
    }
}
