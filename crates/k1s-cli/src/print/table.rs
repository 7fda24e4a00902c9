// SPDX-License-Identifier: Apache-2.0
//! Tables of the API as kubectl shows them: which columns, how wide, what is put before and after.
//!
//! Entry point: [`Sheet`], which takes tables of one kind one after the other and remembers the widths between them, so that the
//! lines of a watch stand under each other.

use k1s_core::object::{list, text};
use serde_json::{Value, json};

/// What is shown of each table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Columns of lower priority too.
    pub wide: bool,
    /// No line of headings.
    pub no_headers: bool,
    /// A column with the namespace.
    pub with_namespace: bool,
    /// Names with this before them: `deployment.apps`.
    pub kind: Option<String>,
    /// Labels with a column each.
    pub label_columns: Vec<String>,
    /// A column with all labels.
    pub show_labels: bool,
}

/// A table on its way to the terminal.
#[derive(Debug, Default)]
pub struct Sheet {
    options: Options,
    widths: Vec<usize>,
    headed: bool,
    lines: Vec<Vec<String>>,
    columns: Value,
}

/// Cells are at least so wide.
const MIN_WIDTH: usize = 6;
/// Between columns there is at least so much space.
const PADDING: usize = 3;

impl Sheet {
    /// An empty sheet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            ..Self::default()
        }
    }

    /// Puts the rows of a table, or an object, on the sheet; `event` is the type of a watch event where that is shown.
    pub fn push(&mut self, answer: &Value, event: Option<&str>) {
        let made;
        let table = if text(answer, &["kind"]) == "Table" {
            answer
        } else {
            made = generic(answer);
            &made
        };
        let definitions = list(table, &["columnDefinitions"]);
        if !definitions.is_empty() {
            // In a watch only the first table says what its columns are.
            self.columns = Value::Array(definitions.to_vec());
        }
        let rows = list(table, &["rows"]);
        if rows.is_empty() {
            return;
        }
        let columns: Vec<Value> = self.columns.as_array().cloned().unwrap_or_default();
        let shown: Vec<usize> = columns
            .iter()
            .enumerate()
            .filter(|(_, c)| self.options.wide || c["priority"].as_i64().unwrap_or(0) == 0)
            .map(|(i, _)| i)
            .collect();
        if !self.headed && !self.options.no_headers {
            let heads = self.headings(&columns, &shown, event.is_some());
            self.lines.push(heads);
        }
        self.headed = true;
        for row in rows {
            let line = self.row(&columns, &shown, row, event);
            self.lines.push(line);
        }
    }

    fn headings(&self, columns: &[Value], shown: &[usize], event: bool) -> Vec<String> {
        let mut out = Vec::new();
        if event {
            out.push("EVENT".to_owned());
        }
        if self.options.with_namespace {
            out.push("NAMESPACE".to_owned());
        }
        out.extend(
            shown
                .iter()
                .map(|i| text(&columns[*i], &["name"]).to_uppercase()),
        );
        for label in &self.options.label_columns {
            out.push(label.rsplit('/').next().unwrap_or(label).to_uppercase());
        }
        if self.options.show_labels {
            out.push("LABELS".to_owned());
        }
        out
    }

    fn row(
        &self,
        columns: &[Value],
        shown: &[usize],
        row: &Value,
        event: Option<&str>,
    ) -> Vec<String> {
        let object = &row["object"];
        let mut out: Vec<String> = event.map(str::to_owned).into_iter().collect();
        if self.options.with_namespace {
            out.push(text(object, &["metadata", "namespace"]).to_owned());
        }
        let mut kind = self.options.kind.as_deref();
        for i in shown {
            let mut cell = cell(&row["cells"][*i]);
            // The first column that holds the name gets the kind.
            let is_name = text(&columns[*i], &["format"]) == "name"
                || text(&columns[*i], &["name"]).eq_ignore_ascii_case("name");
            if is_name && let Some(kind) = kind.take() {
                cell = format!("{kind}/{cell}");
            }
            out.push(cell);
        }
        let labels = &object["metadata"]["labels"];
        for label in &self.options.label_columns {
            out.push(labels[label.as_str()].as_str().unwrap_or("").to_owned());
        }
        if self.options.show_labels {
            let all: Vec<String> = labels
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or("")))
                .collect();
            out.push(if all.is_empty() {
                "<none>".to_owned()
            } else {
                all.join(",")
            });
        }
        out
    }

    /// What was put on the sheet since the last time, in columns.
    pub fn take(&mut self) -> String {
        align(&std::mem::take(&mut self.lines), &mut self.widths)
    }
}

