// SPDX-License-Identifier: Apache-2.0
//! Any object by its fields, for kinds that have no description of their own.

use serde_json::{Map, Value};

use super::field::shown;
use super::page::{Page, put, sorted};
use super::{Related, event};

/// Fields that stand at the top of the page, or that nobody wants to read.
const SKIPPED: [&str; 5] = [
    ".metadata.managedFields",
    ".metadata.name",
    ".metadata.namespace",
    ".metadata.labels",
    ".metadata.annotations",
];

/// Words that are written in capitals.
const ACRONYMS: [&str; 5] = ["API", "URL", "UID", "OSB", "GUID"];

/// An object of any kind.
pub(crate) fn object(page: &mut Page, object: &Value, related: &Related) {
    page.metadata(object);
    if let Value::Object(content) = object {
        fields(page, 0, content, "");
    }
    event::section(page, related);
}

fn fields(page: &mut Page, level: usize, content: &Map<String, Value>, path: &str) {
    for (name, value) in sorted(content) {
        let path = format!("{path}.{name}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        match value {
            Value::Object(content) => {
                put!(page, level, "{}:", label(name));
                fields(page, level + 1, content, &path);
            }
            Value::Array(items) => {
                put!(page, level, "{}:", label(name));
                for item in items {
                    match item {
                        Value::Object(content) => fields(page, level + 1, content, &path),
                        item => put!(page, level + 1, "{}", scalar(item)),
                    }
                }
            }
            value => put!(page, level, "{}:\t{}", label(name), scalar(value)),
        }
    }
}

fn scalar(value: &Value) -> String {
    if value.is_null() {
        "<nil>".to_owned()
    } else {
        shown(value)
    }
}

/// A field's name as words: `apiVersion` is `API Version`; a name with other characters than letters stays as it is.
fn label(name: &str) -> String {
    if name.chars().any(|c| !c.is_alphabetic() && c != '-') {
        return name.to_owned();
    }
    let words = words(name).into_iter().map(|word| {
        let capitals = word.to_uppercase();
        if ACRONYMS.contains(&capitals.as_str()) {
            return capitals;
        }
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| {
                first
                    .to_uppercase()
                    .chain(letters.flat_map(char::to_lowercase))
                    .collect()
            })
            .unwrap_or_default()
    });
    words.collect::<Vec<String>>().join(" ")
}

/// Splits where the case changes; the last capital of several belongs to the word that follows.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = None;
    for letter in name.chars() {
        let class = if letter.is_lowercase() {
            1
        } else if letter.is_uppercase() {
            2
        } else {
            3
        };
        match words.last_mut() {
            Some(word) if before == Some(class) => word.push(letter),
            Some(word) if before == Some(2) && class == 1 => {
                let capital = word.pop();
                if word.is_empty() {
                    words.pop();
                }
                words.push(capital.into_iter().chain([letter]).collect());
            }
            _ => words.push(letter.to_string()),
        }
        before = Some(class);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::label;

    #[test]
    fn labels_are_words() {
        let check = |name: &str, expected: &str| assert_eq!(label(name), expected);
        check("apiVersion", "API Version");
        check("holderIdentity", "Holder Identity");
        check("uid", "UID");
        check("podIP", "Pod Ip");
        check("clusterIPs", "Cluster I Ps");
        check("HTTPRoute", "Http Route");
        check("fieldsV1", "fieldsV1");
        check("kebab-case", "Kebab - Case");
    }
}
