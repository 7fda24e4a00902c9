// SPDX-License-Identifier: Apache-2.0
//! `ls` and `stat`.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Call;
use crate::files::{Content, Entry, join};
use crate::machine::Machine;

/// A time in UTC, as a format of `date` says.
pub(super) fn time(seconds: u64, format: &str) -> Option<String> {
    let at = Timestamp::from_second(i64::try_from(seconds).ok()?)
        .ok()?
        .to_zoned(TimeZone::UTC);
    jiff::fmt::strtime::format(format, &at).ok()
}

pub(super) fn ls(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("laAd1hRtrnF", "", &[("all", 'a'), ("almost-all", 'A')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let paths = if options.operands.is_empty() {
        vec![".".to_owned()]
    } else {
        options.operands.clone()
    };
    let (long, hidden) = (options.has('l'), options.has('a') || options.has('A'));
    let mut code = 0;
    for path in &paths {
        let (clean, entry) = match machine.stat(
            &call.user.name,
            call.cwd,
            path,
            !long || path.ends_with('/'),
        ) {
            Ok((clean, entry)) => (clean, entry.clone()),
            Err(e) => {
                code = call.fail(format!("cannot access '{path}': {e}"), 2);
                continue;
            }
        };
        if !entry.is_directory() || options.has('d') {
            print(call, path, &entry, long);
            continue;
        }
        if !machine.may(&call.user.name, &entry, crate::paths::Access::Read) {
            code = call.fail(
                format!("cannot open directory '{path}': Permission denied"),
                2,
            );
            continue;
        }
        if paths.len() > 1 {
            call.say(&format!("{path}:"));
        }
        let mut names = machine.names(&clean);
        names.retain(|n| hidden || !n.starts_with('.'));
        if options.has('r') {
            names.reverse();
        }
        if long {
            let blocks: u64 = names
                .iter()
                .filter_map(|n| machine.entry(&join(&clean, n)))
                .map(|e| e.size().div_ceil(4096) * 4)
                .sum();
            call.say(&format!("total {blocks}"));
        }
        for name in names {
            if let Some(entry) = machine.entry(&join(&clean, &name)).cloned() {
                print(call, &name, &entry, long);
            }
        }
    }
    code
}

fn print(call: &mut Call<'_>, name: &str, entry: &Entry, long: bool) {
    if !long {
        call.say(name);
        return;
    }
    let to = match &entry.content {
        Content::Link(to) => format!(" -> {to}"),
        _ => String::new(),
    };
    let line = format!(
        "{} 1 {} {} {:>6} {} {name}{to}",
        entry.mode_string(),
        entry.owner,
        entry.group,
        entry.size(),
        time(entry.modified, "%b %e %H:%M").unwrap_or_default()
    );
    call.say(&line);
}

pub(super) fn stat(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("Lt", "c", &[("format", 'c'), ("dereference", 'L')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut code = 0;
    for path in &options.operands {
        let entry = match machine.stat(&call.user.name, call.cwd, path, options.has('L')) {
            Ok((_, entry)) => entry.clone(),
            Err(e) => {
                code = call.fail(format!("cannot statx '{path}': {e}"), 1);
                continue;
            }
        };
        let kind = match &entry.content {
            Content::File(bytes) if bytes.0.is_empty() => "regular empty file",
            Content::File(_) => "regular file",
            Content::Directory => "directory",
            Content::Link(_) => "symbolic link",
            Content::Device => "block special file",
        };
        let uid = |name: &str| machine.user(name).map_or(0, |u| u.uid).to_string();
        let format = options.value('c').unwrap_or(
            "  File: %n\n  Size: %s\t%F\nAccess: (0%a/%A)  Uid: (%u/%U)   Gid: (%g/%G)\nModify: %y",
        );
        let mut line = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                line.push(letter);
                continue;
            }
            match letters.next() {
                Some('n') => line += path,
                Some('s') => line += &entry.size().to_string(),
                Some('F') => line += kind,
                Some('a') => line += &format!("{:o}", entry.mode),
                Some('A') => line += &entry.mode_string(),
                Some('U') => line += &entry.owner,
                Some('G') => line += &entry.group,
                Some('u') => line += &uid(&entry.owner),
                Some('g') => line += &uid(&entry.group),
                Some('Y') => line += &entry.modified.to_string(),
                Some('y') => {
                    line += &time(entry.modified, "%Y-%m-%d %H:%M:%S +0000").unwrap_or_default()
                }
                Some('%') => line.push('%'),
                _ => line.push('?'),
            }
        }
        call.say(&line);
    }
    code
}
