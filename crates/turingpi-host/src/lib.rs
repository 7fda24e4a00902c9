// SPDX-License-Identifier: Apache-2.0
//! What is inside a simulated module: a file tree on its eMMC, users, services, disks, K3s, and a shell that takes what provisioning
//! tools send.
//!
//! [`Machine`] is the module, [`run`] a session in it, [`sftp::Server`] its file transfer. There is no I/O here, no clock and no
//! randomness: bytes, time and a seed come in through [`Host`] and [`Parts`]. What is not: an emulator. A command is one function in a
//! table; what is not in the table is not found, as on any host.

mod cluster;
mod commands;
mod disks;
mod files;
mod image;
mod installer;
mod journal;
mod k3s;
mod layout;
mod machine;
mod paths;
mod session;
pub mod sftp;
mod shell;
mod terminal;
mod units;
mod users;

pub use cluster::{Alone, Cluster, Credentials, Node, Role};
pub use files::{Bytes, Content, Entry, Errno, Tree, VOLUME_BYTES, VOLUME_NAMES};
pub use image::{IMAGE_HEADER, Image};
pub use machine::{Filesystem, Hardware, Machine, Nvme, Parts, Power};
pub use session::{Ask, Host, Stream, Waiting, console, run};
pub use terminal::{Terminal, Typed};
pub use users::User;
