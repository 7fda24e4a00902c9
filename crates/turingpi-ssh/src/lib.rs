// SPDX-License-Identifier: Apache-2.0
//! An SSH client for modules: [`Client::connect`] checks the host's key and logs in, [`Client::run`] runs a command,
//! [`Client::read_file`] reads a file, with `sudo` where the user may not.
//!
//! Each step has a deadline and each answer a limit. A host key that is not known is refused unless the caller says otherwise
//! ([`Trust`]). What is secret is wiped when it goes and is in no error and no `Debug` ([`Secret`]). Not here: terminals, forwarding,
//! RSA keys of one's own (an agent may hold some), and anything that knows what runs on the host.

mod address;
mod client;
mod error;
mod host_key;
mod known_hosts;
mod login;
mod run;
mod secret;

pub use address::Address;
pub use client::{Client, Options};
pub use error::{Error, HostKeyProblem, Result};
pub use host_key::{HostKey, Trust};
pub use login::{Login, Method};
pub use run::{Command, Output, Status};
pub use secret::Secret;
