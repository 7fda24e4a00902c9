// SPDX-License-Identifier: Apache-2.0
//! What resources do beyond the defects of others: values that are not known yet, imports, what is refused.

use serde_json::{Value as Json, json};
use tfplugin::testing::{Action, Core, Instance, unknown};

use super::{asked, at, board, configuration, configured, core, holds, image, made, none};
use crate::provider::TuringPi;

/// What happens once, with the least that each takes.
pub(super) const TRIGGERS: [(&str, &str); 7] = [
    ("turingpi_network_reset", "{}"),
    ("turingpi_bmc_reload", "{}"),
    ("turingpi_uart", r#"{"node": 1, "command": "root"}"#),
    ("turingpi_usb_boot", r#"{"node": 4}"#),
    ("turingpi_clear_usb_boot", r#"{"node": 1}"#),
    ("turingpi_node_to_msd", r#"{"node": 2}"#),
    ("turingpi_bmc_reboot", "{}"),
];

pub(super) fn parsed(config: &str) -> Json {
    serde_json::from_str(config).unwrap()
}

#[tokio::test]
async fn values_that_are_not_known_yet_pass() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    for (resource, config) in [
        (
            "turingpi_power",
            json!({"node": unknown(), "state": unknown()}),
        ),
        (
            "turingpi_power",
            json!({"node": 1, "state": "on", "on_destroy": unknown()}),
        ),
        (
            "turingpi_flash",
            json!({"node": unknown(), "firmware_file": unknown(), "sha256": unknown()}),
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "url": unknown(), "timeouts": {"create": unknown()}}),
        ),
        (
            "turingpi_node",
            json!({"node": unknown(), "firmware_file": unknown(), "power_state": unknown()}),
        ),
        (
            "turingpi_node",
            json!({"node": 1, "boot_check": unknown(), "boot_check_pattern": unknown()}),
        ),
        (
            "turingpi_usb",
            json!({"node": unknown(), "mode": unknown(), "route": unknown()}),
        ),
        (
            "turingpi_uart",
            json!({"node": 1, "command": unknown(), "triggers": {"a": unknown()}}),
        ),
        (
            "turingpi_bmc_firmware",
            json!({"firmware_file": unknown(), "triggers": unknown()}),
        ),
    ] {
        let change = core.plan(&none(resource), config.clone()).await;
        let change = change.unwrap_or_else(|e| panic!("{resource} {config}: {e}"));
        assert_eq!(change.action, Action::Create);
    }
    // an existing module whose image is made in the same run
    let file = image(dir.path(), "a.img", 10_000, 1);
    let node = made(
        &core,
        "turingpi_node",
        json!({"node": 1, "firmware_file": file}),
    )
    .await;
    let config = json!({"node": 1, "firmware_file": unknown()});
    let change = core.plan(&node, config).await.unwrap();
    assert_eq!(change.action, Action::Update);
    assert!(change.planned.attribute("firmware_sha256").is_unknown());
}

#[tokio::test]
async fn a_board_that_is_known_after_apply() {
    let core =
        configured(json!({"endpoint": unknown(), "username": "root", "password": unknown()})).await;
    let change = core
        .plan(&none("turingpi_power"), json!({"node": 1, "state": "on"}))
        .await;
    let change = change.unwrap();
    assert_eq!(change.action, Action::Create);
    let error = core.apply(change).await.1.unwrap_err();
    assert!(error.to_string().contains("not known yet"), "{error}");
    let error = core.data("turingpi_power", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("not known yet"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_is_told_where_it_stands() {
    let core = Core::new(TuringPi::default());
    for (resource, config, place, text) in [
        (
            "turingpi_power",
            json!({"node": 0, "state": "on"}),
            "node",
            "between 1 and 4",
        ),
        (
            "turingpi_power",
            json!({"node": 5, "state": "on"}),
            "node",
            "between 1 and 4",
        ),
        (
            "turingpi_power",
            json!({"node": 1.5, "state": "on"}),
            "node",
            "between 1 and 4",
        ),
        (
            "turingpi_power",
            json!({"node": 1, "state": "ON"}),
            "state",
            "`on`",
        ),
        (
            "turingpi_power",
            json!({"node": 1, "state": ""}),
            "state",
            "`on`",
        ),
        (
            "turingpi_power",
            json!({"node": 1, "state": "on", "on_destroy": "x"}),
            "on_destroy",
            "`leave`",
        ),
        (
            "turingpi_flash",
            json!({"node": 1}),
            "",
            "One of firmware_file",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "firmware_file": ""}),
            "firmware_file",
            "empty",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "firmware_file": "a", "url": "http://x"}),
            "url",
            "Only one",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "url": "https://me:secret@x/a.img"}),
            "url",
            "no login",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "url": "ftp://x"}),
            "url",
            "http",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "firmware_file": "a", "sha256": "abc"}),
            "sha256",
            "64",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "bmc_file": "a", "sha256": "a".repeat(64)}),
            "sha256",
            "file of its own",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "firmware_file": "a", "boot_check_pattern": "("}),
            "boot_check_pattern",
            "regular",
        ),
        (
            "turingpi_flash",
            json!({"node": 1, "firmware_file": "a", "timeouts": {"create": "5"}}),
            "timeouts.create",
            "duration",
        ),
        (
            "turingpi_node",
            json!({"node": 1, "power_state": "reset"}),
            "power_state",
            "`on`",
        ),
        (
            "turingpi_node",
            json!({"node": 1, "login_prompt_timeout": 0}),
            "login_prompt_timeout",
            "between",
        ),
        (
            "turingpi_usb",
            json!({"node": 1, "mode": "flash2"}),
            "mode",
            "`host`",
        ),
        (
            "turingpi_usb",
            json!({"node": 1, "mode": "host", "route": "usb"}),
            "route",
            "`usb-a`",
        ),
        ("turingpi_uart", json!({"node": 1}), "", "One of command"),
        (
            "turingpi_uart",
            json!({"node": 1, "command": "a", "command_wo": "b"}),
            "command_wo",
            "Only one",
        ),
        (
            "turingpi_uart",
            json!({"node": 1, "command": "a", "command_wo_version": 1}),
            "command_wo_version",
            "together",
        ),
        (
            "turingpi_bmc_firmware",
            json!({"firmware_file": "a", "timeout": 0}),
            "timeout",
            "between",
        ),
    ] {
        let failure = core.validate(resource, config.clone(), true).await;
        let failure = failure
            .err()
            .unwrap_or_else(|| panic!("{resource} {config} passed"));
        assert_eq!(at(&failure), [place], "{resource} {config}: {failure}");
        assert!(
            failure.to_string().contains(text),
            "{resource} {config}: {failure}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_provider_is_told() {
    for (config, text) in [
        (json!({"endpoint": "https://"}), "not the address"),
        (json!({"endpoint": "ftp://x"}), "not the address"),
        (json!({"username": "root"}), "go together"),
        (json!({"tls_fingerprint_sha256": "abc"}), "64"),
        (
            json!({"ca_cert_pem": "x", "known_boards_file": "y"}),
            "Only one",
        ),
        (json!({"ca_cert_pem": "no certificate"}), "certificate"),
        (json!({"request_timeout": 0}), "between"),
    ] {
        let error = Core::new(TuringPi::default())
            .configure(config.clone())
            .await;
        let error = error
            .err()
            .unwrap_or_else(|| panic!("{config} passed"))
            .to_string();
        assert!(error.contains(text), "{config}: {error}");
    }
}

#[tokio::test]
async fn what_is_empty_is_not_set() {
    let (board, _dir) = board().await;
    let mut config = configuration(&board);
    for name in ["tls_fingerprint_sha256", "known_boards_file"] {
        config[name] = json!(null);
    }
    let core = configured(config).await;
    core.data("turingpi_power", json!({})).await.unwrap();
    let none = json!({"endpoint": "", "username": "", "password": "", "ca_cert_pem": ""});
    configured(none).await;
}

#[tokio::test]
async fn every_id_of_a_state_can_be_imported() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    for (resource, ids) in [
        ("turingpi_power", &["2", "power-node-2"][..]),
        ("turingpi_node", &["2", "node-2"]),
        ("turingpi_flash", &["2", "flash-node-2", "flash-2"]),
        ("turingpi_usb", &["1", "usb-node-1"]),
        ("turingpi_uart", &["2", "uart-write-node-2"]),
        ("turingpi_usb_boot", &["2", "usb-boot-node-2"]),
        ("turingpi_clear_usb_boot", &["2", "clear-usb-boot-node-2"]),
        ("turingpi_node_to_msd", &["2", "node-to-msd-2"]),
        ("turingpi_network_reset", &["network-reset"]),
        ("turingpi_bmc_firmware", &["bmc-firmware"]),
        ("turingpi_bmc_reboot", &["bmc-reboot"]),
        ("turingpi_bmc_reload", &["bmc-reload"]),
    ] {
        for id in ids {
            let (imported, _) = core.import(resource, id).await.unwrap();
            assert_eq!(
                &imported.text("id"),
                ids.last()
                    .filter(|_| resource != "turingpi_flash")
                    .unwrap_or(&"flash-node-2")
            );
        }
        let error = core.import(resource, "x").await.unwrap_err();
        assert!(error.to_string().contains("ID"), "{error}");
    }
    let error = core.import("turingpi_usb", "2").await.unwrap_err();
    assert!(error.to_string().contains("connects slot 1"), "{error}");
}

