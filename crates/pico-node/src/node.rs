// SPDX-License-Identifier: Apache-2.0
//! The Node object and its Lease as this node writes them.

use alloc::format;
use alloc::string::String;

use crate::conditions::Conditions;
use crate::facts::{Config, MAX_PODS};
use crate::http::{Request, escaped};
use crate::json::{Object, Shape, object};
use crate::time::Wall;

/// What is read of a Node: who it is, and since when its conditions are what they are.
pub(crate) const NODE: Shape = Shape::Keys(&[
    (
        "metadata",
        Shape::Keys(&[("uid", Shape::All), ("name", Shape::All)]),
    ),
    (
        "status",
        Shape::Keys(&[
            ("nodeInfo", Shape::Keys(&[("machineID", Shape::All)])),
            (
                "conditions",
                Shape::Keys(&[
                    ("type", Shape::All),
                    ("status", Shape::All),
                    ("lastTransitionTime", Shape::All),
                ]),
            ),
        ]),
    ),
]);

/// What is read of a Lease.
pub(crate) const LEASE: Shape = Shape::Keys(&[(
    "spec",
    Shape::Keys(&[("renewTime", Shape::All), ("holderIdentity", Shape::All)]),
)]);

const NODES: &str = "/api/v1/nodes";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";
/// How long a Lease is good for, in seconds.
pub(crate) const LEASE_SECONDS: i64 = 40;

/// The version that the node gives itself: that of the Kubernetes API it is written against, and its own.
const VERSION: &str = concat!("v1.35.0-pico-node.", env!("CARGO_PKG_VERSION"));

pub(crate) fn path(config: &Config) -> String {
    format!("{NODES}/{}", escaped(&config.name))
}

fn lease_path(config: &Config) -> String {
    format!("{LEASES}/{}", escaped(&config.name))
}

fn labels(config: &Config, o: &mut Object<'_>) {
    let hardware = &config.hardware;
    let yes = |b: bool| if b { "true" } else { "false" };
    o.text("kubernetes.io/arch", hardware.architecture);
    // Not `linux`: what asks for Linux does not belong here.
    o.text("kubernetes.io/os", "baremetal");
    o.text("kubernetes.io/hostname", &config.name);
    o.text("node.kubernetes.io/instance-type", hardware.board);
    o.text("pico.io/board", hardware.board);
    o.text("pico.io/workload-type", "embedded");
    o.text("pico.io/image-registry", "flash");
    o.text("pico.io/oci-compatible", "false");
    o.text("hardware.pico.io/board", hardware.board);
    o.text("hardware.pico.io/has-led", yes(hardware.led));
    if config.led_matrix > 0 {
        o.text("hardware.pico.io/has-led-matrix", "true");
    }
    o.text(
        "hardware.pico.io/has-temp-sensor",
        yes(hardware.temperature),
    );
    o.display("hardware.pico.io/gpio-count", hardware.pins.len());
}

fn annotations(config: &Config, o: &mut Object<'_>) {
    let mut list = String::from("[");
    for (n, image) in config.images.iter().enumerate() {
        list.push_str(if n > 0 { ",\"" } else { "\"" });
        list.push_str(image);
        list.push('"');
    }
    list.push(']');
    o.text("pico.io/available-ecis", &list);
    if !config.kubelet_certificate.is_empty() {
        o.text(
            "pico.io/kubelet-certificate-sha256",
            &config.kubelet_certificate,
        );
    }
}

/// Capacity, allocatable, addresses and what the node runs: the part of the status that does not change.
fn constant_status(config: &Config, o: &mut Object<'_>) {
    let hardware = &config.hardware;
    for (field, is_allocatable) in [("capacity", false), ("allocatable", true)] {
        o.object(field, |o| {
            let cores = u64::from(hardware.cores);
            if is_allocatable {
                // A tenth is the node's own.
                o.display("cpu", format_args!("{}m", cores * 900));
                o.display(
                    "memory",
                    format_args!("{}Ki", hardware.memory_allocatable / 1024),
                );
                o.display("ephemeral-storage", hardware.storage_allocatable);
            } else {
                o.display("cpu", cores);
                o.display("memory", format_args!("{}Ki", hardware.memory / 1024));
                o.display("ephemeral-storage", hardware.storage);
            }
            o.display("pods", MAX_PODS);
            for (name, count) in hardware.extended() {
                if count > 0 {
                    o.display(name, count);
                }
            }
        });
    }
    o.array("addresses", |a| {
        for (kind, address) in [("InternalIP", &config.address), ("Hostname", &config.name)] {
            if !address.is_empty() {
                a.object(|o| {
                    o.text("type", kind);
                    o.text("address", address);
                });
            }
        }
    });
    if config.kubelet_port > 0 {
        o.object("daemonEndpoints", |o| {
            o.object("kubeletEndpoint", |o| {
                o.number("Port", config.kubelet_port.into());
            });
        });
    }
    o.object("nodeInfo", |o| {
        o.display("machineID", machine_id(config));
        o.display(
            "systemUUID",
            uuid(config.unique_id, config.unique_id.rotate_left(32)),
        );
        o.display("bootID", uuid(config.boot_id, config.unique_id));
        o.text(
            "kernelVersion",
            concat!("pico-node-", env!("CARGO_PKG_VERSION")),
        );
        o.text("osImage", hardware.model);
        o.text(
            "containerRuntimeVersion",
            concat!("pico-eci://", env!("CARGO_PKG_VERSION")),
        );
        o.text("kubeletVersion", VERSION);
        o.text("kubeProxyVersion", "");
        o.text("operatingSystem", "baremetal");
        o.text("architecture", hardware.architecture);
    });
    o.array("images", |a| {
        for image in &config.images {
            a.object(|o| o.array("names", |a| a.text(image)));
        }
    });
}

