// SPDX-License-Identifier: Apache-2.0
//! What a provider keeps beside a state, out of sight of the user.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// Private state: names and JSON. It is stored with the state, in clear: no place for secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Private(BTreeMap<String, Json>);

impl Private {
    /// What is kept under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// Keeps a value under a name.
    pub fn set(&mut self, name: &str, value: impl Into<Json>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// Keeps no value under the name any more.
    pub fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Private state of another form than this is of another provider, and is dropped.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self(serde_json::from_slice(bytes).unwrap_or_default())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let object: serde_json::Map<_, _> = self.0.clone().into_iter().collect();
        Json::Object(object).to_string().into_bytes()
    }
}
