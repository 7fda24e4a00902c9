// SPDX-License-Identifier: Apache-2.0
//! Which controllers run: the value of `--controllers`, as kube-controller-manager reads it.

use std::collections::BTreeSet;

use crate::registry::{ENTRIES, Entry};

/// A set of controllers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(BTreeSet<&'static str>);

/// A name that no controller has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no controller {0:?}; the controllers are {names}", names = names())]
pub struct UnknownController(String);

fn names() -> String {
    let names: Vec<_> = ENTRIES.iter().map(|entry| entry.name).collect();
    names.join(", ")
}

impl Selection {
    /// Reads `all`, or names separated by commas: `foo` switches foo on, `-foo` off, and `*` (or `all`) everything
    /// that is not named. The first mention of a name counts. Empty is none.
    ///
    /// # Errors
    /// When a name is not one of a controller.
    ///
    /// # Examples
    /// ```
    /// assert!(k1s_controllers::Selection::parse("nobody").is_err());
    /// assert!(k1s_controllers::Selection::parse("").unwrap().is_empty());
    /// ```
    pub fn parse(text: &str) -> Result<Self, UnknownController> {
        let (mut on, mut off, mut all) = (BTreeSet::new(), BTreeSet::new(), false);
        for word in text
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match word.strip_prefix('-') {
                _ if matches!(word, "*" | "all") => all = true,
                None => {
                    let name = find(word)?.name;
                    if !off.contains(name) {
                        on.insert(name);
                    }
                }
                Some(word) => {
                    let name = find(word)?.name;
                    if !on.contains(name) {
                        off.insert(name);
                    }
                }
            }
        }
        if all {
            let rest = ENTRIES.iter().map(|entry| entry.name);
            on.extend(rest.filter(|name| !off.contains(name)));
        }
        Ok(Self(on))
    }

    /// Whether no controller is selected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the controller of this full name is selected.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The full names of the selected controllers.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().copied()
    }
}

fn find(word: &str) -> Result<&'static Entry, UnknownController> {
    ENTRIES
        .iter()
        .find(|entry| entry.name == word || !word.is_empty() && entry.alias == word)
        .ok_or_else(|| UnknownController(word.to_owned()))
}
