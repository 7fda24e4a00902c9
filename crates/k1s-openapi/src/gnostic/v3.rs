// SPDX-License-Identifier: Apache-2.0
//! The messages of `openapi.v3`.

use serde_json::Value;

use super::Wire::{Any, Anys, Bool, Double, Entries, Integer, Many, One, Text, Texts};
use super::{Keys, entries, fill};
use crate::protobuf::Writer;

static PATH_ITEM: &Keys = &[
    ("get", 4, One(operation)),
    ("put", 5, One(operation)),
    ("post", 6, One(operation)),
    ("delete", 7, One(operation)),
    ("options", 8, One(operation)),
    ("head", 9, One(operation)),
    ("patch", 10, One(operation)),
    ("parameters", 13, Many(parameter)),
];

static OPERATION: &Keys = &[
    ("tags", 1, Texts),
    ("summary", 2, Text),
    ("description", 3, Text),
    ("operationId", 5, Text),
    ("parameters", 6, Many(parameter)),
    ("requestBody", 7, One(request_body)),
    ("responses", 8, One(responses)),
    ("deprecated", 10, Bool),
];

static PARAMETER: &Keys = &[
    ("name", 1, Text),
    ("in", 2, Text),
    ("description", 3, Text),
    ("required", 4, Bool),
    ("schema", 10, One(schema_or_reference)),
];

static REFERENCE: &Keys = &[
    ("$ref", 1, Text),
    ("summary", 2, Text),
    ("description", 3, Text),
];

static REQUEST_BODY: &Keys = &[
    ("description", 1, Text),
    ("content", 2, Entries(media_type)),
    ("required", 3, Bool),
];

static RESPONSE: &Keys = &[
    ("description", 1, Text),
    ("content", 3, Entries(media_type)),
];

static MEDIA_TYPE: &Keys = &[("schema", 1, One(schema_or_reference))];

static SCHEMA: &Keys = &[
    ("nullable", 1, Bool),
    ("readOnly", 3, Bool),
    ("writeOnly", 4, Bool),
    ("example", 7, Any),
    ("deprecated", 8, Bool),
    ("title", 9, Text),
    ("multipleOf", 10, Double),
    ("maximum", 11, Double),
    ("exclusiveMaximum", 12, Bool),
    ("minimum", 13, Double),
    ("exclusiveMinimum", 14, Bool),
    ("maxLength", 15, Integer),
    ("minLength", 16, Integer),
    ("pattern", 17, Text),
    ("maxItems", 18, Integer),
    ("minItems", 19, Integer),
    ("uniqueItems", 20, Bool),
    ("maxProperties", 21, Integer),
    ("minProperties", 22, Integer),
    ("required", 23, Texts),
    ("enum", 24, Anys),
    ("type", 25, Text),
    ("allOf", 26, Many(schema_or_reference)),
    ("oneOf", 27, Many(schema_or_reference)),
    ("anyOf", 28, Many(schema_or_reference)),
    ("not", 29, One(schema)),
    ("items", 30, One(items)),
    ("properties", 31, Entries(schema_or_reference)),
    ("additionalProperties", 32, One(additional_properties)),
    ("default", 33, One(default)),
    ("description", 34, Text),
    ("format", 35, Text),
];

static INFO: &Keys = &[("title", 1, Text), ("version", 6, Text)];

static SECURITY_SCHEME: &Keys = &[
    ("type", 1, Text),
    ("description", 2, Text),
    ("name", 3, Text),
    ("in", 4, Text),
];

/// `Info`
pub(crate) fn info(out: &mut Writer, value: &Value) {
    fill(out, value, INFO, 7);
}

/// `PathItem`
pub(crate) fn path_item(out: &mut Writer, value: &Value) {
    fill(out, value, PATH_ITEM, 14);
}

/// `SchemaOrReference`
pub(crate) fn schema_or_reference(out: &mut Writer, value: &Value) {
    if value.get("$ref").is_some() {
        out.message(2, |w| fill(w, value, REFERENCE, 0));
    } else {
        out.message(1, |w| schema(w, value));
    }
}

/// `SecuritySchemeOrReference`
pub(crate) fn security_scheme(out: &mut Writer, value: &Value) {
    out.message(1, |w| fill(w, value, SECURITY_SCHEME, 9));
}

fn schema(out: &mut Writer, value: &Value) {
    fill(out, value, SCHEMA, 36);
}

fn operation(out: &mut Writer, value: &Value) {
    fill(out, value, OPERATION, 13);
}

fn parameter(out: &mut Writer, value: &Value) {
    out.message(1, |w| fill(w, value, PARAMETER, 14));
}

fn request_body(out: &mut Writer, value: &Value) {
    out.message(1, |w| fill(w, value, REQUEST_BODY, 4));
}

fn responses(out: &mut Writer, value: &Value) {
    entries(out, 2, value, |w, response| {
        w.message(1, |w| fill(w, response, RESPONSE, 5))
    });
}

fn media_type(out: &mut Writer, value: &Value) {
    fill(out, value, MEDIA_TYPE, 5);
}

fn items(out: &mut Writer, value: &Value) {
    out.message(1, |w| schema_or_reference(w, value));
}

fn additional_properties(out: &mut Writer, value: &Value) {
    match value {
        Value::Bool(allowed) => out.present_bool(2, *allowed),
        value => out.message(1, |w| schema_or_reference(w, value)),
    }
}

/// A default can be told only if it is a number, a truth value or text.
fn default(out: &mut Writer, value: &Value) {
    match value {
        Value::Number(number) => out.present_double(1, number.as_f64().unwrap_or_default()),
        Value::Bool(is) => out.present_bool(2, *is),
        Value::String(text) => out.present_bytes(3, text.as_bytes()),
        _ => {}
    }
}
