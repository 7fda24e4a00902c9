// SPDX-License-Identifier: Apache-2.0
//! A Turing Pi board with no board: the BMC over HTTPS as four generations of firmware answer it, its faults, and the modules behind it.
//!
//! [`Board::start`] opens it on a port. What is simulated is what a client sees: answers, errors, bans, the one transfer that another
//! one silently ends, serial output, modules that boot what was written to their eMMC. Time is [`Clock`]'s: a speed of 100 makes
//! twenty minutes last twelve seconds. [`Fault`]s are given by a program or on the command line.
//!
//! What is not: the inside of a module is its serial console; no kernel runs and nothing answers SSH.

mod answer;
mod auth;
mod board;
mod clock;
mod fault;
mod fetch;
mod firmware;
mod http_api;
mod image;
mod module;
mod multipart;
mod profile;
mod seen;
mod serial;
mod settings;
mod transfer;
mod uart;

pub use board::{Board, Options, StartError};
pub use clock::Clock;
pub use fault::{Fault, FaultError};
pub use module::{Kind, KindError};
pub use profile::{Profile, ProfileError};
pub use seen::Seen;
