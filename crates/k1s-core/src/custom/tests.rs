// SPDX-License-Identifier: Apache-2.0
//! Definitions and their objects, a case a line.

use serde_json::{Value, json};

use super::*;
use crate::field::Errors;
use crate::{decode as decoding, kinds};

fn definition(schema: Value, more: Value) -> &'static Definition {
    let mut version = json!({"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}});
    for (key, value) in more.as_object().unwrap() {
        version[key] = value.clone();
    }
    Definition::of(&json!({"spec": {
        "group": "example.com", "scope": "Namespaced", "versions": [version],
        "names": {"kind": "Gizmo", "listKind": "GizmoList", "plural": "gizmos", "singular": "gizmo", "shortNames": ["gz"]},
    }}))
    .unwrap()
}

fn spec(properties: Value) -> Value {
    json!({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}})
}

/// Decodes and checks a spec; gives what it became and what was unknown, or the faults.
fn check(properties: Value, given: Value, expected: Result<(Value, &[&str]), &[&str]>) {
    let kind = definition(spec(properties.clone()), json!({}))
        .version("v1")
        .unwrap();
    let mut object = json!({"apiVersion": "example.com/v1", "kind": "Gizmo", "metadata": {"name": "a"}, "spec": given});
    let unknown = decoding::decode(kind.schema, &mut object).unwrap();
    let mut errors = Errors::new();
    validate(kind.custom.unwrap(), &object, &mut errors);
    let faults: Vec<String> = errors
        .iter()
        .map(|e| format!("{}: {}", e.field, e.message))
        .collect();
    match expected {
        Ok((wanted, strangers)) => {
            assert!(faults.is_empty(), "{properties}: {faults:?}");
            assert_eq!(object["spec"], wanted, "{properties}");
            assert_eq!(unknown, strangers, "{properties}");
        }
        Err(wanted) => assert_eq!(faults, wanted, "{properties}"),
    }
}

#[test]
fn unknown_fields_go_and_defaults_come() {
    let string = json!({"type": "string"});
    check(
        json!({"a": string}),
        json!({"a": "1", "b": 2}),
        Ok((json!({"a": "1"}), &["spec.b"])),
    );
    check(
        json!({"a": {"type": "array", "items": {"type": "object", "properties": {"x": string}}}}),
        json!({"a": [{"y": 1}]}),
        Ok((json!({"a": [{}]}), &["spec.a[0].y"])),
    );
    check(
        json!({"a": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}),
        json!({"a": {"y": {"z": null}}}),
        Ok((json!({"a": {"y": {"z": null}}}), &[])),
    );
    check(
        json!({"a": {"type": "string", "default": "d"}}),
        json!({}),
        Ok((json!({"a": "d"}), &[])),
    );
    check(
        json!({"a": {"type": "string", "default": "d"}}),
        json!({"a": null}),
        Ok((json!({"a": "d"}), &[])),
    );
    check(
        json!({"a": {"type": "string", "default": "d", "nullable": true}}),
        json!({"a": null}),
        Ok((json!({"a": null}), &[])),
    );
    check(
        json!({"a": string}),
        json!({"a": null}),
        Ok((json!({}), &[])),
    );
    check(
        json!({"a": {"type": "object", "default": {}, "properties": {"b": {"type": "integer", "default": 1}}}}),
        json!({}),
        Ok((json!({"a": {"b": 1}}), &[])),
    );
    check(
        json!({"a": {"type": "object", "additionalProperties": {"type": "object", "properties": {"x": {"type": "integer", "default": 3}}}}}),
        json!({"a": {"k": {}}}),
        Ok((json!({"a": {"k": {"x": 3}}}), &[])),
    );
}

