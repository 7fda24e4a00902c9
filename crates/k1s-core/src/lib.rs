// SPDX-License-Identifier: Apache-2.0
//! Kubernetes objects, kinds, schemas, selectors and patches, without I/O.
//!
//! Objects are `serde_json::Value` maps whose keys are sorted. What is in this crate never reads a clock, an environment or a
//! random source: times, names and addresses come in as arguments.

pub mod base64_text;
pub mod convert;
pub mod cron;
pub mod custom;
pub mod decode;
pub mod field;
pub mod json;
pub mod jsonpath;
pub mod kinds;
pub mod meta;
pub mod name;
pub mod object;
pub mod patch;
pub mod quantity;
pub mod quote;
pub mod rules;
pub mod schema;
pub mod selector;
pub mod status;
mod tables;
pub mod time;
pub mod yaml;
