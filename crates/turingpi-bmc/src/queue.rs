// SPDX-License-Identifier: Apache-2.0
//! One transfer per board: a fair queue in the process, a lock file between processes.
//!
//! A second transfer would silently end the first. The lock file lies in the user's runtime directory; another machine is not kept out,
//! which is why the state is looked at as well before a transfer starts.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::endpoint::Endpoint;
use crate::error::{Error, Result};

/// The turns of the boards that this process has to do with.
static TURNS: LazyLock<Mutex<HashMap<String, Arc<Turn<()>>>>> = LazyLock::new(Mutex::default);

/// The right to transfer to a board; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _turn: OwnedMutexGuard<()>,
    /// Unlocked when it is closed.
    _file: File,
}

fn lock_file(endpoint: &Endpoint) -> PathBuf {
    let dir = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let name: String = endpoint
        .authority()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let user = rustix::process::getuid().as_raw();
    dir.join(format!("turingpi-bmc-{user}-{name}.lock"))
}

/// Waits for the right to transfer to a board. `waiting` is called once if somebody else has it.
pub(crate) async fn place(endpoint: &Endpoint, mut waiting: impl FnMut()) -> Result<Place> {
    let turn = {
        let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(endpoint.authority()).or_default().clone()
    };
    let mut told = false;
    let guard = match turn.clone().try_lock_owned() {
        Ok(guard) => guard,
        Err(_) => {
            told = true;
            waiting();
            turn.lock_owned().await
        }
    };
    let path = lock_file(endpoint);
    let failed = |source| Error::File {
        path: path.display().to_string(),
        source,
    };
    let file = File::options()
        .create(true)
        .append(true)
        // the directory may be shared: no link of somebody else is followed
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                if !told {
                    told = true;
                    waiting();
                }
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Err(e) => return Err(failed(e.into())),
        }
    }
    Ok(Place {
        _turn: guard,
        _file: file,
    })
}
