// SPDX-License-Identifier: Apache-2.0
//! Programs: found by name, run as what their file is; those that run other commands are here.

use std::time::Duration;

use super::run::{Flow, Shell};
use super::streams::{Fds, In};
use crate::commands::{Call, find_command};
use crate::files::{Content, name};
use crate::installer;
use crate::machine::Machine;
use crate::paths::Access;
use crate::session::Waiting;
use crate::users::Sudo;

/// Programs that run other commands, or let time pass.
pub(crate) const PROGRAMS: [&str; 23] = [
    "sh", "bash", "dash", "sudo", "su", "env", "nohup", "setsid", "nice", "ionice", "timeout",
    "time", "xargs", "sleep", "which", "printenv", "test", "[", "echo", "printf", "true", "false",
    "scp",
];

impl Machine {
    /// The program that a name means, looked for in a list of directories.
    pub(crate) fn find_program(&self, path: &str, name: &str) -> Option<String> {
        let is_program = |at: &str| {
            self.stat("root", "/", at, true)
                .is_ok_and(|(_, e)| !e.is_directory() && e.mode & 0o111 != 0)
        };
        if name.contains('/') {
            return is_program(name).then(|| name.to_owned());
        }
        path.split(':')
            .filter(|d| !d.is_empty())
            .map(|d| format!("{d}/{name}"))
            .find(|at| is_program(at))
    }
}

/// A time as `sleep` and `timeout` take it: `5`, `0.5`, `2m`.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h', 'd']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    let factor = match unit {
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => 1.0,
    };
    let seconds: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(seconds * factor)
        .ok()
        .filter(|d| d.as_secs() <= 366 * 86_400)
}

impl Shell {
    /// Runs a program.
    pub(super) async fn program(&mut self, words: &[String], fds: &Fds) -> Flow {
        let word = words[0].as_str();
        let path = self.get("PATH").unwrap_or_default();
        let found = {
            let machine = self.host.machine();
            match word.contains('/') {
                true => match machine.stat(&self.user.name, &self.cwd, word, true) {
                    Ok((_, entry)) if entry.is_directory() => Err("Is a directory".to_owned()),
                    Ok((clean, entry)) if machine.may(&self.user.name, entry, Access::Execute) => {
                        Ok(Some(clean))
                    }
                    Ok(_) => Err("Permission denied".to_owned()),
                    Err(crate::files::Errno::NotFound) => Ok(None),
                    Err(e) => Err(e.to_string()),
                },
                false => Ok(machine.find_program(&path, word)),
            }
        };
        let program = match found {
            Ok(Some(program)) => program,
            Ok(None) => {
                let text = match (word.contains('/'), self.name.as_str()) {
                    (true, _) => "No such file or directory",
                    (false, "sh") => "not found",
                    (false, _) => "command not found",
                };
                self.complain(fds, &format!("{word}: {text}"));
                return Flow::Next(127);
            }
            Err(text) => {
                self.complain(fds, &format!("{word}: {text}"));
                return Flow::Next(126);
            }
        };
        let head = {
            let machine = self.host.machine();
            let clean = machine
                .resolve(&self.user.name, "/", &program, true)
                .unwrap_or_default();
            match machine.entry(&clean).map(|e| &e.content) {
                Some(Content::File(bytes)) if bytes.0.starts_with(b"\x7fELF") => None,
                Some(Content::File(bytes)) => Some(String::from_utf8_lossy(&bytes.0).into_owned()),
                _ => Some(String::new()),
            }
        };
        match head {
            None => self.binary(name(word), words, fds).await,
            Some(text) => self.run_script(word, &text, &words[1..], fds).await,
        }
    }

