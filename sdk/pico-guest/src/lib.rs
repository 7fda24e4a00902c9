// SPDX-License-Identifier: Apache-2.0
//! Embedded container images in Rust.
//!
//! A guest exports a function `run` that ends with an exit code:
//!
//! ```ignore
//! #![no_std]
//! #![no_main]
//! use pico_guest::{log, led, system};
//!
//! pico_guest::main!(run);
//!
//! fn run() -> Result<(), pico_guest::Error> {
//!     loop {
//!         led::set(true)?;
//!         log::info("on");
//!         system::sleep_ms(500)?;
//!     }
//! }
//! ```
//!
//! Build it with `cargo build --release --target wasm32v1-none`; the linker arguments in `.cargo/config.toml` keep stack
//! and data within a few KiB. What a call does stands in `wit/pico.wit` of the crate `pico-eci`.
#![no_std]

mod raw;

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The container does not hold this pin, channel or service.
    Denied,
    /// No such key or device.
    NotFound,
    /// An argument is out of range, or the device is in another mode.
    Invalid,
    /// A limit is reached.
    NoSpace,
    /// The device failed.
    Failed,
    /// The container has been asked to stop.
    Interrupted,
    /// Nothing came in time.
    TimedOut,
}

/// The result of a call.
pub type Result<T> = core::result::Result<T, Error>;

fn number(result: i32) -> Result<u32> {
    u32::try_from(result).map_err(|_| match result {
        -1 => Error::Denied,
        -2 => Error::NotFound,
        -3 => Error::Invalid,
        -4 => Error::NoSpace,
        -6 => Error::Interrupted,
        -7 => Error::TimedOut,
        _ => Error::Failed,
    })
}

fn done(result: i32) -> Result<()> {
    number(result).map(|_| ())
}

fn at(bytes: &[u8]) -> (u32, u32) {
    (bytes.as_ptr() as u32, bytes.len() as u32)
}

fn at_mut(bytes: &mut [u8]) -> (u32, u32) {
    (bytes.as_mut_ptr() as u32, bytes.len() as u32)
}

/// What of a buffer was filled; `Err(NoSpace)` when the value is longer.
fn filled(buffer: &[u8], length: u32) -> Result<&[u8]> {
    buffer.get(..length as usize).ok_or(Error::NoSpace)
}

/// Makes `run`, a function that returns [`Result<()>`], the entry of the image. An error but [`Error::Interrupted`] is
/// logged and ends the container with exit code 1.
#[macro_export]
macro_rules! main {
    ($run:path) => {
        const _: () = {
            #[expect(unsafe_code, reason = "the host finds the entry by its name")]
            #[unsafe(export_name = "run")]
            extern "C" fn entry() -> i32 {
                $crate::exit_code($run())
            }
        };

        #[panic_handler]
        fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
            core::arch::wasm32::unreachable()
        }
    };
}

#[doc(hidden)]
pub fn exit_code(result: Result<()>) -> i32 {
    let text = match result {
        Ok(()) | Err(Error::Interrupted) => return 0,
        Err(Error::Denied) => "denied: not granted to this container",
        Err(Error::NotFound) => "no such key or device",
        Err(Error::Invalid) => "argument out of range or device in another mode",
        Err(Error::NoSpace) => "a limit is reached",
        Err(Error::Failed) => "the device failed",
        Err(Error::TimedOut) => "nothing came in time",
    };
    log::error(text);
    1
}

/// Time, sleep and the end.
pub mod system {
    use super::{Result, at_mut, done, raw};

    /// Milliseconds since the board started.
    #[must_use]
    pub fn now_ms() -> u64 {
        raw::system_now_ms().cast_unsigned()
    }

    /// Milliseconds since 1970, once the node knows the time.
    #[must_use]
    pub fn unix_ms() -> Option<u64> {
        u64::try_from(raw::system_unix_ms()).ok()
    }

    /// Waits.
    ///
    /// # Errors
    /// [`super::Error::Interrupted`] when the container is to stop.
    pub fn sleep_ms(ms: u32) -> Result<()> {
        done(raw::system_sleep_ms(ms))
    }

