// SPDX-License-Identifier: Apache-2.0
//! Links that are gone, half open, slow, and lose what they carry; and a machine without file descriptors.

use pico_sim::Faults;
use serde_json::json;

use crate::world::{DAY, HOUR, MINUTE, SECOND, World, link, live, look, options, pass, unix_ms};

const CUT: Faults = Faults {
    cut: true,
    half_open: false,
    latency_ms: 0,
    loss_percent: 0,
    bytes_per_second: 0,
};
const HALF_OPEN: Faults = Faults {
    half_open: true,
    cut: false,
    ..CUT
};
const BAD: Faults = Faults {
    latency_ms: 500,
    loss_percent: 10,
    cut: false,
    ..CUT
};

/// A board that runs a pod; returns since when its node is Ready.
async fn settled(world: &World, boards: &pico_sim::Handle) -> u64 {
    boards.all_ready().await;
    world.run_blink().await;
    pass(10 * MINUTE).await;
    let ready = world.ready("pico-0").await;
    assert_eq!(ready["status"], "True", "{ready}");
    assert_eq!(world.pod("blink").await["status"]["phase"], "Running");
    assert!(world.lease_gap(MINUTE, world.now()) <= 11 * SECOND);
    unix_ms(&ready["lastTransitionTime"])
}

/// The node came back by itself, and nothing was begun anew.
async fn unharmed(world: &World, boards: &pico_sim::Handle, ready_since: u64) {
    let ready = world.ready("pico-0").await;
    assert_eq!(ready["status"], "True", "{ready}");
    assert_eq!(
        unix_ms(&ready["lastTransitionTime"]),
        ready_since,
        "{ready}"
    );
    let heard = unix_ms(&ready["lastHeartbeatTime"]);
    assert!(world.wall() - heard <= 6 * MINUTE, "{ready}");
    assert_eq!(world.started().len(), 1, "{:?}", world.started());
    assert_eq!(world.boots().len(), 1);
    assert_eq!(
        world.pod("blink").await["status"]["containerStatuses"][0]["restartCount"],
        0
    );
    assert_eq!(look(boards).await.pods, ["default/blink"]);
}

#[test]
fn a_link_that_is_gone_for_a_day() {
    live(options(1), |world, boards| async move {
        let ready_since = settled(&world, &boards).await;
        let gone = world.now();
        let (dialled, asked) = (world.dialled(), world.asked(0, gone).len());
        link(&boards, CUT).await;
        pass(DAY).await;
        let back = world.now();
        assert_eq!(
            world.asked(0, back).len(),
            asked,
            "nothing comes over a cut link"
        );
        assert_eq!(world.dialled(), dialled, "a cut link reaches nobody");
        link(&boards, Faults::default()).await;
        pass(5 * MINUTE).await;
        // Backing off never takes longer than a minute.
        assert!(world.lease_gap(back, world.now()) <= 61 * SECOND);
        assert!(world.lease_gap(back + MINUTE, world.now()) <= 11 * SECOND);
        let after = world.asked(back, world.now());
        assert!(
            after.len() <= 5 * 6 + 8,
            "{} requests: {after:#?}",
            after.len()
        );
        unharmed(&world, &boards, ready_since).await;
    });
}

#[test]
fn a_connection_that_is_half_open_for_an_hour() {
    live(options(2), |world, boards| async move {
        let ready_since = settled(&world, &boards).await;
        let gone = world.now();
        let asked = world.asked(0, gone).len();
        link(&boards, HALF_OPEN).await;
        pass(HOUR).await;
        let back = world.now();
        assert!(
            world.asked(0, back).len() <= asked + 1,
            "one may have been under way"
        );
        link(&boards, Faults::default()).await;
        pass(5 * MINUTE).await;
        assert!(world.lease_gap(back, world.now()) <= 61 * SECOND);
        let after = world.asked(back, world.now());
        assert!(
            after.len() <= 5 * 6 + 8,
            "{} requests: {after:#?}",
            after.len()
        );
        // Pods are heard of again: the watch did not stay on the dead connection.
        world
            .run_pod(
                "late",
                "pico/button:v1",
                json!({"pico.io/gpio-pin": "1"}),
                json!([]),
            )
            .await;
        pass(10 * SECOND).await;
        let late = world.pod("late").await;
        assert_eq!(late["status"]["phase"], "Running", "{late}");
        world
            .call(
                "DELETE",
                "/api/v1/namespaces/default/pods/late?gracePeriodSeconds=0",
                None,
            )
            .await;
        pass(10 * SECOND).await;
        assert_eq!(look(&boards).await.pods, ["default/blink"]);
        let ready = world.ready("pico-0").await;
        assert_eq!(
            unix_ms(&ready["lastTransitionTime"]),
            ready_since,
            "{ready}"
        );
    });
}

