// SPDX-License-Identifier: Apache-2.0
//! Terraform and OpenTofu providers in Rust: the plugin protocol, version 6.10.
//!
//! A provider implements [`Provider`] and hands itself to [`serve`]. This crate does the rest: the handshake with the command line,
//! mutual TLS with the certificate that it pins, the gRPC services, values and their encodings, schemas, the plan engine, diagnostics,
//! logs in the form that the host reads. It knows nothing of what a provider manages.
//!
//! What it does not have: protocol 5 (hosts before 1.0), state stores, TCP (and so Windows).
//!
//! Enter at [`serve`]; the shape of a provider is in [`provider`], of a schema in [`schema`].

mod cancel;
pub mod cty;
mod diagnostic;
pub mod docs;
mod handshake;
mod log;
mod path;
mod plan;
mod private;
pub mod proto;
pub mod provider;
pub mod schema;
mod serve;
mod server;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
pub mod validator;

pub use async_trait::async_trait;
pub use cancel::Cancel;
pub use cty::{Number, Type, Value};
pub use diagnostic::Diagnostics;
pub use handshake::HandshakeError;
pub use path::Path;
pub use private::Private;
pub use proto::DeferredReason;
pub use provider::{
    Action, Apply, DataRead, DataSource, Ephemeral, EphemeralResource, Function, FunctionError,
    Import, Invocation, ListResource, Listed, Move, Parameter, Plan, Provider, Read, Resource,
    Signature,
};
pub use schema::{Attribute, Block, Identity, NestedBlock, Nesting, Schema};
pub use serve::{ServeError, serve};
