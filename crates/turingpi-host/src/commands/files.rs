// SPDX-License-Identifier: Apache-2.0
//! Commands that make, move and remove files.

use crate::commands::Call;
use crate::files::{Bytes, Content, Entry, Errno, join, name};
use crate::machine::Machine;

pub(super) fn cat(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("u", "", &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (inputs, all) = call.inputs(machine, &options.operands);
    for (_, bytes) in inputs {
        call.stdout.extend(bytes);
    }
    i32::from(!all)
}

/// A mode: octal digits, or changes like `u+x,go-w`.
pub(super) fn mode(text: &str, before: u16, directory: bool) -> Option<u16> {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return u16::from_str_radix(text, 8).ok().filter(|m| *m <= 0o7777);
    }
    let mut mode = before;
    for part in text.split(',') {
        let at = part.find(['+', '-', '='])?;
        let (who, what) = part.split_at(at);
        let mut mask = 0;
        for letter in who.chars() {
            mask |= match letter {
                'u' => 0o700,
                'g' => 0o070,
                'o' => 0o007,
                'a' => 0o777,
                _ => return None,
            };
        }
        if who.is_empty() {
            mask = 0o777;
        }
        let mut bits = 0;
        for letter in what[1..].chars() {
            bits |= match letter {
                'r' => 0o444,
                'w' => 0o222,
                'x' => 0o111,
                'X' if directory || before & 0o111 != 0 => 0o111,
                't' => 0o1000,
                'X' | 's' => 0,
                _ => return None,
            };
        }
        let bits = bits & (mask | 0o1000);
        match &what[..1] {
            "+" => mode |= bits,
            "-" => mode &= !bits,
            _ => mode = mode & !mask | bits,
        }
    }
    Some(mode)
}

pub(super) fn mkdir(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "pv",
        "m",
        &[("parents", 'p'), ("mode", 'm'), ("verbose", 'v')],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.operands.is_empty() {
        return call.fail("missing operand", 1);
    }
    let mut code = 0;
    for path in &options.operands {
        let made = make_directories(machine, call, path, options.has('p'));
        let made = made.and_then(|()| {
            let Some(text) = options.value('m') else {
                return Ok(());
            };
            let wanted = mode(text, 0o777, true).ok_or(Errno::Invalid)?;
            let clean = machine.resolve(&call.user.name, call.cwd, path, true)?;
            machine.amend(&call.user.name, &clean, |e| e.mode = wanted)
        });
        if let Err(e) = made {
            code = call.fail(format!("cannot create directory ‘{path}’: {e}"), 1);
        }
    }
    code
}

fn make_directories(
    machine: &mut Machine,
    call: &Call<'_>,
    path: &str,
    parents: bool,
) -> Result<(), Errno> {
    let who = &call.user.name;
    let bits = 0o777 & !call.umask;
    if !parents {
        return machine.make(who, call.cwd, path, Content::Directory, bits);
    }
    let mut at = if path.starts_with('/') {
        "/".to_owned()
    } else {
        call.cwd.to_owned()
    };
    for part in path.split('/').filter(|p| !p.is_empty()) {
        let next = machine.resolve(who, &at, part, true)?;
        match machine.entry(&next).map(Entry::is_directory) {
            Some(true) => {}
            Some(false) => return Err(Errno::Exists),
            None => machine.make(who, "/", &next, Content::Directory, bits)?,
        }
        at = next;
    }
    Ok(())
}

pub(super) fn rmdir(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let mut code = 0;
    for path in call.words {
        if let Err(e) = machine.remove(&call.user.name, call.cwd, path, false, true) {
            code = call.fail(format!("failed to remove '{path}': {e}"), 1);
        }
    }
    code
}

pub(super) fn rm(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "rRfvd",
        "",
        &[
            ("recursive", 'r'),
            ("force", 'f'),
            ("verbose", 'v'),
            ("no-preserve-root", 'v'),
        ],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (all, force) = (options.has('r') || options.has('R'), options.has('f'));
    if options.operands.is_empty() && !force {
        return call.fail("missing operand", 1);
    }
    let mut code = 0;
    for path in &options.operands {
        match machine.remove(&call.user.name, call.cwd, path, all, options.has('d')) {
            Ok(()) => {}
            Err(Errno::NotFound | Errno::NotDirectory) if force => {}
            Err(e) => code = call.fail(format!("cannot remove '{path}': {e}"), 1),
        }
    }
    code
}

