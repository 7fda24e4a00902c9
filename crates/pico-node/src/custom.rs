// SPDX-License-Identifier: Apache-2.0
//! The kinds of the group `pico.io` that this node acts upon, and what it reports of each object: a condition `Ready`.
//!
//! An object names its node in `spec.nodeName`; those of other nodes are not kept. A status is written when it is
//! another one than the API holds, and never because somebody else wrote one.

mod gpio;
mod matrix;
mod max7219;

pub(crate) use gpio::{CONTROLLER, CONTROLLER_EVENT, Controllers};
pub(crate) use matrix::{MATRIX, MATRIX_EVENT, Matrices};

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pico_board::Level;

use crate::event::About;
use crate::http::{Request, escaped};
use crate::json::{Shape, Value, object};
use crate::kinds::{GROUP, about};
use crate::time::{Ms, Wall};

/// How many objects of a kind are kept at most.
const LIMIT: usize = 8;
/// How long after a status the next one of the same object may follow, in milliseconds.
const PACE_MS: Ms = 1000;

/// What is kept of a status that was written in an earlier life.
pub(crate) const STATUS: Shape = Shape::Keys(&[
    ("observedGeneration", Shape::All),
    ("level", Shape::All),
    ("conditions", Shape::All),
]);

/// What is said of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Said {
    is_ready: bool,
    reason: String,
    message: String,
    level: Option<Level>,
}

impl Said {
    fn applied(message: String, level: Option<Level>) -> Self {
        Self {
            is_ready: true,
            reason: "Applied".to_owned(),
            message,
            level,
        }
    }

    fn refused(reason: &str, message: String) -> Self {
        Self {
            is_ready: false,
            reason: reason.to_owned(),
            message,
            level: None,
        }
    }
}

#[derive(Debug)]
struct Report {
    about: About,
    generation: i64,
    /// What the API holds, with its generation.
    written: Option<(i64, Said)>,
    said: Option<Said>,
    since: Option<Wall>,
    hold_until: Ms,
}

impl Report {
    fn is_due(&self) -> bool {
        match (&self.said, &self.written) {
            (Some(said), Some((generation, written))) => {
                said != written || *generation != self.generation
            }
            (said, _) => said.is_some(),
        }
    }
}

/// What is reported of the objects of one kind.
#[derive(Debug)]
pub(crate) struct Reports {
    kind: &'static str,
    plural: &'static str,
    all: Vec<Report>,
}

impl Reports {
    const fn new(kind: &'static str, plural: &'static str) -> Self {
        Self {
            kind,
            plural,
            all: Vec::new(),
        }
    }

    fn path(&self) -> String {
        format!("/apis/{GROUP}/{}", self.plural)
    }

    /// Takes an object. Says whether there is room for it.
    fn put(&mut self, object: &Value) -> bool {
        let about = about(self.kind, object);
        let generation = object.integer(&["metadata", "generation"]).unwrap_or(0);
        if let Some(known) = self.by_uid(&about.uid) {
            known.generation = generation;
            return true;
        }
        if self.all.len() >= LIMIT || about.uid.is_empty() || about.name.is_empty() {
            return false;
        }
        let conditions = object.list(&["status", "conditions"]);
        let ready = conditions.iter().find(|c| c.text(&["type"]) == "Ready");
        let written = ready.map(|ready| Said {
            is_ready: ready.text(&["status"]) == "True",
            reason: ready.text(&["reason"]).to_owned(),
            message: ready.text(&["message"]).to_owned(),
            level: match object.text(&["status", "level"]) {
                "High" => Some(Level::High),
                "Low" => Some(Level::Low),
                _ => None,
            },
        });
        let observed = object.integer(&["status", "observedGeneration"]);
        let since = ready.and_then(|r| Wall::from_rfc3339(r.text(&["lastTransitionTime"])));
        self.all.push(Report {
            about,
            generation,
            written: written.map(|said| (observed.unwrap_or(0), said)),
            said: None,
            since,
            hold_until: 0,
        });
        true
    }

    fn by_uid(&mut self, uid: &str) -> Option<&mut Report> {
        self.all.iter_mut().find(|report| report.about.uid == uid)
    }

    fn gone(&mut self, uid: &str) {
        self.all.retain(|report| report.about.uid != uid);
    }

    /// By whose word the order of objects is decided that want the same.
    fn name_of(&self, uid: &str) -> (&str, &str) {
        let found = self.all.iter().find(|report| report.about.uid == uid);
        found.map_or(("", ""), |r| (&r.about.namespace, &r.about.name))
    }

