// SPDX-License-Identifier: Apache-2.0
//! A board of which every pin can be seen and every sensor be set from outside.

use std::convert::Infallible;
use std::time::Duration;

use embedded_hal::i2c;
use pico_board::{
    Adc, Board, Clock, Edge, EdgeSet, Entropy, Error, Led, Level, Link, LinkState, Network,
    PinMode, Pins, Profile, Pull, Pwm, Reset, ResetReason, SecondCore, SocketId, TemperatureSensor,
    Watchdog,
};
use pico_flash::SimFlash;
use pico_node::backoff::Random;
use tokio::time::Instant;

use crate::matrix::LedMatrix;

/// What is seen at one pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// How it is set up.
    pub mode: PinMode,
    /// What drives it from outside, if anything does.
    pub driven: Option<Level>,
    /// Frequency in hertz and duty in 1/65535 where PWM drives it.
    pub pwm: Option<(u32, u16)>,
    output: Level,
    watched: EdgeSet,
    edges: EdgeSet,
}

impl Pin {
    const AFTER_RESET: Self = Self {
        mode: PinMode::Disabled,
        driven: None,
        pwm: None,
        output: Level::Low,
        watched: EdgeSet::NONE,
        edges: EdgeSet::NONE,
    };

    /// The level at the pin.
    #[must_use]
    pub fn level(&self) -> Level {
        match self.mode {
            PinMode::Output(_) => self.output,
            PinMode::Input(pull) => self.driven.unwrap_or((pull == Pull::Up).into()),
            PinMode::Disabled => self.driven.unwrap_or(Level::Low),
        }
    }
}

/// The devices that are seen from outside.
#[derive(Debug, Clone)]
pub struct Panel {
    profile: &'static Profile,
    pins: [Pin; 32],
    /// Readings of the analogue channels, full scale 65535.
    pub adc: [u16; 4],
    /// The chip's temperature in thousandths of a degree Celsius.
    pub temperature: i32,
    led: bool,
    /// How often the LED was switched on.
    pub led_count: u64,
}

impl Panel {
    fn new(profile: &'static Profile) -> Self {
        Self {
            profile,
            pins: [Pin::AFTER_RESET; 32],
            adc: [32_768; 4],
            temperature: 27_000,
            led: false,
            led_count: 0,
        }
    }

    fn at(&mut self, pin: u8) -> Result<&mut Pin, Error> {
        if !self.profile.pins.contains(pin) {
            return Err(Error::NoSuchDevice);
        }
        self.pins
            .get_mut(usize::from(pin))
            .ok_or(Error::NoSuchDevice)
    }

    /// Every pin on the header.
    pub fn pins(&self) -> impl Iterator<Item = (u8, &Pin)> {
        self.profile
            .pins
            .iter()
            .filter_map(|pin| Some((pin, self.pins.get(usize::from(pin))?)))
    }

    /// Whether the LED is on.
    #[must_use]
    pub fn led(&self) -> bool {
        self.led
    }

    /// Drives a pin from outside, or lets it go. An edge is remembered where the board looks for it.
    ///
    /// # Errors
    /// When the pin is not on the header.
    pub fn drive(&mut self, pin: u8, level: Option<Level>) -> Result<(), Error> {
        let pin = self.at(pin)?;
        let before = pin.level();
        pin.driven = level;
        let after = pin.level();
        if before != after {
            let edge = if after.is_high() {
                Edge::Rising
            } else {
                Edge::Falling
            };
            if pin.watched.contains(edge) {
                pin.edges.rising |= edge == Edge::Rising;
                pin.edges.falling |= edge == Edge::Falling;
            }
        }
        Ok(())
    }
}

impl Pins for Panel {
    fn configure(&mut self, pin: u8, mode: PinMode) -> Result<(), Error> {
        let pin = self.at(pin)?;
        (pin.mode, pin.pwm) = (mode, None);
        (pin.watched, pin.edges) = (EdgeSet::NONE, EdgeSet::NONE);
        if let PinMode::Output(level) = mode {
            pin.output = level;
        }
        Ok(())
    }

    fn mode(&self, pin: u8) -> Result<PinMode, Error> {
        if !self.profile.pins.contains(pin) {
            return Err(Error::NoSuchDevice);
        }
        self.pins
            .get(usize::from(pin))
            .map(|pin| pin.mode)
            .ok_or(Error::NoSuchDevice)
    }

