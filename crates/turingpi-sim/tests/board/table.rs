// SPDX-License-Identifier: Apache-2.0
//! Each endpoint against each firmware, and against each slot where it has one: what is sent, and what is refused before it is sent.

use std::path::PathBuf;
use std::pin::Pin;

use turingpi_bmc::flash::{Flash, Source, never};
use turingpi_bmc::model::{NodeSettings, UsbMode, UsbRoute};
use turingpi_bmc::{Bmc, Encoding, Error, Slot};
use turingpi_sim::{Board, Profile};

use crate::{board, client, serve, serve::Answer};

type Outcome = Pin<Box<dyn Future<Output = turingpi_bmc::Result<()>> + Send>>;

/// What a call needs besides the board.
#[derive(Clone)]
struct Given {
    image: PathBuf,
    url: String,
}

/// A line of the table.
struct Line {
    /// As [`turingpi_sim::Seen::call`] names it.
    call: &'static str,
    /// How its node is given, if it has one: `node`, or `key` for `node1` and the like.
    slot: Option<&'static str>,
    since: Profile,
    /// What older firmware is asked instead; without it the call is refused there.
    instead: Option<&'static str>,
    run: fn(Bmc, Slot, Given) -> Outcome,
}

impl Line {
    const fn or(mut self, call: &'static str) -> Self {
        self.instead = Some(call);
        self
    }
}

const fn line(
    call: &'static str,
    slot: Option<&'static str>,
    since: Profile,
    run: fn(Bmc, Slot, Given) -> Outcome,
) -> Line {
    Line {
        call,
        slot,
        since,
        instead: None,
        run,
    }
}

const ALL: Profile = Profile::V1;
const SECURE: Profile = Profile::V2_0_5;
const MODERN: Profile = Profile::V2_1_0;
const NODE: Option<&str> = Some("node");

async fn flash(bmc: Bmc, slot: Option<Slot>, source: Source) -> turingpi_bmc::Result<()> {
    let (_switch, mut cancel) = never();
    let flash = match slot {
        Some(slot) => Flash::new(slot, source),
        None => Flash::firmware(source),
    };
    bmc.flash(&flash, |_| {}, &mut cancel).await.map(drop)
}

