// SPDX-License-Identifier: Apache-2.0
//! What a shell does itself.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::printf;
use super::run::{Flow, Shell};
use super::streams::Fds;
use crate::paths::Access;
use crate::session::Waiting;

const BUILTINS: [&str; 38] = [
    "true", "false", ":", "cd", "pwd", "echo", "printf", "export", "unset", "set", "shift", "exit",
    "return", "break", "continue", "eval", ".", "source", "read", "test", "[", "local", "readonly",
    "declare", "typeset", "command", "type", "exec", "wait", "trap", "umask", "ulimit", "hash",
    "let", "jobs", "logout", "history", "shopt",
];

/// The name of a variable that may be set.
fn name(text: &str) -> Option<&str> {
    let fits = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    fits.then_some(text)
}

impl Shell {
    /// Does what a builtin does; none when the name is none.
    pub(super) fn builtin<'a>(
        &'a mut self,
        words: &'a [String],
        fds: &'a Fds,
    ) -> Waiting<'a, Option<Flow>> {
        Box::pin(async move {
            let rest = &words[1..];
            let number = |word: Option<&String>, default: i32| {
                word.map_or(Some(default), |w| w.parse().ok())
            };
            Some(match words[0].as_str() {
                "true" | ":" | "ulimit" | "hash" | "jobs" | "history" | "shopt" => Flow::Next(0),
                "false" => Flow::Next(1),
                "echo" => {
                    self.echo(rest, fds);
                    Flow::Next(0)
                }
                "printf" => {
                    let rest = if rest.first().is_some_and(|w| w == "--") {
                        &rest[1..]
                    } else {
                        rest
                    };
                    let Some((format, values)) = rest.split_first() else {
                        self.complain(fds, "printf: usage: printf [-v var] format [arguments]");
                        return Some(Flow::Next(2));
                    };
                    match (format.as_str(), values) {
                        ("-v", [variable, format, values @ ..]) => {
                            let text = printf::printf(format, values);
                            self.set(variable, text);
                        }
                        _ => self.write(&fds.stdout, printf::printf(format, values).as_bytes()),
                    }
                    Flow::Next(0)
                }
                "cd" => Flow::Next(self.cd(rest, fds)),
                "pwd" => {
                    self.write(&fds.stdout, format!("{}\n", self.cwd).as_bytes());
                    Flow::Next(0)
                }
                "export" | "readonly" | "local" | "declare" | "typeset" => {
                    Flow::Next(self.declare(&words[0], rest, fds))
                }
                "unset" => {
                    for word in rest.iter().filter(|w| !w.starts_with('-')) {
                        self.variables.remove(word);
                        self.exported.remove(word);
                    }
                    Flow::Next(0)
                }
                "set" => Flow::Next(self.set_options(rest, fds)),
                "shift" => match number(rest.first(), 1).and_then(|n| usize::try_from(n).ok()) {
                    Some(count) if count <= self.args.len() => {
                        self.args.drain(..count);
                        Flow::Next(0)
                    }
                    _ => Flow::Next(1),
                },
                "exit" | "logout" => match number(rest.first(), self.status) {
                    Some(code) => Flow::Exit(code & 0xff),
                    None => {
                        self.complain(
                            fds,
                            &format!("exit: {}: numeric argument required", rest[0]),
                        );
                        Flow::Exit(2)
                    }
                },
                "return" => Flow::Return(number(rest.first(), self.status).unwrap_or(2) & 0xff),
                "break" => Flow::Break(
                    number(rest.first(), 1)
                        .and_then(|n| usize::try_from(n).ok())
                        .unwrap_or(1)
                        .max(1),
                ),
                "continue" => Flow::Continue(
                    number(rest.first(), 1)
                        .and_then(|n| usize::try_from(n).ok())
                        .unwrap_or(1)
                        .max(1),
                ),
                "eval" => self.source(&rest.join(" "), fds).await,
                "." | "source" => {
                    let Some(path) = rest.first() else {
                        return Some(Flow::Next(2));
                    };
                    let read = self.host.machine().read(&self.user.name, &self.cwd, path);
                    match read {
                        Ok(bytes) => match self.source(&String::from_utf8_lossy(&bytes), fds).await
                        {
                            Flow::Return(status) => Flow::Next(status),
                            other => other,
                        },
                        Err(e) => {
                            self.complain(fds, &format!("{path}: {e}"));
                            Flow::Next(1)
                        }
                    }
                }
                "read" => Flow::Next(self.read(rest, fds).await),
                "test" | "[" => Flow::Next(self.test(words, fds)),
                "command" | "type"
                    if rest.first().is_some_and(|w| w == "-v" || w == "-V")
                        || words[0] == "type" =>
                {
                    Flow::Next(self.tell(rest, fds))
                }
                "command" => {
                    let rest = if rest.first().is_some_and(|w| w == "-p") {
                        &rest[1..]
                    } else {
                        rest
                    };
                    if rest.is_empty() {
                        Flow::Next(0)
                    } else {
                        self.call(rest, fds).await
                    }
                }
                "exec" => {
                    if rest.is_empty() {
                        return Some(Flow::Next(0));
                    }
                    match self.call(rest, fds).await {
                        Flow::Next(status) => Flow::Exit(status),
                        other => other,
                    }
                }
                "wait" => {
                    // until nothing runs beside it, or the user has enough of it
                    while self.children.load(Ordering::Relaxed) > 0 && !self.host.interrupted() {
                        self.host.sleep(Duration::from_millis(100)).await;
                    }
                    Flow::Next(0)
                }
                "trap" => {
                    if let [text, signals @ ..] = rest
                        && signals.iter().any(|s| s == "EXIT" || s == "0")
                    {
                        self.on_exit = (!text.is_empty() && text != "-").then(|| text.clone());
                    }
                    Flow::Next(0)
                }
                "umask" => {
                    match rest.first().map(|w| u16::from_str_radix(w, 8)) {
                        None => self.write(&fds.stdout, format!("{:04o}\n", self.umask).as_bytes()),
                        Some(Ok(mask)) => self.umask = mask & 0o777,
                        Some(Err(_)) => return Some(Flow::Next(1)),
                    }
                    Flow::Next(0)
                }
                "let" => {
                    let mut last = 0;
                    for word in rest {
                        let (target, text) = word
                            .split_once('=')
                            .map_or((None, word.as_str()), |(n, t)| (Some(n), t));
                        match self.arithmetic(text) {
                            Ok(value) => last = value,
                            Err(e) => return Some(self.die(fds, &e)),
                        }
                        if let Some(target) = target.and_then(name) {
                            self.set(target, last.to_string());
                        }
                    }
                    Flow::Next(i32::from(last == 0))
                }
                _ => return None,
            })
        })
    }

    fn echo(&self, words: &[String], fds: &Fds) {
        let (mut newline, mut escapes, mut from) = (true, false, 0);
        for word in words {
            match word.strip_prefix('-') {
                Some(flags)
                    if !flags.is_empty() && flags.chars().all(|c| matches!(c, 'n' | 'e' | 'E')) =>
                {
                    newline &= !flags.contains('n');
                    escapes |= flags.contains('e');
                    from += 1;
                }
                _ => break,
            }
        }
        let mut text = words[from..].join(" ");
        if escapes {
            let (replaced, ended) = printf::escapes(&text);
            text = replaced;
            newline &= !ended;
        }
        if newline {
            text.push('\n');
        }
        self.write(&fds.stdout, text.as_bytes());
    }

    fn cd(&mut self, words: &[String], fds: &Fds) -> i32 {
        let to = match words.iter().find(|w| *w != "--") {
            None => self.get("HOME").unwrap_or_else(|| "/".into()),
            Some(word) if word == "-" => self.get("OLDPWD").unwrap_or_else(|| "/".into()),
            Some(word) => word.clone(),
        };
        let found = {
            let machine = self.host.machine();
            match machine.stat(&self.user.name, &self.cwd, &to, true) {
                Ok((_, entry)) if !entry.is_directory() => Err(crate::files::Errno::NotDirectory),
                Ok((_, entry)) if !machine.may(&self.user.name, entry, Access::Execute) => {
                    Err(crate::files::Errno::Denied)
                }
                Ok((path, _)) => Ok(path),
                Err(e) => Err(e),
            }
        };
        match found {
            Ok(path) => {
                let before = std::mem::replace(&mut self.cwd, path.clone());
                self.set("OLDPWD", before);
                self.export("PWD", &path);
                0
            }
            Err(e) => {
                self.complain(fds, &format!("cd: {to}: {e}"));
                1
            }
        }
    }

    fn declare(&mut self, verb: &str, words: &[String], fds: &Fds) -> i32 {
        let exports = verb == "export" || words.iter().any(|w| w == "-x");
        let names: Vec<&String> = words.iter().filter(|w| !w.starts_with('-')).collect();
        if names.is_empty() && verb == "export" {
            for (name, value) in self.environment() {
                self.write(
                    &fds.stdout,
                    format!("declare -x {name}=\"{value}\"\n").as_bytes(),
                );
            }
        }
        for word in names {
            let (variable, value) = word
                .split_once('=')
                .map_or((word.as_str(), None), |(n, v)| (n, Some(v)));
            let Some(variable) = name(variable) else {
                self.complain(fds, &format!("{verb}: `{word}': not a valid identifier"));
                return 1;
            };
            match value {
                Some(value) => self.set(variable, value.to_owned()),
                None if verb == "local" => self.set(variable, String::new()),
                None => {}
            }
            if exports {
                self.exported.insert(variable.to_owned());
            }
        }
        0
    }

    pub(super) fn set_options(&mut self, words: &[String], fds: &Fds) -> i32 {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let on = word.starts_with('-');
            if word == "--" {
                self.args = words.cloned().collect();
                return 0;
            }
            if !on && !word.starts_with('+') {
                self.args = std::iter::once(word.clone())
                    .chain(words.cloned())
                    .collect();
                return 0;
            }
            for letter in word[1..].chars() {
                match letter {
                    'e' => self.options.errexit = on,
                    'u' => self.options.nounset = on,
                    'x' => self.options.xtrace = on,
                    'o' => match words.next().map(String::as_str) {
                        Some("pipefail") => self.options.pipefail = on,
                        Some("errexit") => self.options.errexit = on,
                        Some("nounset") => self.options.nounset = on,
                        Some("xtrace") => self.options.xtrace = on,
                        _ => {}
                    },
                    'a' | 'b' | 'f' | 'h' | 'm' | 'n' | 'v' | 'C' | 'E' | 'T' => {}
                    other => {
                        self.complain(fds, &format!("set: -{other}: invalid option"));
                        return 2;
                    }
                }
            }
        }
        0
    }

    async fn read(&mut self, words: &[String], fds: &Fds) -> i32 {
        let mut names = Vec::new();
        let mut words = words.iter();
        let mut silent = false;
        while let Some(word) = words.next() {
            match word.as_str() {
                "-p" | "-t" | "-n" | "-d" | "-u" => {
                    let value = words.next().cloned().unwrap_or_default();
                    if word == "-p" && self.terminal {
                        self.write(&fds.stderr, value.as_bytes());
                    }
                }
                flags if flags.starts_with('-') => silent |= flags.contains('s'),
                variable => names.push(variable.to_owned()),
            }
        }
        self.host.echo(!silent);
        let line = self.read_line(&fds.stdin).await;
        self.host.echo(true);
        let there = line.is_some();
        let text = String::from_utf8_lossy(&line.unwrap_or_default())
            .trim_end_matches('\n')
            .to_owned();
        if names.is_empty() {
            names.push("REPLY".into());
        }
        let separators = self.get("IFS").unwrap_or_else(|| " \t\n".into());
        let blank = |c: char| separators.contains(c);
        let mut rest = text.trim_matches(blank);
        for (i, variable) in names.iter().enumerate() {
            let value = if i + 1 == names.len() {
                rest
            } else {
                let (first, more) = rest.split_once(blank).unwrap_or((rest, ""));
                rest = more.trim_start_matches(blank);
                first
            };
            self.set(variable, value.to_owned());
        }
        i32::from(!there)
    }

    /// `command -v` and `type`: what a name stands for.
    fn tell(&self, words: &[String], fds: &Fds) -> i32 {
        let mut code = 0;
        for word in words.iter().filter(|w| !w.starts_with('-')) {
            let path = self.get("PATH").unwrap_or_default();
            let found = if BUILTINS.contains(&word.as_str()) {
                Some(word.clone())
            } else {
                self.host.machine().find_program(&path, word)
            };
            match found {
                Some(found) => self.write(&fds.stdout, format!("{found}\n").as_bytes()),
                None => code = 1,
            }
        }
        code
    }
}
