// SPDX-License-Identifier: Apache-2.0
//! Images from a registry: verified, stored, run, and removed where others need the room.

use pico_eci::build::SigningKey;
use pico_eci::examples::EXAMPLES;
use pico_eci::{Bundle, Digest};
use pico_sim::Faults;
use serde_json::{Value, json};

use crate::shelf::{Shelf, image, options_with};
use crate::world::{MINUTE, SECOND, World, link, live, pass};

fn blink() -> &'static [u8] {
    EXAMPLES
        .iter()
        .find(|e| e.reference == "pico/blink:v1")
        .unwrap()
        .bundle
}

fn digest(bundle: &[u8]) -> Digest {
    Digest::of(&Bundle::open(bundle).unwrap().manifest().unwrap())
}

async fn run(world: &World, name: &str, image: &str, limits: Value) {
    world.run_pod(name, image, limits, json!([])).await;
    pass(5 * SECOND).await;
}

async fn state(world: &World, name: &str) -> Value {
    world.pod(name).await["status"]["containerStatuses"][0]["state"].clone()
}

#[test]
fn by_tag_and_by_digest() {
    let by_digest = format!("r.example:5000/own/blink@{}", digest(blink()));
    let shelf = Shelf::with(&[
        ("r.example:5000/own/blink:v1", blink()),
        (&by_digest, blink()),
    ]);
    live(options_with(&shelf), |world, boards| {
        let (shelf, by_digest) = (shelf.clone(), by_digest.clone());
        async move {
            boards.all_ready().await;
            run(
                &world,
                "tag",
                "r.example:5000/own/blink:v1",
                json!({"pico.io/led": "1"}),
            )
            .await;
            let pod = world.pod("tag").await;
            assert_eq!(pod["status"]["phase"], "Running", "{pod}");
            assert_eq!(
                pod["status"]["containerStatuses"][0]["imageID"],
                digest(blink()).to_string()
            );
            let images =
                world.call("GET", "/api/v1/nodes/pico-0", None).await["status"]["images"].clone();
            assert!(
                images.to_string().contains("r.example:5000/own/blink:v1"),
                "{images}"
            );
            assert!(
                images.to_string().contains("\"pico/blink:v1\""),
                "the other name stays: {images}"
            );
            world
                .call(
                    "DELETE",
                    "/api/v1/namespaces/default/pods/tag?gracePeriodSeconds=0",
                    None,
                )
                .await;
            pass(5 * SECOND).await;
            // What a digest names is in flash, whoever brought it.
            run(&world, "digest", &by_digest, json!({"pico.io/led": "1"})).await;
            assert!(state(&world, "digest").await["running"].is_object());
            assert_eq!(shelf.asked(), 1);
        }
    });
}

#[test]
fn what_a_registry_has_not_or_has_tampered_with() {
    let mut tampered = blink().to_vec();
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    let other = EXAMPLES
        .iter()
        .find(|e| e.reference == "pico/hog:v1")
        .unwrap()
        .bundle;
    let by_digest = format!("r.example/other@{}", digest(blink()));
    let shelf = Shelf::with(&[
        ("r.example/tampered:v1", &tampered),
        ("r.example/garbage:v1", b"not an image"),
        (&by_digest, other),
    ]);
    live(options_with(&shelf), |world, boards| {
        let by_digest = by_digest.clone();
        async move {
            boards.all_ready().await;
            for (name, image, reason, message) in [
                (
                    "missing",
                    "r.example/missing:v1",
                    "ImagePullBackOff",
                    "the registry says 404: not known",
                ),
                (
                    "tampered",
                    "r.example/tampered:v1",
                    "SignatureValidationFailed",
                    "digest",
                ),
                (
                    "garbage",
                    "r.example/garbage:v1",
                    "SignatureValidationFailed",
                    "is refused",
                ),
                (
                    "local",
                    "pico/none:v1",
                    "ImagePullBackOff",
                    "not available in flash registry",
                ),
            ] {
                run(&world, name, image, json!({})).await;
                let waiting = state(&world, name).await["waiting"].clone();
                assert_eq!(waiting["reason"], reason, "{waiting}");
                assert!(
                    waiting["message"].as_str().unwrap().contains(message),
                    "{waiting}"
                );
            }
            // The digest of an image that came with the board needs no registry.
            run(&world, "digest", &by_digest, json!({"pico.io/led": "1"})).await;
            assert!(state(&world, "digest").await["running"].is_object());
        }
    });
}

