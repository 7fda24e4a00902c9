// SPDX-License-Identifier: Apache-2.0
//! Lists and watches: begun, gone on with after a break, and begun anew when the server has forgotten.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{
    Agent, CONTROLLERS, INGRESSES, MATRICES, PINS, PODS, Purpose, SERVICES, Slot, WATCHES,
};
use crate::connection::Exchange;
use crate::custom::{CONTROLLER, CONTROLLER_EVENT, MATRIX, MATRIX_EVENT};
use crate::http::{Head, Request, escaped};
use crate::ingress::{INGRESS, INGRESS_EVENT};
use crate::json::{Shape, Taken, Value};
use crate::kinds::Resource;
use crate::pod::{METADATA, Pod, SPEC, STATUS, is_bound_to};
use crate::services::{SERVICE, SERVICE_EVENT};
use crate::time::Ms;

/// How long the server is asked to keep a watch, in seconds, and how much is added at random.
const WATCH_SECONDS: (u64, u64) = (300, 300);
/// How long a kind that the server does not have, or does not show, is not asked for, in seconds.
const ABSENT_SECONDS: u32 = 600;
/// How many objects are asked for at a time.
const PAGE: usize = 20;

/// An item of either list: a Pod, or a ConfigMap with its data.
const OBJECT: Shape = Shape::Keys(&[
    ("metadata", METADATA),
    ("spec", SPEC),
    ("status", STATUS),
    ("data", Shape::All),
]);

/// One line of a watch.
const EVENT: Shape = Shape::Keys(&[("type", Shape::All), ("object", OBJECT)]);

/// What is read of an item of a list, and of a line of a watch.
pub(super) fn shapes(slot: Slot) -> (Shape, Shape) {
    match slot {
        SERVICES => (SERVICE, SERVICE_EVENT),
        INGRESSES => (INGRESS, INGRESS_EVENT),
        CONTROLLERS => (CONTROLLER, CONTROLLER_EVENT),
        MATRICES => (MATRIX, MATRIX_EVENT),
        _ => (OBJECT, EVENT),
    }
}

#[derive(Debug, Default)]
pub(super) struct Watch {
    /// From where to go on; `None` before a list was read.
    version: Option<String>,
    /// Where a list that came in pages goes on.
    page: String,
    /// Uids that a list under way has named.
    seen: Vec<String>,
    /// Whether the version came from a page that is not the last.
    is_listing: bool,
    hold_until: Ms,
    lists: u64,
    seconds: u64,
}

impl Agent {
    fn watch(&mut self, slot: Slot) -> &mut Watch {
        let n = WATCHES.iter().position(|known| *known == slot);
        &mut self.watches[n.unwrap_or_default()]
    }

    /// Who keeps the objects of a watch; Pods are kept by the agent itself.
    fn resource(&mut self, slot: Slot) -> Option<&mut dyn Resource> {
        match slot {
            PINS => Some(&mut self.pin_map),
            SERVICES => Some(&mut self.services),
            INGRESSES => Some(&mut self.ingresses),
            CONTROLLERS => Some(&mut self.controllers),
            MATRICES => Some(&mut self.matrices),
            _ => None,
        }
    }

    /// What was read of a list and a watch is not enough any more.
    pub(super) fn list_anew(&mut self, slot: Slot, now: Ms) {
        self.connections[usize::from(slot.0)].retire(now);
        let watch = self.watch(slot);
        watch.version = None;
        watch.page.clear();
    }

    /// When the watch of a connection may be begun.
    pub(super) fn watch_due(&self, slot: usize) -> Ms {
        let mut all = WATCHES.iter().zip(&self.watches);
        let found = all.find(|(known, _)| usize::from(known.0) == slot);
        found.map_or(Ms::MAX, |(_, watch)| watch.hold_until)
    }

    /// By when a byte of a watch must have come: the server ends it itself, a little earlier.
    pub(super) fn watch_deadline(&mut self, slot: Slot, now: Ms) -> Ms {
        now + self.watch(slot).seconds * 1000 + 30_000
    }

    /// The next request of a watch.
    pub(super) fn watch_request(&mut self, slot: Slot) -> (Purpose, Request) {
        let mut base = match self.resource(slot) {
            Some(resource) => resource.path(),
            None => format!(
                "/api/v1/pods?fieldSelector=spec.nodeName%3D{}",
                escaped(&self.config.name)
            ),
        };
        base.push(if base.contains('?') { '&' } else { '?' });
        let seconds = WATCH_SECONDS.0 + self.random.below(WATCH_SECONDS.1);
        let watch = self.watch(slot);
        match &watch.version {
            Some(version) => {
                watch.seconds = seconds;
                let target = format!(
                    "{base}watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={}",
                    escaped(version)
                );
                (Purpose::Watch, Request::get(target))
            }
            None => {
                if watch.page.is_empty() {
                    watch.seen.clear();
                    watch.is_listing = true;
                }
                let mut target = format!("{base}limit={PAGE}");
                if !watch.page.is_empty() {
                    target = format!("{target}&continue={}", escaped(&watch.page));
                }
                (Purpose::List, Request::get(target))
            }
        }
    }

