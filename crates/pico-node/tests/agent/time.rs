// SPDX-License-Identifier: Apache-2.0
//! Time from an SNTP server.

use std::net::SocketAddr;

use crate::rig::{Rig, config};

fn server() -> SocketAddr {
    "10.0.0.2:123".parse().expect("an address")
}

fn rig(has_date: bool) -> Rig {
    let mut config = config("pico");
    config.time_server = Some(server());
    let mut rig = Rig::of(config);
    rig.api.has_date = has_date;
    rig
}

/// The answer of a server to whom it is so many milliseconds after 1970.
fn answer(question: &[u8], unix_ms: u64) -> Vec<u8> {
    let mut packet = vec![0; 48];
    (packet[0], packet[1]) = (4 << 3 | 4, 2);
    packet[24..32].copy_from_slice(&question[40..48]);
    let seconds = u32::try_from(unix_ms / 1000 + 2_208_988_800).expect("before 2036");
    packet[40..44].copy_from_slice(&seconds.to_be_bytes());
    let fraction = u32::try_from(((unix_ms % 1000) << 32) / 1000).expect("less than a second");
    packet[44..].copy_from_slice(&fraction.to_be_bytes());
    packet
}

#[test]
fn a_node_whose_api_has_no_dates_learns_the_time_elsewhere() {
    let mut rig = rig(false);
    rig.run(60_000);
    assert!(!rig.agent.is_ready());
    let asked = rig.api.count("GET /api/v1/nodes/pico");
    assert!(asked <= 10, "{asked} questions for the time in a minute");
    let (to, question) = rig.agent.datagram(rig.now).expect("it asks");
    assert_eq!(to, server());
    assert_eq!(question[0], 0x23, "version 4, client");
    assert_eq!(rig.agent.datagram(rig.now), None, "it is given once");
    let at = rig.now;
    rig.run(100);
    let said = answer(&question, 1_700_000_000_250);
    rig.agent.datagram_received(server(), &said, rig.now);
    let wall = rig.agent.wall(rig.now).expect("it is known");
    assert_eq!(
        wall.unix_ms(),
        1_700_000_000_300,
        "half of the way is added"
    );
    rig.run(2000);
    assert!(rig.agent.is_ready());
    // It is asked again after 17 minutes, and not before.
    rig.run(1_000_000);
    assert_eq!(rig.agent.datagram(rig.now), None);
    rig.run(100_000);
    assert!(rig.agent.datagram(rig.now).is_some());
    assert!(rig.now - at > 1_024_000);
}

#[test]
fn answers_that_are_not_ours_change_nothing() {
    let mut rig = rig(false);
    rig.run(1000);
    let (_, question) = rig.agent.datagram(rig.now).expect("it asks");
    let good = answer(&question, 1_700_000_000_000);
    let mut other = good.clone();
    other[31] ^= 1;
    rig.agent.datagram_received(server(), &other, rig.now);
    let stranger = "10.0.0.3:123".parse().expect("an address");
    rig.agent.datagram_received(stranger, &good, rig.now);
    rig.agent.datagram_received(server(), &good[..40], rig.now);
    rig.agent.datagram_received(server(), &[], rig.now);
    assert_eq!(rig.agent.wall(rig.now), None);
    rig.agent.datagram_received(server(), &good, rig.now);
    assert!(rig.agent.wall(rig.now).is_some());
    // The same answer once more is none.
    let later = answer(&question, 1_800_000_000_000);
    rig.agent.datagram_received(server(), &later, rig.now);
    assert_eq!(
        rig.agent.wall(rig.now).expect("it is known").unix_ms(),
        1_700_000_000_000
    );
}

#[test]
fn a_silent_server_is_asked_ever_less() {
    let mut rig = rig(true);
    let mut at = Vec::new();
    while rig.now < 3_600_000 {
        rig.run(1000);
        if rig.agent.datagram(rig.now).is_some() {
            at.push(rig.now);
        }
    }
    assert!((5..=12).contains(&at.len()), "{at:?}");
    assert!(at.windows(2).all(|w| w[1] - w[0] >= 15_000), "{at:?}");
}

#[test]
fn a_server_that_says_no_is_left_alone() {
    let mut rig = rig(true);
    rig.run(1000);
    let (_, question) = rig.agent.datagram(rig.now).expect("it asks");
    let mut kiss = answer(&question, 0);
    kiss[1] = 0;
    kiss[12..16].copy_from_slice(b"DENY");
    rig.agent.datagram_received(server(), &kiss, rig.now);
    rig.run(7_200_000);
    assert_eq!(rig.agent.datagram(rig.now), None);
    let said: Vec<_> = rig
        .api
        .objects
        .values()
        .filter(|o| o["reason"] == "TimeServer")
        .collect();
    assert_eq!(said.len(), 1);
}

#[test]
fn the_api_is_right_where_the_two_disagree() {
    let mut rig = rig(true);
    rig.run(1000);
    let before = rig.agent.wall(rig.now).expect("it is known");
    let (_, question) = rig.agent.datagram(rig.now).expect("it asks");
    let said = answer(&question, before.unix_ms() + 60_000);
    rig.agent.datagram_received(server(), &said, rig.now);
    assert_eq!(rig.agent.wall(rig.now), Some(before));
    rig.run(2000);
    let said = rig
        .api
        .objects
        .values()
        .find(|o| o["reason"] == "TimeServer");
    assert_eq!(
        said.expect("an event")["message"],
        "the time server is 60 s ahead of the API server, whose time is used"
    );
}

#[test]
fn nothing_is_asked_without_a_server() {
    let mut rig = Rig::new();
    rig.run(60_000);
    assert_eq!(rig.agent.datagram(rig.now), None);
}
