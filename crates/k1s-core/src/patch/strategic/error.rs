// SPDX-License-Identifier: Apache-2.0
//! Why a strategic merge patch cannot be applied or computed.

use super::Object;
use crate::quote::Shown;
use serde_json::Value;

/// Why a patch cannot be applied or computed; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StrategicPatchError {
    /// An element lacks the key that names it.
    #[error("map: {} does not contain declared merge key: {key}", Shown(.element))]
    NoMergeKey {
        /// The element.
        element: Value,
        /// The key.
        key: String,
    },
    /// The value of `$patch` is unknown.
    #[error("unknown patch type: {} in map: {}", as_text(.directive), Shown(.map))]
    Directive {
        /// The value.
        directive: Value,
        /// The map that has it.
        map: Value,
    },
    /// `$patch: merge` in an element of a list.
    #[error("merging lists cannot yet be specified in the patch")]
    MergeDirective,
    /// A list of lists has elements that cannot be merged.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// `$retainKeys` is no list, or does not name a key of the patch.
    #[error("invalid patch format of retainKeys")]
    RetainKeys,
    /// Two patches to combine name different keys to retain.
    #[error("{} and {} are not deep equal: this may happen when calculating the 3-way diff patch", Shown(.0), Shown(.1))]
    RetainKeysDiffer(Value, Value),
    /// A key begins like `$deleteFromPrimitiveList`, but names no field.
    #[error("invalid patch format of primitive list")]
    PrimitiveList,
    /// A key begins like `$setElementOrder`, but names no field.
    #[error("invalid patch format of setElementOrder list")]
    SetElementOrder,
    /// The elements of the patch stand in another order than the order list says.
    #[error("The order in patch list:\n{}\n doesn't match $setElementOrder list:\n{}\n", Shown(.list), Shown(.order))]
    Order {
        /// The list of the patch.
        list: Value,
        /// The order list.
        order: Value,
    },
    /// A value has a type that it cannot have there.
    #[error("expected a {expected}, but received a {found}")]
    Type {
        /// What was expected, in Go's words.
        expected: &'static str,
        /// What is there, in Go's words.
        found: &'static str,
    },
    /// An element of a list of maps is none.
    #[error("value for key {0} is not a map")]
    NotAMap(usize),
    /// The elements of two lists to merge have different types.
    #[error("list element types are not identical: {}", Shown(.0))]
    MixedElements(Value),
    /// Neither of two lists has an element.
    #[error("no elements in any of the given slices")]
    NoElements,
    /// A list of maps wants to be merged, but the schema names no key.
    #[error("cannot merge lists without merge key for {0}")]
    NoKeyDeclared(String),
    /// A map or a list is there on both sides, but the schema does not know the field.
    #[error("unable to find api field for the json field \"{0}\"")]
    UnknownField(String),
    /// The value of `$patch` is no text, where two objects are compared.
    #[error("invalid value for special key: $patch")]
    DirectiveValue,
    /// The live object was changed where the patch changes it too.
    #[error("patch:\n{patch}\nconflicts with changes made from original to current:\n{changed}\n")]
    Conflict {
        /// The patch as YAML.
        patch: String,
        /// What was changed, as YAML.
        changed: String,
    },
    /// The patch would change what kind of object it is, or its name.
    #[error("precondition failed for: {}", Shown(.0))]
    Precondition(Value),
}

impl StrategicPatchError {
    /// The HTTP status with which a server answers: a wrong format is 400, other errors of
    /// Kubernetes' own making are 500.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::RetainKeys | Self::PrimitiveList | Self::SetElementOrder => 400,
            Self::ListOfLists => 422,
            _ => 500,
        }
    }

    pub(super) fn no_merge_key(element: &Object, key: &str) -> Self {
        Self::NoMergeKey {
            element: Value::Object(element.clone()),
            key: key.to_owned(),
        }
    }

    pub(super) fn not_a_list(found: &Value) -> Self {
        Self::Type {
            expected: "[]interface {}",
            found: go_type(found),
        }
    }

    pub(super) fn not_a_map(found: &Value) -> Self {
        Self::Type {
            expected: "map[string]interface {}",
            found: go_type(found),
        }
    }
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// What Go prints where a text was expected.
fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "%!s(<nil>)".to_owned(),
        Value::Bool(_) | Value::Number(_) => format!("%!s({}={})", go_type(value), Shown(value)),
        Value::Array(_) | Value::Object(_) => Shown(value).to_string(),
    }
}
