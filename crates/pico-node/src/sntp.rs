// SPDX-License-Identifier: Apache-2.0
//! Time from an SNTP server (RFC 4330), for clusters whose answers have no date, and to the millisecond.
//!
//! One packet out, one in. What is sent as a timestamp is a random number: an answer that does not repeat it is not
//! ours, and nobody learns what this board takes for the time.

use core::net::SocketAddr;

use crate::backoff::{Backoff, Random};
use crate::time::{Ms, Wall};

/// Bytes of a packet without authentication.
pub const PACKET: usize = 48;
/// The port of SNTP servers.
pub const SNTP_PORT: u16 = 123;

/// How often a server that answers is asked, in milliseconds.
const PERIOD_MS: Ms = 1_024_000;
/// How long an answer is awaited. A longer way says too little about the time.
const PATIENCE_MS: Ms = 2_000;
/// The shortest and the longest time between two questions that get no answer: never less than 15 s (RFC 4330).
const RETRY_MS: (Ms, Ms) = (15_000, PERIOD_MS);
/// Seconds from 1900 to 1970.
const UNIX: u64 = 2_208_988_800;

/// Why an answer is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is none: too short, or of another mode or version.
    NotSntp,
    /// It answers another question.
    NotOurs,
    /// The server does not know the time itself.
    Unsynchronised,
    /// The server wants to be asked less often.
    Slower,
    /// The server does not want to be asked at all.
    Denied,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::NotSntp => "does not speak SNTP",
            Self::NotOurs => "answers what was not asked",
            Self::Unsynchronised => "does not know the time itself",
            Self::Slower => "wants to be asked less often",
            Self::Denied => "does not want to be asked: it is not asked again",
        })
    }
}

/// What the time is according to an answer to the question `nonce`.
pub(crate) fn read(answer: &[u8], nonce: u64) -> Result<Wall, Refusal> {
    let fields = answer.first_chunk::<PACKET>().ok_or(Refusal::NotSntp)?;
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&fields[at..at + 8]);
        u64::from_be_bytes(bytes)
    };
    let (leap, version, mode) = (fields[0] >> 6, fields[0] >> 3 & 7, fields[0] & 7);
    if mode != 4 || !(3..=4).contains(&version) {
        return Err(Refusal::NotSntp);
    }
    if word(24) != nonce {
        return Err(Refusal::NotOurs);
    }
    let (stratum, transmitted) = (fields[1], word(40));
    if stratum == 0 {
        // A kiss-o'-death: the reason stands where others name their source.
        return Err(match &fields[12..16] {
            b"DENY" | b"RSTR" => Refusal::Denied,
            _ => Refusal::Slower,
        });
    }
    if leap == 3 || stratum > 15 || transmitted == 0 {
        return Err(Refusal::Unsynchronised);
    }
    let (seconds, fraction) = (transmitted >> 32, transmitted & 0xffff_ffff);
    // A first bit of zero is a time after February 2036: the count began anew.
    let era = if seconds >> 31 == 0 { 1 << 32 } else { 0 };
    let seconds = (seconds + era).checked_sub(UNIX);
    let seconds = seconds.ok_or(Refusal::Unsynchronised)?;
    Ok(Wall::from_unix_ms(
        seconds * 1000 + ((fraction * 1000) >> 32),
    ))
}

/// Asks an SNTP server from time to time.
#[derive(Debug)]
pub(crate) struct Sntp {
    server: Option<SocketAddr>,
    due: Ms,
    /// The question under way, and when it was asked.
    asked: Option<(u64, Ms)>,
    backoff: Backoff,
}

impl Sntp {
    /// Of this server; without one nothing is asked.
    pub(crate) fn new(server: Option<SocketAddr>, now: Ms) -> Self {
        Self {
            server,
            due: now,
            asked: None,
            backoff: Backoff::new(RETRY_MS.0, RETRY_MS.1),
        }
    }

    /// When something is to be done.
    pub(crate) fn due(&self) -> Option<Ms> {
        self.server?;
        Some(self.asked.map_or(self.due, |(_, at)| at + PATIENCE_MS))
    }

    /// Gives up a question that got no answer.
    pub(crate) fn poll(&mut self, now: Ms, random: &mut Random) {
        if self.asked.is_some_and(|(_, at)| now >= at + PATIENCE_MS) {
            self.asked = None;
            self.due = now + RETRY_MS.0.max(self.backoff.failed(random));
        }
    }

