// SPDX-License-Identifier: Apache-2.0
//! Carries the presses of Ingresses to their backends: containers of this node, or endpoints elsewhere.

use alloc::borrow::ToOwned as _;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use super::{Agent, BACKEND, Purpose, REQUESTS};
use crate::connection::{Order, Phase, RESPONSE_MS};
use crate::http::{Head, Request, escaped};
use crate::ingress::{Courier, Delivery, Route, Rule, Stage};
use crate::json::Value;
use crate::pod;
use crate::time::Ms;

/// How long a press may take until its backend has answered, in milliseconds.
const PRESS_MS: Ms = 15_000;
/// How soon a container that is busy with another request is asked again, in milliseconds.
const BUSY_MS: Ms = 10;
/// The visitor of a container that is a press; no connection has this number.
const PRESS: u32 = u32::MAX;

impl Agent {
    fn courier(&mut self) -> &mut Courier {
        &mut self.ingresses.courier
    }

    /// Goes on with the press under way, or begins with the next one. Says when to come again.
    pub(super) fn deliver(&mut self, now: Ms) -> Option<Ms> {
        loop {
            let Some(current) = &self.ingresses.courier.current else {
                let rule = self.ingresses.next_press()?;
                self.begin_delivery(rule, now);
                continue;
            };
            let (stage, until) = (current.stage, current.until);
            match stage {
                Stage::Service { .. } | Stage::Endpoints { .. } if now >= until => {
                    self.fall_back("the API does not answer", now);
                }
                _ if now >= until => self.delivered(Err("no answer within 15 s"), now),
                Stage::Service { .. } | Stage::Endpoints { .. } => return Some(until),
                Stage::Here { is_handed } => match self.ask_here(is_handed) {
                    Some(answer) => self.delivered(answer, now),
                    None if is_handed => return Some(until),
                    // A container that has just been given it is to run at once.
                    None if self.is_handed() => return Some(now),
                    None => return Some(until.min(now + BUSY_MS)),
                },
                Stage::There { to, is_dialled } => {
                    let connection = &mut self.connections[usize::from(BACKEND.0)];
                    if !is_dialled {
                        connection.dial(Order::Dial(to.into()), now);
                        self.set_stage(Stage::There {
                            to,
                            is_dialled: true,
                        });
                        return Some(until);
                    }
                    match connection.phase {
                        Phase::Down { .. } => {
                            self.delivered(Err("the endpoint cannot be reached"), now);
                        }
                        Phase::Up if connection.exchange.is_none() => {
                            self.ask_there(now);
                            return Some(until);
                        }
                        _ => return Some(until),
                    }
                }
            }
        }
    }

    fn begin_delivery(&mut self, rule: Rule, now: Ms) {
        let reaches_api = self.connections[usize::from(REQUESTS.0)].phase == Phase::Up;
        let courier = self.courier();
        let route = courier.fresh(&rule, now);
        // What is known is better than nothing.
        let route = route.or_else(|| courier.known(&rule).filter(|_| !reaches_api));
        courier.current = Some(Box::new(Delivery {
            rule,
            stage: Stage::Service { is_asked: false },
            until: now + PRESS_MS,
            route: None,
        }));
        if let Some(route) = route {
            self.take_route(route, now);
        }
    }

    fn is_handed(&self) -> bool {
        let current = self.ingresses.courier.current.as_ref();
        current.is_some_and(|current| current.stage == Stage::Here { is_handed: true })
    }

    fn set_stage(&mut self, stage: Stage) {
        if let Some(current) = &mut self.ingresses.courier.current {
            current.stage = stage;
        }
    }

    /// Chooses whom to ask: a container of this node, or one of the endpoints; those are asked for if they are not known.
    fn take_route(&mut self, route: Route, now: Ms) {
        let mut pods = self.pods.all.iter();
        let stage = if pods.any(|work| route.backend.leads_into(work)) {
            Stage::Here { is_handed: false }
        } else {
            match self.courier().choose(&route) {
                Some(to) => Stage::There {
                    to,
                    is_dialled: false,
                },
                None => Stage::Endpoints { is_asked: false },
            }
        };
        let courier = self.courier();
        let Some(current) = &mut courier.current else {
            return;
        };
        if matches!(
            (current.stage, stage),
            (Stage::Endpoints { .. }, Stage::Endpoints { .. })
        ) {
            return self.delivered(Err("the service has no ready endpoint"), now);
        }
        current.stage = stage;
        current.route = Some(route.clone());
        if !matches!(stage, Stage::Endpoints { .. }) {
            courier.remember(route);
        }
    }

    /// The API says nothing of use: what is remembered of the route must do.
    fn fall_back(&mut self, why: &str, now: Ms) {
        let courier = self.courier();
        let known = courier.current.as_ref().map(|c| courier.known(&c.rule));
        match known.flatten() {
            Some(route) => {
                self.set_stage(Stage::Service { is_asked: true });
                if let Some(current) = &mut self.courier().current {
                    current.until = now + PRESS_MS;
                }
                self.take_route(route, now);
                // Without endpoints the route is no help: they cannot be asked for.
                if self.courier().asks() {
                    self.delivered(Err(why), now);
                }
            }
            None => self.delivered(Err(why), now),
        }
    }

