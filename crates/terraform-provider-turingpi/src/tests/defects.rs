// SPDX-License-Identifier: Apache-2.0
//! What `jfreed-dev/turingpi` 1.3.10 gets wrong, one test a defect: each fails on its behaviour. `docs/turingpi.md` has the list.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tfplugin::testing::{Action, Core};
use turingpi_sim::{Fault, Kind, Profile};

use super::{
    SECURE, asked, board, board_of, configuration, configured, core, holds, image, logins, made,
    none,
};
use crate::provider::TuringPi;

#[tokio::test]
async fn m1_serial_output_can_be_read() {
    for profile in SECURE {
        let (board, _dir) = board_of(|o| o.profile = profile).await;
        let core = core(&board).await;
        let (uart, _) = core
            .data("turingpi_uart", json!({"node": 1}))
            .await
            .unwrap();
        assert_eq!(uart.attribute("has_output").as_bool(), Some(false));
        std::fs::write(board.emmc(1), "os: Testix 1.0\n").unwrap();
        let config = json!({"node": 1, "power_state": "on", "boot_check": true});
        made(&core, "turingpi_node", config).await;
        if profile >= Profile::V2_1_0 {
            // older ones forget what the boot check has read
            let (uart, _) = core
                .data("turingpi_uart", json!({"node": 1}))
                .await
                .unwrap();
            let output = uart.attribute("output").as_str().unwrap();
            assert!(output.contains("login:"), "{output}");
        }
    }
}

#[tokio::test]
async fn m2_a_card_has_its_size_and_none_is_an_error() {
    for profile in SECURE {
        let (board, _dir) = board_of(|o| o.profile = profile).await;
        let core = core(&board).await;
        let (card, _) = core.data("turingpi_sdcard", json!({})).await.unwrap();
        let figure = |name: &str| card.attribute(name).as_i64().unwrap();
        assert_eq!(figure("total_bytes"), 31_914_983_424);
        assert_eq!(
            figure("total_bytes"),
            figure("used_bytes") + figure("free_bytes")
        );
        assert!(figure("used_bytes") > 0);
        board.add_fault(Fault::NoSdCard);
        let error = core.data("turingpi_sdcard", json!({})).await.unwrap_err();
        assert!(error.to_string().contains("microSD"), "{error}");
    }
}

#[tokio::test]
async fn m3_versions_and_figures_are_those_of_the_board() {
    for (profile, firmware, daemon) in [
        (Profile::V2_0_5, "2.0.5", "2.0.5"),
        (Profile::V2_1_0, "2.1.0", "2.3.4"),
        (Profile::V2_3_7, "2.1.0", "2.3.7"),
    ] {
        let (board, _dir) = board_of(|o| o.profile = profile).await;
        let core = core(&board).await;
        for source in ["turingpi_info", "turingpi_about"] {
            let (told, _) = core.data(source, json!({})).await.unwrap();
            assert_eq!(told.attribute("firmware_version").as_str(), Some(firmware));
            assert_eq!(told.attribute("daemon_version").as_str(), Some(daemon));
        }
        let (info, _) = core.data("turingpi_info", json!({})).await.unwrap();
        for device in info.attribute("storage_devices").as_list().unwrap() {
            let figure = |name: &str| device.attribute(name).as_i64().unwrap();
            assert!(figure("used_bytes") > 0);
            assert_eq!(
                figure("total_bytes"),
                figure("used_bytes") + figure("free_bytes")
            );
        }
        let (usb, _) = core.data("turingpi_usb", json!({})).await.unwrap();
        assert_eq!(usb.attribute("route").as_str(), Some("usb-a"));
        assert_eq!(usb.attribute("node").as_i64(), Some(1));
    }
}

