// SPDX-License-Identifier: Apache-2.0
//! The calls of the host interface `pico:*`: names, types, cost, and what each does.
//!
//! `wit/pico.wit` describes them for people, `include/pico.h` for C, the crate `pico-guest` for Rust; a test holds all
//! three against [`CALLS`].

use alloc::vec;
use alloc::vec::Vec;

use pico_board::{EdgeSet, Level, PinMode, Pull};

use crate::context::{MAX_KEY, MAX_VALUE};
use crate::{Context, HostError, LogLevel, Wake};

/// A type of a call's parameter or result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

/// A call of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "CALLS names them, wit/pico.wit explains them")]
pub enum Call {
    NowMs,
    UnixMs,
    SleepMs,
    Stopping,
    Exit,
    Random,
    Log,
    ConfigGet,
    GpioPin,
    GpioConfigure,
    GpioRead,
    GpioWrite,
    GpioWatch,
    GpioWait,
    LedSet,
    PwmSet,
    AdcRead,
    TemperatureRead,
    KvGet,
    KvSet,
    KvDelete,
    HttpNext,
    HttpRespond,
}

/// Parameters and result of a call; every parameter is an `i32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The parameters' names.
    pub parameters: &'static [&'static str],
    /// The result, if there is one.
    pub result: Option<ValueType>,
}

/// A line of the interface.
#[derive(Clone, Copy, Debug)]
pub struct HostCall {
    /// The module of the import.
    pub module: &'static str,
    /// The name of the import.
    pub name: &'static str,
    /// Its type.
    pub signature: Signature,
    /// Fuel that it costs besides the instruction. Calls that write flash cost as much as the time they take.
    pub fuel: u32,
    /// Which it is.
    pub call: Call,
}

const fn line(
    module: &'static str,
    name: &'static str,
    parameters: &'static [&'static str],
    fuel: u32,
    call: Call,
) -> HostCall {
    HostCall {
        module,
        name,
        signature: Signature {
            parameters,
            result: Some(ValueType::I32),
        },
        fuel,
        call,
    }
}

const fn typed(mut call: HostCall, result: Option<ValueType>) -> HostCall {
    call.signature.result = result;
    call
}

/// The whole interface, version 1. Calls are only ever added.
pub const CALLS: &[HostCall] = &[
    typed(
        line("pico:system", "now-ms", &[], 10, Call::NowMs),
        Some(ValueType::I64),
    ),
    typed(
        line("pico:system", "unix-ms", &[], 10, Call::UnixMs),
        Some(ValueType::I64),
    ),
    line("pico:system", "sleep-ms", &["ms"], 20, Call::SleepMs),
    line("pico:system", "stopping", &[], 10, Call::Stopping),
    typed(line("pico:system", "exit", &["code"], 10, Call::Exit), None),
    line("pico:system", "random", &["ptr", "len"], 200, Call::Random),
    line(
        "pico:log",
        "write",
        &["level", "ptr", "len"],
        2_000,
        Call::Log,
    ),
    line(
        "pico:config",
        "get",
        &["key-ptr", "key-len", "value-ptr", "value-cap"],
        200,
        Call::ConfigGet,
    ),
    line("pico:gpio", "pin", &["index"], 20, Call::GpioPin),
    line(
        "pico:gpio",
        "configure",
        &["pin", "mode"],
        20,
        Call::GpioConfigure,
    ),
    line("pico:gpio", "read", &["pin"], 20, Call::GpioRead),
    line("pico:gpio", "write", &["pin", "level"], 20, Call::GpioWrite),
    line("pico:gpio", "watch", &["pin", "edges"], 20, Call::GpioWatch),
    line(
        "pico:gpio",
        "wait",
        &["pin", "timeout-ms"],
        40,
        Call::GpioWait,
    ),
    line("pico:led", "set", &["on"], 200, Call::LedSet),
    line(
        "pico:pwm",
        "set",
        &["pin", "frequency-hz", "duty"],
        50,
        Call::PwmSet,
    ),
    line("pico:adc", "read", &["channel"], 50, Call::AdcRead),
    line(
        "pico:temperature",
        "read",
        &["millicelsius-ptr"],
        50,
        Call::TemperatureRead,
    ),
    line(
        "pico:kv",
        "get",
        &["key-ptr", "key-len", "value-ptr", "value-cap"],
        2_000,
        Call::KvGet,
    ),
    line(
        "pico:kv",
        "set",
        &["key-ptr", "key-len", "value-ptr", "value-len"],
        20_000,
        Call::KvSet,
    ),
    line(
        "pico:kv",
        "delete",
        &["key-ptr", "key-len"],
        20_000,
        Call::KvDelete,
    ),
    line(
        "pico:http",
        "next",
        &["request-ptr", "request-cap", "timeout-ms"],
        200,
        Call::HttpNext,
    ),
    line(
        "pico:http",
        "respond",
        &["status", "body-ptr", "body-len"],
        1_000,
        Call::HttpRespond,
    ),
];

