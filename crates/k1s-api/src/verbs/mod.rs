// SPDX-License-Identifier: Apache-2.0
//! The verbs: what is done to objects, and the one way to do it.

pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod update;
pub(crate) mod watch;
