// SPDX-License-Identifier: Apache-2.0
//! The agent against a scripted API, in virtual time.

mod bad_input;
mod exec;
mod kubelet;
mod node;
mod pods;
mod pulls;
mod rig;
