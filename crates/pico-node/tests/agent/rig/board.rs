// SPDX-License-Identifier: Apache-2.0
//! A board whose devices remember what was done, and images that do one thing each.

use std::collections::BTreeMap;

use pico_board::{EdgeSet, Level, PinMode};
use pico_eci::{
    BuiltIn, BuiltInImage, Capabilities, Container, Context, Grant, HostError, Limits, LogLevel,
    StartError, Step, Wake,
};
use pico_node::{Devices, ImageError, ImageFacts, Runtime, Usage};

const NONE: Capabilities = Capabilities {
    pins: 0,
    pwm: 0,
    adc: 0,
    led: false,
    temperature: false,
    http: false,
    storage: 0,
};

fn image(reference: &'static str, start: fn() -> Box<dyn BuiltIn>) -> BuiltInImage {
    BuiltInImage {
        reference,
        capabilities: Capabilities {
            http: reference == "test/web:v1",
            storage: if reference == "test/stores:v1" {
                100
            } else {
                0
            },
            ..NONE
        },
        memory_bytes: 1000,
        step_fuel: 100,
        start,
    }
}

struct Runs;

impl BuiltIn for Runs {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        if context.stopping() {
            return Step::Exit(0);
        }
        let mut value = [0; 100];
        if let Ok(n) = context.config("SAY", &mut value) {
            context.log(LogLevel::Info, &value[..n]);
        }
        let later = context.monotonic_ms() + 1000;
        Step::Wait(Some(later), Wake::default())
    }
}

/// Counts its starts in storage.
struct Stores;

impl BuiltIn for Stores {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        if context.stopping() {
            return Step::Exit(0);
        }
        let mut starts = [0];
        let _ = context.load(b"starts", &mut starts);
        context
            .store(b"starts", &[starts[0] + 1])
            .expect("there is room");
        Step::Wait(None, Wake::default())
    }
}

struct Ends(i32);

impl BuiltIn for Ends {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        context.log(LogLevel::Info, b"ending");
        Step::Exit(self.0)
    }
}

struct Stubborn;

impl BuiltIn for Stubborn {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        let later = context.monotonic_ms() + 1000;
        Step::Wait(Some(later), Wake::default())
    }
}

struct Spins;

impl BuiltIn for Spins {
    fn step(&mut self, _context: &mut Context<'_>) -> Step {
        Step::Again
    }
}

/// Answers with what follows `/status/`, and with nothing at all to `/hang`.
struct Web;

impl BuiltIn for Web {
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        if context.stopping() {
            return Step::Exit(0);
        }
        let mut buffer = [0; 100];
        while let Ok(Some(n)) = context.next_request(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            if let Some(code) = text.trim().strip_prefix("GET /status/") {
                let _ = context.respond(code.parse().expect("it is there"), b"");
            }
        }
        Step::Wait(
            None,
            Wake {
                edge: false,
                request: true,
            },
        )
    }
}

#[derive(Default)]
pub(crate) struct TestRuntime {
    pub(crate) pins: BTreeMap<u8, PinMode>,
    pub(crate) pwm: BTreeMap<u8, u16>,
    pub(crate) led: bool,
    /// How often a device was touched.
    pub(crate) touched: u64,
    pub(crate) usage: Usage,
    pub(crate) refused: Option<&'static str>,
    /// What containers stored, by owner and key.
    pub(crate) data: BTreeMap<(String, Vec<u8>), Vec<u8>>,
    pub(crate) failure: Option<String>,
    /// How often it was told that it ran long enough.
    pub(crate) stable: u32,
    /// What registries say of the images that they are asked for: the image that it is, or why it cannot be had.
    pub(crate) registry: BTreeMap<String, Result<&'static str, ImageError>>,
    /// What was asked of them, and what was said to be in use then.
    pub(crate) pulls: Vec<(String, Vec<String>)>,
    /// The credentials that were brought the last time.
    pub(crate) pull_secrets: Vec<Vec<u8>>,
    /// How often they are asked until an image has come.
    pub(crate) pull_takes: usize,
    pulled: BTreeMap<String, &'static str>,
    /// What was sent to the SPI device.
    pub(crate) spi: Vec<Vec<u8>>,
    /// What drives pins from outside, and edges that were not taken yet.
    driven: BTreeMap<u8, Level>,
    edges: BTreeMap<u8, EdgeSet>,
    pub(crate) watchdog_ms: Option<u32>,
    /// How often the watchdog was fed.
    pub(crate) fed: u64,
}

impl TestRuntime {
    /// Drives a pin from outside.
    pub(crate) fn drive(&mut self, pin: u8, level: Level) {
        if self.driven.insert(pin, level) != Some(level) {
            let edges = self.edges.entry(pin).or_default();
            edges.rising |= level == Level::High;
            edges.falling |= level == Level::Low;
        }
    }

    fn find(name: &str) -> Option<BuiltInImage> {
        let images = [
            image("test/ok:v1", || Box::new(Runs)),
            image("test/done:v1", || Box::new(Ends(0))),
            image("test/fails:v1", || Box::new(Ends(3))),
            image("test/stubborn:v1", || Box::new(Stubborn)),
            image("test/spins:v1", || Box::new(Spins)),
            image("test/web:v1", || Box::new(Web)),
            image("test/stores:v1", || Box::new(Stores)),
        ];
        images.into_iter().find(|i| i.reference == name)
    }
}

impl Devices for TestRuntime {
    fn configure_pin(&mut self, pin: u8, mode: PinMode) -> Result<(), HostError> {
        self.touched += 1;
        self.pins.insert(pin, mode);
        Ok(())
    }

