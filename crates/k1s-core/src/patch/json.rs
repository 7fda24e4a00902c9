// SPDX-License-Identifier: Apache-2.0
//! JSON patch (RFC 6902), with the habits of the library that Kubernetes uses.
//!
//! What differs from the RFC: `replace` of a missing key adds it; `copy` of a missing key and `add`
//! without a value give null; `test` with null passes on an absent key; negative indexes count
//! from the end; the text before the first slash of a path is ignored.

use crate::json::{Limits, type_name};
use serde_json::{Map, Value};

/// At most so many operations in one patch.
const MAX_OPERATIONS: usize = 10_000;
/// At most so many bytes of JSON may be made by `copy` in one patch.
const MAX_COPIED_BYTES: usize = 3 * 1024 * 1024;
/// At most so many values are looked at to see how deep moved values are, in one patch.
const MAX_MOVED_VALUES: usize = 10_000_000;

/// Why a text is no list of operations; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchDecodeError {
    /// The whole, an operation or a member of one has a wrong type.
    #[error("json: cannot unmarshal {found} into Go {place}")]
    Type {
        /// What is there.
        found: &'static str,
        /// What was to be there, in Go's words.
        place: &'static str,
    },
    /// More operations than allowed; the answer is "request entity too large".
    #[error("The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {0}")]
    TooMany(usize),
}

/// Why a patch could not be applied; nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonPatchError {
    /// The operation's name is unknown.
    #[error("Unexpected kind: {0}")]
    Kind(String),
    /// The operation lacks a member.
    #[error(
        "{op} operation failed to decode {member}: operation missing {member} field: missing value"
    )]
    Member {
        /// The operation.
        op: &'static str,
        /// `path` or `from`.
        member: &'static str,
    },
    /// There is nothing at the path, or something above it is no container.
    #[error("{op} operation does not apply: doc is missing path: \"{path}\": missing value")]
    Missing {
        /// The operation.
        op: &'static str,
        /// The path.
        path: String,
    },
    /// A list has no such index, or the text is none.
    #[error(
        "error in {op} for path: '{path}': Unable to access invalid index: {index}: invalid index referenced"
    )]
    Index {
        /// The operation.
        op: &'static str,
        /// The path.
        path: String,
        /// The index as it is written.
        index: String,
    },
    /// The whole object can be replaced by an object or a list only.
    #[error("replace operation value must be object or array")]
    Root,
    /// The value at the path is another one.
    #[error("testing value {0} failed: test failed")]
    Test(String),
    /// `copy` would make the object too large.
    #[error(
        "Unable to complete the copy, the accumulated size increase of copy is {0}, exceeding the limit {MAX_COPIED_BYTES}"
    )]
    CopySize(usize),
    /// The object would be nested too deeply, or finding out would take too long.
    #[error("the patched object exceeds max depth")]
    Depth,
}

#[derive(Clone, Debug, PartialEq)]
struct Operation {
    op: Option<String>,
    path: Option<String>,
    from: Option<String>,
    value: Option<Value>,
}

/// A list of operations that are applied all or not at all.
///
/// # Examples
/// ```
/// use k1s_core::patch::JsonPatch;
/// use serde_json::json;
/// let patch = JsonPatch::decode(json!([{"op": "add", "path": "/a/-", "value": 2}])).unwrap();
/// assert_eq!(patch.apply(&json!({"a": [1]})), Ok(json!({"a": [1, 2]})));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPatch {
    operations: Vec<Operation>,
    unknown_fields: Vec<String>,
}

impl JsonPatch {
    /// Takes the operations out of a JSON value; null is an empty list.
    ///
    /// # Errors
    /// When a type is wrong, or there are more than 10 000 operations.
    pub fn decode(patch: Value) -> Result<Self, JsonPatchDecodeError> {
        let list = match patch {
            Value::Array(list) => list,
            Value::Null => Vec::new(),
            other => {
                return Err(JsonPatchDecodeError::Type {
                    found: type_name(&other),
                    place: "value of type []handlers.jsonPatchOp",
                });
            }
        };
        let mut unknown_fields = Vec::new();
        let count = list.len();
        let operations = list
            .into_iter()
            .enumerate()
            .map(|(index, operation)| decode_operation(index, operation, &mut unknown_fields))
            .collect::<Result<Vec<_>, _>>()?;
        if count > MAX_OPERATIONS {
            return Err(JsonPatchDecodeError::TooMany(count));
        }
        Ok(Self {
            operations,
            unknown_fields,
        })
    }

    /// Paths of members that no operation knows, such as `[0].comment`.
    pub fn unknown_fields(&self) -> &[String] {
        &self.unknown_fields
    }

