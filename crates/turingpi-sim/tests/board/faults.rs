// SPDX-License-Identifier: Apache-2.0
//! Answers that are none, and daemons that come to grief.

use std::time::Duration;

use turingpi_bmc::flash::{Flash, Source, TransferError, never};
use turingpi_bmc::model::NodeSettings;
use turingpi_bmc::{Bmc, Error, Slot};
use turingpi_sim::{Fault, Profile, Script};

use crate::{board, client, options, until};

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
    let flash = Flash::new(Slot::ALL[0], Source::File(image.clone()));
    let writing = {
        let bmc = bmc.clone();
        tokio::spawn(async move {
            let (_switch, mut cancel) = never();
            bmc.flash(&flash, |_| {}, &mut cancel).await
        })
    };
    // it dies as it is done
    until(async || board.emmc(1).exists() && bmc.power().await.is_err()).await;
    let error = bmc.power().await.unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert!(!writing.is_finished(), "silence is waited out");
    board.restart_daemon();
    bmc.power().await.unwrap();
    // what was written is there, and nobody can say so: the new daemon knows of no transfer
    match writing.await.unwrap().unwrap_err() {
        Error::Transfer { source, .. } => assert!(
            matches!(
                source,
                TransferError::Restarted | TransferError::BrokenOff(_)
            ),
            "{source}"
        ),
        other => panic!("{other}"),
    }
    assert_eq!(
        std::fs::read(board.emmc(1)).unwrap(),
        std::fs::read(image).unwrap()
    );
}

#[tokio::test]
async fn a_network_reset_costs_a_connection() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    bmc.reset_network().await.unwrap();
    // the answer came, and the connection stands: the network goes a second later
    until(async || board.connections().1 == 0).await;
    let (before, _) = board.connections();
    bmc.power().await.unwrap();
    assert_eq!(
        board.connections().0,
        before + 1,
        "a new connection, and one only"
    );
    bmc.power().await.unwrap();
    assert_eq!(board.connections().0, before + 1, "which is kept");
}

#[tokio::test]
async fn settings_can_be_lost_with_a_restart() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let slot = Slot::ALL[3];
    let name = async || bmc.node_info().await.unwrap()[slot.index()].name.clone();
    let settings = NodeSettings {
        name: Some("worker".into()),
        ..NodeSettings::default()
    };
    bmc.set_node_info(slot, &settings).await.unwrap();
    bmc.reload().await.unwrap();
    bmc.wait_ready(Duration::from_secs(60)).await.unwrap();
    assert_eq!(
        name().await,
        settings.name,
        "a restart of the daemon keeps them"
    );
    board.add_fault(Fault::SettingsLost);
    bmc.reboot(false).await.unwrap();
    bmc.wait_ready(Duration::from_secs(60)).await.unwrap();
    assert_eq!(name().await, None);
}

#[tokio::test]
async fn a_script_goes_wrong_when_it_says() {
    let scripted = async |script: &str| {
        let script: Script = script.parse().unwrap();
        board(Profile::V2_3_7, |o| o.script = script).await
    };
    let (blind, _dir) = scripted("0s power-unknown").await;
    until(async || {
        client(&blind)
            .power()
            .await
            .unwrap()
            .of(Slot::ALL[0])
            .is_none()
    })
    .await;
    // who is left without an answer gets none later: the connection drops, and the next one is answered
    let (silent, _dir) = scripted("0s silent\n20s end silent").await;
    until(async || client(&silent).power().await.is_ok()).await;
    let (restarting, _dir) = scripted("10s restart\n20s restart").await;
    until(async || restarting.daemon() == 3).await;
    let (cut, _dir) = scripted("30s power-cycle").await;
    cut.set_power(1, true);
    until(async || !cut.has_power(1)).await;
}

#[tokio::test]
async fn a_client_that_goes_on_gets_over_what_is_drawn() {
    for seed in 0..12 {
        let script = Script::by_seed(seed);
        let (board, dir) = board(Profile::V2_3_7, |o| {
            o.speed = 600.0;
            o.script = script.clone();
        })
        .await;
        println!("seed {seed}:\n{script}");
        let image = crate::image(dir.path(), "x", 200_000);
        let flash = Flash::new(Slot::ALL[0], Source::File(image.clone()));
        let bmc = client(&board);
        until(async || {
            let (_switch, mut cancel) = never();
            let result = bmc.flash(&flash, |_| {}, &mut cancel).await;
            if let Err(e) = &result {
                println!("{}", crate::chain(e));
            }
            result.is_ok()
        })
        .await;
        let written = std::fs::read(board.emmc(1)).unwrap();
        assert!(written == std::fs::read(image).unwrap(), "seed {seed}");
    }
}
