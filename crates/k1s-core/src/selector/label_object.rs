// SPDX-License-Identifier: Apache-2.0
//! Label selectors inside objects: `matchLabels` and `matchExpressions`.

use super::label::{LabelSelector, Operator, Requirement};
use super::label_parse::LabelSelectorError;
use serde_json::Value;

impl LabelSelector {
    /// Reads a `LabelSelector` object. An absent or null one selects nothing, an empty one everything.
    ///
    /// # Errors
    /// When an operator is unknown, a label is invalid, or the values do not fit the operator.
    pub fn from_object(object: Option<&Value>) -> Result<Self, LabelSelectorError> {
        let shape = |field, expected| LabelSelectorError::Shape { field, expected };
        let object = match object {
            None | Some(Value::Null) => return Ok(Self::nothing()),
            Some(Value::Object(object)) => object,
            Some(_) => return Err(shape("selector", "an object")),
        };
        let mut requirements = Vec::new();
        match object.get("matchLabels") {
            None | Some(Value::Null) => {}
            Some(Value::Object(labels)) => {
                for (key, value) in labels {
                    let value = value
                        .as_str()
                        .ok_or_else(|| shape("matchLabels", "a map of strings"))?;
                    requirements.push(Requirement::new(
                        key,
                        Operator::Equals,
                        vec![value.to_owned()],
                    )?);
                }
            }
            Some(_) => return Err(shape("matchLabels", "a map of strings")),
        }
        match object.get("matchExpressions") {
            None | Some(Value::Null) => {}
            Some(Value::Array(expressions)) => {
                for expression in expressions {
                    requirements.push(requirement(expression)?);
                }
            }
            Some(_) => return Err(shape("matchExpressions", "a list")),
        }
        Ok(Self::new(requirements))
    }
}

fn requirement(expression: &Value) -> Result<Requirement, LabelSelectorError> {
    let text = |name: &str| {
        expression
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let operator = match text("operator") {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        other => return Err(LabelSelectorError::Operator(other.to_owned())),
    };
    let values = match expression.get("values") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| value.as_str().map(str::to_owned))
            .collect(),
        Some(_) => None,
    };
    let values = values.ok_or(LabelSelectorError::Shape {
        field: "values",
        expected: "a list of strings",
    })?;
    Requirement::new(text("key"), operator, values)
}

/// Prints a `LabelSelector` object for a table or `describe`: `<none>` when there is nothing to print,
/// `<error>` when it is not valid.
pub fn format_label_selector(object: Option<&Value>) -> String {
    match LabelSelector::from_object(object).map(|selector| selector.to_string()) {
        Err(_) => "<error>".to_owned(),
        Ok(text) if text.is_empty() => "<none>".to_owned(),
        Ok(text) => text,
    }
}