    /// How many operations there are.
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there are no operations.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The object with all operations applied one after the other.
    ///
    /// # Errors
    /// At the first operation that does not apply.
    pub fn apply(&self, object: &Value) -> Result<Value, JsonPatchError> {
        let mut work = Work {
            object: object.clone(),
            copied: 0,
            looked_at: 0,
        };
        for operation in &self.operations {
            work.apply(operation)?;
        }
        Ok(work.object)
    }
}

fn decode_operation(
    index: usize,
    operation: Value,
    unknown_fields: &mut Vec<String>,
) -> Result<Operation, JsonPatchDecodeError> {
    let mut members = match operation {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        other => {
            let place = "value of type handlers.jsonPatchOp";
            return Err(JsonPatchDecodeError::Type {
                found: type_name(&other),
                place,
            });
        }
    };
    let mut text = |name: &str, place| match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(JsonPatchDecodeError::Type {
            found: type_name(&other),
            place,
        }),
    };
    let op = text("op", "struct field jsonPatchOp.op of type string")?;
    let path = text("path", "struct field jsonPatchOp.path of type string")?;
    let from = text("from", "struct field jsonPatchOp.from of type string")?;
    let value = members.remove("value");
    unknown_fields.extend(members.keys().map(|name| format!("[{index}].{name}")));
    Ok(Operation {
        op,
        path,
        from,
        value,
    })
}

/// The steps of a path, with `~1` and `~0` undone.
fn steps(path: &str) -> Option<Vec<String>> {
    let mut steps = path.split('/');
    // The text before the first slash names nothing.
    steps.next();
    let steps: Vec<String> = steps
        .map(|step| step.replace("~1", "/").replace("~0", "~"))
        .collect();
    (!steps.is_empty()).then_some(steps)
}

/// An index into a list of `length`; negative ones count from the end.
fn index(text: &str, length: usize) -> Option<usize> {
    let index: i64 = text.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    let index = if index < 0 { index + length } else { index };
    usize::try_from(index).ok()
}

/// A path with the operation it is for, to say what went wrong.
struct Place<'a> {
    op: &'static str,
    path: &'a str,
    steps: Vec<String>,
}

impl<'a> Place<'a> {
    fn new(
        op: &'static str,
        member: &'static str,
        path: Option<&'a String>,
    ) -> Result<Self, JsonPatchError> {
        let path = path.ok_or(JsonPatchError::Member { op, member })?;
        let missing = || JsonPatchError::Missing {
            op,
            path: path.clone(),
        };
        let steps = steps(path).ok_or_else(missing)?;
        if steps.len() > Limits::default().depth {
            return Err(missing());
        }
        Ok(Self { op, path, steps })
    }

    fn missing(&self) -> JsonPatchError {
        JsonPatchError::Missing {
            op: self.op,
            path: self.path.to_owned(),
        }
    }

    fn wrong_index(&self) -> JsonPatchError {
        let index = self.steps.last().cloned().unwrap_or_default();
        JsonPatchError::Index {
            op: self.op,
            path: self.path.to_owned(),
            index,
        }
    }

    /// The container that holds the last step, and that step.
    fn find<'o>(&self, object: &'o mut Value) -> Result<(&'o mut Value, &str), JsonPatchError> {
        let (last, above) = self.steps.split_last().ok_or_else(|| self.missing())?;
        let mut container = object;
        for step in above {
            let next = match container {
                Value::Object(map) => map.get_mut(step),
                Value::Array(list) => index(step, list.len()).and_then(|at| list.get_mut(at)),
                _ => None,
            };
            container = next.ok_or_else(|| self.missing())?;
        }
        if container.is_object() || container.is_array() {
            Ok((container, last))
        } else {
            Err(self.missing())
        }
    }

    /// The value at the path; null when a map lacks the key.
    fn get<'o>(&self, object: &'o mut Value) -> Result<Option<&'o Value>, JsonPatchError> {
        match self.find(object)? {
            (Value::Object(map), key) => Ok(map.get(key)),
            (Value::Array(list), key) => {
                let found = index(key, list.len()).and_then(|at| list.get(at));
                found.map(Some).ok_or_else(|| self.wrong_index())
            }
            _ => Err(self.missing()),
        }
    }

    fn add(&self, object: &mut Value, value: Value) -> Result<(), JsonPatchError> {
        match self.find(object)? {
            (Value::Object(map), key) => {
                map.insert(key.to_owned(), value);
            }
            (Value::Array(list), "-") => list.push(value),
            (Value::Array(list), key) => {
                let at = index(key, list.len() + 1).filter(|at| *at <= list.len());
                list.insert(at.ok_or_else(|| self.wrong_index())?, value);
            }
            _ => return Err(self.missing()),
        }
        Ok(())
    }

    fn set(&self, object: &mut Value, value: Value) -> Result<(), JsonPatchError> {
        match self.find(object)? {
            (Value::Object(map), key) => {
                map.insert(key.to_owned(), value);
            }
            (Value::Array(list), key) => {
                let slot = index(key, list.len()).and_then(|at| list.get_mut(at));
                *slot.ok_or_else(|| self.wrong_index())? = value;
            }
            _ => return Err(self.missing()),
        }
        Ok(())
    }

    fn remove(&self, object: &mut Value) -> Result<Value, JsonPatchError> {
        match self.find(object)? {
            (Value::Object(map), key) => map.remove(key).ok_or_else(|| self.missing()),
            (Value::Array(list), key) => {
                let at = index(key, list.len()).filter(|at| *at < list.len());
                Ok(list.remove(at.ok_or_else(|| self.wrong_index())?))
            }
            _ => Err(self.missing()),
        }
    }
}

