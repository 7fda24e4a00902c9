// SPDX-License-Identifier: Apache-2.0
//! Days of a board's life before a Kubernetes API in the same process: no sockets, and a clock that jumps to whatever is
//! due next. Everything follows from a seed, so a run that fails fails again.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod hostile;
mod links;
mod power;
mod pulls;
mod shared;
mod shelf;
mod time;
mod world;
