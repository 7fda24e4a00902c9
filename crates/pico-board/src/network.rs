// SPDX-License-Identifier: Apache-2.0
//! The network as the node sees it: a link and TCP sockets that are polled.

use core::net::{IpAddr, SocketAddr};

use crate::Error;

/// A socket of the board's stack; only the board knows what the number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u16);

/// Whether the link carries traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// No radio link or no cable.
    Down,
    /// A link, but no address yet.
    Joining,
    /// A link and an address.
    Up,
}

/// The link and what it is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its state.
    pub state: LinkState,
    /// The board's address; `None` until the link is up.
    pub address: Option<IpAddr>,
    /// Received signal strength in dBm, where there is a radio.
    pub rssi_dbm: Option<i8>,
}

/// A TCP stack. Nothing blocks: [`Error::WouldBlock`] means "after the next event".
///
/// A byte that [`Network::receive`] handed out is acknowledged, and one that [`Network::send`] took is sent or the
/// connection is reported as [`Error::Disconnected`]: nothing is dropped in between.
pub trait Network {
    /// The link as it is now.
    fn link(&self) -> Link;

    /// Begins a connection; it may be used at once, and calls say [`Error::WouldBlock`] until it is established.
    ///
    /// # Errors
    /// [`Error::LinkDown`], or [`Error::NoResources`] when all sockets are in use.
    fn connect(&mut self, remote: SocketAddr) -> Result<SocketId, Error>;

    /// Listens on a port.
    ///
    /// # Errors
    /// [`Error::NoResources`] when all listeners are in use or the port is taken.
    fn listen(&mut self, port: u16) -> Result<SocketId, Error>;

    /// The next connection of a listener.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when there is none.
    fn accept(&mut self, listener: SocketId) -> Result<(SocketId, SocketAddr), Error>;

    /// Hands bytes to the stack; returns how many it took.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when its buffer is full, [`Error::Disconnected`] when the peer has gone.
    fn send(&mut self, socket: SocketId, data: &[u8]) -> Result<usize, Error>;

    /// Takes received bytes; 0 means that the peer has closed its side.
    ///
    /// # Errors
    /// [`Error::WouldBlock`] when nothing has come, [`Error::Disconnected`] after a reset.
    fn receive(&mut self, socket: SocketId, buffer: &mut [u8]) -> Result<usize, Error>;

    /// Closes the sending side after what was handed over has been sent, and frees the socket when the peer closes.
    fn close(&mut self, socket: SocketId);

    /// Frees the socket at once; the peer sees a reset.
    fn abort(&mut self, socket: SocketId);
}