#[test]
fn boards_that_come_back_together_do_not_all_ask_at_once() {
    let forty = pico_sim::Options {
        nodes: 40,
        ..options(9)
    };
    live(forty, |world, boards| async move {
        boards.all_ready().await;
        pass(5 * MINUTE).await;
        for name in boards.names() {
            boards.act(name, pico_sim::Deed::Link(CUT)).await.unwrap();
        }
        pass(HOUR).await;
        let back = world.now();
        for name in boards.names() {
            boards
                .act(name, pico_sim::Deed::Link(Faults::default()))
                .await
                .unwrap();
        }
        pass(3 * MINUTE).await;
        let asked = world.asked(back, world.now());
        assert!(asked.len() <= 40 * (3 * 6 + 6), "{} requests", asked.len());
        let most = (0..180)
            .map(|second| {
                let from = back + second * SECOND;
                asked
                    .iter()
                    .filter(|a| (from..from + SECOND).contains(&a.at))
                    .count()
            })
            .max();
        assert!(
            most.is_some_and(|n| n <= 40),
            "{most:?} requests in a second"
        );
        assert!(world.lease_gap(back, world.now()) <= 61 * SECOND);
    });
}

#[test]
fn six_hours_of_ten_percent_loss_and_half_a_second_of_latency() {
    live(options(3), |world, boards| async move {
        let ready_since = settled(&world, &boards).await;
        let from = world.now();
        let before = look(&boards).await.counters;
        link(&boards, BAD).await;
        pass(6 * HOUR).await;
        // A Lease lasts 40 seconds.
        let gap = world.lease_gap(from, world.now());
        assert!(gap <= 20 * SECOND, "{gap}");
        let asked = world.asked(from, world.now());
        assert!(asked.len() <= 6 * 60 * 7, "{} requests", asked.len());
        assert!(asked.iter().all(|a| a.status < 400));
        let after = look(&boards).await.counters;
        assert_eq!(after.errors, before.errors);
        assert_eq!(after.reconnects, before.reconnects, "late is not gone");
        unharmed(&world, &boards, ready_since).await;
    });
}

#[test]
fn a_link_of_two_hundred_bytes_a_second() {
    live(options(4), |world, boards| async move {
        let ready_since = settled(&world, &boards).await;
        let from = world.now();
        link(
            &boards,
            Faults {
                bytes_per_second: 200,
                ..Faults::default()
            },
        )
        .await;
        pass(HOUR).await;
        let gap = world.lease_gap(from, world.now());
        assert!(gap <= 40 * SECOND, "{gap}");
        let asked = world.asked(from, world.now());
        assert!(asked.len() <= 60 * 7, "{} requests", asked.len());
        unharmed(&world, &boards, ready_since).await;
    });
}

#[test]
fn a_link_that_comes_and_goes() {
    live(options(5), |world, boards| async move {
        let ready_since = settled(&world, &boards).await;
        let from = world.now();
        for n in 0..200_u64 {
            link(&boards, if n % 3 == 0 { HALF_OPEN } else { CUT }).await;
            pass(7 * SECOND + n * 311 % (90 * SECOND)).await;
            link(&boards, if n % 2 == 0 { BAD } else { Faults::default() }).await;
            pass(11 * SECOND + n * 733 % (120 * SECOND)).await;
        }
        link(&boards, Faults::default()).await;
        pass(2 * MINUTE).await;
        let minutes = (world.now() - from) / MINUTE;
        let asked = world.asked(from, world.now()).len() as u64;
        assert!(
            asked <= minutes * 12,
            "{asked} requests in {minutes} minutes"
        );
        // Two connections and their watches at each return, and no more.
        assert!(
            world.dialled() <= 200 * 6,
            "{} connections",
            world.dialled()
        );
        pass(6 * MINUTE).await;
        unharmed(&world, &boards, ready_since).await;
    });
}

#[test]
fn the_same_seed_is_the_same_life() {
    let run = |seed| {
        live(options(seed), |world, boards| async move {
            boards.all_ready().await;
            world.run_blink().await;
            link(&boards, BAD).await;
            pass(20 * MINUTE).await;
            let counters = look(&boards).await.counters;
            let asked: Vec<_> = world
                .asked(0, world.now())
                .into_iter()
                .map(|a| (a.at, a.method, a.target, a.status))
                .collect();
            (asked, counters.requests)
        })
    };
    let (first, again) = (run(6), run(6));
    assert!(first.0.len() > 100);
    for (one, other) in first.0.iter().zip(&again.0) {
        assert_eq!(one, other);
    }
    assert_eq!(first.1, again.1);
    assert_ne!(run(7).0, first.0);
}

#[test]
fn without_file_descriptors_boards_wait_and_one_is_told_why() {
    let twenty = pico_sim::Options {
        nodes: 20,
        ..options(8)
    };
    live(twenty, |world, boards| async move {
        *world.no_files.lock().unwrap() = true;
        pass(HOUR).await;
        assert_eq!(boards.ready(), 0);
        let told = boards.troubles(0).await;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("too many open files"), "{told:?}");
        // A minute at most, half of it at least.
        let tried = world.dialled();
        assert!((20 * 60..20 * 140).contains(&tried), "{tried} attempts");
        *world.no_files.lock().unwrap() = false;
        pass(MINUTE + 5 * SECOND).await;
        assert_eq!(boards.ready(), 20);
    });
}