    /// Runs the text of a script in a shell of its own.
    fn run_script<'a>(
        &'a mut self,
        path: &'a str,
        text: &'a str,
        args: &'a [String],
        fds: &'a Fds,
    ) -> Waiting<'a, Flow> {
        Box::pin(async move {
            let first = text.lines().next().unwrap_or_default();
            if let Some(interpreter) = first.strip_prefix("#!")
                && !interpreter
                    .split_whitespace()
                    .any(|w| matches!(name(w), "sh" | "bash" | "dash"))
            {
                self.complain(
                    fds,
                    &format!(
                        "{path}: {}: bad interpreter: No such file or directory",
                        interpreter.trim()
                    ),
                );
                return Flow::Next(126);
            }
            if installer::is_script(text) {
                let words: Vec<String> = std::iter::once("k3s-install".to_owned())
                    .chain(args.iter().cloned())
                    .collect();
                return self.command("k3s-install", &words, fds).await;
            }
            let mut shell = self.child(path, args.to_vec());
            let flow = shell.source(text, fds).await;
            if flow == Flow::Killed {
                return flow;
            }
            Flow::Next(shell.leave(flow, fds).await)
        })
    }

    /// A shell that is a process of its own: it knows what is exported.
    fn child(&self, name: &str, args: Vec<String>) -> Self {
        let mut shell = self.fork();
        shell.variables = self.environment().into_iter().collect();
        name.clone_into(&mut shell.name);
        shell.args = args;
        shell.options = super::run::Settings::default();
        shell.terminal = false;
        shell.line = 1;
        shell
    }

    /// Runs a command of the table.
    async fn command(&mut self, name: &str, words: &[String], fds: &Fds) -> Flow {
        let Some(command) = find_command(name) else {
            self.complain(
                fds,
                &format!("{name}: cannot execute binary file: Exec format error"),
            );
            return Flow::Next(126);
        };
        let stdin = if command.reads(&words[1..]) {
            self.read_all(&fds.stdin).await
        } else {
            Vec::new()
        };
        let environment = self.environment();
        let mut call = Call {
            name,
            words: &words[1..],
            stdin: &stdin,
            user: &self.user,
            cwd: &self.cwd,
            environment: &environment,
            umask: self.umask,
            stdout: Vec::new(),
            stderr: Vec::new(),
            wait: Duration::ZERO,
        };
        let (code, power) = {
            let mut machine = self.host.machine();
            let code = (command.run)(&mut machine, &mut call);
            (code, machine.power.take())
        };
        let (stdout, stderr, wait) = (call.stdout, call.stderr, call.wait);
        self.write(&fds.stdout, &stdout);
        self.write(&fds.stderr, &stderr);
        let in_time = self.rest(wait).await;
        if let Some(power) = power {
            self.host.power(power);
        }
        if in_time {
            Flow::Next(code)
        } else {
            Flow::Exit(124)
        }
    }

    fn binary<'a>(
        &'a mut self,
        name: &'a str,
        words: &'a [String],
        fds: &'a Fds,
    ) -> Waiting<'a, Flow> {
        Box::pin(async move {
            let rest = &words[1..];
            match name {
                "sh" | "bash" | "dash" => self.shell(name, rest, fds).await,
                "sudo" => self.sudo(rest, fds).await,
                "su" => self.su(rest, fds).await,
                "env" | "printenv" => self.env(rest, fds).await,
                "nohup" | "setsid" | "time" => self.call_rest(rest, "", fds).await,
                "nice" | "ionice" => self.call_rest(rest, "nc", fds).await,
                "timeout" => self.timeout(rest, fds).await,
                "xargs" => self.xargs(rest, fds).await,
                "scp" => self.scp(rest, fds).await,
                "sleep" => {
                    let times: Option<Vec<Duration>> = rest.iter().map(|w| time(w)).collect();
                    match times.filter(|t| !t.is_empty()) {
                        Some(times) if self.rest(times.iter().sum()).await => Flow::Next(0),
                        Some(_) => Flow::Exit(124),
                        None => {
                            let word = rest.first().map_or("", String::as_str);
                            self.write(
                                &fds.stderr,
                                format!("sleep: invalid time interval ‘{word}’\n").as_bytes(),
                            );
                            Flow::Next(1)
                        }
                    }
                }
                "which" => {
                    let mut code = i32::from(rest.is_empty());
                    let path = self.get("PATH").unwrap_or_default();
                    for word in rest {
                        let found = self.host.machine().find_program(&path, word);
                        match found {
                            Some(found) => self.write(&fds.stdout, format!("{found}\n").as_bytes()),
                            None => code = 1,
                        }
                    }
                    Flow::Next(code)
                }
                _ => self.command(name, words, fds).await,
            }
        })
    }

    /// Calls the command after the options of one that only wraps it.
    async fn call_rest(&mut self, words: &[String], with_value: &str, fds: &Fds) -> Flow {
        let mut at = 0;
        while let Some(option) = words.get(at).and_then(|w| w.strip_prefix('-')) {
            at += 1;
            if option.len() == 1 && with_value.contains(option) {
                at += 1;
            }
        }
        match words.get(at..).filter(|w| !w.is_empty()) {
            Some(words) => self.program(words, fds).await,
            None => Flow::Next(0),
        }
    }

    async fn shell(&mut self, name: &str, words: &[String], fds: &Fds) -> Flow {
        let mut shell = self.child(name, Vec::new());
        let mut words = words.iter();
        let mut from_stdin = false;
        let mut command = None;
        let mut script = None;
        while let Some(word) = words.next() {
            match word.as_str() {
                "-" | "--" => break,
                "--login" | "--norc" | "--noprofile" | "--posix" => {}
                "-o" => drop(shell.set_options(
                    &["-o".into(), words.next().cloned().unwrap_or_default()],
                    fds,
                )),
                flags if flags.starts_with('-') => {
                    from_stdin |= flags.contains('s');
                    if flags.contains('c') {
                        command = words.next().cloned();
                        if command.is_none() {
                            self.write(
                                &fds.stderr,
                                format!("{name}: -c: option requires an argument\n").as_bytes(),
                            );
                            return Flow::Next(2);
                        }
                    }
                    let letters: String = flags
                        .chars()
                        .filter(|c| matches!(c, '-' | 'e' | 'u' | 'x'))
                        .collect();
                    shell.set_options(&[letters], fds);
                    if command.is_some() {
                        break;
                    }
                }
                path if from_stdin => {
                    shell.args.push(path.to_owned());
                    break;
                }
                path => {
                    script = Some(path.to_owned());
                    break;
                }
            }
        }
        shell.args.extend(words.cloned());
        let text = if let Some(command) = command {
            if !shell.args.is_empty() {
                shell.name = shell.args.remove(0);
            }
            command
        } else if let (Some(path), false) = (&script, from_stdin) {
            let read = self.host.machine().read(&self.user.name, &self.cwd, path);
            match read {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let args = std::mem::take(&mut shell.args);
                    return shell
                        .run_script(path, &text.replacen("#!", "#", 1), &args, fds)
                        .await;
                }
                Err(e) => {
                    self.write(&fds.stderr, format!("{name}: {path}: {e}\n").as_bytes());
                    return Flow::Next(127);
                }
            }
        } else if self.terminal && matches!(fds.stdin, In::Session) {
            return Flow::Next(Box::pin(shell.interact(true)).await);
        } else {
            String::from_utf8_lossy(&self.read_all(&fds.stdin).await).into_owned()
        };
        if installer::is_script(&text) {
            let args = shell.args.clone();
            return self.run_script(name, &text, &args, fds).await;
        }
        let flow = shell.source(&text, fds).await;
        if flow == Flow::Killed {
            return flow;
        }
        Flow::Next(shell.leave(flow, fds).await)
    }

    async fn sudo(&mut self, words: &[String], fds: &Fds) -> Flow {
        let (mut target, mut keep, mut by_stdin, mut login, mut never_ask) =
            ("root".to_owned(), false, false, false, false);
        let mut variables = Vec::new();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            match word.as_str() {
                "--" => break,
                "-u" | "-g" | "-p" | "-C" => {
                    let value = words.get(at).cloned().unwrap_or_default();
                    at += 1;
                    if word == "-u" {
                        target = value;
                    }
                }
                "--preserve-env" => keep = true,
                flags if flags.starts_with('-') => {
                    keep |= flags.contains('E') || flags.starts_with("--preserve-env");
                    by_stdin |= flags.contains('S') || flags == "--stdin";
                    login |= flags.contains('i') || flags.contains('s') || flags == "--login";
                    never_ask |= flags.contains('n') || flags == "--non-interactive";
                }
                assignment if assignment.contains('=') && !assignment.starts_with('/') => {
                    let (name, value) = assignment.split_once('=').unwrap_or((assignment, ""));
                    variables.push((name.to_owned(), value.to_owned()));
                }
                _ => {
                    at -= 1;
                    break;
                }
            }
        }
        let who = self.user.name.clone();
        let asked = self.host.machine().sudo(&who);
        match asked {
            Sudo::Free => {}
            Sudo::Never => {
                self.write(
                    &fds.stderr,
                    format!("{who} is not in the sudoers file.\n").as_bytes(),
                );
                return Flow::Next(1);
            }
            Sudo::Password if never_ask => {
                self.write(&fds.stderr, b"sudo: a password is required\n");
                return Flow::Next(1);
            }
            Sudo::Password if by_stdin || self.terminal => {
                self.host.echo(false);
                self.write(
                    &fds.stderr,
                    format!("[sudo] password for {who}: ").as_bytes(),
                );
                let line = self.read_line(&fds.stdin).await.unwrap_or_default();
                self.host.echo(true);
                self.write(&fds.stderr, b"\n");
                let password = String::from_utf8_lossy(&line)
                    .trim_end_matches('\n')
                    .to_owned();
                let right = self.host.machine().password_is(&who, &password);
                if !right {
                    self.write(&fds.stderr, b"Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt\n");
                    return Flow::Next(1);
                }
            }
            Sudo::Password => {
                self.write(&fds.stderr, b"sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper\nsudo: a password is required\n");
                return Flow::Next(1);
            }
        }
        self.as_user(
            &target,
            keep,
            login,
            variables,
            words.get(at..).unwrap_or_default(),
            fds,
        )
        .await
    }

    async fn su(&mut self, words: &[String], fds: &Fds) -> Flow {
        let mut target = "root".to_owned();
        let mut command = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-" | "-l" | "--login" => {}
                "-c" => {
                    command = vec![
                        "bash".to_owned(),
                        "-c".into(),
                        words.next().cloned().unwrap_or_default(),
                    ]
                }
                name => name.clone_into(&mut target),
            }
        }
        if self.user.name != "root" {
            self.write(&fds.stderr, b"Password: su: Authentication failure\n");
            return Flow::Next(1);
        }
        let login = command.is_empty();
        self.as_user(&target, false, login, Vec::new(), &command, fds)
            .await
    }

    async fn as_user(
        &mut self,
        target: &str,
        keep: bool,
        login: bool,
        variables: Vec<(String, String)>,
        words: &[String],
        fds: &Fds,
    ) -> Flow {
        let found = self.host.machine().user(target);
        let Some(user) = found else {
            self.write(
                &fds.stderr,
                format!("sudo: unknown user {target}\n").as_bytes(),
            );
            return Flow::Next(1);
        };
        if words.is_empty() && !login {
            self.write(
                &fds.stderr,
                b"usage: sudo [-nESi] [-u user] [VAR=value] command\n",
            );
            return Flow::Next(1);
        }
        let mut shell = self.fork();
        let cwd = shell.cwd.clone();
        if !keep {
            shell.variables.clear();
            shell.exported.clear();
        }
        let invoker = self.user.name.clone();
        shell.become_user(&user);
        if !login {
            shell.cwd = cwd;
        }
        shell.export("SUDO_USER", &invoker);
        for (name, value) in variables {
            shell.export(&name, &value);
        }
        let flow = if words.is_empty() {
            let words = vec!["bash".to_owned()];
            Box::pin(shell.program(&words, fds)).await
        } else {
            Box::pin(shell.program(words, fds)).await
        };
        match flow {
            Flow::Killed => flow,
            other => Flow::Next(other.status()),
        }
    }

    async fn env(&mut self, words: &[String], fds: &Fds) -> Flow {
        let mut shell = self.fork();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            if word == "-i" || word == "-" {
                shell.exported.clear();
            } else if word == "-u" {
                at += 1;
                words.get(at).map(|w| shell.exported.remove(w));
            } else if let Some((name, value)) = word.split_once('=') {
                shell.export(name, value);
            } else {
                break;
            }
            at += 1;
        }
        let rest = words.get(at..).unwrap_or_default();
        if rest.is_empty() {
            for (name, value) in shell.environment() {
                self.write(&fds.stdout, format!("{name}={value}\n").as_bytes());
            }
            return Flow::Next(0);
        }
        Box::pin(shell.program(rest, fds)).await
    }

    async fn timeout(&mut self, words: &[String], fds: &Fds) -> Flow {
        let mut words = words;
        while let [option, rest @ ..] = words
            && option.starts_with('-')
        {
            words = if matches!(option.as_str(), "-k" | "-s") {
                rest.get(1..).unwrap_or_default()
            } else {
                rest
            };
        }
        let [limit, rest @ ..] = words else {
            return Flow::Next(125);
        };
        let (Some(limit), false) = (time(limit), rest.is_empty()) else {
            self.write(
                &fds.stderr,
                format!("timeout: invalid time interval ‘{limit}’\n").as_bytes(),
            );
            return Flow::Next(125);
        };
        let mut shell = self.fork();
        let end = self.host.machine().now + limit;
        shell.deadline = Some(shell.deadline.map_or(end, |d| d.min(end)));
        match Box::pin(shell.program(rest, fds)).await {
            Flow::Killed => Flow::Killed,
            other => Flow::Next(other.status()),
        }
    }

    async fn xargs(&mut self, words: &[String], fds: &Fds) -> Flow {
        let mut at = 0;
        let (mut most, mut replace, mut not_empty) = (usize::MAX, None, false);
        while let Some(option) = words.get(at).filter(|w| w.starts_with('-')) {
            at += 1;
            let (letter, attached) = option.split_at_checked(2).unwrap_or((option, ""));
            let mut value = || {
                if !attached.is_empty() {
                    return Some(attached.to_owned());
                }
                at += 1;
                words.get(at - 1).cloned()
            };
            match letter {
                "-r" => not_empty = true,
                "--" => not_empty |= option == "--no-run-if-empty",
                "-n" | "-L" => {
                    let count = value().and_then(|w| w.parse().ok());
                    most = count.filter(|n| *n > 0).unwrap_or(1);
                }
                "-I" => replace = value(),
                _ => {}
            }
        }
        let command: Vec<String> = match words.get(at..) {
            Some(words) if !words.is_empty() => words.to_vec(),
            _ => vec!["echo".into()],
        };
        let text = String::from_utf8_lossy(&self.read_all(&fds.stdin).await).into_owned();
        let inner = Fds {
            stdin: In::Null,
            ..fds.clone()
        };
        let mut code = 0;
        let mut calls: Vec<Vec<String>> = Vec::new();
        if let Some(mark) = replace {
            calls.extend(
                text.lines()
                    .map(|line| command.iter().map(|w| w.replace(&mark, line)).collect()),
            );
        } else {
            let items: Vec<&str> = text.split_whitespace().collect();
            for chunk in items.chunks(most.min(items.len().max(1))) {
                calls.push(
                    command
                        .iter()
                        .cloned()
                        .chain(chunk.iter().map(|s| (*s).to_owned()))
                        .collect(),
                );
            }
            if calls.is_empty() && !not_empty {
                calls.push(command);
            }
        }
        for words in calls {
            match self.call(&words, &inner).await {
                Flow::Next(0) => {}
                Flow::Next(_) => code = 123,
                other => return other,
            }
        }
        Flow::Next(code)
    }
}
