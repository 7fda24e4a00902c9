// SPDX-License-Identifier: Apache-2.0
//! A Kubernetes node agent as a state machine: bytes and time in, bytes and deadlines out.
//!
//! Entry point: [`Agent`]. It has no sockets, no clock and no flash: its host moves bytes, tells the time and implements
//! [`Runtime`]. It speaks plain HTTP/1.1 to any Kubernetes API; whoever carries the bytes adds TLS and identity.
//!
//! It is not a container runtime (that is `pico-eci`) and does not know which board it runs on (that is `pico-board`).
#![no_std]

extern crate alloc;

mod agent;
pub mod backoff;
mod board_images;
mod board_runtime;
mod conditions;
mod connection;
mod custom;
mod devices;
mod event;
mod facts;
pub mod http;
mod ingress;
pub mod json;
mod kinds;
mod kubelet;
mod node;
mod pinmap;
mod pod;
mod pods;
pub mod quantity;
mod runtime;
mod services;
mod sntp;
pub mod time;
pub mod websocket;

pub use agent::{
    Agent, BACKEND, CONTROLLERS, Counters, INGRESSES, LEASE_MS, MATRICES, PINS, PODS, REQUESTS,
    SERVICES, SLOTS, STATUS_MS, Slot,
};
pub use board_images::{Fetch, Fetched};
pub use board_runtime::{BoardRuntime, Deliver};
pub use connection::Order;
pub use facts::{CRASHES, Config, Hardware, MAX_PODS, Usage, resource};
pub use kinds::Kinds;
pub use kubelet::MAX_CONNECTIONS;
pub use runtime::{Devices, ImageError, ImageFacts, Runtime};
pub use sntp::{PACKET, SNTP_PORT};
