// SPDX-License-Identifier: Apache-2.0
//! States as `jfreed-dev/turingpi` wrote them: each is taken over, by another provider in the state file and by a `moved` block, and the
//! next plan has nothing to do, or does nothing to the board.

use serde_json::{Value as Json, json};
use tfplugin::testing::{Action, Instance};

use super::{asked, board, core, image};

/// Each resource: its state there, the configuration that belongs to it, and what the next plan is.
fn states(file: &str) -> Vec<(&'static str, Json, Json, Action)> {
    vec![
        (
            "turingpi_power",
            json!({"id": "power-node-1", "node": 1, "state": "on", "current_state": true}),
            json!({"node": 1, "state": "on"}),
            Action::Nothing,
        ),
        (
            "turingpi_power",
            json!({"id": "power-node-1", "node": 1, "state": "reset", "current_state": true}),
            json!({"node": 1, "state": "reset"}),
            Action::Nothing,
        ),
        (
            "turingpi_flash",
            json!({"id": "flash-node-2", "node": 2, "firmware_file": file, "timeouts": null}),
            json!({"node": 2, "firmware_file": file}),
            Action::Update,
        ),
        (
            "turingpi_flash",
            json!({"id": "flash-node-2", "node": 2, "firmware_file": "gone.img", "timeouts": {"create": "45m"}}),
            json!({"node": 2, "firmware_file": "gone.img", "timeouts": {"create": "45m"}}),
            Action::Nothing,
        ),
        (
            "turingpi_node",
            json!({"id": "node-1", "node": 1, "firmware_file": file, "power_state": "on", "boot_check": true,
                "login_prompt_timeout": 60, "boot_check_pattern": "login:"}),
            json!({"node": 1, "firmware_file": file, "boot_check": true}),
            Action::Update,
        ),
        (
            "turingpi_node",
            json!({"id": "node-1", "node": 1, "firmware_file": null, "power_state": "on", "boot_check": false,
                "login_prompt_timeout": 60, "boot_check_pattern": "login:"}),
            json!({"node": 1}),
            Action::Nothing,
        ),
        (
            "turingpi_node",
            json!({"id": "node-2", "node": 2, "firmware_file": "", "power_state": "off", "boot_check": false,
                "login_prompt_timeout": 7200, "boot_check_pattern": "login:"}),
            json!({"node": 2, "power_state": "off", "login_prompt_timeout": 7200}),
            Action::Nothing,
        ),
        (
            "turingpi_bmc_reboot",
            json!({"id": "bmc-reboot", "triggers": null, "wait_for_ready": true, "ready_timeout": 120,
                "last_reboot": "2026-01-25T10:00:00Z"}),
            json!({"triggers": {}}),
            Action::Update,
        ),
        (
            "turingpi_usb",
            json!({"id": "usb-node-1", "node": 1, "mode": "host", "route": "usb-a", "current_mode": "Host",
                "current_node": 1, "current_route": "AlternativePort"}),
            json!({"node": 1, "mode": "host"}),
            Action::Nothing,
        ),
        (
            "turingpi_network_reset",
            json!({"id": "network-reset", "triggers": {"a": "1"}, "last_reset": "2026-01-25T10:00:00Z"}),
            json!({"triggers": {"a": "1"}}),
            Action::Nothing,
        ),
        (
            "turingpi_bmc_firmware",
            json!({"id": "bmc-firmware", "firmware_file": "x.swu", "bmc_local": false, "timeout": 300, "triggers": null,
                "last_upgrade": "2026-01-25T10:00:00Z", "previous_version": ""}),
            json!({"firmware_file": "x.swu"}),
            Action::Nothing,
        ),
        (
            "turingpi_uart",
            json!({"id": "uart-write-node-1", "node": 1, "command": "reboot", "triggers": null,
                "last_sent": "2026-01-25T10:00:00Z"}),
            json!({"node": 1, "command": "reboot"}),
            Action::Nothing,
        ),
        (
            "turingpi_bmc_reboot",
            json!({"id": "bmc-reboot", "triggers": null, "wait_for_ready": true, "ready_timeout": 120,
                "last_reboot": "2026-01-25T10:00:00Z"}),
            json!({}),
            Action::Nothing,
        ),
        (
            "turingpi_bmc_reload",
            json!({"id": "bmc-reload", "triggers": null, "wait_for_ready": true, "ready_timeout": 30,
                "last_reload": "2026-01-25T10:00:00Z"}),
            json!({}),
            Action::Nothing,
        ),
        (
            "turingpi_usb_boot",
            json!({"id": "usb-boot-node-3", "node": 3, "triggers": null, "last_enabled": "2026-01-25T10:00:00Z"}),
            json!({"node": 3}),
            Action::Nothing,
        ),
        (
            "turingpi_clear_usb_boot",
            json!({"id": "clear-usb-boot-node-3", "node": 3, "triggers": null, "last_cleared": "2026-01-25T10:00:00Z"}),
            json!({"node": 3}),
            Action::Nothing,
        ),
        (
            "turingpi_node_to_msd",
            json!({"id": "node-to-msd-3", "node": 3, "triggers": null, "last_triggered": "2026-01-25T10:00:00Z"}),
            json!({"node": 3}),
            Action::Nothing,
        ),
    ]
}

async fn check(moved: bool) {
    let (board, dir) = board().await;
    board.set_power(1, true);
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    for (resource, state, config, expected) in states(file.to_str().unwrap()) {
        let taken: Instance = if moved {
            let from = "registry.terraform.io/jfreed-dev/turingpi";
            core.moved(from, resource, &state, resource)
                .await
                .unwrap()
                .0
        } else {
            core.stored(resource, 0, &state).await.unwrap()
        };
        let (read, _) = core.refresh(&taken).await.unwrap();
        let from = board.requests().len();
        let change = core.plan(&read, config.clone()).await.unwrap();
        assert_eq!(
            change.action, expected,
            "{resource} {config}: {:?} to {:?}",
            read.state, change.planned
        );
        let (after, result) = core.apply(change).await;
        result.unwrap();
        assert_eq!(asked(&board, from), Vec::<String>::new(), "{resource}");
        let change = core.plan(&after, config).await.unwrap();
        assert_eq!(change.action, Action::Nothing, "{resource}");
    }
}

#[tokio::test]
async fn a_state_of_the_predecessor_is_taken_over_in_place() {
    check(false).await;
}

#[tokio::test]
async fn a_state_of_the_predecessor_is_moved() {
    check(true).await;
}

#[tokio::test]
async fn what_is_not_its_state_is_not_moved() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    let state = json!({"id": "power-node-1", "node": 1, "state": "on"});
    for (provider, source, target) in [
        (
            "registry.terraform.io/somebody/turingpi",
            "turingpi_power",
            "turingpi_power",
        ),
        (
            "registry.terraform.io/jfreed-dev/turingpi",
            "turingpi_power",
            "turingpi_node",
        ),
        (
            "registry.terraform.io/jfreed-dev/turingpi",
            "turingpi_k3s_cluster",
            "turingpi_node",
        ),
    ] {
        let error = core
            .moved(provider, source, &state, target)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("does not take over"), "{error}");
    }
}

#[tokio::test]
async fn a_state_that_does_not_fit_is_told() {
    let (board, _dir) = board().await;
    let core = core(&board).await;
    let error = core
        .stored("turingpi_power", 0, &json!({"node": {"a": 1}}))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("node"), "{error}");
    let error = core
        .stored("turingpi_power", 9, &json!({}))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("newer provider"), "{error}");
}
