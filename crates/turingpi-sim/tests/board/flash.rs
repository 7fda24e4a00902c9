// SPDX-License-Identifier: Apache-2.0
//! Images: what arrives, what is told, and what becomes of it when something fails.

use turingpi_bmc::flash::{Flash, Flashed, Progress, Source, State, TransferError, never};
use turingpi_bmc::{Bmc, Error, Slot};
use turingpi_sim::{Fault, Kind, Profile};

use crate::{board, client, image, until};

const SLOT: Slot = Slot::ALL[2];

async fn write(bmc: &Bmc, flash: &Flash) -> Result<(Flashed, Vec<Progress>), Error> {
    let (_switch, mut cancel) = never();
    let mut seen = Vec::new();
    let flashed = bmc.flash(flash, |p| seen.push(p), &mut cancel).await?;
    Ok((flashed, seen))
}

fn failure(result: Result<(Flashed, Vec<Progress>), Error>) -> TransferError {
    match result {
        Err(Error::Transfer { source, .. }) => source,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_image_arrives_whole_on_every_firmware_that_takes_one() {
    for profile in [Profile::V2_0_5, Profile::V2_1_0, Profile::V2_3_7] {
        let (board, dir) = board(profile, |_| {}).await;
        let path = image(dir.path(), "a b&c.img", 5_000_000);
        let bmc = client(&board);
        bmc.set_power(&[(SLOT, true)]).await.unwrap();
        let flash = Flash::new(SLOT, Source::File(path.clone()));
        let (flashed, _) = write(&bmc, &flash).await.unwrap();
        assert_eq!(flashed.size, 5_000_000);
        assert_eq!(
            std::fs::read(board.emmc(3)).unwrap(),
            std::fs::read(path).unwrap()
        );
        assert!(!board.has_power(3), "a flashed module is off");
    }
}

#[tokio::test]
async fn a_packed_image_is_unpacked_by_the_board() {
    use std::io::Write as _;
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let plain = std::fs::read(image(dir.path(), "x", 300_000)).unwrap();
    let path = dir.path().join("x.img.xz");
    let mut packer = liblzma::write::XzEncoder::new(std::fs::File::create(&path).unwrap(), 6);
    packer.write_all(&plain).unwrap();
    packer.finish().unwrap();
    let flash = Flash::new(SLOT, Source::File(path));
    write(&client(&board), &flash).await.unwrap();
    assert_eq!(std::fs::read(board.emmc(3)).unwrap(), plain);
}

#[tokio::test]
async fn a_file_on_the_board_needs_no_upload() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let path = image(dir.path(), "x", 300_000);
    let source = Source::OnBmc(path.display().to_string());
    let (flashed, _) = write(&client(&board), &Flash::new(SLOT, source))
        .await
        .unwrap();
    assert_eq!(flashed.size, 300_000);
}

#[tokio::test]
async fn the_board_fetches_an_image_itself() {
    use crate::serve::{self, Answer};
    for profile in [Profile::V2_1_0, Profile::V2_3_7] {
        let (board, dir) = board(profile, |_| {}).await;
        let path = image(dir.path(), "x", 300_000);
        let bytes = std::fs::read(&path).unwrap();
        let (sum, _) = turingpi_bmc::flash::sha256_of_file(&path).await.unwrap();
        let server = serve::start(vec![("/x.raw", Answer::Bytes(bytes.clone()))]).await;
        let mut flash = Flash::new(SLOT, Source::Url(format!("{server}/x.raw")));
        flash.sha256 = Some(sum.clone());
        let (flashed, _) = write(&client(&board), &flash).await.unwrap();
        assert_eq!((flashed.size, flashed.sha256), (300_000, Some(sum)));
        assert_eq!(std::fs::read(board.emmc(3)).unwrap(), bytes);
        // what would be found by reading back is not found
        board.add_fault(Fault::CrcMismatch);
        flash.skip_crc = true;
        write(&client(&board), &flash).await.unwrap();
        flash.skip_crc = false;
        let error = failure(write(&client(&board), &flash).await);
        assert!(matches!(error, TransferError::Damaged(_)), "{error:?}");
    }
}

#[tokio::test]
async fn the_firmware_is_an_image_too() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let path = image(dir.path(), "tp2-2.1.0.swu", 100_000);
    write(&bmc, &Flash::firmware(Source::File(path)))
        .await
        .unwrap();
    let shell = image(dir.path(), "a;reboot.swu", 10);
    let error = write(&bmc, &Flash::firmware(Source::File(shell)))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Argument(_)), "{error}");
}

#[tokio::test]
async fn four_at_once_take_turns() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let path = image(dir.path(), "x", 2_000_000);
    let tasks: Vec<_> = Slot::ALL
        .map(|slot| {
            let (bmc, path) = (client(&board), path.clone());
            tokio::spawn(async move {
                write(&bmc, &Flash::new(slot, Source::File(path)))
                    .await
                    .map(drop)
            })
        })
        .into();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    for slot in 1..=4 {
        assert_eq!(
            std::fs::metadata(board.emmc(slot)).unwrap().len(),
            2_000_000
        );
    }
}