#[tokio::test]
async fn m4_a_plan_needs_no_board() {
    let (board, _dir) = board().await;
    let config = configuration(&board);
    let online = configured(config.clone()).await;
    let on = json!({"node": 1, "state": "on"});
    let switched = made(&online, "turingpi_power", on.clone()).await;
    board.stop().await;
    let offline = configured(config).await;
    // what there is not yet
    let other = json!({"node": 2, "state": "on"});
    let change = offline.plan(&none("turingpi_power"), other).await.unwrap();
    assert_eq!(change.action, Action::Create);
    // what is known
    let (kept, told) = offline.refresh(&switched).await.unwrap();
    assert_eq!(kept.state, switched.state);
    assert!(told[0].summary.contains("not known"), "{}", told[0]);
    let change = offline.plan(&kept, on).await.unwrap();
    assert_eq!(change.action, Action::Nothing);
}

#[tokio::test]
async fn m5_a_board_that_is_silent_is_waited_for_once() {
    let (board, _dir) = board().await;
    let mut config = configuration(&board);
    let mut known = Vec::new();
    let online = configured(config.clone()).await;
    for node in 1..=4 {
        known.push(
            made(
                &online,
                "turingpi_power",
                json!({"node": node, "state": "on"}),
            )
            .await,
        );
    }
    board.add_fault(Fault::Silent);
    // connections that are open are answered; a new process has none
    config["request_timeout"] = json!(1);
    let core = configured(config).await;
    let reads = known.iter().map(|one| core.refresh(one));
    let mut all = Vec::new();
    for read in join_all(reads).await {
        all.push(read.unwrap().1.remove(0).detail);
    }
    assert!(
        all[0].contains("did not answer") || all[0].contains("connection"),
        "{}",
        all[0]
    );
    // told four times; that it is waited for once is a test of `session`
    assert!(all.iter().all(|detail| *detail == all[0]));
}

#[tokio::test]
async fn m6_a_slot_that_was_switched_elsewhere_is_switched_back() {
    let (board, _dir) = board().await;
    let first = core(&board).await;
    let on = json!({"node": 3, "state": "on"});
    let switched = made(&first, "turingpi_power", on.clone()).await;
    board.set_power(3, false);
    let second = core(&board).await;
    let (read, _) = second.refresh(&switched).await.unwrap();
    assert_eq!(read.text("state"), "off");
    let change = second.plan(&read, on).await.unwrap();
    assert_eq!(change.action, Action::Update);
    second.apply(change).await.1.unwrap();
    assert!(board.has_power(3));
}

#[tokio::test]
async fn m7_destroying_leaves_the_slot_as_it_is_unless_told_otherwise() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    let left = made(&core, "turingpi_power", json!({"node": 1, "state": "on"})).await;
    let off = json!({"node": 2, "state": "on", "on_destroy": "off"});
    let off = made(&core, "turingpi_power", off).await;
    core.destroy(&left).await.unwrap();
    core.destroy(&off).await.unwrap();
    assert!(board.has_power(1));
    assert!(!board.has_power(2));
}

#[tokio::test]
async fn m8_a_node_is_written_and_the_next_plan_is_empty() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 50_000, 1);
    let config = json!({"node": 2, "firmware_file": file, "boot_check": true});
    let node = made(&core, "turingpi_node", config.clone()).await;
    assert!(holds(&board, 2, &file));
    assert!(board.has_power(2));
    let (read, _) = core.refresh(&node).await.unwrap();
    assert_eq!(read.text("power_state"), "on");
    let change = core.plan(&read, config).await.unwrap();
    assert_eq!(change.action, Action::Nothing);
}

#[tokio::test]
async fn m9_a_restart_is_waited_for_with_a_new_login() {
    // in real time, in which a ban would last
    let (board, _dir) = board_of(|o| o.speed = 1.0).await;
    let core = core(&board).await;
    core.data("turingpi_power", json!({})).await.unwrap();
    assert_eq!(logins(&board), 1);
    made(&core, "turingpi_bmc_reload", json!({})).await;
    assert_eq!(logins(&board), 2);
    // the address is not banned
    core.data("turingpi_info", json!({})).await.unwrap();
}

