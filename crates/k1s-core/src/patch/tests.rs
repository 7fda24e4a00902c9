// SPDX-License-Identifier: Apache-2.0
//! JSON patches and merge patches: one line per case.
use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn check(object: Value, operations: Value, expected: Value) {
    assert_eq!(
        JsonPatch::decode(operations.clone())
            .unwrap()
            .apply(&object),
        Ok(expected),
        "{operations}"
    );
}
fn refuse(object: Value, operations: Value, message: &str) {
    let error = JsonPatch::decode(operations.clone())
        .unwrap()
        .apply(&object)
        .unwrap_err()
        .to_string();
    assert!(error.contains(message), "{operations}: {error}");
}
fn op(op: &str, path: &str, value: Value) -> Value {
    json!({"op": op, "path": path, "value": value})
}

#[test]
fn json_operations() {
    let object = || json!({"d": {"a": "1", "b": "2"}, "l": ["x", "y", "z"], "n": null});
    let with = |change: fn(&mut Value)| {
        let mut value = object();
        change(&mut value);
        value
    };
    check(object(), json!([]), object());
    check(object(), json!(null), object());
    check(
        object(),
        json!([op("add", "/d/c", json!("3"))]),
        with(|v| v["d"]["c"] = json!("3")),
    );
    check(
        object(),
        json!([op("add", "/d/a", json!("9"))]),
        with(|v| v["d"]["a"] = json!("9")),
    );
    check(
        object(),
        json!([{"op": "add", "path": "/d/c"}]),
        with(|v| v["d"]["c"] = json!(null)),
    );
    check(
        object(),
        json!([op("add", "/l/1", json!("n"))]),
        with(|v| v["l"] = json!(["x", "n", "y", "z"])),
    );
    check(
        object(),
        json!([op("add", "/l/3", json!("n"))]),
        with(|v| v["l"] = json!(["x", "y", "z", "n"])),
    );
    check(
        object(),
        json!([op("add", "/l/-", json!("n"))]),
        with(|v| v["l"] = json!(["x", "y", "z", "n"])),
    );
    check(
        object(),
        json!([op("add", "/l/-1", json!("n"))]),
        with(|v| v["l"] = json!(["x", "y", "z", "n"])),
    );
    check(
        object(),
        json!([op("replace", "/l/-1", json!("n"))]),
        with(|v| v["l"] = json!(["x", "y", "n"])),
    );
    check(
        object(),
        json!([op("replace", "/l/01", json!("n"))]),
        with(|v| v["l"] = json!(["x", "n", "z"])),
    );
    check(
        object(),
        json!([op("replace", "/d/zz", json!("n"))]),
        with(|v| v["d"]["zz"] = json!("n")),
    );
    check(
        object(),
        json!([op("replace", "", json!({"k": 1}))]),
        json!({"k": 1}),
    );
    check(
        object(),
        json!([{"op": "remove", "path": "/l/0"}, {"op": "remove", "path": "/l/0"}]),
        with(|v| v["l"] = json!(["z"])),
    );
    check(
        object(),
        json!([{"op": "move", "from": "/l/2", "path": "/l/0"}]),
        with(|v| v["l"] = json!(["z", "x", "y"])),
    );
    check(
        object(),
        json!([{"op": "copy", "from": "/d/a", "path": "/d/c"}]),
        with(|v| v["d"]["c"] = json!("1")),
    );
    check(
        object(),
        json!([{"op": "copy", "from": "/d/zz", "path": "/d/b"}]),
        with(|v| v["d"]["b"] = json!(null)),
    );
    check(
        object(),
        json!([
            op("test", "/d/zz", json!(null)),
            op("test", "/n", json!(null)),
            op("test", "", object())
        ]),
        object(),
    );
    check(
        object(),
        json!([op("test", "/d", json!({"b": "2", "a": "1"}))]),
        object(),
    );
    check(
        object(),
        json!([op("add", "d/c", json!(1))]),
        with(|v| v["c"] = json!(1)),
    );
    check(
        json!({"a/b": 1, "a~1b": 2, "a~b": 3}),
        json!([{"op": "remove", "path": "/a~1b"}, {"op": "remove", "path": "/a~01b"}]),
        json!({"a~b": 3}),
    );
}

