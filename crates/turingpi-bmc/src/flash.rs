// SPDX-License-Identifier: Apache-2.0
//! Images to modules and to the BMC itself.
//!
//! The daemon has one transfer at a time and one state for all; its `Done` does not say whose. [`Bmc::flash`] waits for its turn, refuses
//! to end somebody else's transfer, streams the image with its SHA-256, follows the state, and tells what became of it. A flashed module
//! is off afterwards, whatever became of it.

mod pieces;
mod state;
mod upload;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::bmc::Bmc;
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::query::Query;
use crate::slot::Slot;
use crate::turn::{Parts, Work};

pub use state::State;
pub use upload::sha256_of_file;

/// How often the state is asked for.
const POLL: Duration = Duration::from_millis(500);
/// How soon it is asked for again once the upload is over: what is not read back is done in a moment. Each time twice as late.
const SOON: Duration = Duration::from_millis(20);
/// How long a transfer may stand still.
const STALL: Duration = Duration::from_secs(180);
/// How long the state may stay what it was before the transfer.
const APPEAR: Duration = Duration::from_secs(15);
/// How long the daemon's worker takes to clean up after a transfer was ended.
const SETTLE: Duration = Duration::from_secs(2);
/// How long nobody may answer in the middle of a transfer.
const SILENCE: Duration = Duration::from_secs(60);

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file on this machine, sent to the board.
    File(PathBuf),
    /// A file on the BMC, such as on its microSD card. Its checksum is not looked at.
    OnBmc(String),
    /// An address from which the BMC fetches it (firmware 2.1.0 and newer).
    Url(String),
}

/// What is written where.
#[derive(Clone, Debug)]
pub struct Flash {
    /// Into which slot's module; `None` is the BMC's own firmware.
    pub slot: Option<Slot>,
    /// From where.
    pub source: Source,
    /// SHA-256 of the image as it is sent, 64 hexadecimal digits; computed for a file where it is not given.
    pub sha256: Option<String>,
    /// Do not read back what was written.
    pub skip_crc: bool,
    /// End a transfer of somebody else that is under way.
    pub force: bool,
}

impl Flash {
    /// An image for a slot, verified.
    #[must_use]
    pub fn new(slot: Slot, source: Source) -> Self {
        Self {
            slot: Some(slot),
            source,
            sha256: None,
            skip_crc: false,
            force: false,
        }
    }

    /// A firmware for the BMC.
    #[must_use]
    pub fn firmware(source: Source) -> Self {
        Self {
            slot: None,
            source,
            sha256: None,
            skip_crc: false,
            force: false,
        }
    }
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Another transfer to the board has the turn.
    Waiting,
    /// The image is read for its checksum: bytes done, bytes in all.
    Hashing(u64, u64),
    /// The image is written: bytes done, bytes in all. Of a compressed image the daemon counts what it has unpacked.
    Writing(u64, u64),
    /// What was written is read back: bytes done, bytes in all.
    Verifying(u64, u64),
}

/// What became of a transfer that did well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flashed {
    /// SHA-256 of what was sent, where it is known.
    pub sha256: Option<String>,
    /// Size of what was sent, in bytes, as the daemon tells it.
    pub size: u64,
}

