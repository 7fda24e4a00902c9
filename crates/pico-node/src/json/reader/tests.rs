// SPDX-License-Identifier: Apache-2.0
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

fn read(reader: &mut Reader, mut input: &[u8]) -> Result<Vec<Taken>, Error> {
    let mut all = Vec::new();
    while !input.is_empty() {
        let (used, taken) = reader.push(input)?;
        input = &input[used..];
        all.extend(taken);
    }
    Ok(all)
}

fn check(shape: Shape, input: &str, expected: &str) {
    let mut reader = Reader::new(shape, Limits::default());
    let mut shown = match read(&mut reader, input.as_bytes()) {
        Ok(taken) => taken.iter().map(show).collect::<Vec<_>>().join(" "),
        Err(error) => format!("{error:?}"),
    };
    match reader.finish() {
        Ok(Some(taken)) => shown.push_str(&show(&taken)),
        Err(error) if !shown.contains(char::is_alphabetic) => shown = format!("{error:?}"),
        _ => {}
    }
    assert_eq!(shown, expected, "{input}");
}

fn show(taken: &Taken) -> String {
    let (Taken::Item(value) | Taken::Document(value) | Taken::Partial(value)) = taken;
    let mut out = String::new();
    print(value, &mut out);
    out
}

fn print(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => out.push_str(n),
        Value::String(s) => out.push_str(&format!("{s:?}")),
        Value::Array(list) => {
            out.push('[');
            for (n, value) in list.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                print(value, out);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (n, (key, value)) in entries.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                out.push_str(&format!("{key:?}:"));
                print(value, out);
            }
            out.push('}');
        }
    }
}

#[test]
fn documents() {
    for same in [
        "{}",
        "[]",
        "null",
        "true",
        "[1,-2,3.5e+7]",
        r#"{"a":{"b":[{}]}}"#,
        r#""x""#,
        "[[],[[]]]",
    ] {
        check(Shape::All, same, same);
    }
    check(Shape::All, " { \"a\" : [ 1 , 2 ] }\n", r#"{"a":[1,2]}"#);
    check(Shape::All, "{\"a\":1}\n{\"b\":2}\n", r#"{"a":1} {"b":2}"#);
    check(
        Shape::All,
        r#""\u00e9\ud83d\ude00\ud83d \/\b""#,
        "\"é😀\u{fffd} /\\u{8}\"",
    );
    check(Shape::All, r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}😀\"");
    check(Shape::All, r#""\ud83d\n""#, "\"\u{fffd}\\n\"");
    check(Shape::All, "12", "12");
}

#[test]
fn what_is_no_json() {
    for (input, why) in [
        ("{\"a\":1]", "Unexpected(93)"),
        ("[1,]", "Unexpected(93)"),
        ("{,}", "Unexpected(44)"),
        ("{\"a\"}", "Unexpected(125)"),
        ("tru ", "Unexpected(32)"),
        ("[01]", "Unexpected(48)"),
        ("[1.]", "Unexpected(49)"),
        ("[-]", "Unexpected(45)"),
        ("\"\n\"", "Unexpected(10)"),
        ("\"\\x\"", "Unexpected(120)"),
        ("\"\\u12g4\"", "Unexpected(103)"),
        ("[1", "Cut"),
        ("]", "Unexpected(93)"),
        ("HTTP/1.1", "Unexpected(72)"),
    ] {
        check(Shape::All, input, why);
    }
    let mut reader = Reader::new(Shape::All, Limits::default());
    assert_eq!(read(&mut reader, b"\"\xff\""), Err(Error::NotUtf8));
}

#[test]
fn only_the_shape_is_kept() {
    const SHAPE: Shape = Shape::Keys(&[
        ("metadata", Shape::Keys(&[("name", Shape::All)])),
        (
            "spec",
            Shape::Keys(&[("list", Shape::Keys(&[("a", Shape::All)]))]),
        ),
    ]);
    check(
        SHAPE,
        r#"{"kind":"x","metadata":{"name":"n","managedFields":[{"name":"no"}]},"spec":{"list":[{"a":{"z":1},"b":2},{"b":3}],"name":"no"}}"#,
        r#"{"metadata":{"name":"n"},"spec":{"list":[{"a":{"z":1}},{}]}}"#,
    );
    // A key inside a string is text.
    check(SHAPE, r#"{"x":"{\"metadata\":{\"name\":\"evil\"}}"}"#, "{}");
}

#[test]
fn limits_hold() {
    const SOME: Shape = Shape::Keys(&[("a", Shape::All)]);
    let limits = Limits {
        depth: 8,
        token: 16,
        kept: 2000,
    };
    // Whole, partial or an error.
    let check = |shape, text: String, expected: &str| {
        let mut reader = Reader::new(shape, limits);
        let result = match read(&mut reader, text.as_bytes()) {
            Ok(all) => match &all[..] {
                [Taken::Document(_)] => "whole".into(),
                [Taken::Partial(_)] => "partial".into(),
                other => format!("{other:?}"),
            },
            Err(error) => format!("{error:?}"),
        };
        assert_eq!(result, expected, "{}", &text[..text.len().min(60)]);
        assert!(reader.token.capacity() <= 4096);
    };
    check(Shape::All, "[".repeat(9), "TooDeep");
    check(SOME, format!("{{\"b\":{}", "[".repeat(9)), "TooDeep");
    check(Shape::All, format!("[\"{}\"]", "x".repeat(17)), "partial");
    check(
        SOME,
        format!(
            "{{\"b\":\"{}\",\"{}\":1}}",
            "x".repeat(100_000),
            "k".repeat(50_000)
        ),
        "whole",
    );
    check(Shape::All, format!("[{}1]", "1,".repeat(1000)), "partial");
    check(
        SOME,
        format!("{{\"b\":[{}1]}}", "1,".repeat(100_000)),
        "whole",
    );
}

#[test]
fn after_an_item_that_is_too_large_the_next_is_whole() {
    let limits = Limits {
        kept: 1000,
        ..Limits::default()
    };
    let mut reader = Reader::new(Shape::Keys(&[]), limits).of_items(Shape::All);
    let text = format!(
        r#"{{"items":[{{"name":"big","list":[{}0]}},{{"name":"small"}}]}}"#,
        "0,".repeat(500)
    );
    let taken = read(&mut reader, text.as_bytes()).unwrap();
    assert!(matches!(&taken[0], Taken::Partial(v) if v.text(&["name"]) == "big"));
    assert!(matches!(&taken[1], Taken::Item(v) if v.text(&["name"]) == "small"));
    assert!(matches!(&taken[2], Taken::Document(_)));
}

#[test]
fn a_list_of_any_length_costs_one_item() {
    const LIST: Shape =
        Shape::Keys(&[("metadata", Shape::Keys(&[("resourceVersion", Shape::All)]))]);
    let limits = Limits {
        kept: 1000,
        ..Limits::default()
    };
    let mut text = String::from(r#"{"items":["#);
    for n in 0..10_000 {
        text.push_str(&format!(
            r#"{{"metadata":{{"name":"p{n}","junk":[1,2]}}}},"#
        ));
    }
    text.push_str(r#"{"metadata":{}}],"metadata":{"resourceVersion":"7"}}"#);
    let mut reader = Reader::new(LIST, limits).of_items(Shape::Keys(&[(
        "metadata",
        Shape::Keys(&[("name", Shape::All)]),
    )]));
    let taken = read(&mut reader, text.as_bytes()).unwrap();
    assert_eq!(taken.len(), 10_002);
    assert_eq!(show(&taken[9_999]), r#"{"metadata":{"name":"p9999"}}"#);
    assert_eq!(
        show(&taken[10_001]),
        r#"{"items":[],"metadata":{"resourceVersion":"7"}}"#
    );
}

fn documents_of_any_kind() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| Value::Number(format!("{n}").into())),
        any::<String>().prop_map(|s| Value::String(s.into())),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any::<String>().prop_map(Into::into), inner), 0..6)
                .prop_map(Value::Object),
        ]
    })
}

