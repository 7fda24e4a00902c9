// SPDX-License-Identifier: Apache-2.0
//! A scripted life of a device, with the power cut at every single program and erase of it. After each cut the device
//! starts, everything acknowledged is there, what was under way is there whole or not at all, and life goes on.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::BTreeMap;

use pico_eci::Digest;
use pico_flash::{BootState, Error, SimFlash, Slot, Storage};

const CHIP: u32 = 256 * 1024;

#[derive(Clone, Debug)]
enum Step {
    Save(&'static str, usize),
    Forget(&'static str),
    Write(&'static str, u8, usize),
    Remove(&'static str, u8),
    Image(u8, usize),
    RemoveImage(u8),
    Collect(u8),
    Log(&'static str, usize),
    Stage(usize),
    Boot,
    Confirm,
    RollBack,
    /// A firmware is staged while the one that runs is on trial.
    Refused(usize),
}

/// What was acknowledged.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    manifests: BTreeMap<String, Vec<u8>>,
    data: BTreeMap<(String, u8), Vec<u8>>,
    images: BTreeMap<u8, Vec<u8>>,
    lines: BTreeMap<&'static str, u64>,
    boot: BootState,
    firmware: [Vec<u8>; 2],
    number: u64,
}

fn bytes(number: u64, length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| (number as usize * 31 + index * 7 + index / 256) as u8)
        .collect()
}

fn digest(image: u8) -> Digest {
    Digest([image; 32])
}

type Device = Storage<SimFlash>;

/// Performs a step on the device and, when it succeeds, on the model.
fn perform(step: &Step, device: &mut Device, model: &mut Model) -> Result<(), Error> {
    model.number += 1;
    let number = model.number;
    match step {
        Step::Save(name, length) => {
            device.save_manifest(name, &bytes(number, *length))?;
            model
                .manifests
                .insert((*name).into(), bytes(number, *length));
        }
        Step::Forget(name) => {
            device.remove_manifest(name)?;
            model.manifests.remove(*name);
        }
        Step::Write(owner, key, length) => {
            device.write_data(owner, &[*key], &bytes(number, *length), 32_000)?;
            model
                .data
                .insert(((*owner).into(), *key), bytes(number, *length));
        }
        Step::Remove(owner, key) => {
            device.remove_data(owner, &[*key])?;
            model.data.remove(&((*owner).into(), *key));
        }
        Step::Image(image, length) => {
            let bundle = bytes(u64::from(*image), *length);
            device.put_image(
                digest(*image),
                &format!("pico/image:v{image}"),
                &mut bundle.as_slice(),
            )?;
            model.images.insert(*image, bundle);
        }
        Step::RemoveImage(image) => {
            device.remove_image(&digest(*image))?;
            model.images.remove(image);
        }
        Step::Collect(keep) => {
            let kept = [digest(*keep)];
            device.collect_images(&kept, device.layout().images.len)?;
            model.images.retain(|image, _| image == keep);
        }
        Step::Log(source, length) => {
            let count = model.lines.entry(source).or_default();
            device.append_log(source, *count + 1, &bytes(*count + 1, *length))?;
            *count += 1;
        }
        Step::Stage(length) => {
            let slot = device.stage_firmware(
                &format!("v{number}"),
                &mut bytes(number, *length).as_slice(),
            )?;
            model.firmware[slot as usize] = bytes(number, *length);
            model.boot = device.boot_state()?;
        }
        Step::Boot => {
            device.boot()?;
            model.boot = device.boot_state()?;
        }
        Step::Confirm => {
            device.confirm()?;
            model.boot = device.boot_state()?;
        }
        Step::RollBack => {
            device.roll_back()?;
            model.boot = device.boot_state()?;
        }
        Step::Refused(length) => {
            let operations = device.flash().operations();
            assert_eq!(
                device.stage_firmware("no", &mut bytes(number, *length).as_slice()),
                Err(Error::OnTrial)
            );
            assert_eq!(
                device.flash().operations(),
                operations,
                "nothing is touched"
            );
        }
    }
    Ok(())
}

/// Everything that the device has is as it was before the step or as it is after it.
fn compare(device: &mut Device, before: &Model, after: &Model, place: &str) {
    let names = before.manifests.keys().chain(after.manifests.keys());
    for name in names {
        let found = device.load_manifest(name);
        let expected =
            [before, after].map(|model| model.manifests.get(name).cloned().ok_or(Error::NotFound));
        assert!(
            expected.contains(&found),
            "{place}: manifest {name}: {:?}",
            found.map(|found| found.len())
        );
    }
    let listed = device.manifests().unwrap();
    assert!(
        listed
            .iter()
            .all(|name| before.manifests.contains_key(name) || after.manifests.contains_key(name)),
        "{place}"
    );
    for (owner, key) in before.data.keys().chain(after.data.keys()) {
        let found = device.read_data(owner, &[*key]);
        let expected = [before, after].map(|model| {
            model
                .data
                .get(&(owner.clone(), *key))
                .cloned()
                .ok_or(Error::NotFound)
        });
        assert!(
            expected.contains(&found),
            "{place}: data {owner} {key}: {found:?}"
        );
    }
    for image in device.images().unwrap() {
        let number = image.digest.0[0];
        let bundle = before
            .images
            .get(&number)
            .or(after.images.get(&number))
            .expect(place);
        let mut read = vec![0; bundle.len()];
        let mut reader = device.open_image(&image).expect(place);
        pico_eci::Blob::read(&mut reader, 0, &mut read).unwrap();
        assert_eq!(&read, bundle, "{place}: image {number}");
    }
    for image in before
        .images
        .keys()
        .filter(|image| after.images.contains_key(image))
    {
        assert!(
            device.image(&digest(*image)).is_ok(),
            "{place}: image {image} is gone"
        );
        assert!(
            device
                .image_by_reference(&format!("pico/image:v{image}"))
                .is_ok(),
            "{place}: image {image} has no name"
        );
    }
    for source in ["a", "b"] {
        let mut times = Vec::new();
        device
            .read_log(source, |line| {
                assert_eq!(
                    line.text,
                    bytes(line.time_ms, line.text.len()),
                    "{place}: a line of {source}"
                );
                times.push(line.time_ms);
            })
            .unwrap();
        let newest = [before, after].map(|model| model.lines.get(source).copied().unwrap_or(0));
        assert!(
            newest.contains(&times.last().copied().unwrap_or(0)),
            "{place}: log {source} ends with {:?}, not {newest:?}",
            times.last()
        );
        assert!(
            times.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{place}: log {source} has a gap: {times:?}"
        );
    }
    let boot = device.boot_state().unwrap();
    // whatever runs and whatever is the way back is whole
    for slot in [boot.running, boot.active] {
        if before.boot.images[slot as usize].is_some() && after.boot.images[slot as usize].is_some()
        {
            assert!(boot.images[slot as usize].is_some(), "{place}: {slot:?}");
        }
    }
    if boot != before.boot && boot != after.boot {
        // between the two of a staging: the slot is being written and is no way back
        let other = before.boot.active.other() as usize;
        let mut being_staged = BootState {
            trial: None,
            ..before.boot.clone()
        };
        being_staged.images[other] = None;
        assert_eq!(boot, being_staged, "{place}");
    }
    for slot in [Slot::A, Slot::B] {
        if boot.images[slot as usize].is_some() {
            let mut read = vec![0; boot.images[slot as usize].as_ref().unwrap().len as usize];
            let mut firmware = device.firmware(slot).expect(place);
            pico_eci::Blob::read(&mut firmware, 0, &mut read).unwrap();
            let expected = [
                &before.firmware[slot as usize],
                &after.firmware[slot as usize],
            ];
            assert!(expected.contains(&&read), "{place}: firmware {slot:?}");
        }
    }
}

/// A life that goes through every kind of write, and through many moves in each log.
fn life() -> Vec<Step> {
    use Step::*;
    let mut steps = vec![
        Stage(9_000),
        Boot,
        Confirm,
        Save("pods/a", 300),
        Image(1, 1_300),
        Log("a", 20),
        Boot,
    ];
    for round in 0..6_u8 {
        steps.extend([
            Save("pods/a", 400 + usize::from(round)),
            Save("pods/long", 1_500 + 200 * usize::from(round % 3)),
            Write("pod-1", 1, 900),
            Write("pod-1", 2, 4),
            Write("pod-2", 1, 1_000),
            Image(10 + round, 5_000 + 1_000 * usize::from(round)),
            Log("a", 700),
            Log("b", 900),
            Save("config", 40),
            Write("pod-1", 3 + round, 700),
            Remove("pod-1", 2),
            Forget("pods/a"),
            Save("pods/a", 1_024),
            Save("pods/a", 1_025),
            Log("a", 1_000),
            Log("a", 1_000),
        ]);
        for key in 0..8 {
            steps.extend([
                Write("pod-2", key, 1_000),
                Log("b", 800),
                Save("config", 600),
            ]);
        }
        match round {
            1 => steps.extend([
                Stage(14_000),
                Boot,
                Refused(9_000),
                Boot,
                Refused(9_000),
                Confirm,
            ]),
            2 => steps.extend([RemoveImage(11), Stage(5_000), Boot, Boot, Boot, Boot]),
            3 => steps.extend([Collect(1), Forget("pods/long")]),
            4 => steps.extend([Remove("pod-1", 4), Stage(300), Stage(6_000), Boot, Confirm]),
            5 => steps.extend([
                Stage(7_000),
                Boot,
                RollBack,
                Refused(2_000),
                Confirm,
                Refused(2_000),
                Boot,
                Confirm,
                Stage(2_000),
                Boot,
                Confirm,
                RollBack,
                Refused(3_000),
                Boot,
                Stage(4_000),
            ]),
            _ => {}
        }
    }
    steps
}

#[test]
fn the_power_goes_at_every_operation() {
    let mut device = Storage::open(SimFlash::new(CHIP, 7)).unwrap();
    let mut model = Model::default();
    let mut cuts = 0;
    for (index, step) in life().iter().enumerate() {
        let start = device.flash().clone();
        let before = model.clone();
        let operations = start.operations();
        perform(step, &mut device, &mut model)
            .unwrap_or_else(|error| panic!("step {index} {step:?}: {error:?}"));
        compare(
            &mut device,
            &model,
            &model,
            &format!("step {index} {step:?}"),
        );
        let operations = device.flash().operations() - operations;
        for cut in 0..operations {
            cuts += 1;
            let place = format!("step {index} {step:?}, cut {cut} of {operations}");
            let mut flash = start.clone();
            flash.cut_after(cut);
            let mut interrupted =
                Storage::open(flash).unwrap_or_else(|error| panic!("{place}: {error}"));
            let result = perform(step, &mut interrupted, &mut before.clone());
            assert!(result.is_err(), "{place}: acknowledged without power");
            let mut flash = interrupted.into_flash();
            assert!(flash.is_off(), "{place}: {result:?}");
            flash.power_on();
            // and the power goes again while the device recovers
            for again in 0.. {
                flash.cut_after(again);
                match Storage::open(flash.clone()) {
                    Ok(mut recovered) => {
                        recovered.flash().power_on();
                        flash = recovered.into_flash();
                        break;
                    }
                    Err(Error::Medium(_)) => {
                        let mut twice = flash.clone();
                        twice.cut_after(again);
                        let _ = Storage::open(&mut twice).map(drop);
                        twice.power_on();
                        compare(
                            &mut Storage::open(twice).unwrap(),
                            &before,
                            &model,
                            &format!("{place}, again at {again}"),
                        );
                    }
                    Err(error) => panic!("{place}: {error}"),
                }
            }
            let mut recovered = Storage::open(flash).unwrap();
            compare(&mut recovered, &before, &model, &place);
            // life goes on, and ends where it would have without the cut
            recovered
                .save_manifest("after", b"the cut")
                .unwrap_or_else(|error| panic!("{place}: {error}"));
            recovered.append_log("after", 1, b"the cut").unwrap();
            compare(
                &mut recovered,
                &with_after(&before),
                &with_after(&model),
                &place,
            );
            assert_eq!(
                recovered.usage().unwrap().damaged,
                0,
                "{place}: a torn write is not damage"
            );
        }
    }
    assert!(cuts > 1_500, "{cuts}");
    std::println!("{cuts} power cuts");
}

fn with_after(model: &Model) -> Model {
    let mut model = model.clone();
    model.manifests.insert("after".into(), b"the cut".into());
    model
}
