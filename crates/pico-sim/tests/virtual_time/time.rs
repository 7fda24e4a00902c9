// SPDX-License-Identifier: Apache-2.0
//! Clocks that drift, and a server's clock that jumps.

use pico_sim::Deed;

use crate::world::{DAY, HOUR, MINUTE, SECOND, World, act, live, options, pass, unix_ms};

/// By how much the times in the Lease differ from the server's own, at most, in milliseconds.
fn worst(world: &World, from: u64, to: u64) -> u64 {
    world
        .asked(from, to)
        .iter()
        .filter(|a| a.is_lease())
        .map(|a| unix_ms(&a.json()["spec"]["renewTime"]).abs_diff(World::wall_at(a.at)))
        .max()
        .unwrap_or(u64::MAX)
}

#[test]
fn a_week_of_a_clock_that_is_200_ppm_off() {
    for (ppm, days) in [(200, 7), (-200, 1)] {
        live(options(20), |world, boards| async move {
            boards.all_ready().await;
            world.run_blink().await;
            act(&boards, Deed::Drift(ppm)).await;
            pass(days * DAY).await;
            // Two minutes in a week, uncorrected. What is left: the tolerance, and what a date cuts off.
            let off = worst(&world, 0, world.now());
            assert!(off <= 3500, "{off} ms off with {ppm} ppm");
            assert!(world.lease_gap(0, world.now()) <= 11 * SECOND);
            let asked = world.asked(0, world.now()).len();
            // A Lease every 9.8 s, a status every five minutes, a watch every five to ten, and one status at each correction.
            let minutes = usize::try_from(days * DAY / MINUTE).unwrap();
            assert!(asked <= minutes * 7, "{asked} requests");
            assert_eq!(world.started().len(), 1);
            let ready = world.ready("pico-0").await;
            assert!(
                unix_ms(&ready["lastTransitionTime"]) < World::wall_at(MINUTE),
                "{ready}"
            );
        });
    }
}

#[test]
fn a_clock_of_the_server_that_jumps() {
    live(options(21), |world, boards| async move {
        boards.all_ready().await;
        world.run_blink().await;
        pass(MINUTE).await;
        let since = world.ready("pico-0").await["lastTransitionTime"].clone();
        for jump in [
            3_600_000,
            -7_200_000,
            90_000,
            -90_000,
            40 * 365 * 86_400_000,
        ] {
            world.jump(jump);
            let from = world.now();
            // The next answer tells.
            pass(21 * SECOND).await;
            let asked = world.asked(from, world.now());
            let last = asked.iter().rfind(|a| a.is_lease()).unwrap();
            let said = unix_ms(&last.json()["spec"]["renewTime"]);
            assert!(world.wall().abs_diff(said) <= 14 * SECOND, "{jump}: {said}");
            assert!(asked.len() <= 8, "{asked:#?}");
            let ready = world.ready("pico-0").await;
            assert_eq!(
                ready["lastTransitionTime"], since,
                "nothing changed but the clock"
            );
            let heard = unix_ms(&ready["lastHeartbeatTime"]);
            assert!(world.wall().abs_diff(heard) <= 22 * SECOND, "{ready}");
        }
        pass(HOUR).await;
        assert!(world.lease_gap(10 * SECOND, world.now()) <= 11 * SECOND);
        assert_eq!(world.started().len(), 1);
    });
}
