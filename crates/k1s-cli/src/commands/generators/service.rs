// SPDX-License-Identifier: Apache-2.0
//! `create service …`, `create ingress`.

use super::{MAKING, Made, finish, identity, name};
use crate::command::Command;
use crate::context::Context;
use crate::error::Result;
use crate::flag::{Flag, Parsed};
use crate::generate;
use crate::print;

/// `create service`.
pub(super) static SERVICE: Command = Command {
    name: "service",
    aliases: &["svc"],
    usage: "SUBCOMMAND [OPTIONS]",
    about: "Create a service of a type",
    examples: &[],
    flags: &[],
    subcommands: &[&CLUSTER_IP, &EXTERNAL_NAME, &LOAD_BALANCER, &NODE_PORT],
    run: Some(|cx, flags| Box::pin(super::group(cx, flags, &SERVICE))),
};

const TCP: Flag = Flag::list("tcp", "Port, or port:targetPort.");

static CLUSTER_IP: Command = Command {
    name: "clusterip",
    aliases: &[],
    usage: "NAME [--tcp=PORT[:TARGET]] [--clusterip=ADDRESS]",
    about: "Create a service with an address in the cluster",
    examples: &[
        (
            "Port 80 of the service is port 8080 of its pods",
            "create service clusterip web --tcp=80:8080",
        ),
        (
            "No address: the name leads to the pods",
            "create service clusterip db --clusterip=None",
        ),
    ],
    flags: &[
        &[
            Flag::text(
                "clusterip",
                "Address of its own, or None for a headless service.",
            ),
            TCP,
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(service(cx, flags, "ClusterIP"))),
};

static NODE_PORT: Command = Command {
    name: "nodeport",
    aliases: &[],
    usage: "NAME --tcp=PORT[:TARGET] [--node-port=PORT]",
    about: "Create a service with a port on every node",
    examples: &[(
        "A port of every node",
        "create service nodeport web --tcp=80 --node-port=30080",
    )],
    flags: &[
        &[Flag::number("node-port", "0", "Port on every node."), TCP],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(service(cx, flags, "NodePort"))),
};

static LOAD_BALANCER: Command = Command {
    name: "loadbalancer",
    aliases: &[],
    usage: "NAME --tcp=PORT[:TARGET]",
    about: "Create a service with a load balancer",
    examples: &[(
        "A load balancer",
        "create service loadbalancer web --tcp=80:8080",
    )],
    flags: &[&[TCP], MAKING, print::FLAGS, print::DRY_RUN],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(service(cx, flags, "LoadBalancer"))),
};

static EXTERNAL_NAME: Command = Command {
    name: "externalname",
    aliases: &[],
    usage: "NAME --external-name=NAME",
    about: "Create a service that stands for a name outside",
    examples: &[(
        "Another name for a host",
        "create service externalname db --external-name=db.example.com",
    )],
    flags: &[
        &[
            Flag::text("external-name", "The name outside.").required(),
            TCP,
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(service(cx, flags, "ExternalName"))),
};

/// `create ingress`.
pub(super) static INGRESS: Command = Command {
    name: "ingress",
    aliases: &["ing"],
    usage: "NAME --rule=HOST/PATH=SERVICE:PORT[,tls[=SECRET]]",
    about: "Create an ingress",
    examples: &[
        (
            "A host's paths to a service",
            "create ingress web --rule='example.com/*=web:80'",
        ),
        (
            "With TLS",
            "create ingress web --class=nginx --rule='example.com/*=web:80,tls=web-cert'",
        ),
        (
            "For whatever no rule is for",
            "create ingress web --default-backend=web:80",
        ),
    ],
    flags: &[
        &[
            Flag::each("annotation", "Annotation, key=value."),
            Flag::text("class", "Class of the ingress."),
            Flag::text(
                "default-backend",
                "Service for all other requests, name:port.",
            ),
            Flag::each(
                "rule",
                "Rule, host/path=service:port[,tls[=secret]]; a path that ends in * is a prefix.",
            ),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(ingress(cx, flags))),
};

async fn service(cx: &Context, flags: &Parsed, kind: &str) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let tcp = flags.list("tcp");
    let options = generate::Service {
        kind,
        tcp: &tcp,
        cluster_ip: flags.text("clusterip"),
        node_port: flags.number("node-port"),
        external_name: flags.text("external-name"),
    };
    let object = generate::service(identity(name, &namespace), &options)?;
    let path = format!("/api/v1/namespaces/{}/services", namespace.0);
    let refused = format!("failed to create {kind} service: ");
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "service",
            done: "created",
            refused: &refused,
        },
    )
    .await
}

async fn ingress(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let namespace = cx.namespace()?;
    let (rules, annotations) = (flags.list("rule"), flags.list("annotation"));
    let options = generate::Ingress {
        class: flags.text("class"),
        rules: &rules,
        default_backend: flags.text("default-backend"),
        annotations: &annotations,
    };
    let object = generate::ingress(identity(name, &namespace), &options)?;
    let path = format!(
        "/apis/networking.k8s.io/v1/namespaces/{}/ingresses",
        namespace.0
    );
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "ingress.networking.k8s.io",
            done: "created",
            refused: "failed to create ingress: ",
        },
    )
    .await
}
