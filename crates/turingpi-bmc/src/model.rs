// SPDX-License-Identifier: Apache-2.0
//! What a board tells, in one form for every generation. What a firmware does not tell is `None`; what it tells in an unknown form is an
//! error.

mod about;
mod hardware;
mod nodes;
mod power;
mod usb;

pub use about::{About, Info, NetworkInterface, SdCard, StorageDevice};
pub use hardware::Cooling;
pub use nodes::{NodeInfo, NodeSettings};
pub use power::Power;
pub use usb::{Usb, UsbMode, UsbRoute};

#[cfg(test)]
mod tests;
