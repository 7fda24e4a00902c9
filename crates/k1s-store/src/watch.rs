// SPDX-License-Identifier: Apache-2.0
//! Watching: [`Event`], [`Watcher`], and the hub that hands events out as they are committed.

mod event;
mod hub;
mod watcher;

pub use event::{Event, EventKind};
pub(crate) use hub::{Hub, HubState, Queue};
pub use watcher::Watcher;
pub(crate) use watcher::{Attached, Replay, Source};