#[test]
fn values_are_checked() {
    let wrong = |property: Value, value: Value, words: &str| {
        check(json!({"a": property}), json!({"a": value}), Err(&[words]));
    };
    wrong(
        json!({"type": "string"}),
        json!(1),
        "spec.a: Invalid value: \"integer\": spec.a in body must be of type string: \"integer\"",
    );
    wrong(
        json!({"type": "integer"}),
        json!(1.5),
        "spec.a: Invalid value: \"number\": spec.a in body must be of type integer: \"number\"",
    );
    wrong(
        json!({"x-kubernetes-int-or-string": true}),
        json!(true),
        "spec.a: Invalid value: \"boolean\": spec.a in body must be of type integer,string: \"boolean\"",
    );
    wrong(
        json!({"type": "string", "enum": ["x", "y"]}),
        json!("z"),
        "spec.a: Unsupported value: \"z\": supported values: \"x\", \"y\"",
    );
    wrong(
        json!({"type": "integer", "maximum": 3}),
        json!(4),
        "spec.a: Invalid value: 4: spec.a in body should be less than or equal to 3",
    );
    wrong(
        json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}),
        json!(3),
        "spec.a: Invalid value: 3: spec.a in body should be greater than 3",
    );
    wrong(
        json!({"type": "integer", "multipleOf": 3}),
        json!(4),
        "spec.a: Invalid value: 4: spec.a in body should be a multiple of 3",
    );
    wrong(
        json!({"type": "string", "maxLength": 2}),
        json!("äöü"),
        "spec.a: Too long: may not be more than 2 bytes",
    );
    wrong(
        json!({"type": "string", "pattern": "^a+$"}),
        json!("b"),
        "spec.a: Invalid value: \"b\": spec.a in body should match '^a+$'",
    );
    wrong(
        json!({"type": "string", "format": "date"}),
        json!("today"),
        "spec.a: Invalid value: \"today\": spec.a in body must be of type date: \"today\"",
    );
    wrong(
        json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}),
        json!(["a", "b"]),
        "spec.a: Too many: 2: must have at most 1 items",
    );
    wrong(
        json!({"type": "object", "required": ["x"], "properties": {"x": {"type": "string"}}}),
        json!({}),
        "spec.a.x: Required value",
    );
    wrong(
        json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}),
        json!(["a", "a"]),
        "spec.a[1]: Duplicate value: \"a\"",
    );
    wrong(
        json!({"type": "string", "not": {"enum": ["x"]}}),
        json!("x"),
        "<nil>: Invalid value: \"\": \"spec.a\" must not validate the schema (not)",
    );
    let keyed = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
        "items": {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}});
    wrong(
        keyed,
        json!([{"k": "x"}, {"k": "x", "v": 1}]),
        "spec.a[1]: Duplicate value: {\"k\":\"x\"}",
    );
}

#[test]
fn formats() {
    let check = |format: &str, right: &str, wrong: &str| {
        assert!(format::is_valid(format, right), "{format} {right}");
        assert!(!format::is_valid(format, wrong), "{format} {wrong}");
    };
    check("date-time", "2020-01-02T03:04:05Z", "2020-01-02 03:04:05Z");
    check("date", "2020-01-02", "2020-1-2");
    check("duration", "1h30m", "soon");
    check("ipv4", "1.2.3.4", "1.2.3");
    check("ipv6", "::1", "1.2.3.4");
    check("cidr", "10.0.0.0/8", "10.0.0.0/33");
    check("uri", "https://a.b/c", "::");
    check("uuid", "123e4567-e89b-12d3-a456-426614174000", "123");
    check("email", "a@b.co", "nobody");
    check("hostname", "a.b.co", "-a");
    check("byte", "AAAA", "no base64!");
    check("mac", "01:23:45:67:89:ab", "01:23");
    check("isbn", "978-3-16-148410-0", "978-3-16-148410-1");
    check("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112");
    assert!(format::is_valid("of nobody", "anything"));
}

#[test]
fn what_did_not_change_is_not_checked_again() {
    let kind = definition(
        spec(json!({"a": {"type": "string", "maxLength": 1}, "b": {"type": "string"}})),
        json!({}),
    );
    let custom = kind.version("v1").unwrap().custom.unwrap();
    let object = |a: &str, b: &str| json!({"metadata": {"name": "x"}, "spec": {"a": a, "b": b}});
    let faults = |new: &Value, old: &Value| {
        let mut errors = Errors::new();
        validate_update(custom, new, old, &mut errors);
        errors.len()
    };
    assert_eq!(faults(&object("long", "2"), &object("long", "1")), 0);
    assert_eq!(faults(&object("longer", "1"), &object("long", "1")), 1);
}

#[test]
fn only_the_status_path_writes_the_status() {
    let with = definition(
        json!({"type": "object"}),
        json!({"subresources": {"status": {}}}),
    );
    let custom = with.version("v1").unwrap().custom.unwrap();
    let mut new = json!({"spec": 1, "status": 1});
    prepare_create(custom, &mut new);
    assert_eq!(new, json!({"spec": 1}));
    let mut new = json!({"spec": 2, "status": 2});
    prepare_update(custom, &mut new, &json!({"spec": 1, "status": 1}));
    assert_eq!(new, json!({"spec": 2, "status": 1}));
    let mut new = json!({"spec": 2, "status": 2});
    prepare_status(&mut new, &json!({"spec": 1, "status": 1}));
    assert_eq!(new, json!({"spec": 1, "status": 2}));
}

