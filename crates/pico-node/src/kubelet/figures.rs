// SPDX-License-Identifier: Apache-2.0
//! Figures: `/metrics`, `/metrics/resource`, `/stats/summary`, `/spec`, `/configz` and the board's own status.

use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

use crate::Agent;
use crate::agent::{LEASE_MS, STATUS_MS};
use crate::facts::MAX_PODS;
use crate::json::{Object, object};
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};

/// A line of the text format with a preceding type.
fn metric(out: &mut String, kind: &str, name: &str, value: impl core::fmt::Display) {
    let _ = writeln!(out, "# TYPE {name} {kind}\n{name} {value}");
}

/// Thousandths of a second as seconds.
struct Seconds(u64);

impl core::fmt::Display for Seconds {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

impl Agent {
    pub(super) fn metrics(&self, now: Ms) -> String {
        let mut out = String::new();
        let usage = self.usage();
        let counters = self.counters();
        let o = &mut out;
        metric(o, "gauge", "node_memory_total_bytes", usage.memory_total);
        metric(o, "gauge", "node_memory_used_bytes", usage.memory);
        metric(
            o,
            "gauge",
            "node_memory_free_bytes",
            usage.memory_total.saturating_sub(usage.memory),
        );
        metric(
            o,
            "gauge",
            "node_filesystem_size_bytes",
            usage.storage_total,
        );
        metric(o, "gauge", "node_filesystem_used_bytes", usage.storage);
        metric(
            o,
            "counter",
            "node_uptime_seconds",
            Seconds(now.saturating_sub(self.started)),
        );
        metric(
            o,
            "counter",
            "kubelet_http_requests_total",
            self.kubelet.requests,
        );
        metric(
            o,
            "gauge",
            "kubelet_running_pods",
            self.pods.all.iter().filter(|w| !w.is_over()).count(),
        );
        metric(o, "counter", "pico_api_requests_total", counters.requests);
        metric(o, "counter", "pico_api_errors_total", counters.errors);
        metric(
            o,
            "counter",
            "pico_api_reconnects_total",
            counters.reconnects,
        );
        metric(o, "counter", "pico_api_sent_bytes_total", counters.sent);
        metric(
            o,
            "counter",
            "pico_api_received_bytes_total",
            counters.received,
        );
        metric(
            o,
            "gauge",
            "pico_api_latency_seconds",
            Seconds(counters.latency_ms),
        );
        metric(o, "counter", "pico_events_lost_total", self.events.lost);
        let _ = writeln!(o, "# TYPE pico_container_restarts_total counter");
        for work in &self.pods.all {
            for (spec, runner) in work.pod.containers.iter().zip(&work.containers) {
                let labels = format!(
                    "{{namespace=\"{}\",pod=\"{}\",container=\"{}\"}}",
                    work.pod.namespace, work.pod.name, spec.name
                );
                let _ = writeln!(
                    o,
                    "pico_container_restarts_total{labels} {}",
                    runner.restart_count()
                );
            }
        }
        out
    }

    /// Fuel as thousandths of a second of one core.
    fn cpu_ms(fuel: u64, runtime: &dyn Runtime) -> u64 {
        fuel.saturating_mul(1000) / u64::from(runtime.fuel_per_second()).max(1)
    }

    pub(super) fn resource_metrics(&self, now: Ms, runtime: &mut dyn Runtime) -> String {
        let mut out = String::new();
        let o = &mut out;
        let usage = self.usage();
        metric(
            o,
            "counter",
            "node_cpu_usage_seconds_total",
            Seconds(Self::cpu_ms(self.fuel_used, runtime)),
        );
        metric(o, "gauge", "node_memory_working_set_bytes", usage.memory);
        for (kind, name) in [
            ("counter", "container_cpu_usage_seconds_total"),
            ("gauge", "container_memory_working_set_bytes"),
            ("gauge", "container_start_time_seconds"),
        ] {
            let _ = writeln!(o, "# TYPE {name} {kind}");
            for work in &self.pods.all {
                for (spec, runner) in work.pod.containers.iter().zip(&work.containers) {
                    let crate::pod::State::Running { started, .. } = &runner.state else {
                        continue;
                    };
                    let _ = write!(
                        o,
                        "{name}{{container=\"{}\",namespace=\"{}\",pod=\"{}\"}} ",
                        spec.name, work.pod.namespace, work.pod.name
                    );
                    let _ = match name {
                        "container_cpu_usage_seconds_total" => {
                            writeln!(o, "{}", Seconds(Self::cpu_ms(runner.fuel, runtime)))
                        }
                        "container_memory_working_set_bytes" => writeln!(o, "{}", runner.memory()),
                        _ => writeln!(
                            o,
                            "{}",
                            Seconds(started.or(self.clock.now(now)).map_or(0, Wall::unix_ms))
                        ),
                    };
                }
            }
        }
        metric(o, "gauge", "resource_scrape_error", 0);
        out
    }

