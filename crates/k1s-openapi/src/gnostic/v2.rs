// SPDX-License-Identifier: Apache-2.0
//! The messages of `openapi.v2`.

use serde_json::Value;

use super::Wire::{Any, Anys, Bool, Double, Entries, Integer, Many, One, Text, Texts};
use super::{Keys, entries, fill};
use crate::protobuf::Writer;

static PATH_ITEM: &Keys = &[
    ("get", 2, One(operation)),
    ("put", 3, One(operation)),
    ("post", 4, One(operation)),
    ("delete", 5, One(operation)),
    ("options", 6, One(operation)),
    ("head", 7, One(operation)),
    ("patch", 8, One(operation)),
    ("parameters", 9, Many(parameter_or_reference)),
];

static OPERATION: &Keys = &[
    ("tags", 1, Texts),
    ("summary", 2, Text),
    ("description", 3, Text),
    ("operationId", 5, Text),
    ("produces", 6, Texts),
    ("consumes", 7, Texts),
    ("parameters", 8, Many(parameter_or_reference)),
    ("responses", 9, One(responses)),
    ("schemes", 10, Texts),
    ("deprecated", 11, Bool),
];

static REFERENCE: &Keys = &[("$ref", 1, Text), ("description", 2, Text)];

static BODY: &Keys = &[
    ("description", 1, Text),
    ("name", 2, Text),
    ("in", 3, Text),
    ("required", 4, Bool),
    ("schema", 5, One(schema)),
];

static QUERY: &Keys = &[
    ("required", 1, Bool),
    ("in", 2, Text),
    ("description", 3, Text),
    ("name", 4, Text),
    ("type", 6, Text),
    ("format", 7, Text),
    ("uniqueItems", 20, Bool),
];

static PATH: &Keys = &[
    ("required", 1, Bool),
    ("in", 2, Text),
    ("description", 3, Text),
    ("name", 4, Text),
    ("type", 5, Text),
    ("format", 6, Text),
    ("uniqueItems", 19, Bool),
];

static RESPONSE: &Keys = &[("description", 1, Text), ("schema", 2, One(schema_item))];

static SCHEMA: &Keys = &[
    ("$ref", 1, Text),
    ("format", 2, Text),
    ("title", 3, Text),
    ("description", 4, Text),
    ("default", 5, Any),
    ("multipleOf", 6, Double),
    ("maximum", 7, Double),
    ("exclusiveMaximum", 8, Bool),
    ("minimum", 9, Double),
    ("exclusiveMinimum", 10, Bool),
    ("maxLength", 11, Integer),
    ("minLength", 12, Integer),
    ("pattern", 13, Text),
    ("maxItems", 14, Integer),
    ("minItems", 15, Integer),
    ("uniqueItems", 16, Bool),
    ("maxProperties", 17, Integer),
    ("minProperties", 18, Integer),
    ("required", 19, Texts),
    ("enum", 20, Anys),
    ("additionalProperties", 21, One(additional_properties)),
    ("type", 22, One(type_item)),
    ("items", 23, One(items)),
    ("allOf", 24, Many(schema)),
    ("properties", 25, Entries(schema)),
    ("readOnly", 27, Bool),
    ("example", 30, Any),
];

static INFO: &Keys = &[("title", 1, Text), ("version", 2, Text)];

static API_KEY: &Keys = &[
    ("type", 1, Text),
    ("name", 2, Text),
    ("in", 3, Text),
    ("description", 4, Text),
];

/// `Info`
pub(crate) fn info(out: &mut Writer, value: &Value) {
    fill(out, value, INFO, 7);
}

/// `PathItem`
pub(crate) fn path_item(out: &mut Writer, value: &Value) {
    fill(out, value, PATH_ITEM, 10);
}

/// `Schema`
pub(crate) fn schema(out: &mut Writer, value: &Value) {
    fill(out, value, SCHEMA, 31);
}

/// `Parameter`
pub(crate) fn parameter(out: &mut Writer, value: &Value) {
    match value["in"].as_str() {
        Some("body") => out.message(1, |w| fill(w, value, BODY, 6)),
        Some("path") => out.message(2, |w| w.message(4, |w| fill(w, value, PATH, 22))),
        _ => out.message(2, |w| w.message(3, |w| fill(w, value, QUERY, 23))),
    }
}

/// `SecurityDefinitionsItem` of an API key
pub(crate) fn api_key(out: &mut Writer, value: &Value) {
    out.message(2, |w| fill(w, value, API_KEY, 5));
}

/// `SecurityRequirement`
pub(crate) fn security_requirement(out: &mut Writer, value: &Value) {
    entries(out, 1, value, |w, scopes| {
        super::write(w, 1, &Texts, scopes)
    });
}

fn operation(out: &mut Writer, value: &Value) {
    fill(out, value, OPERATION, 13);
}

fn parameter_or_reference(out: &mut Writer, value: &Value) {
    if value.get("$ref").is_some() {
        out.message(2, |w| fill(w, value, REFERENCE, 0));
    } else {
        out.message(1, |w| parameter(w, value));
    }
}

fn responses(out: &mut Writer, value: &Value) {
    entries(out, 1, value, |w, response| {
        w.message(1, |w| fill(w, response, RESPONSE, 5))
    });
}

fn schema_item(out: &mut Writer, value: &Value) {
    out.message(1, |w| schema(w, value));
}

fn additional_properties(out: &mut Writer, value: &Value) {
    match value {
        Value::Bool(allowed) => out.present_bool(2, *allowed),
        value => out.message(1, |w| schema(w, value)),
    }
}

fn type_item(out: &mut Writer, value: &Value) {
    match value {
        Value::String(one) => out.string(1, one),
        many => super::write(out, 1, &Texts, many),
    }
}

fn items(out: &mut Writer, value: &Value) {
    out.message(1, |w| schema(w, value));
}