    /// The question that is to be sent, and to whom.
    pub(crate) fn ask(
        &mut self,
        now: Ms,
        random: &mut Random,
    ) -> Option<(SocketAddr, [u8; PACKET])> {
        let server = self
            .server
            .filter(|_| self.asked.is_none() && now >= self.due)?;
        let nonce = random.number().max(1);
        self.asked = Some((nonce, now));
        let mut packet = [0; PACKET];
        // Version 4, client.
        packet[0] = 4 << 3 | 3;
        packet[40..].copy_from_slice(&nonce.to_be_bytes());
        Some((server, packet))
    }

    /// Takes an answer. Says what time it is now; nothing if the answer is of no use.
    pub(crate) fn answered(
        &mut self,
        from: SocketAddr,
        answer: &[u8],
        now: Ms,
        random: &mut Random,
    ) -> Result<Option<Wall>, Refusal> {
        let Some((nonce, at)) = self.asked.filter(|_| self.server == Some(from)) else {
            return Ok(None);
        };
        match read(answer, nonce) {
            Ok(wall) => {
                self.asked = None;
                self.backoff.reset();
                self.due = now + PERIOD_MS + random.below(PERIOD_MS / 30);
                // The answer was half of the time on its way.
                let way = now.saturating_sub(at) / 2;
                Ok(Some(Wall::from_unix_ms(wall.unix_ms() + way)))
            }
            // The right one may still come.
            Err(Refusal::NotSntp | Refusal::NotOurs) => Ok(None),
            Err(refusal) => {
                self.asked = None;
                self.due = now + RETRY_MS.0.max(self.backoff.failed(random));
                match refusal {
                    Refusal::Denied => self.server = None,
                    Refusal::Slower => self.due = now + PERIOD_MS,
                    _ => {}
                }
                Err(refusal)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer: first byte, stratum, name of the source, what it repeats, seconds since 1900 and fraction.
    fn answer(first: u8, stratum: u8, source: &[u8; 4], nonce: u64, time: (u32, u32)) -> [u8; 48] {
        let mut packet = [0; PACKET];
        (packet[0], packet[1]) = (first, stratum);
        packet[12..16].copy_from_slice(source);
        packet[24..32].copy_from_slice(&nonce.to_be_bytes());
        packet[40..44].copy_from_slice(&time.0.to_be_bytes());
        packet[44..].copy_from_slice(&time.1.to_be_bytes());
        packet
    }

    #[test]
    fn answers() {
        const V4: u8 = 4 << 3 | 4;
        // 1 700 000 000 s after 1970 and a half
        let time = (3_908_988_800, 1 << 31);
        let check = |packet: &[u8], expected: Result<u64, Refusal>| {
            assert_eq!(read(packet, 77).map(Wall::unix_ms), expected);
        };
        check(&answer(V4, 2, b"GPS\0", 77, time), Ok(1_700_000_000_500));
        check(
            &answer(3 << 3 | 4, 15, b"GPS\0", 77, time),
            Ok(1_700_000_000_500),
        );
        // The second count begins on 7 February 2036, 06:28:16.
        check(&answer(V4, 1, b"GPS\0", 77, (0, 1)), Ok(2_085_978_496_000));
        check(&answer(V4, 2, b"GPS\0", 78, time), Err(Refusal::NotOurs));
        check(&answer(V4, 0, b"DENY", 77, time), Err(Refusal::Denied));
        check(&answer(V4, 0, b"RSTR", 77, time), Err(Refusal::Denied));
        check(&answer(V4, 0, b"RATE", 77, time), Err(Refusal::Slower));
        check(&answer(V4, 0, b"DENY", 78, time), Err(Refusal::NotOurs));
        check(
            &answer(V4, 16, b"GPS\0", 77, time),
            Err(Refusal::Unsynchronised),
        );
        check(
            &answer(3 << 6 | V4, 2, b"GPS\0", 77, time),
            Err(Refusal::Unsynchronised),
        );
        check(
            &answer(V4, 2, b"GPS\0", 77, (0, 0)),
            Err(Refusal::Unsynchronised),
        );
        check(
            &answer(4 << 3 | 3, 2, b"GPS\0", 77, time),
            Err(Refusal::NotSntp),
        );
        check(
            &answer(2 << 3 | 4, 2, b"GPS\0", 77, time),
            Err(Refusal::NotSntp),
        );
        check(
            &answer(V4, 2, b"GPS\0", 77, time)[..47],
            Err(Refusal::NotSntp),
        );
        check(&[], Err(Refusal::NotSntp));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100), nonce: u64) {
            let _ = read(&bytes, nonce);
        }
    }
}
