// SPDX-License-Identifier: Apache-2.0
//! The one error of board calls: small, `Copy`, without strings.

use core::fmt;

/// Why a board call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The board has no such pin, channel or device.
    NoSuchDevice,
    /// The device is in a mode in which it cannot do this, such as reading an edge of an output.
    WrongMode,
    /// A value is out of the device's range.
    OutOfRange,
    /// Nothing can be done now; ask again after the next event. Never a failure.
    WouldBlock,
    /// All sockets, listeners or buffers are in use.
    NoResources,
    /// The peer closed or reset the connection.
    Disconnected,
    /// There is no link.
    LinkDown,
    /// The device did not answer.
    Hardware,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchDevice => "the board has no such device",
            Self::WrongMode => "the device is in another mode",
            Self::OutOfRange => "the value is out of range",
            Self::WouldBlock => "not ready yet",
            Self::NoResources => "no free socket or buffer",
            Self::Disconnected => "the peer closed the connection",
            Self::LinkDown => "the link is down",
            Self::Hardware => "the device does not answer",
        })
    }
}

impl core::error::Error for Error {}
