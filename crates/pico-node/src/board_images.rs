// SPDX-License-Identifier: Apache-2.0
//! The images of a board: looked up in flash, taken in from elsewhere, and removed where room is needed.
//!
//! A board does not speak to registries: they ask for TLS, tokens and redirects, for which a chip has no memory. Whoever
//! carries its bytes fetches an image and hands it over as one bundle; the board trusts its signature alone.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use embedded_storage::nor_flash::NorFlash;
use pico_board::Board;
use pico_eci::{Blob, Digest, Engine, Image, Verifier, VerifyError};
use pico_flash::{Error, Storage, StoredImage};

use crate::board_runtime::{BoardRuntime, chain};
use crate::pod::names_registry;
use crate::runtime::ImageError;

/// Fetches images for a board.
pub trait Fetch {
    /// Begins to fetch an image, or says what became of it. What has come is handed out once. `secrets` are documents with
    /// credentials for registries, as a Secret's `.dockerconfigjson` or `.dockercfg` has them.
    fn fetch(&mut self, name: &str, secrets: &[&[u8]]) -> Fetched;
}

/// What became of an image that is fetched.
pub enum Fetched {
    /// It is on its way.
    Pending,
    /// It is here: an `*.eci`, to be read in pieces.
    Bundle(Box<dyn Blob>),
    /// It cannot be had; why, in words.
    Failed(String),
}

/// Why an image is not used.
enum Refusal {
    Flash(Error),
    Verify(VerifyError),
}

impl From<Refusal> for ImageError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Flash(Error::NotFound) => Self::NotFound,
            Refusal::Flash(error) => Self::Refused(chain(&error)),
            Refusal::Verify(error) => Self::Refused(chain(&error)),
        }
    }
}

/// Begins the name of a manifest that says which image a name means besides that of its own.
const ALIAS: &str = "image/";

/// The digest in `REGISTRY/NAME@sha256:…`.
fn digest_in(name: &str) -> Option<Digest> {
    name.split_once('@')?.1.parse().ok()
}

fn find<F: NorFlash>(storage: &mut Storage<F>, name: &str) -> Result<StoredImage, Error> {
    if let Some(digest) = digest_in(name) {
        return storage.image(&digest);
    }
    if names_registry(name) {
        match storage.load_manifest(&format!("{ALIAS}{name}")) {
            Ok(bytes) => {
                let digest = bytes.try_into().map(Digest).map_err(|_| Error::Damaged)?;
                return storage.image(&digest);
            }
            Err(Error::NotFound | Error::Damaged) => {}
            Err(error) => return Err(error),
        }
    }
    storage.image_by_reference(name)
}

/// Stores a bundle that was verified, in the place of others if it must.
fn put<F: NorFlash>(
    storage: &mut Storage<F>,
    name: &str,
    digest: Digest,
    bundle: &mut dyn Blob,
    in_use: &[Digest],
) -> Result<(), Error> {
    let alias = format!("{ALIAS}{name}");
    match storage.image(&digest) {
        // It is there under another name, which it keeps.
        Ok(same) if same.reference != name && storage.open_image(&same).is_ok() => {
            return storage.save_manifest(&alias, &digest.0);
        }
        _ => {}
    }
    loop {
        match storage.put_image(digest, name, bundle) {
            Err(Error::Full) => {
                let images = storage.images()?;
                let oldest = images
                    .into_iter()
                    // What came with the board or was loaded by hand is not had again by itself.
                    .filter(|image| names_registry(&image.reference))
                    .filter(|image| !in_use.contains(&image.digest))
                    .min_by_key(|image| image.serial);
                storage.remove_image(&oldest.ok_or(Error::Full)?.digest)?;
            }
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    match storage.remove_manifest(&alias) {
        Err(Error::NotFound) => Ok(()),
        done => done,
    }
}

impl<B: Board, F: NorFlash, E: Engine> BoardRuntime<B, F, E> {
    /// Has images fetched by this one. Without it a board has those in its flash.
    pub fn fetch_with(&mut self, fetch: Box<dyn Fetch>) {
        self.fetch = Some(fetch);
    }

    /// The names of the images in flash, in the order in which they came.
    ///
    /// # Errors
    /// When the flash fails.
    pub fn images(&mut self) -> Result<Vec<String>, Error> {
        let storage = self.storage()?;
        let mut found = storage.images()?;
        found.sort_unstable_by_key(|image| image.serial);
        let mut names: Vec<String> = Vec::new();
        for image in &found {
            // Of two with one name the newer runs.
            names.retain(|name| *name != image.reference);
            names.push(image.reference.clone());
        }
        for manifest in storage.manifests()? {
            let Some(name) = manifest.strip_prefix(ALIAS) else {
                continue;
            };
            if !names.iter().any(|known| known == name) && find(storage, name).is_ok() {
                names.push(name.to_string());
            }
        }
        Ok(names)
    }

    /// Does something with a verified image.
    pub(crate) fn verified<T>(
        &mut self,
        name: &str,
        act: impl FnOnce(&E, &mut Image<&mut dyn Blob>) -> T,
    ) -> Result<T, ImageError> {
        match self.storage().and_then(|storage| find(storage, name)) {
            Err(Error::NotFound) => self.supply(),
            Err(error) => return Err(Refusal::Flash(error).into()),
            Ok(_) => {}
        }
        let (engine, trusted) = (&self.engine, &self.trusted);
        let storage = self.storage.as_mut().ok_or(ImageError::NotFound)?;
        let stored = find(storage, name).map_err(Refusal::Flash)?;
        let mut reader = storage.open_image(&stored).map_err(Refusal::Flash)?;
        let blob: &mut dyn Blob = &mut reader;
        let mut image = Verifier::new(trusted)
            .verify_digest(blob, stored.digest)
            .map_err(Refusal::Verify)?;
        Ok(act(engine, &mut image))
    }

    /// Fetches an image, verifies it and stores it. Says whether that is done.
    pub(crate) fn take_in(
        &mut self,
        name: &str,
        in_use: &[String],
        secrets: &[&[u8]],
    ) -> Result<bool, ImageError> {
        let Some(fetch) = &mut self.fetch else {
            return Err(ImageError::Unavailable(
                "nobody fetches images for this board".into(),
            ));
        };
        let mut bundle = match fetch.fetch(name, secrets) {
            Fetched::Pending => return Ok(false),
            Fetched::Failed(why) => return Err(ImageError::Unavailable(why)),
            Fetched::Bundle(bundle) => bundle,
        };
        let verifier = Verifier::new(&self.trusted);
        let verified = match digest_in(name) {
            Some(digest) => verifier.verify_digest(&mut *bundle, digest),
            None => verifier.verify(&mut *bundle),
        };
        let digest = verified.map_err(Refusal::Verify)?.digest();
        let in_use: Vec<Digest> = in_use.iter().filter_map(|text| text.parse().ok()).collect();
        self.storage()
            .and_then(|storage| put(storage, name, digest, &mut *bundle, &in_use))
            .map_err(|error| {
                ImageError::Unavailable(format!("the flash does not take it: {}", chain(&error)))
            })?;
        Ok(true)
    }
}
