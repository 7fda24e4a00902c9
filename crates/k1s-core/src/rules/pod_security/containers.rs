// SPDX-License-Identifier: Apache-2.0
//! Containers that are against a policy, and how they are told.

use serde_json::Value;

use crate::field::quote;
use crate::object::text;
use crate::rules::core::pod_template;

/// Names of containers, each in quotes.
pub(super) struct Bad<'a>(pub(super) Vec<&'a str>);

impl<'a> Bad<'a> {
    /// The containers for which something holds.
    pub(super) fn of(spec: &'a Value, holds: impl Fn(&'a Value) -> bool) -> Self {
        Self(
            pod_template::containers(spec)
                .map(|(_, _, container)| container)
                .filter(|container| holds(container))
                .map(|container| text(container, &["name"]))
                .collect(),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `container "a"` or `containers "a", "b"`
    pub(super) fn words(&self) -> String {
        format!("{} {}", plural("container", self.0.len()), quoted(&self.0))
    }
}

/// The word, with an `s` unless there is one.
pub(super) fn plural(word: &str, count: usize) -> String {
    if count == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

/// `"a", "b"`
pub(super) fn quoted<T: AsRef<str>>(words: &[T]) -> String {
    let all: Vec<String> = words.iter().map(|w| quote(w.as_ref())).collect();
    all.join(", ")
}