/// The object in the making, and what it has cost.
struct Work {
    object: Value,
    copied: usize,
    looked_at: usize,
}

impl Work {
    fn apply(&mut self, operation: &Operation) -> Result<(), JsonPatchError> {
        let path = |op| Place::new(op, "path", operation.path.as_ref());
        let value = || operation.value.clone().unwrap_or_default();
        let whole = operation.path.as_deref() == Some("");
        match operation.op.as_deref().unwrap_or("unknown") {
            "add" => {
                let to = path("add")?;
                self.check_depth(&to, operation.value.as_ref())?;
                to.add(&mut self.object, value())
            }
            "remove" => path("remove")?.remove(&mut self.object).map(drop),
            "replace" if whole => match value() {
                value @ (Value::Object(_) | Value::Array(_)) => {
                    self.object = value;
                    Ok(())
                }
                _ => Err(JsonPatchError::Root),
            },
            "replace" => {
                let to = path("replace")?;
                self.check_depth(&to, operation.value.as_ref())?;
                to.set(&mut self.object, value())
            }
            "move" => {
                let from = Place::new("move", "from", operation.from.as_ref())?;
                let to = path("move")?;
                let moved = from.remove(&mut self.object)?;
                self.check_depth(&to, Some(&moved))?;
                to.add(&mut self.object, moved)
            }
            "copy" => {
                let from = Place::new("copy", "from", operation.from.as_ref())?;
                let to = path("copy")?;
                let copied = from.get(&mut self.object)?.cloned();
                to.find(&mut self.object)?;
                self.copied = self
                    .copied
                    .saturating_add(copied.as_ref().map_or(0, json_length));
                if self.copied > MAX_COPIED_BYTES {
                    return Err(JsonPatchError::CopySize(self.copied));
                }
                self.check_depth(&to, copied.as_ref())?;
                to.add(&mut self.object, copied.unwrap_or_default())
            }
            "test" => {
                let text = operation.path.clone().unwrap_or_default();
                let found = if whole {
                    Some(&self.object)
                } else {
                    path("test")?.get(&mut self.object)?
                };
                let wanted = operation.value.as_ref();
                let equal = found.unwrap_or(&Value::Null) == wanted.unwrap_or(&Value::Null);
                if equal {
                    Ok(())
                } else {
                    Err(JsonPatchError::Test(text))
                }
            }
            other => Err(JsonPatchError::Kind(other.to_owned())),
        }
    }

    /// Refuses a value that would lie too deep below its path.
    fn check_depth(&mut self, to: &Place<'_>, value: Option<&Value>) -> Result<(), JsonPatchError> {
        let allowed = Limits::default().depth.saturating_sub(to.steps.len());
        let mut open: Vec<(&Value, usize)> = value.into_iter().map(|value| (value, 0)).collect();
        while let Some((value, above)) = open.pop() {
            self.looked_at += 1;
            if above > allowed || self.looked_at > MAX_MOVED_VALUES {
                return Err(JsonPatchError::Depth);
            }
            match value {
                Value::Array(list) => open.extend(list.iter().map(|value| (value, above + 1))),
                Value::Object(map) => open.extend(map.values().map(|value| (value, above + 1))),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Bytes of the value as compact JSON, nearly: what is escaped in strings is not counted twice.
fn json_length(value: &Value) -> usize {
    match value {
        Value::Null => 4,
        Value::Bool(flag) => {
            if *flag {
                4
            } else {
                5
            }
        }
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text.len() + 2,
        Value::Array(list) => {
            list.iter()
                .map(|value| json_length(value) + 1)
                .sum::<usize>()
                .max(1)
                + 1
        }
        Value::Object(map) => {
            map.iter()
                .map(|(key, value)| key.len() + json_length(value) + 4)
                .sum::<usize>()
                .max(1)
                + 1
        }
    }
}
