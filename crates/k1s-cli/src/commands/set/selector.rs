// SPDX-License-Identifier: Apache-2.0
//! `set selector`.

use k1s_core::object::{list, text};
use serde_json::{Value, json};

use super::{COMMON, Setting, set, targets};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate;
use crate::{print, source};

/// `set selector`.
pub(super) static COMMAND: Command = Command {
    name: "selector",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) LABELS [--resource-version=VERSION]",
    about: "Set the selector of services",
    examples: &[
        (
            "Other pods for a service",
            "set selector service web app=web,stage=new",
        ),
        (
            "Of a file, without asking any API",
            "set selector -f service.yaml app=web --local -o yaml",
        ),
    ],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
        COMMON,
        &[Flag::text(
            "resource-version",
            "Only if the object has this version.",
        )],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let Some((labels, words)) = flags.args.split_last() else {
        return Err(Error::message("one selector is required"));
    };
    let selector = generate::label_selector(labels)?;
    let version = flags.text("resource-version");
    let setting = Setting {
        done: "selector updated",
        refused: "",
        unchanged: true,
        change: &|object| change(object, &selector, version),
    };
    set(cx, flags, targets(cx, flags, words).await?, &setting).await
}

fn change(object: &mut Value, selector: &Value, version: &str) -> Result {
    if text(object, &["kind"]) != "Service" {
        return Err(Error::message(
            "setting a selector is only supported for Services",
        ));
    }
    let expressions = list(selector, &["matchExpressions"]);
    if !expressions.is_empty() {
        let words: Vec<String> = expressions.iter().map(in_go).collect();
        return Err(Error::message(format!(
            "match expression [{}] not supported on this object",
            words.join(" ")
        )));
    }
    if !version.is_empty() {
        object["metadata"]["resourceVersion"] = version.into();
    }
    object["spec"]["selector"] = match &selector["matchLabels"] {
        Value::Null => json!({}),
        labels => labels.clone(),
    };
    Ok(())
}

/// `{a In [b c]}`.
fn in_go(expression: &Value) -> String {
    let values: Vec<&str> = list(expression, &["values"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let part = |key: &str| text(expression, &[key]).to_owned();
    format!(
        "{{{} {} [{}]}}",
        part("key"),
        part("operator"),
        values.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_services_and_only_labels() {
        let check = |kind: &str, selector: &str, wanted: std::result::Result<Value, &str>| {
            let mut object = json!({"kind": kind, "spec": {"selector": {"old": "1"}}});
            let selector = generate::label_selector(selector).unwrap();
            let outcome = change(&mut object, &selector, "")
                .map(|()| object["spec"]["selector"].clone())
                .map_err(|e| e.to_string());
            assert_eq!(outcome, wanted.map_err(str::to_owned));
        };
        check("Service", "a=b,c=d", Ok(json!({"a": "b", "c": "d"})));
        check(
            "Service",
            "a in (b,c)",
            Err("match expression [{a In [b c]}] not supported on this object"),
        );
        check(
            "Pod",
            "a=b",
            Err("setting a selector is only supported for Services"),
        );
    }
}
