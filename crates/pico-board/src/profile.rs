// SPDX-License-Identifier: Apache-2.0
//! Boards as data: what a node advertises is computed from these numbers and nowhere else.

/// A set of GPIO numbers below 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinSet(u64);

impl PinSet {
    /// No pin.
    pub const EMPTY: Self = Self(0);

    /// One pin; no pin when the number is 64 or more.
    #[must_use]
    pub const fn one(pin: u8) -> Self {
        if pin < 64 { Self(1 << pin) } else { Self(0) }
    }

    /// This set without the other's pins.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The pins from `first` to `last`, both included.
    #[must_use]
    pub const fn range(first: u8, last: u8) -> Self {
        let width = last as u32 - first as u32 + 1;
        let mask = if width >= 64 {
            u64::MAX
        } else {
            (1 << width) - 1
        };
        Self(mask << first)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the pin is in the set.
    #[must_use]
    pub const fn contains(self, pin: u8) -> bool {
        pin < 64 && self.0 & (1 << pin) != 0
    }

    /// How many pins are in the set.
    #[must_use]
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The pins in ascending order.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |pin| self.contains(*pin))
    }
}

/// The chip on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Its name: `rp2040`, `rp2350a`.
    pub name: &'static str,
    /// The Rust target that firmware is built for.
    pub target: &'static str,
    /// Kubernetes' name of the instruction set (`kubernetes.io/arch`).
    pub architecture: &'static str,
    /// Cores.
    pub cores: u8,
    /// Rated clock in hertz.
    pub clock_hz: u32,
    /// SRAM in bytes.
    pub sram_bytes: u32,
}

/// What a board has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name by which it is chosen: `pico-w`.
    pub name: &'static str,
    /// The name in words.
    pub model: &'static str,
    /// The chip.
    pub chip: Chip,
    /// SRAM that the firmware itself needs (stacks, network, agent), in bytes: not allocatable.
    pub reserved_sram_bytes: u32,
    /// Flash in bytes.
    pub flash_bytes: u32,
    /// Whether the flash is mapped into memory (execute in place) or a block device behind a bus.
    pub flash_mapped: bool,
    /// GPIO numbers on the header.
    pub pins: PinSet,
    /// PWM channels that can have different duties.
    pub pwm_channels: u8,
    /// Analogue inputs on the header: channel `n` is pin `first_adc_pin + n`.
    pub adc_channels: u8,
    /// The pin of analogue channel 0.
    pub first_adc_pin: u8,
    /// Whether there is an LED.
    pub led: bool,
    /// Whether the chip knows its temperature.
    pub temperature_sensor: bool,
    /// Whether the link is a radio.
    pub wireless: bool,
}

const RP2040: Chip = Chip {
    name: "rp2040",
    target: "thumbv6m-none-eabi",
    architecture: "arm",
    cores: 2,
    clock_hz: 133_000_000,
    sram_bytes: 264 * 1024,
};

const RP2350A: Chip = Chip {
    name: "rp2350a",
    target: "thumbv8m.main-none-eabihf",
    architecture: "arm",
    cores: 2,
    clock_hz: 150_000_000,
    sram_bytes: 520 * 1024,
};

// GP23, 24, 25 and 29 are wired to the radio.
const HEADER: PinSet = PinSet::range(0, 22).with(PinSet::range(26, 28));

/// Raspberry Pi Pico W: RP2040, 264 KiB of SRAM, 2 MiB of flash, 26 pins.
pub const PICO_W: Profile = Profile {
    name: "pico-w",
    model: "Raspberry Pi Pico W",
    chip: RP2040,
    reserved_sram_bytes: 64 * 1024,
    flash_bytes: 2 * 1024 * 1024,
    flash_mapped: true,
    pins: HEADER,
    pwm_channels: 16,
    adc_channels: 3,
    first_adc_pin: 26,
    led: true,
    temperature_sensor: true,
    wireless: true,
};

/// A Pico W with a block device of 2 GiB behind SPI. The chip can map 16 MiB of flash at most, so nothing runs in place.
pub const PICO_W_2G: Profile = Profile {
    name: "pico-w-2g",
    model: "Raspberry Pi Pico W with 2 GiB of storage on SPI",
    flash_bytes: 2 * 1024 * 1024 * 1024,
    flash_mapped: false,
    ..PICO_W
};

/// Raspberry Pi Pico 2 W: RP2350, 520 KiB of SRAM, 4 MiB of flash, 26 pins.
pub const PICO2_W: Profile = Profile {
    name: "pico2-w",
    model: "Raspberry Pi Pico 2 W",
    chip: RP2350A,
    flash_bytes: 4 * 1024 * 1024,
    pwm_channels: 24,
    ..PICO_W
};

/// Every profile.
pub const PROFILES: [&Profile; 3] = [&PICO_W, &PICO_W_2G, &PICO2_W];

impl Profile {
    /// The profile of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        PROFILES.into_iter().find(|profile| profile.name == name)
    }

    /// SRAM that containers may use, in bytes.
    #[must_use]
    pub const fn allocatable_sram_bytes(&self) -> u32 {
        self.chip.sram_bytes - self.reserved_sram_bytes
    }

    /// The analogue channel of a pin, if it has one.
    #[must_use]
    pub const fn adc_channel_of(&self, pin: u8) -> Option<u8> {
        if pin >= self.first_adc_pin && pin - self.first_adc_pin < self.adc_channels {
            Some(pin - self.first_adc_pin)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_of_a_pico_w() {
        assert_eq!(PICO_W.pins.len(), 26);
        for pin in [0, 15, 22, 26, 28] {
            assert!(PICO_W.pins.contains(pin), "GP{pin}");
        }
        for pin in [23, 24, 25, 29, 30, 63, 64, 255] {
            assert!(!PICO_W.pins.contains(pin), "GP{pin}");
        }
        assert_eq!(PICO_W.pins.iter().count(), 26);
        assert_eq!(
            (PICO_W.adc_channel_of(26), PICO_W.adc_channel_of(28)),
            (Some(0), Some(2))
        );
        assert_eq!(
            (PICO_W.adc_channel_of(25), PICO_W.adc_channel_of(29)),
            (None, None)
        );
    }

    #[test]
    fn profiles_have_distinct_names_and_sensible_sizes() {
        for profile in PROFILES {
            assert_eq!(Profile::find(profile.name), Some(profile));
            assert!(
                profile.allocatable_sram_bytes() >= 192 * 1024,
                "{}",
                profile.name
            );
            assert!(profile.flash_bytes.is_multiple_of(4096));
            assert!(
                !profile.flash_mapped || profile.flash_bytes <= 16 * 1024 * 1024,
                "{}",
                profile.name
            );
        }
        assert_eq!(Profile::find("pico"), None);
    }
}