#[tokio::test]
async fn what_was_imported_is_neither_written_nor_done_again() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    for (resource, id, config) in [
        (
            "turingpi_flash",
            "flash-node-2",
            json!({"node": 2, "firmware_file": file}),
        ),
        (
            "turingpi_flash",
            "2",
            json!({"node": 2, "bmc_file": "/mnt/sdcard/a.img"}),
        ),
        (
            "turingpi_node",
            "node-2",
            json!({"node": 2, "firmware_file": file, "power_state": "off", "boot_check": true}),
        ),
        (
            "turingpi_uart",
            "uart-write-node-2",
            json!({"node": 2, "command": "reboot", "triggers": {"a": "1"}}),
        ),
        (
            "turingpi_bmc_firmware",
            "bmc-firmware",
            json!({"firmware_file": "x.swu"}),
        ),
        (
            "turingpi_bmc_reboot",
            "bmc-reboot",
            json!({"triggers": {"a": "1"}}),
        ),
    ] {
        let (imported, _) = core.import(resource, id).await.unwrap();
        let change = core.plan(&imported, config.clone()).await.unwrap();
        assert_eq!(change.action, Action::Update, "{resource}");
        assert!(!change.told.is_empty(), "{resource}");
        let from = board.requests().len();
        let (after, result) = core.apply(change).await;
        result.unwrap();
        assert_eq!(asked(&board, from), Vec::<String>::new(), "{resource}");
        let change = core.plan(&after, config).await.unwrap();
        assert_eq!(change.action, Action::Nothing, "{resource}");
    }
    // from then on they are as others are
    let (imported, _) = core.import("turingpi_node", "3").await.unwrap();
    let config = json!({"node": 3, "firmware_file": file, "power_state": "off"});
    let node = core.settle(&imported, config.clone()).await.unwrap();
    assert!(!holds(&board, 3, &file));
    image(dir.path(), "a.img", 10_000, 2);
    core.settle(&node, config).await.unwrap();
    assert!(holds(&board, 3, &file));
}