    /// Whether the container has been asked to stop.
    #[must_use]
    pub fn stopping() -> bool {
        raw::system_stopping() != 0
    }

    /// Ends the container.
    pub fn exit(code: i32) {
        raw::system_exit(code);
    }

    /// Fills the buffer, of at most 1024 bytes, with random bytes.
    ///
    /// # Errors
    /// When the source fails.
    pub fn random(buffer: &mut [u8]) -> Result<()> {
        let (ptr, len) = at_mut(buffer);
        done(raw::system_random(ptr, len))
    }
}

/// The container's log.
pub mod log {
    use super::{at, raw};

    fn write(level: u32, line: &str) {
        let (ptr, len) = at(line.as_bytes());
        raw::log_write(level, ptr, len);
    }

    /// A line for whoever wrote the container.
    pub fn debug(line: &str) {
        write(0, line);
    }

    /// A line.
    pub fn info(line: &str) {
        write(1, line);
    }

    /// Something to look at.
    pub fn warning(line: &str) {
        write(2, line);
    }

    /// Something failed.
    pub fn error(line: &str) {
        write(3, line);
    }
}

/// Environment variables.
pub mod config {
    use super::{Error, Result, at, at_mut, filled, number, raw};

    /// The value of a variable, in the buffer.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::NoSpace`] when the buffer is too small, [`Error::Invalid`] when it is not UTF-8.
    pub fn get<'a>(key: &str, buffer: &'a mut [u8]) -> Result<&'a str> {
        let (key_ptr, key_len) = at(key.as_bytes());
        let (ptr, cap) = at_mut(buffer);
        let length = number(raw::config_get(key_ptr, key_len, ptr, cap))?;
        core::str::from_utf8(filled(buffer, length)?).map_err(|_| Error::Invalid)
    }
}

/// Digital pins.
pub mod gpio {
    use super::{Result, done, number, raw};

    /// How a pin is set up.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Mode {
        /// High impedance.
        Disabled,
        /// An input.
        Input,
        /// An input with a resistor to the I/O voltage.
        PullUp,
        /// An input with a resistor to ground.
        PullDown,
        /// An output that starts low.
        OutputLow,
        /// An output that starts high.
        OutputHigh,
    }

    /// A pin that the container holds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Pin(pub u32);

    /// Edges of a pin.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Edges {
        /// From low to high.
        pub rising: bool,
        /// From high to low.
        pub falling: bool,
    }

    /// The container's `index`th pin.
    ///
    /// # Errors
    /// [`super::Error::NotFound`] when it holds fewer.
    pub fn pin(index: u32) -> Result<Pin> {
        number(raw::gpio_pin(index)).map(Pin)
    }

    impl Pin {
        /// Sets the pin up.
        ///
        /// # Errors
        /// [`super::Error::Denied`] for another container's pin.
        pub fn configure(self, mode: Mode) -> Result<()> {
            done(raw::gpio_configure(self.0, mode as u32))
        }

        /// Whether the pin is high.
        ///
        /// # Errors
        /// [`super::Error::Invalid`] when it is disabled.
        pub fn is_high(self) -> Result<bool> {
            number(raw::gpio_read(self.0)).map(|level| level != 0)
        }

        /// Drives the pin.
        ///
        /// # Errors
        /// [`super::Error::Invalid`] when it is not an output.
        pub fn set(self, high: bool) -> Result<()> {
            done(raw::gpio_write(self.0, high.into()))
        }

        /// Chooses the edges that are remembered.
        ///
        /// # Errors
        /// [`super::Error::Invalid`] when it is not an input.
        pub fn watch(self, edges: Edges) -> Result<()> {
            done(raw::gpio_watch(
                self.0,
                u32::from(edges.rising) | u32::from(edges.falling) << 1,
            ))
        }

        /// Waits for a watched edge; `None` waits for ever.
        ///
        /// # Errors
        /// [`super::Error::TimedOut`], [`super::Error::Interrupted`].
        pub fn wait(self, timeout_ms: Option<u32>) -> Result<Edges> {
            let timeout = timeout_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
            let edges = number(raw::gpio_wait(self.0, timeout))?;
            Ok(Edges {
                rising: edges & 1 != 0,
                falling: edges & 2 != 0,
            })
        }

        /// Drives the pin with PWM: frequency in hertz, duty in 1/65535.
        ///
        /// # Errors
        /// [`super::Error::Denied`] without `pico.io/pwm`.
        pub fn pwm(self, frequency_hz: u32, duty: u16) -> Result<()> {
            done(raw::pwm_set(self.0, frequency_hz, duty.into()))
        }
    }
}

