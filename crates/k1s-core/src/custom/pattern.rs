// SPDX-License-Identifier: Apache-2.0
//! Regular expressions of schemas, which run in time linear in the text.

use regex_lite::{Regex, RegexBuilder};

/// A compiled expression may take this many bytes.
const MOST_BYTES: usize = 1024 * 1024;

/// A regular expression with the text that it was read from.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    pub(super) text: String,
    compiled: Regex,
}

impl Pattern {
    /// Reads an expression in the syntax of Go (RE2). Classes by Unicode property (`\p{L}`) are not known.
    ///
    /// # Errors
    /// The words of the reader.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let compiled = RegexBuilder::new(text)
            .size_limit(MOST_BYTES)
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self {
            text: text.to_owned(),
            compiled,
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}
