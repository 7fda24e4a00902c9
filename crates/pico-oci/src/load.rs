// SPDX-License-Identifier: Apache-2.0
//! Loading an image into a board's flash that is a file, as a simulated board has it.

use std::path::Path;

use pico_board::Profile;
use pico_eci::{PublicKey, Verifier};
use pico_flash::{FlashFile, Storage, StoredImage};

use crate::error::{Error, Result};

/// Verifies a bundle and stores it under `reference` (its own name when that is `None`) in the flash in `path`, which is
/// made when it is not there. The board must not run meanwhile.
///
/// # Errors
/// [`Error::Verify`], [`Error::Flash`], [`Error::File`].
pub fn load(
    path: &Path,
    profile: &Profile,
    trusted: &[PublicKey],
    reference: Option<&str>,
    bundle: &[u8],
) -> Result<StoredImage> {
    let image = Verifier::new(trusted).verify(bundle)?;
    let own = image.config().reference();
    let failed = |what: &'static str| {
        move |source| Error::File {
            what,
            path: path.into(),
            source,
        }
    };
    let refused = |source| Error::Flash {
        path: path.into(),
        source,
    };
    // as the simulation does with its directory
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(failed("make the directory of"))?;
    }
    let flash = FlashFile::open(path, profile.flash_bytes, 0).map_err(failed("open"))?;
    let mut storage = Storage::open(flash).map_err(refused)?;
    let stored = storage
        .put_image(image.digest(), reference.unwrap_or(&own), &mut { bundle })
        .map_err(refused)?;
    storage.into_flash().sync().map_err(failed("write"))?;
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use pico_board::{PICO_W, PICO2_W};
    use pico_eci::examples::{EXAMPLES, key};

    use super::*;

    #[test]
    fn images_stay_in_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("boards/flash");
        let trusted = [key().unwrap()];
        for example in EXAMPLES {
            let stored = load(&path, &PICO_W, &trusted, None, example.bundle).unwrap();
            assert_eq!(stored.reference, example.reference);
        }
        let renamed = load(
            &path,
            &PICO_W,
            &trusted,
            Some("blink:latest"),
            EXAMPLES[0].bundle,
        )
        .unwrap();
        assert_eq!(renamed.reference, "blink:latest");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 * 1024 * 1024);
        let mut storage =
            Storage::open(FlashFile::open(&path, PICO_W.flash_bytes, 0).unwrap()).unwrap();
        assert_eq!(storage.images().unwrap().len(), EXAMPLES.len());
        assert!(matches!(
            load(&path, &PICO2_W, &trusted, None, EXAMPLES[0].bundle),
            Err(Error::File { .. })
        ));
        assert!(matches!(
            load(&path, &PICO_W, &[], None, EXAMPLES[0].bundle),
            Err(Error::Verify(_))
        ));
    }
}
