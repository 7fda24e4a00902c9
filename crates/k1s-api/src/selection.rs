// SPDX-License-Identifier: Apache-2.0
//! Which objects of a kind a list, a watch or a delete of a collection is about.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k1s_core::field::quote;
use k1s_core::kinds::Kind;
use k1s_core::rules::{self, Rules, UnknownField};
use k1s_core::selector::{FieldSelector, LabelSelector};
use k1s_core::status::Status;
use serde::Deserialize;
use serde_json::Value;

/// A label selector and a field selector, checked for a kind.
#[derive(Clone)]
pub(crate) struct Selection {
    labels: LabelSelector,
    fields: FieldSelector,
    rules: &'static Rules,
    /// Whether the metadata is enough to decide.
    by_metadata: bool,
}

/// As much of an object as most selections look at.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl Selection {
    /// Parses and checks the selectors of a request.
    pub(crate) fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Status> {
        let rules = rules::of(kind);
        let labels =
            LabelSelector::parse(labels).map_err(|e| Status::bad_request(e.to_string()))?;
        let fields =
            FieldSelector::parse(fields).map_err(|e| Status::bad_request(e.to_string()))?;
        let mut by_metadata = true;
        let fields = fields.try_map(|field, value| {
            match field.as_str() {
                "metadata.name" => {}
                // kinds without rules of their own about fields take it, whatever their scope
                "metadata.namespace"
                    if kind.namespaced || rules.unknown_field == UnknownField::NotKnown => {}
                own if rules.fields.contains(&own) => by_metadata = false,
                other => return Err(Status::bad_request(unknown_field(kind, rules, other))),
            }
            Ok((field, value))
        })?;
        Ok(Self {
            labels,
            fields,
            rules,
            by_metadata,
        })
    }

    /// The same for the one object of this name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        self.fields = FieldSelector::equal("metadata.name", name);
        self
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything()
    }

    /// The name that a selected object must have, if there is only one.
    pub(crate) fn only_name(&self) -> Option<&str> {
        self.fields.exact("metadata.name")
    }

    /// Whether a stored object is selected.
    pub(crate) fn matches(&self, stored: &[u8]) -> bool {
        if self.is_everything() {
            return true;
        }
        if self.by_metadata {
            return serde_json::from_slice::<Head>(stored).is_ok_and(|head| {
                self.labels.matches(&head.metadata.labels)
                    && self.fields.matches(|field| match field {
                        "metadata.name" => Cow::Borrowed(head.metadata.name.as_str()),
                        _ => Cow::Borrowed(head.metadata.namespace.as_str()),
                    })
            });
        }
        serde_json::from_slice::<Value>(stored).is_ok_and(|object| {
            let labels = k1s_core::object::map(&object, &["metadata", "labels"]);
            self.labels.matches(&labels)
                && self.fields.matches(|field| match field {
                    "metadata.name" => Cow::Borrowed(k1s_core::object::name(&object)),
                    "metadata.namespace" => Cow::Borrowed(k1s_core::object::namespace(&object)),
                    own => Cow::Owned((self.rules.field)(&object, own)),
                })
        })
    }
}

fn unknown_field(kind: &Kind, rules: &Rules, field: &str) -> String {
    match rules.unknown_field {
        UnknownField::NotKnown => format!(
            "{} is not a known field selector: only \"metadata.name\", \"metadata.namespace\"",
            quote(field)
        ),
        UnknownField::NotSupported => format!("field label not supported: {field}"),
        UnknownField::NotSupportedFor => format!(
            "field label {} not supported for {}",
            quote(field),
            kind.kind
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k1s_core::kinds;

    fn check(labels: &str, fields: &str, object: &str, expected: bool) {
        let kind = kinds::of_kind("", "v1", "ConfigMap").unwrap();
        let selection = Selection::parse(kind, labels, fields).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            selection.matches(object.as_bytes()),
            expected,
            "{labels} {fields}"
        );
    }

    #[test]
    fn selections() {
        let object =
            r#"{"data":{"a":"b"},"metadata":{"labels":{"app":"x"},"name":"a","namespace":"n"}}"#;
        check("", "", object, true);
        check("app=x", "", object, true);
        check("app!=x", "", object, false);
        check("app", "metadata.name=a", object, true);
        check("", "metadata.name!=a", object, false);
        check("", "metadata.namespace=n", object, true);
    }

    #[test]
    fn unknown_fields_are_refused() {
        let kind = kinds::of_kind("", "v1", "ConfigMap").unwrap();
        let status = Selection::parse(kind, "", "data.a=b").err().unwrap();
        assert_eq!(
            status.message,
            "\"data.a\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
        );
    }
}