    /// Something of a list or a watch came.
    pub(super) fn streamed(&mut self, slot: Slot, taken: Taken, now: Ms) {
        let is_list = self.connections[usize::from(slot.0)]
            .exchange
            .as_ref()
            .is_some_and(|e| e.purpose == Purpose::List);
        if is_list {
            match taken {
                Taken::Item(object) => self.object(slot, &object, false, true, now),
                Taken::Document(list) => self.listed(slot, &list, now),
                // Of a list or of an item too large: the item can be told by its metadata.
                Taken::Partial(object) => self.object(slot, &object, true, true, now),
            }
            return;
        }
        let (event, is_partial) = match taken {
            Taken::Document(event) | Taken::Item(event) => (event, false),
            Taken::Partial(event) => (event, true),
        };
        let version = event
            .text(&["object", "metadata", "resourceVersion"])
            .to_owned();
        let object = event.at(&["object"]).unwrap_or(&Value::Null);
        match event.text(&["type"]) {
            "ADDED" | "MODIFIED" => self.object(slot, object, is_partial, false, now),
            // What stood behind an object that is too large was not read.
            "" if is_partial => self.object(slot, object, true, false, now),
            "DELETED" => self.deleted(slot, object.text(&["metadata", "uid"])),
            "BOOKMARK" => {}
            "ERROR" => {
                // The server has forgotten (410), or cannot go on: the list says what is.
                self.watch(slot).version = None;
                return;
            }
            _ => return,
        }
        if !version.is_empty() {
            self.watch(slot).version = Some(version);
        }
    }

    fn object(&mut self, slot: Slot, object: &Value, is_partial: bool, from_list: bool, now: Ms) {
        if let Some(resource) = self.resource(slot) {
            resource.put(object, is_partial);
            let uid = object.text(&["metadata", "uid"]);
            // Of a long list only those are remembered that were kept.
            if from_list && resource.has(uid) {
                self.watch(slot).seen.push(uid.to_owned());
            }
            return;
        }
        if !is_bound_to(object, &self.config.name) && !is_partial {
            return;
        }
        let Some(mut pod) = Pod::read(object) else {
            return;
        };
        if is_partial {
            pod.unsupported = Some("it is larger than this node can read (16 KiB)".into());
        }
        if from_list {
            self.watch(slot).seen.push(pod.uid.clone());
        }
        let wall = self.clock.now(now);
        self.pods.put(pod, &self.config.hardware, wall);
    }

    fn deleted(&mut self, slot: Slot, uid: &str) {
        match self.resource(slot) {
            Some(resource) => resource.gone(uid),
            None => self.pods.gone(uid),
        }
    }

    /// A page of a list is complete.
    fn listed(&mut self, slot: Slot, list: &Value, now: Ms) {
        let version = list.text(&["metadata", "resourceVersion"]).to_owned();
        let page = list.text(&["metadata", "continue"]).to_owned();
        let watch = self.watch(slot);
        watch.page.clone_from(&page);
        if !page.is_empty() {
            return;
        }
        watch.is_listing = false;
        watch.lists += 1;
        watch.version = (!version.is_empty()).then_some(version);
        if watch.version.is_none() {
            watch.hold_until = now + 10_000;
        }
        let seen = core::mem::take(&mut watch.seen);
        if let Some(resource) = self.resource(slot) {
            resource.keep(&seen);
        } else {
            self.counters.lists += 1;
            self.pods.is_listed = true;
            let gone: Vec<String> = self
                .pods
                .all
                .iter()
                .map(|work| work.pod.uid.clone())
                .filter(|uid| !seen.contains(uid))
                .collect();
            for uid in gone {
                self.pods.gone(&uid);
            }
        }
    }

    /// A list or a watch was answered to its end.
    pub(super) fn watch_answered(
        &mut self,
        slot: Slot,
        exchange: &Exchange<Purpose>,
        head: Head,
        now: Ms,
    ) {
        let jitter = self.random.below(1000);
        let is_absent = matches!(head.status, 403 | 404) && !matches!(slot, PODS | PINS);
        if is_absent {
            // The kind may come with a later version of the cluster: nobody is bothered until then.
            if let Some(resource) = self.resource(slot) {
                resource.keep(&[]);
            }
            self.list_anew(slot, now);
        }
        let watch = self.watch(slot);
        match head.status {
            // A watch ends when its time is over: it goes on where it was.
            200 => {}
            410 => {
                watch.version = None;
                watch.page.clear();
            }
            status => {
                let seconds = head.retry_after.unwrap_or(match status {
                    429 | 500..=599 => 5,
                    _ if is_absent => ABSENT_SECONDS,
                    _ => 30,
                });
                watch.hold_until = now + Ms::from(seconds.min(600)) * 1000 + jitter;
                if exchange.purpose == Purpose::List {
                    watch.page.clear();
                }
            }
        }
    }

    /// A list or a watch broke off.
    pub(super) fn watch_broke(&mut self, slot: Slot) {
        let watch = self.watch(slot);
        if watch.is_listing {
            watch.page.clear();
        }
    }
}
