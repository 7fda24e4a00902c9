// SPDX-License-Identifier: Apache-2.0
//! OpenAPI v2 and v3 documents of the built-in kinds.

mod descriptions;
pub mod protobuf;
mod schema;
mod tables;
