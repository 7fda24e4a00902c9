// SPDX-License-Identifier: Apache-2.0
//! The far end of `scp` in its old protocol, which Terraform's provisioners and `scp -O` speak: `scp -t` takes files, `scp -f` gives
//! them. Each line and each file is answered with a byte: 0, or 1 and what is wrong.

use super::run::{Flow, Shell};
use super::streams::{Fds, In};
use crate::files::{Content, Errno, join, name};

/// The most that is written to a file at a time, in bytes.
const PIECE: usize = 64 << 10;
/// How deep directories may be nested.
const DEPTH: usize = 64;

/// What is sent: files as they come, directories with what is in them.
enum Sent {
    File(String),
    Directory(String),
    End,
}

/// A line about a file or a directory that comes: `C0644 12 name`.
fn announced(line: &str) -> Option<(u16, u64, &str)> {
    let mut fields = line.splitn(3, ' ');
    let mode = u16::from_str_radix(fields.next()?, 8).ok()?;
    let size = fields.next()?.parse().ok()?;
    let name = fields.next()?;
    let is_name = !matches!(name, "" | "." | "..") && !name.contains('/');
    is_name.then_some((mode & 0o7777, size, name))
}

impl Shell {
    pub(super) async fn scp(&mut self, words: &[String], fds: &Fds) -> Flow {
        let flags = |flag: char| {
            let mut options = words
                .iter()
                .take_while(|w| w.starts_with('-') && *w != "--");
            options.any(|w| w.contains(flag))
        };
        let (takes, gives, all) = (flags('t'), flags('f'), flags('r'));
        let paths: Vec<String> = words
            .iter()
            .skip_while(|w| w.starts_with('-') && *w != "--")
            .filter(|w| *w != "--")
            .cloned()
            .collect();
        let code = match (takes, gives, &paths[..]) {
            (true, false, [target]) => self.scp_takes(target, all, fds).await,
            (false, true, [_, ..]) => self.scp_gives(&paths, all, fds).await,
            _ => {
                self.write(
                    &fds.stderr,
                    b"scp: only what another host's scp asks for (-t, -f) is here\n",
                );
                1
            }
        };
        Flow::Next(code)
    }

    fn answer(&self, result: Result<(), String>, fds: &Fds) -> bool {
        match &result {
            Ok(()) => self.write(&fds.stdout, &[0]),
            Err(why) => self.write(&fds.stdout, format!("\x01scp: {why}\n").as_bytes()),
        }
        result.is_ok()
    }

    /// Takes what comes into a file or a directory.
    async fn scp_takes(&mut self, target: &str, all: bool, fds: &Fds) -> i32 {
        let mut code = 0;
        // the directories that are open, and whether what comes goes into the last
        let mut within: Vec<String> = Vec::new();
        self.answer(Ok(()), fds);
        while let Some(line) = self.read_line(&fds.stdin).await {
            let line = String::from_utf8_lossy(&line).into_owned();
            let line = line.trim_end_matches('\n');
            let rest = line.get(1..).unwrap_or_default();
            let place = |shell: &Self, name: &str| match within.last() {
                Some(directory) => join(directory, name),
                None if shell.is_directory(target) => join(target, name),
                None => target.to_owned(),
            };
            let done = match (line.bytes().next(), announced(rest)) {
                (Some(b'T'), _) => Ok(()),
                (Some(b'E'), _) => match within.pop() {
                    Some(_) => Ok(()),
                    None => Err("protocol error: no directory is open".to_owned()),
                },
                (Some(b'C'), Some((mode, size, name))) => {
                    let path = place(self, name);
                    // a file that cannot be written is not sent
                    let opened = self.scp_open(&path, mode);
                    if !self.answer(opened.clone().map(drop), fds) {
                        code = 1;
                        continue;
                    }
                    let at = opened.unwrap_or_default();
                    match self.scp_fill(&at, size, fds).await {
                        Some(result) => result.map_err(|e| format!("{path}: {e}")),
                        None => return 1,
                    }
                }
                (Some(b'D'), Some((mode, _, name))) if all && within.len() < DEPTH => {
                    let path = place(self, name);
                    let made = self.scp_directory(&path, mode);
                    within.push(path);
                    made
                }
                (Some(1 | 2), _) => {
                    self.write(&fds.stderr, format!("{rest}\n").as_bytes());
                    code = 1;
                    continue;
                }
                _ => {
                    self.answer(Err(format!("protocol error: {line:?}")), fds);
                    return 1;
                }
            };
            if !self.answer(done, fds) {
                code = 1;
            }
        }
        code
    }

