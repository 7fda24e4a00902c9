// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of events.k8s.io.

use super::Rules;
use super::core::event;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "Event" => Some(&event::EVENTS_RULES),
        _ => None,
    }
}