    fn read(&mut self, pin: u8) -> Result<Level, Error> {
        let pin = self.at(pin)?;
        match pin.mode {
            PinMode::Disabled => Err(Error::WrongMode),
            _ => Ok(pin.level()),
        }
    }

    fn write(&mut self, pin: u8, level: Level) -> Result<(), Error> {
        let pin = self.at(pin)?;
        match pin.mode {
            PinMode::Output(_) => {
                pin.output = level;
                Ok(())
            }
            _ => Err(Error::WrongMode),
        }
    }

    fn watch(&mut self, pin: u8, edges: EdgeSet) -> Result<(), Error> {
        let pin = self.at(pin)?;
        match pin.mode {
            PinMode::Input(_) => {
                (pin.watched, pin.edges) = (edges, EdgeSet::NONE);
                Ok(())
            }
            _ => Err(Error::WrongMode),
        }
    }

    fn take_edges(&mut self, pin: u8) -> Result<EdgeSet, Error> {
        let pin = self.at(pin)?;
        Ok(std::mem::replace(&mut pin.edges, EdgeSet::NONE))
    }
}

impl Pwm for Panel {
    fn set(&mut self, pin: u8, frequency_hz: u32, duty: u16) -> Result<(), Error> {
        // The divider of an RP2040 reaches from 8 Hz at 16 bits to half of the clock.
        if !(8..=self.profile.chip.clock_hz / 2).contains(&frequency_hz) {
            return Err(Error::OutOfRange);
        }
        let pin = self.at(pin)?;
        pin.mode = PinMode::Output(Level::Low);
        pin.pwm = Some((frequency_hz, duty));
        Ok(())
    }

    fn stop(&mut self, pin: u8) -> Result<(), Error> {
        self.configure(pin, PinMode::Disabled)
    }
}

impl Adc for Panel {
    fn read(&mut self, channel: u8) -> Result<u16, Error> {
        if channel >= self.profile.adc_channels {
            return Err(Error::NoSuchDevice);
        }
        // A 12-bit converter: the lower four bits repeat the upper ones.
        let raw = self.adc.get(usize::from(channel)).copied().unwrap_or(0) >> 4;
        Ok(raw << 4 | raw >> 8)
    }
}

impl Led for Panel {
    fn set(&mut self, on: bool) -> Result<(), Error> {
        self.led_count += u64::from(on && !self.led);
        self.led = on;
        Ok(())
    }

    fn is_on(&self) -> bool {
        self.led
    }
}

impl TemperatureSensor for Panel {
    fn millicelsius(&mut self) -> Result<i32, Error> {
        Ok(self.temperature)
    }
}

/// Nothing is connected to the bus.
#[derive(Debug, Default)]
pub struct EmptyBus;

impl i2c::ErrorType for EmptyBus {
    type Error = i2c::ErrorKind;
}

impl i2c::I2c for EmptyBus {
    fn transaction(
        &mut self,
        _address: u8,
        _operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), Self::Error> {
        Err(i2c::ErrorKind::NoAcknowledge(
            i2c::NoAcknowledgeSource::Address,
        ))
    }
}

/// Monotonic time of a board: that of the machine, or tokio's virtual one, since the board was switched on. Its crystal
/// may run fast or slow.
#[derive(Debug)]
pub struct BoardClock {
    since: Instant,
    /// What it showed then, in microseconds.
    base: u64,
    drift_ppm: i32,
}

const MILLION: u64 = 1_000_000;

impl BoardClock {
    fn new(drift_ppm: i32) -> Self {
        Self {
            since: Instant::now(),
            base: 0,
            drift_ppm,
        }
    }

    /// How many microseconds the board counts in a second.
    fn speed(&self) -> u64 {
        MILLION
            .saturating_add_signed(self.drift_ppm.into())
            .max(MILLION / 2)
    }

    fn micros(&self) -> u64 {
        let passed = self.since.elapsed().as_micros() * u128::from(self.speed());
        self.base + u64::try_from(passed / u128::from(MILLION)).unwrap_or(u64::MAX / 2)
    }

    /// Lets it run so many millionths too fast, or too slow, from now on.
    pub(crate) fn drift(&mut self, ppm: i32) {
        self.base = self.micros();
        (self.since, self.drift_ppm) = (Instant::now(), ppm);
    }