#[tokio::test]
async fn a_wrong_sum_is_noticed_before_anything_is_sent() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let mut flash = Flash::new(SLOT, Source::File(image(dir.path(), "x", 1000)));
    flash.sha256 = Some("0".repeat(64));
    assert!(matches!(
        failure(write(&bmc, &flash).await),
        TransferError::WrongImage(_)
    ));
    assert_eq!(bmc.flash_state().await.unwrap(), State::Ready);
    flash.sha256 = Some("x".into());
    assert!(matches!(write(&bmc, &flash).await, Err(Error::Argument(_))));
    std::fs::write(dir.path().join("x"), "").unwrap();
    flash.sha256 = None;
    assert!(matches!(
        failure(write(&bmc, &flash).await),
        TransferError::WrongImage(_)
    ));
}

#[tokio::test]
async fn a_slot_that_cannot_be_flashed_is_left_off() {
    for kind in [Kind::Empty, Kind::Jetson] {
        let (board, dir) = board(Profile::V2_3_7, |o| o.modules[2] = kind).await;
        let bmc = client(&board);
        let flash = Flash::new(SLOT, Source::File(image(dir.path(), "x", 1000)));
        assert_eq!(failure(write(&bmc, &flash).await), TransferError::NoModule);
        assert_eq!(bmc.power().await.unwrap().of(SLOT), Some(false));
        assert_eq!(
            bmc.usb().await.unwrap().mode,
            turingpi_bmc::model::UsbMode::Host
        );
    }
}

#[tokio::test]
async fn what_can_go_wrong_on_the_way() {
    let check = async |fault: Fault, expected: fn(&TransferError) -> bool| {
        let (board, dir) = board(Profile::V2_3_7, |o| {
            o.faults.push(fault.clone());
            // slow enough to be seen under way
            o.emmc_rate = 20 << 10;
        })
        .await;
        let bmc = client(&board);
        let flash = Flash::new(SLOT, Source::File(image(dir.path(), "x", 3_000_000)));
        let error = failure(write(&bmc, &flash).await);
        assert!(expected(&error), "{fault:?}: {error:?}");
        // and the next one does well
        write(&bmc, &flash).await.unwrap();
    };
    check(Fault::CrcMismatch, |e| {
        matches!(e, TransferError::Damaged(_))
    })
    .await;
    check(Fault::RestartAt(1_000_000), |e| {
        matches!(e, TransferError::Restarted | TransferError::BrokenOff(_))
    })
    .await;
    check(Fault::DropUploadAt(1_000_000), |e| {
        matches!(e, TransferError::BrokenOff(_))
    })
    .await;
}

#[tokio::test]
async fn somebody_elses_transfer_is_not_ended() {
    // in real time: what a transfer took tells whose it was
    let (board, dir) = board(Profile::V2_3_7, |o| {
        o.speed = 1.0;
        o.faults.push(Fault::StuckAt(500_000));
    })
    .await;
    let path = image(dir.path(), "x", 3_000_000);
    let bmc = client(&board);
    let flash = Flash::new(SLOT, Source::File(path.clone()));
    let (switch, mut cancel) = never();
    let first = {
        let (bmc, flash) = (bmc.clone(), flash.clone());
        tokio::spawn(async move { bmc.flash(&flash, |_| {}, &mut cancel).await })
    };
    until(async || {
        matches!(
            bmc.flash_state().await.unwrap(),
            State::Transferring {
                bytes_written: 500_000..,
                ..
            }
        )
    })
    .await;
    // it stands still for longer than the next one takes to write
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    // another machine does not see the queue of this one: it is told by the state
    let mut elsewhere = crate::options(&board);
    elsewhere.endpoint.host = "localhost".into();
    elsewhere.trust = turingpi_bmc::Trust::Insecure;
    let other = Bmc::new(elsewhere).unwrap();
    assert!(matches!(
        failure(write(&other, &flash).await),
        TransferError::Busy(_)
    ));
    // unless it is told to
    let mut forced = flash.clone();
    forced.force = true;
    write(&other, &forced).await.unwrap();
    let error = first.await.unwrap().unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Transfer {
                source: TransferError::PreEmpted(_) | TransferError::BrokenOff(_),
                ..
            }
        ),
        "{error:?}"
    );
    drop(switch);
}

#[tokio::test]
async fn a_transfer_that_is_stopped_stops_on_the_board() {
    let (board, dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::StuckAt(500_000))).await;
    let bmc = client(&board);
    let flash = Flash::new(SLOT, Source::File(image(dir.path(), "x", 3_000_000)));
    let (switch, mut cancel) = never();
    let running = {
        let bmc = bmc.clone();
        tokio::spawn(async move { bmc.flash(&flash, |_| {}, &mut cancel).await })
    };
    until(async || matches!(bmc.flash_state().await.unwrap(), State::Transferring { .. })).await;
    switch.send(true).unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert!(matches!(
        error,
        Error::Transfer {
            source: TransferError::Cancelled,
            ..
        }
    ));
    assert!(matches!(bmc.flash_state().await.unwrap(), State::Error(_)));
    assert!(!board.has_power(3));
}