#[tokio::test]
async fn another_time_limit_is_no_reason_to_touch_a_module() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    let node = made(
        &core,
        "turingpi_node",
        json!({"node": 1, "firmware_file": file, "boot_check": true}),
    )
    .await;
    let power = made(&core, "turingpi_power", json!({"node": 2, "state": "on"})).await;
    let reboot = made(&core, "turingpi_bmc_reload", json!({})).await;
    let from = board.requests().len();
    for (known, config) in [
        (
            &node,
            json!({"node": 1, "firmware_file": file, "boot_check": true, "login_prompt_timeout": 90}),
        ),
        (
            &node,
            json!({"node": 1, "firmware_file": file, "boot_check_pattern": "talos", "boot_check": true}),
        ),
        (
            &node,
            json!({"node": 1, "firmware_file": file, "timeouts": {"update": "1h"}, "boot_check": true}),
        ),
        (
            &power,
            json!({"node": 2, "state": "on", "on_destroy": "off"}),
        ),
        (&reboot, json!({"ready_timeout": 60})),
    ] {
        let change = core.plan(known, config.clone()).await.unwrap();
        assert_eq!(change.action, Action::Update, "{config}");
        assert!(
            change.planned.is_wholly_known(),
            "{config}: {:?}",
            change.planned
        );
        core.apply(change).await.1.unwrap();
    }
    assert_eq!(asked(&board, from), Vec::<String>::new());
}

