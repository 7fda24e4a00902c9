// SPDX-License-Identifier: Apache-2.0
//! What each generation answers, and what it means.

use serde_json::{Value, json};

use super::*;
use crate::generation::Generation;
use crate::slot::Slot;

#[test]
fn the_same_versions_from_every_generation() {
    let check = |about: Value, generation: Generation, firmware: &str, daemon: &str| {
        let (read, seen) = About::read("about", &about).unwrap();
        assert_eq!(seen, generation, "{about}");
        assert_eq!(read.firmware_version.as_deref(), Some(firmware), "{about}");
        assert_eq!(read.daemon_version.as_deref(), Some(daemon), "{about}");
    };
    check(
        json!({"api":"1.1","bmcd_version":"2.3.7","board_model":"Turing Pi 2","board_revision":"v2.5.1",
            "buildroot":"Buildroot 2024.05.1","buildtime":"t","hostname":"turingpi","version":"2.1.0"}),
        Generation::V2_3_5,
        "2.1.0",
        "2.3.7",
    );
    check(
        json!({"api":"1.1","version":"2.3.4","build_version":"2.1.0","board_model":"Turing Pi 2",
            "board_revision":"2.5.1","buildroot":"Buildroot 2024.05.1","buildtime":"t","hostname":"turingpi"}),
        Generation::V2_1,
        "2.1.0",
        "2.3.4",
    );
    check(
        json!({"api":"1.1","version":"2.0.5","buildtime":"t","buildroot":"Buildroot x","build_version":"2.0.5"}),
        Generation::V2_0,
        "2.0.5",
        "2.0.5",
    );
    assert!(About::read("about", &json!({"result": 1})).is_err());
}

#[test]
fn revisions_are_spelled_alike() {
    for revision in ["v2.5.1", "2.5.1"] {
        let about =
            json!({"api":"1.1","version":"2.1.0","board_revision":revision,"bmcd_version":"2.3.7"});
        let (read, _) = About::read("about", &about).unwrap();
        assert_eq!(read.board_revision.as_deref(), Some("2.5.1"));
    }
    let silent = json!({"api":"1.1","version":"unknown","board_model":"","bmcd_version":"2.3.7"});
    let (read, _) = About::read("about", &silent).unwrap();
    assert_eq!((read.firmware_version, read.board_model), (None, None));
}

#[test]
fn power() {
    let check = |value: Value, expected: Option<[Option<bool>; 4]>| {
        let read = Power::read("power", &value).ok();
        assert_eq!(
            read.map(|p| Slot::ALL.map(|s| p.of(s))),
            expected,
            "{value}"
        );
    };
    let mixed = Some([Some(true), Some(false), None, Some(false)]);
    check(
        json!([{"node1":"1","node2":"0","node3":"Unknown","node4":"0"}]),
        mixed,
    );
    let numbers = Some([Some(true), Some(false), Some(false), Some(true)]);
    check(json!({"node1":1,"node2":0,"node3":0,"node4":1}), numbers);
    check(
        json!([["node1", 1], ["node2", 0], ["node3", 0], ["node4", 1]]),
        numbers,
    );
    // what is not known is never off
    check(json!([{"node1":"1","node2":"0","node3":"0"}]), None);
    check(
        json!([{"node1":"on","node2":"0","node3":"0","node4":"0"}]),
        None,
    );
    check(json!([{"node1":2,"node2":0,"node3":0,"node4":0}]), None);
    check(json!([]), None);
    check(json!("ok"), None);
}

#[test]
fn usb() {
    let check = |value: Value, expected: Option<(UsbMode, u8, UsbRoute)>| {
        let read = Usb::read("usb", &value).ok();
        assert_eq!(
            read.map(|u| (u.mode, u.slot.number(), u.route)),
            expected,
            "{value}"
        );
    };
    check(
        json!([{"bus_type":"Usb hub","mode":"Device","node":"Node 2","route":"AlternativePort"}]),
        Some((UsbMode::Device, 2, UsbRoute::UsbA)),
    );
    check(
        json!([{"mode":"Host","node":"Node 1","route":"UsbA"}]),
        Some((UsbMode::Host, 1, UsbRoute::UsbA)),
    );
    check(
        json!([{"mode":"Flash","node":3,"route":"Bmc"}]),
        Some((UsbMode::Flash, 4, UsbRoute::Bmc)),
    );
    check(
        json!({"mode":0,"node":0}),
        Some((UsbMode::Host, 1, UsbRoute::UsbA)),
    );
    check(json!([{"mode":"Host","node":"Node 5","route":"Bmc"}]), None);
    check(
        json!([{"mode":"Sideways","node":"Node 1","route":"Bmc"}]),
        None,
    );
    check(json!([{"mode":"Host","node":"Node 1"}]), None);
}

#[test]
fn modes_that_crash_the_daemon_cannot_come_about() {
    for mode in [UsbMode::Host, UsbMode::Device, UsbMode::Flash] {
        for route in [UsbRoute::UsbA, UsbRoute::Bmc] {
            assert!(!matches!(mode.number(route), 3 | 7));
        }
    }
}

#[test]
fn used_is_what_is_not_free() {
    let info = json!({"ip":[{"device":"br0","ip":"10.0.0.1","mac":"02:00:00:00:00:01"}],
        "storage":[{"name":"BMC","total_bytes":100,"bytes_free":40}]});
    let read = Info::read("info", &info).unwrap();
    assert_eq!(read.storage[0].used_bytes, 60);
    let wrong = json!({"ip":[],"storage":[{"name":"BMC","total_bytes":1,"bytes_free":40}]});
    assert!(Info::read("info", &wrong).is_err());
}

#[test]
fn a_card_is_counted_in_bytes() {
    let bytes = json!([{"total":31_914_983_424_u64,"use":914_983_424,"free":31_000_000_000_u64}]);
    let card = SdCard::read("sdcard", &bytes, Generation::V2_3_5).unwrap();
    assert_eq!(card.total_bytes, 31_914_983_424);
    let mebibytes = json!({"total":30436,"free":29563,"use":873});
    let card = SdCard::read("sdcard", &mebibytes, Generation::V1).unwrap();
    assert_eq!(card.used_bytes, 873 << 20);
    // the layout that another client expects: an error, not zero bytes
    let other = json!([["total_bytes", 1], ["used_bytes", 2]]);
    assert!(SdCard::read("sdcard", &other, Generation::V2_3_5).is_err());
}

#[test]
fn modules() {
    let one = json!({"name":null,"module_name":"RK1","power_on_time":3600,"uart_baud":null});
    let none = json!({"name":null,"module_name":null,"power_on_time":null,"uart_baud":null});
    let nodes = NodeInfo::read("x", &json!([one, none, none, none])).unwrap();
    assert_eq!(nodes[0].module_name.as_deref(), Some("RK1"));
    assert!(NodeInfo::read("x", &json!([one])).is_err());
    assert!(NodeInfo::read("x", &json!([1, 2, 3, 4])).is_err());
    let settings = NodeSettings {
        name: Some("cp1".into()),
        ..NodeSettings::default()
    };
    assert_eq!(
        serde_json::to_string(&settings).unwrap(),
        r#"{"name":"cp1"}"#
    );
}

#[test]
fn fans() {
    let fans = json!([{"device":"system fan","speed":4,"max_speed":9}]);
    assert_eq!(Cooling::read("x", &fans).unwrap()[0].max_speed, 9);
    assert!(Cooling::read("x", &json!([{"device":"system fan"}])).is_err());
}