#[tokio::test]
async fn m10_what_is_done_to_a_slot_is_done_to_that_slot() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    for node in 1..=4_u8 {
        let index = format!("node={}", node - 1);
        for resource in ["turingpi_usb_boot", "turingpi_node_to_msd"] {
            let from = board.requests().len();
            made(&core, resource, json!({"node": node})).await;
            let requests = board.requests();
            let call = requests[from..].iter().find(|r| r.path.contains("opt=set"));
            let path = &call.unwrap().path;
            assert!(path.contains(&index), "{resource} {node}: {path}");
        }
    }
}

#[tokio::test]
async fn m11_a_usb_switch_that_moved_is_put_back() {
    let (board, _dir) = board().await;
    let first = core(&board).await;
    let config = json!({"node": 2, "mode": "device"});
    let usb = made(&first, "turingpi_usb", config.clone()).await;
    // somebody else
    let other = configured(configuration(&board)).await;
    made(
        &other,
        "turingpi_usb",
        json!({"node": 1, "mode": "host", "route": "bmc"}),
    )
    .await;
    let second = core(&board).await;
    let (read, _) = second.refresh(&usb).await.unwrap();
    let seen = (read.text("node"), read.text("mode"), read.text("route"));
    assert_eq!(seen, ("1".into(), "host".into(), "bmc".into()));
    let change = second.plan(&read, config).await.unwrap();
    assert_eq!(change.action, Action::Update);
    second.apply(change).await.1.unwrap();
    let (usb, _) = second.data("turingpi_usb", json!({})).await.unwrap();
    assert_eq!(usb.attribute("node").as_i64(), Some(2));
}

#[tokio::test]
async fn m12_an_import_takes_the_slot_and_the_id_of_the_state() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    for id in ["3", "power-node-3", " 3 "] {
        let (power, _) = core.import("turingpi_power", id).await.unwrap();
        assert_eq!(power.text("id"), "power-node-3");
    }
    for id in [
        "",
        "0",
        "5",
        "node-3",
        "power-node-",
        "power-node-9",
        "3.0",
        "three",
        "-1",
    ] {
        let error = core.import("turingpi_power", id).await.unwrap_err();
        assert!(error.to_string().contains("slot"), "{id:?}: {error}");
    }
}

#[tokio::test]
async fn m13_an_import_says_what_is() {
    let (board, _dir) = board().await;
    board.set_power(1, true);
    let core = core(&board).await;
    for (slot, state) in [("1", "on"), ("2", "off")] {
        let (power, _) = core.import("turingpi_power", slot).await.unwrap();
        assert_eq!(power.text("state"), state);
        let config = json!({"node": power.state.attribute("node").as_i64(), "state": state});
        let change = core.plan(&power, config).await.unwrap();
        assert_eq!(change.action, Action::Nothing);
    }
}

#[tokio::test]
async fn m13_a_reset_is_a_pulse_that_can_be_asked_for_again() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    let resets = |from| {
        asked(&board, from)
            .iter()
            .filter(|c| *c == "set reset")
            .count()
    };
    let reset = json!({"node": 1, "state": "reset"});
    let power = made(&core, "turingpi_power", reset.clone()).await;
    assert_eq!(resets(0), 1);
    let change = core.plan(&power, reset).await.unwrap();
    assert_eq!(change.action, Action::Nothing);
    for _ in 0..2 {
        let from = board.requests().len();
        core.invoke("turingpi_reset", json!({"node": 1}))
            .await
            .unwrap();
        assert_eq!(resets(from), 1);
    }
}

