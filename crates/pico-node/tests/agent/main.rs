// SPDX-License-Identifier: Apache-2.0
//! The agent against a scripted API, in virtual time.

mod bad_input;
mod custom;
mod exec;
mod ingress;
mod kubelet;
mod node;
mod pods;
mod pulls;
mod rig;
mod services;
#[cfg(feature = "spdy")]
mod spdy;
mod time;
mod watchdog;
