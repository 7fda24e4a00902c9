// SPDX-License-Identifier: Apache-2.0
//! A small writer of protobuf messages.
//!
//! A message inside a message is written in place and its length is put before it afterwards, so nothing is held twice.

/// Writes the fields of one message. Fields that are empty or zero are left out, as proto3 does.
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
}

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const DELIMITED: u32 = 2;

impl Writer {
    /// A writer of an empty message.
    #[must_use]
    pub const fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// The bytes of the message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// A `string` field.
    pub fn string(&mut self, number: u32, text: &str) {
        if !text.is_empty() {
            self.present_bytes(number, text.as_bytes());
        }
    }

    /// A `string` or `bytes` field that is written even when it is empty, as an entry of a repeated field is.
    pub fn present_bytes(&mut self, number: u32, bytes: &[u8]) {
        self.tag(number, DELIMITED);
        varint(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    /// A `bool` field.
    pub fn bool(&mut self, number: u32, value: bool) {
        self.unsigned(number, u64::from(value));
    }

    /// An `int32` or `int64` field.
    pub fn integer(&mut self, number: u32, value: i64) {
        self.unsigned(number, value.cast_unsigned());
    }

    /// A `double` field.
    pub fn double(&mut self, number: u32, value: f64) {
        if value != 0.0 {
            self.present_double(number, value);
        }
    }

    /// A message in a field; it is written even when it is empty.
    pub fn message(&mut self, number: u32, fill: impl FnOnce(&mut Self)) {
        self.tag(number, DELIMITED);
        let start = self.out.len();
        fill(self);
        let mut length = Vec::with_capacity(4);
        varint(&mut length, (self.out.len() - start) as u64);
        self.out.splice(start..start, length);
    }

    /// A `bool` that is one of several choices, and so written even when it is false.
    pub fn present_bool(&mut self, number: u32, value: bool) {
        self.tag(number, VARINT);
        varint(&mut self.out, u64::from(value));
    }

    /// A `double` that is one of several choices, and so written even when it is zero.
    pub fn present_double(&mut self, number: u32, value: f64) {
        self.tag(number, FIXED64);
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    fn unsigned(&mut self, number: u32, value: u64) {
        if value != 0 {
            self.tag(number, VARINT);
            varint(&mut self.out, value);
        }
    }

    fn tag(&mut self, number: u32, kind: u32) {
        varint(&mut self.out, u64::from(number << 3 | kind));
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fill: impl FnOnce(&mut Writer), expected: &[u8]) {
        let mut writer = Writer::new();
        fill(&mut writer);
        assert_eq!(writer.into_bytes(), expected);
    }

    #[test]
    fn fields() {
        check(|w| w.string(1, "ab"), b"\x0a\x02ab");
        check(|w| w.string(1, ""), b"");
        check(|w| w.present_bytes(1, b""), b"\x0a\x00");
        check(|w| w.bool(2, true), b"\x10\x01");
        check(|w| w.integer(1, 300), b"\x08\xac\x02");
        check(
            |w| w.integer(1, -1),
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        );
        check(|w| w.integer(1, 0), b"");
        check(
            |w| w.double(1, 1.0),
            b"\x09\x00\x00\x00\x00\x00\x00\xf0\x3f",
        );
        check(|w| w.string(16, "a"), b"\x82\x01\x01a");
    }

    #[test]
    fn messages_in_messages() {
        check(
            |w| w.message(1, |w| w.message(2, |w| w.string(1, "a"))),
            b"\x0a\x05\x12\x03\x0a\x01a",
        );
        check(|w| w.message(1, |_| {}), b"\x0a\x00");
        let long = "x".repeat(200);
        let mut expected = b"\x0a\xcb\x01\x0a\xc8\x01".to_vec();
        expected.extend_from_slice(long.as_bytes());
        check(|w| w.message(1, |w| w.string(1, &long)), &expected);
    }
}
