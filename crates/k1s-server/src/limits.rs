// SPDX-License-Identifier: Apache-2.0
//! What one client may cost the server, and how many files the process may have open.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What one client may cost the server before it is cut off.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long the head of an HTTP/1.1 request may take, and how long a connection may idle between two requests.
    pub head: Duration,
    /// How long a client may pause within the body of its request.
    pub body_pause: Duration,
    /// How long a client may refuse to read what is sent to it.
    pub write_stall: Duration,
    /// How often an HTTP/2 client is asked whether it is still there, and a TCP peer likewise.
    pub keep_alive: Duration,
    /// The size of a request's head, in bytes: its line and its headers.
    pub head_bytes: u32,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    /// How long open requests may still run after the server was told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(32),
            body_pause: Duration::from_secs(30),
            write_stall: Duration::from_secs(60),
            keep_alive: Duration::from_secs(30),
            head_bytes: 128 * 1024,
            streams: 1000,
            grace: Duration::from_secs(3),
        }
    }
}

/// Lets the process have as many files open as the system allows it to ask for. Ten thousand clients are ten thousand
/// open files, and the usual soft limit is 1024. Returns the limit in force; `None` means none.
pub fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return current;
    }
    match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        Ok(()) => maximum,
        // Not to be allowed is not an error: the old limit still holds, and accepting pauses when it is reached.
        Err(_) => current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_open_files();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
    }
}
