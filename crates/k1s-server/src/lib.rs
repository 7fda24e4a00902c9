// SPDX-License-Identifier: Apache-2.0
//! The way into k1s from the network: TLS, HTTP/1.1 and HTTP/2, certificates, and kubeconfig files.
//!
//! It holds no rules of Kubernetes: every request goes to the service that it was given, and every answer is that
//! service's. What it decides is who may take up how much of the machine ([`limits`]), and as whom a
//! client with a certificate is known (its subject, as [`k1s_api::Identity`]).
//!
//! - [`pki`] makes and keeps the certificate authority, and issues certificates.
//! - [`listener`] serves.
//! - [`kubeconfig`] tells clients how to get here.
//! - [`kubelets`] is the way out, to the nodes whose pods' logs are asked for.
//! - [`stop`] ends it all, in order.

mod body;
mod connection;
pub mod kubeconfig;
pub mod kubelets;
pub mod limits;
pub mod listener;
pub mod pki;
mod stall;
pub mod stop;
pub mod token_signer;
mod tunnel;
pub mod x509;

pub use body::{RequestBody, RequestBodyError};
