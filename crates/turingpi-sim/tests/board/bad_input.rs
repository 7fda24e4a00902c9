// SPDX-License-Identifier: Apache-2.0
//! What users do and boards suffer, each with the words in which it is told.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use turingpi_bmc::flash::{Flash, Progress, Source, State, never};
use turingpi_bmc::{Bmc, Fingerprint, Options, Result, Slot, Trust};
use turingpi_sim::{Fault, Kind, Profile};

use crate::serve::{self, Answer};
use crate::{board, chain, client, credentials, image, options, until};

const SLOT: Slot = Slot::ALL[2];

/// What is told, and what is advised.
#[track_caller]
fn told<T: std::fmt::Debug>(result: Result<T>, parts: &[&str]) {
    let error = result.unwrap_err();
    let text = format!("{} / {}", chain(&error), error.hint().unwrap_or_default());
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

async fn write(bmc: &Bmc, source: Source) -> Result<()> {
    let (_switch, mut cancel) = never();
    let flash = Flash::new(SLOT, source);
    bmc.flash(&flash, |_| {}, &mut cancel).await.map(drop)
}

fn file(path: PathBuf) -> Source {
    Source::File(path)
}

/// Zeros or an image, packed.
fn packed(dir: &Path, name: &str, plain: &[u8], times: usize) -> PathBuf {
    let path = dir.join(name);
    let to = std::fs::File::create(&path).unwrap();
    let mut packer = liblzma::write::XzEncoder::new(to, 1);
    for _ in 0..times {
        packer.write_all(plain).unwrap();
    }
    packer.finish().unwrap();
    path
}

#[tokio::test]
async fn a_wrong_password() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let mut wrong = options(&board);
    wrong.credentials = credentials("hunter2");
    let bmc = Bmc::new(wrong).unwrap();
    let result = bmc.power().await;
    assert!(!chain(result.as_ref().unwrap_err()).contains("hunter2"));
    told(
        result,
        &[
            "refused user \"root\"",
            "credentials incorrect",
            "the fifth bans",
        ],
    );
}

#[tokio::test]
async fn a_ban() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.speed = 0.01).await;
    for _ in 0..5 {
        let mut wrong = options(&board);
        wrong.credentials = credentials("x");
        Bmc::new(wrong).unwrap().power().await.unwrap_err();
    }
    let right = client(&board).power().await;
    told(
        right,
        &[
            "has banned this machine",
            "for another 59 s",
            "wait until the ban is over",
        ],
    );
}

#[tokio::test]
async fn a_dead_bmc() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    board.stop().await;
    told(
        bmc.power().await,
        &["cannot reach the BMC at 127.0.0.1", "check the address"],
    );
    told(bmc.set_power(&[(SLOT, true)]).await, &["cannot reach"]);
}

#[tokio::test]
async fn a_self_signed_certificate() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let mut plain = options(&board);
    plain.trust = Trust::System;
    let result = Bmc::new(plain).unwrap().power().await;
    told(
        result,
        &["is not trusted", "signed by itself", "pin its fingerprint"],
    );
}

#[tokio::test]
async fn a_changed_certificate() {
    let (first, dir) = board(Profile::V2_3_7, |_| {}).await;
    let known = dir.path().join("known");
    let trusting = |o: Options| Options {
        trust: Trust::FirstUse(known.clone()),
        ..o
    };
    Bmc::new(trusting(options(&first)))
        .unwrap()
        .power()
        .await
        .unwrap();
    let at = first.address();
    first.stop().await;
    let (second, _dir) = board(Profile::V2_3_7, |o| o.listen = at).await;
    let result = Bmc::new(trusting(options(&second))).unwrap().power().await;
    told(
        result,
        &[
            "is not trusted",
            "has the fingerprint",
            "expected was",
            "take the line of 127.0.0.1:",
            "known",
        ],
    );
    let mut pinned = options(&second);
    pinned.trust = Trust::Fingerprint(Fingerprint([7; 32]));
    told(
        Bmc::new(pinned).unwrap().power().await,
        &["expected was 07:07"],
    );
}

#[tokio::test]
async fn a_wrong_image() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let not_packed = image(dir.path(), "no.img.xz", 100_000);
    told(
        write(&bmc, file(not_packed)).await,
        &["flashing slot 3", "cannot unpack it as .xz", "get it again"],
    );
    let empty = image(dir.path(), "empty.img", 0);
    told(
        write(&bmc, file(empty)).await,
        &["not the image that is expected", "is empty"],
    );
    let none = file(dir.path().join("none.img"));
    told(
        write(&bmc, none).await,
        &["cannot read or write", "none.img", "No such file"],
    );
    let directory = file(dir.path().to_owned());
    told(
        write(&bmc, directory).await,
        &["cannot read or write", "directory"],
    );
    let on_board = Source::OnBmc("/no/such.img".into());
    told(
        write(&bmc, on_board).await,
        &["the BMC says", "/no/such.img"],
    );
}

