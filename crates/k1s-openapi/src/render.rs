// SPDX-License-Identifier: Apache-2.0
//! A path with its operations as version 2 or 3 of OpenAPI writes it.

use serde_json::{Map, Value, json};

use crate::descriptions::Descriptions;
use crate::operation::{Body, Operation, Path};
use crate::parameter::Parameter;
use crate::schema::Dialect;

/// A path item. Parameters that all its operations take are told once.
pub(crate) fn path_item(path: &Path, dialect: Dialect, texts: &mut Descriptions) -> Value {
    let mut out = Map::new();
    let common = common(&path.operations);
    for operation in &path.operations {
        out.insert(
            operation.method.to_owned(),
            self::operation(operation, &common, dialect, texts),
        );
    }
    if !common.is_empty() {
        let common = common.iter().map(|p| parameter(p, dialect, texts));
        out.insert("parameters".into(), common.collect());
    }
    out.into()
}

fn common(operations: &[Operation]) -> Vec<&Parameter> {
    let Some((first, rest)) = operations.split_first() else {
        return Vec::new();
    };
    first
        .parameters
        .iter()
        .filter(|p| rest.iter().all(|o| o.parameters.contains(p)))
        .collect()
}

fn operation(
    operation: &Operation,
    common: &[&Parameter],
    dialect: Dialect,
    texts: &mut Descriptions,
) -> Value {
    let mut out = Map::new();
    out.insert("operationId".into(), operation.id.as_str().into());
    out.insert("description".into(), operation.description.as_str().into());
    out.insert("tags".into(), json!([operation.tag]));
    if !operation.action.is_empty() {
        out.insert("x-kubernetes-action".into(), operation.action.into());
    }
    if let Some((group, version, kind)) = operation.kind {
        out.insert(
            "x-kubernetes-group-version-kind".into(),
            json!({"group": group, "version": version, "kind": kind}),
        );
    }
    let mut parameters: Vec<Value> = operation
        .parameters
        .iter()
        .filter(|p| !common.contains(p))
        .map(|p| parameter(p, dialect, texts))
        .collect();
    match dialect {
        Dialect::V2 => {
            out.insert("schemes".into(), json!(["https"]));
            out.insert("consumes".into(), operation.consumes.into());
            out.insert("produces".into(), operation.produces.into());
            if let Some(body) = &operation.body {
                parameters.insert(0, body_parameter(body));
            }
        }
        Dialect::V3 => {
            if let Some(body) = &operation.body {
                out.insert("requestBody".into(), request_body(body, operation.consumes));
            }
        }
    }
    if !parameters.is_empty() {
        out.insert("parameters".into(), parameters.into());
    }
    out.insert("responses".into(), responses(operation, dialect));
    out.into()
}

fn parameter(parameter: &Parameter, dialect: Dialect, texts: &mut Descriptions) -> Value {
    if dialect == Dialect::V2 && parameter.is_shared() {
        json!({"$ref": format!("#/parameters/{}", parameter.name)})
    } else {
        own_parameter(parameter, dialect, texts)
    }
}

/// A parameter in full.
pub(crate) fn own_parameter(
    parameter: &Parameter,
    dialect: Dialect,
    texts: &mut Descriptions,
) -> Value {
    let mut out = parameter.describe(texts);
    match dialect {
        Dialect::V2 => out.extend(parameter.shape()),
        Dialect::V3 => {
            out.insert("schema".into(), parameter.shape().into());
        }
    }
    out.into()
}

fn body_parameter(body: &Body) -> Value {
    let mut out =
        json!({"name": "body", "in": "body", "schema": Dialect::V2.reference(body.schema)});
    if body.required {
        out["required"] = true.into();
    }
    out
}

fn request_body(body: &Body, types: &[&str]) -> Value {
    let mut out = json!({"content": content(types, &Dialect::V3.reference(body.schema))});
    if body.required {
        out["required"] = true.into();
    }
    out
}

fn content(types: &[&str], schema: &Value) -> Value {
    types
        .iter()
        .map(|t| ((*t).to_owned(), json!({"schema": schema})))
        .collect::<Map<_, _>>()
        .into()
}

fn responses(operation: &Operation, dialect: Dialect) -> Value {
    let schema = operation
        .content
        .map_or_else(|| json!({"type": "string"}), |name| dialect.reference(name));
    let mut out = Map::new();
    for (code, words) in operation.codes {
        let response = match dialect {
            Dialect::V2 => json!({"description": words, "schema": schema}),
            Dialect::V3 => {
                json!({"description": words, "content": content(operation.produces, &schema)})
            }
        };
        out.insert((*code).to_owned(), response);
    }
    out.insert("401".into(), json!({"description": "Unauthorized"}));
    out.into()
}
