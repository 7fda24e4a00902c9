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
    /// use k1s_controllers::Selection;
    ///
    /// let most = Selection::parse("*,-cronjob").unwrap();
    /// assert!(most.contains("job-controller") && !most.contains("cronjob-controller"));
    /// assert!(Selection::parse("nobody").is_err());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_kube_controller_manager_reads_them() {
        let job_and = |text: &str| {
            let selection = Selection::parse(text).expect("a selection");
            (
                selection.contains("job-controller"),
                selection.names().count(),
            )
        };
        let all = ENTRIES.len();
        for (text, expected) in [
            ("", (false, 0)),
            ("all", (true, all)),
            ("*", (true, all)),
            ("job", (true, 1)),
            ("job-controller, cronjob", (true, 2)),
            ("all,-job", (false, all - 1)),
            ("-job,all", (false, all - 1)),
            ("-job,job", (false, 0)),
            ("job,-job", (true, 1)),
            ("-job", (false, 0)),
        ] {
            assert_eq!(job_and(text), expected, "{text}");
        }
        for unknown in ["nobody", "-nobody", "-", "job controller"] {
            let error = Selection::parse(unknown)
                .expect_err("not a controller")
                .to_string();
            assert!(error.contains("deployment-controller, "), "{error}");
        }
    }

    #[test]
    fn names_are_told_apart() {
        let names: BTreeSet<_> = ENTRIES
            .iter()
            .flat_map(|entry| [entry.name, entry.alias])
            .collect();
        let without_alias = ENTRIES
            .iter()
            .filter(|entry| entry.alias.is_empty())
            .count();
        let empty = usize::from(without_alias > 0);
        assert_eq!(names.len(), 2 * ENTRIES.len() - without_alias + empty);
    }
}