    /// How long the world waits while the board counts so many milliseconds.
    pub(crate) fn until(&self, ms: u64) -> Duration {
        let micros = u128::from(ms) * 1000 * u128::from(MILLION) / u128::from(self.speed());
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

impl Clock for BoardClock {
    fn monotonic_ms(&self) -> u64 {
        self.micros() / 1000
    }
}

/// The machine's randomness, or numbers that follow from a seed.
#[derive(Debug)]
pub enum BoardEntropy {
    /// The machine's.
    Machine,
    /// The same in every run.
    Seeded(Random),
}

impl Entropy for BoardEntropy {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        match self {
            Self::Machine => getrandom::fill(buffer).map_err(|_| Error::Hardware),
            Self::Seeded(random) => {
                for piece in buffer.chunks_mut(8) {
                    let bytes = random.number().to_le_bytes();
                    piece.copy_from_slice(&bytes[..piece.len()]);
                }
                Ok(())
            }
        }
    }
}

/// What a simulated board has of the rest: a watchdog, a reset that is remembered, a core that idles, and a
/// network that the host carries beside it.
#[derive(Debug)]
pub struct System {
    reason: ResetReason,
    /// The reset that was asked for.
    pub asked: Option<ResetReason>,
    parked: bool,
    watchdog: Option<Dog>,
}

/// A watchdog that runs.
#[derive(Debug)]
struct Dog {
    timeout: Duration,
    fed: Instant,
}

impl System {
    /// When the watchdog resets the board unless it is fed before; never if none was started.
    pub(crate) fn resets_at(&self) -> Option<Instant> {
        self.watchdog.as_ref().map(|dog| dog.fed + dog.timeout)
    }
}

impl Watchdog for System {
    const MAX_TIMEOUT_MS: u32 = 8300;

    fn start(&mut self, timeout_ms: u32) -> Result<(), Error> {
        if timeout_ms > Self::MAX_TIMEOUT_MS {
            return Err(Error::OutOfRange);
        }
        self.watchdog = Some(Dog {
            timeout: Duration::from_millis(timeout_ms.into()),
            fed: Instant::now(),
        });
        Ok(())
    }

    fn feed(&mut self) {
        if let Some(dog) = &mut self.watchdog {
            dog.fed = Instant::now();
        }
    }
}

impl Reset for System {
    fn reason(&self) -> ResetReason {
        self.reason
    }

    fn reset(&mut self, reason: ResetReason) {
        self.asked = Some(reason);
    }
}

impl SecondCore for System {
    type Job = Infallible;

    fn spawn(&mut self, job: Infallible) -> Result<(), Error> {
        match job {}
    }

    fn is_idle(&self) -> bool {
        true
    }

    fn park(&mut self) {
        self.parked = true;
    }

    fn unpark(&mut self) {
        self.parked = false;
    }

    fn busy_ms(&self) -> u64 {
        0
    }
}

impl Network for System {
    fn link(&self) -> Link {
        Link {
            state: LinkState::Up,
            address: None,
            rssi_dbm: None,
        }
    }

    fn connect(&mut self, _remote: std::net::SocketAddr) -> Result<SocketId, Error> {
        Err(Error::NoResources)
    }

    fn listen(&mut self, _port: u16) -> Result<SocketId, Error> {
        Err(Error::NoResources)
    }

    fn accept(&mut self, _listener: SocketId) -> Result<(SocketId, std::net::SocketAddr), Error> {
        Err(Error::WouldBlock)
    }

    fn send(&mut self, _socket: SocketId, _data: &[u8]) -> Result<usize, Error> {
        Err(Error::Disconnected)
    }

    fn receive(&mut self, _socket: SocketId, _buffer: &mut [u8]) -> Result<usize, Error> {
        Err(Error::Disconnected)
    }

    fn close(&mut self, _socket: SocketId) {}