    /// Hands the request to a container behind the route, or takes its answer.
    fn ask_here(&mut self, is_handed: bool) -> Option<Result<u16, &'static str>> {
        let current = self.ingresses.courier.current.as_mut()?;
        let route = current.route.as_ref()?;
        let mut is_there = false;
        for work in &mut self.pods.all {
            for n in 0..work.containers.len() {
                let runner = &mut work.containers[n];
                if is_handed {
                    let ours = |r: &&mut pod::Request| r.visitor == Some(PRESS);
                    if let Some(request) = runner.request.as_mut().filter(ours) {
                        let (status, _) = request.answer.take()?;
                        runner.request = None;
                        return Some(Ok(status));
                    }
                    continue;
                }
                let spec = work.pod.containers.get(n)?;
                if !route.backend.leads_to(work, spec) {
                    continue;
                }
                is_there = true;
                let runner = &mut work.containers[n];
                if runner.is_running() && runner.request.is_none() {
                    runner.request = Some(pod::Request {
                        text: format!("{} {}\n", current.rule.method, current.rule.path)
                            .into_bytes(),
                        is_taken: false,
                        answer: None,
                        visitor: Some(PRESS),
                    });
                    current.stage = Stage::Here { is_handed: true };
                    return None;
                }
            }
        }
        match (is_handed, is_there) {
            (true, _) => Some(Err("the container ended before it answered")),
            (false, true) => None,
            (false, false) => Some(Err("the container is not ready any more")),
        }
    }

    fn ask_there(&mut self, now: Ms) {
        let Some(current) = &self.ingresses.courier.current else {
            return;
        };
        let rule = &current.rule;
        let request = Request {
            method: rule.method,
            target: rule.path.clone(),
            content_type: if matches!(rule.method, "GET" | "DELETE") {
                ""
            } else {
                "text/plain; charset=utf-8"
            },
            body: String::new(),
        };
        let connection = &mut self.connections[usize::from(BACKEND.0)];
        connection.begin_elsewhere(Purpose::Press, &request, &rule.host, now + RESPONSE_MS);
    }

    /// The press under way has come to its end.
    fn delivered(&mut self, answer: Result<u16, &str>, now: Ms) {
        let Some(current) = self.courier().current.take() else {
            return;
        };
        for runner in self.pods.all.iter_mut().flat_map(|w| &mut w.containers) {
            let is_ours = |r: &pod::Request| r.visitor == Some(PRESS);
            if runner.request.as_ref().is_some_and(is_ours) {
                runner.request = None;
            }
        }
        if matches!(current.stage, Stage::There { .. }) {
            self.connections[usize::from(BACKEND.0)].retire(now);
        }
        let why = match answer {
            Ok(status) if status < 400 => {
                self.counters.presses += 1;
                return;
            }
            Ok(status) => format!("the backend says {status}"),
            Err(why) => {
                self.courier().forget(&current.rule);
                why.to_owned()
            }
        };
        let rule = current.rule;
        let to = match current.stage {
            Stage::There { to, .. } => format!(" at {to}"),
            _ => String::new(),
        };
        let why = format!(
            "{}: {} {} of service {}/{}:{}{to}: {why}",
            rule.host, rule.method, rule.path, rule.about.namespace, rule.service, rule.port
        );
        let wall = self.clock.now(now);
        self.events
            .add(rule.about, true, "BackendFailed", why, wall);
    }

    /// What is to be asked of the API for the press under way.
    pub(super) fn delivery_request(&mut self) -> Option<(Purpose, Request)> {
        let current = self.ingresses.courier.current.as_mut()?;
        let namespace = escaped(&current.rule.about.namespace);
        let service = escaped(&current.rule.service);
        match current.stage {
            Stage::Service { is_asked: false } => {
                current.stage = Stage::Service { is_asked: true };
                let target = format!("/api/v1/namespaces/{namespace}/services/{service}");
                Some((Purpose::Backend, Request::get(target)))
            }
            Stage::Endpoints { is_asked: false } => {
                current.stage = Stage::Endpoints { is_asked: true };
                let target = format!(
                    "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{service}&limit=10"
                );
                Some((Purpose::Endpoints, Request::get(target)))
            }
            _ => None,
        }
    }

    /// An EndpointSlice of the list that was asked for.
    pub(super) fn endpoints_found(&mut self, slice: &Value) {
        let current = self.ingresses.courier.current.as_mut();
        if let Some(route) = current.and_then(|current| current.route.as_mut()) {
            route.add(slice);
        }
    }

    /// What the API, or the backend, said.
    pub(super) fn delivery_answered(
        &mut self,
        purpose: &Purpose,
        head: Head,
        answer: &Value,
        now: Ms,
    ) {
        let Some(current) = &self.ingresses.courier.current else {
            return;
        };
        match (purpose, current.stage, head.status) {
            (Purpose::Press, Stage::There { .. }, status) => self.delivered(Ok(status), now),
            (Purpose::Backend, Stage::Service { .. }, 200) => {
                match Route::read(&current.rule, answer, now) {
                    Ok(route) => self.take_route(route, now),
                    Err(why) => self.delivered(Err(why), now),
                }
            }
            (Purpose::Endpoints, Stage::Endpoints { .. }, 200) => {
                if let Some(route) = current.route.clone() {
                    self.take_route(route, now);
                }
            }
            (Purpose::Backend, Stage::Service { .. }, 404) => {
                self.delivered(Err("there is no such service"), now);
            }
            (Purpose::Backend | Purpose::Endpoints, _, 403) => {
                self.delivered(Err("this node may not look for it (403)"), now);
            }
            (Purpose::Backend | Purpose::Endpoints, ..) => {
                self.fall_back("the API does not say where it is", now);
            }
            _ => {}
        }
    }

    /// No answer came.
    pub(super) fn delivery_unanswered(&mut self, purpose: &Purpose, now: Ms) {
        match (
            purpose,
            self.courier().current.as_ref().map(|current| current.stage),
        ) {
            (Purpose::Press, Some(Stage::There { .. })) => {
                self.delivered(Err("the endpoint does not answer"), now);
            }
            (Purpose::Backend | Purpose::Endpoints, Some(_)) => {
                self.fall_back("the API does not answer", now);
            }
            _ => {}
        }
    }
}
