// SPDX-License-Identifier: Apache-2.0
//! What the agent asks next. Nothing is queued: each request follows from what is known to be out of date, so what is
//! lost with a connection is simply asked again.

use alloc::format;

use super::{
    Agent, CONTROLLERS, INGRESSES, LEASE_MS, MATRICES, PINS, PODS, Purpose, REQUESTS, SERVICES,
    SLOTS, Slot, Standing,
};
use crate::connection::{Phase, RESPONSE_MS};
use crate::http::{Request, escaped};
use crate::node;
use crate::time::Ms;

impl Agent {
    /// Whether a connection is of use now.
    pub(super) fn wants(&self, slot: usize) -> bool {
        let kinds = self.config.kinds;
        let is_ours = self.standing == Standing::Registered;
        match Slot(u8::try_from(slot).unwrap_or(u8::MAX)) {
            REQUESTS => true,
            PODS => is_ours,
            PINS => is_ours && self.config.pins_map.is_some(),
            SERVICES => is_ours && kinds.service && self.services.is_needed(),
            INGRESSES => is_ours && kinds.ingress,
            CONTROLLERS => is_ours && kinds.gpio_controller,
            MATRICES => is_ours && kinds.led_matrix,
            _ => false,
        }
    }

    /// Whether it makes sense to try a connection: while the API cannot be reached only those that say so are tried.
    pub(super) fn may_connect(&self, slot: usize) -> bool {
        let is_first = slot <= usize::from(PINS.0);
        is_first || self.connections[usize::from(REQUESTS.0)].phase == Phase::Up
    }

    /// Puts requests on connections that are free.
    pub(super) fn ask(&mut self, now: Ms) {
        for n in 0..SLOTS {
            let slot = Slot(u8::try_from(n).unwrap_or_default());
            if !self.wants(n) {
                if slot == SERVICES && !matches!(self.connections[n].phase, Phase::Down { .. }) {
                    self.connections[n].retire(now);
                }
                continue;
            }
            let is_due = if slot == REQUESTS {
                self.next_request_at(now).is_some_and(|at| at <= now)
            } else {
                now >= self.watch_due(n)
            };
            if !is_due {
                continue;
            }
            if self.may_connect(n) {
                self.connections[n].want(now);
            }
            if !self.connections[n].is_free() {
                continue;
            }
            let next = if slot == REQUESTS {
                self.next_request(now)
            } else {
                Some(self.watch_request(slot))
            };
            if let Some((purpose, request)) = next {
                if slot == REQUESTS {
                    self.asked_at = now;
                }
                let config = &self.config;
                self.connections[n].begin(purpose, &request, config, now + RESPONSE_MS);
            }
        }
    }

    /// When the next request is due, if one will be.
    pub(super) fn next_request_at(&self, now: Ms) -> Option<Ms> {
        if self.connections[0].exchange.is_some() {
            return None;
        }
        if self.standing != Standing::Registered || self.clock.now(now).is_none() {
            return Some(self.hold_until);
        }
        let mut at = self.status_due.min(self.lease_due).max(self.hold_until);
        if self.relabel {
            at = self.hold_until;
        }
        for work in &self.pods.all {
            let reports = work.dirty && !work.is_gone;
            let confirms = work.pod.deletion.is_some()
                && work.is_stopped()
                && !work.is_deleted
                && !work.is_gone;
            if reports || confirms {
                at = at.min(work.hold_until);
            }
            if !work.is_over() {
                at = work.sources.iter().map(|s| s.due).fold(at, Ms::min);
            }
        }
        if !self.events.is_empty() {
            at = at.min(self.event_hold);
        }
        let custom = [
            &self.controllers.wishes.reports,
            &self.matrices.wishes.reports,
        ];
        at = custom.iter().filter_map(|r| r.due()).fold(at, Ms::min);
        if self.ingresses.courier.asks() {
            at = now;
        }
        Some(at)
    }

    fn next_request(&mut self, now: Ms) -> Option<(Purpose, Request)> {
        let config = &self.config;
        let wall = self.clock.now(now);
        match self.standing {
            _ if now < self.hold_until && self.standing != Standing::Registered => return None,
            Standing::Unknown => return Some((Purpose::Register, node::register(config))),
            Standing::Exists => return Some((Purpose::Adopt, Request::get(node::path(config)))),
            Standing::Foreign => return Some((Purpose::CheckLease, node::get_lease(config))),
            Standing::Adopted => return Some((Purpose::Relabel, node::relabel(config))),
            Standing::Registered => {}
        }
        // Every answer has a date; without one there is nothing true to say.
        let Some(wall) = wall else {
            return Some((Purpose::Adopt, Request::get(node::path(config))));
        };
        if now >= self.hold_until {
            if now >= self.lease_due && !self.status_whole {
                return Some(if self.lease_exists {
                    (Purpose::RenewLease, node::renew_lease(config, wall))
                } else {
                    (
                        Purpose::CreateLease,
                        node::create_lease(config, &self.node_uid, wall),
                    )
                });
            }
            if core::mem::take(&mut self.relabel) {
                return Some((Purpose::Relabel, node::relabel(config)));
            }
            if now >= self.status_due || self.status_whole {
                self.conditions.settle(wall);
                let request = node::status(config, &self.conditions, wall, self.status_whole);
                return Some((Purpose::Status, request));
            }
        }
        // Somebody waits for what a press does.
        if let Some(asked) = self.delivery_request() {
            return Some(asked);
        }
        let config = &self.config;
        for work in &mut self.pods.all {
            if work.is_gone || now < work.hold_until {
                continue;
            }
            // Its end is reported first, so that whoever watches sees how it ended.
            if work.dirty {
                work.dirty = false;
                let purpose = Purpose::PodStatus(work.pod.uid.clone());
                return Some((purpose, work.report(config, wall)));
            }
            if work.pod.deletion.is_some() && work.is_stopped() && !work.is_deleted {
                let purpose = Purpose::PodDelete(work.pod.uid.clone());
                return Some((purpose, work.confirm_deletion()));
            }
        }
        for work in &mut self.pods.all {
            if work.is_over() {
                continue;
            }
            if let Some(source) = work.sources.iter_mut().find(|s| now >= s.due) {
                // Asked again only if no answer comes.
                source.due = now + 2 * RESPONSE_MS;
                let kind = if source.reference.is_secret {
                    "secrets"
                } else {
                    "configmaps"
                };
                let target = format!(
                    "/api/v1/namespaces/{}/{kind}/{}",
                    escaped(&work.pod.namespace),
                    escaped(&source.reference.name)
                );
                let purpose = Purpose::Fetch {
                    uid: work.pod.uid.clone(),
                    is_secret: source.reference.is_secret,
                    name: source.reference.name.clone(),
                };
                return Some((purpose, Request::get(target)));
            }
        }
        for reports in [
            &mut self.controllers.wishes.reports,
            &mut self.matrices.wishes.reports,
        ] {
            if let Some((uid, request)) = reports.next(now, wall) {
                return Some((Purpose::CustomStatus(uid), request));
            }
        }
        if now >= self.event_hold {
            let request = self.events.next(&self.config, wall)?;
            return Some((Purpose::Event, request));
        }
        None
    }

    /// When the next renewal is due after one that succeeded: a little jitter keeps nodes apart.
    pub(super) fn next_lease(&mut self, now: Ms) -> Ms {
        now + LEASE_MS - self.random.below(400)
    }
}