#[tokio::test]
async fn a_truncated_image() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let plain = std::fs::read(image(dir.path(), "x", 300_000)).unwrap();
    let path = packed(dir.path(), "x.img.xz", &plain, 1);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    told(
        write(&client(&board), file(path)).await,
        &["flashing slot 3", "cannot unpack it as .xz", "get it again"],
    );
    assert!(!board.has_power(3));
}

#[tokio::test]
async fn an_xz_bomb() {
    let (board, dir) = board(Profile::V2_3_7, |o| o.emmc_bytes = 10_000_000).await;
    let path = packed(dir.path(), "bomb.xz", &vec![0; 1 << 20], 64);
    told(
        write(&client(&board), file(path)).await,
        &["the BMC says", "No space left"],
    );
    assert!(std::fs::metadata(board.emmc(3)).unwrap().len() <= 10_000_000);
}

#[tokio::test]
async fn a_sum_that_does_not_match() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let (_switch, mut cancel) = never();
    let path = image(dir.path(), "x", 1000);
    let mut flash = Flash::new(SLOT, file(path.clone()));
    flash.sha256 = Some("0".repeat(64));
    let before = board.requests().len();
    let result = bmc.flash(&flash, |_| {}, &mut cancel).await;
    told(
        result,
        &[
            "not the image that is expected",
            "has the SHA-256",
            "expected was 0000",
        ],
    );
    let sent = board.requests();
    assert!(
        !sent[before..].iter().any(|r| r.call() == "set flash"),
        "it was begun"
    );
    // what the board fetches itself, the board checks
    let bytes = std::fs::read(path).unwrap();
    let server = serve::start(vec![("/x", Answer::Bytes(bytes))]).await;
    flash.source = Source::Url(format!("{server}/x"));
    let result = bmc.flash(&flash, |_| {}, &mut cancel).await;
    told(
        result,
        &[
            "not the image that is expected",
            "sha256 checksum failed",
            "Expected: 0000",
        ],
    );
    flash.sha256 = Some("12".into());
    let result = bmc.flash(&flash, |_| {}, &mut cancel).await;
    told(result, &["is no SHA-256", "64 hexadecimal digits"]);
}

#[tokio::test]
async fn an_empty_slot_and_a_jetson() {
    for kind in [Kind::Empty, Kind::Jetson] {
        let (board, dir) = board(Profile::V2_3_7, |o| o.modules[2] = kind).await;
        let bmc = client(&board);
        let result = write(&bmc, file(image(dir.path(), "x", 1000))).await;
        told(
            result,
            &[
                "flashing slot 3",
                "not found on USB",
                "the slot is empty",
                "Jetson",
            ],
        );
        assert_eq!(bmc.power().await.unwrap().of(SLOT), Some(false));
    }
}

#[tokio::test]
async fn a_full_emmc() {
    let (board, dir) = board(Profile::V2_3_7, |o| o.emmc_bytes = 1_000_000).await;
    let result = write(&client(&board), file(image(dir.path(), "x", 3_000_000))).await;
    told(
        result,
        &["flashing slot 3", "the BMC says", "No space left on device"],
    );
}

