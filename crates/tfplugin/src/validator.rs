// SPDX-License-Identifier: Apache-2.0
//! What values must be: of one attribute, and between attributes.

use std::fmt;
use std::sync::Arc;

use crate::cty::Value;
use crate::diagnostic::Diagnostics;
use crate::path::Path;
use crate::schema::{Attribute, Block, Content, NestedBlock, Nesting};

type Check = dyn Fn(&Value) -> Result<(), String> + Send + Sync;

/// What a known value of an attribute must be.
#[derive(Clone)]
pub struct Validator {
    /// For documentation: `between 1 and 4`.
    pub describes: String,
    check: Arc<Check>,
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describes)
    }
}

impl Validator {
    /// A check of its own, with what documentation says of it.
    pub fn new(
        describes: impl Into<String>,
        check: impl Fn(&Value) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            describes: describes.into(),
            check: Arc::new(check),
        }
    }
}

/// A whole number within these bounds.
#[must_use]
pub fn between(min: i64, max: i64) -> Validator {
    Validator::new(format!("between {min} and {max}"), move |value| {
        let Value::Number(number) = value else {
            return Ok(());
        };
        match number.as_i64() {
            Some(n) if (min..=max).contains(&n) => Ok(()),
            _ => Err(format!(
                "must be a whole number between {min} and {max}, is {number}"
            )),
        }
    })
}

/// One of these texts.
#[must_use]
pub fn one_of(allowed: &'static [&'static str]) -> Validator {
    let list = allowed
        .iter()
        .map(|a| format!("`{a}`"))
        .collect::<Vec<_>>()
        .join(", ");
    Validator::new(format!("one of {list}"), move |value| {
        match value.as_str() {
            Some(text) if !allowed.contains(&text) => {
                Err(format!("must be one of {list}, is {text:?}"))
            }
            _ => Ok(()),
        }
    })
}

/// Text with at least one character.
#[must_use]
pub fn not_empty() -> Validator {
    Validator::new("not empty", |value| match value.as_str() {
        Some("") => Err("must not be empty".to_owned()),
        _ => Ok(()),
    })
}

/// Text that is a regular expression.
#[must_use]
pub fn regular_expression() -> Validator {
    Validator::new("a regular expression", |value| {
        value.as_str().map_or(Ok(()), |text| {
            regex_lite::Regex::new(text)
                .map(drop)
                .map_err(|e| format!("is not a regular expression: {e}"))
        })
    })
}

/// Text that matches a regular expression as a whole; `what` says in words what is expected.
///
/// # Panics
/// When the pattern of the schema's author is none: a schema with such a pattern never comes into use.
#[must_use]
pub fn matches(pattern: &str, what: &'static str) -> Validator {
    let regex = match regex_lite::Regex::new(&format!("^(?:{pattern})$")) {
        Ok(regex) => regex,
        Err(e) => panic!("{pattern} is not a regular expression: {e}"),
    };
    Validator::new(what, move |value| match value.as_str() {
        Some(text) if !regex.is_match(text) => Err(format!("must be {what}, is {text:?}")),
        _ => Ok(()),
    })
}

/// What must hold between attributes of a block.
#[derive(Clone, Debug)]
pub enum Rule {
    /// At most one of them is set.
    Conflicts(&'static [&'static str]),
    /// One of them is set, and no other.
    ExactlyOne(&'static [&'static str]),
    /// The first is set only together with the others.
    RequiredWith(&'static [&'static str]),
}

/// Checks a configuration against a schema; unknown values pass.
pub(crate) fn validate(block: &Block, config: &Value, at: &Path, out: &mut Diagnostics) {
    if config.as_map().is_none() {
        return;
    }
    for (name, attribute) in &block.attributes {
        check(attribute, config.attribute(name), &at.attribute(name), out);
    }
    for (name, nested) in &block.blocks {
        each(nested, config.attribute(name), &at.attribute(name), out);
    }
    for rule in &block.rules {
        hold(rule, config, at, out);
    }
}

fn each(nested: &NestedBlock, value: &Value, at: &Path, out: &mut Diagnostics) {
    for (value, at) in elements(nested.nesting, value, at) {
        validate(&nested.block, value, &at, out);
    }
}

/// The objects in a value, be it one or several, each with its path. An element of a set has none: its path is that of the set.
pub(crate) fn elements<'v>(
    nesting: Nesting,
    value: &'v Value,
    at: &Path,
) -> Vec<(&'v Value, Path)> {
    match (nesting, value) {
        (Nesting::List, Value::List(items)) => items
            .iter()
            .enumerate()
            .map(|(i, v)| (v, at.index(i)))
            .collect(),
        (Nesting::Set, Value::List(items)) => items.iter().map(|v| (v, at.clone())).collect(),
        (Nesting::Map, Value::Map(items)) => items.iter().map(|(k, v)| (v, at.key(k))).collect(),
        (Nesting::Single, Value::Map(_)) => vec![(value, at.clone())],
        _ => Vec::new(),
    }
}

fn check(attribute: &Attribute, value: &Value, at: &Path, out: &mut Diagnostics) {
    if value.is_null() && attribute.required {
        // a host sees to it that it is written, and not that it is something
        let name = at.to_string();
        out.error_at(
            at,
            "Missing value",
            format!("{name} must be set, and is null."),
        );
    }
    if value.is_null() || value.is_unknown() {
        return;
    }
    if let Some(instead) = &attribute.deprecated {
        out.warning_at(at, "Deprecated", instead.clone());
    }
    for validator in &attribute.validators {
        if let Err(complaint) = (validator.check)(value) {
            out.error_at(at, "Invalid value", format!("{at} {complaint}."));
        }
    }
    if let Content::Nested(nesting, attributes) = &attribute.content {
        for (object, at) in elements(*nesting, value, at) {
            for (name, attribute) in attributes {
                check(attribute, object.attribute(name), &at.attribute(name), out);
            }
        }
    }
}

fn hold(rule: &Rule, config: &Value, at: &Path, out: &mut Diagnostics) {
    let (Rule::Conflicts(names) | Rule::ExactlyOne(names) | Rule::RequiredWith(names)) = rule;
    let values: Vec<_> = names.iter().map(|n| config.attribute(n)).collect();
    if values.iter().any(|v| v.is_unknown()) {
        return;
    }
    let set: Vec<_> = names
        .iter()
        .zip(&values)
        .filter(|(_, v)| !v.is_null())
        .map(|(n, _)| *n)
        .collect();
    let all = names.join(", ");
    match rule {
        Rule::Conflicts(_) | Rule::ExactlyOne(_) if set.len() > 1 => {
            out.error_at(
                &at.attribute(set[1]),
                "Conflicting attributes",
                format!("Only one of {all} may be set."),
            );
        }
        Rule::ExactlyOne(_) if set.is_empty() => {
            out.error_at(
                at,
                "Missing attribute",
                format!("One of {all} must be set."),
            );
        }
        Rule::RequiredWith(_) if set.contains(&names[0]) && set.len() < names.len() => {
            out.error_at(
                &at.attribute(names[0]),
                "Missing attribute",
                format!("{} is set only together with all of {all}.", names[0]),
            );
        }
        _ => {}
    }
}
