// SPDX-License-Identifier: Apache-2.0
//! `autoscale`: an autoscaler for an object that can be scaled.

use super::generators::{MAKING, Made, finish, identity, small};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate::{self, Autoscaler};
use crate::selection::{Selection, Target};
use crate::{print, source};

/// `autoscale`.
pub(super) static COMMAND: Command = Command {
    name: "autoscale",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME | TYPE/NAME) [--min=N] --max=N [--cpu=PERCENT%|QUANTITY] [--memory=PERCENT%|QUANTITY]",
    about: "Make an autoscaler for an object",
    examples: &[(
        "Between two and ten pods, by their processors",
        "autoscale deployment web --min=2 --max=10 --cpu=80%",
    )],
    flags: &[
        &[
            Flag::text(
                "cpu",
                "Wanted use of CPU, 80% of the request or 500m on average.",
            ),
            Flag::number(
                "cpu-percent",
                "-1",
                "Wanted use of CPU in percent of the request; --cpu says the same.",
            ),
            Flag::text("field-manager", "Who is named as the owner of the fields.")
                .default("kubectl-autoscale"),
            Flag::number("max", "-1", "Most pods.").required(),
            Flag::text("memory", "Wanted use of memory, in the same way."),
            Flag::number("min", "-1", "Fewest pods."),
            Flag::text("name", "Name of the autoscaler."),
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
    let (min, max) = (small(flags, "min")?, small(flags, "max")?);
    if max < 1 {
        return Err(Error::message(format!(
            "--max=MAXPODS is required and must be at least 1, max: {max}"
        )));
    }
    if max < min {
        return Err(Error::message(format!(
            "--max=MAXPODS must be larger or equal to --min=MINPODS, max: {max}, min: {min}"
        )));
    }
    if flags.given("cpu-percent") {
        cx.talk(
            "Flag --cpu-percent has been deprecated, Use --cpu with percentage or resource quantity format (e.g., '70%' for \
             utilization or '500m' for milliCPU).",
        );
        if flags.number("cpu-percent") > 0 && !flags.text("cpu").is_empty() {
            return Err(Error::message(
                "--cpu-percent and --cpu are mutually exclusive",
            ));
        }
    }
    let mut errors = Vec::new();
    let mut seen = 0;
    for target in Selection::new(cx, flags)?.targets(cx, flags, true).await? {
        seen += 1;
        let outcome = match target {
            Ok(target) => autoscale(cx, flags, &target, min, max).await,
            Err(error) => Err(error),
        };
        errors.extend(outcome.err());
    }
    if seen == 0 {
        return Err(Error::message("no objects passed to autoscale"));
    }
    Error::all(errors)
}

async fn autoscale(cx: &Context, flags: &Parsed, target: &Target, min: i32, max: i32) -> Result {
    if !target
        .resource
        .subresources
        .iter()
        .any(|name| name == "scale")
    {
        let resource = &target.resource;
        return Err(Error::message(format!(
            "cannot autoscale a {}: could not find scale subresource for {}/{}, Resource={} in discovery information",
            resource.kind, resource.group, resource.version, resource.plural
        )));
    }
    let name = if flags.text("name").is_empty() {
        target.name.as_str()
    } else {
        flags.text("name")
    };
    let percent = small(flags, "cpu-percent")?;
    let cpu = if percent >= 0 {
        format!("{percent}%")
    } else {
        flags.text("cpu").to_owned()
    };
    let namespace = cx.namespace()?;
    let scaler = Autoscaler {
        target_api_version: &target.resource.api_version(),
        target_kind: &target.resource.kind,
        target_name: &target.name,
        min: Some(min).filter(|min| *min > 0),
        max,
        cpu: &cpu,
        memory: flags.text("memory"),
    };
    let object = generate::autoscaler(identity(name, &namespace), &scaler)?;
    let path = format!(
        "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
        namespace.0
    );
    finish(
        cx,
        flags,
        Made {
            object,
            path,
            kind: "horizontalpodautoscaler.autoscaling",
            done: match print::DryRun::new(flags)? {
                print::DryRun::Client => "created",
                _ => "autoscaled",
            },
            refused: "",
        },
    )
    .await
}
