// SPDX-License-Identifier: Apache-2.0
//! SPDY/3.1 without I/O: frames in, frames out, as Kubernetes' clients, kube-apiserver and kubelets speak it for `exec`, `attach` and
//! `port-forward`.
//!
//! Entry points: [`Frames`] takes apart what a peer says, in whatever pieces it comes; [`Writer`] writes frames. Streams are the
//! caller's. There is no flow control: the peers that are left of this protocol send no `WINDOW_UPDATE` and heed none.
//!
//! Everything is bounded: a control frame has [`LONGEST_CONTROL`] bytes at most, a header block [`LONGEST_BLOCK`] once it is inflated,
//! and what is kept of the blocks before it 32 KiB, as deflate has it. Data is handed over and not kept.
#![no_std]

extern crate alloc;

mod dictionary;
mod frames;
mod headers;
mod writer;

pub use frames::{Event, Fault, Frames, LONGEST_CONTROL};
pub use headers::{Headers, LONGEST_BLOCK};
pub use writer::Writer;

/// The version of the protocol in control frames.
const VERSION: u16 = 3;
const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GOAWAY: u16 = 7;
const HEADERS: u16 = 8;
/// The flag of a stream's last frame.
const FIN: u8 = 1;

/// The status of a `RST_STREAM`: the peer broke the rules of the protocol.
pub const PROTOCOL_ERROR: u32 = 1;
/// The status of a `RST_STREAM`: there is no such stream.
pub const INVALID_STREAM: u32 = 2;
/// The status of a `RST_STREAM`: nothing was done on the stream.
pub const REFUSED_STREAM: u32 = 3;