/// Why a transfer failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// Somebody else transfers.
    #[error("another transfer is under way ({0}); wait for it, or use force to end it")]
    Busy(String),
    /// Somebody else began a transfer, which ended this one.
    #[error("another client began a transfer ({0}), which ended this one; flash again")]
    PreEmpted(String),
    /// The daemon restarted.
    #[error(
        "the BMC's daemon restarted in the middle; what is on the module is incomplete; flash again"
    )]
    Restarted,
    /// Nothing moves any more.
    #[error("nothing was written for {} s; flash again", .0.as_secs())]
    Stalled(Duration),
    /// Nobody answers any more.
    #[error(
        "the BMC answers no more ({0}), and what is on the module is incomplete; it may be out of memory, as after several images: take its power for a moment, and flash again"
    )]
    Silent(String),
    /// There is no such module, or it cannot be flashed.
    #[error(
        "the module was not found on USB: the slot is empty, or its module cannot be flashed by the BMC (a Jetson cannot)"
    )]
    NoModule,
    /// It is not the image that the sum belongs to, or no image at all.
    #[error("not the image that is expected: {0}")]
    WrongImage(String),
    /// What was read back from the module is not what was sent.
    #[error(
        "what is on the module is not what was sent ({0}); flash again; if it happens again, its storage is worn out"
    )]
    Damaged(String),
    /// The upload broke off.
    #[error("the upload broke off: {0}; flash again")]
    BrokenOff(String),
    /// It was asked to stop before anything was sent.
    #[error("stopped before it began; nothing was written")]
    NotBegun,
    /// It was asked to stop.
    #[error("stopped; what is on the module is incomplete")]
    Cancelled,
    /// The daemon's own words.
    #[error("the BMC says: {0}")]
    Failed(String),
}

impl Bmc {
    /// The state of the daemon's one transfer.
    ///
    /// # Errors
    /// When nobody answers, or in an unknown form.
    pub async fn flash_state(&self) -> Result<State> {
        let what = "the state of the transfer";
        self.needs(what, Generation::V2_0_0, "2.0.4").await?;
        let answer = self.get(what, &Query::get("flash")).await?;
        State::read(what, &answer.body)
    }