#[rustfmt::skip]
const TABLE: &[Line] = &[
    line("set power", Some("key"), ALL, |b, s, _| Box::pin(async move { b.set_power(&[(s, true)]).await })),
    line("set power", Some("key"), ALL, |b, s, _| Box::pin(async move { b.set_power(&[(s, false)]).await })),
    line("set reset", NODE, ALL, |b, s, _| Box::pin(async move { b.reset(s).await })),
    line("set usb", NODE, ALL, |b, s, _| Box::pin(async move { b.set_usb(s, UsbMode::Host, UsbRoute::UsbA).await })),
    line("set usb", NODE, ALL, |b, s, _| Box::pin(async move { b.set_usb(s, UsbMode::Device, UsbRoute::UsbA).await })),
    line("set usb", NODE, ALL, |b, s, _| Box::pin(async move { b.set_usb(s, UsbMode::Flash, UsbRoute::UsbA).await })),
    line("set usb", NODE, SECURE, |b, s, _| Box::pin(async move { b.set_usb(s, UsbMode::Host, UsbRoute::Bmc).await })),
    line("set usb", NODE, SECURE, |b, s, _| Box::pin(async move { b.set_usb(s, UsbMode::Device, UsbRoute::Bmc).await })),
    line("set usb", NODE, SECURE, |b, s, _| Box::pin(async move { b.set_usb(s, UsbMode::Flash, UsbRoute::Bmc).await })),
    line("set node_to_msd", NODE, ALL, |b, s, _| Box::pin(async move { b.node_to_msd(s).await })),
    line("set usb_boot", NODE, SECURE, |b, s, _| Box::pin(async move { b.usb_boot(s).await })),
    line("get uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart(s, Encoding::Utf8).await.map(drop) })),
    line("get uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart(s, Encoding::Utf16).await.map(drop) })),
    line("get uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart(s, Encoding::Utf16le).await.map(drop) })),
    line("get uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart(s, Encoding::Utf16be).await.map(drop) })),
    line("get uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart(s, Encoding::Utf32).await.map(drop) })),
    line("get uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart(s, Encoding::Utf32le).await.map(drop) })),
    line("get uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart(s, Encoding::Utf32be).await.map(drop) })),
    line("set uart", NODE, ALL, |b, s, _| Box::pin(async move { b.uart_send(s, "a b&c=d").await })),
    line("set node_info", Some("body"), MODERN, |b, s, _| Box::pin(async move {
        let settings = NodeSettings { name: Some(format!("n{s}")), ..NodeSettings::default() };
        b.set_node_info(s, &settings).await?;
        assert_eq!(b.node_info().await?[s.index()].name, settings.name);
        Ok(())
    })),
    line("/api/bmc/serial/ws", NODE, MODERN, |b, s, _| Box::pin(async move { b.console(s).await.map(drop) })).or("get uart"),
    line("set flash", NODE, SECURE, |b, s, given| Box::pin(flash(b, Some(s), Source::File(given.image)))),
    line("set flash", NODE, SECURE, |b, s, given| Box::pin(flash(b, Some(s), Source::OnBmc(given.image.display().to_string())))),
    line("set flash", NODE, MODERN, |b, s, given| Box::pin(flash(b, Some(s), Source::Url(given.url)))),
    // of the board as a whole
    line("get power", None, ALL, |b, _, _| Box::pin(async move { b.power().await.map(drop) })),
    line("get usb", None, ALL, |b, _, _| Box::pin(async move { b.usb().await.map(drop) })),
    line("get about", None, ALL, |b, _, _| Box::pin(async move { b.about().await.map(drop) })),
    line("get info", None, SECURE, |b, _, _| Box::pin(async move { b.info().await.map(drop) })).or("get other"),
    line("get other", None, ALL, |b, _, _| Box::pin(async move { b.other().await.map(drop) })),
    line("get sdcard", None, ALL, |b, _, _| Box::pin(async move { b.sd_card().await.map(drop) })),
    line("set clear_usb_boot", None, ALL, |b, _, _| Box::pin(async move { b.clear_usb_boot().await })),
    line("get usb_node1", None, MODERN, |b, _, _| Box::pin(async move { b.usb_node1_alternative().await.map(drop) })),
    line("set usb_node1", None, MODERN, |b, _, _| Box::pin(async move { b.set_usb_node1_alternative(true).await })),
    line("set usb_node1", None, MODERN, |b, _, _| Box::pin(async move { b.set_usb_node1_alternative(false).await })),
    line("get node_info", None, MODERN, |b, _, _| Box::pin(async move { b.node_info().await.map(drop) })),
    line("get cooling", None, MODERN, |b, _, _| Box::pin(async move { b.cooling().await.map(drop) })),
    line("set cooling", None, MODERN, |b, _, _| Box::pin(async move { b.set_cooling("system fan", 7).await })),
    line("/api/bmc/serial/status", None, MODERN, |b, _, _| Box::pin(async move { b.serial_status().await.map(drop) })),
    line("/api/bmc/backup", None, SECURE, |b, _, _| Box::pin(async move { b.backup(&mut Vec::new()).await.map(drop) })),
    line("get flash", None, SECURE, |b, _, _| Box::pin(async move { b.flash_state().await.map(drop) })),
    line("/api/bmc/upload//cancel", None, SECURE, |b, _, _| Box::pin(async move { b.flash_cancel().await.map(drop) })),
    line("set firmware", None, SECURE, |b, _, given| Box::pin(flash(b, None, Source::File(given.image)))),
    line("/api/bmc/upload/", None, SECURE, |b, _, given| Box::pin(flash(b, None, Source::File(given.image)))),
    line("/api/bmc/authenticate", None, SECURE, |b, _, _| Box::pin(async move { b.session_token().await.map(drop) })).or("get power"),
    line("set network", None, ALL, |b, _, _| Box::pin(async move { b.reset_network().await })),
    line("set reload", None, SECURE, |b, _, _| Box::pin(async move { b.reload().await })),
    line("set reboot", None, ALL, |b, _, _| Box::pin(async move { b.reboot(false).await })),
    line("set reboot", None, MODERN, |b, _, _| Box::pin(async move { b.reboot(true).await })),
];

/// Makes a call and looks at what arrived.
async fn check(board: &Board, line: &Line, profile: Profile, slot: Slot, given: Given) {
    let at = format!("{} of {profile}, slot {slot}", line.call);
    let before = board.requests().len();
    let result = (line.run)(client(board), slot, given).await;
    let requests = board.requests();
    let mut sent = requests[before..].iter().filter(|r| r.call() == line.call);
    if profile < line.since {
        assert_eq!(sent.next(), None, "{at}: it was sent all the same");
        match line.instead {
            None => assert!(
                matches!(result, Err(Error::Unsupported { .. })),
                "{at}: {result:?}"
            ),
            Some(call) => {
                result.unwrap_or_else(|e| panic!("{at}: {e:?}"));
                assert!(
                    requests[before..].iter().any(|r| r.call() == call),
                    "{at}: no {call}"
                );
            }
        }
        return;
    }
    result.unwrap_or_else(|e| panic!("{at}: {e:?}"));
    let sent = sent
        .next_back()
        .unwrap_or_else(|| panic!("{at}: it was not sent"));
    let node = match line.slot {
        Some("node") => format!("node={}", slot.index()),
        Some("key") => format!("{}=", slot.key()),
        _ => return,
    };
    let query = sent.path.split_once('?').map_or("", |(_, query)| query);
    assert!(
        query.split('&').any(|a| a.starts_with(&node)),
        "{at}: {query}"
    );
}

/// The checks of one firmware.
async fn of_firmware(profile: Profile) -> usize {
    let server = serve::start(vec![("/image.raw", Answer::Bytes(vec![7; 1000]))]).await;
    let mut checks = 0;
    for line in TABLE {
        // a restart in one line is nothing to the next
        let (board, dir) = board(profile, |_| {}).await;
        let given = Given {
            image: crate::image(dir.path(), "image.raw", 1000),
            url: format!("{server}/image.raw"),
        };
        let slots = if line.slot.is_some() {
            &Slot::ALL[..]
        } else {
            &Slot::ALL[..1]
        };
        for slot in slots {
            check(&board, line, profile, *slot, given.clone()).await;
            checks += 1;
        }
    }
    checks
}

#[tokio::test]
async fn every_endpoint_of_every_firmware_for_every_slot() {
    let mut running = Vec::new();
    for profile in Profile::ALL {
        running.push(tokio::spawn(of_firmware(profile)));
    }
    let mut checks = 0;
    for firmware in running {
        checks += firmware.await.unwrap();
    }
    println!("{checks} combinations of a call, a firmware and a slot");
    let documented = include_str!("../../../../docs/turingpi.md");
    let sentence = format!("{checks} combinations of a call, a firmware and a slot");
    assert!(
        documented.contains(&sentence),
        "docs/turingpi.md does not say: {sentence}"
    );
}
