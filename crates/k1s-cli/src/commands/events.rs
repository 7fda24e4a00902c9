// SPDX-License-Identifier: Apache-2.0
//! `events`: what happened, in the order in which it happened, or as it happens.

use k1s_core::object::{list, text};
use serde_json::{Value, json};

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::describe::{Related, event_age};
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, Forms, Printer};
use crate::watch::Watch;
use crate::{selection, tabwriter};

/// `events`.
pub(super) static COMMAND: Command = Command {
    name: "events",
    aliases: &[],
    usage: "[--for TYPE/NAME] [--types=Normal,Warning] [--watch]",
    about: "List events",
    examples: &[
        ("What happened in the namespace", "events"),
        (
            "To one object, as it happens",
            "events --for pod/web --watch",
        ),
        (
            "Only warnings, of all namespaces",
            "events --types=Warning -A",
        ),
    ],
    flags: &[
        selection::ALL_NAMESPACES,
        print::FLAGS,
        &[
            Flag::number(
                "chunk-size",
                "500",
                "How many events are asked for at a time; 0 is all.",
            ),
            Flag::text("for", "Only events of this object, type/name."),
            Flag::switch("no-headers", "Leave out the line of titles."),
            Flag::list("types", "Only events of these types: Normal, Warning."),
            Flag::switch("watch", "Go on with the events that come.").short('w'),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let printer = Printer::new(flags, Forms::Objects)?;
    let types = flags.list("types");
    let fields = fields(cx, flags.text("for")).await?;
    if !types
        .iter()
        .all(|kind| ["normal", "warning"].contains(&kind.to_lowercase().as_str()))
    {
        return Err(Error::message("valid --types are Normal or Warning"));
    }
    let (namespace, _) = cx.namespace()?;
    let everywhere = flags.on("all-namespaces");
    let path = if everywhere {
        "/api/v1/events".to_owned()
    } else {
        format!("/api/v1/namespaces/{namespace}/events")
    };
    let call = Call::get(path).query("fieldSelector", fields);
    let lines = Lines {
        types,
        everywhere,
        headers: !flags.on("no-headers"),
    };
    if flags.on("watch") {
        return watch(cx, call, lines, printer).await;
    }
    let mut events = Vec::new();
    let mut token = String::new();
    loop {
        let page = cx
            .json(
                &call
                    .clone()
                    .query("limit", flags.text("chunk-size"))
                    .query("continue", token.as_str()),
            )
            .await?;
        events.extend(
            list(&page, &["items"])
                .iter()
                .filter(|event| lines.wants(event))
                .cloned(),
        );
        text(&page, &["metadata", "continue"]).clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    if events.is_empty() {
        let place = if everywhere {
            String::new()
        } else {
            format!(" in {namespace} namespace")
        };
        cx.talk(format_args!("No events found{place}."));
        return Ok(());
    }
    events.sort_by_cached_key(|event| moment(event).parse::<jiff::Timestamp>().ok());
    if let Some(mut printer) = printer {
        for event in &mut events {
            event["apiVersion"] = "v1".into();
            event["kind"] = "Event".into();
        }
        return printer.print(
            cx,
            &json!({ "apiVersion": "v1", "kind": "EventList", "items": events, "metadata": {} }),
        );
    }
    let mut table = lines.title();
    for event in &events {
        table += &lines.line(event);
    }
    cx.print(tabwriter::table(&table))
}

async fn watch(cx: &Context, call: Call, mut lines: Lines, mut printer: Option<Printer>) -> Result {
    let mut watch = Watch::start(cx, call, "").await?;
    while let Some(event) = watch.next().await? {
        if event.kind == "DELETED" || !lines.wants(&event.object) {
            continue;
        }
        match &mut printer {
            Some(printer) => printer.print(cx, &event.object)?,
            None => {
                let title = lines.title();
                lines.headers = false;
                cx.print(tabwriter::table(&format!(
                    "{title}{}",
                    lines.line(&event.object)
                )))?;
            }
        }
        cx.flush()?;
    }
    Ok(())
}

/// The field selector of the events of `type/name`.
async fn fields(cx: &Context, object: &str) -> Result<String> {
    if object.is_empty() {
        return Ok(String::new());
    }
    let parts: Vec<&str> = object.split('/').collect();
    let (word, name) = match parts[..] {
        [word, name] => (word, name),
        [_] => return Err(Error::message("--for must be in resource/name form")),
        _ => {
            return Err(Error::message(
                "arguments in resource/name form may not have more than one slash",
            ));
        }
    };
    let resource = cx
        .resource(&word.to_lowercase())
        .await
        .map_err(Error::untitled)?;
    let (kind, version) = (&resource.kind, resource.api_version());
    Ok(format!(
        "involvedObject.kind={kind},involvedObject.apiVersion={version},involvedObject.name={name}"
    ))
}

/// When an event was last seen.
fn moment(event: &Value) -> &str {
    let times = [
        &["series", "lastObservedTime"][..],
        &["lastTimestamp"],
        &["eventTime"],
    ];
    times
        .into_iter()
        .map(|path| text(event, path))
        .find(|time| !time.is_empty())
        .unwrap_or_default()
}

/// The table of events.
struct Lines {
    types: Vec<String>,
    everywhere: bool,
    headers: bool,
}

impl Lines {
    fn wants(&self, event: &Value) -> bool {
        self.types.is_empty()
            || self
                .types
                .iter()
                .any(|kind| kind.eq_ignore_ascii_case(text(event, &["type"])))
    }

    fn title(&self) -> String {
        let namespace = if self.everywhere { "NAMESPACE\t" } else { "" };
        if self.headers {
            format!("{namespace}LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n")
        } else {
            String::new()
        }
    }

    fn line(&self, event: &Value) -> String {
        let namespace = if self.everywhere {
            format!("{}\t", text(event, &["metadata", "namespace"]))
        } else {
            String::new()
        };
        let age = event_age(event, &Related::nothing(jiff::Timestamp::now()));
        let (kind, reason) = (text(event, &["type"]), text(event, &["reason"]));
        let object = format!(
            "{}/{}",
            text(event, &["involvedObject", "kind"]),
            text(event, &["involvedObject", "name"])
        );
        let message = text(event, &["message"])
            .trim()
            .replace('\x1b', "^[")
            .replace('\r', "\\r");
        format!("{namespace}{age}\t{kind}\t{reason}\t{object}\t{message}\n")
    }
}
