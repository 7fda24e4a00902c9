// SPDX-License-Identifier: Apache-2.0
//! The provider under a command line and before a board, both simulated and both in the process of the test.

mod defects;
mod faults;
mod kubeconfig;
mod pages;
mod predecessor;
mod resources;

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use tfplugin::testing::{Core, Failure, Instance};
use turingpi_sim::{Board, Options, Profile};

use crate::provider::TuringPi;

/// A board at a hundred times the speed, and where it keeps its things.
async fn board_of(change: impl FnOnce(&mut Options)) -> (Board, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("board"));
    options.speed = 100.0;
    options.emmc_rate = 0;
    change(&mut options);
    (Board::start(options).await.unwrap(), dir)
}

async fn board() -> (Board, tempfile::TempDir) {
    board_of(|_| {}).await
}

/// The provider's configuration for a board.
fn configuration(board: &Board) -> Json {
    let mut config = json!({"endpoint": board.url()});
    if let Some(pem) = board.certificate() {
        config["username"] = json!("root");
        config["password"] = json!("turing");
        config["ca_cert_pem"] = json!(pem);
    }
    config
}

async fn configured(config: Json) -> Core {
    let core = Core::new(TuringPi::default());
    core.configure(config).await.unwrap();
    core
}

/// A command line whose provider knows the board.
async fn core(board: &Board) -> Core {
    configured(configuration(board)).await
}

/// What was asked of the board, logins aside, since `from` requests were seen.
fn asked(board: &Board, from: usize) -> Vec<String> {
    board
        .requests()
        .iter()
        .skip(from)
        .map(turingpi_sim::Seen::call)
        .filter(|call| !call.ends_with("authenticate"))
        .collect()
}

/// Waits until the board is asked for something. A test that does not come to it ends, and hangs nobody.
async fn until_asked(board: &Board, from: usize, call: &str) {
    let begun = std::time::Instant::now();
    while !asked(board, from).iter().any(|c| c == call) {
        assert!(
            begun.elapsed().as_secs() < 300,
            "no {call}, but {:?}",
            asked(board, from)
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn logins(board: &Board) -> usize {
    let requests = board.requests();
    requests
        .iter()
        .filter(|r| r.path.ends_with("authenticate"))
        .count()
}

/// An image of some size whose bytes are no pattern.
fn image(dir: &Path, name: &str, size: usize, seed: u32) -> PathBuf {
    let mut bytes = b"os: Testix 1.0\n".to_vec();
    let mut seed = seed | 1;
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

/// Whether a module's eMMC begins with what a file holds.
fn holds(board: &Board, slot: u8, image: &Path) -> bool {
    let (emmc, image) = (
        std::fs::read(board.emmc(slot)),
        std::fs::read(image).unwrap(),
    );
    emmc.is_ok_and(|emmc| emmc.starts_with(&image))
}

/// What a failure says about an attribute.
fn at(failure: &Failure) -> Vec<&str> {
    failure.0.iter().map(|told| &told.at[..]).collect()
}

fn none(type_name: &str) -> Instance {
    Instance::none(type_name)
}

/// A resource as `state` has it, made out of nothing.
async fn made(core: &Core, type_name: &str, config: Json) -> Instance {
    core.settle(&none(type_name), config).await.unwrap()
}

/// Firmwares that have a login.
const SECURE: [Profile; 3] = [Profile::V2_0_5, Profile::V2_1_0, Profile::V2_3_7];
