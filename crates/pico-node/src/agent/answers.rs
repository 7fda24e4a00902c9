// SPDX-License-Identifier: Apache-2.0
//! What the agent makes of an answer, and of none.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;

use super::{Agent, Purpose, STATUS_MS, Slot, Standing, WATCHES, watch};
use crate::connection::Exchange;
use crate::event::About;
use crate::http::Head;
use crate::ingress::SLICE;
use crate::json::{Limits, Reader, Shape, Value};
use crate::node;
use crate::runtime::Runtime;
use crate::services::SERVICE;
use crate::time::{Ms, Wall};

/// What is read of an answer that says no.
const STATUS: Shape = Shape::Keys(&[
    ("reason", Shape::All),
    ("message", Shape::All),
    ("code", Shape::All),
]);

impl Agent {
    pub(super) fn answered(
        &mut self,
        slot: Slot,
        exchange: Exchange<Purpose>,
        head: Head,
        now: Ms,
        _runtime: &mut dyn Runtime,
    ) {
        let status = head.status;
        let fine = (200..300).contains(&status);
        let nothing = Value::Null;
        let answer = exchange.answer.as_ref().unwrap_or(&nothing);
        match &exchange.purpose {
            Purpose::List | Purpose::Watch => {
                self.watch_answered(slot, &exchange, head, now);
            }
            Purpose::Register => match status {
                _ if fine => {
                    answer
                        .text(&["metadata", "uid"])
                        .clone_into(&mut self.node_uid);
                    self.conditions.forget_times();
                    self.registered(now);
                }
                409 => {
                    self.standing = Standing::Exists;
                    self.hold_until = now;
                }
                _ => self.hold(head, now),
            },
            Purpose::Adopt => match status {
                _ if fine => self.adopt(answer, now),
                404 => self.standing = Standing::Unknown,
                // Not to be allowed to look is no reason not to work: the name is ours.
                403 => self.adopted(now),
                _ => self.hold(head, now),
            },
            Purpose::CheckLease => {
                let renewed = Wall::from_rfc3339(answer.text(&["spec", "renewTime"]));
                let alive = renewed
                    .zip(self.clock.now(now))
                    .is_some_and(|(renewed, wall)| {
                        let age = wall.unix_ms().saturating_sub(renewed.unix_ms());
                        age < node::LEASE_SECONDS.unsigned_abs() * 1000
                    });
                if fine && alive {
                    self.name_taken(now);
                } else if fine || matches!(status, 403 | 404) {
                    self.adopted(now);
                } else {
                    self.hold(head, now);
                }
            }
            Purpose::Relabel => match status {
                404 => self.start_over(now),
                _ if fine || status < 500 && status != 429 => self.registered(now),
                _ => self.hold(head, now),
            },
            Purpose::RenewLease | Purpose::CreateLease => {
                self.lease_answered(&exchange.purpose, head, now)
            }
            Purpose::Status => match status {
                _ if fine => {
                    self.backoff.reset();
                    self.was_ready = true;
                    self.status_whole = false;
                    let period = if self.lease_works {
                        STATUS_MS
                    } else {
                        super::LEASE_MS
                    };
                    self.status_due = now + period + self.random.below(period / 30);
                }
                404 => self.start_over(now),
                _ => self.hold(head, now),
            },
            Purpose::PodStatus(uid) => self.pod_answered(&uid.clone(), head, now),
            Purpose::PodDelete(uid) => {
                let wait = self.retry_after(head);
                if let Some(work) = self.pods.by_uid(uid) {
                    if fine || matches!(status, 404 | 409) {
                        work.is_deleted = true;
                    } else {
                        work.hold_until = now + wait;
                    }
                }
            }
            Purpose::Fetch {
                uid,
                is_secret,
                name,
            } => {
                let wait = self.retry_after(head);
                let (uid, is_secret, name) = (uid.clone(), *is_secret, name.clone());
                let Some(work) = self.pods.by_uid(&uid) else {
                    return;
                };
                let source = work
                    .sources
                    .iter_mut()
                    .find(|s| s.reference.is_secret == is_secret && s.reference.name == name);
                if let Some(source) = source {
                    if fine && exchange.is_partial {
                        // Half of it would be taken for all of it.
                        source.take(None, now);
                        source.refusal = Some(TOO_LARGE);
                    } else if fine {
                        source.take(Some(answer), now);
                    } else if matches!(status, 403 | 404) {
                        source.take(None, now);
                        source.refusal = (status == 403).then_some("forbidden");
                    } else {
                        source.due = now + wait;
                    }
                }
                work.look_again("CreateContainerConfigError", now);
            }
            Purpose::CustomStatus(uid) => {
                if !fine && status != 404 {
                    let until = now + self.retry_after(head).max(5000);
                    self.custom_failed(uid, until);
                }
            }
            purpose @ (Purpose::Backend | Purpose::Endpoints | Purpose::Press) => {
                self.delivery_answered(purpose, head, answer, now);
            }
            Purpose::Event => {
                if matches!(status, 429 | 500..=599) {
                    self.event_hold = now + self.retry_after(head);
                } else {
                    self.events.done();
                }
            }
        }
    }

