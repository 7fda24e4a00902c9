// SPDX-License-Identifier: Apache-2.0
//! One pod on this node: what it is, what its containers do, and what is reported of it.

mod container;
mod host;
mod log;
mod probe;
mod pull;
mod source;
mod spec;
mod status;
mod work;

pub(crate) use container::{DEFAULT_MEMORY, Runner, State, earlier};
pub(crate) use host::Request;
pub(crate) use log::Log;
pub(crate) use pull::names_registry;
pub(crate) use source::MAP;
pub(crate) use spec::{Ask, ContainerSpec, METADATA, Pod, SPEC, STATUS, is_bound_to};
pub(crate) use work::{Given, Work, World};
