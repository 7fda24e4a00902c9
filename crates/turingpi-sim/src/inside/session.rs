// SPDX-License-Identifier: Apache-2.0
//! A session in a module: bytes from whoever holds the other end, a terminal between where one was asked for.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use turingpi_host::{Ask, Host, Machine, Power, Stream, Terminal, Typed, Waiting, sftp};

use super::Inside;

/// Bytes that a session writes.
pub(super) struct Output {
    pub(super) stream: Stream,
    pub(super) bytes: Vec<u8>,
}

/// What was typed on a terminal and not read yet.
#[derive(Default)]
struct Keys {
    terminal: Terminal,
    lines: VecDeque<Option<Vec<u8>>>,
}

/// The lines that may wait to be read.
const WAITING: usize = 1000;

pub(super) struct Session {
    inside: Arc<Inside>,
    output: mpsc::UnboundedSender<Output>,
    /// Bytes as they come, without a terminal.
    input: tokio::sync::Mutex<Option<mpsc::Receiver<Vec<u8>>>>,
    keys: Mutex<Keys>,
    typed: Notify,
    interrupted: AtomicBool,
    interrupt: Notify,
    terminal: bool,
}

impl Session {
    fn new(
        inside: Arc<Inside>,
        input: Option<mpsc::Receiver<Vec<u8>>>,
        output: mpsc::UnboundedSender<Output>,
    ) -> Self {
        Self {
            inside,
            output,
            terminal: input.is_none(),
            input: tokio::sync::Mutex::new(input),
            keys: Mutex::default(),
            typed: Notify::new(),
            interrupted: AtomicBool::new(false),
            interrupt: Notify::new(),
        }
    }

    /// A session on a terminal: keys become lines, and are shown.
    pub(super) fn terminal(
        inside: Arc<Inside>,
        mut input: mpsc::Receiver<Vec<u8>>,
        output: mpsc::UnboundedSender<Output>,
    ) -> Arc<Self> {
        let session = Arc::new(Self::new(inside.clone(), None, output));
        let reading = session.clone();
        inside.spawn(async move {
            while let Some(keys) = input.recv().await {
                reading.keys(&keys);
            }
            reading.lock().lines.push_back(None);
            reading.typed.notify_one();
        });
        session
    }

    fn lock(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self, bytes: &[u8]) {
        let mut keys = self.lock();
        let (typed, shown) = keys.terminal.keys(bytes);
        for one in typed {
            match one {
                Typed::Line(line) if keys.lines.len() < WAITING => keys.lines.push_back(Some(line)),
                Typed::Line(_) => {}
                Typed::End => keys.lines.push_back(None),
                Typed::Interrupt => {
                    keys.lines.clear();
                    // whoever reads gets an empty line, as after Enter
                    keys.lines.push_back(Some(b"\n".to_vec()));
                    self.interrupted.store(true, Ordering::Relaxed);
                    self.interrupt.notify_waiters();
                }
            }
        }
        drop(keys);
        if !shown.is_empty() {
            let _ = self.output.send(Output {
                stream: Stream::Output,
                bytes: shown,
            });
        }
        self.typed.notify_one();
    }
}

impl Host for Session {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.inside.machine()
    }

    fn sleep(&self, time: Duration) -> Waiting<'_, ()> {
        Box::pin(async move {
            let interrupt = self.interrupt.notified();
            tokio::pin!(interrupt);
            // who interrupted a moment ago need not do it again
            interrupt.as_mut().enable();
            if self.interrupted.load(Ordering::Relaxed) {
                return;
            }
            tokio::select! {
                () = self.inside.shared.clock.sleep(time) => {}
                () = interrupt => {}
            }
        })
    }

    fn pause(&self) -> Waiting<'_, ()> {
        Box::pin(tokio::task::yield_now())
    }

    fn spawn(&self, job: Waiting<'static, ()>) {
        self.inside.spawn(job);
    }

    fn power(&self, power: Power) {
        self.inside.power(power);
    }

    fn write(&self, stream: Stream, bytes: &[u8]) {
        let output = if self.terminal {
            let mut cooked = Vec::with_capacity(bytes.len());
            for byte in bytes {
                if *byte == b'\n' {
                    cooked.push(b'\r');
                }
                cooked.push(*byte);
            }
            Output {
                stream: Stream::Output,
                bytes: cooked,
            }
        } else {
            Output {
                stream,
                bytes: bytes.to_vec(),
            }
        };
        // who has gone reads nothing
        let _ = self.output.send(output);
    }

    fn read(&self) -> Waiting<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            if let Some(input) = &mut *self.input.lock().await {
                return input.recv().await;
            }
            loop {
                if let Some(line) = self.lock().lines.pop_front() {
                    return line;
                }
                self.typed.notified().await;
            }
        })
    }

    fn echo(&self, on: bool) {
        self.lock().terminal.echo = on;
    }

    fn interrupted(&self) -> bool {
        self.interrupted.swap(false, Ordering::Relaxed)
    }
}

/// What a client may ask for.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// A command, or a shell; on a terminal or not.
    Run(Ask, bool),
    /// File transfer.
    Sftp,
}

/// Who takes what a session writes.
pub(super) trait Sink: Send {
    /// Passes on a piece; false when nobody takes it any more.
    fn write(&mut self, output: Output) -> impl Future<Output = bool> + Send;
}

/// Runs a session to its end and gives its exit code, with all that it wrote written before.
pub(super) async fn carry(
    inside: Arc<Inside>,
    user: String,
    request: Request,
    input: mpsc::Receiver<Vec<u8>>,
    mut sink: impl Sink,
) -> u32 {
    let (output, mut written) = mpsc::unbounded_channel();
    let running = run(inside, user, request, input, output);
    tokio::pin!(running);
    let code = loop {
        tokio::select! {
            code = &mut running => break code,
            Some(output) = written.recv() => {
                if !sink.write(output).await {
                    return 1;
                }
            }
        }
    };
    // what runs beside a session that has ended writes to nobody
    while let Ok(output) = written.try_recv() {
        if !sink.write(output).await {
            break;
        }
    }
    code
}

async fn run(
    inside: Arc<Inside>,
    user: String,
    request: Request,
    mut input: mpsc::Receiver<Vec<u8>>,
    output: mpsc::UnboundedSender<Output>,
) -> u32 {
    let code = match request {
        Request::Run(ask, terminal) => {
            let host: Arc<dyn Host> = if terminal {
                Session::terminal(inside, input, output)
            } else {
                Arc::new(Session::new(inside, Some(input), output))
            };
            turingpi_host::run(host, &user, &ask).await
        }
        Request::Sftp => {
            let mut server = sftp::Server::new(&inside.machine(), &user);
            while let Some(bytes) = input.recv().await {
                let answer = server.receive(&mut inside.machine(), &bytes);
                match answer {
                    Ok(bytes) if bytes.is_empty() => {}
                    Ok(bytes) => drop(output.send(Output {
                        stream: Stream::Output,
                        bytes,
                    })),
                    Err(e) => {
                        log::debug!("{e}");
                        return 1;
                    }
                }
            }
            0
        }
    };
    u32::try_from(code & 0xff).unwrap_or(1)
}