/// A refusal as a guest sees it: the number a call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Errno {
    /// Not granted.
    Denied = -1,
    /// No such key or device.
    NotFound = -2,
    /// An argument is out of range.
    Invalid = -3,
    /// A limit is reached.
    NoSpace = -4,
    /// The device failed.
    Failed = -5,
    /// The container has been asked to end.
    Interrupted = -6,
    /// Nothing came in time.
    TimedOut = -7,
}

impl From<HostError> for Errno {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Denied => Self::Denied,
            HostError::NotFound => Self::NotFound,
            HostError::Invalid => Self::Invalid,
            HostError::NoSpace => Self::NoSpace,
            HostError::Failed => Self::Failed,
        }
    }
}

/// A guest's linear memory.
pub trait GuestMemory {
    /// The bytes of a range, if it is inside.
    fn bytes(&self, ptr: u32, len: u32) -> Option<&[u8]>;

    /// Writes bytes, if the range is inside; says whether it was.
    fn write(&mut self, ptr: u32, bytes: &[u8]) -> bool;
}

/// What a call ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest goes on with this value (of the call's type, or none).
    Return(i64),
    /// Ask again, with `deadline_ms`, when this time comes or one of the events happens.
    Wait {
        /// Monotonic milliseconds, if the wait ends by itself.
        deadline_ms: Option<u64>,
        /// What may end it earlier.
        wake: Wake,
    },
    /// The container ends with this code.
    Exit(i32),
    /// A pointer is outside of memory: the container is stopped.
    Trap,
}

/// Performs a call.
///
/// `deadline_ms` is `None` when the guest makes the call, and what [`Outcome::Wait`] said when it is asked again.
pub fn dispatch(
    call: Call,
    arguments: &[i32],
    deadline_ms: Option<Option<u64>>,
    context: &mut Context<'_>,
    memory: &mut dyn GuestMemory,
) -> Outcome {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let unsigned = |index: usize| argument(index).cast_unsigned();
    match perform(call, argument, unsigned, deadline_ms, context, memory) {
        Ok(outcome) => outcome,
        Err(Refusal::Errno(errno)) => Outcome::Return(errno as i64),
        Err(Refusal::Trap) => Outcome::Trap,
    }
}

enum Refusal {
    Errno(Errno),
    Trap,
}