#[test]
fn json_refusals() {
    let object = || json!({"d": {"a": "1"}, "l": ["x"]});
    refuse(
        object(),
        json!([op("add", "/m/l/x", json!(1))]),
        "doc is missing path: \"/m/l/x\"",
    );
    refuse(
        object(),
        json!([op("add", "/l/2", json!(1))]),
        "invalid index",
    );
    refuse(
        object(),
        json!([op("add", "/d/a/b", json!(1))]),
        "missing path",
    );
    refuse(
        object(),
        json!([op("replace", "/l/7", json!(1))]),
        "invalid index",
    );
    refuse(
        object(),
        json!([{"op": "remove", "path": "/d/zz"}]),
        "missing",
    );
    refuse(
        object(),
        json!([{"op": "remove", "path": ""}]),
        "missing path",
    );
    refuse(
        object(),
        json!([op("replace", "", json!(1))]),
        "must be object or array",
    );
    refuse(
        object(),
        json!([op("test", "/d/a", json!("2"))]),
        "testing value /d/a failed",
    );
    refuse(
        object(),
        json!([op("test", "/d/a", json!(1))]),
        "test failed",
    );
    refuse(
        object(),
        json!([{"op": "move", "path": "/d/c"}]),
        "missing from field",
    );
    refuse(
        object(),
        json!([{"op": "add", "value": 1}]),
        "missing path field",
    );
    refuse(
        object(),
        json!([op("merge", "/d", json!(1))]),
        "Unexpected kind: merge",
    );
    refuse(object(), json!([{}]), "Unexpected kind: unknown");
}

#[test]
fn json_decoding() {
    let refuse = |patch: Value, message: &str| {
        assert_eq!(JsonPatch::decode(patch).unwrap_err().to_string(), message)
    };
    refuse(
        json!({}),
        "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
    );
    refuse(
        json!(["add"]),
        "json: cannot unmarshal string into Go value of type handlers.jsonPatchOp",
    );
    refuse(
        json!([{"op": 1}]),
        "json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
    );
    let many = Value::Array(vec![json!({}); 10_001]);
    refuse(
        many,
        "The allowed maximum operations in a JSON patch is 10000, got 10001",
    );
    let patch = JsonPatch::decode(json!([{"op": "add", "comment": "why"}])).unwrap();
    assert_eq!(patch.unknown_fields(), ["[0].comment"]);
}

#[test]
fn json_limits() {
    let doubling: Vec<Value> = (0..30)
        .map(|n| json!({"op": "copy", "from": "/a", "path": format!("/a/{n}")}))
        .collect();
    refuse(
        json!({"a": {"k": "x".repeat(1000)}}),
        Value::Array(doubling),
        "accumulated size increase",
    );
    let mut deeper = Vec::new();
    for _ in 0..9_000 {
        deeper.push(json!({"op": "add", "path": "/b", "value": {"x": {}}}));
        deeper.push(json!({"op": "move", "from": "/a", "path": "/b/x/y"}));
        deeper.push(json!({"op": "move", "from": "/b", "path": "/a"}));
    }
    deeper.truncate(9_999);
    refuse(json!({"a": {}}), Value::Array(deeper), "max depth");
}

