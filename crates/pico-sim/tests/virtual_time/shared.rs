// SPDX-License-Identifier: Apache-2.0
//! Boards that share HTTP/2 connections.

use pico_sim::{Deed, Options};

use crate::world::{MINUTE, act, live, look, options, pass};

#[test]
fn more_boards_than_one_connection_has_streams_for() {
    let boards = Options {
        nodes: 150,
        shared: true,
        ..options(30)
    };
    live(boards, |world, boards| async move {
        boards.all_ready().await;
        world.run_blink().await;
        pass(2 * MINUTE).await;
        assert_eq!(world.pod("blink").await["status"]["phase"], "Running");
        // A hundred streams each: a watch of every board, and a request of some.
        let dialled = world.dialled();
        assert!((2..=4).contains(&dialled), "{dialled} connections");

        // What a board had under way ends with its power, and it begins anew.
        act(&boards, Deed::PowerCycle).await;
        pass(2 * MINUTE).await;
        assert_eq!(look(&boards).await.pods, ["default/blink"]);
        assert_eq!(world.started().len(), 2);
        assert_eq!(world.dialled(), dialled);

        let from = world.now();
        pass(MINUTE).await;
        let asked = world.asked(from, world.now());
        let leases = asked.iter().filter(|a| a.is_lease()).count();
        assert!((750..=1050).contains(&leases), "{leases} of 150 boards");
        assert!(asked.iter().all(|a| a.status < 300));
    });
}