    fn abort(&mut self, _socket: SocketId) {}
}

/// A simulated board.
#[derive(Debug)]
pub struct SimBoard {
    id: u64,
    /// What is seen from outside.
    pub panel: Panel,
    /// The flash itself belongs to the storage on it; what is left here has no bytes.
    flash: SimFlash,
    clock: BoardClock,
    /// Its randomness.
    pub entropy: BoardEntropy,
    /// Reset and the like.
    pub system: System,
    bus: EmptyBus,
    /// The modules on the SPI device.
    pub matrix: LedMatrix,
}

impl SimBoard {
    /// A board that was just switched on.
    #[must_use]
    pub fn new(profile: &'static Profile, id: u64) -> Self {
        Self {
            id,
            panel: Panel::new(profile),
            flash: SimFlash::new(0, 0),
            clock: BoardClock::new(0),
            entropy: BoardEntropy::Machine,
            system: System {
                reason: ResetReason::PowerOn,
                asked: None,
                parked: false,
                watchdog: None,
            },
            bus: EmptyBus,
            matrix: LedMatrix::default(),
        }
    }

    /// Lets the clock run so many millionths too fast, or too slow, from now on.
    pub fn drift(&mut self, ppm: i32) {
        self.clock.drift(ppm);
    }

    /// Starts the board again: what is not in flash is lost. What is wired to the board stays.
    pub fn restart(&mut self, reason: ResetReason) {
        let mut panel = Panel::new(self.panel.profile);
        for (pin, old) in panel.pins.iter_mut().zip(&self.panel.pins) {
            pin.driven = old.driven;
        }
        (panel.adc, panel.temperature) = (self.panel.adc, self.panel.temperature);
        self.panel = panel;
        self.clock = BoardClock::new(self.clock.drift_ppm);
        self.system.reason = reason;
        self.system.watchdog = None;
    }
}

impl Board for SimBoard {
    type Pins = Panel;
    type Pwm = Panel;
    type Adc = Panel;
    type Led = Panel;
    type Temperature = Panel;
    type I2c = EmptyBus;
    type Spi = LedMatrix;
    type Flash = SimFlash;
    type Network = System;
    type Clock = BoardClock;
    type Entropy = BoardEntropy;
    type Watchdog = System;
    type Reset = System;
    type SecondCore = System;

    fn profile(&self) -> &'static Profile {
        self.panel.profile
    }

    fn unique_id(&self) -> u64 {
        self.id
    }

    fn pins(&mut self) -> &mut Panel {
        &mut self.panel
    }

    fn pwm(&mut self) -> &mut Panel {
        &mut self.panel
    }

    fn adc(&mut self) -> &mut Panel {
        &mut self.panel
    }

    fn led(&mut self) -> &mut Panel {
        &mut self.panel
    }

    fn temperature(&mut self) -> &mut Panel {
        &mut self.panel
    }

    fn i2c(&mut self) -> &mut EmptyBus {
        &mut self.bus
    }

    fn spi(&mut self) -> &mut LedMatrix {
        &mut self.matrix
    }

    fn flash(&mut self) -> &mut SimFlash {
        &mut self.flash
    }

    fn network(&mut self) -> &mut System {
        &mut self.system
    }

    fn clock(&self) -> &BoardClock {
        &self.clock
    }

    fn entropy(&mut self) -> &mut BoardEntropy {
        &mut self.entropy
    }

    fn watchdog(&mut self) -> &mut System {
        &mut self.system
    }

    fn reset(&mut self) -> &mut System {
        &mut self.system
    }

    fn second_core(&mut self) -> &mut System {
        &mut self.system
    }
}

/// The level that a word names: `high` or `1`, `low` or `0`.
#[must_use]
pub fn level(word: &str) -> Option<Level> {
    match word.to_ascii_lowercase().as_str() {
        "high" | "1" => Some(Level::High),
        "low" | "0" => Some(Level::Low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_drifts() {
        const DAY: u64 = 86_400_000;
        let pass = |ms| tokio::time::advance(Duration::from_millis(ms));
        let mut clock = BoardClock::new(0);
        pass(DAY).await;
        assert_eq!(clock.monotonic_ms(), DAY);
        clock.drift(200);
        assert_eq!(clock.monotonic_ms(), DAY, "it does not jump");
        pass(DAY).await;
        assert_eq!(clock.monotonic_ms(), 2 * DAY + 17_280);
        assert_eq!(clock.until(10_002), Duration::from_secs(10));
        clock.drift(-200);
        pass(DAY).await;
        assert_eq!(clock.monotonic_ms(), 3 * DAY);
        clock.drift(i32::MIN);
        pass(1000).await;
        assert_eq!(
            clock.monotonic_ms(),
            3 * DAY + 500,
            "half as fast at the slowest"
        );
    }
}
