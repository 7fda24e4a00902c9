// SPDX-License-Identifier: Apache-2.0
//! The one transfer: started by a call, fed by another, ended by a third, and silently ended by the start of the next.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use crate::board::Shared;
use crate::fault::Fault;
use crate::image::Writer;
use crate::inside;

/// How long an upload may take to begin.
const BEGIN: Duration = Duration::from_secs(10);
/// How often a transfer that waits for more looks whether its module is still there.
const LOOK: Duration = Duration::from_secs(1);
const GONE: &str = "No such device (it may have been disconnected)";
const NO_MODULE: &str = "Compute module's USB interface not found or supported";

/// The state that all clients see.
#[derive(Default)]
pub(crate) enum Transfer {
    #[default]
    Ready,
    Running(Running),
    Done {
        took: Duration,
        size: u64,
    },
    Error(String),
}

/// A transfer under way.
pub(crate) struct Running {
    pub(crate) id: u32,
    process: String,
    size: u64,
    written: u64,
    /// Takes the upload's pieces; gone once somebody has it.
    pub(crate) sender: Option<mpsc::Sender<Bytes>>,
    /// The module on the USB switch, once it is found.
    link: Option<Link>,
}

/// What holds a module on USB: its power and the switch, as they were when it was found.
#[derive(Clone, Copy)]
struct Link {
    node: usize,
    starts: u64,
    usb_moves: u64,
}

impl Running {
    /// The declared size in bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }
}

impl Transfer {
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Ready => json!("Ready"),
            Self::Running(r) => json!({"Transferring": {
                "id": r.id, "process_name": r.process, "size": r.size, "cancelled": false, "bytes_written": r.written,
            }}),
            Self::Done { took, size } => {
                json!({"Done": [{"secs": took.as_secs(), "nanos": took.subsec_nanos()}, size]})
            }
            Self::Error(text) => json!({"Error": text}),
        }
    }

    /// Its name in messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Running(_) => "Transferring",
            Self::Done { .. } => "Done",
            Self::Error(_) => "Error",
        }
    }
}

/// Where the bytes come from.
pub(crate) enum Source {
    Upload,
    Local(PathBuf),
    /// Fetched by the board.
    Url(Incoming),
}

/// What is asked for.
pub(crate) struct Request {
    /// Slot from 0; none is the firmware.
    pub(crate) node: Option<usize>,
    pub(crate) file: String,
    pub(crate) length: u64,
    pub(crate) source: Source,
    pub(crate) sha256: Option<String>,
    pub(crate) skip_crc: bool,
}

/// Why a transfer ended before its end.
enum End {
    /// Another one began, or it was cancelled: the state is not ours any more.
    NotOurs,
    Failed(String),
    /// It stands still for ever.
    Stuck,
}

impl From<std::io::Error> for End {
    fn from(e: std::io::Error) -> Self {
        Self::Failed(e.to_string())
    }
}

/// Begins a transfer, ending any other, and gives its handle.
pub(crate) fn start(shared: &Shared, request: Request) -> u32 {
    let id = getrandom::u32().unwrap_or(1) | 1;
    let modern = shared.options.profile.modern();
    let process = match request.node {
        Some(node) if modern => format!("Node {} os install service", node + 1),
        Some(node) => format!("Node {} upgrade service", node + 1),
        None if modern => "firmware upgrade service".to_owned(),
        None => "os upgrade service".to_owned(),
    };
    let (sender, receiver) = mpsc::channel(shared.options.profile.channel_depth());
    shared.board().transfer = Transfer::Running(Running {
        id,
        process,
        size: request.length,
        written: 0,
        sender: matches!(request.source, Source::Upload).then_some(sender),
        link: None,
    });
    tokio::spawn(run(shared.clone(), id, request, receiver));
    id
}

/// Ends whatever runs.
pub(crate) fn cancel(shared: &Shared, why: &str) {
    let mut board = shared.board();
    if matches!(board.transfer, Transfer::Running(_)) {
        board.transfer = Transfer::Error(why.to_owned());
    }
}

