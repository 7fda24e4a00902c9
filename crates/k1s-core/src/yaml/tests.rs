// SPDX-License-Identifier: Apache-2.0
//! YAML read and written: one line per text.
use super::*;
use crate::json::Limits;
use proptest::prelude::*;
use serde_json::{Value, json};

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
fn writes(value: Value, expected: &str) {
    let text = print(&value);
    assert_eq!(text, expected);
    assert_eq!(read(text.as_bytes()), Ok(value), "{text}");
}

#[test]
fn values() {
    check("", json!(null));
    check("---\n", json!(null));
    check(
        "a: 1\nb: [x, {c: d}]\n",
        json!({"a": 1, "b": ["x", {"c": "d"}]}),
    );
    check(
        "a: y\nb: N\nc: Off\nd: TRUE",
        json!({"a": true, "b": false, "c": false, "d": true}),
    );
    check(
        "[010, 0o10, 0x1F, 1_000, 08, +1, 0b11, -0x10, -0]",
        json!([8, 8, 31, 1000, 8, 1, 3, -16, 0]),
    );
    check(
        "[1e3, 3.0, .5, 5., 1e400, 18446744073709551615]",
        json!([1000, 3, 0.5, 5, "1e400", u64::MAX]),
    );
    check(
        "[., -a, +, 1e, ._1, 0b2, 0x, 1:30, 1.2.3]",
        json!([".", "-a", "+", "1e", "._1", "0b2", "0x", "1:30", "1.2.3"]),
    );
    check("[~, null, '', ]", json!([null, null, ""]));
    check(
        "# a\n---\n# b\na: 1 # c\n# d\nb: # e\n  # f\n  - x # g\n  # h\n  - [p, # i\n    q]\n# j\n",
        json!({"a": 1, "b": ["x", ["p", "q"]]}),
    );
    check(
        "a: 2020-01-01\nb: 2020-01-01T00:00:00Z",
        json!({"a": "2020-01-01", "b": "2020-01-01T00:00:00Z"}),
    );
    check(
        "1: a\ntrue: b\nn: c",
        json!({"1": "a", "true": "b", "false": "c"}),
    );
    check(
        "a: !!str 1\nb: !!int \"1\"\nc: !!binary aGk=\nd: !foo 1",
        json!({"a": "1", "b": 1, "c": "hi", "d": "1"}),
    );
    check(
        "a: &x {b: 1}\nc: *x\nd: {<<: *x, e: 2}",
        json!({"a": {"b": 1}, "c": {"b": 1}, "d": {"b": 1, "e": 2}}),
    );
    check("<<: [{a: 1}, {a: 2, b: 3}]\n", json!({"a": 1, "b": 3}));
    check(
        "a: |\n  x\n   y\n\nb: >-\n  p\n  q\n",
        json!({"a": "x\n y\n", "b": "p q"}),
    );
    check(
        "a: 'it''s'\nb: \"\\u263A\\n\"",
        json!({"a": "it's", "b": "☺\n"}),
    );
    check("a\n---\nb", json!("a"));
    check(
        "{\"a\": [1, true, null, \"x\"]}",
        json!({"a": [1, true, null, "x"]}),
    );
}

#[test]
fn errors() {
    refuse(
        "a: b: c",
        "yaml: mapping values are not allowed in this context",
    );
    refuse(
        "a: 1\n b: 2",
        "yaml: line 2: mapping values are not allowed in this context",
    );
    refuse(
        "a:\n\tb: c",
        "yaml: line 2: found character that cannot start any token",
    );
    refuse(
        "---\n\ta: b",
        "yaml: line 2: found character that cannot start any token",
    );
    refuse("{", "yaml: line 1: did not find expected node content");
    refuse("[a", "yaml: line 1: did not find expected ',' or ']'");
    refuse("{a: b", "yaml: line 1: did not find expected ',' or '}'");
    refuse("a: *y", "yaml: unknown anchor 'y' referenced");
    refuse("a: &x [*x]", "yaml: anchor 'x' value contains itself");
    refuse("a: .inf", "json: unsupported value: +Inf");
    refuse(
        "<<: 1",
        "yaml: map merge requires map or sequence of maps as the value",
    );
    refuse("a: !!int x", "yaml: cannot decode !!str `x` as a !!int");
    refuse("a: \u{1}", "yaml: control characters are not allowed");
    assert_eq!(
        read(b"a: \xff").unwrap_err().to_string(),
        "yaml: invalid leading UTF-8 octet"
    );
    assert_eq!(read(b"a:\n  b: @x").unwrap_err().line(), 2);
}

#[test]
fn limits() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = level - 1;
        bomb += &format!(
            "a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n"
        );
    }
    refuse(&bomb, "yaml: document contains excessive aliasing");
    for deep in ["[", "- ", "{a: ", "? "] {
        assert!(read(deep.repeat(10_000).as_bytes()).is_err(), "{deep}");
    }
    let small = Limits { bytes: 3, depth: 9 };
    assert_eq!(read_document(b"a: b", small), Err(YamlError::TooLarge(3)));
}