    /// No answer came, or only half of one.
    pub(super) fn unanswered(&mut self, purpose: Purpose, now: Ms) {
        match purpose {
            Purpose::List | Purpose::Watch => {
                for slot in WATCHES {
                    if self.connections[usize::from(slot.0)].exchange.is_none() {
                        self.watch_broke(slot);
                    }
                }
            }
            Purpose::PodStatus(uid) => {
                if let Some(work) = self.pods.by_uid(&uid) {
                    work.dirty = true;
                }
            }
            // A Node that is not ours yet is labelled in any case.
            Purpose::Relabel => self.relabel = self.standing == Standing::Registered,
            Purpose::Fetch {
                uid,
                is_secret,
                name,
            } => {
                if let Some(work) = self.pods.by_uid(&uid) {
                    for source in &mut work.sources {
                        if source.reference.is_secret == is_secret && source.reference.name == name
                        {
                            source.due = now;
                        }
                    }
                }
            }
            Purpose::CustomStatus(uid) => self.custom_failed(&uid, now),
            Purpose::Backend | Purpose::Endpoints | Purpose::Press => {
                self.delivery_unanswered(&purpose, now);
            }
            _ => {}
        }
    }

    /// The status of an object of our own kinds was not taken.
    fn custom_failed(&mut self, uid: &str, until: Ms) {
        self.controllers.wishes.reports.failed(uid, until);
        self.matrices.wishes.reports.failed(uid, until);
    }

    fn retry_after(&mut self, head: Head) -> Ms {
        let fallback = self.backoff.failed(&mut self.random);
        head.retry_after.map_or(fallback, |s| {
            Ms::from(s.min(600)) * 1000 + self.random.below(1000)
        })
    }

    /// The server says no to what the node itself needs: it is asked again later.
    fn hold(&mut self, head: Head, now: Ms) {
        self.hold_until = now + self.retry_after(head);
    }

    /// The Node is ours: what it says is brought up to date.
    fn registered(&mut self, now: Ms) {
        self.backoff.reset();
        self.standing = Standing::Registered;
        self.status_whole = true;
        self.status_due = now;
        self.lease_due = now;
        self.hold_until = now;
    }

    /// The Node is no more: it was deleted by hand, or the cluster is a new one.
    fn start_over(&mut self, now: Ms) {
        self.standing = Standing::Unknown;
        self.was_ready = false;
        self.lease_exists = false;
        self.node_uid = String::new();
        self.hold_until = now;
    }

    fn adopt(&mut self, known: &Value, now: Ms) {
        known
            .text(&["metadata", "uid"])
            .clone_into(&mut self.node_uid);
        self.conditions.adopt(known);
        let machine = known.text(&["status", "nodeInfo", "machineID"]);
        if self.standing == Standing::Registered {
            // It was only asked for the time; a server that does not say it is not asked on and on.
            self.hold_until = now + 10_000;
            return;
        }
        if machine.is_empty() || machine == node::machine_id(&self.config) {
            self.adopted(now);
        } else {
            self.standing = Standing::Foreign;
        }
    }

