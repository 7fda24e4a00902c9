// SPDX-License-Identifier: Apache-2.0
//! `get --watch`: what there is, and then every change as it comes.

use k1s_core::object::text;
use serde_json::{Value, json};

use super::{by_name, options};
use crate::client::{Call, TABLE};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::mapping::Resource;
use crate::print::table::Sheet;
use crate::print::{Forms, Printer};
use crate::selection::{Ask, Selection};
use crate::watch::Watch;

/// Where the events go.
struct Out {
    printer: Option<Printer>,
    sheet: Sheet,
    with_type: bool,
}

impl Out {
    fn show(&mut self, cx: &Context, kind: &str, object: &Value) -> Result {
        match &mut self.printer {
            Some(printer) if self.with_type && printer.is_json() => {
                let object = crate::print::without_managed_fields(object);
                cx.line(format_args!("{{\"type\":\"{kind}\",\"object\":{object}}}"))?;
            }
            Some(printer) if self.with_type && !printer.is_name() => {
                printer.print(cx, &json!({"type": kind, "object": object}))?;
            }
            Some(printer) => printer.print(cx, object)?,
            None => {
                self.sheet.push(object, self.with_type.then_some(kind));
                cx.print(self.sheet.take())?;
            }
        }
        Ok(())
    }
}

pub(super) async fn run(
    cx: &Context,
    args: &Parsed,
    selection: &Selection,
    printer: Option<Printer>,
) -> Result {
    let (ask, plan, others) = single(cx, args, selection).await?;
    let (resource, namespace, name) = by_name(ask);
    let accept = if printer.is_none() && args.on("server-print") {
        TABLE
    } else {
        "application/json"
    };
    let mut out = Out {
        printer,
        sheet: Sheet::new(options(args, selection, &resource, args.on("show-kind"))),
        with_type: args.on("output-watch-events"),
    };
    if !args.text("sort-by").is_empty() {
        cx.talk("warning: --watch requested, --sort-by will be ignored for watch events received");
    }

    let first = if plan {
        Call::get(resource.path(&namespace, &name, &selection.subresource))
    } else {
        selection.list_call(&resource, &namespace, "")
    };
    let only = args.on("watch-only");
    let mut version;
    let mut call = first;
    loop {
        let answer = cx.json(&call.clone().accept(accept)).await.map_err(|e| {
            if plan {
                e
            } else {
                selection.list_error(&resource, e)
            }
        })?;
        version = text(&answer, &["metadata", "resourceVersion"]).to_owned();
        if plan && version.is_empty() {
            let row = &answer["rows"][0]["object"];
            text(row, &["metadata", "resourceVersion"]).clone_into(&mut version);
        }
        if !only {
            initial(cx, &mut out, &answer)?;
        }
        let token = text(&answer, &["metadata", "continue"]).to_owned();
        if token.is_empty() {
            break;
        }
        call = selection.list_call(&resource, &namespace, &token);
    }
    if !others.is_empty() {
        for other in others {
            let (resource, namespace, name) = by_name(other);
            let path = resource.path(&namespace, &name, &selection.subresource);
            let answer = cx
                .object(&Call::get(path).accept(accept), &namespace)
                .await?;
            initial(cx, &mut out, &answer)?;
        }
        return Err(Error::message(
            "you may only watch a single resource or type of resource at a time",
        ));
    }
    cx.flush()?;
    let ask = Followed {
        resource: &resource,
        namespace: &namespace,
        name: plan.then_some(name.as_str()),
        accept,
    };
    follow(cx, selection, &ask, &version, &mut out, u64::MAX).await
}

