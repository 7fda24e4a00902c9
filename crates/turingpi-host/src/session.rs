// SPDX-License-Identifier: Apache-2.0
//! Somebody at a shell: what a session asks of whoever holds the other end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::image::is_name;
use crate::machine::{Machine, Power};
use crate::shell::Shell;

/// A future on the heap.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a session's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// The other end of a session: its bytes, its time, and the module that it is in.
pub trait Host: Send + Sync {
    /// The module, with its time set.
    fn machine(&self) -> MutexGuard<'_, Machine>;
    /// Lets time pass; less of it when the user interrupts.
    fn sleep(&self, time: Duration) -> Waiting<'_, ()>;
    /// Lets others have a turn.
    fn pause(&self) -> Waiting<'_, ()>;
    /// Goes on with something beside the session, for as long as the module is up.
    fn spawn(&self, job: Waiting<'static, ()>);
    /// The module reboots or halts.
    fn power(&self, power: Power);
    /// The session says something.
    fn write(&self, stream: Stream, bytes: &[u8]);
    /// What is typed or sent next; nothing at its end. On a terminal these are whole lines.
    fn read(&self) -> Waiting<'_, Option<Vec<u8>>>;
    /// Whether what is typed is shown.
    fn echo(&self, on: bool);
    /// Whether the user interrupted since this was asked last.
    fn interrupted(&self) -> bool;
}

/// What a session is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One command.
    Command(String),
    /// A login shell.
    Shell {
        /// Whether it is on a terminal: it prompts then.
        terminal: bool,
    },
}

/// Runs a session of a user to its end, and gives its exit code.
///
/// A user that the module does not have gets 1.
pub async fn run(host: Arc<dyn Host>, user: &str, ask: &Ask) -> i32 {
    let Some(mut shell) = Shell::login(host.clone(), user) else {
        host.write(Stream::Error, b"no such user\n");
        return 1;
    };
    match ask {
        Ask::Command(text) => shell.script("bash", text).await,
        Ask::Shell { terminal } => {
            if *terminal {
                let message = {
                    let machine = host.machine();
                    format!("Welcome to {}\n\n", machine.image.os)
                };
                host.write(Stream::Output, message.as_bytes());
            }
            shell.interact(*terminal).await
        }
    }
}

/// A login prompt and what comes after it, again and again: the serial console.
pub async fn console(host: Arc<dyn Host>, issue: &str) {
    loop {
        let name = {
            let machine = host.machine();
            format!("{issue}\n\n{} login: ", machine.hostname())
        };
        host.write(Stream::Output, name.as_bytes());
        let Some(user) = line(&*host).await else {
            return;
        };
        if user.is_empty() {
            continue;
        }
        // off before it is asked for, so that who answers at once is not shown either
        host.echo(false);
        host.write(Stream::Output, b"Password: ");
        let password = line(&*host).await;
        host.echo(true);
        host.write(Stream::Output, b"\n");
        let Some(password) = password else { return };
        let known = is_name(&user) && host.machine().password_is(&user, &password);
        if !known {
            host.write(Stream::Output, b"Login incorrect\n");
            continue;
        }
        run(host.clone(), &user, &Ask::Shell { terminal: true }).await;
        host.write(Stream::Output, b"\n");
    }
}

async fn line(host: &dyn Host) -> Option<String> {
    let bytes = host.read().await?;
    Some(
        String::from_utf8_lossy(&bytes)
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
    )
}