    fn adopted(&mut self, now: Ms) {
        self.standing = Standing::Adopted;
        // It may be there from before; if not, the answer says so.
        self.lease_exists = true;
        self.hold_until = now;
    }

    /// Another board of the same name is alive. It was first; this one waits until it is gone.
    fn name_taken(&mut self, now: Ms) {
        self.standing = Standing::Exists;
        self.hold_until = now + 30_000 + self.random.below(30_000);
        self.events.add(
            About::node(&self.config),
            true,
            "NodeNameTaken",
            format!(
                "board {} wants to be node {} too and waits",
                node::machine_id(&self.config),
                self.config.name
            ),
            self.clock.now(now),
        );
    }

    /// Whether another living board has this node's name.
    #[must_use]
    pub fn is_name_taken(&self) -> bool {
        matches!(self.standing, Standing::Exists | Standing::Foreign) && !self.events.is_empty()
    }

    fn lease_answered(&mut self, purpose: &Purpose, head: Head, now: Ms) {
        match head.status {
            200..300 => {
                self.lease_exists = true;
                self.lease_works = true;
                self.lease_due = self.next_lease(now);
            }
            404 if *purpose == Purpose::RenewLease => {
                // Where the Lease has gone the Node may have gone as well: its status tells.
                self.lease_exists = false;
                self.status_due = now;
                self.lease_due = now;
                self.status_whole = true;
            }
            409 => {
                self.lease_exists = true;
                self.lease_due = now;
            }
            403 | 404 => {
                // A cluster without Leases for nodes: the status is the heartbeat then.
                self.lease_works = false;
                self.lease_due = now + STATUS_MS;
                self.status_due = self.status_due.min(now + super::LEASE_MS);
            }
            _ => {
                // A Lease is to be renewed in time: it does not wait as long as the rest.
                let wait = self.retry_after(head).min(super::LEASE_MS);
                self.lease_due = now + wait;
            }
        }
    }

    fn pod_answered(&mut self, uid: &str, head: Head, now: Ms) {
        let wait = self.retry_after(head);
        let Some(work) = self.pods.by_uid(uid) else {
            return;
        };
        match head.status {
            200..300 => work.hold_until = now,
            // Another pod has the name now, or none: the watch says which.
            404 | 409 => work.hold_until = now + 5000,
            status => {
                work.dirty = true;
                work.hold_until = now
                    + if status == 403 {
                        wait.max(60_000)
                    } else {
                        wait
                    };
            }
        }
        if (200..300).contains(&head.status) {
            self.backoff.reset();
        }
    }
}

/// Why a ConfigMap or Secret is not used that is larger than [`Limits::kept`].
const TOO_LARGE: &str = "it holds more than the 16 KiB that a board reads";

/// What is read of the body of an answer.
pub(super) fn reader(slot: Slot, purpose: &Purpose, status: u16) -> Option<Reader> {
    const LIST: Shape = Shape::Keys(&[(
        "metadata",
        Shape::Keys(&[("resourceVersion", Shape::All), ("continue", Shape::All)]),
    )]);
    let limits = Limits::default();
    if *purpose == Purpose::Press {
        // A backend may say what it likes.
        return None;
    }
    if status >= 400 {
        return Some(Reader::new(STATUS, limits));
    }
    let shape = match purpose {
        Purpose::Register | Purpose::Adopt => crate::node::NODE,
        Purpose::CheckLease => crate::node::LEASE,
        Purpose::Fetch { .. } => {
            // One value may be all that is in it.
            let token = limits.kept;
            return Some(Reader::new(crate::pod::MAP, Limits { token, ..limits }));
        }
        Purpose::Backend => SERVICE,
        Purpose::Endpoints => return Some(Reader::new(LIST, limits).of_items(SLICE)),
        Purpose::List => return Some(Reader::new(LIST, limits).of_items(watch::shapes(slot).0)),
        Purpose::Watch => watch::shapes(slot).1,
        _ => return None,
    };
    Some(Reader::new(shape, limits))
}
