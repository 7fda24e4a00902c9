// SPDX-License-Identifier: Apache-2.0
//! Cancellation: the user pressed Ctrl-C, the host asks to stop.

use tokio::sync::watch;

/// Tells running operations that the host wants them to end. Clones share it.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Sender<bool>);

impl Default for Cancel {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Cancel {
    /// Asks all who wait to end; later waiters end at once.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the end is asked for.
    pub async fn cancelled(&self) {
        let mut receiver = self.0.subscribe();
        // the sender lives as long as `self`
        let _ = receiver.wait_for(|cancelled| *cancelled).await;
    }

    /// Runs a future until it is done or the end is asked for; `None` is the latter.
    pub async fn run<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancelled() => None,
            done = future => Some(done),
        }
    }
}
