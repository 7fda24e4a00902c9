// SPDX-License-Identifier: Apache-2.0
//! JSON text to values and back, as Kubernetes reads and writes it.
//!
//! [`read`] is bounded in size and depth, knows where an error is, and lists keys that are given
//! twice, which strict validation refuses and lenient validation warns of (the last one wins).
//! Whole numbers stay whole; `3.0` is a floating point number and stays one. Text that is not UTF-8
//! is read with replacement characters, as Go does.
//!
//! [`print()`] and [`print_pretty`] write as Go does: `<`, `>` and `&` escaped, floats without a
//! needless `.0`, so that annotations and `-o json` are byte for byte the same.

mod error;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use error::{JsonError, JsonProblem};
pub use read::{Document, Limits, read, read_document, read_prefix};
pub use write::{print, print_pretty};

use serde_json::Value;

/// What Go's JSON package calls the type of a value in its messages.
pub fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Writes whole numbers as such, however they were spelled: `3.0` as `3`.
pub fn settle_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_i64().is_none() => {
            if let Some(whole) = number.as_f64().and_then(whole) {
                *number = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(settle_whole_numbers),
        Value::Object(map) => map.values_mut().for_each(settle_whole_numbers),
        _ => {}
    }
}

/// The whole number that a float is, if all of its digits count.
fn whole(float: f64) -> Option<i64> {
    const MOST: f64 = 9_007_199_254_740_992.0;
    (float.fract() == 0.0 && float.abs() <= MOST)
        .then(|| format!("{float:.0}").parse().ok())
        .flatten()
}
