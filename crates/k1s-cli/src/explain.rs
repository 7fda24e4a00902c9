// SPDX-License-Identifier: Apache-2.0
//! What a field of a kind is for, from the OpenAPI v3 document of its group and version.
//!
//! Entry point: [`explain`]. It follows the schemas as they refer to each other, and stops where they go in circles.

mod wrap;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use wrap::{indent, wrap};

/// How many values of an enumeration are shown beside a field.
const SHOWN_VALUES: usize = 4;

/// The kind to explain.
pub struct Kind<'a> {
    /// API group, empty for the core group.
    pub group: &'a str,
    /// Version within the group.
    pub version: &'a str,
    /// Kind.
    pub kind: &'a str,
}

/// Why there is nothing to explain.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The path leads to no field.
    #[error("field \"{0}\" does not exist")]
    NoField(String),
    /// The document does not know the kind.
    #[error("GVK map[group:{group} kind:{kind} version:{version}] not found in OpenAPI schema")]
    NoKind {
        /// API group.
        group: String,
        /// Version.
        version: String,
        /// Kind.
        kind: String,
    },
}

/// Explains a kind, or the field of it that `path` leads to, with all fields beneath it when `recursive`.
///
/// The text stands also where an error comes with it: its head is printed before the error is known.
pub fn explain(
    document: &Value,
    kind: &Kind<'_>,
    path: &[String],
    recursive: bool,
) -> (String, Result<(), Error>) {
    let mut text = String::new();
    if !kind.group.is_empty() {
        text += &format!("GROUP:      {}\n", kind.group);
    }
    text += &format!(
        "KIND:       {}\nVERSION:    {}\n\n",
        kind.kind, kind.version
    );
    let explainer = Explainer {
        document,
        recursive,
    };
    let Some(schema) = explainer.schema_of(kind) else {
        let (group, version, kind) = (
            kind.group.to_owned(),
            kind.version.to_owned(),
            kind.kind.to_owned(),
        );
        return (
            text,
            Err(Error::NoKind {
                group,
                version,
                kind,
            }),
        );
    };
    match explainer.field(schema, path, &BTreeSet::new()) {
        Some(field) => (text + &field + "\n", Ok(())),
        None => (
            text,
            Err(Error::NoField(path.last().cloned().unwrap_or_default())),
        ),
    }
}

struct Explainer<'a> {
    document: &'a Value,
    recursive: bool,
}

/// References followed on the way to a schema.
type History<'a> = BTreeSet<&'a str>;

