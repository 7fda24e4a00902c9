// SPDX-License-Identifier: Apache-2.0
//! What goes wrong on the way, and what the next apply makes of it.

use futures_util::future::{join, join_all};
use serde_json::json;
use tfplugin::testing::{Action, Core, Failure, Instance};
use turingpi_sim::{Board, Fault, Kind};

use super::{
    asked, at, board, board_of, configuration, configured, core, holds, image, made, none,
    until_asked,
};

/// Applies, and interrupts as soon as the board was asked for something.
async fn interrupted(
    core: &Core,
    board: &Board,
    change: tfplugin::testing::Change,
    call: &str,
) -> (Instance, Result<Vec<tfplugin::testing::Told>, Failure>) {
    let from = board.requests().len();
    let interrupt = async {
        until_asked(board, from, call).await;
        core.interrupt();
    };
    join(core.apply(change), interrupt).await.0
}

#[tokio::test]
async fn an_interrupt_ends_a_transfer_on_the_board_too() {
    let (board, dir) = board_of(|o| o.emmc_rate = 1000).await;
    let file = image(dir.path(), "a.img", 4_000_000, 1);
    let config = json!({"node": 1, "firmware_file": file});
    for resource in ["turingpi_flash", "turingpi_node"] {
        let core = core(&board).await;
        let change = core.plan(&none(resource), config.clone()).await.unwrap();
        let (after, result) = interrupted(&core, &board, change, "get flash").await;
        let error = result.unwrap_err().to_string();
        assert!(error.contains("stopped"), "{error}");
        assert!(after.state.is_null());
        assert!(asked(&board, 0).iter().any(|c| c.ends_with("/cancel")));
    }
}

/// Found by a configuration of twelve resources: a reload cut off the call that was under way beside it.
#[tokio::test]
async fn a_restart_and_what_is_beside_it_wait_for_each_other() {
    let (board, _dir) = board_of(|o| o.speed = 10.0).await;
    let core = core(&board).await;
    let plan = async |resource, config| core.plan(&none(resource), config).await.unwrap();
    let mass_storage = plan("turingpi_node_to_msd", json!({"node": 2})).await;
    let reload = plan("turingpi_bmc_reload", json!({})).await;
    let power = plan("turingpi_power", json!({"node": 1, "state": "on"})).await;
    let restarting = async {
        until_asked(&board, 0, "set node_to_msd").await;
        core.apply(reload).await
    };
    let switching = async {
        until_asked(&board, 0, "set reload").await;
        core.apply(power).await
    };
    let ((_, one), ((_, two), (_, three))) =
        join(core.apply(mass_storage), join(restarting, switching)).await;
    one.unwrap();
    two.unwrap();
    three.unwrap();
    assert_eq!(board.daemon(), 2);
    assert!(board.has_power(1));
}

#[tokio::test]
async fn an_interrupt_ends_the_wait_for_a_module() {
    let (board, dir) = board_of(|o| o.faults.push(Fault::NeverBoots(1))).await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    let config =
        json!({"node": 1, "firmware_file": file, "boot_check": true, "login_prompt_timeout": 3600});
    let change = core.plan(&none("turingpi_node"), config).await.unwrap();
    let (after, result) = interrupted(&core, &board, change, "get uart").await;
    assert!(result.unwrap_err().to_string().contains("Stopped"));
    // the image is written; that is kept
    assert_eq!(after.text("firmware_sha256").len(), 64);
}

#[tokio::test]
async fn an_interrupt_ends_the_wait_for_the_turn() {
    let (board, dir) = board_of(|o| o.emmc_rate = 1000).await;
    let file = image(dir.path(), "a.img", 4_000_000, 1);
    let (first, second) = (core(&board).await, core(&board).await);
    let one = first
        .plan(
            &none("turingpi_flash"),
            json!({"node": 1, "firmware_file": file}),
        )
        .await
        .unwrap();
    let two = second
        .plan(
            &none("turingpi_flash"),
            json!({"node": 2, "firmware_file": file}),
        )
        .await
        .unwrap();
    let waiting = async {
        until_asked(&board, 0, "get flash").await;
        // the board is taken now
        let (_, result) = join(second.apply(two), async { second.interrupt() })
            .await
            .0;
        first.interrupt();
        result.unwrap_err().to_string()
    };
    let ((_, result), error) = join(first.apply(one), waiting).await;
    assert!(error.contains("stopped"), "{error}");
    assert!(result.is_err());
    assert!(!asked(&board, 0).iter().any(|c| c.contains("node=1")));
}

