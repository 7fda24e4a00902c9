// SPDX-License-Identifier: Apache-2.0
//! Every [`Board`] has [`Devices`].

use pico_board::{
    Adc as _, Board, EdgeSet, Entropy as _, Led as _, Level, PinMode, Pins as _, Profile, Pwm as _,
    SpiDevice as _, TemperatureSensor as _,
};
use pico_eci::HostError;

use crate::facts::Hardware;
use crate::runtime::Devices;

impl<B: Board> Devices for B {
    fn configure_pin(&mut self, pin: u8, mode: PinMode) -> Result<(), HostError> {
        Ok(self.pins().configure(pin, mode)?)
    }

    fn read_pin(&mut self, pin: u8) -> Result<Level, HostError> {
        Ok(self.pins().read(pin)?)
    }

    fn write_pin(&mut self, pin: u8, level: Level) -> Result<(), HostError> {
        Ok(self.pins().write(pin, level)?)
    }

    fn watch_pin(&mut self, pin: u8, edges: EdgeSet) -> Result<(), HostError> {
        Ok(self.pins().watch(pin, edges)?)
    }

    fn take_edges(&mut self, pin: u8) -> Result<EdgeSet, HostError> {
        Ok(self.pins().take_edges(pin)?)
    }

    fn set_led(&mut self, on: bool) -> Result<(), HostError> {
        Ok(self.led().set(on)?)
    }

    fn set_pwm(&mut self, pin: u8, frequency_hz: u32, duty: u16) -> Result<(), HostError> {
        Ok(self.pwm().set(pin, frequency_hz, duty)?)
    }

    fn stop_pwm(&mut self, pin: u8) -> Result<(), HostError> {
        Ok(self.pwm().stop(pin)?)
    }

    fn read_adc(&mut self, channel: u8) -> Result<u16, HostError> {
        Ok(self.adc().read(channel)?)
    }

    fn temperature_millicelsius(&mut self) -> Result<i32, HostError> {
        Ok(self.temperature().millicelsius()?)
    }

    fn write_spi(&mut self, data: &[u8]) -> Result<(), HostError> {
        self.spi().write(data).map_err(|_| HostError::Failed)
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), HostError> {
        Ok(self.entropy().fill(buffer)?)
    }
}

impl Hardware {
    /// What is advertised of a board with this profile, and `storage` bytes in its data partition.
    #[must_use]
    pub fn of(profile: &Profile, storage: u64) -> Self {
        Self {
            board: profile.name,
            model: profile.model,
            chip: profile.chip.name,
            architecture: profile.chip.architecture,
            cores: profile.chip.cores,
            memory: profile.chip.sram_bytes.into(),
            memory_allocatable: profile.allocatable_sram_bytes().into(),
            storage,
            // Wear levelling needs room to move things around in.
            storage_allocatable: storage / 10 * 9,
            pins: profile.pins.iter().collect(),
            pwm: profile.pwm_channels,
            adc: profile.adc_channels,
            led: profile.led,
            temperature: profile.temperature_sensor,
        }
    }
}
