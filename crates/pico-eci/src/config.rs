// SPDX-License-Identifier: Apache-2.0
//! The config blob of an ECI: what it is called, where it starts, what it asks for.

use alloc::format;
use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::Capabilities;
use crate::manifest::shallow;

/// The config of an image (media type [`crate::CONFIG_MEDIA_TYPE`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The image's name: a path of lower-case letters, digits, `.`, `_`, `-` and `/`, at most 63 bytes.
    pub name: String,
    /// The tag by which it is asked for, at most 31 bytes.
    pub version: String,
    /// The exported function that runs: no parameters, no result or an `i32` exit code.
    #[serde(default = "default_entry")]
    pub entry: String,
    /// The guest's stack in bytes, 256 to 16384.
    #[serde(default = "default_stack")]
    pub stack: u32,
    /// Memory in bytes that it is known to need; what `limits.memory` should be at least.
    #[serde(default)]
    pub memory: u32,
    /// CPU in millicores that it is known to need.
    #[serde(default)]
    pub cpu: u32,
    /// What it asks for.
    #[serde(default)]
    pub capabilities: Capabilities,
}

fn default_entry() -> String {
    "run".into()
}

const fn default_stack() -> u32 {
    1024
}

/// Why a config is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Not JSON of this shape: what and where.
    Json(String),
    /// A field is not as it must be.
    Field(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(error) => write!(f, "the image's config is not valid: {error}"),
            Self::Field(field) => write!(f, "the image's config has a bad {field}"),
        }
    }
}

impl core::error::Error for ConfigError {}

impl Config {
    /// Reads and checks a config.
    ///
    /// # Errors
    /// When it is not JSON of this shape, or a field is out of its limits.
    pub fn parse(json: &[u8]) -> Result<Self, ConfigError> {
        if !shallow(json) {
            return Err(ConfigError::Json("nested too deep".into()));
        }
        let config: Self =
            serde_json::from_slice(json).map_err(|error| ConfigError::Json(format!("{error}")))?;
        config.check()?;
        Ok(config)
    }

    /// The name by which a pod asks for it: `name:version`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}:{}", self.name, self.version)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let name = self.name.as_bytes();
        let plain = !name.is_empty()
            && name.len() <= 63
            && name.iter().all(|b| lower(*b) || b"._-/".contains(b));
        if !plain
            || !self.name.split('/').all(|part| {
                part.bytes().next().is_some_and(lower) && part.bytes().last().is_some_and(lower)
            })
        {
            return Err(ConfigError::Field(
                "name: a path of lower-case letters, digits, '.', '_' and '-', up to 63 bytes",
            ));
        }
        let version = self.version.as_bytes();
        let tag = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
        if version.is_empty()
            || version.len() > 31
            || !version.iter().all(tag)
            || b".-".contains(&version[0])
        {
            return Err(ConfigError::Field(
                "version: a tag of letters, digits, '.', '_' and '-', up to 31 bytes",
            ));
        }
        if self.entry.is_empty() || self.entry.len() > 31 {
            return Err(ConfigError::Field(
                "entry: the name of an exported function, up to 31 bytes",
            ));
        }
        if !(256..=16_384).contains(&self.stack) {
            return Err(ConfigError::Field("stack: 256 to 16384 bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_round_trip() {
        let config =
            Config::parse(br#"{"name":"pico/blink","version":"v1","capabilities":{"led":true}}"#)
                .unwrap();
        assert_eq!(
            (
                config.reference().as_str(),
                config.entry.as_str(),
                config.stack
            ),
            ("pico/blink:v1", "run", 1024)
        );
        assert_eq!(
            Config::parse(&serde_json::to_vec(&config).unwrap()),
            Ok(config)
        );
    }

    #[test]
    fn refusals() {
        let long = format!(r#"{{"name":"{}","version":"v1"}}"#, "a".repeat(64));
        for (json, expected) in [
            ("", "EOF"),
            ("{}", "missing field `name`"),
            (
                r#"{"name":"a","version":"v1","pins":1}"#,
                "unknown field `pins`",
            ),
            (
                r#"{"name":"a","version":"v1","capabilities":{"root":true}}"#,
                "unknown field `root`",
            ),
            (
                r#"{"name":"a","version":"v1","capabilities":{"pins":256}}"#,
                "invalid value",
            ),
            (r#"{"name":"","version":"v1"}"#, "bad name"),
            (r#"{"name":"A","version":"v1"}"#, "bad name"),
            (r#"{"name":"a//b","version":"v1"}"#, "bad name"),
            (r#"{"name":"../a","version":"v1"}"#, "bad name"),
            (long.as_str(), "bad name"),
            (r#"{"name":"a","version":""}"#, "bad version"),
            (r#"{"name":"a","version":"v 1"}"#, "bad version"),
            (r#"{"name":"a","version":"v1","entry":""}"#, "bad entry"),
            (r#"{"name":"a","version":"v1","stack":255}"#, "bad stack"),
            (
                r#"{"name":"a","version":"v1","stack":4294967295}"#,
                "bad stack",
            ),
            (r#"{"name":[[[[[[[[[[[]]]]]]]]]]]}"#, "too deep"),
        ] {
            let error = format!("{}", Config::parse(json.as_bytes()).expect_err(json));
            assert!(error.contains(expected), "{json}: {error}");
        }
    }
}
