// SPDX-License-Identifier: Apache-2.0
//! `expose`: a service for the pods of another object.

use super::generators::{MAKING, Made, identity, send, show};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate::{self, Expose};
use crate::print::Outcome;
use crate::selection::{Selection, Target};
use crate::writing::PatchType;
use crate::{patching, print, source};

/// Longest name of a service, in bytes.
const NAME_BYTES: usize = 63;

/// `expose`.
pub(super) static COMMAND: Command = Command {
    name: "expose",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [--port=PORT] [--target-port=PORT] [--name=NAME] [--type=TYPE]",
    about: "Make a service for the pods of an object",
    examples: &[
        (
            "A service for a deployment's pods",
            "expose deployment web --port=80 --target-port=8080",
        ),
        (
            "For one pod, on a port of every node",
            "expose pod web --port=80 --type=NodePort --name=web-outside",
        ),
    ],
    flags: &[
        &[
            Flag::text(
                "cluster-ip",
                "Address of its own, or None for a headless service.",
            ),
            Flag::text(
                "external-ip",
                "Address outside the cluster that leads to the service.",
            ),
            Flag::text("field-manager", "Who is named as the owner of the fields.")
                .default("kubectl-expose"),
            Flag::text("labels", "Labels of the service.").short('l'),
            Flag::text("load-balancer-ip", "Address of the load balancer."),
            Flag::text("name", "Name of the service."),
            Flag::text(
                "override-type",
                "How --overrides is applied: json, merge or strategic.",
            )
            .default("merge"),
            Flag::text("overrides", "JSON that is laid over the service."),
            Flag::text("port", "Port of the service."),
            Flag::text("protocol", "Protocol of the port."),
            Flag::text("selector", "Labels of the pods."),
            Flag::text("session-affinity", "None or ClientIP."),
            Flag::text("target-port", "Port of the pods, by number or name."),
            Flag::text("type", "ClusterIP, NodePort, LoadBalancer or ExternalName."),
        ],
        MAKING,
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let mut selection = Selection::new(cx, flags)?;
    // The flag of that name is for the service, not for what is exposed.
    selection.labels = None;
    let mut outcome = Outcome::new(flags)?;
    let mut errors = Vec::new();
    for target in selection.targets(cx, flags, true).await? {
        let done = match target {
            Ok(target) => expose(cx, flags, &mut outcome, &target).await,
            Err(error) => Err(error),
        };
        errors.extend(done.err());
    }
    Error::all(errors)
}

async fn expose(cx: &Context, flags: &Parsed, outcome: &mut Outcome, target: &Target) -> Result {
    let given = flags.text("name");
    let name = if given.is_empty() {
        &target.name[..target.name.floor_char_boundary(NAME_BYTES)]
    } else {
        given
    };
    let affinity = flags.text("session-affinity");
    if !["", "None", "ClientIP"].contains(&affinity) {
        return Err(Error::message(format!(
            "unknown session affinity: {affinity}"
        )));
    }
    let namespace = cx.namespace()?;
    let options = Expose {
        port: flags.text("port"),
        target_port: flags.text("target-port"),
        protocol: flags.text("protocol"),
        kind: flags.text("type"),
        selector: flags.text("selector"),
        labels: flags.text("labels"),
        session_affinity: affinity,
        cluster_ip: flags.text("cluster-ip"),
        external_ip: flags.text("external-ip"),
        load_balancer_ip: flags.text("load-balancer-ip"),
    };
    let mut object = generate::expose(identity(name, &namespace), &target.value, &options)?;
    lay_over(&mut object, flags)?;
    let path = format!("/api/v1/namespaces/{}/services", namespace.0);
    let made = Made {
        object,
        path,
        kind: "service",
        done: "exposed",
        refused: "",
    };
    let (kind, done) = (made.kind, made.done);
    let service = send(cx, flags, made).await?;
    show(cx, flags, outcome, &service, kind, done)
}

/// Lays `--overrides` over an object that a command made.
pub(super) fn lay_over(object: &mut serde_json::Value, flags: &Parsed) -> Result {
    let overrides = flags.text("overrides");
    if overrides.is_empty() {
        return Ok(());
    }
    let kind = match flags.text("override-type") {
        "json" => PatchType::Json,
        "" | "merge" => PatchType::Merge,
        "strategic" => PatchType::Strategic,
        other => {
            return Err(Error::message(format!("invalid override type: {other}")));
        }
    };
    let patch = k1s_core::json::read(overrides.as_bytes())
        .map_err(|_| Error::message("Invalid JSON Patch"))?;
    *object = patching::apply_to(object, kind, patch)?;
    Ok(())
}