    pub(super) fn summary(&self, now: Ms, runtime: &mut dyn Runtime) -> String {
        let wall = self.clock.now(now).unwrap_or(Wall::from_unix_ms(0));
        let usage = self.usage();
        let age = now.saturating_sub(self.started);
        let cpu = |o: &mut Object<'_>, fuel: u64, rate: u64, runtime: &dyn Runtime| {
            o.object("cpu", |o| {
                o.display("time", wall);
                o.number("usageNanoCores", i64::try_from(rate).unwrap_or(i64::MAX));
                let total = Self::cpu_ms(fuel, runtime).saturating_mul(1_000_000);
                o.number(
                    "usageCoreNanoSeconds",
                    i64::try_from(total).unwrap_or(i64::MAX),
                );
            });
        };
        let memory = |o: &mut Object<'_>, used: u64, total: Option<u64>| {
            o.object("memory", |o| {
                o.display("time", wall);
                let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
                if let Some(total) = total {
                    o.number("availableBytes", number(total.saturating_sub(used)));
                }
                o.number("usageBytes", number(used));
                o.number("workingSetBytes", number(used));
            });
        };
        let mut out = String::new();
        object(&mut out, |o| {
            o.object("node", |o| {
                o.text("nodeName", &self.config.name);
                o.display(
                    "startTime",
                    Wall::from_unix_ms(wall.unix_ms().saturating_sub(age)),
                );
                cpu(o, self.fuel_used, self.cpu_rate, runtime);
                memory(o, usage.memory, Some(usage.memory_total));
                o.object("fs", |o| {
                    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
                    o.display("time", wall);
                    o.number(
                        "availableBytes",
                        number(usage.storage_total.saturating_sub(usage.storage)),
                    );
                    o.number("capacityBytes", number(usage.storage_total));
                    o.number("usedBytes", number(usage.storage));
                });
            });
            o.array("pods", |a| {
                for work in self.pods.all.iter().filter(|work| !work.is_over()) {
                    a.object(|o| {
                        o.object("podRef", |o| {
                            o.text("name", &work.pod.name);
                            o.text("namespace", &work.pod.namespace);
                            o.text("uid", &work.pod.uid);
                        });
                        o.display("startTime", work.started.unwrap_or(wall));
                        o.array("containers", |a| {
                            for (spec, runner) in work.pod.containers.iter().zip(&work.containers) {
                                a.object(|o| {
                                    o.text("name", &spec.name);
                                    o.display("startTime", work.started.unwrap_or(wall));
                                    cpu(o, runner.fuel, runner.cpu_rate, runtime);
                                    memory(o, runner.memory(), spec.ask.memory);
                                });
                            }
                        });
                        let fuel = work.containers.iter().map(|r| r.fuel).sum();
                        let rate = work.containers.iter().map(|r| r.cpu_rate).sum();
                        cpu(o, fuel, rate, runtime);
                        memory(o, work.memory(), None);
                    });
                }
            });
        });
        out
    }

    pub(super) fn spec(&self) -> String {
        let hardware = &self.config.hardware;
        let mut out = String::new();
        object(&mut out, |o| {
            o.number("num_cores", hardware.cores.into());
            o.number(
                "memory_capacity",
                i64::try_from(hardware.memory).unwrap_or(i64::MAX),
            );
            o.text("machine_id", &crate::node::machine_id(&self.config));
            o.text("board", hardware.board);
            o.text("chip", hardware.chip);
        });
        out
    }

    pub(super) fn configz(&self) -> String {
        let mut out = String::new();
        object(&mut out, |o| {
            o.object("kubeletconfig", |o| {
                o.text("kind", "KubeletConfiguration");
                o.text("apiVersion", "kubelet.config.k8s.io/v1beta1");
                o.display(
                    "nodeStatusUpdateFrequency",
                    format_args!("{}s", LEASE_MS / 1000),
                );
                o.display(
                    "nodeStatusReportFrequency",
                    format_args!("{}s", STATUS_MS / 1000),
                );
                o.number("nodeLeaseDurationSeconds", crate::node::LEASE_SECONDS);
                o.number("maxPods", i64::try_from(MAX_PODS).unwrap_or(i64::MAX));
                o.number("port", self.config.kubelet_port.into());
            });
        });
        out
    }

    pub(super) fn board_status(&self, now: Ms, runtime: &mut dyn Runtime) -> String {
        let mut out = String::new();
        let temperature = runtime.devices().temperature_millicelsius().ok();
        object(&mut out, |o| {
            o.text("node", &self.config.name);
            o.text("board", self.config.hardware.board);
            o.number(
                "uptimeSeconds",
                i64::try_from(now.saturating_sub(self.started) / 1000).unwrap_or(i64::MAX),
            );
            if let Some(millicelsius) = temperature {
                o.number("temperatureMillicelsius", millicelsius.into());
            }
            o.array("pins", |a| {
                for work in &self.pods.all {
                    for pin in work.given.pins.iter() {
                        a.object(|o| {
                            o.number("pin", pin.into());
                            o.display(
                                "pod",
                                format_args!("{}/{}", work.pod.namespace, work.pod.name),
                            );
                        });
                    }
                }
            });
        });
        out
    }
}