#[test]
fn over_a_link_that_is_cut_nothing_is_pulled() {
    let shelf = Shelf::with(&[("r.example/blink:v1", blink())]);
    live(options_with(&shelf), |world, boards| {
        let shelf = shelf.clone();
        async move {
            boards.all_ready().await;
            pass(MINUTE).await;
            // The pod comes with the list after the link; its image is asked for again and again over one that is half open.
            link(
                &boards,
                Faults {
                    cut: true,
                    ..Faults::default()
                },
            )
            .await;
            run(
                &world,
                "late",
                "r.example/blink:v1",
                json!({"pico.io/led": "1"}),
            )
            .await;
            assert_eq!(shelf.asked(), 0);
            link(&boards, Faults::default()).await;
            pass(2 * MINUTE).await;
            assert!(state(&world, "late").await["running"].is_object());
            assert_eq!(shelf.asked(), 1);
        }
    });
}

/// A signed image of about sixty thousand bytes; no two versions are the same.
fn large(key: &SigningKey, version: usize) -> Vec<u8> {
    let data = format!("{version:>60000}");
    image(
        key,
        "{}",
        &format!(
            r#"(module (import "pico:system" "sleep-ms" (func $sleep (param i32) (result i32)))
            (memory 61440 61440 (pagesize 1)) (data (i32.const 0) "{data}")
            (func (export "run") (result i32)
              (loop $forever (br_if $forever (i32.eqz (call $sleep (i32.const 60000)))))
              (i32.const 0)))"#
        ),
    )
}

#[test]
fn what_was_pulled_and_is_not_in_use_makes_room() {
    let key = SigningKey::from_seed([7; 32]).unwrap();
    let names: Vec<String> = (0..12).map(|n| format!("r.example/large:v{n}")).collect();
    let bundles: Vec<Vec<u8>> = (0..12).map(|n| large(&key, n)).collect();
    let images: Vec<(&str, &[u8])> = names
        .iter()
        .zip(&bundles)
        .map(|(name, bundle)| (name.as_str(), bundle.as_slice()))
        .collect();
    let shelf = Shelf::with(&images);
    let mut own = options_with(&shelf);
    own.trusted = vec![key.public()];
    live(own, |world, boards| {
        let names = names.clone();
        async move {
            boards.all_ready().await;
            for (n, image) in names.iter().enumerate() {
                let name = format!("large-{n}");
                run(&world, &name, image, json!({"memory": "80Ki"})).await;
                assert!(
                    state(&world, &name).await["running"].is_object(),
                    "{:?}",
                    state(&world, &name).await
                );
                if n > 0 {
                    let pod =
                        format!("/api/v1/namespaces/default/pods/{name}?gracePeriodSeconds=0");
                    world.call("DELETE", &pod, None).await;
                    pass(5 * SECOND).await;
                }
            }
            pass(MINUTE).await;
            let node = world.call("GET", "/api/v1/nodes/pico-0", None).await;
            let images = node["status"]["images"].to_string();
            // 356 KiB hold a few of them and what the board came with.
            for (image, is_there) in [(&names[0], true), (&names[1], false), (&names[11], true)] {
                assert_eq!(
                    images.contains(&format!("\"{image}\"")),
                    is_there,
                    "{image}: {images}"
                );
            }
            assert!(images.contains("\"pico/blink:v1\""), "{images}");
        }
    });
}
