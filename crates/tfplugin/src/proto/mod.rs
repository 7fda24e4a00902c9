// SPDX-License-Identifier: Apache-2.0
//! The messages of the plugin protocol, version 6.10, and of the services that a go-plugin host expects beside it.
//!
//! Written by hand from the field tables of the protocol, so that no protobuf compiler is needed. Names and numbers are the protocol's;
//! a message of a call is named as the call, `Request` or `Response` after it. Fields that a newer host may add are ignored.
#![expect(
    missing_docs,
    reason = "names and meanings are the protocol's; a sentence for each field would only repeat it"
)]

mod call;
mod plugin;
mod schema;

pub use call::*;
pub use plugin::*;
pub use schema::*;
