// SPDX-License-Identifier: Apache-2.0
//! Explanations from a small document with every shape of schema in it.

use serde_json::{Value, json};

use super::{Error, Kind, explain};

fn document() -> Value {
    json!({"components": {"schemas": {
        "com.example.v1.Widget": {
            "type": "object",
            "description": "Widget is a thing.",
            "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Widget", "version": "v1"}],
            "properties": {
                "kind": {"type": "string", "description": "The kind."},
                "spec": {"allOf": [{"$ref": "#/components/schemas/com.example.v1.Spec"}], "description": "What is wanted.", "default": {}},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                "size": {"$ref": "#/components/schemas/com.example.v1.Size"}
            }
        },
        "com.example.v1.Size": {"type": "string", "description": "Size is text."},
        "com.example.v1.Spec": {
            "type": "object",
            "description": "Spec of a widget.",
            "required": ["parts"],
            "properties": {
                "colour": {"type": "string", "enum": ["", "red", "green"]},
                "many": {"type": "string", "enum": ["a", "b", "c", "d", "e"]},
                "parts": {"type": "array", "items": {"allOf": [{"$ref": "#/components/schemas/com.example.v1.Spec"}], "default": {}}}
            }
        }
    }}})
}

fn text(path: &str, recursive: bool) -> (String, Result<(), Error>) {
    let kind = Kind {
        group: "example.com",
        version: "v1",
        kind: "Widget",
    };
    let path: Vec<String> = path
        .split('.')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let (text, result) = explain(&document(), &kind, &path, recursive);
    let head = "GROUP:      example.com\nKIND:       Widget\nVERSION:    v1\n\n";
    (text.strip_prefix(head).unwrap().to_owned(), result)
}

#[test]
fn kinds_and_fields() {
    let check = |path: &str, recursive: bool, expected: &str| {
        assert_eq!(
            text(path, recursive),
            (expected.to_owned(), Ok(())),
            "{path}"
        )
    };
    check(
        "",
        false,
        "DESCRIPTION:\n    Widget is a thing.\n    \nFIELDS:\n  kind\t<string>\n    The kind.\n\n  size\t<string>\n    <no description>\n\n  spec\t<Spec>\n    What is wanted.\n\n  tags\t<map[string]string>\n    <no description>\n\n\n",
    );
    check(
        "tags",
        false,
        "FIELD: tags <map[string]string>\n\n\nDESCRIPTION:\n    <empty>\n\n",
    );
    check(
        "spec.colour",
        false,
        "FIELD: colour <string>\nENUM:\n    \"\"\n    red\n    green\n\nDESCRIPTION:\n    <empty>\n\n",
    );
    check(
        "spec.parts",
        false,
        "FIELD: parts <[]Spec>\n\n\nDESCRIPTION:\n    Spec of a widget.\n    \nFIELDS:\n  colour\t<string>\n  enum: \"\", red, green\n    <no description>\n\n  many\t<string>\n  enum: a, b, c, d, ....\n    <no description>\n\n  parts\t<[]Spec> -required-\n    <no description>\n\n\n",
    );
    check(
        "spec",
        true,
        "FIELD: spec <Spec>\n\n\nDESCRIPTION:\n    What is wanted.\n    Spec of a widget.\n    \nFIELDS:\n  colour\t<string>\n  enum: \"\", red, green\n  many\t<string>\n  enum: a, b, c, d, ....\n  parts\t<[]Spec> -required-\n\n",
    );
    check(
        "spec.parts.parts.colour",
        true,
        "FIELD: colour <string>\nENUM:\n    \"\"\n    red\n    green\n\nDESCRIPTION:\n    <empty>\n\n",
    );
}

#[test]
fn what_is_not_there() {
    assert_eq!(
        text("nope", false),
        (String::new(), Err(Error::NoField("nope".into())))
    );
    assert_eq!(
        text("tags.deeper", false),
        (String::new(), Err(Error::NoField("deeper".into())))
    );
}
