// SPDX-License-Identifier: Apache-2.0
//! Pods and what makes them: Deployment, Job, CronJob.

use serde_json::{Value, json};

use super::service::pairs;
use super::{Identity, Mistake, object};

/// What a Deployment is made of.
#[derive(Debug, Default)]
pub struct Deployment<'a> {
    /// One container for each image.
    pub images: &'a [String],
    /// How many pods.
    pub replicas: i32,
    /// Port of the first container.
    pub port: Option<i32>,
    /// Command of the only container.
    pub command: &'a [String],
}

/// A Deployment; `suffix` gives five random letters where a name has to be made up.
pub fn deployment(
    identity: Identity<'_>,
    options: &Deployment<'_>,
    mut suffix: impl FnMut() -> String,
) -> Result<Value, Mistake> {
    if options.images.len() > 1 && !options.command.is_empty() {
        return Err(Mistake::new(
            "cannot specify multiple --image options and command",
        ));
    }
    let mut containers: Vec<Value> = Vec::new();
    for image in options.images {
        containers.push(container(
            &container_name(image, &mut suffix),
            image,
            "command",
            options.command,
        ));
    }
    if let (Some(port), Some(first)) = (options.port, containers.first_mut()) {
        first["ports"] = json!([{ "containerPort": port }]);
    }
    let app = json!({ "app": identity.name });
    let mut deployment = object("apps/v1", "Deployment", identity.labelled(app.clone()));
    deployment["spec"] = json!({
        "replicas": options.replicas,
        "selector": { "matchLabels": app },
        "strategy": {},
        "template": { "metadata": { "labels": app }, "spec": { "containers": containers } },
    });
    deployment["status"] = json!({});
    Ok(deployment)
}

/// A Job with one container.
pub fn job(identity: Identity<'_>, image: &str, command: &[String]) -> Value {
    let mut job = object("batch/v1", "Job", identity.metadata());
    let containers = json!([container(identity.name, image, "command", command)]);
    job["spec"] = json!({ "template": { "metadata": {}, "spec": { "containers": containers, "restartPolicy": "Never" } } });
    job["status"] = json!({});
    job
}

/// A Job that a CronJob would make, started by hand.
pub fn job_from_cron_job(identity: Identity<'_>, cron: &Value) -> Value {
    let template = &cron["spec"]["jobTemplate"];
    let mut metadata = identity.metadata();
    metadata["annotations"] = json!({ "cronjob.kubernetes.io/instantiate": "manual" });
    for (key, value) in template["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
    {
        metadata["annotations"][key] = value.clone();
    }
    if let Some(labels) = template["metadata"].get("labels") {
        metadata["labels"] = labels.clone();
    }
    let owner = json!({ "apiVersion": "batch/v1", "kind": "CronJob", "name": cron["metadata"]["name"], "uid": cron["metadata"]["uid"], "controller": true });
    metadata["ownerReferences"] = json!([owner]);
    let mut job = object("batch/v1", "Job", metadata);
    job["spec"] = template["spec"].clone();
    job["status"] = json!({});
    job
}

/// What a CronJob is made of.
#[derive(Debug, Default)]
pub struct CronJob<'a> {
    /// Image of the container.
    pub image: &'a str,
    /// Schedule of cron.
    pub schedule: &'a str,
    /// `OnFailure` or `Never`.
    pub restart: &'a str,
    /// Command of the container.
    pub command: &'a [String],
}

/// A CronJob.
pub fn cron_job(identity: Identity<'_>, options: &CronJob<'_>) -> Value {
    let mut cron = object("batch/v1", "CronJob", identity.metadata());
    let containers = json!([container(
        identity.name,
        options.image,
        "command",
        options.command
    )]);
    let restart = if options.restart.is_empty() {
        "OnFailure"
    } else {
        options.restart
    };
    let pod =
        json!({ "metadata": {}, "spec": { "containers": containers, "restartPolicy": restart } });
    let template = json!({ "metadata": { "name": identity.name }, "spec": { "template": pod } });
    cron["spec"] = json!({ "jobTemplate": template, "schedule": options.schedule });
    cron["status"] = json!({});
    cron
}

