// SPDX-License-Identifier: Apache-2.0
//! JSON read and written: one line per text.
use super::*;
use proptest::prelude::*;
use serde_json::json;

fn check(text: &str, expected: Value) {
    assert_eq!(read(text.as_bytes()), Ok(expected), "{text}");
}
fn refuse(text: &str, message: &str) {
    assert_eq!(
        read(text.as_bytes()).unwrap_err().to_string(),
        message,
        "{text}"
    );
}

#[test]
fn values() {
    check(" {} ", json!({}));
    check(
        "[1, -2 ,3.5,1e2, true,false,null,\"a\"]",
        json!([1, -2, 3.5, 100.0, true, false, null, "a"]),
    );
    check("9223372036854775807", json!(i64::MAX));
    check("9223372036854775808", json!(9_223_372_036_854_775_808_u64));
    check("99999999999999999999", json!(1e20));
    check("3.0", json!(3.0));
    check("-0", json!(0));
    check(
        r#""a\"\\\/\b\f\n\r\té😀""#,
        json!("a\"\\/\u{8}\u{c}\n\r\té😀"),
    );
    check(r#""\ud83dx\ude00""#, json!("\u{fffd}x\u{fffd}"));
    check(r#""\ud83d\ude00\u00e9""#, json!("😀é"));
    check(r#""\ud83d\u0041""#, json!("\u{fffd}A"));
    check(r#"{"a":1,"a":2}"#, json!({"a": 2}));
    assert_eq!(read(b"\"a\xffb\""), Ok(json!("a\u{fffd}b")));
}

#[test]
fn errors() {
    refuse("", "unexpected end of JSON input");
    refuse("{\"a\":", "unexpected end of JSON input");
    refuse(
        "{nonsense",
        "invalid character 'n' looking for beginning of object key string",
    );
    refuse(
        "{\"a\":1,}",
        "invalid character '}' looking for beginning of object key string",
    );
    refuse(
        "[1,]",
        "invalid character ']' looking for beginning of value",
    );
    refuse(
        "data:",
        "invalid character 'd' looking for beginning of value",
    );
    refuse("- op", "invalid character ' ' in numeric literal");
    refuse("{\"a\" 1}", "invalid character '1' after object key");
    refuse(
        "{\"a\":1 2}",
        "invalid character '2' after object key:value pair",
    );
    refuse("[1 2]", "invalid character '2' after array element");
    refuse("1 2", "invalid character '2' after top-level value");
    refuse("01", "invalid character '1' after top-level value");
    refuse(
        "nothing",
        "invalid character 'o' in literal null (expecting 'u')",
    );
    refuse(
        "1.x",
        "invalid character 'x' after decimal point in numeric literal",
    );
    refuse("1e", "invalid character ' ' in exponent of numeric literal");
    refuse("\"a", "unexpected end of JSON input");
    refuse(
        "1ex",
        "invalid character 'x' in exponent of numeric literal",
    );
    refuse("\"\n\"", "invalid character '\\n' in string literal");
    refuse("\"\\x\"", "invalid character 'x' in string escape code");
    refuse(
        "\"\\u00g0\"",
        "invalid character 'g' in \\u hexadecimal character escape",
    );
    refuse(
        "'a'",
        "invalid character '\\'' looking for beginning of value",
    );
    refuse("é", "invalid character 'Ã' looking for beginning of value");
    refuse(
        "1e400",
        "json: cannot unmarshal number 1e400 into Go value of type float64",
    );
    let error = read(b"{\n  \"a\": x}").unwrap_err();
    assert_eq!((error.offset, error.line, error.column), (9, 2, 8));
}

#[test]
fn limits() {
    for bracket in ["[", "{\"a\":"] {
        let deep = bracket.repeat(100_000);
        assert!(
            read(deep.as_bytes())
                .unwrap_err()
                .to_string()
                .ends_with("exceeded max depth")
        );
    }
    let fits = format!("{}{}", "[".repeat(512), "]".repeat(512));
    assert!(read(fits.as_bytes()).is_ok());
    let small = Limits { bytes: 3, depth: 1 };
    assert!(read_document(b"[1]", small).is_ok());
    assert_eq!(
        read_document(b"[1 ]", small).unwrap_err().problem,
        JsonProblem::TooLarge(3)
    );
    assert!(read_document(b"[[]", Limits { bytes: 9, depth: 1 }).is_err());
}

#[test]
fn several_values() {
    let (first, rest) = read_prefix(b" {\"a\": \"\xff\"} [1] ", Limits::default()).unwrap();
    assert_eq!(
        (first.value, rest),
        (json!({"a": "\u{fffd}"}), &b" [1] "[..])
    );
    let (second, rest) = read_prefix(rest, Limits::default()).unwrap();
    assert_eq!((second.value, rest), (json!([1]), &b" "[..]));
    assert!(read_prefix(rest, Limits::default()).is_err());
    assert_eq!(read(b"\"\xff\xff\" x").unwrap_err().offset, 5);
}

#[test]
fn duplicates() {
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(
            read_document(text.as_bytes(), Limits::default())
                .unwrap()
                .duplicates,
            expected,
            "{text}"
        );
    };
    check(r#"{"a":1,"b":2}"#, &[]);
    check(r#"{"a":1,"a":2,"a":3}"#, &["a"]);
    check(
        r#"{"spec":{"a":"1","a":"2","o":{"x":"1","x":"1"}}}"#,
        &["spec.a", "spec.o.x"],
    );
    check(
        r#"{"spec":{"c":[{},{"name":1,"name":2}]}}"#,
        &["spec.c[1].name"],
    );
    check(r#"{"a":1,"a":{"b":1,"b":2}}"#, &["a", "a.b"]);
}

#[test]
fn printing() {
    let check = |value: Value, expected: &str| assert_eq!(print(&value), expected);
    check(
        json!({"b": [1, 1.0, 1.5, null], "a": "<&>\u{2028}\u{1}\u{7f}é"}),
        "{\"a\":\"\\u003c\\u0026\\u003e\\u2028\\u0001\u{7f}é\",\"b\":[1,1,1.5,null]}",
    );
    check(
        json!([1e20, 1e21, 1e-6, 1e-7, 1.5e300, -2.5e-9, 0.0]),
        "[100000000000000000000,1e+21,0.000001,1e-7,1.5e+300,-2.5e-9,0]",
    );
    check(json!("\u{8}\u{c}\n"), r#""\b\f\n""#);
    assert_eq!(
        print_pretty(&json!({"a": [1], "b": {}, "c": []})),
        "{\n    \"a\": [\n        1\n    ],\n    \"b\": {},\n    \"c\": []\n}"
    );
}

proptest! {
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = read(&bytes);
    }
    #[test]
    fn as_serde_json(text in "[\\[\\]{}\",:0-9a-fntrulse.\\\\ -]{0,24}") {
        let ours = read(text.as_bytes());
        match serde_json::from_str::<Value>(&text) {
            Ok(value) => prop_assert_eq!(ours, Ok(value)),
            Err(error) => prop_assert!(ours.is_err() || error.to_string().contains("surrogate") || error.to_string().contains("escape"), "{}: {}", text, error),
        }
    }
}
