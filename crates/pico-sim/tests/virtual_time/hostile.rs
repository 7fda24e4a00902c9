// SPDX-License-Identifier: Apache-2.0
//! Containers that mean harm, from the API's point of view: each ends as it must, and nothing else on the board notices.

use pico_eci::build::{Parts, SigningKey};
use serde_json::{Value, json};

use crate::shelf::{Shelf, image, options_with};
use crate::world::{MINUTE, SECOND, live, look, pass};

const IMAGE: &str = "r.example/own/test:v1";

fn key() -> SigningKey {
    SigningKey::from_seed([7; 32]).unwrap()
}

/// Runs the image beside a pod that blinks, for some time. Returns the status of its container.
fn beside_blink(bundle: &[u8], limits: &Value, ms: u64) -> Value {
    let shelf = Shelf::with(&[(IMAGE, bundle)]);
    let mut options = options_with(&shelf);
    options.trusted = vec![key().public()];
    live(options, |world, boards| {
        let limits = limits.clone();
        async move {
            boards.all_ready().await;
            let often = json!([{"name": "INTERVAL_MS", "value": "1000"}]);
            world
                .run_pod("blink", "pico/blink:v1", json!({"pico.io/led": "1"}), often)
                .await;
            pass(5 * SECOND).await;
            let (from, blinked) = (world.now(), look(&boards).await.panel.led_count);
            world.run_pod("hostile", IMAGE, limits, json!([])).await;
            pass(ms).await;
            // On for a second, off for a second.
            let blinks = look(&boards).await.panel.led_count - blinked;
            assert!(blinks >= ms / 2000 - 1, "{blinks} times in {ms} ms");
            assert!(world.lease_gap(from, world.now()) <= 11 * SECOND);
            assert_eq!(world.boots().len(), 1, "the board goes on");
            assert_eq!(world.ready("pico-0").await["status"], "True");
            let asked = world.asked(from, world.now()).len() as u64;
            assert!(asked <= ms / MINUTE * 20 + 40, "{asked} requests");
            let blink = world.pod("blink").await["status"]["containerStatuses"][0].clone();
            assert_eq!(blink["restartCount"], 0, "{blink}");
            world.pod("hostile").await["status"]["containerStatuses"][0].clone()
        }
    })
}

fn waits_for(status: &Value, reason: &str, message: &str) {
    let waiting = &status["state"]["waiting"];
    assert_eq!(waiting["reason"], reason, "{status}");
    assert!(
        waiting["message"]
            .as_str()
            .unwrap_or_default()
            .contains(message),
        "{status}"
    );
}

fn ended_with(status: &Value, reason: &str, code: i32) {
    let ended = &status["lastState"]["terminated"];
    assert_eq!(
        (&ended["reason"], &ended["exitCode"]),
        (&json!(reason), &json!(code)),
        "{status}"
    );
    assert!(status["restartCount"].as_u64().unwrap() >= 1, "{status}");
}

#[test]
fn an_endless_loop() {
    let module = r#"(module (func (export "run") (loop (br 0))))"#;
    let limits = json!({"cpu": "100m", "memory": "8Ki"});
    let status = beside_blink(&image(&key(), "{}", module), &limits, MINUTE);
    assert!(status["state"]["running"].is_object(), "{status}");
}

#[test]
fn a_memory_bomb() {
    let module = r#"(module (memory 256 (pagesize 1))
        (func (export "run") (loop (drop (memory.grow (i32.const 1024))) (br 0))))"#;
    let status = beside_blink(
        &image(&key(), "{}", module),
        &json!({"memory": "8Ki"}),
        2 * MINUTE,
    );
    ended_with(&status, "OOMKilled", 137);
    waits_for(&status, "CrashLoopBackOff", "back-off");
}

#[test]
fn a_flood_of_host_calls() {
    // It logs and it stores, as fast as it may: what it stores is written to flash each time.
    let module = r#"(module
        (import "pico:log" "write" (func $log (param i32 i32 i32) (result i32)))
        (import "pico:kv" "set" (func $set (param i32 i32 i32 i32) (result i32)))
        (memory 256 256 (pagesize 1)) (data (i32.const 0) "flood")
        (func (export "run") (loop
            (drop (call $log (i32.const 1) (i32.const 0) (i32.const 5)))
            (i32.store (i32.const 16) (i32.add (i32.load (i32.const 16)) (i32.const 1)))
            (drop (call $set (i32.const 0) (i32.const 5) (i32.const 16) (i32.const 4)))
            (br 0))))"#;
    let limits = json!({"cpu": "100m", "memory": "8Ki", "ephemeral-storage": "1Ki"});
    let status = beside_blink(
        &image(&key(), r#"{"storage": 512}"#, module),
        &limits,
        MINUTE,
    );
    assert!(status["state"]["running"].is_object(), "{status}");
}

#[test]
fn a_trap() {
    let module = r#"(module (func (export "run") (unreachable)))"#;
    let status = beside_blink(
        &image(&key(), "{}", module),
        &json!({"memory": "8Ki"}),
        2 * MINUTE,
    );
    ended_with(&status, "Error", 134);
    waits_for(&status, "CrashLoopBackOff", "back-off");
}

#[test]
fn an_image_that_wants_more_than_its_pod_was_given() {
    let module = r#"(module (func (export "run")))"#;
    let status = beside_blink(
        &image(&key(), r#"{"pins": 2}"#, module),
        &json!({"memory": "8Ki"}),
        MINUTE,
    );
    waits_for(&status, "CreateContainerError", "asks for 2");
}

#[test]
fn an_image_that_is_unsigned_or_signed_by_a_stranger() {
    let module = r#"(module (func (export "run")))"#;
    let stranger = SigningKey::from_seed([8; 32]).unwrap();
    let status = beside_blink(&image(&stranger, "{}", module), &json!({}), MINUTE);
    waits_for(&status, "SignatureValidationFailed", "is refused");
    let parts = Parts::of(&image(&key(), "{}", module)).unwrap();
    let unsigned = pico_eci::build::build(&parts.config, &parts.module).unwrap();
    let status = beside_blink(&unsigned, &json!({}), MINUTE);
    waits_for(&status, "SignatureValidationFailed", "is refused");
}

#[test]
fn an_image_that_is_larger_than_the_flash() {
    let data = "x".repeat(600_000);
    let module = format!(
        r#"(module (memory 700000 (pagesize 1)) (data (i32.const 0) "{data}") (func (export "run")))"#
    );
    let status = beside_blink(&image(&key(), "{}", &module), &json!({}), MINUTE);
    let reason = status["state"]["waiting"]["reason"]
        .as_str()
        .unwrap_or_default();
    assert!(
        matches!(reason, "ErrImagePull" | "ImagePullBackOff"),
        "{status}"
    );
    waits_for(&status, reason, "the flash does not take it");
}
