// SPDX-License-Identifier: Apache-2.0
//! Events to the API: a few wait to be sent, equal ones are counted, and the oldest go when there are too many.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned as _;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;

use crate::facts::Config;
use crate::http::{Request, escaped};
use crate::json::object;
use crate::time::Wall;

/// How many events wait at most.
const LIMIT: usize = 16;

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    /// `spec.containers{name}`.
    pub(crate) field: String,
}

impl About {
    fn api_version(&self) -> &'static str {
        match self.kind {
            "Ingress" => "networking.k8s.io/v1",
            _ => "v1",
        }
    }

    /// The node itself.
    pub(crate) fn node(config: &Config) -> Self {
        Self {
            kind: "Node",
            namespace: String::new(),
            name: config.name.clone(),
            uid: config.name.clone(),
            field: String::new(),
        }
    }
}

#[derive(Debug, Clone)]
struct Event {
    about: About,
    reason: Cow<'static, str>,
    message: String,
    is_warning: bool,
    count: u32,
    first: Option<Wall>,
    last: Option<Wall>,
}

/// The events that wait.
#[derive(Debug, Default)]
pub(crate) struct Events {
    waiting: VecDeque<Event>,
    number: u32,
    /// How many went unsent.
    pub(crate) lost: u32,
}

impl Events {
    pub(crate) fn add(
        &mut self,
        about: About,
        is_warning: bool,
        reason: impl Into<Cow<'static, str>>,
        message: String,
        now: Option<Wall>,
    ) {
        let reason = reason.into();
        if let Some(same) = self
            .waiting
            .iter_mut()
            .find(|e| e.about == about && e.reason == reason && e.message == message)
        {
            same.count += 1;
            same.last = now;
            return;
        }
        if self.waiting.len() >= LIMIT {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(Event {
            about,
            reason,
            message,
            is_warning,
            count: 1,
            first: now,
            last: now,
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The first that waits was sent, or nobody wants it.
    pub(crate) fn done(&mut self) {
        self.waiting.pop_front();
    }

    /// The request for the first that waits.
    pub(crate) fn next(&mut self, config: &Config, now: Wall) -> Option<Request> {
        let event = self.waiting.front()?;
        self.number = self.number.wrapping_add(1);
        let namespace = if event.about.namespace.is_empty() {
            "default".to_owned()
        } else {
            event.about.namespace.clone()
        };
        let first = event.first.unwrap_or(now);
        let mut body = String::new();
        object(&mut body, |o| {
            o.text("apiVersion", "v1");
            o.text("kind", "Event");
            o.object("metadata", |o| {
                // The name of what it is about, and a number that this node gives out once.
                let name: String = event.about.name.chars().take(200).collect();
                o.display(
                    "name",
                    format_args!(
                        "{name}.{:08x}{:08x}",
                        config.boot_id & 0xffff_ffff,
                        self.number
                    ),
                );
                o.text("namespace", &namespace);
            });
            o.object("involvedObject", |o| {
                o.text("apiVersion", event.about.api_version());
                o.text("kind", event.about.kind);
                o.text_if("namespace", &event.about.namespace);
                o.text("name", &event.about.name);
                o.text_if("uid", &event.about.uid);
                o.text_if("fieldPath", &event.about.field);
            });
            o.text("reason", &event.reason);
            o.text("message", &event.message);
            o.text(
                "type",
                if event.is_warning {
                    "Warning"
                } else {
                    "Normal"
                },
            );
            o.number("count", event.count.into());
            o.display("firstTimestamp", first);
            o.display("lastTimestamp", event.last.unwrap_or(first));
            o.object("source", |o| {
                o.text("component", "pico-node");
                o.text("host", &config.name);
            });
            o.text("reportingComponent", "pico-node");
            o.text("reportingInstance", &config.name);
        });
        Some(Request {
            method: "POST",
            target: format!("/api/v1/namespaces/{}/events", escaped(&namespace)),
            content_type: "application/json",
            body,
        })
    }
}
