// SPDX-License-Identifier: Apache-2.0
//! What may be done to a board while something else is done to it.

use tokio::sync::watch;
use tokio::task::JoinHandle;
use turingpi_bmc::flash::{Flash, Flashed, Source, State, TransferError, never};
use turingpi_bmc::model::{UsbMode, UsbRoute};
use turingpi_bmc::{Bmc, Error, Result, Slot, Trust, WhenBusy};
use turingpi_sim::{Board, Fault, Profile};

use crate::{board, chain, client, options, until};

const SLOT: Slot = Slot::ALL[2];
const OTHER: Slot = Slot::ALL[0];

/// A transfer that stands still in its middle, until it is stopped.
struct Flashing {
    board: Board,
    _dir: tempfile::TempDir,
    task: JoinHandle<Result<Flashed>>,
    stop: watch::Sender<bool>,
}

async fn flashing() -> Flashing {
    let (board, dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::StuckAt(500_000))).await;
    let flash = Flash::new(SLOT, Source::File(crate::image(dir.path(), "x", 3_000_000)));
    let (stop, mut cancel) = never();
    let bmc = client(&board);
    let looking = bmc.clone();
    let task = tokio::spawn(async move { bmc.flash(&flash, |_| {}, &mut cancel).await });
    until(async || {
        let state = looking.flash_state().await.unwrap();
        matches!(
            state,
            State::Transferring {
                bytes_written: 500_000..,
                ..
            }
        )
    })
    .await;
    Flashing {
        board,
        _dir: dir,
        task,
        stop,
    }
}

fn impatient(board: &Board) -> Bmc {
    let mut options = options(board);
    options.when_busy = WhenBusy::Refuse;
    Bmc::new(options).unwrap()
}

/// A client that the lock file of this machine does not concern.
fn elsewhere(board: &Board) -> Bmc {
    let mut options = options(board);
    options.endpoint.host = "localhost".into();
    options.trust = Trust::Insecure;
    Bmc::new(options).unwrap()
}

async fn each_disturbance(bmc: &Bmc) -> Vec<(&'static str, Result<()>)> {
    vec![
        ("power", bmc.set_power(&[(SLOT, false)]).await),
        ("power", bmc.set_power(&[(OTHER, true), (SLOT, true)]).await),
        ("reset", bmc.reset(SLOT).await),
        (
            "usb",
            bmc.set_usb(OTHER, UsbMode::Host, UsbRoute::UsbA).await,
        ),
        ("USB route", bmc.set_usb_node1_alternative(true).await),
        ("USB boot", bmc.usb_boot(OTHER).await),
        ("USB boot", bmc.clear_usb_boot().await),
        ("mass storage", bmc.node_to_msd(OTHER).await),
        ("network", bmc.reset_network().await),
        ("reload", bmc.reload().await),
        ("reboot", bmc.reboot(false).await),
    ]
}

#[tokio::test]
async fn what_would_spoil_a_transfer_is_refused_by_name() {
    let flashing = flashing().await;
    let board = &flashing.board;
    for (bmc, who) in [
        (impatient(board), "this process is flashing slot 3"),
        (
            elsewhere(board),
            "another client is at work on the board (Node 3 os install service)",
        ),
    ] {
        let before = board.requests().len();
        for (what, result) in each_disturbance(&bmc).await {
            let text = chain(&result.unwrap_err());
            assert!(text.contains(what) && text.contains(who), "{what}: {text}");
        }
        let sent = board.requests();
        let sent = sent[before..].iter().find(|r| r.call().starts_with("set "));
        assert_eq!(sent, None, "it was sent all the same");
        // what is nothing to the transfer goes on
        bmc.set_power(&[(OTHER, true)]).await.unwrap();
        bmc.reset(OTHER).await.unwrap();
        assert!(board.has_power(1));
    }
    assert!(!flashing.task.is_finished());
    flashing.stop.send(true).unwrap();
    flashing.task.await.unwrap().unwrap_err();
    impatient(&flashing.board)
        .set_power(&[(SLOT, true)])
        .await
        .unwrap();
}

#[tokio::test]
async fn who_has_patience_comes_after_the_transfer() {
    let flashing = flashing().await;
    let patient = client(&flashing.board);
    let waiting = tokio::spawn(async move { patient.set_power(&[(SLOT, true)]).await });
    // the board has answered others in the meantime
    for _ in 0..5 {
        impatient(&flashing.board)
            .set_power(&[(OTHER, true)])
            .await
            .unwrap();
    }
    assert!(!waiting.is_finished());
    flashing.stop.send(true).unwrap();
    flashing.task.await.unwrap().unwrap_err();
    waiting.await.unwrap().unwrap();
    assert!(flashing.board.has_power(3));
}

#[tokio::test]
async fn by_force_a_module_is_torn_off_in_the_middle() {
    for how in 0..4 {
        let flashing = flashing().await;
        let bmc = impatient(&flashing.board).by_force();
        match how {
            0 => bmc.set_power(&[(SLOT, false)]).await,
            1 => bmc.reset(SLOT).await,
            2 => bmc.set_usb(OTHER, UsbMode::Host, UsbRoute::UsbA).await,
            _ => bmc.node_to_msd(OTHER).await,
        }
        .unwrap();
        match flashing.task.await.unwrap().unwrap_err() {
            Error::Transfer {
                source: TransferError::Failed(text),
                ..
            } => assert!(text.contains("No such device"), "{how}: {text}"),
            other => panic!("{how}: {other:?}"),
        }
        assert!(!flashing.board.has_power(3), "{how}: the module is on");
    }
}

#[tokio::test]
async fn who_has_the_turn_is_alone() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = impatient(&board);
    let held = bmc.turn("upgrading slot 1").await.unwrap();
    let text = chain(&bmc.set_power(&[(OTHER, true)]).await.unwrap_err());
    assert!(text.contains("this process is upgrading slot 1"), "{text}");
    held.set_power(&[(OTHER, true)]).await.unwrap();
    held.set_usb(OTHER, UsbMode::Host, UsbRoute::UsbA)
        .await
        .unwrap();
    let clone = held.clone();
    drop(held);
    bmc.reset(OTHER).await.unwrap_err();
    drop(clone);
    bmc.reset(OTHER).await.unwrap();
}
