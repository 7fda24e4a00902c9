// SPDX-License-Identifier: Apache-2.0
//! Two firmware slots: one runs, the other takes the next firmware, which must prove itself or is left again.
//!
//! The whole state is one value in the manifests log, so it changes at once or not at all. Reading the boot record, a
//! boot loader asks [`crate::Storage::boot`] which slot to start; a firmware that works says [`crate::Storage::confirm`].

use alloc::string::String;
use alloc::vec::Vec;

/// A firmware slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slot {
    /// The first.
    #[default]
    A,
    /// The second.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// A firmware that is whole in its slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotImage {
    /// Its length in bytes.
    pub len: u32,
    /// CRC-32 of its bytes.
    pub crc: u32,
    /// Its version, at most 31 bytes.
    pub version: String,
}

/// What is in the slots and which one runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BootState {
    /// The slot whose firmware has proved itself.
    pub active: Slot,
    /// The slot that the last start chose: the firmware that runs.
    pub running: Slot,
    /// Starts that the other slot's firmware still has to prove itself; `None` when it is not on trial.
    pub trial: Option<u8>,
    /// The firmware of slot A and of slot B; `None` when it is absent or not known to be whole.
    pub images: [Option<SlotImage>; 2],
    /// Starts since the last confirmation: what tells a boot loop.
    pub unconfirmed_boots: u32,
    /// How often a firmware was left because it did not prove itself.
    pub rollbacks: u32,
}

impl BootState {
    pub(crate) const TRIALS: u8 = 3;

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        bytes.push(2);
        bytes.push(self.active.index() as u8);
        bytes.push(self.running.index() as u8);
        bytes.push(self.trial.unwrap_or(u8::MAX));
        bytes.extend_from_slice(&self.unconfirmed_boots.to_le_bytes());
        bytes.extend_from_slice(&self.rollbacks.to_le_bytes());
        for image in &self.images {
            let none = SlotImage {
                len: u32::MAX,
                ..SlotImage::default()
            };
            let image = image.as_ref().unwrap_or(&none);
            bytes.extend_from_slice(&image.len.to_le_bytes());
            bytes.extend_from_slice(&image.crc.to_le_bytes());
            bytes.push(image.version.len() as u8);
            bytes.extend_from_slice(image.version.as_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let byte = |rest: &mut &[u8]| {
            rest.split_first().map(|(byte, after)| {
                *rest = after;
                *byte
            })
        };
        let word = |rest: &mut &[u8]| {
            rest.split_first_chunk::<4>().map(|(word, after)| {
                *rest = after;
                u32::from_le_bytes(*word)
            })
        };
        let slot = |byte| if byte == 0 { Slot::A } else { Slot::B };
        if byte(&mut rest)? != 2 {
            return None;
        }
        let active = slot(byte(&mut rest)?);
        let running = slot(byte(&mut rest)?);
        let trial = byte(&mut rest).map(|trial| Some(trial).filter(|trial| *trial != u8::MAX))?;
        let (unconfirmed_boots, rollbacks) = (word(&mut rest)?, word(&mut rest)?);
        let mut images = [None, None];
        for image in &mut images {
            let (len, crc) = (word(&mut rest)?, word(&mut rest)?);
            let length = usize::from(byte(&mut rest)?);
            let (version, after) = rest.split_at_checked(length)?;
            rest = after;
            let version = core::str::from_utf8(version).ok()?.into();
            *image = (len != u32::MAX).then_some(SlotImage { len, crc, version });
        }
        Some(Self {
            active,
            running,
            trial,
            images,
            unconfirmed_boots,
            rollbacks,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let image = SlotImage {
            len: 7,
            crc: 9,
            version: "v1.2.3".into(),
        };
        let states = [
            BootState::default(),
            BootState {
                active: Slot::B,
                running: Slot::A,
                trial: Some(0),
                images: [Some(image.clone()), None],
                unconfirmed_boots: 3,
                rollbacks: 1,
            },
            BootState {
                images: [None, Some(image)],
                ..BootState::default()
            },
        ];
        for state in states {
            let bytes = state.encode();
            assert_eq!(BootState::decode(&bytes), Some(state));
            for length in 0..bytes.len() {
                assert_eq!(BootState::decode(&bytes[..length]), None, "{length} bytes");
            }
        }
    }
}
