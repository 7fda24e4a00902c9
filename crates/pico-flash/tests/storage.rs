// SPDX-License-Identifier: Apache-2.0
//! What the storage does when nothing goes wrong: limits, room, order, wear, firmware slots.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeMap;

use pico_eci::Digest;
use pico_flash::{Error, SimFlash, Slot, Storage};
use proptest::prelude::*;

fn chip(kib: u32) -> Storage<SimFlash> {
    Storage::open(SimFlash::new(kib * 1024, 1)).unwrap()
}

#[test]
fn values_manifests_and_owners() {
    let mut device = chip(2048);
    assert_eq!(device.read_data("pod", b"key"), Err(Error::NotFound));
    device.write_data("pod", b"key", b"value", 8).unwrap();
    assert_eq!(
        device.write_data("pod", b"k", b"", 8),
        Err(Error::Full),
        "the owner's limit"
    );
    device.write_data("pod", b"key", b"other", 8).unwrap();
    device
        .write_data("po", b"d\0key", b"another owner", 100)
        .unwrap();
    assert_eq!(
        (device.data_used("pod"), device.data_used("po")),
        (Ok(8), Ok(18))
    );
    assert_eq!(
        device.write_data("pod", b"", b"", 8),
        Ok(()),
        "an owner may use the empty key"
    );
    assert_eq!(
        device.write_data("a\0b", b"key", b"", 8),
        Err(Error::TooLarge)
    );
    assert_eq!(
        device.write_data("pod", &[1; 200], b"", 1_000),
        Err(Error::TooLarge)
    );
    assert_eq!(
        device.write_data("pod", b"key", &[1; 2_049], 10_000),
        Err(Error::TooLarge)
    );
    device.remove_owner("pod").unwrap();
    assert_eq!(device.read_data("pod", b"key"), Err(Error::NotFound));
    assert_eq!(device.read_data("po", b"d\0key").unwrap(), b"another owner");

    for length in [0, 1, 1_024, 1_025, 5_000, 32 * 1024] {
        device
            .save_manifest("pods/default/a", &vec![length as u8; length])
            .unwrap();
        assert_eq!(
            device.load_manifest("pods/default/a").unwrap(),
            vec![length as u8; length]
        );
    }
    assert_eq!(
        device.save_manifest("a", &[0; 32 * 1024 + 1]),
        Err(Error::TooLarge)
    );
    assert_eq!(device.manifests().unwrap(), ["pods/default/a"]);
    let full = device.usage().unwrap().manifests_used;
    device.remove_manifest("pods/default/a").unwrap();
    assert!(
        device.usage().unwrap().manifests_used + 32 * 1024 < full,
        "its parts are gone as well"
    );
}

#[test]
fn a_full_area_says_so_and_removing_makes_room() {
    let mut device = chip(344);
    let mut keys = 0_u32;
    while device
        .write_data("pod", &keys.to_le_bytes(), &[1; 500], u32::MAX)
        .is_ok()
    {
        keys += 1;
    }
    let usage = device.usage().unwrap();
    assert!(usage.above(85) && keys >= 65, "{keys} keys, {usage:?}");
    let erases = usage.max_erases;
    for _ in 0..50 {
        assert_eq!(
            device.write_data("pod", b"more", &[1; 500], u32::MAX),
            Err(Error::Full)
        );
    }
    assert_eq!(
        device.usage().unwrap().max_erases,
        erases,
        "refusing wears nothing"
    );
    device.remove_data("pod", &3_u32.to_le_bytes()).unwrap();
    device
        .write_data("pod", b"more", &[1; 500], u32::MAX)
        .unwrap();
    for key in (0..keys).filter(|key| *key != 3) {
        assert_eq!(
            device.read_data("pod", &key.to_le_bytes()).unwrap(),
            [1; 500]
        );
    }
}

