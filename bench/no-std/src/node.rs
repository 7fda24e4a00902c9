// SPDX-License-Identifier: Apache-2.0
//! The agent of a node on a board without devices: the drivers and the sockets are the firmware's.

use core::convert::Infallible;
use core::hint::black_box;
use core::net::SocketAddr;

use alloc::string::String;
use alloc::vec;

use pico_board::{
    Adc, Board, Clock, EdgeSet, Entropy, Error, I2c, Led, Level, Link, LinkState, Network, PICO_W,
    PinMode, Pins, Profile, Pwm, Reset, ResetReason, SecondCore, SocketId, SpiDevice,
    TemperatureSensor, Watchdog,
};
use pico_eci::PublicKey;
use pico_node::{Agent, BoardRuntime, Config, Hardware, Kinds, REQUESTS, Runtime};

use super::flash::Mapped;

type Result<T> = core::result::Result<T, Error>;

/// Every device of the board, and none.
struct Nothing {
    flash: Mapped,
}

const NO: Error = Error::NoSuchDevice;

impl Pins for Nothing {
    fn configure(&mut self, _: u8, _: PinMode) -> Result<()> {
        Err(NO)
    }
    fn mode(&self, _: u8) -> Result<PinMode> {
        Err(NO)
    }
    fn read(&mut self, _: u8) -> Result<Level> {
        Err(NO)
    }
    fn write(&mut self, _: u8, _: Level) -> Result<()> {
        Err(NO)
    }
    fn watch(&mut self, _: u8, _: EdgeSet) -> Result<()> {
        Err(NO)
    }
    fn take_edges(&mut self, _: u8) -> Result<EdgeSet> {
        Err(NO)
    }
}

impl Pwm for Nothing {
    fn set(&mut self, _: u8, _: u32, _: u16) -> Result<()> {
        Err(NO)
    }
    fn stop(&mut self, _: u8) -> Result<()> {
        Err(NO)
    }
}

impl Adc for Nothing {
    fn read(&mut self, _: u8) -> Result<u16> {
        Err(NO)
    }
}

impl Led for Nothing {
    fn set(&mut self, _: bool) -> Result<()> {
        Err(NO)
    }
    fn is_on(&self) -> bool {
        false
    }
}

impl TemperatureSensor for Nothing {
    fn millicelsius(&mut self) -> Result<i32> {
        Err(NO)
    }
}

/// A bus on which nobody answers.
struct Bus;

impl embedded_hal::i2c::ErrorType for Bus {
    type Error = Infallible;
}

impl I2c for Bus {
    fn transaction(
        &mut self,
        _: u8,
        _: &mut [embedded_hal::i2c::Operation<'_>],
    ) -> core::result::Result<(), Infallible> {
        Ok(())
    }
}

impl embedded_hal::spi::ErrorType for Bus {
    type Error = Infallible;
}

impl SpiDevice for Bus {
    fn transaction(
        &mut self,
        _: &mut [embedded_hal::spi::Operation<'_, u8>],
    ) -> core::result::Result<(), Infallible> {
        Ok(())
    }
}

impl Network for Nothing {
    fn link(&self) -> Link {
        Link {
            state: LinkState::Down,
            address: None,
            rssi_dbm: None,
        }
    }
    fn connect(&mut self, _: SocketAddr) -> Result<SocketId> {
        Err(NO)
    }
    fn listen(&mut self, _: u16) -> Result<SocketId> {
        Err(NO)
    }
    fn accept(&mut self, _: SocketId) -> Result<(SocketId, SocketAddr)> {
        Err(NO)
    }
    fn send(&mut self, _: SocketId, _: &[u8]) -> Result<usize> {
        Err(NO)
    }
    fn receive(&mut self, _: SocketId, _: &mut [u8]) -> Result<usize> {
        Err(NO)
    }
    fn close(&mut self, _: SocketId) {}
    fn abort(&mut self, _: SocketId) {}
}

impl Clock for Nothing {
    fn monotonic_ms(&self) -> u64 {
        black_box(0)
    }
}

impl Entropy for Nothing {
    fn fill(&mut self, _: &mut [u8]) -> Result<()> {
        Err(NO)
    }
}

impl Watchdog for Nothing {
    const MAX_TIMEOUT_MS: u32 = 8300;
    fn start(&mut self, _: u32) -> Result<()> {
        Ok(())
    }
    fn feed(&mut self) {}
}

impl Reset for Nothing {
    fn reason(&self) -> ResetReason {
        black_box(ResetReason::PowerOn)
    }
    fn reset(&mut self, _: ResetReason) {}
}

impl SecondCore for Nothing {
    type Job = Infallible;
    fn spawn(&mut self, job: Infallible) -> Result<()> {
        match job {}
    }
    fn is_idle(&self) -> bool {
        true
    }
    fn park(&mut self) {}
    fn unpark(&mut self) {}
    fn busy_ms(&self) -> u64 {
        0
    }
}

/// The board: each device is the same nothing.
struct Bare {
    nothing: Nothing,
    buses: (Bus, Bus),
}

impl Board for Bare {
    type Pins = Nothing;
    type Pwm = Nothing;
    type Adc = Nothing;
    type Led = Nothing;
    type Temperature = Nothing;
    type I2c = Bus;
    type Spi = Bus;
    type Flash = Mapped;
    type Network = Nothing;
    type Clock = Nothing;
    type Entropy = Nothing;
    type Watchdog = Nothing;
    type Reset = Nothing;
    type SecondCore = Nothing;

