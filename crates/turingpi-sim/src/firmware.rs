// SPDX-License-Identifier: Apache-2.0
//! What each generation answers to the same question.

use std::time::Duration;

use serde_json::{Value, json};

use crate::board::State;
use crate::profile::Profile;

const BUILT: &str = "2024-11-28 14:01:07-00:00";
const BUILDROOT: &str = "Buildroot 2024.05.1";
const CARD: (u64, u64) = (31_914_983_424, 31_000_000_000);

pub(crate) fn about(profile: Profile) -> Option<Value> {
    match profile {
        Profile::V1 => None,
        Profile::V2_0_5 => Some(json!({
            "api": "1.1", "version": "2.0.5", "buildtime": BUILT, "buildroot": BUILDROOT, "build_version": "2.0.5",
        })),
        Profile::V2_1_0 => Some(json!({
            "api": "1.1", "version": "2.3.4", "build_version": "2.1.0", "board_model": "Turing Pi 2",
            "board_revision": "2.5.1", "buildroot": BUILDROOT, "buildtime": BUILT, "hostname": "turingpi",
        })),
        Profile::V2_3_7 => Some(json!({
            "api": "1.1", "bmcd_version": "2.3.7", "board_model": "Turing Pi 2", "board_revision": "v2.5.1",
            "buildroot": BUILDROOT, "buildtime": BUILT, "hostname": "turingpi", "version": "2.1.0",
        })),
    }
}

pub(crate) fn info(profile: Profile, card: bool) -> Option<Value> {
    if profile == Profile::V1 {
        return None;
    }
    let device = if profile == Profile::V2_3_7 {
        "br0"
    } else {
        "eth0"
    };
    let mut storage =
        vec![json!({"name": "BMC", "total_bytes": 100_663_296, "bytes_free": 52_428_800})];
    if card {
        storage.push(json!({"name": "SD card", "total_bytes": CARD.0, "bytes_free": CARD.1}));
    }
    Some(json!({
        "ip": [
            {"device": device, "ip": "10.10.88.70", "mac": "02:00:00:00:00:01"},
            {"device": device, "ip": "fe80::1", "mac": "02:00:00:00:00:01"},
        ],
        "storage": storage,
    }))
}

pub(crate) fn other(profile: Profile) -> Value {
    let mut other = json!({"buildtime": BUILT, "ip": "10.10.88.70", "mac": "02:00:00:00:00:01"});
    match profile {
        Profile::V1 => other["version"] = json!("1.1.0"),
        _ => {
            other["api"] = json!("1.1");
            // the quotes of the shell are still there
            other["buildroot"] = json!(format!("\"{BUILDROOT}\""));
            let (version, build) = match profile {
                Profile::V2_0_5 => ("2.0.5", Some("2.0.5")),
                Profile::V2_1_0 => ("2.3.4", Some("2.1.0")),
                _ => ("2.1.0", None),
            };
            other["version"] = json!(version);
            if let Some(build) = build {
                other["build_version"] = json!(build);
            }
        }
    }
    json!([other])
}

pub(crate) fn power(profile: Profile, board: &State, unknown: bool) -> Value {
    let mut power = serde_json::Map::new();
    for (i, slot) in board.slots.iter().enumerate() {
        let value = match profile {
            Profile::V1 => json!(u8::from(slot.on)),
            _ if unknown => json!("Unknown"),
            _ => json!(if slot.on { "1" } else { "0" }),
        };
        power.insert(format!("node{}", i + 1), value);
    }
    json!([power])
}

pub(crate) fn usb(profile: Profile, board: &State) -> Value {
    let usb = board.usb;
    if profile == Profile::V1 {
        return json!([{"mode": usb.mode & 3, "node": usb.node}]);
    }
    let mode = ["Host", "Device", "Flash"][usize::from(usb.mode & 3).min(2)];
    let route = match (usb.mode & 4 != 0, profile.modern()) {
        (true, _) => "Bmc",
        (false, true) => "AlternativePort",
        (false, false) => "UsbA",
    };
    let mut answer =
        json!({"mode": mode, "node": format!("Node {}", usb.node + 1), "route": route});
    if profile.modern() {
        answer["bus_type"] = json!("Usb hub");
    }
    json!([answer])
}

pub(crate) fn node_info(board: &State, now: Duration) -> Value {
    board
        .slots
        .iter()
        .enumerate()
        .map(|(i, slot)| {
            let settings = board.settings.node(i);
            json!({
                "name": settings.name,
                "module_name": settings.module_name,
                "power_on_time": slot.on.then(|| now.saturating_sub(slot.since).as_secs()),
                "uart_baud": settings.uart_baud,
            })
        })
        .collect()
}

pub(crate) fn sd_card(profile: Profile) -> Value {
    if profile == Profile::V1 {
        return json!([{"total": 30_436, "free": 29_563, "use": 873}]);
    }
    json!([{"total": CARD.0, "use": CARD.0 - CARD.1, "free": CARD.1}])
}