impl<'a> Explainer<'a> {
    fn schema_of(&self, kind: &Kind<'_>) -> Option<&'a Value> {
        let matches = |found: &Value| {
            let is = |field: &str, wanted: &str| {
                found.get(field).and_then(Value::as_str) == Some(wanted)
            };
            is("group", kind.group) && is("version", kind.version) && is("kind", kind.kind)
        };
        let schemas = self.document.pointer("/components/schemas")?.as_object()?;
        schemas.values().find(|schema| {
            let kinds = schema
                .get("x-kubernetes-group-version-kind")
                .and_then(Value::as_array);
            kinds.is_some_and(|kinds| kinds.iter().any(matches))
        })
    }

    fn resolve(&self, schema: &'a Value) -> &'a Value {
        let target = reference(schema)
            .and_then(|reference| self.document.pointer(reference.strip_prefix('#')?));
        target.unwrap_or(schema)
    }

    /// The field that the path leads to from a schema, none where it leads nowhere.
    fn field(&self, schema: &'a Value, path: &[String], history: &History<'a>) -> Option<String> {
        let resolved = self.resolve(schema);
        let Some((name, rest)) = path.split_first() else {
            return Some(self.whole(resolved));
        };
        let mut followed = history.clone();
        if let Some(reference) = reference(schema) {
            if history.contains(reference) {
                return None;
            }
            followed.insert(reference);
        }
        if let Some(property) = resolved
            .get("properties")
            .and_then(|properties| properties.get(name))
        {
            let head = match rest.is_empty() {
                true => format!(
                    "FIELD: {name} <{}>\n{}\n\n",
                    self.type_name(property),
                    values_below(property)
                ),
                false => String::new(),
            };
            return self
                .field(property, rest, &BTreeSet::new())
                .map(|text| head + &text);
        }
        let next = resolved.get("items").or_else(|| {
            resolved
                .get("additionalProperties")
                .filter(|schema| !schema.is_boolean())
        });
        if let Some(next) = next {
            return self.field(next, path, &followed);
        }
        all_of(resolved).find_map(|schema| self.field(schema, path, &followed))
    }

    fn whole(&self, schema: &'a Value) -> String {
        let mut text = self.description(schema);
        if text.is_empty() {
            text = "<empty>".to_owned();
        }
        let mut text = format!("DESCRIPTION:\n{}\n", indent(&wrap(&text, 76), 4));
        let mut fields = String::new();
        self.fields(&mut fields, schema, 1, &BTreeSet::new());
        if !fields.is_empty() {
            text += "FIELDS:\n";
            text += &fields;
        }
        text
    }

    /// The descriptions of a schema and of those that it is made of.
    fn description(&self, schema: &'a Value) -> String {
        let schema = self.resolve(schema);
        let mut text = match schema.get("description").and_then(Value::as_str) {
            Some(description) if !description.is_empty() => format!("{description}\n"),
            _ => String::new(),
        };
        for part in parts(schema) {
            text += &self.description(part);
        }
        text
    }

    fn fields(&self, out: &mut String, schema: &'a Value, level: usize, history: &History<'a>) {
        let mut followed = history.clone();
        if let Some(reference) = reference(schema)
            && !followed.insert(reference)
        {
            return;
        }
        let schema = self.resolve(schema);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut properties: Vec<_> = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .collect();
        properties.sort_by_key(|(name, _)| *name);
        for (name, property) in properties {
            let pad = " ".repeat(2 * level);
            let mark = if required.contains(&name.as_str()) {
                " -required-"
            } else {
                ""
            };
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{pad}{name}\t<{}>{mark}{}",
                self.type_name(property),
                values_beside(property, &pad)
            );
            if self.recursive {
                self.fields(out, property, level + 1, &followed);
            } else {
                let description = property
                    .get("description")
                    .and_then(Value::as_str)
                    .filter(|text| !text.is_empty());
                let description = wrap(description.unwrap_or("<no description>"), 78 - 2 * level);
                let _ = writeln!(out, "{}\n", indent(&description, 2 * level + 2));
            }
        }
        for part in parts(schema) {
            self.fields(out, part, level, &followed);
        }
    }

    /// The type of a schema in short: `string`, `[]Container`, `map[string]string`, `Object`.
    fn type_name(&self, schema: &'a Value) -> String {
        if let Some(items) = schema.get("items") {
            return format!("[]{}", self.type_name(items));
        }
        if let Some(values) = schema
            .get("additionalProperties")
            .filter(|schema| !schema.is_boolean())
        {
            return format!("map[string]{}", self.type_name(values));
        }
        let plain = |schema: &Value| match schema.get("type").and_then(Value::as_str) {
            None | Some("" | "object") => None,
            Some(name) => Some(name.to_owned()),
        };
        let mut alternatives = all_of(schema);
        if let (Some(only), None, None) = (
            alternatives.next(),
            alternatives.next(),
            schema.get("properties"),
        ) {
            return self.type_name(only);
        }
        if let Some(reference) = reference(schema) {
            let target = self
                .document
                .pointer(reference.strip_prefix('#').unwrap_or(reference));
            return target.and_then(plain).unwrap_or_else(|| {
                reference
                    .rsplit(['/', '.'])
                    .next()
                    .unwrap_or("Object")
                    .to_owned()
            });
        }
        plain(schema).unwrap_or_else(|| "Object".to_owned())
    }
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)
}

fn all_of(schema: &Value) -> impl Iterator<Item = &Value> {
    schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// What a schema is made of, beside its own properties.
fn parts(schema: &Value) -> impl Iterator<Item = &Value> {
    all_of(schema).chain(schema.get("items")).chain(
        schema
            .get("additionalProperties")
            .filter(|schema| !schema.is_boolean()),
    )
}

fn values(schema: &Value) -> Vec<String> {
    let shown = |value: &Value| match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    schema
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(shown)
        .collect()
}

fn values_below(schema: &Value) -> String {
    let values = values(schema);
    if values.is_empty() {
        String::new()
    } else {
        format!("ENUM:\n    {}", values.join("\n    "))
    }
}

fn values_beside(schema: &Value, pad: &str) -> String {
    let values = values(schema);
    match values.len() {
        0 => String::new(),
        1..=SHOWN_VALUES => format!("\n{pad}enum: {}", values.join(", ")),
        _ => format!("\n{pad}enum: {}, ....", values[..SHOWN_VALUES].join(", ")),
    }
}

#[cfg(test)]
mod tests;
