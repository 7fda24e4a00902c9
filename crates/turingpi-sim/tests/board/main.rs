// SPDX-License-Identifier: Apache-2.0
//! The client and the simulated board against each other: each call, each firmware, each slot; then what goes wrong.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

mod bad_input;
mod calls;
mod faults;
mod flash;
mod restart;
mod serve;
mod session;
#[cfg(feature = "ssh")]
mod ssh;
mod table;
mod trust;
mod turn;

use std::path::Path;

use turingpi_bmc::{Bmc, Credentials, Options, Trust};
use turingpi_sim::{Board, Options as Simulated, Profile};

/// A board at a hundred times the speed, and where it keeps its things.
async fn board(
    profile: Profile,
    change: impl FnOnce(&mut Simulated),
) -> (Board, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Simulated::new(dir.path().to_owned());
    options.profile = profile;
    options.speed = 100.0;
    options.emmc_rate = 0;
    change(&mut options);
    (Board::start(options).await.unwrap(), dir)
}

fn credentials(password: &str) -> Option<Credentials> {
    Some(Credentials {
        username: "root".into(),
        password: password.into(),
    })
}

fn options(board: &Board) -> Options {
    let mut options = Options::new(board.url().parse().unwrap());
    options.credentials = credentials("turing");
    options.trust = match board.certificate() {
        Some(pem) => Trust::Authority(pem.to_owned()),
        None => Trust::System,
    };
    options
}

fn client(board: &Board) -> Bmc {
    Bmc::new(options(board)).unwrap()
}

/// An error with its causes, as it is shown.
fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", chain(cause)),
        None => error.to_string(),
    }
}

/// Waits for a state itself; a test that does not come to it ends, and hangs nobody.
#[track_caller]
fn until(mut reached: impl AsyncFnMut() -> bool) -> impl Future<Output = ()> {
    let at = std::panic::Location::caller();
    async move {
        let begun = std::time::Instant::now();
        while !reached().await {
            assert!(
                begun.elapsed().as_secs() < 300,
                "{at}: it does not come to that"
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// An image of some size whose bytes are no pattern.
fn image(dir: &Path, name: &str, size: usize) -> std::path::PathBuf {
    let mut bytes = b"os: Testix 1.0\n".to_vec();
    let mut seed = 0x2545_f491_u32;
    while bytes.len() < size {
        seed ^= seed << 13;
        seed ^= seed >> 17;
        seed ^= seed << 5;
        bytes.extend_from_slice(&seed.to_le_bytes());
    }
    bytes.truncate(size);
    let path = dir.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