async fn run(shared: Shared, id: u32, mut request: Request, receiver: mpsc::Receiver<Bytes>) {
    let begun = shared.clock.now();
    let result = work(&shared, id, &mut request, receiver).await;
    let took = shared.clock.now().saturating_sub(begun);
    let mut board = shared.board();
    if !matches!(&board.transfer, Transfer::Running(r) if r.id == id) {
        return;
    }
    match result {
        Ok(()) => {
            board.transfer = Transfer::Done {
                took,
                size: request.length,
            };
            board.transfers += 1;
            let limit = board.faults.iter().find_map(|f| match f {
                Fault::OutOfMemoryAfter(n) => Some(*n),
                _ => None,
            });
            if limit.is_some_and(|n| board.transfers >= n) {
                board.dead = true;
                drop(board);
                shared.drop_connections();
            }
        }
        Err(End::Failed(text)) => board.transfer = Transfer::Error(text),
        Err(End::NotOurs | End::Stuck) => {}
    }
}

async fn work(
    shared: &Shared,
    id: u32,
    request: &mut Request,
    receiver: mpsc::Receiver<Bytes>,
) -> Result<(), End> {
    let Some(node) = request.node else {
        let to = shared.options.dir.join("firmware");
        copy(shared, id, request, receiver, to, u64::MAX).await?;
        return Ok(());
    };
    let (kind, usb) = {
        let board = shared.board();
        (board.slots[node].kind, board.usb)
    };
    shared.set_power(node, false);
    {
        let mut board = shared.board();
        board.usb.node = node;
        board.usb.mode = 6;
        // into recovery: it has power, and boots nothing
        board.slots[node].on = true;
        board.slots[node].cut();
    }
    shared.clock.sleep(Duration::from_secs(2)).await;
    if !kind.flashable() {
        // the way out before the clean-up: the slot stays on, the switch in flash mode
        return Err(End::Failed(NO_MODULE.into()));
    }
    {
        let mut board = shared.board();
        let link = Link {
            node,
            starts: board.slots[node].starts,
            usb_moves: board.usb_moves,
        };
        if let Transfer::Running(running) = &mut board.transfer
            && running.id == id
        {
            running.link = Some(link);
        }
    }
    // from here on the files of the image before are gone
    inside::erase(&mut shared.board().slots[node].storage);
    shared.clusters.forget(node);
    let emmc = shared.emmc(node);
    let result = copy(
        shared,
        id,
        request,
        receiver,
        emmc,
        shared.options.emmc_bytes,
    )
    .await;
    if !matches!(result, Err(End::Stuck)) {
        let mut board = shared.board();
        board.slots[node].on = false;
        board.slots[node].cut();
        board.usb = usb;
    }
    result
}

