// SPDX-License-Identifier: Apache-2.0
//! `set`: single things of pods and pod templates: images, variables, resources, the service account.

mod pod_spec;
mod requests;

use serde_json::Value;

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun, Outcome};
use crate::selection::{SELECTORS, Selection, Target};
use crate::source;
use crate::writing::{PatchType, Writer};
use pod_spec::{pod_spec_path, wrapped};
use requests::Request;

const MANAGER: Flag =
    Flag::text("field-manager", "Who is named as the owner of the fields.").default("kubectl-set");
const ALL: Flag = Flag::switch("all", "All objects of the kind.");
const CONTAINERS: Flag = Flag::text("containers", "Containers by name, * for all.")
    .short('c')
    .default("*");

/// The group.
pub(super) static COMMAND: Command = Command {
    name: "set",
    aliases: &[],
    usage: "SUBCOMMAND",
    about: "Set single things of objects",
    flags: &[],
    subcommands: &[&ENV, &IMAGE, &RESOURCES, &SERVICE_ACCOUNT],
    run: None,
};

static IMAGE: Command = Command {
    name: "image",
    aliases: &["im", "img"],
    usage: "(-f FILE | TYPE NAME) CONTAINER=IMAGE ...",
    about: "Set the images of containers",
    flags: &[
        source::FLAGS,
        SELECTORS,
        print::FLAGS,
        print::DRY_RUN,
        &[ALL, MANAGER],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags, "image updated", requests::image))),
};

static ENV: Command = Command {
    name: "env",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) NAME=VALUE ... NAME- ...",
    about: "Set the variables of containers",
    flags: &[
        source::FLAGS,
        SELECTORS,
        print::FLAGS,
        print::DRY_RUN,
        &[ALL, MANAGER, CONTAINERS],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags, "env updated", requests::env))),
};

static RESOURCES: Command = Command {
    name: "resources",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [--limits=LIST] [--requests=LIST]",
    about: "Set what containers ask for and may use",
    flags: &[
        source::FLAGS,
        SELECTORS,
        print::FLAGS,
        print::DRY_RUN,
        &[
            ALL,
            MANAGER,
            CONTAINERS,
            Flag::text("limits", "Limits, cpu=200m,memory=512Mi."),
            Flag::text("requests", "Requests, cpu=100m,memory=256Mi."),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| {
        Box::pin(run(
            cx,
            flags,
            "resource requirements updated",
            requests::resources,
        ))
    }),
};

static SERVICE_ACCOUNT: Command = Command {
    name: "serviceaccount",
    aliases: &["sa"],
    usage: "(-f FILE | TYPE NAME) SERVICE_ACCOUNT",
    about: "Set the service account of pods",
    flags: &[source::FLAGS, print::FLAGS, print::DRY_RUN, &[ALL, MANAGER]],
    subcommands: &[],
    run: Some(|cx, flags| {
        Box::pin(run(
            cx,
            flags,
            "serviceaccount updated",
            requests::service_account,
        ))
    }),
};

/// Reads what is wanted, and sets it on every object.
async fn run(
    cx: &Context,
    flags: &Parsed,
    done: &str,
    read: fn(&Parsed) -> Result<Request>,
) -> Result {
    let request = read(flags)?;
    if request.resources.is_empty() && !source::is_given(flags) {
        return Err(Error::message(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    let writer = Writer::new(flags)?;
    let mut outcome = Outcome::new(flags)?;
    let mut selection = Selection::new(cx, flags)?;
    selection.args.clone_from(&request.resources);
    let mut errors = Vec::new();
    for target in selection.targets(cx, flags, true).await? {
        let set = match target {
            Ok(target) => set(cx, &writer, &mut outcome, &target, &request, done).await,
            Err(error) => Err(error),
        };
        errors.extend(set.err());
    }
    Error::all(errors)
}

async fn set(
    cx: &Context,
    writer: &Writer,
    outcome: &mut Outcome,
    target: &Target,
    request: &Request,
    done: &str,
) -> Result {
    let Some(path) = pod_spec_path(&target.resource.kind) else {
        return Err(Error::message(format!(
            "{} has no pods that anything could be set on",
            target.title()
        )));
    };
    let spec = target.value.pointer(path).unwrap_or(&Value::Null);
    let patch = request.patch(spec)?;
    if patch.as_object().is_none_or(serde_json::Map::is_empty) {
        return Ok(());
    }
    let mut object = target.value.clone();
    if writer.dry_run != DryRun::Client {
        object = writer
            .patch(
                cx,
                target,
                "",
                PatchType::Strategic,
                wrapped(path, patch).to_string(),
            )
            .await?;
    }
    outcome.tell(cx, &target.resource, &object, done)
}
