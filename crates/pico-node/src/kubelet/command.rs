// SPDX-License-Identifier: Apache-2.0
//! The commands that every container understands. No process is started: the node answers itself, of what the container has.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt::Write as _;

use pico_board::Level;
use pico_eci::{HostError, MAX_KEY, MAX_VALUE};

use crate::pod::{ContainerSpec, DEFAULT_MEMORY, Runner, State, Work};
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};

/// Each command, what stands behind it, and what it does.
const COMMANDS: [(&str, &str, &str); 15] = [
    ("help", "", "this list"),
    (
        "ls",
        "[-l] [NAME]...",
        "keys of the container's storage, and mounted files",
    ),
    ("cat", "NAME...", "the value of a key, or a file"),
    ("rm", "KEY...", "remove keys from the container's storage"),
    ("env", "", "environment variables"),
    ("printenv", "NAME", "one of them"),
    ("pins", "", "the container's pins and their levels"),
    (
        "adc",
        "",
        "readings of its analogue channels, full scale 65535",
    ),
    ("temp", "", "temperature of the chip"),
    ("free", "", "memory, in bytes"),
    ("stats", "", "restarts, memory, processor time and storage"),
    ("uptime", "", "for how long the container has run"),
    ("date", "", "the node's clock"),
    ("echo", "[TEXT]...", "say something"),
    (
        "sh",
        "[-c COMMANDS]",
        "commands line by line; exit or Ctrl-D ends it",
    ),
];

/// What a command came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: String,
    pub(super) code: u8,
}

impl Outcome {
    fn said(text: impl Into<Vec<u8>>) -> Self {
        Self {
            stdout: text.into(),
            ..Self::default()
        }
    }

    pub(super) fn failed(code: u8, why: impl Into<String>) -> Self {
        Self {
            stderr: why.into(),
            code,
            ..Self::default()
        }
    }

    fn fail(&mut self, why: &str) {
        self.stderr.push_str(why);
        self.code = 1;
    }
}

/// Where a command is run.
pub(super) struct Place<'a> {
    pub(super) work: &'a Work,
    pub(super) spec: &'a ContainerSpec,
    pub(super) runner: &'a Runner,
    pub(super) runtime: &'a mut dyn Runtime,
    pub(super) now: Ms,
    pub(super) wall: Option<Wall>,
}

