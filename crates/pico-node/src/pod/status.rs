// SPDX-License-Identifier: Apache-2.0
//! The status of a pod as the API gets it.

use alloc::format;
use alloc::string::String;

use super::container::{End, Runner, State};
use super::spec::ContainerSpec;
use super::work::{Phase, Work};
use crate::facts::Config;
use crate::http::{Request, escaped};
use crate::json::{Array, Object, object};
use crate::time::Wall;

impl Work {
    pub(crate) fn path(&self) -> String {
        format!(
            "/api/v1/namespaces/{}/pods/{}",
            escaped(&self.pod.namespace),
            escaped(&self.pod.name)
        )
    }

    /// The request that reports the status. The uid is a condition: a successor of the same name is another pod.
    pub(crate) fn report(&self, config: &Config, now: Wall) -> Request {
        let mut body = String::new();
        object(&mut body, |o| {
            o.object("metadata", |o| o.text("uid", &self.pod.uid));
            o.object("status", |o| self.write_status(config, now, o));
        });
        Request {
            method: "PATCH",
            target: format!("{}/status", self.path()),
            content_type: "application/strategic-merge-patch+json",
            body,
        }
    }

    /// The request that confirms a deletion.
    pub(crate) fn confirm_deletion(&self) -> Request {
        let mut body = String::new();
        object(&mut body, |o| {
            o.text("apiVersion", "v1");
            o.text("kind", "DeleteOptions");
            o.number("gracePeriodSeconds", 0);
            o.object("preconditions", |o| o.text("uid", &self.pod.uid));
        });
        Request {
            method: "DELETE",
            target: self.path(),
            content_type: "application/json",
            body,
        }
    }

    /// The pod as the kubelet API shows it.
    pub(crate) fn write_pod(&self, config: &Config, now: Wall, out: &mut String) {
        object(out, |o| {
            o.object("metadata", |o| {
                o.text("name", &self.pod.name);
                o.text("namespace", &self.pod.namespace);
                o.text("uid", &self.pod.uid);
            });
            o.object("spec", |o| {
                o.text("nodeName", &config.name);
                o.array("containers", |a| {
                    for spec in &self.pod.containers {
                        a.object(|o| {
                            o.text("name", &spec.name);
                            o.text("image", &spec.image);
                        });
                    }
                });
            });
            o.object("status", |o| self.write_status(config, now, o));
        });
    }

    fn write_status(&self, config: &Config, now: Wall, o: &mut Object<'_>) {
        let phase = self.phase();
        o.text(
            "phase",
            match phase {
                Phase::Pending => "Pending",
                Phase::Running => "Running",
                Phase::Succeeded => "Succeeded",
                Phase::Failed => "Failed",
            },
        );
        if let Some((reason, message)) = &self.rejected {
            o.text("reason", reason);
            o.text("message", message);
            return;
        }
        let waits = match phase {
            Phase::Succeeded => Some("PodCompleted"),
            Phase::Failed => Some("PodFailed"),
            _ => None,
        };
        let initialized = |holds: bool| {
            if holds {
                None
            } else {
                Some("ContainersNotInitialized")
            }
        };
        let ready = |holds: bool| {
            if holds {
                None
            } else {
                waits.or(Some("ContainersNotReady"))
            }
        };
        o.array("conditions", |a| {
            for ((kind, reason_of), (holds, since)) in [
                (
                    "Initialized",
                    &initialized as &dyn Fn(bool) -> Option<&'static str>,
                ),
                ("ContainersReady", &ready),
                ("Ready", &ready),
            ]
            .into_iter()
            .zip(self.since)
            {
                a.object(|o| {
                    o.text("type", kind);
                    o.text("status", if holds { "True" } else { "False" });
                    o.null("lastProbeTime");
                    o.display("lastTransitionTime", since.unwrap_or(now));
                    match reason_of(holds) {
                        Some(reason) => o.text("reason", reason),
                        None => o.null("reason"),
                    }
                });
            }
        });
        if !config.address.is_empty() {
            o.text("hostIP", &config.address);
            o.array("hostIPs", |a| a.object(|o| o.text("ip", &config.address)));
            o.text("podIP", &config.address);
            o.array("podIPs", |a| a.object(|o| o.text("ip", &config.address)));
        }
        o.display("startTime", self.started.unwrap_or(now));
        if !self.init.is_empty() {
            o.array("initContainerStatuses", |a| {
                for (runner, spec) in self.init.iter().zip(&self.pod.init) {
                    one(runner, spec, (true, true), now, a);
                }
            });
        }
        o.array("containerStatuses", |a| {
            for (runner, spec) in self.containers.iter().zip(&self.pod.containers) {
                one(runner, spec, (false, !self.init.is_empty()), now, a);
            }
        });
    }
}

/// Writes the status of a container: whether it is an init container, and whether the pod has some.
fn one(
    runner: &Runner,
    spec: &ContainerSpec,
    (is_init, has_init): (bool, bool),
    now: Wall,
    a: &mut Array<'_>,
) {
    a.object(|o| {
        o.text("name", &spec.name);
        o.text("image", &spec.image);
        o.text("imageID", &runner.image_id);
        if runner.id != 0 {
            o.display("containerID", format_args!("pico-eci://{:016x}", runner.id));
        }
        o.number("restartCount", runner.restart_count().into());
        let done = matches!(&runner.state, State::Terminated(end) if end.code == 0);
        o.flag("ready", if is_init { done } else { runner.is_ready() });
        o.flag("started", runner.is_started());
        o.object("state", |o| match &runner.state {
            State::Waiting {
                reason, message, ..
            } => o.object("waiting", |o| {
                let reason = match *reason {
                    "ContainerCreating" if has_init => "PodInitializing",
                    reason => reason,
                };
                o.text("reason", reason);
                o.text_if("message", message);
            }),
            State::Running { started, .. } => o.object("running", |o| {
                o.display("startedAt", started.unwrap_or(now));
            }),
            State::Terminated(end) => terminated(end, now, o),
        });
        o.object("lastState", |o| {
            if let Some(end) = &runner.last {
                terminated(end, now, o);
            }
        });
    });
}

fn terminated(end: &End, now: Wall, o: &mut Object<'_>) {
    o.object("terminated", |o| {
        o.number("exitCode", end.code.into());
        o.text("reason", end.reason);
        o.text_if("message", &end.message);
        o.display("startedAt", end.started.unwrap_or(now));
        o.display("finishedAt", end.finished.unwrap_or(now));
        o.display("containerID", format_args!("pico-eci://{:016x}", end.id));
    });
}
