// SPDX-License-Identifier: Apache-2.0
//! The schemas of kinds that are not built in: as their definitions give them, with what every object has.

use std::collections::BTreeMap;

use k1s_core::kinds::Kind;
use k1s_core::schema::Schema;
use serde_json::{Map, Value, json};

use crate::descriptions::Descriptions;
use crate::schema::{self, Dialect};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const CONVENTIONS: &str = "More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md";

/// Schemas by name, ready to be written.
pub(crate) type Schemas = BTreeMap<&'static str, Value>;

/// The schemas of these kinds and of their lists.
pub(crate) fn schemas(
    kinds: &[&'static Kind],
    dialect: Dialect,
    texts: &mut Descriptions,
) -> Schemas {
    let mut out = Schemas::new();
    let names = names(dialect, texts);
    for kind in kinds {
        let Some(custom) = kind.custom else { continue };
        let gvk = |kind_name: &str| json!([{"group": kind.group, "version": kind.version, "kind": kind_name}]);
        let mut object = custom.openapi.clone();
        adapt(&mut object, dialect, 0);
        if !object.is_object() {
            object = json!({});
        }
        object["type"] = "object".into();
        let mut properties = object["properties"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        properties.extend(names.clone());
        properties.insert(
            "metadata".into(),
            with_words(
                dialect.reference(&format!("{META}.ObjectMeta")),
                &format!("Standard object's metadata. {CONVENTIONS}#metadata"),
                dialect,
            ),
        );
        object["properties"] = properties.into();
        object["x-kubernetes-group-version-kind"] = gvk(kind.kind);
        out.insert(kind.schema.name, object);

        let mut properties = names.clone();
        properties.insert(
            "items".into(),
            json!({"description": format!("List of {}. {CONVENTIONS}", kind.plural), "type": "array", "items": dialect.reference(kind.schema.name)}),
        );
        properties.insert(
            "metadata".into(),
            with_words(
                dialect.reference(&format!("{META}.ListMeta")),
                &format!("Standard list metadata. {CONVENTIONS}#types-kinds"),
                dialect,
            ),
        );
        out.insert(
            custom.list_schema,
            json!({
                "description": format!("{} is a list of {}", custom.list_kind, kind.kind),
                "type": "object",
                "required": ["items"],
                "properties": properties,
                "x-kubernetes-group-version-kind": gvk(custom.list_kind),
            }),
        );
    }
    out
}

/// The two names that every object has, in the words of the built-in kinds.
fn names(dialect: Dialect, texts: &mut Descriptions) -> Map<String, Value> {
    let any = Schema::named("io.k8s.api.core.v1.ConfigMap")
        .map(|s| schema::schema(s, dialect, texts))
        .unwrap_or_default();
    ["apiVersion", "kind"]
        .into_iter()
        .map(|name| (name.to_owned(), any["properties"][name].clone()))
        .collect()
}

/// Version 3 has a description beside a reference only within `allOf`.
fn with_words(reference: Value, words: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::V3 => json!({"allOf": [reference], "description": words}),
        Dialect::V2 => {
            let mut out = reference;
            out["description"] = words.into();
            out
        }
    }
}

/// Definitions are checked not to be deeper.
const MOST_DEPTH: usize = 128;

/// Writes a schema of a definition as a version of OpenAPI can have it.
fn adapt(schema: &mut Value, dialect: Dialect, depth: usize) {
    let Some(map) = schema.as_object_mut().filter(|_| depth < MOST_DEPTH) else {
        return;
    };
    let is = |map: &Map<String, Value>, key: &str| map.get(key) == Some(&Value::Bool(true));
    let int_or_string = is(map, "x-kubernetes-int-or-string");
    match dialect {
        Dialect::V3 => {
            if int_or_string && !map.contains_key("anyOf") && !map.contains_key("allOf") {
                map.insert(
                    "anyOf".into(),
                    json!([{"type": "integer"}, {"type": "string"}]),
                );
            }
        }
        Dialect::V2 => {
            // version 2 has no word for a value that may be null, of two types, or anything
            for key in ["allOf", "anyOf", "oneOf", "not"] {
                map.remove(key);
            }
            let nullable = map.remove("nullable") == Some(Value::Bool(true));
            if nullable || is(map, "x-kubernetes-preserve-unknown-fields") {
                for key in [
                    "type",
                    "items",
                    "properties",
                    "additionalProperties",
                    "required",
                ] {
                    map.remove(key);
                }
            }
            if int_or_string {
                map.remove("type");
            }
        }
    }
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            adapt(property, dialect, depth + 1);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(key) {
            adapt(inner, dialect, depth + 1);
        }
    }
}
