// SPDX-License-Identifier: Apache-2.0
//! A serial port: the daemon's ring of 16 KiB, and who listens live.

use std::collections::VecDeque;

use tokio::sync::broadcast;

/// Size of the ring in bytes.
const RING: usize = 16 << 10;

pub(crate) struct Uart {
    ring: VecDeque<u8>,
    live: broadcast::Sender<Vec<u8>>,
}

impl Default for Uart {
    fn default() -> Self {
        Self {
            ring: VecDeque::new(),
            live: broadcast::Sender::new(256),
        }
    }
}

impl Uart {
    /// The module writes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.ring.extend(bytes);
        let surplus = self.ring.len().saturating_sub(RING);
        self.ring.drain(..surplus);
        // nobody may be listening
        let _ = self.live.send(bytes.to_vec());
    }

    /// What the ring holds; old daemons forget it.
    pub(crate) fn read(&mut self, drain: bool) -> Vec<u8> {
        let bytes = self.ring.iter().copied().collect();
        if drain {
            self.ring.clear();
        }
        bytes
    }

    /// New bytes, as they come.
    pub(crate) fn listen(&self) -> broadcast::Receiver<Vec<u8>> {
        self.live.subscribe()
    }
}

/// Text in one of the daemon's encodings: bytes that are none are replaced.
pub(crate) fn decode(bytes: &[u8], encoding: &str) -> Option<String> {
    let utf16 = |read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|c| read([c[0], c[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    let utf32 = |read: fn([u8; 4]) -> u32| {
        bytes
            .chunks_exact(4)
            .map(|c| char::from_u32(read([c[0], c[1], c[2], c[3]])).unwrap_or('\u{fffd}'))
            .collect()
    };
    Some(match encoding {
        "utf8" => String::from_utf8_lossy(bytes).into_owned(),
        "utf16" | "utf16le" => utf16(u16::from_le_bytes),
        "utf16be" => utf16(u16::from_be_bytes),
        "utf32" | "utf32le" => utf32(u32::from_le_bytes),
        "utf32be" => utf32(u32::from_be_bytes),
        _ => return None,
    })
}