#[test]
fn duplicates() {
    let document = read_document(b"a: 1\nb:\n  k: 1\n  k: 2\n", Limits::default()).unwrap();
    assert_eq!(
        document.duplicates,
        [DuplicateKey {
            key: "k".to_owned(),
            line: 4
        }]
    );
    assert_eq!(
        document.duplicates[0].to_string(),
        "line 4: key \"k\" already set in map"
    );
}

#[test]
fn documents() {
    let check = |text: &str, expected: &[(&str, usize)]| {
        let chunks: Vec<_> = split(text)
            .unwrap()
            .into_iter()
            .map(|chunk| (chunk.text, chunk.line))
            .collect();
        assert_eq!(chunks, expected, "{text}");
    };
    check("", &[]);
    check("a: 1\n---\nb: 2\n", &[("a: 1\n", 1), ("b: 2\n", 3)]);
    check(
        "---\na: 1\n--- # x\n---\nb",
        &[("---\na: 1\n", 1), ("---\nb", 4)],
    );
    assert_eq!(
        split("a\n--- b\n").unwrap_err().to_string(),
        "invalid Yaml document separator: b"
    );
}

#[test]
fn printing() {
    writes(
        json!({"a": {"b": [1, {"c": "d", "e": []}, [2, [3]], {}], "f": null}, "g": true}),
        "a:\n  b:\n  - 1\n  - c: d\n    e: []\n  - - 2\n    - - 3\n  - {}\n  f: null\ng: true\n",
    );
    writes(json!([]), "[]\n");
    writes(json!("a"), "a\n");
    writes(
        json!({"at": "@x", "bool": "true", "colon": "a: b", "crlf": "a\r\nb", "dash": "- x", "date": "2020-01-01", "empty": "", "exp": "1e3", "hash": "a #b"}),
        "at: '@x'\nbool: \"true\"\ncolon: 'a: b'\ncrlf: \"a\\r\\nb\"\ndash: '- x'\ndate: \"2020-01-01\"\nempty: \"\"\nexp: \"1e3\"\nhash: 'a #b'\n",
    );
    writes(
        json!({"keep": "one\n\n", "lead": "    x\n  y", "lines": "one\ntwo\n", "strip": "one\ntwo"}),
        "keep: |+\n  one\n\nlead: |2-\n      x\n    y\nlines: |\n  one\n  two\nstrip: |-\n  one\n  two\n",
    );
    writes(
        json!({"null": "null", "number": "1", "q": "?", "quote": "it's \"so\"", "star": "*x", "tab": "a\tb", "tilde": "~", "uni": "hé ✓", "yes": "yes", "time": "12:30:45", "m": "y"}),
        "m: \"y\"\n\"null\": \"null\"\nnumber: \"1\"\nq: '?'\nquote: it's \"so\"\nstar: '*x'\ntab: \"a\\tb\"\ntilde: \"~\"\ntime: \"12:30:45\"\nuni: hé ✓\n\"yes\": \"yes\"\n",
    );
    let long = "word ".repeat(20);
    writes(
        json!({"long": long.trim_end()}),
        "long: word word word word word word word word word word word word word word word word\n  word word word word\n",
    );
    writes(
        json!({"a10": 1, "a2": 2, "B": 3, "_": 4, "1": 5}),
        "_: 4\n\"1\": 5\nB: 3\na2: 2\na10: 1\n",
    );
    writes(
        json!({"separators": "\u{2028}a\n\u{2029}b\u{85}"}),
        "separators: \"\\La\\n\\Pb\\N\"\n",
    );
    assert_eq!(
        print(&json!([3.0, 1e20, 1.5e-7, 1_234_567.5])),
        "- 3\n- 1e+20\n- 1.5e-07\n- 1.2345675e+06\n"
    );
    let key = "k".repeat(130);
    writes(json!({&key: {"a": 1}}), &format!("? {key}\n: a: 1\n"));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c \\n\\t:#'\"-]{0,8}".prop_map(Value::from),
        "[a-zA-Z0-9 .:_+~-]{0,12}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        "([a-z]{1,12} ){0,20}[a-z]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c0-2:. -]{1,4}|\\PC{1,4}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn write_read(value in any_value()) {
        let text = print(&value);
        prop_assert_eq!(read(text.as_bytes()).map_err(|error| format!("{error}\n{text}")), Ok(value));
    }
    #[test]
    fn any_text(text in "[a-c\\[\\]{}:,&*!|>'\"%@`#? \\n\\t-]{0,30}|.{0,30}") {
        let _ = (read(text.as_bytes()), split(&text));
    }
}