    fn say(&mut self, uid: &str, said: Said, wall: Option<Wall>) {
        let Some(report) = self.by_uid(uid) else {
            return;
        };
        let before = report.said.as_ref();
        let before = before.or(report.written.as_ref().map(|(_, written)| written));
        if before.is_none_or(|before| before.is_ready != said.is_ready) {
            report.since = wall;
        }
        report.said = Some(said);
    }

    /// When a status is to be written.
    pub(crate) fn due(&self) -> Option<Ms> {
        let due = self.all.iter().filter(|report| report.is_due());
        due.map(|report| report.hold_until).min()
    }

    /// The next status to be written, and of which object.
    pub(crate) fn next(&mut self, now: Ms, wall: Wall) -> Option<(String, Request)> {
        let mut all = self.all.iter_mut();
        let report = all.find(|report| report.is_due() && now >= report.hold_until)?;
        let said = report.said.clone()?;
        let since = *report.since.get_or_insert(wall);
        let mut body = String::new();
        object(&mut body, |o| {
            o.object("status", |o| {
                o.number("observedGeneration", report.generation);
                match said.level {
                    Some(Level::High) => o.text("level", "High"),
                    Some(Level::Low) => o.text("level", "Low"),
                    None => o.null("level"),
                }
                o.array("conditions", |a| {
                    a.object(|o| {
                        o.text("type", "Ready");
                        o.text("status", if said.is_ready { "True" } else { "False" });
                        o.number("observedGeneration", report.generation);
                        o.display("lastTransitionTime", since);
                        o.text("reason", &said.reason);
                        o.text("message", &said.message);
                    });
                });
            });
        });
        let request = Request {
            method: "PATCH",
            target: format!(
                "/apis/{GROUP}/namespaces/{}/{}/{}/status",
                escaped(&report.about.namespace),
                self.plural,
                escaped(&report.about.name)
            ),
            content_type: "application/merge-patch+json",
            body,
        };
        report.written = Some((report.generation, said));
        report.hold_until = now + PACE_MS;
        Some((report.about.uid.clone(), request))
    }

    /// A status was not taken: it is written again after a while.
    pub(crate) fn failed(&mut self, uid: &str, until: Ms) {
        if let Some(report) = self.by_uid(uid) {
            report.written = None;
            report.hold_until = until;
        }
    }
}

/// The objects of one kind that are for this node, as what they wish for, and what is reported of them.
#[derive(Debug)]
pub(crate) struct Wishes<T> {
    node: String,
    pub(crate) reports: Reports,
    /// By the uid of the object, in the order of names.
    all: Vec<(String, T)>,
}

impl<T: PartialEq> Wishes<T> {
    fn new(node: &str, reports: Reports) -> Self {
        Self {
            node: node.into(),
            reports,
            all: Vec::new(),
        }
    }

    /// Takes an object, and lets go of one that is not for this node or too much. Says whether there is something to do.
    fn put(&mut self, object: &Value, is_partial: bool, wish: fn(&Value) -> T) -> bool {
        let uid = object.text(&["metadata", "uid"]);
        let is_ours = !is_partial && object.text(&["spec", "nodeName"]) == self.node;
        if !is_ours || !self.reports.put(object) {
            return self.gone(uid);
        }
        let wish = wish(object);
        match self.all.iter_mut().find(|(known, _)| known == uid) {
            Some((_, known)) if *known == wish => return false,
            Some((_, known)) => *known = wish,
            None => {
                let name = self.reports.name_of(uid);
                let mut all = self.all.iter();
                let at = all.position(|(other, _)| self.reports.name_of(other) >= name);
                let at = at.unwrap_or(self.all.len());
                self.all.insert(at, (uid.into(), wish));
            }
        }
        true
    }

    /// Lets go of an object. Says whether there is something to do.
    fn gone(&mut self, uid: &str) -> bool {
        self.reports.gone(uid);
        let before = self.all.len();
        self.all.retain(|(known, _)| known != uid);
        self.all.len() < before
    }

    fn has(&self, uid: &str) -> bool {
        self.all.iter().any(|(known, _)| known == uid)
    }

    /// Lets go of all objects but these. Says whether there is something to do.
    fn keep(&mut self, uids: &[String]) -> bool {
        let known = self.all.iter().map(|(uid, _)| uid.clone());
        let lost: Vec<String> = known.filter(|uid| !uids.contains(uid)).collect();
        lost.iter()
            .fold(false, |is_due, uid| self.gone(uid) | is_due)
    }
}
