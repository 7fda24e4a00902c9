// SPDX-License-Identifier: Apache-2.0
//! What each firmware tells, and that it tells what was set.

use turingpi_bmc::model::{NodeSettings, UsbMode, UsbRoute};
use turingpi_bmc::{Bmc, Encoding, Error, Generation, Slot};
use turingpi_sim::Profile;

use crate::{board, client, until};

/// A call does what it should, or says which firmware has it.
fn modern<T: std::fmt::Debug>(profile: Profile, result: turingpi_bmc::Result<T>) -> Option<T> {
    if profile.modern() {
        return Some(result.unwrap());
    }
    match result {
        Err(Error::Unsupported { .. }) => None,
        other => panic!("{profile}: {other:?}"),
    }
}

#[tokio::test]
async fn what_a_board_tells_of_itself() {
    for profile in Profile::ALL {
        let (board, _dir) = board(profile, |_| {}).await;
        let bmc = client(&board);
        let about = bmc.about().await.unwrap();
        let firmware = match profile {
            Profile::V1 => "1.1.0",
            Profile::V2_0_5 => "2.0.5",
            _ => "2.1.0",
        };
        assert_eq!(
            about.firmware_version.as_deref(),
            Some(firmware),
            "{profile}"
        );
        let generation = match profile {
            Profile::V1 => Generation::V1,
            Profile::V2_0_5 => Generation::V2_0,
            Profile::V2_1_0 => Generation::V2_1,
            Profile::V2_3_7 => Generation::V2_3_5,
        };
        assert_eq!(bmc.generation().await.unwrap(), generation);
        let info = bmc.info().await.unwrap();
        assert_eq!(info.network[0].ip, "10.10.88.70", "{profile}");
        assert_eq!(
            info.storage.len(),
            if profile == Profile::V1 { 0 } else { 2 }
        );
        let card = bmc.sd_card().await.unwrap();
        assert!(card.total_bytes > 31_900_000_000, "{profile} {card:?}");
        if let Some(fans) = modern(profile, bmc.cooling().await) {
            assert_eq!(fans[0].max_speed, 9);
            bmc.set_cooling("system fan", 7).await.unwrap();
            assert_eq!(bmc.cooling().await.unwrap()[0].speed, 7);
            assert!(bmc.set_cooling("system fan", 10).await.is_err());
        }
        modern(profile, bmc.serial_status().await);
        if modern(profile, bmc.set_usb_node1_alternative(true).await).is_some() {
            assert!(bmc.usb_node1_alternative().await.unwrap());
            bmc.set_usb_node1_alternative(false).await.unwrap();
            assert!(!bmc.usb_node1_alternative().await.unwrap());
        }
        let mut backup = Vec::new();
        match bmc.backup(&mut backup).await {
            Ok((name, size)) => {
                assert!(name.unwrap().ends_with(".tar.gz"));
                assert_eq!(size, backup.len() as u64);
            }
            Err(Error::Unsupported { .. }) => assert_eq!(profile, Profile::V1),
            Err(e) => panic!("{e}"),
        }
    }
}

/// Calls that are made for each slot.
async fn of_slot(profile: Profile, bmc: &Bmc, slot: Slot) {
    for on in [true, false] {
        bmc.set_power(&[(slot, on)]).await.unwrap();
        let power = bmc.power().await.unwrap();
        for other in Slot::ALL {
            let expected = on && other == slot;
            assert_eq!(power.of(other), Some(expected), "{profile} {slot} {other}");
        }
    }
    for mode in [UsbMode::Host, UsbMode::Device, UsbMode::Flash] {
        for route in [UsbRoute::UsbA, UsbRoute::Bmc] {
            // old firmware does not tell the route: what could not be read back is not set
            if profile == Profile::V1 && route == UsbRoute::Bmc {
                let before = bmc.usb().await.unwrap();
                let refused = bmc.set_usb(slot, mode, route).await.unwrap_err();
                assert_eq!(
                    refused.to_string(),
                    "the USB route to the BMC needs BMC firmware 2.0.4 or newer; this board runs 1.x"
                );
                assert_eq!(bmc.usb().await.unwrap(), before);
                continue;
            }
            bmc.set_usb(slot, mode, route).await.unwrap();
            let usb = bmc.usb().await.unwrap();
            assert_eq!(
                (usb.slot, usb.mode, usb.route),
                (slot, mode, route),
                "{profile}"
            );
        }
    }
    let settings = NodeSettings {
        name: Some(format!("n{slot}")),
        module_name: Some("RK1".into()),
        uart_baud: None,
    };
    if modern(profile, bmc.set_node_info(slot, &settings).await).is_some() {
        let nodes = bmc.node_info().await.unwrap();
        assert_eq!(nodes[slot.index()].name, settings.name);
    }
}

