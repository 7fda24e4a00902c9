// SPDX-License-Identifier: Apache-2.0
use serde_json::json;

use super::*;

fn of(json: serde_json::Value) -> Type {
    Type::from_json(&json).unwrap()
}

#[test]
fn types_survive_json() {
    for text in [
        json!("string"),
        json!("dynamic"),
        json!(["list", ["map", "number"]]),
        json!(["set", ["object", {"a": "bool", "b": ["tuple", ["string", "number"]]}]]),
        json!(["object", {"a": "bool"}, ["a"]]),
    ] {
        assert_eq!(of(text.clone()).to_json(), text);
    }
    for text in [
        json!("text"),
        json!(["list"]),
        json!(1),
        json!(["object", {}, 1]),
    ] {
        assert!(Type::from_json(&text).is_err(), "{text}");
    }
}

#[test]
fn values_survive_msgpack() {
    let check = |of: serde_json::Value, value: Value| {
        let of = Type::from_json(&of).unwrap();
        let bytes = value.to_msgpack(&of).unwrap();
        assert_eq!(Value::from_msgpack(&bytes, &of).unwrap(), value, "{of:?}");
    };
    check(json!("string"), Value::from("x"));
    check(json!("string"), Value::Null);
    check(json!("string"), Value::Unknown);
    check(json!("string"), Value::UnknownNotNull);
    check(json!("number"), Value::from(-7));
    check(json!("number"), Value::from(0.5));
    check(
        json!("number"),
        Value::Number(Number::Decimal("123456789012345678901234567890".into())),
    );
    check(json!(["list", "bool"]), Value::from(vec![true, false]));
    check(
        json!(["object", {"a": "string", "b": ["map", "number"]}]),
        Value::object([
            ("a", Value::Unknown),
            ("b", Value::object([("x", Value::from(1))])),
        ]),
    );
    check(
        json!("dynamic"),
        Value::Dynamic(Box::new((Type::list(Type::String), Value::from(vec!["x"])))),
    );
}

#[test]
fn what_a_host_sends() {
    let check = |bytes: &[u8], of: serde_json::Value, expected: Value| {
        let of = Type::from_json(&of).unwrap();
        assert_eq!(Value::from_msgpack(bytes, &of).unwrap(), expected);
    };
    // ext 0, one byte
    check(&[0xd4, 0, 0], json!("string"), Value::Unknown);
    // ext 12 with {1: false}, and with a refinement that means nothing here
    check(
        &[0xc7, 3, 12, 0x81, 1, 0xc2],
        json!("string"),
        Value::UnknownNotNull,
    );
    check(
        &[0xc7, 4, 12, 0x81, 2, 0xa1, b'x'],
        json!("string"),
        Value::Unknown,
    );
    // a big number as text, a whole number as a float
    check(&[0xa2, b'1', b'2'], json!("number"), Value::from(12));
    check(
        &[0xcb, 0x40, 0, 0, 0, 0, 0, 0, 0],
        json!("number"),
        Value::from(2),
    );
    // an object without an attribute
    check(
        &[0x80],
        json!(["object", {"a": "string"}]),
        Value::object([("a", Value::Null)]),
    );
}

#[test]
fn what_does_not_fit_says_where() {
    let check = |value: Value, of: serde_json::Value, expected: &str| {
        let of = Type::from_json(&of).unwrap();
        assert_eq!(value.to_msgpack(&of).unwrap_err().to_string(), expected);
    };
    check(
        Value::from(1),
        json!("string"),
        "value: expected string, found number",
    );
    check(
        Value::object([("a", Value::from(vec![Value::from("x"), Value::from(true)]))]),
        json!(["object", {"a": ["list", "string"]}]),
        "a[1]: expected string, found bool",
    );
    check(
        Value::object([("b", Value::Null)]),
        json!(["object", {"a": "string"}]),
        "b: the type has no such attribute",
    );
}

#[test]
fn bytes_that_are_nothing_are_refused() {
    let object = Type::object([("a", Type::Dynamic)]);
    let deep = |n: usize| [vec![0x91; n], vec![0xc0]].concat();
    let mut nested = Type::Dynamic;
    for _ in 0..300 {
        nested = Type::list(nested);
    }
    assert!(Value::from_msgpack(&deep(299), &nested).is_err());
    for bytes in [
        &[][..],
        &[0x80, 0x80],
        &[0xdf, 0xff, 0xff, 0xff, 0xff],
        &[0x81, 0xa1, b'a', 0x92, 0xa1, b'x', 0xc0],
        &[0x81, 0x01, 0xc0],
    ] {
        assert!(Value::from_msgpack(bytes, &object).is_err(), "{bytes:x?}");
    }
}

#[test]
fn numbers_are_as_exact_as_they_came() {
    assert_eq!(Number::parse("12").unwrap().as_i64(), Some(12));
    assert_eq!(Number::parse("12.0"), Some(Number::Int(12)));
    assert_eq!(Number::parse("0.1"), Some(Number::Float(0.1)));
    assert!(matches!(
        Number::parse("0.10000000000000000001"),
        Some(Number::Decimal(_))
    ));
    for text in ["", "x", "NaN", "inf", "1e999"] {
        assert!(Number::parse(text).is_none(), "{text}");
    }
}

#[test]
fn a_stored_state_keeps_what_the_schema_has() {
    let of = of(json!(["object", {"node": "number", "on": "bool", "tags": ["list", "string"]}]));
    let state = json!({"node": "3", "on": "true", "gone": {"x": 1}});
    assert_eq!(
        Value::from_json(&state, &of).unwrap(),
        Value::object([
            ("node", Value::from(3)),
            ("on", Value::from(true)),
            ("tags", Value::Null)
        ])
    );
}

/// Bytes of a host that has lost its mind: whatever comes, there is a value or an error, and what is read is written back the same.
#[test]
fn no_bytes_are_too_strange() {
    let inner = Type::object([("n", Type::Number), ("any", Type::Dynamic)]);
    let of = Type::object([
        ("list", Type::list(inner.clone())),
        ("set", Type::set(Type::String)),
        ("map", Type::map(Type::Bool)),
        ("tuple", Type::Tuple(vec![Type::String, inner])),
    ]);
    let one = Value::object([
        ("n", Value::from(1.5)),
        ("any", Value::Dynamic(Box::new((Type::Bool, true.into())))),
    ]);
    let whole = Value::object([
        ("list", Value::List(vec![one.clone(), Value::Unknown])),
        ("set", vec!["a", "b"].into()),
        ("map", Value::object([("x", Value::from(true))])),
        ("tuple", Value::List(vec![Value::Null, one])),
    ]);
    let bytes = whole.to_msgpack(&of).unwrap();
    assert_eq!(Value::from_msgpack(&bytes, &of).unwrap(), whole);
    let mut seed = 0x2545_f491_u32;
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        seed as usize % below
    };
    let mut read = 0;
    for _ in 0..20_000 {
        let mut strange = bytes.clone();
        for _ in 0..=random(4) {
            let at = random(strange.len());
            strange[at] = u8::try_from(random(256)).unwrap();
        }
        strange.truncate(bytes.len() - random(2) * random(bytes.len()));
        if let Ok(value) = Value::from_msgpack(&strange, &of) {
            let again = value.to_msgpack(&of).unwrap();
            assert_eq!(Value::from_msgpack(&again, &of).unwrap(), value);
            read += 1;
        }
        if let Ok(json) = serde_json::from_slice(&strange) {
            let _ = Value::from_json(&json, &of);
            let _ = Type::from_json(&json);
        }
    }
    assert!(read > 100, "{read}");
}