#[test]
fn wear_is_level() {
    let mut device = chip(344);
    // some data that never changes, and one key that does all the time
    for key in 0..20_u8 {
        device
            .write_data("pod", &[key], &[key; 500], u32::MAX)
            .unwrap();
    }
    for round in 0..10_000_u32 {
        device
            .write_data("pod", b"counter", &round.to_le_bytes(), u32::MAX)
            .unwrap();
    }
    let data = device.layout().data;
    let wear: Vec<u32> = device
        .flash()
        .wear()
        .filter(|(sector, _)| (data.start / 4096..data.end() / 4096).contains(sector))
        .map(|(_, erases)| erases)
        .collect();
    let (least, most) = (*wear.iter().min().unwrap(), *wear.iter().max().unwrap());
    assert_eq!(wear.len() as u32, data.len / 4096);
    assert!(most - least <= 1, "{wear:?}");
    assert_eq!(device.usage().unwrap().max_erases, most, "wear is known");
}

#[test]
fn images_are_found_replaced_and_collected() {
    let mut device = chip(344);
    let digest = |number: u8| Digest([number; 32]);
    let put = |device: &mut Storage<SimFlash>, number: u8, reference: &str, length: usize| {
        device.put_image(
            digest(number),
            reference,
            &mut vec![number; length].as_slice(),
        )
    };
    put(&mut device, 1, "pico/a:v1", 9_000).unwrap();
    put(&mut device, 2, "pico/a:v1", 100).unwrap();
    assert_eq!(
        device.image_by_reference("pico/a:v1").unwrap().digest,
        digest(2),
        "the newer one has the name"
    );
    put(&mut device, 1, "pico/a:v1", 9_000).unwrap();
    assert_eq!(
        device.image_by_reference("pico/a:v1").unwrap().digest,
        digest(1),
        "the name went back without a copy"
    );
    assert_eq!(device.usage().unwrap().images_used, 4 * 4096);
    assert_eq!(device.image_by_reference("pico/a:v2"), Err(Error::NotFound));
    assert_eq!(
        put(&mut device, 3, "pico/b:v1", 61_441),
        Err(Error::TooLarge)
    );
    assert_eq!(put(&mut device, 3, "pico/b:v1", 0), Err(Error::TooLarge));
    put(&mut device, 3, "pico/b:v1", 36_000).unwrap();
    put(&mut device, 5, "pico/d:v1", 50).unwrap();
    assert_eq!(put(&mut device, 4, "pico/c:v1", 8_000), Err(Error::Full));
    assert_eq!(
        device.collect_images(&[digest(1), digest(2), digest(3), digest(5)], 8_000),
        Ok(0),
        "what is in use stays"
    );
    assert_eq!(
        device.collect_images(&[digest(1), digest(3), digest(5)], 8_000),
        Ok(1)
    );
    // one sector is free at the place of image 2 and one at the end: image 5 is moved out of the way
    put(&mut device, 4, "pico/c:v1", 8_000).unwrap();
    for (number, length) in [(1, 9_000), (3, 36_000), (4, 8_000), (5, 50)] {
        let image = device.image(&digest(number)).unwrap();
        assert_eq!(
            Digest::of_blob(&mut device.open_image(&image).unwrap()),
            Ok(Digest::of(&vec![number; length]))
        );
    }
}

#[test]
fn logs_roll_and_keep_the_newest() {
    let mut device = chip(344);
    for line in 0..1_000_u64 {
        device
            .append_log(
                if line % 2 == 0 { "even" } else { "odd" },
                line,
                &[line as u8; 100],
            )
            .unwrap();
    }
    let mut even = Vec::new();
    device
        .read_log("even", |line| even.push(line.time_ms))
        .unwrap();
    assert_eq!(even.last(), Some(&998));
    assert!(
        even.len() > 60 && even.windows(2).all(|pair| pair[1] == pair[0] + 2),
        "{even:?}"
    );
    let usage = device.usage().unwrap();
    assert!(usage.logs_used <= usage.logs_capacity && !usage.above(85));
    assert_eq!(
        device.append_log("even", 0, &[0; 1_025]),
        Err(Error::TooLarge)
    );
}

