// SPDX-License-Identifier: Apache-2.0
//! Bits that flip by themselves, worn sectors and garbage: found, reported, never returned, never a panic.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use pico_eci::examples::{EXAMPLES, key};
use pico_eci::{Digest, Verifier};
use pico_flash::{Error, SimFlash, Slot, Storage};

const CHIP: u32 = 256 * 1024;

/// Numbers that are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((z ^ (z >> 31)) % u64::from(below)).unwrap()
    }
}

fn value(key: u8, version: u8) -> Vec<u8> {
    (0..60 + usize::from(key))
        .map(|index| key.wrapping_mul(7) ^ version ^ index as u8)
        .collect()
}

/// A device in use: every key was written twice, so there is an old value to be mistaken for the new one.
fn device() -> Storage<SimFlash> {
    let mut device = Storage::open(SimFlash::new(CHIP, 1)).unwrap();
    for version in [1, 2] {
        for key in 0..30 {
            device
                .write_data("pod", &[key], &value(key, version), 32_000)
                .unwrap();
            device
                .save_manifest(&format!("pods/{key}"), &value(key, version))
                .unwrap();
        }
    }
    for example in EXAMPLES {
        let digest = Verifier::new(&[key().unwrap()])
            .verify(example.bundle)
            .unwrap()
            .digest();
        device
            .put_image(digest, example.reference, &mut { example.bundle })
            .unwrap();
    }
    device
        .stage_firmware("v1", &mut [5; 3_000].as_slice())
        .unwrap();
    device.boot().unwrap();
    device.confirm().unwrap();
    device.append_log("pod", 1, b"a line").unwrap();
    device
}

/// Everything that is returned is right; returns how much was refused.
fn check(device: &mut Storage<SimFlash>, place: &str) -> u32 {
    let mut refused = 0;
    for key in 0..30 {
        for found in [
            device.read_data("pod", &[key]),
            device.load_manifest(&format!("pods/{key}")),
        ] {
            match found {
                Ok(found) => assert_eq!(found, value(key, 2), "{place}: key {key}"),
                Err(Error::Damaged) => refused += 1,
                Err(error) => panic!("{place}: key {key}: {error}"),
            }
        }
    }
    let trusted = [key().unwrap()];
    for example in EXAMPLES {
        let Ok(image) = device.image_by_reference(example.reference) else {
            refused += 1;
            continue;
        };
        match device.open_image(&image) {
            Ok(reader) => assert!(
                Verifier::new(&trusted)
                    .verify_digest(reader, image.digest)
                    .is_ok(),
                "{place}: {}",
                example.reference
            ),
            Err(Error::Damaged) => refused += 1,
            Err(error) => panic!("{place}: {}: {error}", example.reference),
        }
    }
    match device.firmware(Slot::B) {
        Ok(mut reader) => assert_eq!(
            Digest::of_blob(&mut reader),
            Ok(Digest::of(&[5; 3_000])),
            "{place}"
        ),
        Err(Error::Damaged) => refused += 1,
        Err(error) => panic!("{place}: firmware: {error}"),
    }
    device
        .read_log("pod", |line| assert_eq!(line.text, b"a line", "{place}"))
        .unwrap();
    refused
}

#[test]
fn a_flipped_bit_anywhere_is_found_at_the_next_start() {
    let original = device().into_flash();
    let used: Vec<u32> = original.wear().map(|(sector, _)| sector * 4096).collect();
    let mut numbers = Numbers(1);
    let mut refused = 0;
    for round in 0..4_000 {
        let mut flash = original.clone();
        let address = used[numbers.next(used.len() as u32) as usize] + numbers.next(4096);
        flash.flip(address, numbers.next(8) as u8);
        let mut device = Storage::open(flash).unwrap();
        let missing = check(&mut device, &format!("round {round}, address {address:#x}"));
        assert!(missing <= 1, "one bit costs one thing, not {missing}");
        refused += missing;
    }
    assert!(refused > 300, "{refused} of 4000 hit something");
}

