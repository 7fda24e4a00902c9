// SPDX-License-Identifier: Apache-2.0
//! The board that the configuration names, and what was read of it a moment ago.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tfplugin::Diagnostics;
use tokio::sync::{Mutex, RwLock as Gate, RwLockReadGuard, RwLockWriteGuard};
use turingpi_bmc::model::{Power, Usb};
use turingpi_bmc::{Bmc, Error, Slot};

/// A result that several may share.
pub(crate) type Result<T, E = Arc<Error>> = std::result::Result<T, E>;

/// How long an answer counts for all who ask the same while one plan is made.
const FRESH: Duration = Duration::from_secs(3);

/// An answer that several share: who asks while another asks gets its answer. So does a failure: a board that does not answer is waited
/// for once, and not once for each resource.
struct Shared<T>(Mutex<Option<(Instant, Result<T>)>>);

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Shared<T> {
    async fn get(&self, ask: impl Future<Output = turingpi_bmc::Result<T>>) -> Result<T> {
        let mut held = self.0.lock().await;
        if let Some((at, answer)) = &*held
            && at.elapsed() < FRESH
        {
            return answer.clone();
        }
        let answer = ask.await.map_err(Arc::new);
        *held = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

/// A board with a memory.
pub(crate) struct Board {
    pub(crate) bmc: Bmc,
    power: Shared<Power>,
    usb: Shared<Usb>,
    /// Open to all but the one who restarts it.
    restart: Gate<()>,
}

impl Board {
    pub(crate) fn new(bmc: Bmc) -> Self {
        Self {
            bmc,
            power: Shared::default(),
            usb: Shared::default(),
            restart: Gate::default(),
        }
    }

    /// Waits until nobody restarts the board, and keeps others from it as long as the answer is held. Never asked for by one who holds it
    /// already: a restart that waits in between would wait for ever.
    pub(crate) async fn up(&self) -> RwLockReadGuard<'_, ()> {
        self.restart.read().await
    }

    /// Waits until nobody uses the board, and keeps all from it: what is sent to a daemon in the middle of its restart is lost.
    pub(crate) async fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.restart.write().await
    }

    /// Does one thing to the board, once it is up.
    pub(crate) async fn once_up<T>(
        &self,
        doing: impl Future<Output = turingpi_bmc::Result<T>>,
    ) -> Result<T> {
        let _up = self.up().await;
        Ok(doing.await?)
    }

    /// Which slots are on.
    pub(crate) async fn power(&self) -> Result<Power> {
        let _up = self.up().await;
        self.power.get(self.bmc.power()).await
    }

    /// How the USB switch stands.
    pub(crate) async fn usb(&self) -> Result<Usb> {
        let _up = self.up().await;
        self.usb.get(self.bmc.usb()).await
    }

    /// Switches a slot, once the board is up.
    pub(crate) async fn set_power(&self, slot: Slot, on: bool) -> Result<()> {
        let _up = self.up().await;
        self.switch(slot, on).await
    }

    /// Switches a slot of a board that is known to be up.
    pub(crate) async fn switch(&self, slot: Slot, on: bool) -> Result<()> {
        let result = self.bmc.set_power(&[(slot, on)]).await;
        self.power.forget().await;
        Ok(result?)
    }

    /// What was read counts no more: something has changed.
    pub(crate) async fn forget(&self) {
        self.power.forget().await;
        self.usb.forget().await;
    }
}

/// The board, once the provider is configured. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Session(Arc<RwLock<Option<Arc<Board>>>>);

impl Session {
    pub(crate) fn set(&self, board: Option<Board>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = board.map(Arc::new);
    }

    /// Whether there is a board to ask.
    pub(crate) fn is_known(&self) -> bool {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// The board, or an error for the user.
    pub(crate) fn board(&self, diagnostics: &mut Diagnostics) -> Option<Arc<Board>> {
        let board = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if board.is_none() {
            diagnostics.error(
                "The board is not known yet",
                "The provider's configuration depends on something that is known only after apply. \
                 Apply that first, for example with -target.",
            );
        }
        board
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn an_answer_is_asked_for_once_and_so_is_none() {
        let (answer, failure) = (Shared::default(), Shared::<u8>::default());
        let asked = Cell::new(0);
        let ask = async |result: turingpi_bmc::Result<u8>| {
            asked.set(asked.get() + 1);
            tokio::task::yield_now().await;
            result
        };
        let down = || {
            Err(Error::Unreachable {
                endpoint: "b".into(),
                why: "c".into(),
            })
        };
        for _ in 0..3 {
            let (a, b) = tokio::join!(answer.get(ask(Ok(7))), answer.get(ask(Ok(8))));
            assert_eq!((a.unwrap(), b.unwrap()), (7, 7));
            let (a, b) = tokio::join!(failure.get(ask(down())), failure.get(ask(down())));
            assert!(a.unwrap_err().is_unreachable() && b.unwrap_err().is_unreachable());
        }
        assert_eq!(asked.get(), 2);
        answer.forget().await;
        assert_eq!(answer.get(ask(Ok(9))).await.unwrap(), 9);
    }
}