/// Moves the bytes, checks them, and counts for all to see.
async fn copy(
    shared: &Shared,
    id: u32,
    request: &mut Request,
    mut receiver: mpsc::Receiver<Bytes>,
    to: PathBuf,
    size: u64,
) -> Result<(), End> {
    let mut writer = Writer::begin(&to, size, &request.file)?;
    let mut sum = Sha256::new();
    let modern = shared.options.profile.modern();
    match &mut request.source {
        Source::Upload => {
            let first = tokio::select! {
                first = receiver.recv() => first,
                () = shared.clock.patience(BEGIN) => return Err(End::Failed("Send timeout".into())),
            };
            let mut next = first;
            while let Some(bytes) = next {
                sum.update(&bytes);
                piece(shared, id, &mut writer, &bytes).await?;
                next = loop {
                    tokio::select! {
                        next = receiver.recv() => break next,
                        () = shared.clock.sleep(LOOK) => count(shared, id, writer.written())?,
                    }
                };
            }
        }
        Source::Url(body) => {
            while let Some(frame) = body.frame().await {
                let frame =
                    frame.map_err(|e| End::Failed(format!("error decoding response body: {e}")))?;
                if let Ok(bytes) = frame.into_data() {
                    sum.update(&bytes);
                    piece(shared, id, &mut writer, &bytes).await?;
                }
            }
        }
        Source::Local(path) => {
            use std::io::Read as _;
            let mut file = std::fs::File::open(path)?;
            let mut bytes = vec![0; 512 << 10];
            loop {
                let read = file.read(&mut bytes)?;
                if read == 0 {
                    break;
                }
                piece(shared, id, &mut writer, &bytes[..read]).await?;
            }
        }
    }
    let mut back = writer.finish()?;
    if let Some(expected) = &request.sha256
        && modern
        && !matches!(request.source, Source::Local(_))
    {
        let got: String = sum.finalize().iter().map(|b| format!("{b:02x}")).collect();
        if !got.eq_ignore_ascii_case(expected) {
            return Err(End::Failed(format!(
                "sha256 checksum failed. Expected: {expected}, got: {got}"
            )));
        }
    }
    if request.skip_crc {
        return Ok(());
    }
    while back.step()? {
        count(shared, id, back.read)?;
        let stuck = |f: &Fault| matches!(f, Fault::StuckVerifyAt(n) if back.read >= *n);
        if shared.board().take(stuck) {
            stand_still(shared, id, back.read).await?;
        }
        throttle(shared, 512 << 10).await;
    }
    let (expected, mut calculated) = back.sums();
    if shared.board().take(|f| *f == Fault::CrcMismatch) {
        calculated ^= 1;
    }
    if expected != calculated {
        return Err(End::Failed(format!(
            "crc error. expected {expected}, calculated {calculated}"
        )));
    }
    Ok(())
}

async fn piece(shared: &Shared, id: u32, writer: &mut Writer, bytes: &[u8]) -> Result<(), End> {
    writer.write(bytes)?;
    let written = writer.written();
    count(shared, id, written)?;
    let (lose, restart, stuck) = {
        let mut board = shared.board();
        (
            board.take(|f| matches!(f, Fault::LoseTokensAt(n) if written >= *n)),
            board.take(|f| matches!(f, Fault::RestartAt(n) if written >= *n)),
            board.take(|f| matches!(f, Fault::StuckAt(n) if written >= *n)),
        )
    };
    if lose {
        shared.board().auth.lose_tokens();
    }
    if restart {
        shared.restart(Duration::from_secs(3));
        return Err(End::NotOurs);
    }
    if stuck {
        stand_still(shared, id, written).await?;
    }
    throttle(shared, bytes.len()).await;
    Ok(())
}

/// Goes nowhere. A transfer that somebody else ends is still ended, and so is one whose module is gone.
async fn stand_still(shared: &Shared, id: u32, written: u64) -> Result<(), End> {
    loop {
        shared.clock.sleep(LOOK).await;
        match count(shared, id, written) {
            Err(End::NotOurs) => return Err(End::Stuck),
            other => other?,
        }
    }
}

/// Shows how far it is; an end when the state is not ours any more.
fn count(shared: &Shared, id: u32, written: u64) -> Result<(), End> {
    let mut board = shared.board();
    let board = &mut *board;
    match &mut board.transfer {
        Transfer::Running(running) if running.id == id => {
            running.written = written;
            // a module that loses its power or the bus is gone in the middle of a write
            let pulled = running.link.is_some_and(|link| {
                link.usb_moves != board.usb_moves || link.starts != board.slots[link.node].starts
            });
            match pulled {
                true => Err(End::Failed(GONE.into())),
                false => Ok(()),
            }
        }
        _ => Err(End::NotOurs),
    }
}

/// Takes the time that an eMMC takes.
async fn throttle(shared: &Shared, bytes: usize) {
    match shared.options.emmc_rate {
        0 => tokio::task::yield_now().await,
        rate => {
            #[expect(clippy::cast_precision_loss, reason = "a time, not an amount")]
            let seconds = bytes as f64 / rate as f64;
            shared.clock.sleep(Duration::from_secs_f64(seconds)).await;
        }
    }
}
