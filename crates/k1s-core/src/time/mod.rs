// SPDX-License-Identifier: Apache-2.0
//! Times, durations and ages in the text forms of Kubernetes.
//!
//! A moment is a [`jiff::Timestamp`], a span a [`jiff::SignedDuration`]; this module only reads and
//! writes them: [`parse_time`] and [`print_time`] (`metav1.Time`, whole seconds, UTC),
//! [`parse_micro_time`] and [`print_micro_time`] (`metav1.MicroTime`), [`parse_duration`] and
//! [`print_duration`] (`metav1.Duration`), [`human_duration`] and [`age`] for people.
//! No clock is read here.

mod age;
mod duration;
mod moment;
#[cfg(test)]
mod tests;

pub use age::{age, human_duration, short_human_duration};
pub use duration::{DurationError, parse_duration, print_duration};
pub use moment::{TimeError, is_zero, parse_micro_time, parse_time, print_micro_time, print_time};

use std::fmt::Write;

/// Quotes a text as Go's time package does in its messages: byte by byte.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=0x7f => out.push(char::from(byte)),
            // Writing to a string cannot fail.
            _ => _ = write!(out, "\\x{byte:02x}"),
        }
    }
    out.push('"');
    out
}