/// Lines of cells in columns; no column becomes narrower than it was.
pub(crate) fn align(lines: &[Vec<String>], widths: &mut Vec<usize>) -> String {
    for line in lines {
        for (i, cell) in line.iter().enumerate().take(line.len().saturating_sub(1)) {
            let width = (cell.chars().count() + PADDING).max(MIN_WIDTH);
            if i == widths.len() {
                widths.push(width);
            } else {
                widths[i] = widths[i].max(width);
            }
        }
    }
    let mut out = String::new();
    for line in lines {
        for (i, cell) in line.iter().enumerate() {
            out.push_str(cell);
            if i + 1 < line.len() {
                let space = widths[i].saturating_sub(cell.chars().count());
                out.extend(std::iter::repeat_n(' ', space));
            }
        }
        out.push('\n');
    }
    out
}

/// A text as cells: a tab in it begins another one.
pub(crate) fn cells(text: &str) -> impl Iterator<Item = String> {
    text.split('\t').map(escaped)
}

/// A text that a terminal takes for nothing but text.
fn escaped(text: &str) -> String {
    text.replace('\u{1b}', "^[").replace('\r', "\\r")
}

/// A cell in words: one line, a longer text is cut.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => match text.find(['\n', '\r', '\u{c}']) {
            Some(end) => format!("{}...", escaped(&text[..end])),
            None => escaped(text),
        },
        other => crate::print::template::go_value(other),
    }
}

/// The table of an API that makes none: names and ages are all that every kind has.
fn generic(answer: &Value) -> Value {
    let one;
    let objects = if answer["items"].is_array() {
        list(answer, &["items"])
    } else {
        one = [answer.clone()];
        &one
    };
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let created = text(object, &["metadata", "creationTimestamp"]);
            let since = k1s_core::time::parse_time(created).ok();
            let age = k1s_core::time::age(jiff::Timestamp::now(), since);
            json!({"cells": [text(object, &["metadata", "name"]), age], "object": object})
        })
        .collect();
    json!({
        "kind": "Table",
        "columnDefinitions": [{"name": "Name", "format": "name"}, {"name": "Age"}],
        "rows": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Value {
        json!({
            "kind": "Table",
            "columnDefinitions": [
                {"name": "Name", "format": "name", "priority": 0},
                {"name": "Data", "priority": 0},
                {"name": "More", "priority": 1},
            ],
            "rows": [
                {"cells": ["a", 1, "x"], "object": {"metadata": {"namespace": "ns", "labels": {"app": "x", "example.com/part": "p"}}}},
                {"cells": ["b", 2, "two\nlines"], "object": {"metadata": {"namespace": "ns"}}},
            ],
        })
    }

    fn check(options: Options, wanted: &str) {
        let mut sheet = Sheet::new(options);
        sheet.push(&table(), None);
        assert_eq!(sheet.take(), wanted);
    }

    #[test]
    fn columns_by_option() {
        check(Options::default(), "NAME   DATA\na      1\nb      2\n");
        check(
            Options {
                wide: true,
                no_headers: true,
                ..Options::default()
            },
            "a     1     x\nb     2     two...\n",
        );
        check(
            Options {
                with_namespace: true,
                kind: Some("configmap".into()),
                ..Options::default()
            },
            "NAMESPACE   NAME          DATA\nns          configmap/a   1\nns          configmap/b   2\n",
        );
        check(
            Options {
                label_columns: vec!["example.com/part".into()],
                show_labels: true,
                no_headers: true,
                ..Options::default()
            },
            "a     1     p     app=x,example.com/part=p\nb     2           <none>\n",
        );
    }

    #[test]
    fn a_watch_keeps_headings_and_widths() {
        let mut sheet = Sheet::new(Options::default());
        sheet.push(&table(), Some("ADDED"));
        assert!(sheet.take().starts_with("EVENT   NAME"));
        let row =
            json!({"kind": "Table", "columnDefinitions": null, "rows": [{"cells": ["c", 3, ""]}]});
        sheet.push(&row, Some("DELETED"));
        assert_eq!(sheet.take(), "DELETED   c      3\n");
        sheet.push(&row, Some("ADDED"));
        assert_eq!(sheet.take(), "ADDED     c      3\n");
    }

    #[test]
    fn texts_do_not_command_a_terminal() {
        assert_eq!(
            cells("a\tb\u{1b}[1m\rc").collect::<Vec<_>>(),
            ["a", "b^[[1m\\rc"]
        );
    }

    #[test]
    fn nothing_is_no_line() {
        let mut sheet = Sheet::new(Options::default());
        sheet.push(
            &json!({"kind": "Table", "columnDefinitions": [{"name": "Name"}], "rows": []}),
            None,
        );
        assert_eq!(sheet.take(), "");
    }
}
