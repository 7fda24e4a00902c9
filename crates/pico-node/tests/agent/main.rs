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

/// Ten thousand of them are simulated in a process, and on the chip one has half of these bytes: what most nodes do not need most of
/// the time is boxed.
#[cfg(target_pointer_width = "64")]
#[test]
fn an_agent_is_small() {
    let bytes = size_of::<pico_node::Agent>();
    assert!(bytes <= 4096, "{bytes} bytes");
}
