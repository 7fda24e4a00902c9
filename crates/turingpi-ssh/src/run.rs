// SPDX-License-Identifier: Apache-2.0
//! A command on a host: what goes in, what comes out, how it ended.

use std::fmt;
use std::time::Duration;

use russh::ChannelMsg;
use russh::client::Msg;
use zeroize::Zeroizing;

use crate::error::{Error, Result, words};

/// How many bytes of a command's errors are kept.
const STDERR_BYTES: usize = 64 << 10;
/// The most that is written at a time, in bytes.
const CHUNK: usize = 32 << 10;

/// A command for the user's shell.
#[derive(Clone)]
pub struct Command {
    /// What it does, for error texts: the line may hold what others are not to see.
    pub what: String,
    /// The line. It is in the host's process list: nothing secret belongs here.
    pub line: String,
    /// What it reads.
    pub stdin: Zeroizing<Vec<u8>>,
    /// The most that it may write, in bytes.
    pub limit: usize,
    /// The time that it has.
    pub timeout: Duration,
}

impl Command {
    /// A command that reads nothing, writes 1 MiB at most and has a minute.
    pub fn new(what: impl Into<String>, line: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            line: line.into(),
            stdin: Zeroizing::default(),
            limit: 1 << 20,
            timeout: Duration::from_secs(60),
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({})", self.what)
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// With a code.
    Exit(u32),
    /// By a signal: `KILL`.
    Signal(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(name) => write!(f, "signal {name}"),
        }
    }
}

/// What a command left.
#[derive(Clone)]
pub struct Output {
    /// How it ended.
    pub status: Status,
    /// What it wrote.
    pub stdout: Zeroizing<Vec<u8>>,
    /// What it complained of, its last 64 KiB.
    pub stderr: Vec<u8>,
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output({}, {} bytes)", self.status, self.stdout.len())
    }
}

impl Output {
    /// Whether it ended with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status == Status::Exit(0)
    }

    /// How it ended and the last that it complained of, in words.
    #[must_use]
    pub fn why(&self) -> String {
        if self.stderr.iter().all(u8::is_ascii_whitespace) {
            return self.status.to_string();
        }
        format!("{} ({})", words(&self.stderr), self.status)
    }
}

/// Runs a command on a channel that is open.
pub(crate) async fn run(
    channel: russh::Channel<Msg>,
    address: &str,
    command: &Command,
) -> Result<Output> {
    let lost = |why: String| Error::Lost {
        address: address.to_owned(),
        why,
    };
    let (mut reads, writes) = channel.split();
    writes
        .exec(true, command.line.as_bytes())
        .await
        .map_err(|e| lost(e.to_string()))?;
    let write = async {
        for chunk in command.stdin.chunks(CHUNK) {
            // a command that has ended reads no more
            if writes.data(chunk).await.is_err() {
                return;
            }
        }
        let _ = writes.eof().await;
    };
    let read = async {
        let mut status = None;
        // with its full size from the start: what grows leaves copies behind
        let mut stdout = Zeroizing::new(Vec::with_capacity(command.limit.min(1 << 20)));
        let mut stderr = Vec::new();
        while let Some(message) = reads.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    if stdout.len() + data.len() > command.limit {
                        return Err(Error::TooLong {
                            address: address.to_owned(),
                            what: format!("what {} gave", command.what),
                            limit: command.limit,
                        });
                    }
                    stdout.extend_from_slice(&data);
                }
                ChannelMsg::ExtendedData { data, ext: 1 } => {
                    stderr.extend_from_slice(&data);
                    let over = stderr.len().saturating_sub(STDERR_BYTES);
                    stderr.drain(..over);
                }
                ChannelMsg::Failure => {
                    return Err(Error::Failed {
                        address: address.to_owned(),
                        what: command.what.clone(),
                        why: "the host runs no commands for this user".into(),
                    });
                }
                ChannelMsg::ExitStatus { exit_status } => status = Some(Status::Exit(exit_status)),
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    status = Some(Status::Signal(format!("{signal_name:?}")));
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        let status = status.ok_or_else(|| lost(format!("{} did not end", command.what)))?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    };
    let both = async {
        tokio::pin!(read);
        tokio::select! {
            result = &mut read => result,
            () = write => read.await,
        }
    };
    let result = tokio::time::timeout(command.timeout, both).await;
    let result = result.unwrap_or_else(|_| {
        Err(Error::Timeout {
            address: address.to_owned(),
            what: "end a command",
            within: command.timeout,
        })
    });
    // the host ends what still runs; it may be gone already
    let _ = writes.close().await;
    result
}
