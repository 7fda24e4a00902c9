// SPDX-License-Identifier: Apache-2.0
//! Strings and values as Go prints them, which is how Kubernetes shows them in messages:
//! [`Quoted`] for `%q`, [`Shown`] for `%v`.

use serde_json::Value;
use std::fmt::{self, Display, Write};

/// Shows a string in double quotes with Go's escapes: `\n`, `\x00`, `\u200b`.
///
/// # Examples
/// ```
/// assert_eq!(k1s_core::quote::Quoted("a\n\u{1}é").to_string(), r#""a\n\x01é""#);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\u{7}' => out.write_str("\\a")?,
                '\u{8}' => out.write_str("\\b")?,
                '\u{c}' => out.write_str("\\f")?,
                '\n' => out.write_str("\\n")?,
                '\r' => out.write_str("\\r")?,
                '\t' => out.write_str("\\t")?,
                '\u{b}' => out.write_str("\\v")?,
                ' '..='~' => out.write_char(character)?,
                '\0'..='\u{1f}' | '\u{7f}' => write!(out, "\\x{:02x}", u32::from(character))?,
                _ if is_printable(character) => out.write_char(character)?,
                '\u{10000}'.. => write!(out, "\\U{:08x}", u32::from(character))?,
                _ => write!(out, "\\u{:04x}", u32::from(character))?,
            }
        }
        out.write_char('"')
    }
}

/// Whether Go prints the character as it is: letters, marks, numbers, punctuation and symbols.
///
/// Rust's own escape for debugging draws the same line, apart from combining marks.
fn is_printable(character: char) -> bool {
    let mut escaped = character.escape_debug();
    escaped.next() == Some(character) && character != '\u{a0}' && character != '\u{ad}'
}

/// Shows a value without quotes: `map[a:1 b:[x y]]`, `<nil>`, `1e+06`.
///
/// # Examples
/// ```
/// let value = serde_json::json!({"b": ["x", null], "a": 1.0});
/// assert_eq!(k1s_core::quote::Shown(&value).to_string(), "map[a:1 b:[x <nil>]]");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a Value);

impl Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => out.write_str("<nil>"),
            Value::Bool(flag) => write!(out, "{flag}"),
            Value::String(text) => out.write_str(text),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => out.write_str(&float_text(float)),
                _ => write!(out, "{number}"),
            },
            Value::Array(list) => {
                out.write_char('[')?;
                for (index, value) in list.iter().enumerate() {
                    let space = if index > 0 { " " } else { "" };
                    write!(out, "{space}{}", Shown(value))?;
                }
                out.write_char(']')
            }
            Value::Object(map) => {
                out.write_str("map[")?;
                for (index, (key, value)) in map.iter().enumerate() {
                    let space = if index > 0 { " " } else { "" };
                    write!(out, "{space}{key}:{}", Shown(value))?;
                }
                out.write_char(']')
            }
        }
    }
}

/// The shortest digits, with an exponent below 1e-4 and from 1e21 on.
fn float_text(value: f64) -> String {
    let scientific = format!("{value:e}");
    match scientific
        .split_once('e')
        .map(|(digits, exponent)| (digits, exponent.parse::<i32>()))
    {
        Some((digits, Ok(exponent))) if !(-4..21).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Quoted;

    fn check(input: &str, expected: &str) {
        assert_eq!(Quoted(input).to_string(), expected);
    }

    #[test]
    fn as_go_quotes() {
        check("", r#""""#);
        check("a\"b\\c", r#""a\"b\\c""#);
        check("\u{0}\u{7}\u{7f}", r#""\x00\a\x7f""#);
        check("é→😀", r#""é→😀""#);
        check("\u{200b}\u{a0}\u{feff}", r#""\u200b\u00a0\ufeff""#);
        check("\u{e0001}", r#""\U000e0001""#);
    }
}