/// What changed after a revision, and then every change as it comes, with their types.
pub(in crate::commands) async fn replay(
    cx: &Context,
    args: &Parsed,
    selection: &Selection,
    since: &str,
) -> Result {
    let (ask, plan, others) = single(cx, args, selection).await?;
    if !others.is_empty() {
        return Err(Error::message(
            "you may only watch a single resource or type of resource at a time",
        ));
    }
    let (resource, namespace, name) = by_name(ask);
    let printer = Printer::new(args, Forms::Tables)?;
    let accept = match printer {
        None => TABLE,
        Some(_) => "application/json",
    };
    let mut out = Out {
        printer,
        sheet: Sheet::new(options(args, selection, &resource, false)),
        with_type: true,
    };
    let mut version = since.to_owned();
    if version.is_empty() {
        // From now on.
        let call = Call::get(resource.path(&namespace, "", "")).query("limit", "1");
        let now = cx.json(&call).await?;
        text(&now, &["metadata", "resourceVersion"]).clone_into(&mut version);
    }
    let ask = Followed {
        resource: &resource,
        namespace: &namespace,
        name: plan.then_some(name.as_str()),
        accept,
    };
    let most = match args.number("count") {
        count if count > 0 => count.unsigned_abs(),
        _ => u64::MAX,
    };
    follow(cx, selection, &ask, &version, &mut out, most).await
}

/// What is watched.
struct Followed<'a> {
    resource: &'a Resource,
    namespace: &'a str,
    /// The name of the one object that is meant.
    name: Option<&'a str>,
    accept: &'static str,
}

/// Shows changes after a version, at most so many.
async fn follow(
    cx: &Context,
    selection: &Selection,
    ask: &Followed<'_>,
    version: &str,
    out: &mut Out,
    most: u64,
) -> Result {
    let mut selection = selection.clone();
    selection.chunk = 0;
    if let Some(name) = ask.name {
        selection.labels = None;
        selection.fields = Some(format!("metadata.name={name}"));
    }
    let follow = async {
        let call = selection
            .list_call(ask.resource, ask.namespace, "")
            .accept(ask.accept);
        let mut watch = Watch::start(cx, call, version).await?;
        let mut left = most;
        while left > 0
            && let Some(event) = watch.next().await?
        {
            out.show(cx, &event.kind, &event.object)?;
            cx.flush()?;
            left -= 1;
        }
        Ok(())
    };
    match cx.timeout()? {
        None => follow.await,
        // The time is up when it is up; that is no failure of a watch.
        Some(limit) => tokio::time::timeout(limit, follow).await.unwrap_or(Ok(())),
    }
}

/// The one thing to watch, whether it is an object and not a list, and what else was asked for.
async fn single(
    cx: &Context,
    args: &Parsed,
    selection: &Selection,
) -> Result<(Ask, bool, Vec<Ask>)> {
    let mut asks = Vec::new();
    for ask in selection.plan(cx, args).await?.asks {
        asks.push(ask?);
    }
    let several = asks.iter().skip(1).any(|a| {
        a.resource().plural != asks[0].resource().plural
            || a.resource().group != asks[0].resource().group
    });
    if several {
        return Err(Error::message(
            "you may only specify a single resource type",
        ));
    }
    if asks.is_empty() {
        return Err(Error::message("no resource was given to watch"));
    }
    let ask = asks.remove(0);
    let object = !matches!(ask, Ask::Many { .. });
    Ok((ask, object, asks))
}

/// What there is before the watch.
fn initial(cx: &Context, out: &mut Out, answer: &Value) -> Result {
    if text(answer, &["kind"]) == "Table" || !answer["items"].is_array() {
        return out.show(cx, "ADDED", answer);
    }
    let (kind, version) = (text(answer, &["kind"]), &answer["apiVersion"]);
    let kind = kind.strip_suffix("List").unwrap_or(kind);
    for item in k1s_core::object::list(answer, &["items"]) {
        let mut item = item.clone();
        if text(&item, &["kind"]).is_empty() {
            item["kind"] = kind.into();
            item["apiVersion"] = version.clone();
        }
        out.show(cx, "ADDED", &item)?;
    }
    Ok(())
}