#[tokio::test]
async fn what_was_set_is_told_again() {
    for profile in Profile::ALL {
        let (board, _dir) = board(profile, |_| {}).await;
        let bmc = client(&board);
        for slot in Slot::ALL {
            of_slot(profile, &bmc, slot).await;
            assert!(!board.has_power(slot.number()));
        }
    }
}

#[tokio::test]
async fn several_slots_in_one_call() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let bmc = client(&board);
    let all = Slot::ALL.map(|s| (s, true));
    bmc.set_power(&all).await.unwrap();
    assert!((1..=4).all(|s| board.has_power(s)));
    bmc.set_power(&[(Slot::ALL[1], false)]).await.unwrap();
    assert!(board.has_power(1) && !board.has_power(2));
}

#[tokio::test]
async fn the_serial_port_tells_what_boots() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let image = crate::image(dir.path(), "image", 1000);
    std::fs::copy(image, board.emmc(1)).unwrap();
    let bmc = client(&board);
    let slot = Slot::ALL[0];
    let boot = async || {
        let mut log = bmc.boot_log(slot).await.unwrap();
        bmc.set_power(&[(slot, true)]).await.unwrap();
        let found = log
            .wait(
                std::time::Duration::from_secs(20),
                |text| text.contains("login:"),
                |_| {},
            )
            .await
            .unwrap();
        assert!(found, "{}", log.text());
        assert!(log.text().contains("Testix 1.0"), "{}", log.text());
        assert!(!log.text().contains('\x1b'));
    };
    boot().await;
    bmc.set_power(&[(slot, false)]).await.unwrap();
    // the ring still holds the old prompt: it must not count
    let mut log = bmc.boot_log(slot).await.unwrap();
    let found = log
        .wait(
            std::time::Duration::from_millis(100),
            |text| text.contains("login:"),
            |_| {},
        )
        .await
        .unwrap();
    assert!(!found, "an old prompt counts: {}", log.text());
    boot().await;
}

#[tokio::test]
async fn a_console_both_ways() {
    for hangs in [false, true] {
        let (board, dir) = board(Profile::V2_3_7, |o| {
            if hangs {
                o.faults.push(turingpi_sim::Fault::WebSocketHangs);
            }
        })
        .await;
        std::fs::copy(crate::image(dir.path(), "image", 1000), board.emmc(2)).unwrap();
        let bmc = client(&board);
        let mut console = bmc.console(Slot::ALL[1]).await.unwrap();
        let expected = if hangs {
            turingpi_bmc::console::Way::Polling
        } else {
            turingpi_bmc::console::Way::WebSocket
        };
        assert_eq!(console.way, expected);
        bmc.set_power(&[(Slot::ALL[1], true)]).await.unwrap();
        let mut seen = String::new();
        while !seen.contains("login:") {
            seen += &String::from_utf8_lossy(&console.next().await.unwrap().unwrap());
        }
        // the prompt is up a moment after it is written
        while !seen.contains("Login incorrect") {
            console.send(b"somebody\r".to_vec()).await;
            let next = tokio::time::timeout(std::time::Duration::from_secs(1), console.next());
            if let Ok(Some(bytes)) = next.await {
                seen += &String::from_utf8_lossy(&bytes.unwrap());
            }
        }
    }
}

/// Firmware of the 1.x generation writes what it gets, and ends no line.
#[tokio::test]
async fn a_line_that_is_typed_is_a_line_for_every_firmware() {
    for profile in Profile::ALL {
        let (board, _dir) = board(profile, |_| {}).await;
        std::fs::write(board.emmc(1), b"os: Testix 1.0\n").unwrap();
        let (bmc, slot) = (client(&board), Slot::ALL[0]);
        bmc.set_power(&[(slot, true)]).await.unwrap();
        let mut said = String::new();
        let mut says = async |text: &str| {
            until(async || {
                // older firmware forgets what was read
                said.push_str(&bmc.uart(slot, Encoding::Utf8).await.unwrap());
                said.contains(text)
            })
            .await;
        };
        says("login: ").await;
        bmc.uart_send(slot, "root").await.unwrap();
        says("Password: ").await;
    }
}
