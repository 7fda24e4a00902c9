// SPDX-License-Identifier: Apache-2.0
//! Client of the board management controller (BMC) of a Turing Pi 2 and 2.5: every endpoint of every firmware generation.
//!
//! [`Bmc`] is the way in. It logs in when it must and once, never polls with a dead token, knows bans, gives every call a deadline,
//! repeats only what is safe to repeat, and takes an answer of an unknown form for an error, never for zero. [`Slot`] is where slots are
//! converted. [`flash`] moves images; one transfer at a time per board, also between processes.
//!
//! It knows neither Kubernetes nor Terraform.
//!
//! ```no_run
//! # async fn run() -> turingpi_bmc::Result<()> {
//! use turingpi_bmc::{Bmc, Credentials, Options, Slot, Trust};
//!
//! let mut options = Options::new("turingpi.local".parse()?);
//! options.credentials = Some(Credentials { username: "root".into(), password: "turing".into() });
//! options.trust = Trust::FirstUse("known_boards".into());
//! let bmc = Bmc::new(options)?;
//! bmc.set_power(&[(Slot::ALL[0], true)]).await?;
//! # Ok(())
//! # }
//! ```

mod answer;
mod bmc;
mod calls;
mod connection;
pub mod console;
mod endpoint;
mod error;
pub mod flash;
mod generation;
pub mod model;
mod query;
mod restart;
mod session;
mod slot;
mod trust;
mod turn;
mod uart;

pub use bmc::Bmc;
pub use endpoint::{Credentials, Endpoint, Fingerprint, Options, Trust, WhenBusy};
pub use error::{Error, Result};
pub use generation::Generation;
pub use slot::{Slot, SlotError};
pub use uart::{BootLog, Encoding, strip_ansi};
