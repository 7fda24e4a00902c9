// SPDX-License-Identifier: Apache-2.0
//! Telling everything that runs to stop: [`channel`] makes the switch and the many that watch it, [`signalled`] waits
//! for the operating system to ask.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Stops the server when it is used, or dropped.
#[derive(Debug)]
pub struct Switch(watch::Sender<bool>);

/// Waits for the [`Switch`].
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A switch and what waits for it.
pub fn channel() -> (Switch, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Switch(sender), Stop(receiver))
}

impl Switch {
    /// Stops everything that waits.
    pub fn stop(self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Returns once the switch was used or dropped.
    pub async fn stopped(&mut self) {
        // A dropped switch cannot be used any more: whoever held it is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Listens for Ctrl-C (SIGINT) and SIGTERM from now on; the future ends with the first.
///
/// # Errors
/// If the system does not let the process listen for signals.
pub fn signalled() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
