// SPDX-License-Identifier: Apache-2.0
//! The committed examples are what their sources make. `UPDATE_EXAMPLES=1` builds and signs them anew with a key that is
//! made for it and not kept.
#![cfg(all(feature = "std", feature = "examples"))]
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::path::PathBuf;

use pico_eci::build::{SigningKey, assemble, build, sign};
use pico_eci::examples::{EXAMPLES, key};
use pico_eci::{Digest, Verifier};

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("images")
        .join(name)
}

fn source(name: &str) -> Vec<u8> {
    let config = std::fs::read(path(&format!("{name}.json"))).unwrap();
    let module = std::fs::read_to_string(path(&format!("{name}.wat"))).unwrap();
    build(&config, &assemble(&module).unwrap()).unwrap()
}

fn name(reference: &str) -> &str {
    reference
        .trim_start_matches("pico/")
        .trim_end_matches(":v1")
}

#[test]
fn examples_are_what_their_sources_make() {
    if std::env::var_os("UPDATE_EXAMPLES").is_some() {
        let mut seed = [0; 32];
        std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom").unwrap(), &mut seed)
            .unwrap();
        let signer = SigningKey::from_seed(seed).unwrap();
        std::fs::write(path("examples.pub"), format!("{}\n", signer.public())).unwrap();
        for example in EXAMPLES {
            let name = name(example.reference);
            std::fs::write(
                path(&format!("{name}.eci")),
                sign(&source(name), &signer).unwrap(),
            )
            .unwrap();
        }
        return;
    }
    let trusted = [key().unwrap()];
    for example in EXAMPLES {
        let mut committed = Verifier::new(&trusted).verify(example.bundle).unwrap();
        assert_eq!(committed.config().reference(), example.reference);
        let made = source(name(example.reference));
        let same = sign(&made, &SigningKey::from_seed([1; 32]).unwrap()).unwrap();
        let other = [SigningKey::from_seed([1; 32]).unwrap().public()];
        let mut made = Verifier::new(&other).verify(same.as_slice()).unwrap();
        assert_eq!(
            committed.config(),
            made.config(),
            "{}: UPDATE_EXAMPLES=1 builds it anew",
            example.reference
        );
        let digest = |mut module: pico_eci::Part<&mut &[u8]>| Digest::of_blob(&mut module).unwrap();
        assert_eq!(
            digest(committed.module().unwrap()),
            digest(made.module().unwrap()),
            "{}",
            example.reference
        );
    }
}
