// SPDX-License-Identifier: Apache-2.0
//! Fields of a kubeconfig by dotted paths: `contexts.home.namespace`. Names of entries may hold dots themselves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k1s_core::quote::Quoted;
use serde_json::Value;

use super::{ConfigFile, Section, Shape};

/// Why a path cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It begins with no field of the file.
    #[error("unable to parse {0} after [] at api.Config")]
    NoSection(String),
    /// It ends in the middle of an entry's field.
    #[error("unable to parse one or more field values of {0}")]
    TooLong(String),
    /// It leads to a whole entry.
    #[error("can't set a map to a value: map[{0}]")]
    Map(String),
    /// It leads through an entry that is not there.
    #[error("current map key `{0}` is invalid")]
    NoEntry(String),
    /// It leads to a list or an object.
    #[error("{0} cannot be set by a path")]
    Composite(String),
    /// The value is neither true nor false.
    #[error("strconv.ParseBool: parsing {}: invalid syntax", Quoted(.0))]
    NotBoolean(String),
    /// The value is not base64.
    #[error("error decoding input value: illegal base64 data at input byte {0}")]
    NotBase64(usize),
}

enum Target<'a> {
    CurrentContext,
    Preference(Option<&'a str>),
    Section(Section),
    Entry(Section, String),
    Field(Section, String, &'static str, Shape),
}

impl ConfigFile {
    /// Sets the field at a path.
    ///
    /// # Errors
    /// When the path leads to no field, or the value is of another shape than the field.
    pub fn set(&mut self, path: &str, value: &str, raw_bytes: bool) -> Result<(), PathError> {
        match target(path)? {
            Target::CurrentContext => self.current_context = value.to_owned(),
            Target::Preference(Some("colors")) => self
                .rest
                .insert(
                    "preferences".to_owned(),
                    serde_json::json!({ "colors": switch(value)? }),
                )
                .map_or((), drop),
            Target::Preference(_) => return Err(PathError::Composite(path.to_owned())),
            Target::Section(section) | Target::Entry(section, _) => {
                let names: Vec<&str> = self.entries(section).keys().map(String::as_str).collect();
                return Err(PathError::Map(names.join(" ")));
            }
            Target::Field(_, _, field, Shape::Other) => {
                return Err(PathError::Composite(field.to_owned()));
            }
            Target::Field(section, name, field, shape) => {
                let value = match shape {
                    Shape::Switch => Value::Bool(switch(value)?),
                    Shape::Bytes if raw_bytes => STANDARD.encode(value).into(),
                    Shape::Bytes => {
                        STANDARD
                            .decode(value)
                            .map_err(|error| PathError::NotBase64(offset(&error)))?;
                        value.into()
                    }
                    _ => value.into(),
                };
                self.entries_mut(section)
                    .entry(name)
                    .or_default()
                    .insert(field.to_owned(), value);
            }
        }
        Ok(())
    }

    /// Removes the field, entry or section at a path.
    ///
    /// # Errors
    /// When the path leads to no field, or through an entry that is not there.
    pub fn unset(&mut self, path: &str) -> Result<(), PathError> {
        match target(path)? {
            Target::CurrentContext => self.current_context.clear(),
            Target::Preference(_) => _ = self.rest.remove("preferences"),
            Target::Section(section) => self.entries_mut(section).clear(),
            Target::Entry(section, name) => _ = self.entries_mut(section).remove(&name),
            Target::Field(section, name, field, _) => {
                match self.entries_mut(section).get_mut(&name) {
                    Some(entry) => _ = entry.remove(field),
                    None => return Err(PathError::NoEntry(name)),
                }
            }
        }
        Ok(())
    }
}

/// Where a path leads: a name goes on until a part that is a field of the section's entries.
fn target(path: &str) -> Result<Target<'_>, PathError> {
    let (head, rest) = path
        .split_once('.')
        .map_or((path, None), |(head, rest)| (head, Some(rest)));
    let section = match (head, rest) {
        ("current-context", None) => return Ok(Target::CurrentContext),
        ("current-context", Some(_)) => return Err(PathError::TooLong(path.to_owned())),
        ("preferences", rest) => return Ok(Target::Preference(rest)),
        _ => Section::ALL
            .into_iter()
            .find(|section| section.name() == head)
            .ok_or_else(|| PathError::NoSection(path.to_owned()))?,
    };
    let Some(rest) = rest else {
        return Ok(Target::Section(section));
    };
    let parts: Vec<&str> = rest.split('.').collect();
    let known = |part: &&str| {
        section
            .fields()
            .iter()
            .find(|(field, _)| field == part)
            .copied()
    };
    let found = parts
        .iter()
        .enumerate()
        .skip(1)
        .find_map(|(at, part)| known(part).map(|field| (at, field)));
    match found {
        None => Ok(Target::Entry(section, rest.to_owned())),
        Some((at, (field, shape))) if at + 1 == parts.len() => {
            Ok(Target::Field(section, parts[..at].join("."), field, shape))
        }
        Some(_) => Err(PathError::TooLong(path.to_owned())),
    }
}

fn switch(value: &str) -> Result<bool, PathError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(PathError::NotBoolean(other.to_owned())),
    }
}

fn offset(error: &base64::DecodeError) -> usize {
    match error {
        base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => {
            *at
        }
        base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => 0,
    }
}
