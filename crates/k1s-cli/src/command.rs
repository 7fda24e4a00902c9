// SPDX-License-Identifier: Apache-2.0
//! Commands: a static tree from which the command line is read and the help is made.
//!
//! A command is a `pub static COMMAND: Command` in a file of its own, and stands in the table of its parent.

use futures_core::future::LocalBoxFuture;

use crate::context::Context;
use crate::error::Result;
use crate::flag::{Flag, Parsed};

/// What a command does.
pub type Run = for<'a> fn(&'a Context, &'a Parsed) -> LocalBoxFuture<'a, Result>;

/// A command or a group of commands.
pub struct Command {
    /// First word: `configmap`.
    pub name: &'static str,
    /// Other words for it: `cm`.
    pub aliases: &'static [&'static str],
    /// What follows the name, for the help: `NAME [--from-literal=key=value]`.
    pub usage: &'static str,
    /// One line for the list of commands.
    pub about: &'static str,
    /// What one does with it, and the command line for that without the program's name.
    pub examples: &'static [(&'static str, &'static str)],
    /// Tables of its flags.
    pub flags: &'static [&'static [Flag]],
    /// Commands beneath it.
    pub subcommands: &'static [&'static Command],
    /// What it does; a group without this shows its help.
    pub run: Option<Run>,
}

impl Command {
    /// The command beneath this one that a word names.
    #[must_use]
    pub fn subcommand(&self, word: &str) -> Option<&'static Command> {
        self.subcommands
            .iter()
            .find(|c| c.name == word || c.aliases.contains(&word))
            .copied()
    }
}

/// Names that a mistyped word may have meant, as kubectl suggests them.
pub(crate) fn suggestions<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let typed = typed.to_lowercase();
    names
        .filter(|name| distance(&typed, name) <= 2 || name.starts_with(typed.as_str()))
        .collect()
}

/// How many letters must be changed, added or left out to get from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near_or_begin_alike() {
        let check = |typed: &str, wanted: &[&str]| {
            let names = ["create", "set", "get", "delete", "api-resources"];
            assert_eq!(suggestions(typed, names.into_iter()), wanted, "{typed}");
        };
        check("gett", &["set", "get"]);
        check("creat", &["create"]);
        check("api", &["api-resources"]);
        check("fly", &[]);
    }
}