    /// Ends whatever transfer is under way, of any client; false if none was.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn flash_cancel(&self) -> Result<bool> {
        let handle = match self.flash_state().await? {
            State::Transferring { id, .. } => Some(id),
            _ => None,
        };
        // one may have begun since; the daemon does not look at the handle
        let path = format!("/api/bmc/upload/{}/cancel", handle.unwrap_or(0));
        self.plain_get("the end of the transfer", &path).await?;
        Ok(handle.is_some())
    }

    /// Writes an image. It ends early when `cancel` becomes true, or its sender is gone.
    ///
    /// # Errors
    /// [`Error::Transfer`] when the transfer failed; the module is off then, and what is on it incomplete.
    pub async fn flash(
        &self,
        flash: &Flash,
        mut on_progress: impl FnMut(Progress),
        cancel: &mut watch::Receiver<bool>,
    ) -> Result<Flashed> {
        let failed = |source| Error::Transfer {
            slot: flash.slot,
            source,
        };
        self.check(flash).await?;
        let image = upload::prepare(flash, &mut on_progress, cancel)
            .await
            .map_err(|e| match e {
                upload::PrepareError::Cancelled => failed(TransferError::NotBegun),
                upload::PrepareError::Mismatch(text) => failed(TransferError::WrongImage(text)),
                upload::PrepareError::File(e) => e,
            })?;
        let of = flash
            .slot
            .map_or_else(|| "the BMC".to_owned(), |s| format!("slot {s}"));
        let work = Work::long(format!("flashing {of}"), Parts::of_transfer(flash.slot));
        let held = tokio::select! {
            held = self.hold(&work, || on_progress(Progress::Waiting)) => held?,
            () = cancelled(cancel) => return Err(failed(TransferError::NotBegun)),
        };
        on_progress(Progress::Writing(0, image.length));
        let before = self.flash_state().await?;
        if let State::Transferring { process, .. } = &before
            && !flash.force
        {
            return Err(failed(TransferError::Busy(process.clone())));
        }
        let usb = match flash.slot {
            Some(_) => Some(self.usb().await?),
            None => None,
        };
        let result = self
            .transfer(flash, &image, &before, &mut on_progress, cancel)
            .await;
        if let (Err(Error::Transfer { source, .. }), Some(slot)) = (&result, flash.slot)
            && self.is_idle_after(source).await
        {
            // after some failures the daemon says that the slot is on, and leaves the USB switch in flash mode
            if let Err(e) = held.set_power(&[(slot, false)]).await {
                log::warn!("slot {slot} may be on: {e}");
            }
            if let Some(usb) = usb
                && let Err(e) = held.set_usb(usb.slot, usb.mode, usb.route).await
            {
                log::warn!("the USB switch may be in flash mode: {e}");
            }
        }
        result
    }

    /// Whether the board is free to be put in order after a failure: not while somebody else's transfer has its USB switch.
    async fn is_idle_after(&self, failure: &TransferError) -> bool {
        if matches!(
            failure,
            TransferError::PreEmpted(_) | TransferError::Busy(_)
        ) {
            return false;
        }
        match self.flash_state().await {
            Ok(State::Transferring { process, .. }) => {
                log::warn!(
                    "the board is busy with another transfer ({process}) and is left as it is"
                );
                false
            }
            Ok(_) => true,
            Err(e) => {
                log::warn!("the board is left as it is: {e}");
                false
            }
        }
    }

    /// Ends our transfer, and no other.
    async fn cancel_own(&self, handle: u64) {
        match self.flash_state().await {
            Ok(State::Transferring { id, .. }) if id == handle || id == 0 => {
                let path = format!("/api/bmc/upload/{handle}/cancel");
                let what = "the end of the transfer";
                if let Err(e) = self.plain_get(what, &path).await {
                    log::warn!("the transfer may go on: {e}");
                }
                // the daemon's worker cleans up behind itself
                tokio::time::sleep(SETTLE).await;
            }
            Ok(_) => {}
            Err(e) => log::warn!("the transfer may go on: {e}"),
        }
    }

    /// Refuses what this firmware would take the wrong way.
    async fn check(&self, flash: &Flash) -> Result<()> {
        let generation = self.generation().await?;
        if generation == Generation::V1 {
            return Err(Error::Unsupported {
                what: "flashing over the network".into(),
                since: "2.0.4",
                running: generation.name().into(),
            });
        }
        if matches!(flash.source, Source::Url(_)) {
            self.needs("an image from a URL", Generation::V2_1, "2.1.0")
                .await?;
        }
        if let Source::Url(url) = &flash.source
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            return Err(Error::Argument(format!(
                "{url:?} is no address of http or https"
            )));
        }
        if let Some(sha256) = &flash.sha256
            && (sha256.len() != 64 || !sha256.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(Error::Argument(format!(
                "{sha256:?} is no SHA-256: 64 hexadecimal digits are expected"
            )));
        }
        if flash.sha256.is_some() && matches!(flash.source, Source::OnBmc(_)) {
            return Err(Error::Argument(
                "the BMC does not check the sum of a file of its own; leave sha256 out".into(),
            ));
        }
        if flash.sha256.is_some() && matches!(flash.source, Source::Url(_)) {
            self.needs("a checked sum", Generation::V2_1, "2.1.0")
                .await?;
        }
        Ok(())
    }

    fn start_query(flash: &Flash, image: &upload::Image, generation: Generation) -> Query {
        let mut query = match flash.slot {
            Some(slot) => Query::set("flash").with("node", slot.index()),
            None => Query::set("firmware"),
        };
        query = query.with("file", &image.name);
        match &flash.source {
            Source::File(_) => query = query.with("length", image.length),
            Source::OnBmc(_) => query = query.flag("local"),
            Source::Url(_) => {}
        }
        // older daemons would take no notice
        if generation >= Generation::V2_1 {
            if let Some(sha256) = &image.sha256 {
                query = query.with("sha256", sha256);
            }
            if flash.skip_crc {
                query = query.flag("skip_crc");
            }
        }
        query
    }

    async fn transfer(
        &self,
        flash: &Flash,
        image: &upload::Image,
        before: &State,
        on_progress: &mut impl FnMut(Progress),
        cancel: &mut watch::Receiver<bool>,
    ) -> Result<Flashed> {
        let what = "the start of the transfer";
        let failed = |source| Error::Transfer {
            slot: flash.slot,
            source,
        };
        let generation = self.generation().await?;
        let query = Self::start_query(flash, image, generation);
        let answer = self.start(what, &query).await?;
        let handle = state::handle(what, &answer.body)?;
        log::info!("transfer {handle} began");
        let sending = async {
            match &flash.source {
                Source::File(path) => Some(self.send_file(path, image, handle).await),
                _ => None,
            }
        };
        tokio::pin!(sending);
        let mut sent: Option<Option<Result<()>>> = None;
        let mut watch = state::Watch::new(handle, before.clone());
        let mut moved = (Instant::now(), 0);
        let mut answered = Instant::now();
        let mut ticks = tokio::time::interval(POLL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pause = POLL;
        loop {
            if pause < POLL {
                ticks.reset_after(pause);
                pause *= 2;
            }
            tokio::select! {
                done = &mut sending, if sent.is_none() => {
                    match &done {
                        Some(Ok(())) => watch.upload_is_done(),
                        Some(Err(e)) => {
                            log::info!("the upload ended: {e}");
                            watch.upload_has_failed();
                        }
                        None => {}
                    }
                    sent = Some(done);
                    // what became of it is known now, or soon
                    pause = SOON;
                    continue;
                }
                () = cancelled(cancel) => {
                    self.cancel_own(handle).await;
                    return Err(failed(TransferError::Cancelled));
                }
                _ = ticks.tick() => {}
            }
            let asked = watch.since_start();
            let state = match self.flash_state().await {
                Ok(state) => state,
                // the board may be busy; that it is gone is told after a while
                Err(e)
                    if e.is_unreachable()
                        && answered.elapsed() < SILENCE
                        && !matches!(e, Error::Banned { .. }) =>
                {
                    log::warn!("{e}; once more");
                    continue;
                }
                Err(e @ (Error::Unreachable { .. } | Error::Timeout { .. })) => {
                    return Err(failed(TransferError::Silent(e.to_string())));
                }
                Err(e) => return Err(e),
            };
            answered = Instant::now();
            match watch.look(&state, asked).map_err(failed)? {
                state::Seen::Done(size) => {
                    // `Done` does not say whose: an upload that was not taken whole is proof that it is somebody else's
                    let taken = match sent {
                        Some(done) => done,
                        None => tokio::time::timeout(APPEAR, &mut sending)
                            .await
                            .unwrap_or_else(|_| {
                                Some(Err(self.connector().timed_out(what, APPEAR)))
                            }),
                    };
                    if let Some(Err(e)) = taken {
                        log::debug!("the upload of the transfer that is done: {e}");
                        return Err(failed(TransferError::PreEmpted(
                            "it is done already".into(),
                        )));
                    }
                    return Ok(Flashed {
                        sha256: image.sha256.clone(),
                        size,
                    });
                }
                state::Seen::Progress(progress, bytes) => {
                    on_progress(progress);
                    if bytes != moved.1 {
                        moved = (Instant::now(), bytes);
                    }
                }
                state::Seen::Nothing => {}
            }
            // a failed upload is told by the state, in better words; where that says nothing the upload's own error counts
            if let Some(Some(Err(e))) = &sent
                && watch.since_start() > APPEAR
            {
                return Err(failed(TransferError::BrokenOff(e.to_string())));
            }
            if moved.0.elapsed() > STALL {
                self.cancel_own(handle).await;
                return Err(failed(TransferError::Stalled(STALL)));
            }
        }
    }
}

/// Waits until the end is asked for, or nobody can ask any more.
async fn cancelled(cancel: &mut watch::Receiver<bool>) {
    let _ = cancel.wait_for(|cancelled| *cancelled).await;
}

/// A switch that nobody uses.
#[must_use]
pub fn never() -> (watch::Sender<bool>, watch::Receiver<bool>) {
    watch::channel(false)
}
