// SPDX-License-Identifier: Apache-2.0
//! An SSH client for modules: [`Client::connect`] checks the host's key and logs in, [`Client::run`] runs a command,
//! [`Client::read_file`] reads a file, with `sudo` where the user may not.
//!
//! Each step has a deadline and each answer a limit. A host key that is not known is refused unless the caller says otherwise
//! ([`Trust`]). What is secret is wiped when it goes and is in no error and no `Debug` ([`Secret`]). Not here: terminals, forwarding,
//! RSA keys of one's own (an agent may hold some), and anything that knows what runs on the host.
//!
//! ```no_run
//! use std::time::Duration;
//! use turingpi_ssh::{Address, Client, Login, Method, Options, Result, Trust};
//!
//! # async fn read() -> Result<()> {
//! let login = Login { user: "root".into(), methods: vec![Method::agent_of_user()?] };
//! let trust = Trust::Pinned(vec!["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".parse()?]);
//! let client = Client::connect(&Options::new(Address::new("10.10.88.73", 22)?, trust, login)).await?;
//! let token = client.read_file("/var/lib/rancher/k3s/server/node-token", 1024, Duration::from_secs(10)).await?;
//! # drop(token);
//! # Ok(())
//! # }
//! ```

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