/// Where something goes: into a directory under its own name, or to the path itself.
fn target(machine: &Machine, call: &Call<'_>, to: &str, from: &str) -> Result<String, Errno> {
    let path = machine.resolve(&call.user.name, call.cwd, to, true)?;
    let directory = machine.entry(&path).is_some_and(Entry::is_directory);
    Ok(if directory {
        join(&path, name(from))
    } else {
        path
    })
}

/// Splits operands into sources and the place where they go.
fn sources<'a>(
    call: &mut Call<'_>,
    operands: &'a [String],
) -> Result<(&'a [String], &'a String), i32> {
    match operands {
        [] => Err(call.fail("missing file operand", 1)),
        [one] => Err(call.fail(format!("missing destination file operand after '{one}'"), 1)),
        [from @ .., to] => Ok((from, to)),
    }
}

pub(super) fn mv(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("fnvT", "", &[("force", 'f')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (from, to) = match sources(call, &options.operands) {
        Ok(both) => both,
        Err(code) => return code,
    };
    let mut code = 0;
    for path in from {
        let moved = machine
            .stat(&call.user.name, call.cwd, path, false)
            .map(|(clean, _)| clean)
            .and_then(|clean| {
                let to = target(machine, call, to, &clean)?;
                machine.rename(&call.user.name, &clean, &to)
            });
        if let Err(e) = moved {
            code = call.fail(format!("cannot move '{path}' to '{to}': {e}"), 1);
        }
    }
    code
}

pub(super) fn cp(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("recursive", 'r'),
        ("archive", 'a'),
        ("force", 'f'),
        ("no-clobber", 'n'),
        ("preserve", 'p'),
    ];
    let options = match call.options("rRafpvnLT", "", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (from, to) = match sources(call, &options.operands) {
        Ok(both) => both,
        Err(code) => return code,
    };
    let all = options.has('r') || options.has('R') || options.has('a');
    let keep = options.has('p') || options.has('a');
    let mut code = 0;
    for path in from {
        let source = match machine.stat(&call.user.name, call.cwd, path, !options.has('a')) {
            Ok((_, entry)) if entry.is_directory() && !all => {
                code = call.fail(format!("-r not specified; omitting directory '{path}'"), 1);
                continue;
            }
            Ok((clean, _)) => clean,
            Err(e) => {
                code = call.fail(format!("cannot stat '{path}': {e}"), 1);
                continue;
            }
        };
        let copied = target(machine, call, to, name(path.trim_end_matches('/'))).and_then(|to| {
            if options.has('n') && machine.entry(&to).is_some() {
                return Ok(());
            }
            machine.copy(&call.user.name, &source, &to, keep)
        });
        if let Err(e) = copied {
            code = call.fail(format!("cannot create regular file '{to}': {e}"), 1);
        }
    }
    code
}

pub(super) fn install(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "dDv",
        "mog",
        &[
            ("mode", 'm'),
            ("owner", 'o'),
            ("group", 'g'),
            ("directory", 'd'),
        ],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let who = call.user.name.clone();
    let wanted = match mode(options.value('m').unwrap_or("755"), 0o755, true) {
        Some(mode) => mode,
        None => return call.fail("invalid mode", 1),
    };
    let owner = options.value('o').unwrap_or(&who).to_owned();
    let set = |machine: &mut Machine, path: &str| {
        machine.amend(&who, path, |e| {
            e.mode = wanted;
            e.owner.clone_from(&owner);
            e.group.clone_from(&owner);
        })
    };
    if options.has('d') {
        for path in &options.operands {
            let made = make_directories(machine, call, path, true)
                .and_then(|()| machine.resolve(&who, call.cwd, path, true))
                .and_then(|clean| set(machine, &clean));
            if let Err(e) = made {
                return call.fail(format!("cannot create directory '{path}': {e}"), 1);
            }
        }
        return 0;
    }
    let (from, to) = match sources(call, &options.operands) {
        Ok(both) => both,
        Err(code) => return code,
    };
    for path in from {
        let installed = machine.read(&who, call.cwd, path).and_then(|bytes| {
            if options.has('D') {
                let above = to.rsplit_once('/').map_or(".", |(above, _)| above);
                make_directories(machine, call, above, true)?;
            }
            let clean = target(machine, call, to, path)?;
            machine.write(&who, "/", &clean, &bytes, wanted)?;
            set(machine, &clean)
        });
        if let Err(e) = installed {
            return call.fail(format!("cannot install '{path}' to '{to}': {e}"), 1);
        }
    }
    0
}

pub(super) fn ln(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("sfnvT", "", &[("symbolic", 's'), ("force", 'f')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let [to, at] = &options.operands[..] else {
        return call.fail("two paths are needed here", 1);
    };
    let who = call.user.name.clone();
    let made = (|| {
        let path = if options.has('n') || options.has('T') {
            machine.resolve(&who, call.cwd, at, false)?
        } else {
            target(machine, call, at, to)?
        };
        if options.has('f') && machine.entry(&path).is_some() {
            machine.remove(&who, "/", &path, false, false)?;
        }
        if options.has('s') {
            return machine.make(&who, "/", &path, Content::Link(to.clone()), 0o777);
        }
        // there are no hard links here: a copy is what comes next to one
        let from = machine.resolve(&who, call.cwd, to, true)?;
        machine.copy(&who, &from, &path, true)
    })();
    match made {
        Ok(()) => 0,
        Err(e) => call.fail(format!("failed to create link '{at}': {e}"), 1),
    }
}

/// A path with all below it, when that is wanted.
pub(super) fn with_all_below(machine: &Machine, path: &str, all: bool) -> Vec<String> {
    let mut paths = vec![path.to_owned()];
    if all {
        let (volume, inner) = machine.place(path);
        let length = inner.trim_end_matches('/').len();
        let above = path.trim_end_matches('/').to_owned();
        paths.extend(
            machine
                .tree(volume)
                .below(inner)
                .map(|p| format!("{above}{}", &p[length..])),
        );
    }
    paths
}

fn change(
    machine: &mut Machine,
    call: &mut Call<'_>,
    files: &[String],
    all: bool,
    change: impl Fn(&mut Entry),
) -> i32 {
    let mut code = 0;
    for path in files {
        let done = machine
            .stat(&call.user.name, call.cwd, path, true)
            .map(|(clean, _)| clean)
            .and_then(|clean| {
                for one in with_all_below(machine, &clean, all) {
                    machine.amend(&call.user.name, &one, &change)?;
                }
                Ok(())
            });
        code = match done {
            Ok(()) => code,
            Err(Errno::NotFound) => call.fail(
                format!("cannot access '{path}': No such file or directory"),
                1,
            ),
            Err(e) if call.name == "chown" => {
                call.fail(format!("changing ownership of '{path}': {e}"), 1)
            }
            Err(e) => call.fail(format!("changing permissions of '{path}': {e}"), 1),
        };
    }
    code
}

pub(super) fn chmod(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    // a mode may begin with a dash
    let (all, words): (Vec<&String>, Vec<&String>) = call
        .words
        .iter()
        .partition(|w| matches!(w.as_str(), "-R" | "--recursive" | "-v" | "-f"));
    let (all, Some((text, files))) = (
        all.iter().any(|w| w.contains('R') || w.contains("rec")),
        words.split_first(),
    ) else {
        return call.fail("missing operand", 1);
    };
    if mode(text, 0, false).is_none() {
        return call.fail(format!("invalid mode: ‘{text}’"), 1);
    }
    let text = (*text).clone();
    let files: Vec<String> = files.iter().map(|f| (*f).clone()).collect();
    change(machine, call, &files, all, |e| {
        if let Some(mode) = mode(&text, e.mode, e.is_directory()) {
            e.mode = mode;
        }
    })
}

pub(super) fn chown(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("Rvfh", "", &[("recursive", 'R')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some((who, files)) = options.operands.split_first() else {
        return call.fail("missing operand", 1);
    };
    let (owner, group) = who
        .split_once([':', '.'])
        .map_or((who.as_str(), None), |(o, g)| (o, Some(g)));
    let owner = owner
        .parse::<u32>()
        .ok()
        .and_then(|uid| {
            machine
                .user_names()
                .into_iter()
                .find(|n| machine.user(n).is_some_and(|u| u.uid == uid))
        })
        .unwrap_or_else(|| owner.to_owned());
    if !owner.is_empty() && machine.user(&owner).is_none() {
        return call.fail(format!("invalid user: ‘{who}’"), 1);
    }
    if call.user.name != "root" && owner != call.user.name {
        let first = files.first().cloned().unwrap_or_default();
        return call.fail(
            format!("changing ownership of '{first}': Operation not permitted"),
            1,
        );
    }
    let group = match group {
        Some("") => Some(owner.clone()),
        Some("0") => Some("root".to_owned()),
        other => other.map(str::to_owned),
    };
    change(machine, call, files, options.has('R'), |e| {
        if !owner.is_empty() {
            e.owner.clone_from(&owner);
        }
        if let Some(group) = &group {
            e.group.clone_from(group);
        }
    })
}

pub(super) fn touch(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("acm", "dt", &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut code = 0;
    for path in &options.operands {
        let who = &call.user.name;
        let directory = machine
            .stat(who, call.cwd, path, true)
            .is_ok_and(|(_, e)| e.is_directory());
        let now = machine.seconds();
        let touched = if directory {
            Ok(())
        } else {
            machine
                .open(who, call.cwd, path, true, 0o666 & !call.umask)
                .and_then(|clean| machine.amend("root", &clean, |e| e.modified = now))
        };
        if let Err(e) = touched {
            code = call.fail(format!("cannot touch '{path}': {e}"), 1);
        }
    }
    code
}

pub(super) fn tee(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("ai", "", &[("append", 'a')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    call.stdout.extend_from_slice(call.stdin);
    let mut code = 0;
    for path in &options.operands {
        let written = machine
            .open(
                &call.user.name,
                call.cwd,
                path,
                options.has('a'),
                0o666 & !call.umask,
            )
            .and_then(|clean| machine.append(&clean, call.stdin));
        if let Err(e) = written {
            code = call.fail(format!("{path}: {e}"), 1);
        }
    }
    code
}

pub(super) fn readlink(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("fenmqs", "", &[("canonicalize", 'f')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut code = 0;
    for path in &options.operands {
        let clean =
            options.has('f') || options.has('e') || options.has('m') || call.name == "realpath";
        let found = machine.resolve(&call.user.name, call.cwd, path, clean);
        match (found, clean) {
            (Ok(path), true) => call.say(&path),
            (Ok(path), false) => match machine.entry(&path).map(|e| e.content.clone()) {
                Some(Content::Link(to)) => call.say(&to),
                _ => code = 1,
            },
            (Err(_), _) => code = 1,
        }
    }
    code
}

pub(super) fn mktemp(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("dqt", "p", &[("directory", 'd'), ("tmpdir", 'p')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let template = options
        .operands
        .first()
        .cloned()
        .unwrap_or_else(|| "/tmp/tmp.XXXXXXXXXX".into());
    let x = template.len() - template.trim_end_matches('X').len();
    if x < 3 {
        return call.fail(format!("too few X's in template ‘{template}’"), 1);
    }
    let random = crate::machine::hex(&machine.random());
    let path = format!(
        "{}{}",
        &template[..template.len() - x],
        &random[..x.min(60)]
    );
    let (content, mode) = if options.has('d') {
        (Content::Directory, 0o700)
    } else {
        (Content::File(Bytes::default()), 0o600)
    };
    match machine.make(&call.user.name, call.cwd, &path, content, mode) {
        Ok(()) => {
            call.say(&path);
            0
        }
        Err(e) => call.fail(
            format!("failed to create file via template ‘{template}’: {e}"),
            1,
        ),
    }
}