#[tokio::test]
async fn a_password_can_be_typed_and_is_kept_nowhere() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    let config = json!({"node": 1, "command_wo": "hunter2", "command_wo_version": 1});
    let old = core
        .validate("turingpi_uart", config.clone(), false)
        .await
        .unwrap_err();
    assert_eq!(at(&old), ["command_wo"]);
    assert!(old.to_string().contains("OpenTofu 1.11"), "{old}");
    let change = core
        .plan(&none("turingpi_uart"), config.clone())
        .await
        .unwrap();
    assert!(!format!("{:?}", change.planned).contains("hunter2"));
    let from = board.requests().len();
    let (sent, result) = core.apply(change).await;
    result.unwrap();
    let requests = board.requests();
    assert!(
        requests[from..]
            .iter()
            .any(|r| r.path.contains("cmd=hunter2"))
    );
    assert!(!format!("{:?}", sent.state).contains("hunter2"));
    // it cannot be seen to change; its version can
    let other = json!({"node": 1, "command_wo": "hunter3", "command_wo_version": 1});
    assert_eq!(
        core.plan(&sent, other).await.unwrap().action,
        Action::Nothing
    );
    let next = json!({"node": 1, "command_wo": "hunter3", "command_wo_version": 2});
    let from = board.requests().len();
    core.settle(&sent, next).await.unwrap();
    assert!(
        board.requests()[from..]
            .iter()
            .any(|r| r.path.contains("cmd=hunter3"))
    );
}

#[tokio::test]
async fn a_trigger_that_changes_makes_it_happen_again() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    for (resource, config) in TRIGGERS {
        let mut config = parsed(config);
        config["triggers"] = json!({"v": "1"});
        let once = made(&core, resource, config.clone()).await;
        config["triggers"] = json!({"v": "2"});
        let from = board.requests().len();
        let change = core.plan(&once, config).await.unwrap();
        assert_eq!(change.action, Action::Update, "{resource}");
        core.apply(change).await.1.unwrap();
        assert!(
            asked(&board, from).iter().any(|c| c.starts_with("set ")),
            "{resource}"
        );
    }
}

#[tokio::test]
async fn a_token_lasts_for_a_run() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    let (token, _) = core.open("turingpi_token", json!({})).await.unwrap();
    assert_eq!(token.attribute("token").as_str().unwrap().len(), 64);
    assert_eq!(token.attribute("endpoint").as_str(), Some(&board.url()[..]));
}

#[tokio::test]
async fn lists_say_what_there_is() {
    let (board, _dir) = board().await;
    board.set_power(2, true);
    let core = core(&board).await;
    for resource in ["turingpi_power", "turingpi_node"] {
        let found = core.list(resource, json!({}), 0).await.unwrap();
        assert_eq!(found.len(), 4);
        assert!(found[1].display_name.ends_with('2'));
        assert_eq!(core.list(resource, json!({}), 2).await.unwrap().len(), 2);
    }
    let found = core.list("turingpi_power", json!({}), 0).await.unwrap();
    let states: Vec<_> = found
        .iter()
        .map(|f| f.state.attribute("state").as_str().unwrap())
        .collect();
    assert_eq!(states, ["off", "on", "off", "off"]);
}

#[tokio::test]
async fn an_image_that_is_not_there_yet_is_told() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let late = dir.path().join("late.img");
    for resource in ["turingpi_flash", "turingpi_node"] {
        let warns = async |instance: &Instance| {
            let config = json!({"node": 1, "firmware_file": late});
            let change = core.plan(instance, config).await.unwrap();
            let mut told = change.told.iter();
            told.any(|t| !t.is_error && t.at == "firmware_file" && t.detail.contains("late.img"))
        };
        assert!(warns(&none(resource)).await, "{resource}");
        image(dir.path(), "late.img", 1000, 1);
        assert!(!warns(&none(resource)).await, "{resource}");
        let config = json!({"node": 1, "firmware_file": late});
        let written = made(&core, resource, config).await;
        // one that was written may go
        std::fs::remove_file(&late).unwrap();
        assert!(!warns(&written).await, "{resource}");
    }
}