/// The LED.
pub mod led {
    use super::{Result, done, raw};

    /// Switches it.
    ///
    /// # Errors
    /// [`super::Error::Denied`] without `pico.io/led`.
    pub fn set(on: bool) -> Result<()> {
        done(raw::led_set(on.into()))
    }
}

/// Analogue inputs and the chip's temperature.
pub mod sensor {
    use super::{Result, done, number, raw};

    /// One conversion of a channel, full scale 65535.
    ///
    /// # Errors
    /// [`super::Error::Denied`] for a channel that the container does not hold.
    pub fn adc(channel: u32) -> Result<u16> {
        number(raw::adc_read(channel)).map(|value| value as u16)
    }

    /// The chip's temperature in thousandths of a degree Celsius.
    ///
    /// # Errors
    /// [`super::Error::Denied`] without `pico.io/temp-sensor`.
    pub fn millicelsius() -> Result<i32> {
        let mut bytes = [0; 4];
        done(raw::temperature_read(bytes.as_mut_ptr() as u32))?;
        Ok(i32::from_le_bytes(core::hint::black_box(bytes)))
    }
}

/// The container's storage.
pub mod kv {
    use super::{Result, at, at_mut, done, filled, number, raw};

    /// The value of a key, in the buffer.
    ///
    /// # Errors
    /// [`super::Error::NotFound`], [`super::Error::NoSpace`] when the buffer is too small.
    pub fn get<'a>(key: &[u8], buffer: &'a mut [u8]) -> Result<&'a [u8]> {
        let ((key_ptr, key_len), (ptr, cap)) = (at(key), at_mut(buffer));
        let length = number(raw::kv_get(key_ptr, key_len, ptr, cap))?;
        filled(buffer, length)
    }

    /// Sets a key; on return it survives a power cut.
    ///
    /// # Errors
    /// [`super::Error::NoSpace`] beyond the container's storage limit.
    pub fn set(key: &[u8], value: &[u8]) -> Result<()> {
        let ((key_ptr, key_len), (ptr, len)) = (at(key), at(value));
        done(raw::kv_set(key_ptr, key_len, ptr, len))
    }

    /// Removes a key.
    ///
    /// # Errors
    /// [`super::Error::NotFound`].
    pub fn delete(key: &[u8]) -> Result<()> {
        let (ptr, len) = at(key);
        done(raw::kv_delete(ptr, len))
    }
}

/// Requests to the container.
pub mod http {
    use super::{Result, at, at_mut, done, filled, number, raw};

    /// Waits for the next request: `METHOD /path`, a line feed, the body. `None` waits for ever.
    ///
    /// # Errors
    /// [`super::Error::TimedOut`], [`super::Error::Interrupted`], [`super::Error::NoSpace`] when the buffer is too small:
    /// the request is then to be answered all the same.
    pub fn next(buffer: &mut [u8], timeout_ms: Option<u32>) -> Result<&[u8]> {
        let (ptr, cap) = at_mut(buffer);
        let timeout = timeout_ms.map_or(-1, |ms| i32::try_from(ms).unwrap_or(i32::MAX));
        let length = number(raw::http_next(ptr, cap, timeout))?;
        filled(buffer, length)
    }

    /// Answers the request last taken.
    ///
    /// # Errors
    /// [`super::Error::NotFound`] when its client has gone.
    pub fn respond(status: u16, body: &[u8]) -> Result<()> {
        let (ptr, len) = at(body);
        done(raw::http_respond(status.into(), ptr, len))
    }
}
