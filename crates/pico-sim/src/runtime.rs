// SPDX-License-Identifier: Apache-2.0
//! A simulated board's runtime: the one of every board, with a flash that comes with the example images.

use std::io;
use std::path::Path;

use pico_board::Profile;
use pico_eci::examples::{EXAMPLES, key};
use pico_eci::{Digest, PublicKey};
use pico_flash::{Error, FlashFile, Storage};
use pico_node::BoardRuntime;
use pico_wasm::Wasm;

use crate::board::SimBoard;

/// The runtime of a simulated board.
pub type SimRuntime = BoardRuntime<SimBoard, FlashFile, Wasm>;

/// Instructions that a container is given for a second of one core: what the interpreter is expected to do on the chip.
const FUEL_PER_SECOND: u32 = 1_000_000;

/// The runtime of a board with this flash. Images are to be signed by the examples' key or one of these.
pub(crate) fn new(board: SimBoard, flash: FlashFile, trusted: &[PublicKey]) -> SimRuntime {
    BoardRuntime::new(
        board,
        flash,
        Wasm,
        key().into_iter().chain(trusted.iter().copied()).collect(),
        deliver,
        FUEL_PER_SECOND,
    )
}

/// A board on its own, with a blank flash that gets the example images when it is first used.
#[must_use]
pub fn board_runtime(profile: &'static Profile, id: u64) -> SimRuntime {
    let flash = FlashFile::without_file(profile.flash_bytes, id);
    new(SimBoard::new(profile, id), flash, &[])
}

/// Names of the images that every board comes with.
#[must_use]
pub fn images() -> Vec<&'static str> {
    EXAMPLES.iter().map(|example| example.reference).collect()
}

/// Puts the example images into a flash that does not have them.
fn deliver(storage: &mut Storage<FlashFile>) -> Result<(), Error> {
    for example in EXAMPLES {
        match storage.image_by_reference(example.reference) {
            Err(Error::NotFound) => {
                let mut bundle =
                    pico_eci::Bundle::open(example.bundle).map_err(|_| Error::Damaged)?;
                let digest = Digest::of(&bundle.manifest().map_err(|_| Error::Damaged)?);
                storage.put_image(digest, example.reference, &mut &*example.bundle)?;
            }
            Err(error) => return Err(error),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// The flash that a file holds, which is made when it is not there; without a file a blank one.
///
/// # Errors
/// When the file cannot be read or is not of this board.
pub(crate) fn flash(profile: &Profile, seed: u64, file: Option<&Path>) -> io::Result<FlashFile> {
    match file {
        Some(path) => FlashFile::open(path, profile.flash_bytes, seed)
            .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
        None => Ok(FlashFile::without_file(profile.flash_bytes, seed)),
    }
}

#[cfg(test)]
mod tests {
    use pico_board::{PICO_W, ResetReason};
    use pico_eci::HostError;
    use pico_node::{ImageError, Runtime as _};

    use super::*;

    fn runtime() -> SimRuntime {
        board_runtime(&PICO_W, 1)
    }

    fn restart(runtime: &mut SimRuntime, reason: ResetReason) -> u32 {
        runtime.board.restart(reason);
        runtime.restart();
        runtime.boot()
    }

    fn load(runtime: &mut SimRuntime, owner: &str) -> Result<usize, HostError> {
        runtime.load(owner, b"key", &mut [0; 8])
    }

    #[test]
    fn a_flash_that_failed_is_used_again() {
        let mut runtime = runtime();
        let name = images()[0];
        runtime.flash().expect("it is there").chip().power_off();
        assert!(matches!(runtime.image(name), Err(ImageError::Refused(_))));
        let failure = runtime.take_failure().expect("it is said");
        assert!(failure.contains("the flash cannot be opened"), "{failure}");
        assert_eq!(runtime.take_failure(), None, "it is said once");

        // It comes back, and fails again while the images are being written.
        let flash = runtime.flash().expect("it is not lost").chip();
        flash.power_on();
        flash.cut_after(30);
        assert!(matches!(runtime.image(name), Err(ImageError::Refused(_))));
        let failure = runtime.take_failure().expect("it is said");
        assert!(
            failure.contains("the images that the board comes with cannot be written"),
            "{failure}"
        );
        runtime.flash().expect("it is not lost").chip().power_on();
        for name in images() {
            assert!(runtime.image(name).is_ok(), "{name}");
        }
        assert_eq!(runtime.take_failure(), None);
    }

    #[test]
    fn storage_of_pods_that_are_gone_is_freed() {
        let mut runtime = runtime();
        for owner in ["uid-a", "uid-b", "uid-c", "default/web-0"] {
            runtime
                .store(owner, b"key", b"value", 100)
                .expect("there is room");
        }
        let before = runtime.usage().storage;
        runtime.forget("uid-a").expect("the flash works");
        assert_eq!(load(&mut runtime, "uid-a"), Err(HostError::NotFound));
        assert!(runtime.usage().storage < before);

        // The pod of uid-b was deleted while the board was off: the first list says so before storage is opened.
        restart(&mut runtime, ResetReason::PowerOn);
        runtime
            .keep(vec!["uid-c".to_owned()])
            .expect("the flash works");
        assert_eq!(load(&mut runtime, "uid-b"), Err(HostError::NotFound));
        assert_eq!(load(&mut runtime, "uid-c"), Ok(5));
        assert_eq!(load(&mut runtime, "default/web-0"), Ok(5));
        runtime.keep(Vec::new()).expect("the flash works");
        assert_eq!(load(&mut runtime, "uid-c"), Err(HostError::NotFound));
        assert_eq!(load(&mut runtime, "default/web-0"), Ok(5));
    }

    #[test]
    fn crashes_in_a_row_are_counted_until_the_board_has_proved_itself() {
        use ResetReason::{Panic, PowerOn, Watchdog};
        let mut runtime = runtime();
        assert_eq!(runtime.boot(), 0);
        assert_eq!(restart(&mut runtime, Watchdog), 1);
        assert_eq!(restart(&mut runtime, Panic), 2);
        assert_eq!(restart(&mut runtime, Watchdog), 3);
        runtime.stable();
        assert_eq!(restart(&mut runtime, Watchdog), 1);
        assert_eq!(restart(&mut runtime, Watchdog), 2);
        // Switched off and on, and storage was used since.
        assert_eq!(restart(&mut runtime, PowerOn), 0);
        assert!(runtime.image(images()[0]).is_ok());
        assert_eq!(restart(&mut runtime, Watchdog), 1);
    }
}