#[tokio::test]
async fn a_module_that_never_boots() {
    let (board, dir) = board(Profile::V2_3_7, |o| o.faults.push(Fault::NeverBoots(3))).await;
    let bmc = client(&board);
    write(&bmc, file(image(dir.path(), "x", 1000)))
        .await
        .unwrap();
    let mut log = bmc.boot_log(SLOT).await.unwrap();
    bmc.set_power(&[(SLOT, true)]).await.unwrap();
    // what there is to see instead is there to be shown
    let panics = |text: &str| text.contains("Kernel panic - not syncing");
    assert!(
        log.wait(Duration::from_secs(60), panics, |_| {})
            .await
            .unwrap()
    );
    let login = |text: &str| text.contains("login:");
    assert!(
        !log.wait(Duration::from_secs(1), login, |_| {})
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_bmc_restarted_in_mid_flash() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    board.add_fault(Fault::StuckAt(500_000));
    let writing = {
        let (bmc, source) = (bmc.clone(), file(image(dir.path(), "x", 3_000_000)));
        tokio::spawn(async move { write(&bmc, source).await })
    };
    under_way(&bmc, 500_000).await;
    board.power_cycle();
    told(writing.await.unwrap(), &["flashing slot 3", "flash again"]);
    bmc.wait_ready(Duration::from_secs(60)).await.unwrap();
    write(&bmc, file(dir.path().join("x"))).await.unwrap();
}

#[tokio::test]
async fn a_token_lost_in_mid_flash() {
    let (board, dir) = board(Profile::V2_3_7, |o| {
        o.faults.push(Fault::LoseTokensAt(1_000_000));
        o.emmc_rate = 30 << 10;
    })
    .await;
    write(&client(&board), file(image(dir.path(), "x", 3_000_000)))
        .await
        .unwrap();
    let logins = board.requests();
    let logins = logins
        .iter()
        .filter(|r| r.call() == "/api/bmc/authenticate");
    assert_eq!(logins.count(), 2, "one login more, and no more");
}

async fn under_way(bmc: &Bmc, bytes: u64) {
    until(async || match bmc.flash_state().await {
        Ok(State::Transferring { bytes_written, .. }) => bytes_written >= bytes,
        _ => false,
    })
    .await;
}

/// Stops a transfer when it shows `at`, and gives how it ended.
async fn stopped(bmc: &Bmc, path: PathBuf, mut at: impl FnMut(Progress) -> bool) -> Result<()> {
    let (switch, mut cancel) = never();
    let flash = Flash::new(SLOT, file(path));
    let stop = |progress| {
        if at(progress) {
            switch.send_replace(true);
        }
    };
    bmc.flash(&flash, stop, &mut cancel).await.map(drop)
}

#[tokio::test]
async fn a_stop_while_the_image_is_read() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let path = dir.path().join("large");
    std::fs::File::create(&path)
        .unwrap()
        .set_len(200 << 20)
        .unwrap();
    let result = stopped(&bmc, path, |p| matches!(p, Progress::Hashing(..))).await;
    told(
        result,
        &["flashing slot 3", "stopped", "nothing was written"],
    );
    assert!(!board.requests().iter().any(|r| r.call() == "set flash"));
}

#[tokio::test]
async fn a_stop_while_another_one_has_the_turn() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let held = bmc.turn("upgrading").await.unwrap();
    let path = image(dir.path(), "x", 1000);
    let result = stopped(&bmc, path, |p| p == Progress::Waiting).await;
    told(
        result,
        &["flashing slot 3", "stopped", "nothing was written"],
    );
    assert!(!board.requests().iter().any(|r| r.call() == "set flash"));
    drop(held);
    write(&bmc, file(dir.path().join("x"))).await.unwrap();
}

#[tokio::test]
async fn a_stop_while_it_is_written_or_read_back() {
    for fault in [Fault::StuckAt(500_000), Fault::StuckVerifyAt(500_000)] {
        let (board, dir) = board(Profile::V2_3_7, |o| o.faults.push(fault)).await;
        let bmc = client(&board);
        let path = image(dir.path(), "x", 3_000_000);
        // where it stands still, the same is told twice
        let mut last = None;
        let stands = |progress| match progress {
            Progress::Writing(1.., _) | Progress::Verifying(..) => {
                last.replace(progress) == Some(progress)
            }
            _ => false,
        };
        let result = stopped(&bmc, path, stands).await;
        told(result, &["flashing slot 3", "stopped", "incomplete"]);
        let state = bmc.flash_state().await.unwrap();
        assert_eq!(
            state,
            State::Error("cancelled by user".into()),
            "it goes on on the board"
        );
        assert!(!board.has_power(3), "the module is on");
        // nothing stays locked
        write(&bmc, file(dir.path().join("x"))).await.unwrap();
    }
}

#[tokio::test]
async fn images_that_the_board_cannot_fetch() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let bytes = b"os: Testix 1.0\n".repeat(10_000);
    let server = serve::start(vec![
        ("/whole.raw", Answer::Bytes(bytes.clone())),
        ("/half.raw", Answer::Half(bytes.clone())),
        ("/unknown.raw", Answer::NoLength(bytes.clone())),
        ("/round", Answer::To("/round".into())),
        ("/there", Answer::To("/whole.raw".into())),
    ])
    .await;
    let url = |path: &str| Source::Url(format!("{server}{path}"));
    told(write(&bmc, url("/none")).await, &["the BMC says", "404"]);
    told(
        write(&bmc, url("/round")).await,
        &["the BMC says", "too many redirects"],
    );
    told(
        write(&bmc, url("/unknown.raw")).await,
        &["the BMC says", "Content-Length"],
    );
    told(
        write(&bmc, url("/half.raw")).await,
        &["flashing slot 3", "the BMC says", "decoding response body"],
    );
    let dead = Source::Url("http://127.0.0.1:1/x".into());
    told(
        write(&bmc, dead).await,
        &["the BMC says", "http://127.0.0.1:1/x"],
    );
    told(
        write(&bmc, Source::Url("ftp://x/y".into())).await,
        &["is no address of http or https"],
    );
    write(&bmc, url("/there")).await.unwrap();
    assert_eq!(std::fs::read(board.emmc(3)).unwrap(), bytes);
}