#[tokio::test]
async fn an_interrupt_ends_the_wait_for_a_transfer_into_the_slot() {
    let (board, dir) = board_of(|o| o.emmc_rate = 1000).await;
    let file = image(dir.path(), "a.img", 4_000_000, 1);
    let first = core(&board).await;
    let flash = json!({"node": 1, "firmware_file": file});
    let flash = first.plan(&none("turingpi_flash"), flash).await.unwrap();
    let waits = async {
        until_asked(&board, 0, "get flash").await;
        for (resource, config) in [
            ("turingpi_power", json!({"node": 1, "state": "on"})),
            ("turingpi_node", json!({"node": 1})),
            ("turingpi_usb", json!({"node": 2, "mode": "host"})),
            ("turingpi_usb_boot", json!({"node": 1})),
        ] {
            let second = core(&board).await;
            let change = second.plan(&none(resource), config).await.unwrap();
            let (_, result) = join(second.apply(change), async { second.interrupt() })
                .await
                .0;
            let error = result.unwrap_err().to_string();
            assert!(error.contains("Stopped"), "{resource}: {error}");
        }
        first.interrupt();
    };
    let ((_, result), ()) = join(first.apply(flash), waits).await;
    assert!(result.is_err());
    // the transfer's own end sets the switch back; nobody else has done anything
    let done = asked(&board, 0);
    let count = |call: &str| done.iter().filter(|c| *c == call).count();
    assert_eq!(
        (count("set usb"), count("set usb_boot")),
        (1, 0),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_pulled_plug_is_picked_up_by_the_next_apply() {
    let (board, dir) = board_of(|o| o.emmc_rate = 1000).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    let config = json!({"node": 1, "firmware_file": file, "timeouts": {"update": "5m"}});
    let first = core(&board).await;
    let node = made(&first, "turingpi_node", config.clone()).await;
    image(dir.path(), "a.img", 4_000_000, 2);
    let change = first.plan(&node, config.clone()).await.unwrap();
    assert_eq!(change.action, Action::Update);
    let pull = async {
        let from = board.requests().len();
        until_asked(&board, from, "get flash").await;
        board.power_cycle();
    };
    let ((broken, result), ()) = join(first.apply(change), pull).await;
    assert!(result.is_err());
    assert!(broken.state.attribute("firmware_sha256").is_null());
    // small enough to be written now
    image(dir.path(), "a.img", 10_000, 3);
    let second = core(&board).await;
    let (read, _) = second.refresh(&broken).await.unwrap();
    let change = second.plan(&read, config.clone()).await.unwrap();
    assert_eq!(change.action, Action::Update);
    let (whole, result) = second.apply(change).await;
    result.unwrap();
    assert!(holds(&board, 1, &file));
    assert_eq!(
        second.plan(&whole, config).await.unwrap().action,
        Action::Nothing
    );
}

#[tokio::test]
async fn half_an_image_is_written_again_when_the_old_one_is_wanted_back() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let old = image(dir.path(), "old.img", 10_000, 1);
    let new = image(dir.path(), "new.img", 10_000, 2);
    let config = |file: &std::path::Path| json!({"node": 1, "firmware_file": file});
    let node = made(&core, "turingpi_node", config(&old)).await;
    board.add_fault(Fault::CrcMismatch);
    let change = core.plan(&node, config(&new)).await.unwrap();
    let (broken, result) = core.apply(change).await;
    result.unwrap_err();
    board.end_fault(&Fault::CrcMismatch);
    let change = core.plan(&broken, config(&old)).await.unwrap();
    assert_eq!(change.action, Action::Update);
    core.apply(change).await.1.unwrap();
    assert!(holds(&board, 1, &old));
}

#[tokio::test]
async fn an_image_that_is_another_one_is_refused_when_it_is_planned() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    let config = json!({"node": 1, "firmware_file": file, "sha256": "0".repeat(64)});
    let failure = core
        .plan(&none("turingpi_flash"), config)
        .await
        .unwrap_err();
    assert_eq!(at(&failure), ["sha256"]);
    assert_eq!(asked(&board, 0), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_at_its_attribute() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let config = json!({"node": 1, "firmware_file": dir.path().join("none.img")});
    for resource in ["turingpi_flash", "turingpi_node"] {
        let change = core.plan(&none(resource), config.clone()).await.unwrap();
        let (after, result) = core.apply(change).await;
        let failure = result.unwrap_err();
        assert_eq!(at(&failure), ["firmware_file"], "{failure}");
        assert!(after.state.is_null());
    }
}

#[tokio::test]
async fn a_slot_that_cannot_be_flashed_is_told_at_its_attribute() {
    let (board, dir) = board_of(|o| {
        o.modules = [Kind::Rk1, Kind::Jetson, Kind::Empty, Kind::Cm4];
    })
    .await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    for node in [2, 3] {
        let config = json!({"node": node, "firmware_file": file});
        let change = core.plan(&none("turingpi_flash"), config).await.unwrap();
        let failure = core.apply(change).await.1.unwrap_err();
        assert_eq!(at(&failure), ["node"], "{failure}");
        assert!(failure.to_string().contains("Jetson"), "{failure}");
    }
}

#[tokio::test]
async fn a_token_that_is_lost_in_the_middle_is_nobodys_business() {
    let (board, dir) = board_of(|o| o.faults.push(Fault::LoseTokensAt(30_000))).await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 100_000, 1);
    made(
        &core,
        "turingpi_flash",
        json!({"node": 1, "firmware_file": file}),
    )
    .await;
    assert!(holds(&board, 1, &file));
}

