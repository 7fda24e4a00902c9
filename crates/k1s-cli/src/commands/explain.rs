// SPDX-License-Identifier: Apache-2.0
//! `explain`: what a field of a kind is for.

use k1s_core::kinds::split_api_version;
use k1s_core::quote::Quoted;

use crate::PROGRAM;
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::explain::{Kind, explain};
use crate::flag::{Flag, Parsed};

/// `explain`.
pub(super) static COMMAND: Command = Command {
    name: "explain",
    aliases: &[],
    usage: "TYPE[.FIELD...] [--recursive] [--api-version=GROUP/VERSION]",
    about: "Explain the fields of a kind",
    examples: &[
        ("What a Pod is", "explain pods"),
        (
            "One field, however deep",
            "explain deployments.spec.strategy.rollingUpdate",
        ),
        ("All fields as a tree", "explain configmaps --recursive"),
        (
            "A kind of another version",
            "explain hpa --api-version=autoscaling/v1",
        ),
    ],
    flags: &[&[
        Flag::text("api-version", "Group and version of the kind."),
        Flag::text(
            "output",
            "plaintext or plaintext-openapiv2, which say the same here.",
        )
        .short('o')
        .default("plaintext"),
        Flag::switch("recursive", "Only names and types, of all fields beneath."),
    ]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let asked = match flags.args.as_slice() {
        [asked] => asked.trim_end_matches('.'),
        [] => {
            return Err(Error::message(format!(
                "You must specify the type of resource to explain. Use \"{PROGRAM} api-resources\" for a complete list of supported resources."
            )));
        }
        _ => {
            return Err(Error::message(
                "We accept only this format: explain RESOURCE",
            ));
        }
    };
    let (word, mut path) = asked.split_once('.').unwrap_or((asked, ""));
    let resource = cx.resource(word).await.map_err(Error::untitled)?;
    // `deployments.apps.spec` names the group before the fields.
    if !resource.group.is_empty()
        && let Some(rest) = path
            .strip_prefix(resource.group.as_str())
            .filter(|rest| rest.is_empty() || rest.starts_with('.'))
    {
        path = rest.trim_start_matches('.');
    }
    let output = flags.text("output");
    if !["plaintext", "plaintext-openapiv2"].contains(&output) {
        return Err(Error::message(format!("unrecognized format: {output}")));
    }
    let given = flags.text("api-version");
    let (group, version) = if given.is_empty() {
        (resource.group.as_str(), resource.version.as_str())
    } else {
        split_api_version(given)
    };
    let place = if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    };
    let index = cx.json(&Call::get("/openapi/v3")).await?;
    let Some(url) = index["paths"][&place]["serverRelativeURL"].as_str() else {
        return Err(Error::message(format!(
            "couldn't find resource for {}",
            Quoted(&format!("{group}/{version}, Resource={}", resource.plural))
        )));
    };
    let document = cx.json(&Call::get(url)).await?;
    let kind = Kind {
        group,
        version,
        kind: &resource.kind,
    };
    let path: Vec<String> = path
        .split('.')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let (text, outcome) = explain(&document, &kind, &path, flags.on("recursive"));
    cx.print(text)?;
    outcome.map_err(|error| Error::message(error.to_string()))
}