/// Writes as other programs do, with every character that is not ASCII escaped if asked.
fn text_of(value: &Value, ascii: bool, out: &mut String) {
    let string = |text: &str, out: &mut String| {
        out.push('"');
        for unit in text.encode_utf16() {
            match unit {
                0x20..0x7f if unit != 0x22 && unit != 0x5c => {
                    out.push(char::from(u8::try_from(unit).unwrap()));
                }
                _ if ascii || unit < 0x80 => out.push_str(&format!("\\u{unit:04x}")),
                _ => out.push_str(&format!("\\u{unit:04X}")),
            }
        }
        out.push('"');
    };
    match value {
        Value::String(text) => string(text, out),
        Value::Array(list) => {
            out.push('[');
            for (n, value) in list.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                text_of(value, ascii, out);
            }
            out.push(']');
        }
        Value::Object(entries) => {
            out.push('{');
            for (n, (key, value)) in entries.iter().enumerate() {
                out.push_str(if n > 0 { "," } else { "" });
                string(key, out);
                out.push(':');
                text_of(value, ascii, out);
            }
            out.push('}');
        }
        other => print(other, out),
    }
}

proptest! {
    #[test]
    fn any_segmentation_gives_the_same(value in documents_of_any_kind(), ascii: bool, cuts in prop::collection::vec(1usize..40, 0..40)) {
        let mut text = String::new();
        text_of(&value, ascii, &mut text);
        text.push('\n');
        let mut reader = Reader::new(Shape::All, Limits { kept: 1 << 20, token: 1 << 16, depth: 64 });
        let mut rest = text.as_bytes();
        let mut all = Vec::new();
        for cut in cuts.into_iter().cycle().chain([usize::MAX]) {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            all.extend(read(&mut reader, piece).unwrap());
            rest = after;
            if rest.is_empty() { break; }
        }
        if rest.is_empty() {
            prop_assert_eq!(all, [Taken::Document(value)]);
        }
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = Reader::new(Shape::All, Limits::default()).of_items(Shape::All);
        let _ = read(&mut reader, &bytes);
        let _ = reader.finish();
    }

    #[test]
    fn almost_json_never_panics(text in r#"[\[\]{}:,"a\\u0-9d8e.tfn \-]{0,200}"#) {
        let mut reader = Reader::new(Shape::All, Limits::default()).of_items(Shape::All);
        let _ = read(&mut reader, text.as_bytes());
        let _ = reader.finish();
    }
}
