// SPDX-License-Identifier: Apache-2.0
//! Power that goes, in the middle of what the flash does; a supply that sags; a flash that is slow.

use pico_board::{Level, PICO_W};
use pico_flash::{FlashFile, Storage};
use pico_sim::{Deed, Handle};
use serde_json::{Value, json};

use crate::world::{HOUR, MINUTE, SECOND, World, act, live, look, options, pass, unix_ms};

async fn run_button(world: &World) -> Value {
    world
        .run_pod(
            "button",
            "pico/button:v1",
            json!({"pico.io/gpio-pin": "1"}),
            json!([]),
        )
        .await;
    pass(10 * SECOND).await;
    let pod = world.pod("button").await;
    assert_eq!(pod["status"]["phase"], "Running", "{pod}");
    pod
}

async fn press(boards: &Handle) {
    act(boards, Deed::Drive(15, Some(Level::Low))).await;
    pass(SECOND).await;
    act(boards, Deed::Drive(15, Some(Level::High))).await;
    pass(19 * SECOND).await;
}

/// What the container keeps in flash: it is what a board of the same file would read.
fn count(flash: &std::path::Path, pod: &Value) -> u32 {
    let flash = FlashFile::open(flash, PICO_W.flash_bytes, 0).unwrap();
    let mut storage = Storage::open(flash).unwrap();
    let owner = pod["metadata"]["uid"].as_str().unwrap();
    let bytes = storage.read_data(owner, b"presses").unwrap();
    u32::from_le_bytes(bytes.try_into().unwrap())
}

#[test]
fn power_that_goes_at_every_nth_operation_of_the_flash() {
    for every in [2, 7, 23] {
        let directory = tempfile::tempdir().unwrap();
        let mut own = options(every);
        own.flash_dir = Some(directory.path().to_owned());
        let pod = live(own, |world, boards| async move {
            boards.all_ready().await;
            let pod = run_button(&world).await;
            act(&boards, Deed::CutEvery(Some(every))).await;
            let presses = 120;
            for _ in 0..presses {
                press(&boards).await;
            }
            act(&boards, Deed::CutEvery(None)).await;
            pass(2 * MINUTE).await;
            let (boots, starts) = (world.boots().len(), world.started().len());
            assert!(boots > 3, "the power went {boots} times");
            assert!(
                starts <= boots,
                "{starts} starts in {boots} runs of the board"
            );
            let last = world.pod("button").await;
            assert_eq!(last["status"]["phase"], "Running", "{last}");
            assert_eq!(last["status"]["conditions"][2]["status"], "True", "{last}");
            assert_eq!(look(&boards).await.pods, ["default/button"]);
            assert_eq!(world.ready("pico-0").await["status"], "True");
            // A board that starts asks a dozen times; none asks without end.
            let asked = world.asked(0, world.now()).len();
            let minutes = usize::try_from(world.now() / MINUTE).unwrap();
            assert!(
                asked <= minutes * 8 + boots * 30,
                "{asked} requests, {boots} boots"
            );
            pod
        });
        let kept = count(&directory.path().join("pico-0.flash"), &pod);
        assert!((1..=120).contains(&kept), "{kept} presses of 120 are kept");
    }
}

#[test]
fn a_press_that_was_counted_survives_each_kind_of_restart() {
    let directory = tempfile::tempdir().unwrap();
    let mut own = options(11);
    own.flash_dir = Some(directory.path().to_owned());
    let pod = live(own, |world, boards| async move {
        boards.all_ready().await;
        let pod = run_button(&world).await;
        let since = unix_ms(&world.ready("pico-0").await["lastTransitionTime"]);
        for deed in [Deed::PowerCycle, Deed::BrownOut, Deed::Hang] {
            press(&boards).await;
            act(&boards, deed).await;
            pass(MINUTE).await;
        }
        assert_eq!(world.boots().len(), 4);
        assert_eq!(world.started().len(), 4, "once in each run");
        let ready = world.ready("pico-0").await;
        assert_eq!(ready["status"], "True");
        assert_eq!(
            unix_ms(&ready["lastTransitionTime"]),
            since,
            "it was never told otherwise: {ready}"
        );
        pod
    });
    assert_eq!(count(&directory.path().join("pico-0.flash"), &pod), 3);
}

#[test]
fn a_slow_flash_holds_up_the_board_and_nothing_breaks() {
    live(options(12), |world, boards| async move {
        boards.all_ready().await;
        act(&boards, Deed::SlowFlash(400)).await;
        run_slow_button(&world).await;
        let from = world.now();
        for _ in 0..90 {
            press(&boards).await;
        }
        assert!(world.lease_gap(from, world.now()) <= 30 * SECOND);
        assert!(world.now() - from < HOUR);
        assert_eq!(world.boots().len(), 1);
        assert_eq!(world.started().len(), 1);
        assert_eq!(look(&boards).await.counters.errors, 0);
    });
}

/// The images are written first, which takes a while.
async fn run_slow_button(world: &World) {
    world
        .run_pod(
            "button",
            "pico/button:v1",
            json!({"pico.io/gpio-pin": "1"}),
            json!([]),
        )
        .await;
    pass(5 * MINUTE).await;
    let pod = world.pod("button").await;
    assert_eq!(pod["status"]["phase"], "Running", "{pod}");
}
