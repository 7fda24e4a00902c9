// SPDX-License-Identifier: Apache-2.0
//! Walking along the nodes of a template.

use super::JsonPathError;
use super::compare::holds;
use super::parse::{Node, Slice, SliceEnd};
use crate::json;
use crate::quote::Shown;
use serde_json::Value;
use std::borrow::Cow;

/// At most so many values at once: `..` inside `..` multiplies them.
const MAX_ITEMS: usize = 1_000_000;

type Result<T> = std::result::Result<T, JsonPathError>;

/// A value that was found, or that the template itself holds.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    Found(&'a Value),
    Made(Value),
    /// What a range over nothing, or over null, works on.
    Nothing,
}

impl<'a> Item<'a> {
    fn value(&self) -> Option<&Value> {
        match self {
            Self::Found(value) => Some(value),
            Self::Made(value) => Some(value),
            Self::Nothing => None,
        }
    }

    pub(super) fn into_value(self) -> Cow<'a, Value> {
        match self {
            Self::Found(value) => Cow::Borrowed(value),
            Self::Made(value) => Cow::Owned(value),
            Self::Nothing => Cow::Owned(Value::Null),
        }
    }

    /// Lists and maps as JSON, scalars plainly.
    pub(super) fn text(&self) -> String {
        match self.value() {
            None => "<no value>".to_owned(),
            Some(Value::Null) => "null".to_owned(),
            Some(value @ (Value::Array(_) | Value::Object(_))) => json::print(value),
            Some(scalar) => Shown(scalar).to_string(),
        }
    }

    /// The elements of a list, the values of a map, the bytes of a text.
    fn children(&self) -> Vec<Item<'a>> {
        match self {
            Self::Found(Value::Array(list)) => list.iter().map(Item::Found).collect(),
            Self::Found(Value::Object(map)) => map.values().map(Item::Found).collect(),
            Self::Found(Value::String(text)) | Self::Made(Value::String(text)) => text
                .bytes()
                .map(|byte| Item::Made(Value::from(byte)))
                .collect(),
            _ => Vec::new(),
        }
    }
}

fn error<T>(message: impl Into<String>) -> Result<T> {
    Err(JsonPathError::Data(message.into()))
}

/// What each top-level node of a template finds.
pub(super) fn evaluate<'a>(
    nodes: &'a [Node],
    data: &'a Value,
    allow_missing_keys: bool,
) -> Result<Vec<Vec<Item<'a>>>> {
    let mut evaluation = Evaluation {
        nodes,
        allow_missing_keys,
        begun: 0,
        inside: 0,
        ended: 0,
        last_end: None,
        count: 0,
    };
    evaluation.from(0, Item::Found(data))
}

struct Evaluation<'a> {
    nodes: &'a [Node],
    allow_missing_keys: bool,
    /// Ranges that a node has just begun.
    begun: usize,
    /// Ranges that are being walked through.
    inside: usize,
    /// Ranges that a node has just ended.
    ended: usize,
    /// Where the last range ended.
    last_end: Option<usize>,
    /// Values found so far.
    count: usize,
}

impl<'a> Evaluation<'a> {
    /// The nodes from `start` on, up to the end of the range they are in.
    fn from(&mut self, start: usize, data: Item<'a>) -> Result<Vec<Vec<Item<'a>>>> {
        let mut groups = Vec::new();
        let mut at = start;
        while let Some(node) = self.nodes.get(at) {
            let found = self.step(vec![data.clone()], node)?;
            if self.ended > 0 && self.ended <= self.inside {
                self.ended -= 1;
                self.last_end = Some(at);
                break;
            }
            if self.begun == 0 {
                groups.push(found);
                at += 1;
                continue;
            }
            self.begun -= 1;
            self.inside += 1;
            if found.is_empty() {
                // Nothing is printed, but the end has to be found.
                self.from(at + 1, Item::Nothing)?;
            }
            for item in found {
                let item = if item.value() == Some(&Value::Null) {
                    Item::Nothing
                } else {
                    item
                };
                groups.extend(self.from(at + 1, item)?);
            }
            self.inside -= 1;
            at = self.last_end.filter(|end| *end > at).unwrap_or(at) + 1;
        }
        Ok(groups)
    }

    fn steps(&mut self, mut items: Vec<Item<'a>>, nodes: &'a [Node]) -> Result<Vec<Item<'a>>> {
        for node in nodes {
            items = self.step(items, node)?;
        }
        Ok(items)
    }

