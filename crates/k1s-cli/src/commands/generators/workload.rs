// SPDX-License-Identifier: Apache-2.0
//! `create deployment`, `create job`, `create cronjob`.

use super::{MAKING, Made, finish, identity, name, small, words};
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate;
use crate::print;

/// `create deployment`.
pub(super) static DEPLOYMENT: Command = Command {
    name: "deployment",
    aliases: &["deploy"],
    usage: "NAME --image=IMAGE [--replicas=N] [--port=N] [-- COMMAND [ARG...]]",
    about: "Create a deployment",
    examples: &[
        (
            "Three pods of an image",
            "create deployment web --image=nginx --replicas=3",
        ),
        (
            "With a command of one's own",
            "create deployment clock --image=busybox -- date",
        ),
        (
            "Only show what would be created",
            "create deployment web --image=nginx --dry-run=client -o yaml",
        ),
    ],
    flags: &[
        &[
            Flag::list("image", "Image of a container.").required(),
            Flag::number("port", "-1", "Port of the container."),
            Flag::number("replicas", "1", "How many pods.").short('r'),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(deployment(cx, flags))),
};

/// `create job`.
pub(super) static JOB: Command = Command {
    name: "job",
    aliases: &[],
    usage: "NAME (--image=IMAGE [-- COMMAND [ARG...]] | --from=cronjob/NAME)",
    about: "Create a job",
    examples: &[
        (
            "Run a command once",
            "create job once --image=busybox -- date",
        ),
        (
            "Run a cron job now",
            "create job now --from=cronjob/nightly",
        ),
    ],
    flags: &[
        &[
            Flag::text("from", "CronJob to take the job from."),
            Flag::text("image", "Image of the container."),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(job(cx, flags))),
};

/// `create cronjob`.
pub(super) static CRON_JOB: Command = Command {
    name: "cronjob",
    aliases: &["cj"],
    usage: "NAME --image=IMAGE --schedule='0/5 * * * ?' [-- COMMAND [ARG...]]",
    about: "Create a cron job",
    examples: &[(
        "Every night at three",
        "create cronjob nightly --image=busybox --schedule='0 3 * * *' -- date",
    )],
    flags: &[
        &[
            Flag::text("image", "Image of the container.").required(),
            Flag::text("restart", "Restart policy: OnFailure, Never."),
            Flag::text("schedule", "When to run, as cron writes it.").required(),
        ],
        MAKING,
        print::FLAGS,
        print::DRY_RUN,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(cron_job(cx, flags))),
};

async fn deployment(cx: &Context, flags: &Parsed) -> Result {
    let name = first(flags)?;
    let namespace = cx.namespace()?;
    let images = flags.list("image");
    let options = generate::Deployment {
        images: &images,
        replicas: small(flags, "replicas")?,
        port: Some(small(flags, "port")?).filter(|port| *port >= 0),
        command: words(flags),
    };
    let object = generate::deployment(identity(name, &namespace), &options, suffix)?;
    let path = format!("/apis/apps/v1/namespaces/{}/deployments", namespace.0);
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "deployment.apps",
            done: "created",
            refused: "failed to create deployment: ",
        },
    )
    .await
}

async fn job(cx: &Context, flags: &Parsed) -> Result {
    let name = first(flags)?;
    let namespace = cx.namespace()?;
    let (image, from, command) = (flags.text("image"), flags.text("from"), words(flags));
    if image.is_empty() == from.is_empty() {
        return Err(Error::message("either --image or --from must be specified"));
    }
    if !from.is_empty() && !command.is_empty() {
        return Err(Error::message("cannot specify --from and command"));
    }
    let identity = identity(name, &namespace);
    let object = if from.is_empty() {
        generate::job(identity, image, command)
    } else {
        generate::job_from_cron_job(identity, &cron_job_to_start(cx, from, &namespace.0).await?)
    };
    let path = format!("/apis/batch/v1/namespaces/{}/jobs", namespace.0);
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "job.batch",
            done: "created",
            refused: "failed to create job: ",
        },
    )
    .await
}

/// The object that `--from` names, which has to be a CronJob.
async fn cron_job_to_start(cx: &Context, from: &str, namespace: &str) -> Result<serde_json::Value> {
    let (word, name) = from.split_once('/').unwrap_or((from, ""));
    let resource = cx.resource(word).await?;
    if name.is_empty() {
        return Err(Error::message("from must be an existing cronjob"));
    }
    let object = cx
        .json(&Call::get(resource.path(namespace, name, "")))
        .await?;
    if resource.kind != "CronJob" {
        return Err(Error::message(format!(
            "unknown object type *v1.{}",
            resource.kind
        )));
    }
    Ok(object)
}

async fn cron_job(cx: &Context, flags: &Parsed) -> Result {
    let name = first(flags)?;
    let namespace = cx.namespace()?;
    let options = generate::CronJob {
        image: flags.text("image"),
        schedule: flags.text("schedule"),
        restart: flags.text("restart"),
        command: words(flags),
    };
    let object = generate::cron_job(identity(name, &namespace), &options);
    let path = format!("/apis/batch/v1/namespaces/{}/cronjobs", namespace.0);
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "cronjob.batch",
            done: "created",
            refused: "failed to create cronjob: ",
        },
    )
    .await
}

/// The name, where words of a command may follow it.
fn first(flags: &Parsed) -> Result<&str> {
    match (flags.args.first(), flags.dash) {
        (Some(name), Some(dash)) if dash >= 1 => Ok(name),
        _ => name(flags),
    }
}

/// Five letters that make a name unique.
fn suffix() -> String {
    use std::hash::{BuildHasher, Hasher};
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = std::hash::RandomState::new().build_hasher().finish();
    let mut suffix = String::new();
    for _ in 0..5 {
        suffix.push(char::from(
            LETTERS[(random % LETTERS.len() as u64) as usize],
        ));
        random /= LETTERS.len() as u64;
    }
    suffix
}