#[test]
fn a_new_firmware_proves_itself_or_is_left() {
    let mut device = chip(2048);
    assert_eq!(
        device.boot(),
        Ok(Slot::A),
        "a board that was flashed by hand"
    );
    device.confirm().unwrap();
    // it works
    assert_eq!(
        device.stage_firmware("v1", &mut [1; 1_000].as_slice()),
        Ok(Slot::B)
    );
    assert_eq!(device.boot(), Ok(Slot::B));
    assert_eq!(
        device.stage_firmware("v2", &mut [2; 1_000].as_slice()),
        Err(Error::OnTrial),
        "slot A is the way back, slot B runs"
    );
    device.confirm().unwrap();
    assert_eq!(device.boot_state().unwrap().active, Slot::B);
    // it does not: three attempts, then the old one
    device
        .stage_firmware("v2", &mut [2; 1_000].as_slice())
        .unwrap();
    assert_eq!(
        [(); 5].map(|()| device.boot().unwrap()),
        [Slot::A, Slot::A, Slot::A, Slot::B, Slot::B]
    );
    let state = device.boot_state().unwrap();
    assert_eq!(
        (state.trial, state.rollbacks, state.unconfirmed_boots),
        (None, 1, 2)
    );
    device.confirm().unwrap();
    assert_eq!(device.boot_state().unwrap().unconfirmed_boots, 0);
    // staged and damaged before it was started
    device
        .stage_firmware("v3", &mut [3; 1_000].as_slice())
        .unwrap();
    let slot = device.layout().firmware_a.start;
    device.flash().flip(slot + 500, 1);
    assert_eq!(device.boot(), Ok(Slot::B));
    assert_eq!(device.firmware(Slot::A).err(), Some(Error::Damaged));
    // the running one is damaged: the other, if it is whole
    device
        .stage_firmware("v4", &mut [4; 1_000].as_slice())
        .unwrap();
    device.boot().unwrap();
    device.confirm().unwrap();
    device.flash().flip(slot + 500, 1);
    assert_eq!(device.boot(), Ok(Slot::B));
    assert_eq!(
        device.boot_state().unwrap().images[1]
            .as_ref()
            .unwrap()
            .version,
        "v1"
    );
    // by hand
    assert_eq!(
        device.roll_back(),
        Err(Error::NotFound),
        "slot A is damaged"
    );
    device
        .stage_firmware("v5", &mut [5; 1_000].as_slice())
        .unwrap();
    device.boot().unwrap();
    device.confirm().unwrap();
    assert_eq!(device.roll_back(), Ok(Slot::B));
    assert_eq!(device.roll_back(), Ok(Slot::B), "once is enough");
    assert_eq!(
        device.stage_firmware("v6", &mut [6; 1_000].as_slice()),
        Err(Error::OnTrial),
        "slot A still runs"
    );
    device.confirm().unwrap();
    assert_eq!(
        device.boot(),
        Ok(Slot::B),
        "a late confirmation changes nothing"
    );
    assert_eq!(
        device.stage_firmware("v6", &mut vec![0; 600 * 1024].as_slice()),
        Err(Error::TooLarge)
    );
}

#[test]
fn two_gib_cost_nothing_until_they_are_used() {
    let mut device = Storage::open(SimFlash::new(1 << 31, 1)).unwrap();
    device.save_manifest("a", b"b").unwrap();
    device.append_log("a", 1, b"b").unwrap();
    assert!(device.flash().take_changed().len() < 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever is written, removed and restarted: what is read is what a map would have.
    #[test]
    fn behaves_as_a_map(steps in proptest::collection::vec((0..5_u8, 0..12_u8, 0..1500_usize), 1..250)) {
        let mut device = chip(344);
        let mut model: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for (index, (what, key, length)) in steps.into_iter().enumerate() {
            match what {
                0 => {
                    let removed = device.remove_data("pod", &[key]);
                    prop_assert_eq!(removed.is_ok(), model.remove(&key).is_some());
                }
                1 => device = Storage::open(device.into_flash()).unwrap(),
                _ => {
                    let value = vec![index as u8; length];
                    device.write_data("pod", &[key], &value, u32::MAX).unwrap();
                    model.insert(key, value);
                }
            }
        }
        for key in 0..12 {
            prop_assert_eq!(device.read_data("pod", &[key]).ok(), model.get(&key).cloned());
        }
    }
}