#[tokio::test]
async fn m14_a_refused_login_is_tried_once_and_told_in_the_words_of_the_board() {
    let (board, _dir) = board().await;
    let right = core(&board).await;
    let mut known = Vec::new();
    for node in 1..=4 {
        known.push(
            made(
                &right,
                "turingpi_power",
                json!({"node": node, "state": "on"}),
            )
            .await,
        );
    }
    let mut config = configuration(&board);
    config["password"] = json!("hunter2");
    let before = logins(&board);
    let wrong = configured(config.clone()).await;
    for one in &known {
        let text = wrong.refresh(one).await.unwrap_err().to_string();
        assert!(text.contains("credentials incorrect"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(logins(&board), before + 1);
    // the fifth in a row begins the ban, which is told with its end
    for _ in 0..3 {
        configured(config.clone())
            .await
            .refresh(&known[0])
            .await
            .unwrap_err();
    }
    let (_, told) = configured(config).await.refresh(&known[0]).await.unwrap();
    assert!(told[0].detail.contains("banned"), "{}", told[0]);
    assert!(told[0].detail.contains(" s"), "{}", told[0]);
}

#[tokio::test]
async fn m15_what_protocol_5_does_not_have() {
    let schema = tfplugin::docs::schema(&TuringPi::default());
    for part in [
        "functions",
        "ephemeral_resource_schemas",
        "action_schemas",
        "list_resource_schemas",
        "resource_identity_schemas",
    ] {
        assert!(
            schema[part].as_object().is_some_and(|p| !p.is_empty()),
            "{part}"
        );
    }
    assert!(schema.to_string().contains("\"write_only\":true"));
}

#[tokio::test]
async fn m16_any_number_of_power_resources_is_one_request() {
    let (board, _dir) = board().await;
    let first = core(&board).await;
    let mut known = Vec::new();
    for round in 0..16 {
        let config = json!({"node": round % 4 + 1, "state": "on"});
        known.push(made(&first, "turingpi_power", config).await);
    }
    // one process of a plan: it logs in, reads each resource, and two data sources
    let core = core(&board).await;
    let from = board.requests().len();
    let reads = known.iter().map(|one| core.refresh(one));
    for read in join_all(reads).await {
        read.unwrap();
    }
    core.data("turingpi_power", json!({})).await.unwrap();
    assert_eq!(asked(&board, from), ["get power"]);
    core.data("turingpi_info", json!({})).await.unwrap();
    let asked = asked(&board, from);
    assert_eq!(
        asked.iter().filter(|call| *call == "get power").count(),
        1,
        "{asked:?}"
    );
}

#[tokio::test]
async fn b4_to_b7_a_firmware_is_written_to_the_bmc() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "tp2-2.2.0.swu", 40_000, 3);
    let from = board.requests().len();
    let config = json!({"firmware_file": file});
    let written = made(&core, "turingpi_bmc_firmware", config).await;
    assert_eq!(written.text("previous_version"), "2.1.0");
    let requests = board.requests();
    let start = requests[from..]
        .iter()
        .find(|r| r.call() == "set firmware")
        .unwrap();
    assert!(start.path.contains("file=tp2-2.2.0.swu"), "{}", start.path);
    // a name that a shell would read is refused before anything is sent
    let strange = image(dir.path(), "a b&c.img", 1000, 3);
    let from = board.requests().len();
    let change = core
        .plan(
            &none("turingpi_bmc_firmware"),
            json!({"firmware_file": strange}),
        )
        .await;
    let error = core.apply(change.unwrap()).await.1.unwrap_err().to_string();
    assert!(error.contains("letters, digits"), "{error}");
    assert!(!asked(&board, from).contains(&"set firmware".to_owned()));
    // as an image for a module it is no trouble
    made(
        &core,
        "turingpi_flash",
        json!({"node": 1, "firmware_file": strange}),
    )
    .await;
    assert!(holds(&board, 1, &strange));
}

#[tokio::test]
async fn b12_an_old_login_prompt_does_not_count() {
    let (board, dir) = board_of(|o| o.faults.push(Fault::NeverBoots(2))).await;
    let core = core(&board).await;
    board.end_fault(&Fault::NeverBoots(2));
    let file = image(dir.path(), "a.img", 20_000, 1);
    let config =
        json!({"node": 2, "firmware_file": file, "boot_check": true, "login_prompt_timeout": 5});
    let node = made(&core, "turingpi_node", config.clone()).await;
    // the ring has a login prompt now, and the next image does not boot
    board.add_fault(Fault::NeverBoots(2));
    image(dir.path(), "a.img", 20_000, 99);
    let change = core.plan(&node, config).await.unwrap();
    let error = core.apply(change).await.1.unwrap_err().to_string();
    assert!(error.contains("did not come up"), "{error}");
}

#[tokio::test]
async fn b14_four_flashes_at_once_all_arrive() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 100_000, 5);
    let all = (1..=4).map(|node| {
        let (core, file) = (core.clone(), file.clone());
        async move {
            core.settle(
                &none("turingpi_flash"),
                json!({"node": node, "firmware_file": file}),
            )
            .await
        }
    });
    for flashed in join_all(all).await {
        flashed.unwrap();
    }
    for slot in 1..=4 {
        assert!(holds(&board, slot, &file), "slot {slot}");
    }
}

