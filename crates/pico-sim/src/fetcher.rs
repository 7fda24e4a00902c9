// SPDX-License-Identifier: Apache-2.0
//! Images from registries, fetched on this side of the wire as a board's gateway does: TLS, tokens and redirects are here,
//! and the board gets one bundle.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use pico_eci::{Blob, BlobError};
use pico_node::{Fetch, Fetched};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

use crate::link::Faults;

/// Fetches an image as an `*.eci`; it may block, and is called on a thread where it may.
pub trait Registry: Send + Sync + fmt::Debug {
    /// The bundle of the image of this name. `secrets` are documents with credentials for registries, as a Secret's
    /// `.dockerconfigjson` or `.dockercfg` has them.
    ///
    /// # Errors
    /// Why it cannot be had, in words.
    fn pull(&self, image: &str, secrets: &[Vec<u8>]) -> Result<Vec<u8>, String>;
}

/// So many images are fetched at a time, for all boards together.
const AT_A_TIME: usize = 8;
/// An image that nobody took within this time is fetched again.
const KEPT: Duration = Duration::from_secs(120);
/// As many images wait for a board at most.
const WAITING: usize = 8;

/// The registries that all boards of a simulation share.
#[derive(Debug)]
pub(crate) struct Registries {
    registry: Arc<dyn Registry>,
    turns: Arc<Semaphore>,
}

impl Registries {
    pub(crate) fn new(registry: Arc<dyn Registry>) -> Self {
        Self {
            registry,
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
        }
    }
}

/// A bundle in memory.
struct Whole(Vec<u8>);

impl Blob for Whole {
    fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    fn read(&mut self, offset: u32, buffer: &mut [u8]) -> Result<(), BlobError> {
        self.0.as_slice().read(offset, buffer)
    }
}

type Answer = oneshot::Receiver<Result<Vec<u8>, String>>;

/// What is fetched: who brings other credentials may be given another answer.
#[derive(PartialEq, Eq, Hash, Clone)]
struct Wanted {
    image: String,
    secrets: Vec<Vec<u8>>,
}

/// One board's.
pub(crate) struct Fetcher {
    registries: Arc<Registries>,
    faults: watch::Receiver<Faults>,
    under_way: HashMap<Wanted, (Instant, Answer)>,
}

impl Fetcher {
    pub(crate) fn new(registries: Arc<Registries>, faults: watch::Receiver<Faults>) -> Self {
        Self {
            registries,
            faults,
            under_way: HashMap::new(),
        }
    }

    fn begin(&self, wanted: Wanted) -> Answer {
        let (to_board, answer) = oneshot::channel();
        let (registry, turns) = (
            self.registries.registry.clone(),
            self.registries.turns.clone(),
        );
        tokio::task::spawn_local(async move {
            // It is never closed.
            let _turn = turns.acquire().await;
            let pulled =
                tokio::task::spawn_blocking(move || registry.pull(&wanted.image, &wanted.secrets))
                    .await;
            // A board that was switched off asks no more.
            let _ = to_board.send(pulled.unwrap_or_else(|error| Err(error.to_string())));
        });
        answer
    }
}

impl Fetch for Fetcher {
    fn fetch(&mut self, image: &str, secrets: &[&[u8]]) -> Fetched {
        let wanted = Wanted {
            image: image.to_owned(),
            secrets: secrets.iter().map(|text| text.to_vec()).collect(),
        };
        let link = *self.faults.borrow();
        if link.cut {
            self.under_way.remove(&wanted);
            return Fetched::Failed("the link is down".to_owned());
        }
        if link.half_open {
            return Fetched::Pending;
        }
        let now = Instant::now();
        self.under_way
            .retain(|_, (since, _)| now.duration_since(*since) < KEPT);
        let Some((_, answer)) = self.under_way.get_mut(&wanted) else {
            if self.under_way.len() < WAITING {
                let answer = self.begin(wanted.clone());
                self.under_way.insert(wanted, (now, answer));
            }
            return Fetched::Pending;
        };
        let answer = match answer.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => return Fetched::Pending,
            Err(oneshot::error::TryRecvError::Closed) => Err("it was given up".to_owned()),
            Ok(answer) => answer,
        };
        self.under_way.remove(&wanted);
        match answer {
            Ok(bundle) => Fetched::Bundle(Box::new(Whole(bundle))),
            Err(why) => Fetched::Failed(why),
        }
    }
}
