// SPDX-License-Identifier: Apache-2.0
//! The simulated radio: bytes between a board and the API, with what can go wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_channel::mpsc;
use futures_util::SinkExt as _;
use pico_node::Slot;
use pico_node::backoff::Random;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::api::Api;
use crate::shared::SharedLink;
use crate::trouble::Troubles;

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
    /// So many bytes pass in a second, in each direction; 0 for as many as come.
    pub bytes_per_second: u32,
}

impl Faults {
    /// How long a piece of so many bytes takes.
    fn delay(&self, bytes: usize, dice: &mut Random) -> Duration {
        let mut ms = u64::from(self.latency_ms);
        if self.bytes_per_second > 0 {
            ms += bytes as u64 * 1000 / u64::from(self.bytes_per_second);
        }
        let mut again = 0;
        while again < 150 && dice.below(100) < u64::from(self.loss_percent.min(95)) {
            again += 1;
        }
        Duration::from_millis(ms + again * 200)
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

/// Where a connection tells its board what comes.
pub(crate) struct Board {
    pub(crate) slot: Slot,
    pub(crate) number: u32,
    pub(crate) events: mpsc::Sender<Event>,
}

impl Board {
    /// Tells it once there is room. Says whether the board is still there.
    pub(crate) async fn tell(&mut self, news: News) -> bool {
        let event = Event {
            slot: self.slot,
            number: self.number,
            news,
        };
        self.events.send(event).await.is_ok()
    }
}

/// A connection as its board has it. It ends when this is dropped.
pub(crate) enum Connection {
    /// One whose bytes a task moves.
    Own(Carrier),
    /// A share in others.
    Shared(Box<SharedLink>),
}

impl Connection {
    /// Says something on it. Says how many bytes were taken: a link that is full takes none.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Own(carrier) => {
                let taken = carrier.out.try_send(Bytes::copy_from_slice(bytes));
                taken.map_or(0, |()| bytes.len())
            }
            Self::Shared(link) => link.say(bytes),
        }
    }

    /// Whether it is the one whose news have this number.
    pub(crate) fn is(&self, number: u32) -> bool {
        matches!(self, Self::Own(carrier) if carrier.number == number)
    }
}

/// A task that moves bytes.
pub(crate) struct Carrier {
    pub(crate) number: u32,
    pub(crate) out: tokio::sync::mpsc::Sender<Bytes>,
    pub(crate) task: JoinHandle<()>,
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins a connection of its own to the API, and moves bytes untouched.
pub(crate) fn connect(
    api: Arc<Api>,
    mut board: Board,
    faults: watch::Receiver<Faults>,
    dice: Random,
    troubles: Arc<Troubles>,
) -> Connection {
    let number = board.number;
    let (out, from_board) = tokio::sync::mpsc::channel(4);
    let task = tokio::task::spawn_local(async move {
        let carried = carry(&api, from_board, faults, dice, &troubles, &mut board).await;
        if carried.is_ok() {
            board.tell(News::Down).await;
        }
    });
    Connection::Own(Carrier { number, out, task })
}

/// The board has gone.
struct Gone;

async fn carry(
    api: &Api,
    mut from_board: tokio::sync::mpsc::Receiver<Bytes>,
    mut faults: watch::Receiver<Faults>,
    mut dice: Random,
    troubles: &Troubles,
    board: &mut Board,
) -> Result<(), Gone> {
    let check = |up: bool| if up { Ok(()) } else { Err(Gone) };
    if faults.borrow().cut {
        sleep(Duration::from_millis(100)).await;
        return Ok(());
    }
    if !pass(0, &mut faults, &mut dice).await? {
        return Ok(());
    }
    let stream = match api.dial(b"http/1.1").await {
        Ok(stream) => stream,
        Err(error) => {
            troubles.dialling(&error);
            return Ok(());
        }
    };
    let (mut read, mut write) = tokio::io::split(stream);
    check(board.tell(News::Up).await)?;
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
            // In this order, for runs that are to be the same: a board that has asked waits for the answer.
            biased;
            changed = faults.changed() => if changed.is_err() {
                return Err(Gone);
            },
            n = read.read(&mut buffer) => match n {
                Ok(n) if n > 0 => {
                    if !pass(n, &mut faults, &mut dice).await? {
                        return Ok(());
                    }
                    check(board.tell(News::Bytes(Bytes::copy_from_slice(&buffer[..n]))).await)?;
                }
                _ => return Ok(()),
            },
            bytes = from_board.recv() => match bytes {
                Some(bytes) => {
                    if !pass(bytes.len(), &mut faults, &mut dice).await? {
                        return Ok(());
                    }
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
        }
    }
}

/// Lets a piece pass: it takes its time, and stays where it is while nothing is carried. Says whether the link still
/// stands afterwards.
async fn pass(
    bytes: usize,
    faults: &mut watch::Receiver<Faults>,
    dice: &mut Random,
) -> Result<bool, Gone> {
    let delay = faults.borrow().delay(bytes, dice);
    if !delay.is_zero() {
        sleep(delay).await;
    }
    loop {
        let now = *faults.borrow_and_update();
        if now.cut || !now.half_open {
            return Ok(!now.cut);
        }
        if faults.changed().await.is_err() {
            return Err(Gone);
        }
    }
}