#[test]
fn columns_show_values_by_their_type() {
    let columns = json!([
        {"name": "S", "type": "string", "jsonPath": ".spec.s"}, {"name": "I", "type": "integer", "jsonPath": ".spec.i"},
        {"name": "D", "type": "date", "jsonPath": ".spec.d"}, {"name": "No", "type": "string", "jsonPath": ".spec.["},
    ]);
    let kind = definition(
        json!({"type": "object"}),
        json!({"additionalPrinterColumns": columns}),
    )
    .version("v1")
    .unwrap();
    assert_eq!(
        kind.columns.iter().map(|c| c.name).collect::<Vec<_>>(),
        ["Name", "S", "I", "D"]
    );
    let cells = |spec: Value| {
        kind.custom.unwrap().cells(
            &json!({"metadata": {"name": "a"}, "spec": spec}),
            1_577_934_245 + 7200,
        )
    };
    assert_eq!(
        cells(json!({"s": "x", "i": 1.5, "d": "2020-01-02T03:04:05Z"})),
        [json!("a"), json!("x"), json!(1), json!("120m")]
    );
    assert_eq!(
        cells(json!({"s": null, "i": "1", "d": "x"})),
        [
            json!("a"),
            json!("<no value>"),
            json!(null),
            json!("<invalid>")
        ]
    );
    assert_eq!(
        cells(json!({"s": ["a"]})),
        [json!("a"), json!("[\"a\"]"), json!(null), json!(null)]
    );
}

#[test]
fn the_same_content_is_compiled_once() {
    let schema = json!({"type": "object", "description": "once"});
    assert!(std::ptr::eq(
        definition(schema.clone(), json!({})),
        definition(schema, json!({}))
    ));
}

#[test]
fn a_kind_is_reached_by_what_it_says() {
    let made = definition(
        json!({"type": "object"}),
        json!({"selectableFields": [{"jsonPath": ".spec.color"}], "deprecated": true}),
    );
    let kind = made.version("v1").unwrap();
    assert!(made.version("v2").is_none() && kinds::of_kind("example.com", "v1", "Gizmo").is_none());
    assert_eq!(
        (kind.group_resource().as_str(), kind.schema.name),
        ("gizmos.example.com", "com.example.v1.Gizmo")
    );
    let custom = kind.custom.unwrap();
    assert_eq!(custom.rules.fields, ["spec.color"]);
    assert_eq!(
        (custom.rules.field)(&json!({"spec": {"color": "red"}}), "spec.color"),
        "red"
    );
    assert_eq!(
        custom.deprecation.as_deref(),
        Some("example.com/v1 Gizmo is deprecated")
    );
    assert!(std::ptr::eq(custom.storage().unwrap(), kind));
}

fn named(name: &str, kind: &str, accepted: bool) -> Value {
    let names = json!({"plural": name, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")});
    let status = json!({"acceptedNames": if accepted { names.clone() } else { json!({"plural": "", "kind": ""}) }, "conditions": null});
    json!({"spec": {"group": "example.com", "names": names}, "status": status})
}

#[test]
fn the_first_to_ask_for_a_name_has_it() {
    let first = named("gizmos", "Gizmo", false);
    let mut told = first.clone();
    told["status"] = accept::status(&first, &[], "t0");
    assert!(!accept::is_established(&told));
    told["status"] = accept::established(&told, "t1").unwrap();
    assert!(accept::is_established(&told) && accept::established(&told, "t2").is_none());
    let second = named("gadgets", "Gizmo", false);
    let mut refused = second.clone();
    refused["status"] = accept::status(&second, std::slice::from_ref(&told), "t3");
    let condition = accept::condition(&refused, "NamesAccepted").unwrap();
    assert_eq!(
        (&condition["reason"], &condition["status"]),
        (&json!("ListKindConflict"), &json!("False"))
    );
    assert!(accept::established(&refused, "t4").is_none());
    refused["status"] = accept::status(&refused, &[], "t5");
    assert!(accept::established(&refused, "t6").is_some());
}
