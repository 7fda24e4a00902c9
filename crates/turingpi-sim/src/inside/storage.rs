// SPDX-License-Identifier: Apache-2.0
//! What a module's disks hold between two boots, and, for a board with a directory of its own, between two starts of the simulator.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use turingpi_host::{Nvme, Tree};

/// The disks of a module.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    /// The files of its eMMC; none before the first boot of an image.
    pub(crate) emmc: Option<Tree>,
    pub(crate) nvme: Nvme,
}

/// As it is written down: with what tells whether the eMMC still has the image that the files belong to.
#[derive(Serialize, Deserialize)]
struct Written<T> {
    image_bytes: u64,
    image_modified: u64,
    emmc: T,
    nvme: Nvme,
}

fn file(dir: &Path, slot: usize) -> PathBuf {
    dir.join(format!("files{}.json", slot + 1))
}

/// Size of an image and when it was written.
fn image(dir: &Path, slot: usize) -> (u64, u64) {
    let Ok(metadata) = std::fs::metadata(dir.join(format!("emmc{}", slot + 1))) else {
        return (0, 0);
    };
    let modified = metadata
        .modified()
        .ok()
        .and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    (
        metadata.len(),
        modified.map_or(0, |at| at.as_millis().try_into().unwrap_or(0)),
    )
}

/// What was written down of a slot; nothing where there is none, or it cannot be read.
pub(crate) fn load(dir: &Path, slot: usize) -> Storage {
    let path = file(dir, slot);
    let bytes = match private_file::read(&path) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Storage::default(),
        Err(e) => {
            log::warn!("{}: {e}", path.display());
            return Storage::default();
        }
    };
    match serde_json::from_slice::<Written<Option<Tree>>>(&bytes) {
        Ok(written) => Storage {
            emmc: written
                .emmc
                .filter(|_| (written.image_bytes, written.image_modified) == image(dir, slot)),
            nvme: written.nvme,
        },
        Err(e) => {
            log::warn!("{}: {e}", path.display());
            Storage::default()
        }
    }
}

/// Writes down what a slot's disks hold; passwords and keys are in it, so it is the owner's alone.
pub(crate) fn save(dir: &Path, slot: usize, storage: &Storage) {
    if storage.emmc.is_none() && storage.nvme == Nvme::default() {
        // nothing to keep is no file
        let _ = std::fs::remove_file(file(dir, slot));
        return;
    }
    let (image_bytes, image_modified) = image(dir, slot);
    let written = Written {
        image_bytes,
        image_modified,
        emmc: storage.emmc.as_ref(),
        nvme: storage.nvme.clone(),
    };
    let path = file(dir, slot);
    let saved = serde_json::to_vec(&written)
        .map_err(|e| e.to_string())
        .and_then(|bytes| private_file::write(&path, &bytes).map_err(|e| e.to_string()));
    if let Err(e) = saved {
        log::warn!("{}: {e}", path.display());
    }
}
