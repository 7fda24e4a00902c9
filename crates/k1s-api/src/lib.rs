// SPDX-License-Identifier: Apache-2.0
//! The Kubernetes API as one tower service over an embedded store.
//!
//! [`Api`] is a `tower::Service<http::Request<_>>`. A program calls it directly; `k1s serve` calls it for requests that come over TLS.
//! There is no second path: routing, authorization, validation, defaults, admission and storage happen here and only here.
//!
//! A request goes `service` -> `route` -> `api` -> one of `verbs` -> `storage`, and what the verb answers is written by `answer`.
//! What follows from a write (garbage collection, the life of namespaces) is `followup`'s.

mod admission;
mod amend;
mod answer;
mod api;
mod authorization;
mod body;
mod clock;
mod cluster_roles;
mod content;
mod convert;
mod definitions;
pub mod discovery;
mod encode;
mod followup;
mod garbage;
mod identified;
mod identity;
mod kubelets;
mod namespaces;
mod negotiate;
mod options;
mod owners;
mod random;
mod reviews;
mod route;
mod selection;
mod service;
mod service_accounts;
mod storage;
mod subresources;
mod system_objects;
mod token;
mod unfinished;
mod verbs;

pub use api::{Api, Options};
pub use body::{Body, BodyError};
pub use definitions::Definitions;
pub use identified::Identified;
pub use identity::Identity;
pub use kubelets::{
    CERTIFICATE_ANNOTATION, Kubelet, KubeletAnswer, Kubelets, NodeAccess, Trust, Tunnelled,
};
pub use token::{Signer, TokenKey};
