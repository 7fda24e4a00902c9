// SPDX-License-Identifier: Apache-2.0
//! A Turing Pi board with no board: the BMC over HTTPS as four generations of firmware answer it, its faults, and the modules behind it.
//!
//! [`Board::start`] opens it on a port. What is simulated is what a client sees: answers, errors, bans, the one transfer that another
//! one silently ends, serial output, modules that boot what was written to their eMMC. Time is [`Clock`]'s: a speed of 100 makes
//! twenty minutes last twelve seconds. [`Fault`]s are given by a program or on the command line, at a time by a [`Script`], by chance from a
//! number ([`Script::by_seed`]).
//!
//! A module that is up has an inside: files, services, a shell ([`turingpi_host`]), on its serial console and over SSH. That is a server
//! of the simulator's own (feature `ssh`), or a real `sshd` before it ([`Ssh`]).
//!
//! What is not: no kernel runs, and nothing but SSH answers in a module.

mod answer;
mod auth;
mod board;
mod clock;
mod fault;
mod fetch;
mod firmware;
mod http_api;
mod image;
mod inside;
mod module;
mod multipart;
mod profile;
mod script;
mod seen;
mod serial;
mod settings;
mod tls;
mod transfer;
mod uart;

pub use board::{Board, Options, Ssh, StartError};
pub use clock::Clock;
pub use fault::{Fault, FaultError};
#[cfg(unix)]
pub use inside::{Relay, RelayError, relay};
pub use module::{Kind, KindError};
pub use profile::{Profile, ProfileError};
pub use script::{Event, Script, ScriptError};
pub use seen::Seen;
