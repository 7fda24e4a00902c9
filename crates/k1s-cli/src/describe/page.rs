// SPDX-License-Identifier: Apache-2.0
//! The page that a description is written on: indented lines with tabs between the columns, aligned at the end.

use std::fmt::{Arguments, Write as _};

use serde_json::{Map, Value};

use super::field::{Fields, shown};
use crate::tabwriter;

/// Longest annotation that is shown on the line of its name, in bytes, with the name.
const ANNOTATION_BYTES: usize = 140;

/// The annotation that repeats the whole object, of no use to a reader.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A description being written.
#[derive(Default)]
pub(crate) struct Page {
    text: String,
    margin: usize,
    /// By how many levels values of [`Page::column`] stand further in than their column.
    value_margin: usize,
}

/// Writes one line at a level: `put!(page, 1, "Kind:\t{}", kind)`.
macro_rules! put {
    ($page:expr, $level:expr, $($line:tt)*) => { $page.line($level, format_args!($($line)*)) };
}
pub(crate) use put;

impl Page {
    /// A line, indented by two spaces for each level.
    pub(crate) fn line(&mut self, level: usize, line: Arguments<'_>) {
        self.part(level, line);
        self.text.push('\n');
    }

    /// The beginning of a line.
    pub(crate) fn part(&mut self, level: usize, part: Arguments<'_>) {
        for _ in 0..level + self.margin {
            self.text.push_str("  ");
        }
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(part);
    }

    /// Writes what `inner` writes, some levels further in.
    pub(crate) fn nested(&mut self, levels: usize, inner: impl FnOnce(&mut Page)) {
        self.margin += levels;
        inner(self);
        self.margin -= levels;
    }

    /// As [`Page::nested`], and values of columns stand further in too: so kubectl writes an object within another.
    pub(crate) fn nested_object(&mut self, levels: usize, inner: impl FnOnce(&mut Page)) {
        self.value_margin += levels;
        self.nested(levels, inner);
        self.value_margin -= levels;
    }

    /// A title with several values beneath each other, `<none>` where there are none.
    pub(crate) fn column(&mut self, title: &str, values: impl IntoIterator<Item = String>) {
        let mut values = values.into_iter();
        let inset = "  ".repeat(self.value_margin);
        let first = values.next().unwrap_or_else(|| "<none>".to_owned());
        put!(self, 0, "{title}:\t{inset}{first}");
        for value in values {
            put!(self, 0, "\t{inset}{value}");
        }
    }

    /// Labels, one a line.
    pub(crate) fn labels(&mut self, title: &str, labels: &Map<String, Value>) {
        self.column(
            title,
            sorted(labels).map(|(name, value)| format!("{name}={}", shown(value))),
        );
    }

    /// Annotations, long ones on lines of their own.
    pub(crate) fn annotations(&mut self, title: &str, annotations: &Map<String, Value>) {
        let entries = sorted(annotations)
            .filter(|(name, _)| *name != LAST_APPLIED)
            .map(|(name, value)| {
                let value = shown(value);
                let value = value.strip_suffix('\n').unwrap_or(&value);
                if name.len() + value.len() + 2 <= ANNOTATION_BYTES && !value.contains('\n') {
                    return format!("{name}: {value}");
                }
                let lines: String = value
                    .split('\n')
                    .map(|line| format!("\n\t  {}", shorten(line, ANNOTATION_BYTES - 2)))
                    .collect();
                format!("{name}:{lines}")
            });
        self.column(title, entries);
    }

    /// Name, namespace, labels and annotations: how most descriptions begin.
    pub(crate) fn metadata(&mut self, object: &Value) {
        put!(self, 0, "Name:\t{}", object.text("metadata.name"));
        put!(self, 0, "Namespace:\t{}", object.text("metadata.namespace"));
        self.marks(object);
    }

    /// Labels and annotations of an object.
    pub(crate) fn marks(&mut self, object: &Value) {
        self.labels("Labels", object.map("metadata.labels"));
        self.annotations("Annotations", object.map("metadata.annotations"));
    }

    /// The page as it was written, with its tabs; control characters as in [`Page::finish`].
    pub(crate) fn raw(self) -> String {
        self.text.replace('\x1b', "^[").replace('\r', "\\r")
    }

    /// The page with its columns aligned; control characters that could trick a terminal are made visible.
    pub(crate) fn finish(self) -> String {
        let text = if self.text.contains(['\x1b', '\r']) {
            self.text.replace('\x1b', "^[").replace('\r', "\\r")
        } else {
            self.text
        };
        tabwriter::describe(&text)
    }
}

/// The fields of a map in the order of their names.
pub(crate) fn sorted(map: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let mut fields: Vec<_> = map.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    fields.into_iter()
}

/// `a=b,c=d`, or `<none>`.
pub(crate) fn labels_in_line(labels: &Map<String, Value>) -> String {
    or_none(
        sorted(labels)
            .map(|(name, value)| format!("{name}={}", shown(value)))
            .collect::<Vec<_>>()
            .join(","),
    )
}

/// The text, or `<none>` for an empty one.
pub(crate) fn or_none(text: impl Into<String>) -> String {
    or(text, "<none>")
}

/// The text, or `instead` of an empty one.
pub(crate) fn or(text: impl Into<String>, instead: &str) -> String {
    let text = text.into();
    if text.is_empty() {
        instead.to_owned()
    } else {
        text
    }
}

/// A label selector in the form of the command line: `a=b,c in (d,e),!f`, or `<none>`.
pub(crate) fn selector(selector: &Value) -> String {
    k1s_core::selector::format_label_selector(Some(selector))
}

fn shorten(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        text.to_owned()
    } else {
        format!("{}...", &text[..text.floor_char_boundary(bytes)])
    }
}

#[cfg(test)]
mod tests {
    use super::{Page, selector};
    use serde_json::json;

    #[test]
    fn annotations_fold_when_long() {
        let check = |annotations: serde_json::Value, expected: &str| {
            let mut page = Page::default();
            page.annotations("Annotations", annotations.as_object().unwrap());
            assert_eq!(page.finish(), expected);
        };
        check(json!({}), "Annotations:  <none>\n");
        check(
            json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"}),
            "Annotations:  <none>\n",
        );
        check(
            json!({"b": "2", "a": "1\n"}),
            "Annotations:  a: 1\n              b: 2\n",
        );
        check(
            json!({"a": "x\ny"}),
            "Annotations:  a:\n                x\n                y\n",
        );
        let long = "z".repeat(150);
        check(
            json!({"a": long}),
            &format!("Annotations:  a:\n                {}...\n", "z".repeat(138)),
        );
    }

    #[test]
    fn selectors_in_the_form_of_the_command_line() {
        let check =
            |input: serde_json::Value, expected: &str| assert_eq!(selector(&input), expected);
        check(json!(null), "<none>");
        check(json!({"matchLabels": {"b": "2", "a": "1"}}), "a=1,b=2");
        check(
            json!({"matchLabels": {"m": "1"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["y", "x"]}, {"key": "z", "operator": "DoesNotExist"}]}),
            "a in (x,y),m=1,!z",
        );
    }
}