#[test]
fn merge_patches() {
    let check = |mut object: Value, patch: Value, expected: Value| {
        merge::apply(&mut object, patch.clone()).unwrap();
        assert_eq!(object, expected, "{patch}");
    };
    check(
        json!({"d": {"a": "1", "b": "2"}}),
        json!({"d": {"b": "9", "c": "3"}}),
        json!({"d": {"a": "1", "b": "9", "c": "3"}}),
    );
    check(
        json!({"d": {"a": "1"}}),
        json!({"d": {"a": null, "z": null}, "y": null}),
        json!({"d": {}}),
    );
    check(
        json!({}),
        json!({"m": {"x": null, "y": {"z": null}, "l": [null, {"w": null}]}}),
        json!({"m": {"y": {}, "l": [null, {}]}}),
    );
    check(json!({"l": [1, 2]}), json!({"l": [3]}), json!({"l": [3]}));
    check(
        json!({"a": 1}),
        json!({"a": {"x": null, "y": 1}}),
        json!({"a": {"y": 1}}),
    );
    check(
        json!({"a": {"k": 1}}),
        json!({"a": [{"x": null}]}),
        json!({"a": [{"x": null}]}),
    );
    check(
        json!({"a": null}),
        json!({"a": {"x": null}}),
        json!({"a": {}}),
    );
    let refuse = |patch: Value, message: &str| {
        assert_eq!(
            merge::apply(&mut json!({}), patch).unwrap_err().to_string(),
            message
        )
    };
    refuse(json!(null), "Invalid JSON Patch");
    refuse(
        json!([]),
        "json: cannot unmarshal array into Go value of type map[string]interface {}",
    );
}

#[test]
fn three_way_merge_patches() {
    let check = |original: Value, modified: Value, current: Value, expected: Value| {
        let map = |value: &Value| value.as_object().unwrap().clone();
        let patch = merge::create_three_way(&map(&original), &map(&modified), &map(&current));
        assert_eq!(
            patch.map(Value::Object),
            Ok(expected),
            "{original} {modified} {current}"
        );
    };
    check(
        json!({"r": 2}),
        json!({"r": 3}),
        json!({"r": 2, "x": 1}),
        json!({"r": 3}),
    );
    check(
        json!({"r": 2, "p": true}),
        json!({"r": 2}),
        json!({"r": 2}),
        json!({"p": null}),
    );
    check(
        json!({}),
        json!({"r": 3}),
        json!({"r": 3, "p": 1}),
        json!({}),
    );
    check(
        json!({"m": {"a": 1}}),
        json!({"m": {}}),
        json!({"m": {"a": 1, "b": 2}}),
        json!({"m": {"a": null}}),
    );
    check(json!({}), json!({"m": {}}), json!({}), json!({"m": {}}));
    check(
        json!({"l": [1]}),
        json!({"l": [1, 2]}),
        json!({"l": [9]}),
        json!({"l": [1, 2]}),
    );
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        (0..3_i64).prop_map(Value::from),
        "[ab]".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-c0-1]", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_map() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-c]", any_value(), 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn any_operations() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec![
        "add", "remove", "replace", "move", "copy", "test", "x",
    ]);
    let path = || "(/?([a-c0-2]|-|-1|~1|~)){0,3}";
    let operation = (op, path(), path(), any_value());
    prop::collection::vec(
        operation.prop_map(
            |(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}),
        ),
        0..6,
    )
    .prop_map(Value::from)
}

proptest! {
    #[test]
    fn json_patches_never_panic(object in any_map(), operations in any_operations()) {
        let _ = JsonPatch::decode(operations).unwrap().apply(&object);
    }
    #[test]
    fn any_json_is_decoded_or_refused(patch in any_value()) {
        let _ = JsonPatch::decode(patch.clone()).map(|patch| patch.apply(&json!({})));
        let _ = merge::apply(&mut json!({"a": {}}), patch);
    }
    #[test]
    fn a_created_patch_leads_to_the_modified_object(original in any_map(), modified in any_map()) {
        let (mut original, mut modified) = (original, modified);
        // Nulls inside an object cannot be made by a merge patch.
        merge::apply(&mut json!({}), json!({})).unwrap();
        let clean = |value: &mut Value| {
            let mut object = json!({});
            merge::apply(&mut object, json!({"v": value.take()})).unwrap();
            *value = object["v"].take();
        };
        clean(&mut original);
        clean(&mut modified);
        let no_null_lists = !modified.to_string().contains("null") && !original.to_string().contains("null");
        prop_assume!(no_null_lists);
        let patch = merge::create(original.as_object().unwrap(), modified.as_object().unwrap());
        merge::apply(&mut original, Value::Object(patch)).unwrap();
        prop_assert_eq!(original, modified);
    }
}