    fn is_directory(&self, path: &str) -> bool {
        let machine = self.host.machine();
        let found = machine.stat(&self.user.name, &self.cwd, path, true);
        found.is_ok_and(|(_, entry)| entry.is_directory())
    }

    fn scp_directory(&self, path: &str, mode: u16) -> Result<(), String> {
        if self.is_directory(path) {
            return Ok(());
        }
        let mode = mode & !self.umask;
        let mut machine = self.host.machine();
        let made = machine.make(&self.user.name, &self.cwd, path, Content::Directory, mode);
        made.map_err(|e| format!("{path}: {e}"))
    }

    /// Opens a file to be written to; gives its clean path.
    fn scp_open(&self, path: &str, mode: u16) -> Result<String, String> {
        let mode = mode & !self.umask;
        let mut machine = self.host.machine();
        let opened = machine.open(&self.user.name, &self.cwd, path, false, mode);
        opened.map_err(|e| format!("{path}: {e}"))
    }

    /// Takes what is in a file; what there is no room for is read all the same. Nothing when the other side ends before it.
    async fn scp_fill(&mut self, at: &str, size: u64, fds: &Fds) -> Option<Result<(), Errno>> {
        let mut result = Ok(());
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            let piece = self.read_some(&fds.stdin, most).await;
            if piece.is_empty() {
                return None;
            }
            left -= piece.len() as u64;
            if result.is_ok() {
                result = self.host.machine().append(at, &piece);
            }
        }
        // the other side's own word about it
        match self.read_some(&fds.stdin, 1).await.first() {
            Some(0) => Some(result),
            Some(_) => self.read_line(&fds.stdin).await.map(|_| result),
            None => None,
        }
    }

    /// Gives files, and directories with what is in them.
    async fn scp_gives(&mut self, paths: &[String], all: bool, fds: &Fds) -> i32 {
        let mut code = 0;
        let mut next: Vec<Sent> = paths.iter().rev().map(|p| Sent::File(p.clone())).collect();
        if self.read_some(&fds.stdin, 1).await != [0] {
            return 1;
        }
        while let Some(sent) = next.pop() {
            let (head, body) = match sent {
                Sent::End => ("E\n".to_owned(), None),
                Sent::Directory(path) => {
                    let (mode, names) = {
                        let machine = self.host.machine();
                        let clean = machine
                            .resolve(&self.user.name, &self.cwd, &path, true)
                            .unwrap_or_default();
                        (
                            machine.entry(&clean).map_or(0o755, |e| e.mode),
                            machine.names(&clean),
                        )
                    };
                    next.push(Sent::End);
                    next.extend(names.iter().rev().map(|n| Sent::File(join(&path, n))));
                    (
                        format!("D{mode:04o} 0 {}\n", name(path.trim_end_matches('/'))),
                        None,
                    )
                }
                Sent::File(path) if all && self.is_directory(&path) => {
                    next.push(Sent::Directory(path));
                    continue;
                }
                Sent::File(path) => {
                    let read = {
                        let machine = self.host.machine();
                        let (who, cwd) = (&self.user.name, &self.cwd);
                        let mode = machine.stat(who, cwd, &path, true).map(|(_, e)| e.mode);
                        machine
                            .read(who, cwd, &path)
                            .and_then(|bytes| Ok((mode?, bytes)))
                    };
                    match read {
                        Ok((mode, bytes)) => (
                            format!("C{mode:04o} {} {}\n", bytes.len(), name(&path)),
                            Some(bytes),
                        ),
                        Err(e) => {
                            self.answer(Err(format!("{path}: {e}")), fds);
                            code = 1;
                            continue;
                        }
                    }
                }
            };
            self.write(&fds.stdout, head.as_bytes());
            if self.read_some(&fds.stdin, 1).await != [0] {
                return 1;
            }
            if let Some(bytes) = body {
                self.write(&fds.stdout, &bytes);
                self.write(&fds.stdout, &[0]);
                if self.read_some(&fds.stdin, 1).await != [0] {
                    return 1;
                }
            }
        }
        code
    }

    /// What a command may read next, `most` bytes at most; nothing at the end.
    async fn read_some(&self, input: &In, most: usize) -> Vec<u8> {
        let held = match input {
            In::Null => return Vec::new(),
            In::Bytes(buffer) => buffer,
            In::Session => {
                while self.pending.lock().is_empty() {
                    match self.host.read().await {
                        Some(more) => self.pending.lock().extend(more),
                        None => break,
                    }
                }
                &self.pending
            }
        };
        let mut held = held.lock();
        let end = most.min(held.len());
        held.drain(..end).collect()
    }
}
