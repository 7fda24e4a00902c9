// SPDX-License-Identifier: Apache-2.0
//! When the watchdog is fed, and what is said after it was not.

use crate::rig::{Rig, config};
use pico_board::ResetReason;

#[test]
fn it_is_fed_in_time_while_all_goes_on() {
    let mut rig = Rig::new();
    rig.runtime.watchdog_ms = Some(8000);
    for _ in 0..600 {
        let before = rig.runtime.fed;
        rig.run(4000);
        assert!(rig.runtime.fed > before, "at {}", rig.now);
    }
    // A link that is gone is no reason to start again.
    rig.reachable = false;
    rig.swallow();
    for _ in 0..600 {
        let before = rig.runtime.fed;
        rig.run(4000);
        assert!(rig.runtime.fed > before, "at {}", rig.now);
    }
}

#[test]
fn it_starves_when_the_task_of_the_network_hangs() {
    let mut rig = Rig::new();
    rig.runtime.watchdog_ms = Some(8000);
    rig.run(20_000);
    rig.is_hung = true;
    rig.run(120_000);
    let before = rig.runtime.fed;
    rig.run(60_000);
    assert_eq!(rig.runtime.fed, before);
    // It goes on before the board is reset.
    rig.is_hung = false;
    rig.run(60_000);
    assert!(rig.runtime.fed > before);
    assert!(rig.agent.is_ready());
}

#[test]
fn without_one_nobody_feeds_it_or_wakes_up_for_it() {
    let mut rig = Rig::new();
    rig.run(60_000);
    assert_eq!(rig.runtime.fed, 0);
}

#[test]
fn why_the_board_started_is_an_event() {
    for (reason, expected) in [
        (ResetReason::PowerOn, None),
        (
            ResetReason::Watchdog,
            Some("Warning: the watchdog was not fed: a task hung, and the board was reset"),
        ),
        (
            ResetReason::Panic,
            Some("Warning: the firmware panicked, and the board was reset"),
        ),
        (
            ResetReason::BrownOut,
            Some("Warning: the supply fell below its threshold, and the board was reset"),
        ),
        (
            ResetReason::Software,
            Some("Normal: the firmware started the board again"),
        ),
    ] {
        let mut config = config("pico");
        config.reset = reason;
        let mut rig = Rig::of(config);
        rig.run(5000);
        let mut events = rig
            .api
            .objects
            .values()
            .filter(|o| o["reason"] == "Rebooted");
        let said = events.next().map(|event| {
            assert_eq!(event["involvedObject"]["kind"], "Node");
            let text = |key: &str| event[key].as_str().expect("a text").to_owned();
            format!("{}: {}", text("type"), text("message"))
        });
        assert_eq!(said.as_deref(), expected);
    }
}
