// SPDX-License-Identifier: Apache-2.0
//! The columns of a version's table and their cells, found by JSONPath.

use serde_json::Value;

use super::leak;
use crate::jsonpath::JsonPath;
use crate::kinds::{CREATED_DESCRIPTION, Column, NAME_DESCRIPTION};
use crate::object::{int, text};
use crate::time;

/// How a cell is made of an object.
#[derive(Debug)]
pub(super) struct Cell {
    kind: &'static str,
    path: JsonPath,
}

/// The columns that a definition asks for behind the name, or the age alone.
pub(super) fn of(given: &[Value]) -> (Vec<Column>, Vec<Cell>) {
    let mut columns = vec![Column {
        name: "Name",
        kind: "string",
        format: "name",
        description: NAME_DESCRIPTION,
        priority: 0,
    }];
    let mut cells = Vec::new();
    let mut push =
        |name: &str, kind: &str, format: &str, description: &str, priority, path: &str| {
            // a path that cannot be read has no column
            let Ok(path) = JsonPath::parse(&format!("{{{path}}}")) else {
                return;
            };
            columns.push(Column {
                name: leak(name),
                kind: leak(kind),
                format: leak(format),
                description: leak(description),
                priority,
            });
            cells.push(Cell {
                kind: leak(kind),
                path: path.allow_missing_keys(true),
            });
        };
    if given.is_empty() {
        push(
            "Age",
            "date",
            "",
            CREATED_DESCRIPTION,
            0,
            ".metadata.creationTimestamp",
        );
    }
    for column in given {
        let word = |key: &str| text(column, &[key]);
        let description = match word("description") {
            "" => format!(
                "Custom resource definition column (in JSONPath format): {}",
                word("jsonPath")
            ),
            own => own.to_owned(),
        };
        let priority = int(column, &["priority"]).unwrap_or(0);
        push(
            word("name"),
            word("type"),
            word("format"),
            &description,
            i32::try_from(priority).unwrap_or(i32::MAX),
            word("jsonPath"),
        );
    }
    (columns, cells)
}

impl Cell {
    /// The first value that the path finds, as the column's type shows it; null where there is none.
    pub(super) fn value(&self, object: &Value, now_seconds: i64) -> Value {
        let Ok(found) = self.path.values(object) else {
            return Value::Null;
        };
        let Some(first) = found.first().and_then(|group| group.first()) else {
            return Value::Null;
        };
        let first: &Value = first;
        match (self.kind, first) {
            ("string", Value::Null) => "<no value>".into(),
            ("string", Value::String(text)) => text.as_str().into(),
            ("string", Value::Array(_) | Value::Object(_)) => crate::json::print(first).into(),
            ("string", scalar) => crate::quote::Shown(scalar).to_string().into(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a column of whole numbers shows the whole part"
            )]
            ("integer", Value::Number(n)) => n
                .as_i64()
                .or_else(|| n.as_f64().map(|f| f as i64))
                .map_or(Value::Null, Value::from),
            ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => first.clone(),
            ("date", Value::String(text)) => date(text, now_seconds).into(),
            _ => Value::Null,
        }
    }
}

fn date(text: &str, now_seconds: i64) -> String {
    if text.is_empty() {
        return "<unknown>".into();
    }
    match time::parse_time(text) {
        Ok(then) if time::is_zero(then) => "<unknown>".into(),
        Ok(then) => {
            let age = now_seconds.saturating_sub(then.as_second());
            let most = i64::MAX / 1_000_000_000;
            time::human_duration(jiff::SignedDuration::from_secs(age.min(most)))
        }
        Err(_) => "<invalid>".into(),
    }
}