    fn step(&mut self, items: Vec<Item<'a>>, node: &'a Node) -> Result<Vec<Item<'a>>> {
        let constant = |value: Value| Ok(items.iter().map(|_| Item::Made(value.clone())).collect());
        let found = match node {
            Node::List(nodes) => self.steps(items, nodes),
            Node::Text(text) => Ok(vec![Item::Made(Value::from(text.as_str()))]),
            Node::Int(number) => constant(Value::from(*number)),
            Node::Float(number) => constant(Value::from(*number)),
            Node::Bool(flag) => constant(Value::from(*flag)),
            Node::Identifier(word) => self.identifier(items, word),
            Node::Field(name) => self.field(items, name),
            Node::Wildcard => Ok(items.iter().flat_map(Item::children).collect()),
            Node::Recursive => self.recursive(items),
            Node::Slice(slice) => elements(items, *slice),
            Node::Union(parts) => {
                let mut found = Vec::new();
                for part in parts {
                    found.extend(self.steps(items.clone(), part)?);
                }
                Ok(found)
            }
            Node::Filter {
                left,
                operator,
                right,
            } => self.filter(items, left, operator, right),
        }?;
        self.count = self.count.saturating_add(found.len());
        if self.count > MAX_ITEMS {
            Err(JsonPathError::TooMany)
        } else {
            Ok(found)
        }
    }

    fn identifier(&mut self, items: Vec<Item<'a>>, word: &str) -> Result<Vec<Item<'a>>> {
        match word {
            "range" => {
                self.begun += 1;
                Ok(items)
            }
            "end" if self.inside > 0 => {
                self.ended += 1;
                Ok(Vec::new())
            }
            "end" => error("not in range, nothing to end"),
            other => error(format!("unrecognized identifier {other}")),
        }
    }

    fn field(&self, items: Vec<Item<'a>>, name: &str) -> Result<Vec<Item<'a>>> {
        if items.is_empty() {
            return Ok(items);
        }
        let mut found = Vec::new();
        for item in items {
            if let Item::Found(Value::Object(map)) = item {
                found.extend(map.get(name).map(Item::Found));
            }
        }
        if found.is_empty() && !self.allow_missing_keys {
            return error(format!("{name} is not found"));
        }
        Ok(found)
    }

    /// Every value that has children, before its children.
    fn recursive(&self, items: Vec<Item<'a>>) -> Result<Vec<Item<'a>>> {
        let mut found = Vec::new();
        let mut open: Vec<Item<'a>> = items.into_iter().rev().collect();
        while let Some(item) = open.pop() {
            let children = item.children();
            if !children.is_empty() {
                found.push(item);
                open.extend(children.into_iter().rev());
            }
            if found.len() > MAX_ITEMS {
                return Err(JsonPathError::TooMany);
            }
        }
        Ok(found)
    }

    fn filter(
        &mut self,
        items: Vec<Item<'a>>,
        left: &'a [Node],
        operator: &str,
        right: &'a [Node],
    ) -> Result<Vec<Item<'a>>> {
        let mut found = Vec::new();
        for item in items {
            let Item::Found(Value::Array(list)) = item else {
                let shown = match item.value() {
                    Some(value) => Shown(value).to_string(),
                    None => "<invalid reflect.Value>".to_owned(),
                };
                return error(format!(
                    "{shown} is not array or slice and cannot be filtered"
                ));
            };
            for element in list.iter().map(Item::Found) {
                let lefts = self.steps(vec![element.clone()], left);
                if operator == "exists" {
                    if lefts.is_ok_and(|lefts| !lefts.is_empty()) {
                        found.push(element);
                    }
                    continue;
                }
                let Some(left) = single(lefts?)? else {
                    continue;
                };
                let Some(right) = single(self.steps(vec![element.clone()], right)?)? else {
                    continue;
                };
                if holds(&left.into_value(), operator, &right.into_value())? {
                    found.push(element);
                }
            }
        }
        Ok(found)
    }
}

/// The one item, if there is any.
fn single(items: Vec<Item<'_>>) -> Result<Option<Item<'_>>> {
    if items.len() > 1 {
        return error("can only compare one element at a time");
    }
    Ok(items.into_iter().next())
}

fn go_type(value: Option<&Value>) -> &'static str {
    match value {
        None | Some(Value::Null) => "<nil>",
        Some(Value::Bool(_)) => "bool",
        Some(Value::Number(number)) if number.is_f64() => "float64",
        Some(Value::Number(_)) => "int64",
        Some(Value::String(_)) => "string",
        Some(Value::Array(_)) => "[]interface {}",
        Some(Value::Object(_)) => "map[string]interface {}",
    }
}

fn elements(items: Vec<Item<'_>>, slice: Slice) -> Result<Vec<Item<'_>>> {
    let mut found = Vec::new();
    for item in items {
        let list = match item {
            Item::Found(Value::Null) | Item::Made(Value::Null) => continue,
            Item::Found(Value::Array(list)) => list,
            other => return error(format!("{} is not array or slice", go_type(other.value()))),
        };
        let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
        let mut start = slice.start.unwrap_or(0);
        let mut end = match slice.end {
            SliceEnd::Open => length,
            SliceEnd::At(end) => end,
            SliceEnd::AfterStart => start.saturating_add(1),
        };
        if start < 0 {
            start += length;
        }
        if end < 0 || end == 0 && slice.end == SliceEnd::AfterStart {
            end += length;
        }
        if start == end {
            return Ok(found);
        }
        if start >= length || start < 0 {
            return error(format!(
                "array index out of bounds: index {start}, length {length}"
            ));
        }
        if end > length || end < 0 {
            return error(format!(
                "array index out of bounds: index {}, length {length}",
                end - 1
            ));
        }
        if start > end {
            return error(format!(
                "starting index {start} is greater than ending index {end}"
            ));
        }
        let step = match slice.step {
            None => 1,
            Some(step) if step <= 0 => return error("step must be > 0"),
            Some(step) => usize::try_from(step).unwrap_or(usize::MAX),
        };
        let range = usize::try_from(start).unwrap_or(0)..usize::try_from(end).unwrap_or(0);
        found.extend(
            list.get(range)
                .unwrap_or_default()
                .iter()
                .step_by(step)
                .map(Item::Found),
        );
    }
    Ok(found)
}