impl From<HostError> for Refusal {
    fn from(error: HostError) -> Self {
        Self::Errno(error.into())
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

fn perform(
    call: Call,
    argument: impl Fn(usize) -> i32,
    unsigned: impl Fn(usize) -> u32,
    deadline_ms: Option<Option<u64>>,
    context: &mut Context<'_>,
    memory: &mut dyn GuestMemory,
) -> Result<Outcome, Refusal> {
    let number = |index: usize| u8::try_from(unsigned(index)).map_err(|_| Errno::NotFound);
    let done = Ok(Outcome::Return(0));
    match call {
        Call::NowMs => Ok(Outcome::Return(context.monotonic_ms().cast_signed())),
        Call::UnixMs => Ok(Outcome::Return(
            context.unix_ms().map_or(-1, u64::cast_signed),
        )),
        Call::SleepMs => {
            let deadline = deadline_ms
                .flatten()
                .unwrap_or_else(|| context.monotonic_ms() + u64::from(unsigned(0)));
            wait(Some(deadline), Wake::default(), context, Outcome::Return(0))
        }
        Call::Stopping => Ok(Outcome::Return(context.stopping().into())),
        Call::Exit => Ok(Outcome::Exit(argument(0))),
        Call::Random => {
            let mut buffer = vec![0; within(unsigned(1), MAX_VALUE)?];
            memory
                .bytes(unsigned(0), unsigned(1))
                .ok_or(Refusal::Trap)?;
            context.random(&mut buffer)?;
            put(memory, unsigned(0), &buffer)
        }
        Call::Log => {
            let level = match argument(0) {
                0 => LogLevel::Debug,
                1 => LogLevel::Info,
                2 => LogLevel::Warning,
                3 => LogLevel::Error,
                _ => return Err(Errno::Invalid.into()),
            };
            context.log(
                level,
                memory
                    .bytes(unsigned(1), unsigned(2))
                    .ok_or(Refusal::Trap)?,
            );
            done
        }
        Call::ConfigGet => {
            let key = take(memory, unsigned(0), unsigned(1), MAX_KEY)?;
            let key = core::str::from_utf8(&key).map_err(|_| Errno::Invalid)?;
            read_into(memory, unsigned(2), unsigned(3), |value| {
                context.config(key, value)
            })
        }
        Call::GpioPin => Ok(context
            .granted_pin(unsigned(0))
            .map_or(Outcome::Return(Errno::NotFound as i64), |pin| {
                Outcome::Return(pin.into())
            })),
        Call::GpioConfigure => {
            let mode = match argument(1) {
                0 => PinMode::Disabled,
                1 => PinMode::Input(Pull::None),
                2 => PinMode::Input(Pull::Up),
                3 => PinMode::Input(Pull::Down),
                4 => PinMode::Output(Level::Low),
                5 => PinMode::Output(Level::High),
                _ => return Err(Errno::Invalid.into()),
            };
            context.configure_pin(number(0)?, mode)?;
            done
        }
        Call::GpioRead => Ok(Outcome::Return(
            context.read_pin(number(0)?)?.is_high().into(),
        )),
        Call::GpioWrite => {
            context.write_pin(number(0)?, Level::from(argument(1) != 0))?;
            done
        }
        Call::GpioWatch => {
            let edges = EdgeSet {
                rising: argument(1) & 1 != 0,
                falling: argument(1) & 2 != 0,
            };
            context.watch_pin(number(0)?, edges)?;
            done
        }
        Call::GpioWait => {
            let edges = context.take_edges(number(0)?)?;
            if edges != EdgeSet::NONE {
                return Ok(Outcome::Return(
                    i64::from(edges.rising) | i64::from(edges.falling) << 1,
                ));
            }
            let deadline = deadline_ms.unwrap_or_else(|| timeout(argument(1), context));
            wait(
                deadline,
                Wake {
                    edge: true,
                    request: false,
                },
                context,
                Outcome::Return(Errno::TimedOut as i64),
            )
        }
        Call::LedSet => {
            context.set_led(argument(0) != 0)?;
            done
        }
        Call::PwmSet => {
            let duty = u16::try_from(unsigned(2)).map_err(|_| Errno::Invalid)?;
            context.set_pwm(number(0)?, unsigned(1), duty)?;
            done
        }
        Call::AdcRead => Ok(Outcome::Return(context.read_adc(number(0)?)?.into())),
        Call::TemperatureRead => {
            memory.bytes(unsigned(0), 4).ok_or(Refusal::Trap)?;
            let temperature = context.temperature_millicelsius()?;
            put(memory, unsigned(0), &temperature.to_le_bytes())
        }
        Call::KvGet => {
            let key = take(memory, unsigned(0), unsigned(1), MAX_KEY)?;
            read_into(memory, unsigned(2), unsigned(3), |value| {
                context.load(&key, value)
            })
        }
        Call::KvSet => {
            let key = take(memory, unsigned(0), unsigned(1), MAX_KEY)?;
            let value = take(memory, unsigned(2), unsigned(3), MAX_VALUE)?;
            context.store(&key, &value)?;
            done
        }
        Call::KvDelete => {
            context.remove(&take(memory, unsigned(0), unsigned(1), MAX_KEY)?)?;
            done
        }
        Call::HttpNext => {
            let mut request = vec![0; (unsigned(1) as usize).min(MAX_VALUE)];
            memory
                .bytes(unsigned(0), unsigned(1))
                .ok_or(Refusal::Trap)?;
            if let Some(length) = context.next_request(&mut request)? {
                request.truncate(length);
                put(memory, unsigned(0), &request)?;
                return Ok(Outcome::Return(length.try_into().unwrap_or(i64::MAX)));
            }
            let deadline = deadline_ms.unwrap_or_else(|| timeout(argument(2), context));
            wait(
                deadline,
                Wake {
                    edge: false,
                    request: true,
                },
                context,
                Outcome::Return(Errno::TimedOut as i64),
            )
        }
        Call::HttpRespond => {
            let body = take(memory, unsigned(1), unsigned(2), MAX_VALUE)?;
            context.respond(
                u16::try_from(unsigned(0)).map_err(|_| Errno::Invalid)?,
                &body,
            )?;
            done
        }
    }
}

/// When a time-out in milliseconds ends; negative ones never do.
fn timeout(ms: i32, context: &Context<'_>) -> Option<u64> {
    u64::try_from(ms).ok().map(|ms| context.monotonic_ms() + ms)
}

fn wait(
    deadline_ms: Option<u64>,
    wake: Wake,
    context: &Context<'_>,
    late: Outcome,
) -> Result<Outcome, Refusal> {
    if context.stopping() {
        return Err(Errno::Interrupted.into());
    }
    match deadline_ms {
        Some(deadline) if deadline <= context.monotonic_ms() => Ok(late),
        _ => Ok(Outcome::Wait { deadline_ms, wake }),
    }
}

fn within(len: u32, limit: usize) -> Result<usize, Refusal> {
    let len = len as usize;
    if len <= limit {
        Ok(len)
    } else {
        Err(Errno::Invalid.into())
    }
}

fn take(memory: &dyn GuestMemory, ptr: u32, len: u32, limit: usize) -> Result<Vec<u8>, Refusal> {
    within(len, limit)?;
    memory
        .bytes(ptr, len)
        .map(<[u8]>::to_vec)
        .ok_or(Refusal::Trap)
}

fn put(memory: &mut dyn GuestMemory, ptr: u32, bytes: &[u8]) -> Result<Outcome, Refusal> {
    if memory.write(ptr, bytes) {
        Ok(Outcome::Return(0))
    } else {
        Err(Refusal::Trap)
    }
}

/// Lets the host fill a buffer of at most `cap` bytes, copies it to the guest and returns the whole length.
fn read_into(
    memory: &mut dyn GuestMemory,
    ptr: u32,
    cap: u32,
    fill: impl FnOnce(&mut [u8]) -> Result<usize, HostError>,
) -> Result<Outcome, Refusal> {
    memory.bytes(ptr, cap).ok_or(Refusal::Trap)?;
    let mut buffer = vec![0; (cap as usize).min(MAX_VALUE)];
    let length = fill(&mut buffer)?;
    buffer.truncate(length);
    put(memory, ptr, &buffer)?;
    Ok(Outcome::Return(length.try_into().unwrap_or(i64::MAX)))
}
