// SPDX-License-Identifier: Apache-2.0
//! What a node is and what it has, as far as that never changes while it runs.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

use pico_board::ResetReason;

use crate::kinds::Kinds;

/// Who the node is, how it reaches the API, and what its board has.
#[derive(Debug, Clone)]
pub struct Config {
    /// The node's name.
    pub name: String,
    /// The `Host` header of requests to the API.
    pub api_host: String,
    /// What stands before every path of the API; usually nothing.
    pub api_base: String,
    /// The value of the `Authorization` header, or empty.
    pub authorization: String,
    /// The node's address (`InternalIP`).
    pub address: String,
    /// The port of the kubelet API; 0 if there is none.
    pub kubelet_port: u16,
    /// The SHA-256 of the certificate that is presented on that port, in hexadecimal digits; empty if there is none.
    pub kubelet_certificate: String,
    /// Whether anybody may read figures on that port: `/metrics`, `/metrics/resource` and `/stats/summary`.
    pub open_metrics: bool,
    /// What the board has.
    pub hardware: Hardware,
    /// A number that no other board has.
    pub unique_id: u64,
    /// A number that no other start of this board has; also the seed of waiting times.
    pub boot_id: u64,
    /// Names of the images in flash, `name:tag`.
    pub images: Vec<String>,
    /// How many runs of this board in a row ended by a crash: from [`CRASHES`] on it starts in safe mode.
    pub crashes: u32,
    /// The ConfigMap that sets pins, as namespace and name.
    pub pins_map: Option<(String, String)>,
    /// Which kinds are acted upon besides Pods.
    pub kinds: Kinds,
    /// How many MAX7219 modules of 8 by 8 LEDs are on the SPI device; 0 for none.
    pub led_matrix: u8,
    /// The SNTP server to learn the time from besides the API's answers.
    pub time_server: Option<SocketAddr>,
    /// Why the board started this time.
    pub reset: ResetReason,
}

/// What is advertised of a board.
#[derive(Debug, Clone)]
pub struct Hardware {
    /// The board's name, `pico-w`.
    pub board: &'static str,
    /// The board's name in words.
    pub model: &'static str,
    /// The chip's name, `rp2040`.
    pub chip: &'static str,
    /// `kubernetes.io/arch`.
    pub architecture: &'static str,
    /// Cores.
    pub cores: u8,
    /// SRAM in bytes.
    pub memory: u64,
    /// SRAM that containers may use, in bytes.
    pub memory_allocatable: u64,
    /// The data partition in bytes.
    pub storage: u64,
    /// What of it containers may use, in bytes.
    pub storage_allocatable: u64,
    /// Digital pins, by number.
    pub pins: Vec<u8>,
    /// PWM channels.
    pub pwm: u8,
    /// Analogue channels.
    pub adc: u8,
    /// Whether there is an LED.
    pub led: bool,
    /// Whether the chip knows its temperature.
    pub temperature: bool,
}

/// How many crashes in a row put a board into safe mode, in which it starts no containers for ten minutes.
pub const CRASHES: u32 = 3;

/// How many pods a node takes.
pub const MAX_PODS: usize = 10;

/// The names of what only such boards have.
pub mod resource {
    /// Digital pins.
    pub const PINS: &str = "pico.io/gpio-pin";
    /// PWM channels.
    pub const PWM: &str = "pico.io/pwm";
    /// Analogue channels.
    pub const ADC: &str = "pico.io/adc";
    /// The LED.
    pub const LED: &str = "pico.io/led";
    /// The chip's temperature.
    pub const TEMPERATURE: &str = "pico.io/temp-sensor";
}

impl Hardware {
    /// How many of an extended resource there are.
    #[must_use]
    pub fn extended(&self) -> [(&'static str, u8); 5] {
        [
            (
                resource::PINS,
                u8::try_from(self.pins.len()).unwrap_or(u8::MAX),
            ),
            (resource::PWM, self.pwm),
            (resource::ADC, self.adc),
            (resource::LED, u8::from(self.led)),
            (resource::TEMPERATURE, u8::from(self.temperature)),
        ]
    }
}

/// What is in use now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of SRAM.
    pub memory: u64,
    /// Bytes of SRAM in all.
    pub memory_total: u64,
    /// Bytes of the data partition.
    pub storage: u64,
    /// Bytes of the data partition in all.
    pub storage_total: u64,
}