    fn profile(&self) -> &'static Profile {
        &PICO_W
    }
    fn unique_id(&self) -> u64 {
        black_box(0)
    }
    fn pins(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn pwm(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn adc(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn led(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn temperature(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn i2c(&mut self) -> &mut Bus {
        &mut self.buses.0
    }
    fn spi(&mut self) -> &mut Bus {
        &mut self.buses.1
    }
    fn flash(&mut self) -> &mut Mapped {
        &mut self.nothing.flash
    }
    fn network(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn clock(&self) -> &Nothing {
        &self.nothing
    }
    fn entropy(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn watchdog(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn reset(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
    fn second_core(&mut self) -> &mut Nothing {
        &mut self.nothing
    }
}

/// The loop of a firmware, once around.
pub(crate) fn run() {
    let board = Bare {
        nothing: Nothing { flash: Mapped },
        buses: (Bus, Bus),
    };
    let keys = vec![PublicKey(black_box([0; 32]))];
    let mut runtime = BoardRuntime::new(
        board,
        Mapped,
        pico_wasm::Wasm,
        keys,
        |_| Ok(()),
        black_box(1_000_000),
    );
    // A board that has none goes without.
    let _ = runtime.start_watchdog(8000);
    let config = Config {
        name: String::new(),
        api_host: String::new(),
        api_base: String::new(),
        authorization: String::new(),
        address: String::new(),
        kubelet_port: black_box(10250),
        kubelet_certificate: String::new(),
        open_metrics: black_box(false),
        hardware: Hardware::of(&PICO_W, runtime.storage_bytes()),
        unique_id: runtime.board.unique_id(),
        boot_id: black_box(0),
        images: vec![],
        crashes: runtime.boot(),
        pins_map: black_box(None),
        kinds: black_box(Kinds::ALL),
        led_matrix: black_box(1),
        time_server: black_box(None),
        reset: runtime.board.reset().reason(),
    };
    let mut agent = Agent::new(config, 0);
    let bytes: &[u8] = black_box(&[]);
    let runtime: &mut dyn Runtime = &mut runtime;
    loop {
        let now = black_box(0);
        black_box(agent.poll(now, runtime));
        if let Some((server, packet)) = agent.datagram(now) {
            black_box(packet);
            agent.datagram_received(server, bytes, now);
        }
        black_box(agent.order(REQUESTS));
        agent.connected(REQUESTS);
        agent.received(REQUESTS, bytes, now, runtime);
        agent.sent(REQUESTS, black_box(agent.outgoing(REQUESTS)).len());
        agent.disconnected(REQUESTS, now, runtime);
        black_box(agent.accept(0, now));
        agent.served(0, bytes, now, runtime);
        let n = black_box(agent.serving(0)).len();
        black_box(agent.served_sent(0, n, now, runtime));
        agent.served_closed(0);
        black_box(agent.served_expired());
        if agent.is_followed() {
            agent.follow(now, runtime);
        }
    }
}