#[test]
fn a_bit_that_flips_while_the_device_runs_is_found_when_it_is_read() {
    let mut numbers = Numbers(2);
    let original = device().into_flash();
    let used: Vec<u32> = original.wear().map(|(sector, _)| sector * 4096).collect();
    let mut refused = 0;
    for round in 0..1_500 {
        let mut device = Storage::open(original.clone()).unwrap();
        let address = used[numbers.next(used.len() as u32) as usize] + numbers.next(4096);
        device.flash().flip(address, numbers.next(8) as u8);
        refused += check(&mut device, &format!("round {round}, address {address:#x}"));
    }
    assert!(refused > 100, "{refused} of 1500 hit something");
}

#[test]
fn a_damaged_key_stays_damaged_until_it_is_written_again() {
    let mut device = Storage::open(SimFlash::new(CHIP, 1)).unwrap();
    device
        .write_data("pod", b"key", &[0x5a; 300], 32_000)
        .unwrap();
    let data = device.layout().data;
    // well inside the value: sector and record headers take 40 bytes
    device.flash().flip(data.start + 200, 3);
    assert_eq!(device.read_data("pod", b"key"), Err(Error::Damaged));
    // everything moves several times around the area, and so does the knowledge
    for round in 0..400_u32 {
        device
            .write_data("other", b"key", &[round as u8; 1_000], 32_000)
            .unwrap();
    }
    let mut device = Storage::open(device.into_flash()).unwrap();
    assert_eq!(device.read_data("pod", b"key"), Err(Error::Damaged));
    assert_eq!(device.usage().unwrap().damaged, 1);
    device.write_data("pod", b"key", b"new", 32_000).unwrap();
    let mut device = Storage::open(device.into_flash()).unwrap();
    assert_eq!(
        (
            device.read_data("pod", b"key"),
            device.usage().unwrap().damaged
        ),
        (Ok(b"new".to_vec()), 0)
    );
}

#[test]
fn garbage_of_any_kind_opens() {
    let original = device().into_flash();
    let mut numbers = Numbers(3);
    for round in 0..1_500 {
        let mut flash = if round % 3 == 0 {
            SimFlash::new(CHIP, 1)
        } else {
            original.clone()
        };
        for _ in 0..1 + numbers.next(12) {
            let sector = numbers.next(64);
            match numbers.next(4) {
                0 => {
                    let mut bytes = [0; 4096];
                    bytes.fill_with(|| numbers.next(256) as u8);
                    flash.restore(sector, &bytes);
                }
                1 => flash.restore(sector, &[0; 4096]),
                2 => flash.restore(sector, &[0xff; 4096]),
                _ => (0..200).for_each(|_| {
                    flash.flip(sector * 4096 + numbers.next(4096), numbers.next(8) as u8)
                }),
            }
        }
        let mut device = Storage::open(flash).unwrap();
        for key in 0..30 {
            // an older value may be all that is left of a key when a whole sector is gone
            if let Ok(found) = device.read_data("pod", &[key]) {
                assert!(
                    [value(key, 1), value(key, 2)].contains(&found),
                    "round {round}"
                );
            }
            let _ = device.load_manifest(&format!("pods/{key}"));
        }
        for image in device.images().unwrap() {
            let _ = device
                .open_image(&image)
                .map(|reader| Verifier::new(&[]).verify(reader).map(drop));
        }
        let _ = device.boot();
        let _ = device.write_data("pod", b"new", b"value", 32_000);
        device.append_log("pod", 2, b"a line").unwrap();
        let _ = device.usage().unwrap();
    }
}

#[test]
fn worn_sectors_are_passed_over() {
    let mut flash = SimFlash::new(CHIP, 1);
    flash.set_endurance(20);
    let mut device = Storage::open(flash).unwrap();
    let (mut stored, mut failed) = (None, false);
    for round in 0..2_000_u32 {
        match device.write_data("pod", b"key", &round.to_le_bytes().repeat(200), 32_000) {
            Ok(()) => stored = Some(round),
            Err(Error::Verify | Error::Full) => failed = true,
            Err(error) => panic!("round {round}: {error}"),
        }
        let found = device.read_data("pod", b"key");
        let expected = stored.map(|round| round.to_le_bytes().repeat(200));
        assert!(
            found == Err(Error::Damaged) || found.ok() == expected,
            "round {round}"
        );
        if failed {
            break;
        }
    }
    assert!(failed, "a worn flash says so");
    assert!(stored > Some(500), "{stored:?}");
}