/// The board's own name in `nodeInfo`.
pub(crate) fn machine_id(config: &Config) -> String {
    format!("pico-{:016x}", config.unique_id)
}

fn uuid(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

/// The first request of a node's life. The taint is set here because a node may set it only when it is created.
pub(crate) fn register(config: &Config) -> Request {
    let mut body = String::new();
    object(&mut body, |o| {
        o.text("apiVersion", "v1");
        o.text("kind", "Node");
        o.object("metadata", |o| {
            o.text("name", &config.name);
            o.object("labels", |o| labels(config, o));
            o.object("annotations", |o| annotations(config, o));
        });
        o.object("spec", |o| {
            o.array("taints", |a| {
                a.object(|o| {
                    o.text("key", "pico.io/embedded-workload");
                    o.text("value", "true");
                    o.text("effect", "NoSchedule");
                });
            });
        });
        o.object("status", |o| constant_status(config, o));
    });
    Request {
        method: "POST",
        target: NODES.into(),
        content_type: "application/json",
        body,
    }
}

/// Brings labels and annotations of a Node that is already there up to date.
pub(crate) fn relabel(config: &Config) -> Request {
    let mut body = String::new();
    object(&mut body, |o| {
        o.object("metadata", |o| {
            o.object("labels", |o| labels(config, o));
            o.object("annotations", |o| annotations(config, o));
        });
    });
    Request {
        method: "PATCH",
        target: path(config),
        content_type: "application/merge-patch+json",
        body,
    }
}

/// The status, and nothing but the status. With `all` also what does not change while the node runs.
pub(crate) fn status(config: &Config, conditions: &Conditions, now: Wall, all: bool) -> Request {
    let mut body = String::new();
    object(&mut body, |o| {
        o.object("status", |o| {
            if all {
                constant_status(config, o);
            }
            o.array("conditions", |a| conditions.write(now, a));
        });
    });
    Request {
        method: "PATCH",
        target: format!("{}/status", path(config)),
        content_type: "application/strategic-merge-patch+json",
        body,
    }
}

fn lease_spec(config: &Config, now: Wall, o: &mut Object<'_>) {
    o.object("spec", |o| {
        o.text("holderIdentity", &config.name);
        o.number("leaseDurationSeconds", LEASE_SECONDS);
        o.display("renewTime", now.micro());
    });
}

pub(crate) fn get_lease(config: &Config) -> Request {
    Request::get(lease_path(config))
}

pub(crate) fn renew_lease(config: &Config, now: Wall) -> Request {
    let mut body = String::new();
    object(&mut body, |o| lease_spec(config, now, o));
    Request {
        method: "PATCH",
        target: lease_path(config),
        content_type: "application/merge-patch+json",
        body,
    }
}

/// A Lease that goes with its Node.
pub(crate) fn create_lease(config: &Config, node_uid: &str, now: Wall) -> Request {
    let mut body = String::new();
    object(&mut body, |o| {
        o.text("apiVersion", "coordination.k8s.io/v1");
        o.text("kind", "Lease");
        o.object("metadata", |o| {
            o.text("name", &config.name);
            o.text("namespace", "kube-node-lease");
            if !node_uid.is_empty() {
                o.array("ownerReferences", |a| {
                    a.object(|o| {
                        o.text("apiVersion", "v1");
                        o.text("kind", "Node");
                        o.text("name", &config.name);
                        o.text("uid", node_uid);
                    });
                });
            }
        });
        lease_spec(config, now, o);
    });
    Request {
        method: "POST",
        target: LEASES.into(),
        content_type: "application/json",
        body,
    }
}
