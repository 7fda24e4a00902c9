// SPDX-License-Identifier: Apache-2.0
//! A program that does nothing but use the crates, so that the linker keeps what a firmware would. `sizes.py` builds it
//! with one part after another and says what each adds.
#![no_std]
#![no_main]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::hint::black_box;

/// Memory that is never given back: its own code should not count.
struct Bump(Cell<usize>);

// SAFETY: the program has one thread.
unsafe impl Sync for Bump {}

// SAFETY: every block is aligned and lies behind the one before it.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.0.get().next_multiple_of(layout.align());
        self.0.set(start + layout.size());
        start as *mut u8
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Bump = Bump(Cell::new(0x2000_0000));

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(no_mangle)]
extern "C" fn start() -> ! {
    parts();
    loop {}
}

#[cfg(not(feature = "eci"))]
fn parts() {
    black_box(alloc::vec![black_box(0_u8); 4]);
}

#[cfg(feature = "eci")]
fn parts() {
    #[cfg(feature = "flash")]
    flash::run();
    verify::run();
    #[cfg(feature = "node")]
    node::run();
}

#[cfg(feature = "node")]
mod node;

#[cfg(feature = "eci")]
mod verify {
    use super::black_box;
    use pico_eci::{Blob, PublicKey, Verifier};

    pub(crate) fn run() {
        let keys = [PublicKey(black_box([0; 32]))];
        let mut bundle: &[u8] = black_box(&[]);
        if let Ok(image) = Verifier::new(&keys).verify(&mut bundle as &mut dyn Blob) {
            start(image);
        }
    }

    #[cfg(not(feature = "wasm"))]
    fn start(image: pico_eci::Image<&mut dyn Blob>) {
        black_box(image.digest());
    }

    #[cfg(feature = "wasm")]
    fn start(mut image: pico_eci::Image<&mut dyn Blob>) {
        use pico_eci::{Engine, Grant, Host, Limits};

        unsafe extern "Rust" {
            safe fn host() -> &'static mut dyn Host;
        }
        if let Ok(mut container) = pico_wasm::Wasm.start(
            &mut image,
            black_box(Grant::NONE),
            Limits {
                memory_bytes: black_box(8192),
            },
        ) {
            black_box(container.run(black_box(1000), host()));
            black_box(container.usage());
        }
    }
}

/// A host that refuses everything: a real one is the node's.
#[cfg(feature = "wasm")]
mod host {
    use pico_board::{EdgeSet, Level, PinMode};
    use pico_eci::{Host, HostError, LogLevel};

    struct Refusing;
    type Result<T> = core::result::Result<T, HostError>;
    const NO: HostError = HostError::Failed;

    #[unsafe(no_mangle)]
    fn host() -> &'static mut dyn Host {
        alloc::boxed::Box::leak(alloc::boxed::Box::new(Refusing))
    }

    impl Host for Refusing {
        fn monotonic_ms(&self) -> u64 {
            0
        }
        fn unix_ms(&self) -> Option<u64> {
            None
        }
        fn stopping(&self) -> bool {
            false
        }
        fn configure_pin(&mut self, _: u8, _: PinMode) -> Result<()> {
            Err(NO)
        }
        fn read_pin(&mut self, _: u8) -> Result<Level> {
            Err(NO)
        }
        fn write_pin(&mut self, _: u8, _: Level) -> Result<()> {
            Err(NO)
        }
        fn watch_pin(&mut self, _: u8, _: EdgeSet) -> Result<()> {
            Err(NO)
        }
        fn take_edges(&mut self, _: u8) -> Result<EdgeSet> {
            Err(NO)
        }
        fn set_led(&mut self, _: bool) -> Result<()> {
            Err(NO)
        }
        fn set_pwm(&mut self, _: u8, _: u32, _: u16) -> Result<()> {
            Err(NO)
        }
        fn read_adc(&mut self, _: u8) -> Result<u16> {
            Err(NO)
        }
        fn temperature_millicelsius(&mut self) -> Result<i32> {
            Err(NO)
        }
        fn random(&mut self, _: &mut [u8]) -> Result<()> {
            Err(NO)
        }
        fn log(&mut self, _: LogLevel, _: &[u8]) {}
        fn config(&mut self, _: &str, _: &mut [u8]) -> Result<usize> {
            Err(NO)
        }
        fn load(&mut self, _: &[u8], _: &mut [u8]) -> Result<usize> {
            Err(NO)
        }
        fn store(&mut self, _: &[u8], _: &[u8], _: u32) -> Result<()> {
            Err(NO)
        }
        fn remove(&mut self, _: &[u8]) -> Result<()> {
            Err(NO)
        }
        fn next_request(&mut self, _: &mut [u8]) -> Result<Option<usize>> {
            Err(NO)
        }
        fn respond(&mut self, _: u16, _: &[u8]) -> Result<()> {
            Err(NO)
        }
    }
}

#[cfg(feature = "flash")]
mod flash {
    use super::black_box;
    use pico_board::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
    use pico_eci::Digest;
    use pico_flash::{Slot, Storage};

    /// Flash in the address space whose writes are memory writes: the driver is the firmware's.
    pub(crate) struct Mapped;

    impl ErrorType for Mapped {
        type Error = NorFlashErrorKind;
    }

    impl ReadNorFlash for Mapped {
        const READ_SIZE: usize = 1;
        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
            for (index, byte) in bytes.iter_mut().enumerate() {
                // SAFETY: the program is never run.
                *byte = unsafe {
                    core::ptr::read_volatile((0x1000_0000 + offset as usize + index) as *const u8)
                };
            }
            Ok(())
        }
        fn capacity(&self) -> usize {
            2 * 1024 * 1024
        }
    }

    impl NorFlash for Mapped {
        const WRITE_SIZE: usize = 1;
        const ERASE_SIZE: usize = 4096;
        fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
            black_box((from, to));
            Ok(())
        }
        fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
            black_box((offset, bytes));
            Ok(())
        }
    }

    pub(crate) fn run() {
        let Ok(mut storage) = Storage::open(Mapped) else {
            return;
        };
        let (name, bytes): (&str, &[u8]) = black_box(("", &[]));
        let digest = Digest(black_box([0; 32]));
        let _ = black_box(storage.put_image(digest, name, &mut { bytes }));
        let _ = black_box(
            storage
                .image_by_reference(name)
                .and_then(|image| storage.open_image(&image).map(drop)),
        );
        let _ = black_box((
            storage.remove_image(&digest),
            storage.collect_images(&[], 1),
        ));
        let _ = black_box((
            storage.save_manifest(name, bytes),
            storage.load_manifest(name),
            storage.remove_manifest(name),
        ));
        let _ = black_box((
            storage.manifests(),
            storage.write_data(name, bytes, bytes, 1),
            storage.read_data(name, bytes),
        ));
        let _ = black_box((
            storage.remove_data(name, bytes),
            storage.remove_owner(name),
            storage.append_log(name, 1, bytes),
        ));
        let _ = black_box(storage.read_log(name, |line| drop(black_box(line))));
        let _ = black_box((
            storage.stage_firmware(name, &mut { bytes }),
            storage.boot(),
            storage.confirm(),
            storage.roll_back(),
        ));
        let _ = black_box((storage.firmware(Slot::A).map(drop), storage.usage()));
    }
}
