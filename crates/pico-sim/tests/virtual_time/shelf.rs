// SPDX-License-Identifier: Apache-2.0
//! A registry in memory, and images made for a test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use pico_eci::build::{SigningKey, assemble, build, sign};
use pico_sim::Registry;

use crate::world::options;

/// A registry in memory.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    images: Mutex<BTreeMap<String, Vec<u8>>>,
    asked: Mutex<Vec<String>>,
}

impl Registry for Shelf {
    fn pull(&self, image: &str, _: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        self.asked.lock().unwrap().push(image.to_owned());
        let images = self.images.lock().unwrap();
        images
            .get(image)
            .cloned()
            .ok_or_else(|| "the registry says 404: not known".to_owned())
    }
}

impl Shelf {
    pub(crate) fn with(images: &[(&str, &[u8])]) -> Arc<Self> {
        let shelf = Self::default();
        for (name, bundle) in images {
            shelf
                .images
                .lock()
                .unwrap()
                .insert((*name).to_owned(), bundle.to_vec());
        }
        Arc::new(shelf)
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

/// One board that has images fetched from there.
pub(crate) fn options_with(shelf: &Arc<Shelf>) -> pico_sim::Options {
    pico_sim::Options {
        registry: Some(shelf.clone()),
        ..options(30)
    }
}

/// A signed image of a module in text that asks for these capabilities.
pub(crate) fn image(key: &SigningKey, capabilities: &str, module: &str) -> Vec<u8> {
    let config =
        format!(r#"{{"name": "own/test", "version": "v1", "capabilities": {capabilities}}}"#);
    let module = assemble(module).unwrap();
    sign(&build(config.as_bytes(), &module).unwrap(), key).unwrap()
}
