// SPDX-License-Identifier: Apache-2.0
//! Simulated Pico boards as nodes of any Kubernetes cluster.
//!
//! The node is `pico-node` as it runs on a chip; this crate is what a chip has around it: pins that can be seen and set,
//! a link that can fail, power that can be cut. TLS and credentials are here, on the host's side of the link.
//! Entry point: [`Simulation::start`].

mod api;
mod backend;
mod board;
mod clock;
mod fetcher;
mod link;
mod matrix;
mod node;
mod pool;
mod runtime;
mod serving;
mod shared;
mod simulation;
mod trouble;

pub use api::{Api, Wire};
pub use board::{Panel, Pin, SimBoard, level};
pub use fetcher::Registry;
pub use link::Faults;
pub use matrix::LedMatrix;
pub use node::{Deed, NodeOptions, Seen};
pub use pico_node::{Kinds, SNTP_PORT};
pub use runtime::{SimRuntime, board_runtime, images};
pub use serving::Clients;
pub use simulation::{Boards, Handle, Options, Simulation};
