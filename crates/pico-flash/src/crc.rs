// SPDX-License-Identifier: Apache-2.0
//! CRC-32 (IEEE 802.3) with a table of 64 bytes: libraries for it bring tables of 1 to 16 KB.

/// A CRC in the making.
#[derive(Clone, Copy)]
pub(crate) struct Crc32(u32);

const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut index = 0;
    while index < 16 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 4 {
            value = if value & 1 == 1 {
                value >> 1 ^ 0xedb8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
};

impl Crc32 {
    pub(crate) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 ^= u32::from(*byte);
            self.0 = self.0 >> 4 ^ TABLE[(self.0 & 15) as usize];
            self.0 = self.0 >> 4 ^ TABLE[(self.0 & 15) as usize];
        }
    }

    pub(crate) const fn finish(self) -> u32 {
        !self.0
    }
}

/// The CRC of these bytes.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = Crc32::new();
    crc.update(bytes);
    crc.finish()
}

#[cfg(test)]
mod tests {
    #[test]
    fn check_value() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(super::crc32(b""), 0);
    }
}
