// SPDX-License-Identifier: Apache-2.0
//! The simulated radio: bytes between a board and the API, with what can go wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pico_node::Slot;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::api::Api;

/// What a link does to what it carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Nothing is carried, and connections break at once.
    pub cut: bool,
    /// Nothing is carried, and nobody learns of it.
    pub half_open: bool,
    /// How long every piece takes, in milliseconds.
    pub latency_ms: u32,
    /// Of a hundred pieces so many are lost and sent again, which takes another 200 ms.
    pub loss_percent: u8,
}

impl Faults {
    /// How long a piece takes.
    fn delay(&self) -> Duration {
        let mut ms = u64::from(self.latency_ms);
        let mut dice = [0];
        while self.loss_percent > 0
            && ms < 30_000
            && getrandom::fill(&mut dice).is_ok()
            && u16::from(dice[0]) * 100 < u16::from(self.loss_percent.min(95)) * 256
        {
            ms += 200;
        }
        Duration::from_millis(ms)
    }
}

/// What a connection says to its board.
#[derive(Debug)]
pub(crate) enum News {
    Up,
    Bytes(Bytes),
    Down,
}

/// News of a connection; the number tells it from an earlier one in the same slot.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) slot: Slot,
    pub(crate) number: u32,
    pub(crate) news: News,
}

/// A connection as its board has it. It ends when this is dropped.
pub(crate) struct Connection {
    pub(crate) number: u32,
    pub(crate) out: mpsc::Sender<Bytes>,
    task: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins a connection of its own to the API, and moves bytes untouched.
pub(crate) fn connect(
    api: Arc<Api>,
    slot: Slot,
    number: u32,
    events: mpsc::Sender<Event>,
    faults: watch::Receiver<Faults>,
) -> Connection {
    let (out, from_board) = mpsc::channel(4);
    let task = tokio::task::spawn_local(async move {
        let tell = |news| {
            let event = Event { slot, number, news };
            let events = events.clone();
            async move { events.send(event).await.is_ok() }
        };
        let carried = carry(&api, from_board, faults, &tell).await;
        if carried.is_ok() {
            tell(News::Down).await;
        }
    });
    Connection { number, out, task }
}

/// The board has gone.
struct Gone;

async fn carry<F: Future<Output = bool>>(
    api: &Api,
    mut from_board: mpsc::Receiver<Bytes>,
    mut faults: watch::Receiver<Faults>,
    tell: &impl Fn(News) -> F,
) -> Result<(), Gone> {
    let check = |up: bool| if up { Ok(()) } else { Err(Gone) };
    if faults.borrow().cut {
        sleep(Duration::from_millis(100)).await;
        return Ok(());
    }
    sleep(faults.borrow().delay()).await;
    while faults.borrow().half_open {
        if faults.changed().await.is_err() {
            return Err(Gone);
        }
    }
    let Ok(stream) = api.dial(b"http/1.1").await else {
        return Ok(());
    };
    let (mut read, mut write) = tokio::io::split(stream);
    check(tell(News::Up).await)?;
    // As large as a small board's window.
    let mut buffer = vec![0; 2048];
    loop {
        let now = *faults.borrow();
        if now.cut {
            return Ok(());
        }
        if now.half_open {
            if faults.changed().await.is_err() {
                return Err(Gone);
            }
            continue;
        }
        tokio::select! {
            n = read.read(&mut buffer) => match n {
                Ok(n) if n > 0 => {
                    sleep(now.delay()).await;
                    check(tell(News::Bytes(Bytes::copy_from_slice(&buffer[..n]))).await)?;
                }
                _ => return Ok(()),
            },
            bytes = from_board.recv() => match bytes {
                Some(bytes) => {
                    sleep(now.delay()).await;
                    let sent = async { write.write_all(&bytes).await?; write.flush().await };
                    if sent.await.is_err() {
                        return Ok(());
                    }
                }
                None => {
                    let _ = write.shutdown().await;
                    return Err(Gone);
                }
            },
            changed = faults.changed() => if changed.is_err() {
                return Err(Gone);
            },
        }
    }
}

/// Begins a connection that shares HTTP/2 with those of other boards: what the board says is understood here, and
/// said again.
pub(crate) fn share(
    pool: std::rc::Rc<crate::pool::Pool>,
    slot: Slot,
    number: u32,
    events: mpsc::Sender<Event>,
) -> Connection {
    let (out, from_board) = mpsc::channel(4);
    let task = tokio::task::spawn_local(async move {
        pool.serve(from_board, slot, number, events).await;
    });
    Connection { number, out, task }
}
