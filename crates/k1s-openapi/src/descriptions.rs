// SPDX-License-Identifier: Apache-2.0
//! The descriptions of types and fields, unpacked package by package as a document needs them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::tables::{DESCRIPTIONS, PACKAGES};

/// The descriptions that were unpacked so far; dropped with the document that they are for.
#[derive(Debug, Default)]
pub(crate) struct Descriptions {
    packages: BTreeMap<&'static str, Map<String, Value>>,
}

impl Descriptions {
    /// The description of a type; empty when there is none.
    pub(crate) fn of_type(&mut self, schema: &str) -> &str {
        self.of_field(schema, "")
    }

    /// The description of a field of a type; empty when there is none.
    pub(crate) fn of_field(&mut self, schema: &str, field: &str) -> &str {
        let Some((package, kind)) = schema.rsplit_once('.') else {
            return "";
        };
        let Some(at) = PACKAGES
            .binary_search_by(|p| p.name.cmp(package))
            .ok()
            .map(|i| &PACKAGES[i])
        else {
            return "";
        };
        let texts = self
            .packages
            .entry(at.name)
            .or_insert_with(|| unpack(&DESCRIPTIONS[at.start..at.end]));
        texts
            .get(kind)
            .and_then(|fields| fields[field].as_str())
            .unwrap_or_default()
    }
}

/// The blob is part of the program; were it broken, the documents would have no descriptions.
fn unpack(packed: &[u8]) -> Map<String, Value> {
    let text = miniz_oxide::inflate::decompress_to_vec(packed).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_unpacks() {
        for package in &PACKAGES {
            assert!(
                !unpack(&DESCRIPTIONS[package.start..package.end]).is_empty(),
                "{}",
                package.name
            );
        }
    }

    #[test]
    fn types_and_fields_have_words() {
        let mut all = Descriptions::default();
        assert!(
            all.of_type("io.k8s.api.core.v1.ConfigMap")
                .starts_with("ConfigMap holds")
        );
        assert!(
            all.of_field("io.k8s.api.core.v1.ConfigMap", "data")
                .starts_with("Data contains")
        );
        assert_eq!(all.of_field("io.k8s.api.core.v1.ConfigMap", "nothing"), "");
        assert_eq!(all.of_type("io.k8s.nothing.Nothing"), "");
    }
}