impl Place<'_> {
    /// Runs a command. One that there is not ends with 127, as in a shell.
    pub(super) fn run(&mut self, words: &[String]) -> Outcome {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let [name, arguments @ ..] = words.as_slice() else {
            return Outcome::default();
        };
        match (plain(name), arguments) {
            ("help", _) => Outcome::said(help()),
            ("ls", ["-l", names @ ..]) => self.list(names, true),
            ("ls", names) => self.list(names, false),
            ("cat", []) => Outcome::failed(1, "cat: which? `ls` names what there is\n"),
            ("cat", names) => self.show(names),
            ("rm", []) => Outcome::failed(1, "rm: which? `ls` names what there is\n"),
            ("rm", keys) => self.remove(keys),
            ("env" | "printenv", []) => self.variables(),
            ("printenv", names) => self.print_variables(names),
            ("pins", []) => self.pins(),
            ("adc", []) => self.readings(),
            ("temp", []) => self.temperature(),
            ("free", []) => self.memory(),
            ("stats", []) => self.stats(),
            ("uptime", []) => Outcome::said(format!("{} s\n", self.runs_for())),
            ("date", []) => match self.wall {
                Some(wall) => Outcome::said(format!("{}\n", wall.micro())),
                None => Outcome::failed(1, "date: the node does not know the time yet\n"),
            },
            ("echo", words) => Outcome::said(format!("{}\n", words.join(" "))),
            ("true", _) => Outcome::default(),
            ("false", _) => Outcome::failed(1, ""),
            (known, _) if COMMANDS.iter().any(|(name, ..)| *name == known) => {
                Outcome::failed(2, format!("{known}: takes no such arguments; see help\n"))
            }
            (unknown, _) => Outcome::failed(
                127,
                format!("{unknown}: command not found; help names those there are\n"),
            ),
        }
    }

    fn runs_for(&self) -> u64 {
        match self.runner.state {
            State::Running { since, .. } => self.now.saturating_sub(since) / 1000,
            _ => 0,
        }
    }

    /// The files that are mounted, by their paths.
    fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let all = self.runner.settings().all();
        all.filter(|(name, _)| name.starts_with('/'))
    }

    /// The value of a key in the container's storage.
    fn value(&mut self, key: &[u8]) -> Result<Vec<u8>, HostError> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(HostError::NotFound);
        }
        let owner = self.work.pod.owner();
        let mut value = alloc::vec![0; MAX_VALUE];
        let length = self.runtime.load(&owner, key, &mut value)?;
        value.truncate(length);
        Ok(value)
    }

    fn list(&mut self, names: &[&str], with_sizes: bool) -> Outcome {
        let mut out = Outcome::default();
        let mut found: Vec<(String, usize)> = Vec::new();
        // There are few: sorting would take four kilobytes of a chip's flash.
        let mut insert = |name: String, size| {
            let at = found.partition_point(|(known, _)| *known < name);
            found.insert(at, (name, size));
        };
        for (path, content) in self.files() {
            insert(path.to_owned(), content.len());
        }
        match self.runtime.keys(&self.work.pod.owner()) {
            Ok(keys) => {
                for key in keys {
                    let size = if with_sizes {
                        self.value(&key).map_or(0, |value| value.len())
                    } else {
                        0
                    };
                    insert(String::from_utf8_lossy(&key).into_owned(), size);
                }
            }
            Err(error) => out.fail(&format!("ls: the container's storage: {error}\n")),
        }
        let mut print = |name: &str, size: usize| {
            if with_sizes {
                out.stdout
                    .extend_from_slice(format!("{size:>6} ").as_bytes());
            }
            out.stdout.extend(shown(name).into_bytes());
            out.stdout.push(b'\n');
        };
        if names.is_empty() {
            for (name, size) in &found {
                print(name, *size);
            }
            return out;
        }
        let mut missing = String::new();
        for wanted in names {
            let mut is_there = false;
            // A directory is what paths begin with.
            let directory = wanted.trim_end_matches('/');
            for (name, size) in &found {
                let within = name.strip_prefix(directory);
                if name == wanted || within.is_some_and(|rest| rest.starts_with('/')) {
                    is_there = true;
                    print(name, *size);
                }
            }
            if !is_there {
                let _ = writeln!(missing, "ls: {wanted}: No such file or directory");
            }
        }
        if !missing.is_empty() {
            out.fail(&missing);
        }
        out
    }

    fn show(&mut self, names: &[&str]) -> Outcome {
        let mut out = Outcome::default();
        for name in names {
            let file = self.files().find(|(path, _)| path == name);
            if let Some((_, content)) = file {
                out.stdout.extend_from_slice(content);
                continue;
            }
            match self.value(name.as_bytes()) {
                Ok(value) => out.stdout.extend_from_slice(&value),
                Err(HostError::NotFound) => {
                    out.fail(&format!("cat: {name}: No such file or directory\n"));
                }
                Err(error) => out.fail(&format!("cat: {name}: {error}\n")),
            }
        }
        out
    }

    fn remove(&mut self, keys: &[&str]) -> Outcome {
        let mut out = Outcome::default();
        let owner = self.work.pod.owner();
        for key in keys {
            if self.files().any(|(path, _)| path == *key) {
                out.fail(&format!("rm: {key}: Read-only file system\n"));
                continue;
            }
            match self.runtime.remove(&owner, key.as_bytes()) {
                Ok(()) => {}
                Err(HostError::NotFound) => {
                    out.fail(&format!("rm: {key}: No such file or directory\n"));
                }
                Err(error) => out.fail(&format!("rm: {key}: {error}\n")),
            }
        }
        out
    }

    fn variables(&self) -> Outcome {
        let mut out = Vec::new();
        let all = self.runner.settings().all();
        for (name, value) in all.filter(|(name, _)| !name.starts_with('/')) {
            for part in [name.as_bytes(), b"=", value, b"\n"] {
                out.extend_from_slice(part);
            }
        }
        Outcome::said(out)
    }

    fn print_variables(&self, names: &[&str]) -> Outcome {
        let mut out = Outcome::default();
        for name in names {
            match self.runner.settings().get(name) {
                Some(value) => {
                    out.stdout.extend_from_slice(value);
                    out.stdout.push(b'\n');
                }
                None => out.code = 1,
            }
        }
        out
    }

    fn pins(&mut self) -> Outcome {
        let mut out = String::new();
        for pin in self.work.given.pins.iter() {
            let level = match self.runtime.devices().read_pin(pin) {
                Ok(Level::High) => "high",
                Ok(Level::Low) => "low",
                // It is not set up.
                Err(_) => "off",
            };
            let _ = writeln!(out, "GP{pin} {level}");
        }
        if self.work.given.led && self.spec.ask.led > 0 {
            out.push_str("LED\n");
        }
        Outcome::said(out)
    }

    fn readings(&mut self) -> Outcome {
        let mut out = Outcome::default();
        for channel in self.work.given.adc.iter() {
            match self.runtime.devices().read_adc(channel) {
                Ok(reading) => out
                    .stdout
                    .extend_from_slice(format!("ADC{channel} {reading}\n").as_bytes()),
                Err(error) => out.fail(&format!("adc: channel {channel}: {error}\n")),
            }
        }
        out
    }

    fn temperature(&mut self) -> Outcome {
        if self.spec.ask.temperature == 0 {
            let why = "temp: the container does not have pico.io/temp-sensor\n";
            return Outcome::failed(1, why);
        }
        match self.runtime.devices().temperature_millicelsius() {
            Ok(milli) => {
                let sign = if milli < 0 { "-" } else { "" };
                let tenths = milli.unsigned_abs() / 100;
                Outcome::said(format!("{sign}{}.{} °C\n", tenths / 10, tenths % 10))
            }
            Err(error) => Outcome::failed(1, format!("temp: {error}\n")),
        }
    }

    fn memory(&self) -> Outcome {
        let board = self.runtime.usage();
        let limit = self.spec.ask.memory.unwrap_or(DEFAULT_MEMORY);
        Outcome::said(format!(
            "           {:>10} {:>10} {:>10}\ncontainer  {limit:>10} {:>10} {:>10}\nboard      {:>10} {:>10}\n",
            "total",
            "used",
            "peak",
            self.runner.memory(),
            self.runner.memory_peak,
            board.memory_total,
            board.memory,
        ))
    }

    fn stats(&mut self) -> Outcome {
        let runner = self.runner;
        let mut storage = 0;
        for key in self
            .runtime
            .keys(&self.work.pod.owner())
            .unwrap_or_default()
        {
            storage += key.len() + self.value(&key).map_or(0, |value| value.len());
        }
        let fuel_per_ms = u64::from(self.runtime.fuel_per_second() / 1000).max(1);
        Outcome::said(format!(
            "uptime     {} s\nrestarts   {}\nmemory     {} bytes, at most {}\nprocessor  {} ms, now {} of 1000\n\
             throttled  {} times\nstorage    {storage} bytes\n",
            self.runs_for(),
            runner.restarts,
            runner.memory(),
            runner.memory_peak,
            runner.fuel / fuel_per_ms,
            runner.cpu_rate / 1_000_000,
            runner.throttled,
        ))
    }
}

/// The name of a command without the directory in which it is looked for elsewhere.
fn plain(name: &str) -> &str {
    let bare = name.strip_prefix("/usr").unwrap_or(name);
    bare.strip_prefix("/bin/").unwrap_or(name)
}

/// Whether a command is the shell.
pub(super) fn is_shell(name: &str) -> bool {
    plain(name) == "sh"
}

/// A key as it can be shown: what would move the cursor is escaped.
fn shown(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

fn help() -> String {
    let mut out = "This container runs on a microcontroller. Its node answers:\n".to_string();
    for (name, arguments, about) in COMMANDS {
        let _ = writeln!(out, "  {:<20} {about}", format!("{name} {arguments}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_commands() {
        assert_eq!(plain("/bin/ls"), "ls");
        assert_eq!(plain("/usr/bin/env"), "env");
        assert_eq!(plain("/opt/ls"), "/opt/ls");
        assert!(is_shell("/bin/sh") && is_shell("sh") && !is_shell("bash"));
    }

    #[test]
    fn keys_that_are_no_text_are_escaped() {
        assert_eq!(shown("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
    }
}
