// SPDX-License-Identifier: Apache-2.0
//! The ports of containers: all pods share the board's address, so a request to it on a container's port is handed to
//! the container's HTTP handler, and what the handler says goes back. Endpoints of a Service lead here.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use super::{IDLE_MS, Rest, head};
use crate::Agent;
use crate::event::About;
use crate::http::Incoming;
use crate::pod::Request;
use crate::time::Ms;

/// How long a container may take to answer, in milliseconds.
const ANSWER_MS: Ms = 10_000;
/// How soon a container that is busy with another request is asked again, in milliseconds.
const BUSY_MS: Ms = 10;

/// A request that a container is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visit {
    pub(crate) port: u16,
    /// The pod that is meant; `None` for any that has this port.
    uid: Option<String>,
    /// `METHOD /path`, a line feed, the body; empty once the container has it.
    text: Vec<u8>,
    is_head: bool,
    /// It came after the last poll.
    pub(super) is_new: bool,
    until: Ms,
}

impl Visit {
    /// When something is to be done about it if the container says nothing.
    pub(crate) fn due(&self, now: Ms) -> Ms {
        if self.text.is_empty() {
            self.until
        } else {
            self.until.min(now + BUSY_MS)
        }
    }
}

impl Agent {
    /// The ports that running containers have, and the node ports of their Services: the host listens on them and says [`Agent::accept_on`].
    pub fn ports(&self) -> impl Iterator<Item = u16> + '_ {
        let all = self.pods.all.iter().flat_map(|work| {
            let pairs = work.pod.containers.iter().zip(&work.containers);
            pairs.filter(|(_, runner)| runner.is_running())
        });
        let own = all.filter_map(|(spec, _)| spec.port);
        own.chain(self.services.ports(&self.pods.all))
    }

    /// Takes a connection to a container's port, as [`Agent::accept`] does for the node's own.
    pub fn accept_on(&mut self, id: u32, port: u16, now: Ms) -> bool {
        self.kubelet.accept(id, Some(port), false, now)
    }

    /// A port could not be listened on. It becomes an event on the Node.
    pub fn port_refused(&mut self, port: u16, why: &str, now: Ms) {
        let about = About::node(&self.config);
        let message = format!("{} cannot be served: {why}", self.services.describe(port));
        let now = self.clock.now(now);
        self.events.add(about, true, "PortRefused", message, now);
    }

    /// Hands a request to a container, or lets it wait until one is free.
    pub(super) fn visit(&mut self, n: usize, port: u16, request: Incoming, now: Ms) {
        let target = request.target.clone();
        let forwarded = self.kubelet.connections[n].forwarded.as_ref();
        let uid = forwarded.map(|within| within.uid.clone());
        self.hand_over(n, (port, uid), &target, request, now);
    }

    /// Hands a request for `/proxy/NAMESPACE/POD/PORT/PATH`, which came to the node's own port, to a container of that pod.
    ///
    /// # Errors
    /// A status and, in words, why not.
    pub(super) fn visit_pod(
        &mut self,
        n: usize,
        request: Incoming,
        now: Ms,
    ) -> Result<(), (u16, &'static str)> {
        if !self.kubelet.connections[n].is_trusted {
            return Err((401, "only the API server is let through to containers\n"));
        }
        let target = request.target.clone();
        let mut words = target.splitn(6, '/').skip(2);
        let (namespace, pod, port) = (words.next(), words.next(), words.next());
        let (Some(namespace), Some(pod), Some(Ok(port))) = (namespace, pod, port.map(str::parse))
        else {
            return Err((404, "this is not /proxy/NAMESPACE/POD/PORT/PATH\n"));
        };
        let Some(work) = self.pods.by_name(namespace, pod) else {
            return Err((404, "pod does not exist\n"));
        };
        let uid = Some(work.pod.uid.clone());
        let path = format!("/{}", words.next().unwrap_or_default());
        self.hand_over(n, (port, uid), &path, request, now);
        Ok(())
    }

    fn hand_over(
        &mut self,
        n: usize,
        (port, uid): (u16, Option<String>),
        target: &str,
        request: Incoming,
        now: Ms,
    ) {
        let mut text = format!("{} {target}\n", request.method).into_bytes();
        text.extend_from_slice(&request.body);
        let visit = Visit {
            port,
            uid,
            text,
            is_head: request.method == "HEAD",
            is_new: true,
            until: now + ANSWER_MS,
        };
        let connection = &mut self.kubelet.connections[n];
        connection.is_last = !request.keep_alive;
        connection.since = now;
        connection.rest = Rest::Visit(visit);
    }

    /// Goes on with a request to a container. Says whether it is answered, or cannot be.
    pub(super) fn go_on_with_visit(&mut self, n: usize, now: Ms) -> bool {
        let connection = &mut self.kubelet.connections[n];
        let id = connection.id;
        let Rest::Visit(visit) = &mut connection.rest else {
            return false;
        };
        let mut has_container = false;
        let mut is_asked = false;
        let mut answer = None;
        for work in &mut self.pods.all {
            if visit.uid.as_ref().is_some_and(|uid| *uid != work.pod.uid) {
                continue;
            }
            for n in 0..work.containers.len() {
                let Some(spec) = work.pod.containers.get(n) else {
                    continue;
                };
                let is_meant = spec.port == Some(visit.port)
                    || visit.uid.is_none() && self.services.leads_to(visit.port, work, spec);
                let runner = &mut work.containers[n];
                if let Some(request) = runner.request.as_mut().filter(|r| r.visitor == Some(id)) {
                    is_asked = true;
                    answer = request.answer.take();
                    if answer.is_some() || now >= visit.until {
                        runner.request = None;
                    }
                } else if is_meant && runner.is_running() {
                    has_container = true;
                    if runner.request.is_none() && !visit.text.is_empty() && now < visit.until {
                        runner.request = Some(Request {
                            text: core::mem::take(&mut visit.text),
                            is_taken: false,
                            answer: None,
                            visitor: Some(id),
                        });
                        return false;
                    }
                }
            }
        }
        let is_waiting = !visit.text.is_empty();
        let refused = |status, why: &str| (status, why.to_string().into_bytes());
        let (status, body) = match answer {
            Some(answer) => answer,
            None if now >= visit.until => refused(504, "the container does not answer\n"),
            None if is_asked => return false,
            None if !is_waiting => refused(502, "the container ended before it answered\n"),
            None if !has_container => refused(503, "no container runs on this port\n"),
            None => return false,
        };
        let is_head = visit.is_head;
        let body = if status == 204 || status == 304 {
            Vec::new()
        } else {
            body
        };
        let mut out = String::new();
        let length = Some(body.len());
        head(
            status,
            "text/plain; charset=utf-8",
            length,
            connection.is_last,
            &mut out,
        );
        connection.out = out.into_bytes();
        if !is_head {
            connection.out.extend_from_slice(&body);
        }
        connection.rest = Rest::Nothing;
        connection.close |= connection.is_last;
        connection.since = now;
        true
    }

    /// A peer has gone: what it asked of a container is asked no more.
    pub(super) fn forget_visitor(&mut self, id: u32) {
        for work in &mut self.pods.all {
            for runner in &mut work.containers {
                if runner
                    .request
                    .as_ref()
                    .is_some_and(|r| r.visitor == Some(id))
                {
                    runner.request = None;
                }
            }
        }
    }
}

const _: () = assert!(ANSWER_MS < IDLE_MS);
