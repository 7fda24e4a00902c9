// SPDX-License-Identifier: Apache-2.0
//! Paths of plain names, until the whole language is there.

use serde_json::Value;

use crate::error::Result;

#[derive(Debug)]
pub(super) struct JsonPath(Vec<String>);

impl JsonPath {
    pub(super) fn parse(text: &str) -> Result<Self> {
        let names = text.trim_matches(['{', '}', '.']).split('.');
        Ok(Self(names.map(str::to_owned).collect()))
    }

    pub(super) fn find(&self, object: &Value) -> Result<Vec<Vec<Value>>> {
        let found = self
            .0
            .iter()
            .try_fold(object, |value, name| value.get(name));
        Ok(vec![found.cloned().into_iter().collect()])
    }
}