#[tokio::test]
async fn b16_a_daemon_that_restarts_in_the_middle_ends_it_at_once() {
    let (board, dir) = board_of(|o| {
        o.faults.push(Fault::RestartAt(30_000));
        o.emmc_rate = 10_000;
    })
    .await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 4_000_000, 5);
    let change = core
        .plan(
            &none("turingpi_flash"),
            json!({"node": 1, "firmware_file": file}),
        )
        .await;
    let applied = tokio::time::timeout(Duration::from_secs(60), core.apply(change.unwrap())).await;
    let (after, result) = applied.unwrap();
    let error = result.unwrap_err().to_string();
    assert!(error.contains("flash again"), "{error}");
    assert!(after.state.is_null());
}

#[tokio::test]
async fn b17_two_boards_have_two_ways_of_trust() {
    let (one, _one) = board().await;
    let (two, _two) = board().await;
    let mut lax = configuration(&one);
    lax["ca_cert_pem"] = json!(null);
    lax["insecure"] = json!(true);
    let first = Core::new(TuringPi::default());
    let told = first.configure(lax).await.unwrap();
    assert!(told[0].summary.contains("Any certificate"), "{}", told[0]);
    first.data("turingpi_power", json!({})).await.unwrap();
    let mut strict = configuration(&two);
    strict["ca_cert_pem"] = json!(null);
    let second = configured(strict).await;
    let error = second.data("turingpi_power", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("not trusted"), "{error}");
}

#[tokio::test]
async fn p5_an_image_is_known_by_its_contents() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 30_000, 1);
    let config = json!({"node": 1, "firmware_file": file});
    let flashed = made(&core, "turingpi_flash", config.clone()).await;
    // the same contents under another name
    let copy = dir.path().join("b.img");
    std::fs::copy(&file, &copy).unwrap();
    let renamed = json!({"node": 1, "firmware_file": copy});
    let change = core.plan(&flashed, renamed).await.unwrap();
    assert_eq!(change.action, Action::Update);
    let from = board.requests().len();
    core.apply(change).await.1.unwrap();
    assert_eq!(asked(&board, from), Vec::<String>::new());
    // other contents under the same name
    image(dir.path(), "a.img", 30_000, 2);
    let change = core.plan(&flashed, config).await.unwrap();
    assert_eq!(change.action, Action::Replace);
    assert_eq!(change.replaces, ["firmware_sha256"]);
    core.apply(change).await.1.unwrap();
    assert!(holds(&board, 1, &file));
}

#[tokio::test]
async fn p6_what_happens_once_is_not_planned_again() {
    let (board, _dir) = board_of(|o| o.modules = [Kind::Rk1; 4]).await;
    let core = core(&board).await;
    for (resource, config) in
        super::resources::TRIGGERS.map(|(r, c)| (r, super::resources::parsed(c)))
    {
        let made = made(&core, resource, config.clone()).await;
        let (read, _) = core.refresh(&made).await.unwrap();
        let change = core.plan(&read, config).await.unwrap();
        assert_eq!(change.action, Action::Nothing, "{resource}");
    }
}
