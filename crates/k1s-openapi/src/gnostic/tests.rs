// SPDX-License-Identifier: Apache-2.0
//! JSON and the message that it becomes, read back field by field.

use serde_json::json;

use super::*;

/// A message as text: `number:value`, nested messages in braces. What reads as a message is taken for one.
fn show(mut bytes: &[u8]) -> Option<String> {
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let number = tag >> 3;
        let value = match tag & 7 {
            0 => varint(&mut bytes)?.to_string(),
            1 => {
                let (eight, rest) = bytes.split_at_checked(8)?;
                bytes = rest;
                f64::from_le_bytes(eight.try_into().ok()?).to_string()
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (inner, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let is_text = inner
                    .iter()
                    .all(|b| (0x20..0x7f).contains(b) || *b == b'\n');
                match show(inner) {
                    Some(message) if !is_text || inner.is_empty() => format!("{{{message}}}"),
                    _ => String::from_utf8(inner.to_vec()).ok()?,
                }
            }
            _ => return None,
        };
        out.push(format!("{number}:{value}"));
    }
    Some(out.join(" "))
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut out = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        out |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(out);
        }
    }
    None
}

fn check(fill: Fill, value: Value, expected: &str) {
    let mut out = Writer::new();
    fill(&mut out, &value);
    assert_eq!(show(&out.into_bytes()).unwrap(), expected, "{value}");
}

#[test]
fn schemas_of_version_2() {
    check(
        v2::schema,
        json!({"type": "string", "format": "byte"}),
        "2:byte 22:{1:string}",
    );
    check(
        v2::schema,
        json!({"type": "array", "items": {"$ref": "#/a"}}),
        "22:{1:array} 23:{1:{1:#/a}}",
    );
    check(
        v2::schema,
        json!({"additionalProperties": {"type": "integer"}}),
        "21:{1:{22:{1:integer}}}",
    );
    check(
        v2::schema,
        json!({"additionalProperties": false}),
        "21:{2:0}",
    );
    check(
        v2::schema,
        json!({"properties": {"a": {"description": "b"}}}),
        "25:{1:{1:a 2:{4:b}}}",
    );
    check(v2::schema, json!({"required": ["a", ""]}), "19:a 19:{}");
    check(v2::schema, json!({"enum": ["a"]}), "20:{2:\"a\"\n}");
    check(
        v2::schema,
        json!({"x-kubernetes-list-map-keys": ["a"]}),
        "31:{1:x-kubernetes-list-map-keys 2:{2:[\"a\"]\n}}",
    );
}

#[test]
fn paths_of_version_2() {
    let parameters = json!([{"$ref": "#/parameters/a"}, {"in": "query", "name": "b", "type": "string"}, {"in": "path", "name": "c", "required": true}]);
    check(
        v2::path_item,
        json!({"parameters": parameters}),
        "9:{2:{1:#/parameters/a}} 9:{1:{2:{3:{2:query 4:b 6:string}}}} 9:{1:{2:{4:{1:1 2:path 4:c}}}}",
    );
    let body = json!({"post": {"parameters": [{"in": "body", "name": "body", "schema": {"$ref": "#/d"}}]}});
    check(
        v2::path_item,
        body,
        "4:{8:{1:{1:{2:body 3:body 5:{1:#/d}}}}}",
    );
    let get = json!({"get": {"operationId": "a", "responses": {"200": {"description": "OK", "schema": {"$ref": "#/d"}}}}});
    check(
        v2::path_item,
        get,
        "2:{5:a 9:{1:{1:200 2:{1:{1:OK 2:{1:{1:#/d}}}}}}}",
    );
}

#[test]
fn schemas_of_version_3() {
    check(v3::schema_or_reference, json!({"$ref": "#/a"}), "2:{1:#/a}");
    check(
        v3::schema_or_reference,
        json!({"allOf": [{"$ref": "#/a"}], "default": {}}),
        "1:{26:{2:{1:#/a}} 33:{}}",
    );
    check(
        v3::schema_or_reference,
        json!({"type": "string", "default": ""}),
        "1:{25:string 33:{3:{}}}",
    );
    check(
        v3::schema_or_reference,
        json!({"default": 0}),
        "1:{33:{1:0}}",
    );
    check(
        v3::schema_or_reference,
        json!({"maximum": 1.5, "nullable": true}),
        "1:{1:1 11:1.5}",
    );
    check(
        v3::schema_or_reference,
        json!({"properties": {"a": {"type": "integer"}}}),
        "1:{31:{1:{1:a 2:{1:{25:integer}}}}}",
    );
}

#[test]
fn paths_of_version_3() {
    let content = json!({"*/*": {"schema": {"$ref": "#/a"}}});
    let post = json!({"post": {"requestBody": {"content": content, "required": true}, "responses": {"200": {"content": content}}}});
    check(
        v3::path_item,
        post,
        "6:{7:{1:{2:{1:{1:*/* 2:{1:{2:{1:#/a}}}}} 3:1}} 8:{2:{1:200 2:{1:{3:{1:{1:*/* 2:{1:{2:{1:#/a}}}}}}}}}}",
    );
    check(
        v3::path_item,
        json!({"parameters": [{"name": "a", "in": "query", "schema": {"type": "string"}}]}),
        "13:{1:{1:a 2:query 10:{1:{25:string}}}}",
    );
}