#[tokio::test]
async fn two_providers_on_one_board_take_turns() {
    let (board, dir) = board().await;
    let file = image(dir.path(), "a.img", 100_000, 1);
    let all = (1..=4).map(|node| {
        let (board, file) = (&board, &file);
        async move {
            let core = core(board).await;
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
        assert!(holds(&board, slot, &file));
    }
}

#[tokio::test]
async fn a_transfer_of_somebody_else_is_left_alone_unless_forced() {
    let (board, dir) = board_of(|o| o.emmc_rate = 1000).await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 100, 1);
    // somebody who does not know of turns, and never sends what was announced
    let (token, _) = core.open("turingpi_token", json!({})).await.unwrap();
    assert!(token.attribute("token").as_str().is_some());
    let other = configured(configuration(&board)).await;
    let big = image(dir.path(), "b.img", 4_000_000, 1);
    let theirs = other
        .plan(
            &none("turingpi_flash"),
            json!({"node": 2, "firmware_file": big}),
        )
        .await
        .unwrap();
    let ours = core
        .plan(
            &none("turingpi_flash"),
            json!({"node": 1, "firmware_file": file}),
        )
        .await
        .unwrap();
    let waits = async {
        until_asked(&board, 0, "get flash").await;
        other.interrupt();
        core.apply(ours).await.1
    };
    let ((_, theirs), ours) = join(other.apply(theirs), waits).await;
    assert!(theirs.is_err());
    ours.unwrap();
    assert!(holds(&board, 1, &file));
}

#[tokio::test]
async fn another_certificate_is_noticed() {
    let (one, dir) = board().await;
    let mut config = configuration(&one);
    config["ca_cert_pem"] = json!(null);
    config["known_boards_file"] = json!(dir.path().join("known"));
    configured(config.clone())
        .await
        .data("turingpi_power", json!({}))
        .await
        .unwrap();
    configured(config.clone())
        .await
        .data("turingpi_power", json!({}))
        .await
        .unwrap();
    let address = one.address();
    one.stop().await;
    let (_two, _dir) = board_of(|o| o.listen = address).await;
    let error = configured(config)
        .await
        .data("turingpi_power", json!({}))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not trusted"), "{error}");
}

#[tokio::test]
async fn a_module_that_does_not_come_up_is_checked_again_and_not_written_again() {
    let (board, dir) = board().await;
    let core = core(&board).await;
    let file = image(dir.path(), "a.img", 10_000, 1);
    let config =
        json!({"node": 1, "firmware_file": file, "boot_check": true, "login_prompt_timeout": 2});
    let node = made(&core, "turingpi_node", config.clone()).await;
    image(dir.path(), "a.img", 10_000, 2);
    board.add_fault(Fault::NeverBoots(1));
    let change = core.plan(&node, config.clone()).await.unwrap();
    let (asleep, result) = core.apply(change).await;
    let failure = result.unwrap_err();
    assert_eq!(at(&failure), ["boot_check_pattern"], "{failure}");
    board.end_fault(&Fault::NeverBoots(1));
    let change = core.plan(&asleep, config.clone()).await.unwrap();
    assert_eq!(change.action, Action::Update);
    let from = board.requests().len();
    let (up, result) = core.apply(change).await;
    result.unwrap();
    assert!(!asked(&board, from).contains(&"set flash".to_owned()));
    assert_eq!(
        core.plan(&up, config).await.unwrap().action,
        Action::Nothing
    );
}
