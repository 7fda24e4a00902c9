// SPDX-License-Identifier: Apache-2.0
//! `find`, as far as scripts use it: by name, type and depth.

use super::Call;
use crate::files::{Content, name};
use crate::machine::Machine;
use crate::shell::pattern;

pub(super) fn find(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let mut words = call.words.iter();
    let mut paths = Vec::new();
    let (mut glob, mut kind, mut depth, mut least, mut delete) = (None, None, usize::MAX, 0, false);
    while let Some(word) = words.next() {
        let mut value = || words.next().map_or("", String::as_str);
        match word.as_str() {
            "-name" => glob = Some(value().to_owned()),
            "-type" => kind = Some(value().to_owned()),
            "-maxdepth" => depth = value().parse().unwrap_or(usize::MAX),
            "-mindepth" => least = value().parse().unwrap_or(0),
            "-delete" => delete = true,
            "-print" => {}
            _ if word.starts_with('-') => {
                return call.fail(format!("unknown predicate `{word}'"), 1);
            }
            _ => paths.push(word.clone()),
        }
    }
    if paths.is_empty() {
        paths.push(".".into());
    }
    let mut code = 0;
    for path in paths {
        let clean = match machine.stat(&call.user.name, call.cwd, &path, false) {
            Ok((clean, _)) => clean,
            Err(e) => {
                code = call.fail(format!("‘{path}’: {e}"), 1);
                continue;
            }
        };
        let length = clean.trim_end_matches('/').len();
        let found = super::files::with_all_below(machine, &clean, true);
        let mut lines = Vec::new();
        // a directory is deleted after what is in it
        for clean in found.into_iter().rev() {
            let rest = &clean[length..];
            let level = rest.matches('/').count();
            let shown = format!(
                "{}{rest}",
                if rest.is_empty() {
                    path.as_str()
                } else {
                    path.trim_end_matches('/')
                }
            );
            if level > depth {
                continue;
            }
            let Some(entry) = machine.entry(&clean) else {
                continue;
            };
            let letter = match entry.content {
                Content::File(_) => "f",
                Content::Directory => "d",
                Content::Link(_) => "l",
                Content::Device => "b",
            };
            let wanted = level >= least
                && glob
                    .as_deref()
                    .is_none_or(|g| pattern::matches(g, name(&clean)))
                && kind.as_deref().is_none_or(|k| k == letter);
            if wanted && delete {
                if let Err(e) = machine.remove(&call.user.name, "/", &clean, false, letter == "d") {
                    code = call.fail(format!("cannot delete ‘{shown}’: {e}"), 1);
                }
            } else if wanted {
                lines.push(shown);
            }
        }
        lines.iter().rev().for_each(|line| call.say(line));
    }
    code
}
