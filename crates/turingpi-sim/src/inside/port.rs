// SPDX-License-Identifier: Apache-2.0
//! A module's port: its own for the life of the board, so that nobody else gets it while the module is down and connections are refused.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections that wait to be taken.
const BACKLOG: u32 = 64;

/// A port that is held, by a socket that never listens.
pub(crate) struct Port {
    address: SocketAddr,
    _held: TcpSocket,
}

fn socket(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    // two sockets of one user may have the port, and only one of them listens
    #[cfg(unix)]
    socket.set_reuseport(true)?;
    Ok(socket)
}

impl Port {
    /// Takes a port; 0 is any.
    pub(crate) fn hold(address: SocketAddr) -> io::Result<Self> {
        let held = if address.port() == 0 {
            // alone at first: a port that somebody has is not taken for free
            let held = socket(address)?;
            held.bind(address)?;
            held
        } else {
            // whoever listens there already is not joined
            let probe = if address.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            probe.set_reuseaddr(true)?;
            probe.bind(address)?;
            drop(probe);
            let held = socket(address)?;
            held.bind(address)?;
            held
        };
        Ok(Self {
            address: held.local_addr()?,
            _held: held,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections from now on, until the listener is dropped.
    pub(crate) fn listen(&self) -> io::Result<TcpListener> {
        let listener = socket(self.address)?;
        listener.bind(self.address)?;
        listener.listen(BACKLOG)
    }
}
