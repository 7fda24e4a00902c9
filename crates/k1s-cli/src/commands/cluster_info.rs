// SPDX-License-Identifier: Apache-2.0
//! `cluster-info`: where the API is.

use k1s_core::object::{list, text};

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::Result;

/// `cluster-info`.
pub(super) static COMMAND: Command = Command {
    name: "cluster-info",
    aliases: &[],
    usage: "",
    about: "Show where the API and the services of the cluster are.",
    examples: &[("Where the API is", "cluster-info")],
    flags: &[],
    subcommands: &[],
    run: Some(|cx, _| Box::pin(run(cx))),
};

async fn run(cx: &Context) -> Result {
    let call = Call::get("/api/v1/namespaces/kube-system/services")
        .query("labelSelector", "kubernetes.io/cluster-service=true")
        .query("limit", "500");
    let services = cx.json(&call).await?;
    let address = cx.transport()?.address();
    if address.is_empty() {
        return cx.line("Kubernetes control plane is running in this process");
    }
    cx.line(format_args!(
        "Kubernetes control plane is running at {address}"
    ))?;
    for service in list(&services, &["items"]) {
        let name = text(service, &["metadata", "name"]);
        let title = match text(service, &["metadata", "labels", "kubernetes.io/name"]) {
            "" => name,
            title => title,
        };
        let port = &list(service, &["spec", "ports"])
            .first()
            .map(|p| text(p, &["name"]).to_owned())
            .unwrap_or_default();
        let port = if port.is_empty() {
            String::new()
        } else {
            format!(":{port}")
        };
        cx.line(format_args!(
            "{title} is running at {address}/api/v1/namespaces/kube-system/services/{name}{port}/proxy"
        ))?;
    }
    cx.line(format_args!(
        "\nTo further debug and diagnose cluster problems, use '{} cluster-info dump'.",
        crate::PROGRAM
    ))
}
