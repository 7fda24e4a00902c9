// SPDX-License-Identifier: Apache-2.0
//! Values to YAML text, in the style of `kubectl -o yaml`.

use super::emit::{Emitter, Style};
use super::scalar::{Scalar, is_sexagesimal, resolve};
use super::{go_float, key_order};
use serde_json::{Map, Number, Value};

/// Spaces per level.
const INDENT: usize = 2;

/// Writes a value as one document, with a line break at the end.
///
/// Keys are sorted with numbers in them by value; lists stand at the level of their key.
///
/// # Examples
/// ```
/// let value = serde_json::json!({"b": ["on", 1], "a": "x\ny\n"});
/// assert_eq!(k1s_core::yaml::print(&value), "a: |\n  x\n  y\nb:\n- \"on\"\n- 1\n");
/// ```
pub fn print(value: &Value) -> String {
    let mut emitter = Emitter::new();
    match value {
        Value::Object(map) if !map.is_empty() => block_map(&mut emitter, map, 0),
        Value::Array(list) if !list.is_empty() => block_list(&mut emitter, list, 0),
        _ => leaf(&mut emitter, value, INDENT),
    }
    if !emitter.out.ends_with('\n') {
        emitter.out.push('\n');
    }
    emitter.out
}

fn block_map(emitter: &mut Emitter, map: &Map<String, Value>, indent: usize) {
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by(|(left, _), (right, _)| key_order::compare(left, right));
    for (key, value) in entries {
        emitter.indent(indent);
        if Emitter::is_simple_key(key) {
            text(emitter, key, indent, true);
            emitter.indicator(":", false, false, false);
        } else {
            emitter.indicator("?", true, false, true);
            text(emitter, key, indent + INDENT, false);
            emitter.indent(indent);
            emitter.indicator(":", true, false, true);
        }
        match value {
            Value::Object(map) if !map.is_empty() => block_map(emitter, map, indent + INDENT),
            Value::Array(list) if !list.is_empty() => {
                let nested = if emitter.indention() {
                    indent + INDENT
                } else {
                    indent
                };
                block_list(emitter, list, nested);
            }
            _ => leaf(emitter, value, indent + INDENT),
        }
    }
}

fn block_list(emitter: &mut Emitter, list: &[Value], indent: usize) {
    for value in list {
        emitter.indent(indent);
        emitter.indicator("-", true, false, true);
        match value {
            Value::Object(map) if !map.is_empty() => block_map(emitter, map, indent + INDENT),
            Value::Array(list) if !list.is_empty() => block_list(emitter, list, indent + INDENT),
            _ => leaf(emitter, value, indent + INDENT),
        }
    }
}

fn leaf(emitter: &mut Emitter, value: &Value, indent: usize) {
    match value {
        Value::Object(_) => {
            emitter.indicator("{", true, true, false);
            emitter.indicator("}", false, false, false);
        }
        Value::Array(_) => {
            emitter.indicator("[", true, true, false);
            emitter.indicator("]", false, false, false);
        }
        Value::Null => emitter.scalar("null", Style::Plain, indent, false),
        Value::Bool(flag) => emitter.scalar(
            if *flag { "true" } else { "false" },
            Style::Plain,
            indent,
            false,
        ),
        Value::Number(number) => emitter.scalar(&number_text(number), Style::Plain, indent, false),
        Value::String(string) => text(emitter, string, indent, false),
    }
}

fn text(emitter: &mut Emitter, text: &str, indent: usize, simple_key: bool) {
    let style = if text.contains('\n') {
        Style::Literal
    } else if resolve(text) == Scalar::Text && !is_sexagesimal(text) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    emitter.scalar(text, style, indent, simple_key);
}

/// Whole numbers that fit 64 bits as they are, everything else as Go's `%g`.
fn number_text(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            let whole = format!("{float:.0}");
            let fits = float.fract() == 0.0
                && (whole.parse::<i64>().is_ok() || whole.parse::<u64>().is_ok());
            if fits {
                whole
            } else {
                go_float::general(float)
            }
        }
        _ => number.to_string(),
    }
}
