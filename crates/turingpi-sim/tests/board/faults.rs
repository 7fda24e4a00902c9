// SPDX-License-Identifier: Apache-2.0
//! Answers that are none.

use std::time::Duration;

use turingpi_bmc::{Bmc, Error, Slot};
use turingpi_sim::{Fault, Profile};

use crate::{board, client, options};

#[tokio::test]
async fn an_answer_that_is_none_is_shown() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::Garbage)).await;
    match client(&board).power().await.unwrap_err() {
        Error::Shape { shape, .. } => assert!(shape.contains("it works"), "{shape}"),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn silence_ends() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::Silent)).await;
    let mut patient = options(&board);
    patient.timeout = Duration::from_millis(200);
    let error = Bmc::new(patient).unwrap().power().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_known_is_not_off() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::PowerUnknown)).await;
    assert_eq!(client(&board).power().await.unwrap().of(Slot::ALL[0]), None);
}

#[tokio::test]
async fn without_a_card_there_is_an_error_in_words() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::NoSdCard)).await;
    let bmc = client(&board);
    assert!(matches!(
        bmc.sd_card().await,
        Err(Error::Refused { status: 400, .. })
    ));
    assert_eq!(bmc.info().await.unwrap().storage.len(), 1);
}

#[tokio::test]
async fn a_daemon_out_of_memory_is_unreachable_until_it_is_restarted() {
    let (board, dir) = board(Profile::V2_3_7, |o| {
        o.faults.push(Fault::OutOfMemoryAfter(1))
    })
    .await;
    let bmc = client(&board);
    let image = crate::image(dir.path(), "x", 1000);
    let flash =
        turingpi_bmc::flash::Flash::new(Slot::ALL[0], turingpi_bmc::flash::Source::File(image));
    let (_switch, mut cancel) = turingpi_bmc::flash::never();
    // the daemon dies as it is done: what became of it is not known
    let _ = tokio::time::timeout(
        Duration::from_secs(5),
        bmc.flash(&flash, |_| {}, &mut cancel),
    )
    .await;
    assert!(bmc.power().await.unwrap_err().is_unreachable());
    board.restart_daemon();
    bmc.power().await.unwrap();
}

#[tokio::test]
async fn a_network_reset_costs_a_connection() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    bmc.reset_network().await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    bmc.power().await.unwrap();
}