    fn read_pin(&mut self, pin: u8) -> Result<Level, HostError> {
        match self.pins.get(&pin) {
            Some(PinMode::Output(level)) => Ok(*level),
            Some(PinMode::Input(pull)) => Ok(self
                .driven
                .get(&pin)
                .copied()
                .unwrap_or((*pull == pico_board::Pull::Up).into())),
            _ => Ok(Level::Low),
        }
    }

    fn write_pin(&mut self, pin: u8, level: Level) -> Result<(), HostError> {
        self.touched += 1;
        self.pins.insert(pin, PinMode::Output(level));
        Ok(())
    }

    fn watch_pin(&mut self, _pin: u8, _edges: EdgeSet) -> Result<(), HostError> {
        Ok(())
    }

    fn take_edges(&mut self, pin: u8) -> Result<EdgeSet, HostError> {
        Ok(self.edges.remove(&pin).unwrap_or(EdgeSet::NONE))
    }

    fn set_led(&mut self, on: bool) -> Result<(), HostError> {
        self.led = on;
        Ok(())
    }

    fn set_pwm(&mut self, pin: u8, _frequency_hz: u32, duty: u16) -> Result<(), HostError> {
        self.touched += 1;
        self.pwm.insert(pin, duty);
        Ok(())
    }

    fn stop_pwm(&mut self, pin: u8) -> Result<(), HostError> {
        self.touched += 1;
        self.pwm.remove(&pin);
        Ok(())
    }

    fn read_adc(&mut self, _channel: u8) -> Result<u16, HostError> {
        Ok(0)
    }

    fn temperature_millicelsius(&mut self) -> Result<i32, HostError> {
        Ok(27_000)
    }

    fn write_spi(&mut self, data: &[u8]) -> Result<(), HostError> {
        self.touched += 1;
        self.spi.push(data.to_vec());
        Ok(())
    }

    fn random(&mut self, buffer: &mut [u8]) -> Result<(), HostError> {
        buffer.fill(4);
        Ok(())
    }
}

impl Runtime for TestRuntime {
    fn devices(&mut self) -> &mut dyn Devices {
        self
    }

    fn image(&mut self, name: &str) -> Result<ImageFacts, ImageError> {
        if let Some(why) = self.refused {
            return Err(ImageError::Refused(why.to_owned()));
        }
        let name = self.pulled.get(name).copied().unwrap_or(name);
        let image = Self::find(name).ok_or(ImageError::NotFound)?;
        Ok(ImageFacts {
            digest: format!("sha256:{name}"),
            asks: image.capabilities,
        })
    }

    fn start(
        &mut self,
        name: &str,
        grant: Grant,
        limits: Limits,
    ) -> Result<Box<dyn Container>, StartError> {
        let name = self.pulled.get(name).copied().unwrap_or(name);
        Self::find(name)
            .ok_or(StartError::NoEngine)?
            .start(grant, limits)
    }

    fn pull(
        &mut self,
        name: &str,
        in_use: &[String],
        secrets: &[&[u8]],
    ) -> Result<bool, ImageError> {
        self.pulls.push((name.to_owned(), in_use.to_vec()));
        self.pull_secrets = secrets.iter().map(|text| text.to_vec()).collect();
        let asked = self.pulls.iter().filter(|(n, _)| n == name).count();
        if asked % (self.pull_takes + 1) != 0 {
            return Ok(false);
        }
        let found = self.registry.get(name).cloned();
        let image = found.unwrap_or(Err(ImageError::Unavailable("not known".into())))?;
        self.pulled.insert(name.to_owned(), image);
        Ok(true)
    }

    fn image_names(&mut self) -> Vec<String> {
        self.pulled.keys().cloned().collect()
    }

    fn usage(&self) -> Usage {
        self.usage
    }

    fn fuel_per_second(&self) -> u32 {
        1_000_000
    }

    fn load(&mut self, owner: &str, key: &[u8], value: &mut [u8]) -> Result<usize, HostError> {
        let found = self
            .data
            .get(&(owner.to_owned(), key.to_vec()))
            .ok_or(HostError::NotFound)?;
        let n = found.len().min(value.len());
        value[..n].copy_from_slice(&found[..n]);
        Ok(found.len())
    }

    fn store(
        &mut self,
        owner: &str,
        key: &[u8],
        value: &[u8],
        _limit_bytes: u32,
    ) -> Result<(), HostError> {
        self.data
            .insert((owner.to_owned(), key.to_vec()), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, owner: &str, key: &[u8]) -> Result<(), HostError> {
        let known = self.data.remove(&(owner.to_owned(), key.to_vec()));
        known.map(drop).ok_or(HostError::NotFound)
    }

    fn keys(&mut self, owner: &str) -> Result<Vec<Vec<u8>>, HostError> {
        let own = self.data.keys().filter(|(known, _)| known == owner);
        Ok(own.map(|(_, key)| key.clone()).collect())
    }

    fn forget(&mut self, owner: &str) -> Result<(), HostError> {
        self.data.retain(|(known, _), _| known != owner);
        Ok(())
    }

    fn keep(&mut self, uids: Vec<String>) -> Result<(), HostError> {
        self.data
            .retain(|(known, _), _| known.contains('/') || uids.contains(known));
        Ok(())
    }

    fn stable(&mut self) {
        self.stable += 1;
    }

    fn watchdog_ms(&self) -> Option<u32> {
        self.watchdog_ms
    }

    fn feed(&mut self) {
        self.fed += 1;
    }

    fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }
}
