// SPDX-License-Identifier: Apache-2.0
//! `describe`: objects for people, with their events and what stands around them.

use std::collections::BTreeMap;

use k1s_core::object::{list, text};
use serde_json::Value;

use crate::PROGRAM;
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::describe::{Related, describe, event_selectors, lookups};
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::selection::{self, Selection, Target};
use crate::source;

/// `describe`.
pub(super) static COMMAND: Command = Command {
    name: "describe",
    aliases: &[],
    usage: "(-f FILE | TYPE [NAME_PREFIX | -l SELECTOR] | TYPE/NAME)",
    about: "Show an object or several in words",
    examples: &[
        ("One object, with its events", "describe pod web"),
        ("All whose names begin so", "describe pods web-"),
        ("Those of a file", "describe -f web.yaml"),
        ("By labels", "describe pods -l app=web"),
    ],
    flags: &[
        selection::ALL_NAMESPACES,
        source::FLAGS,
        &[
            Flag::number(
                "chunk-size",
                "500",
                "How many objects of a list are asked for at a time; 0 is all.",
            ),
            Flag::text("selector", "Only objects with such labels.").short('l'),
            Flag::switch("show-events", "Show events.").default("true"),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    if flags.args.is_empty() && !source::is_given(flags) {
        return Err(Error::message(format!(
            "You must specify the type of resource to describe. Use \"{PROGRAM} api-resources\" for a complete list of supported resources."
        )));
    }
    let mut selection = Selection::new(cx, flags)?;
    selection.bare_kind_is_all = true;
    let mut errors = Vec::new();
    let mut shown = 0;
    for target in selection.targets(cx, flags, true).await? {
        let page = match target {
            Ok(target) => page(cx, flags, &target).await,
            Err(error) => Err(error),
        };
        match page {
            Ok(page) => {
                let gap = if shown == 0 { "" } else { "\n\n" };
                cx.print(format_args!("{gap}{page}"))?;
                shown += 1;
            }
            Err(error) => errors.push(error),
        }
    }
    if let ([error], [word, prefix]) = (errors.as_slice(), flags.args.as_slice())
        && error.is_not_found()
        && by_prefix(cx, flags, &selection, word, prefix).await?
    {
        return Ok(());
    }
    if shown == 0 && errors.is_empty() {
        cx.talk(match flags.on("all-namespaces") {
            true => "No resources found".to_owned(),
            false => format!("No resources found in {} namespace.", cx.namespace()?.0),
        });
    }
    Error::all(errors)
}

/// Describes the objects whose names begin with a text; says whether there are any.
async fn by_prefix(
    cx: &Context,
    flags: &Parsed,
    selection: &Selection,
    word: &str,
    prefix: &str,
) -> Result<bool> {
    let resource = cx.resource(word).await?;
    let mut found = false;
    for target in selection.list(cx, &resource, &selection.namespace).await? {
        if target.name.starts_with(prefix) {
            found = true;
            cx.line(page(cx, flags, &target).await?)?;
        }
    }
    Ok(found)
}

async fn page(cx: &Context, flags: &Parsed, target: &Target) -> Result<String> {
    let object = &target.value;
    let mut found = BTreeMap::new();
    for lookup in lookups(object) {
        let mut call = Call::get(&lookup.path);
        for (key, value) in lookup.query {
            call = call.query(key, value);
        }
        found.insert(
            lookup.key,
            cx.json(&call).await.map_err(|error| error.to_string()),
        );
    }
    let events = if flags.on("show-events") {
        events(cx, object).await
    } else {
        None
    };
    Ok(describe(
        object,
        &Related {
            now: jiff::Timestamp::now(),
            events,
            found,
        },
    ))
}

/// The events of an object; none at all where they cannot be had.
async fn events(cx: &Context, object: &Value) -> Option<Vec<Value>> {
    let path = match text(object, &["metadata", "namespace"]) {
        "" => "/api/v1/events".to_owned(),
        namespace => format!("/api/v1/namespaces/{namespace}/events"),
    };
    let mut events = Vec::new();
    for selector in event_selectors(object) {
        let call = Call::get(&path)
            .query("fieldSelector", selector)
            .query("limit", "500");
        events.extend_from_slice(list(&cx.json(&call).await.ok()?, &["items"]));
    }
    Some(events)
}
