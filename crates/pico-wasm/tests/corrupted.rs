// SPDX-License-Identifier: Apache-2.0
//! Images that were damaged or made to harm: thousands of mutations of the examples. None panics, none that was damaged
//! after it was signed is started, and what an attacker with a trusted key makes stays within its fuel and memory.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use pico_board::PinSet;
use pico_eci::build::{Parts, SigningKey, build, sign};
use pico_eci::examples::{EXAMPLES, key};
use pico_eci::scripted::ScriptedHost;
use pico_eci::{Blob, Config, Engine, Grant, Image, Limits, Manifest, Progress, Verifier};
use pico_wasm::Wasm;

const GRANT: Grant = Grant {
    pins: PinSet::range(14, 15),
    pwm: PinSet::range(14, 14),
    adc: PinSet::range(0, 0),
    led: true,
    temperature: true,
    http: true,
    storage_bytes: 256,
};
const LIMITS: Limits = Limits {
    memory_bytes: 12 * 1024,
};

/// A generator of numbers that are the same in every run (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % below as u64).unwrap()
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.next(3) {
            let at = self
                .next(bytes.len().max(1))
                .min(bytes.len().saturating_sub(1));
            let byte = u8::try_from(self.next(256)).unwrap();
            match self.next(6) {
                0 if !bytes.is_empty() => bytes[at] ^= 1 << self.next(8),
                1 if !bytes.is_empty() => bytes[at] = byte,
                2 => bytes.insert(at, byte),
                3 if !bytes.is_empty() => drop(bytes.remove(at)),
                4 => bytes.truncate(at),
                _ => {
                    let end = (at + 1 + self.next(8)).min(bytes.len());
                    let piece = bytes[at.min(end)..end].to_vec();
                    bytes.splice(at..at, piece);
                }
            }
        }
    }
}

fn start_and_run(image: &mut Image<&mut dyn Blob>) -> Option<Progress> {
    let mut container = Wasm.start(image, GRANT, LIMITS).ok()?;
    let mut host = ScriptedHost::default();
    host.requests.push_back("GET /\n".into());
    let mut progress = Progress::Yielded;
    for _ in 0..5 {
        let slice = container.run(2_000, &mut host);
        assert!(slice.fuel <= 2_000 + 20_100 + LIMITS.memory_bytes / 16);
        progress = slice.progress;
        host.now_ms += 1_000;
    }
    assert!(container.usage().memory_peak_bytes <= LIMITS.memory_bytes);
    Some(progress)
}

#[test]
fn damaged_images_are_never_served() {
    let trusted = [key().unwrap()];
    let mut numbers = Numbers(1);
    let mut refused = 0;
    for round in 0..4_000 {
        let example = &EXAMPLES[round % EXAMPLES.len()];
        let mut bytes = example.bundle.to_vec();
        numbers.mutate(&mut bytes);
        let result = Verifier::new(&trusted).verify(bytes.as_slice());
        if bytes != example.bundle {
            assert!(
                result.is_err(),
                "round {round}: a damaged {} was accepted",
                example.reference
            );
            refused += 1;
        }
    }
    assert!(refused > 3_900);
}

#[test]
fn every_flipped_bit_is_found() {
    let trusted = [key().unwrap()];
    let verifier = Verifier::new(&trusted);
    for example in EXAMPLES {
        // the lengths and the parsers are cheap, so every bit of header and manifest; of the parts a bit in every byte
        let mut bytes = example.bundle.to_vec();
        for at in 0..bytes.len() {
            bytes[at] ^= 1 << (at % 8);
            assert!(
                verifier.verify(bytes.as_slice()).is_err(),
                "{} at byte {at}",
                example.reference
            );
            bytes[at] ^= 1 << (at % 8);
        }
        assert!(verifier.verify(bytes.as_slice()).is_ok());
    }
}

#[test]
fn hostile_modules_stay_in_the_sandbox() {
    let signer = SigningKey::from_seed([9; 32]).unwrap();
    let trusted = [signer.public()];
    let mut numbers = Numbers(2);
    let (mut started, mut ended) = (0, 0);
    for round in 0..6_000 {
        let parts = Parts::of(EXAMPLES[round % EXAMPLES.len()].bundle).unwrap();
        let mut module = parts.module;
        if round % 4 == 0 {
            numbers.mutate(&mut module);
        } else {
            let at = 8 + numbers.next(module.len() - 8);
            module[at] = u8::try_from(numbers.next(256)).unwrap();
        }
        let Ok(bundle) = build(&parts.config, &module) else {
            continue;
        };
        let bundle = sign(&bundle, &signer).unwrap();
        let mut bytes = bundle.as_slice();
        let mut image = Verifier::new(&trusted)
            .verify(&mut bytes as &mut dyn Blob)
            .unwrap();
        let progress = start_and_run(&mut image);
        started += usize::from(progress.is_some());
        ended += usize::from(progress.is_some_and(Progress::is_final));
    }
    // most mutations are invalid modules, but enough of them run to mean something
    assert!(started > 1_000, "{started} of 6000 started");
    assert!(ended > 100, "{ended} of {started} ended by themselves");
}

#[test]
fn texts_of_any_kind_do_not_panic() {
    let mut numbers = Numbers(3);
    for round in 0..6_000 {
        let parts = Parts::of(EXAMPLES[round % EXAMPLES.len()].bundle).unwrap();
        let (mut manifest, mut config) = (parts.manifest, parts.config);
        numbers.mutate(&mut manifest);
        numbers.mutate(&mut config);
        let _ = Manifest::parse(&manifest);
        if let Ok(parsed) = Config::parse(&config) {
            assert!(parsed.stack <= 16_384 && parsed.name.len() <= 63);
        }
    }
}