/// What a Pod is made of.
#[derive(Debug, Default)]
pub struct Run<'a> {
    /// Image of the container.
    pub image: &'a str,
    /// Arguments, or the command where `command` is set.
    pub args: &'a [String],
    /// Whether the arguments are the command.
    pub command: bool,
    /// Environment as `NAME=value`.
    pub env: &'a [String],
    /// Labels as `a=b,c=d`, empty for `run=NAME`.
    pub labels: &'a str,
    /// Annotations as `key=value`.
    pub annotations: &'a [String],
    /// Port of the container.
    pub port: &'a str,
    /// When the kubelet pulls the image, empty for the server's choice.
    pub image_pull_policy: &'a str,
    /// `Always`, `OnFailure` or `Never`.
    pub restart: &'a str,
    /// Whether the container keeps its standard input open.
    pub stdin: bool,
    /// Whether the container has a terminal.
    pub tty: bool,
    /// Whether the container may do anything.
    pub privileged: bool,
}

/// A Pod with one container.
pub fn run(identity: Identity<'_>, options: &Run<'_>) -> Result<Value, Mistake> {
    let labels = if options.labels.is_empty() {
        json!({ "run": identity.name })
    } else {
        pairs(options.labels)?.into()
    };
    let field = if options.command { "command" } else { "args" };
    let mut main = container(identity.name, options.image, field, options.args);
    if !options.env.is_empty() {
        main["env"] = options
            .env
            .iter()
            .map(|entry| variable(entry))
            .collect::<Result<Vec<_>, _>>()?
            .into();
    }
    if !options.port.is_empty() {
        let port: i32 = options.port.parse().map_err(|_| {
            Mistake(format!(
                "strconv.Atoi: parsing {}: invalid syntax",
                k1s_core::quote::Quoted(options.port)
            ))
        })?;
        main["ports"] = json!([{ "containerPort": port }]);
    }
    if !options.image_pull_policy.is_empty() {
        main["imagePullPolicy"] = options.image_pull_policy.into();
    }
    for (field, set) in [("stdin", options.stdin), ("tty", options.tty)] {
        if set {
            main[field] = true.into();
        }
    }
    if options.stdin && options.restart == "Never" {
        main["stdinOnce"] = true.into();
    }
    if options.privileged {
        main["securityContext"] = json!({ "privileged": true });
    }
    let mut metadata = identity.labelled(labels);
    for annotation in options.annotations {
        let Some((key, value)) = annotation
            .split_once('=')
            .filter(|(key, _)| !key.is_empty())
        else {
            return Err(Mistake(format!("invalid annotation format: {annotation}")));
        };
        metadata["annotations"][key] = value.into();
    }
    let mut pod = object("v1", "Pod", metadata);
    pod["spec"] = json!({ "containers": [main], "dnsPolicy": "ClusterFirst", "restartPolicy": options.restart });
    pod["status"] = json!({});
    Ok(pod)
}

fn variable(entry: &str) -> Result<Value, Mistake> {
    let Some((name, value)) = entry.split_once('=') else {
        return Err(Mistake(format!("invalid env: {entry}")));
    };
    if name.is_empty() || !k1s_core::name::env_var_name(name).is_empty() {
        return Err(Mistake(format!("invalid env: {entry}")));
    }
    Ok(if value.is_empty() {
        json!({ "name": name })
    } else {
        json!({ "name": name, "value": value })
    })
}

fn container(name: &str, image: &str, words_field: &str, words: &[String]) -> Value {
    let mut container = json!({ "name": name, "image": image, "resources": {} });
    if !words.is_empty() {
        container[words_field] = words.into();
    }
    container
}

/// The last part of an image's name, without tag and hash; made unique where characters had to go.
fn container_name(image: &str, suffix: &mut impl FnMut() -> String) -> String {
    let name = image.rsplit('/').next().unwrap_or_default();
    let name = name.split(':').next().unwrap_or_default();
    let name = name.split('@').next().unwrap_or_default();
    match name.contains(['_', '.']) {
        true => format!("{}-{}", name.replace(['_', '.'], "-"), suffix()),
        false => name.to_owned(),
    }
}
