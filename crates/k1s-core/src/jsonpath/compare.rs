// SPDX-License-Identifier: Apache-2.0
//! Comparisons in filters: only scalars of one kind can be compared, whole numbers and floats are
//! different kinds.

use super::JsonPathError;
use serde_json::Value;
use std::cmp::Ordering;

fn error(message: &str) -> JsonPathError {
    JsonPathError::Data(message.to_owned())
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Kind {
    Bool,
    Int,
    Float,
    String,
}

fn kind(value: &Value) -> Result<Kind, JsonPathError> {
    match value {
        Value::Bool(_) => Ok(Kind::Bool),
        Value::Number(number) if number.is_f64() => Ok(Kind::Float),
        Value::Number(_) => Ok(Kind::Int),
        Value::String(_) => Ok(Kind::String),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(error("invalid type for comparison"))
        }
    }
}

/// Whether `left operator right` holds.
pub(super) fn holds(left: &Value, operator: &str, right: &Value) -> Result<bool, JsonPathError> {
    let needs_order = match operator {
        "==" | "!=" => false,
        "<" | "<=" | ">" | ">=" => true,
        _ => {
            return Err(JsonPathError::Data(format!(
                "unrecognized filter operator {operator}"
            )));
        }
    };
    let (left_kind, right_kind) = (kind(left)?, kind(right)?);
    if left_kind != right_kind {
        return Err(error("incompatible types for comparison"));
    }
    if needs_order && left_kind == Kind::Bool {
        return Err(error("invalid type for comparison"));
    }
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_f64().partial_cmp(&right.as_f64()),
        },
        _ => None,
    };
    Ok(match operator {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    })
}
