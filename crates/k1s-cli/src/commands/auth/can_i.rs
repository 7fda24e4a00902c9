// SPDX-License-Identifier: Apache-2.0
//! `auth can-i`: whether the API would allow something, or all that it allows.

use http::Method;
use k1s_core::object::{is_true, list, text};
use serde_json::{Value, json};

use crate::PROGRAM;
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::describe::rbac::table;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::mapping::Resource;
use crate::{selection, tabwriter};

/// Verbs of resources.
const RESOURCE_VERBS: [&str; 13] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "escalate",
];

/// Verbs of other URLs.
const URL_VERBS: [&str; 8] = [
    "get", "put", "post", "head", "options", "delete", "patch", "*",
];

/// What has rights but is no resource of the API.
const NOT_SERVED: [&str; 4] = ["users", "groups", "signers.certificates.k8s.io", "signers"];

pub(super) static COMMAND: Command = Command {
    name: "can-i",
    aliases: &[],
    usage: "VERB [TYPE | TYPE/NAME | /URL]",
    about: "Ask whether something is allowed",
    examples: &[
        ("May I create pods here?", "auth can-i create pods"),
        (
            "May somebody else list secrets in all namespaces?",
            "auth can-i list secrets -A --as jane",
        ),
        ("All that I may do", "auth can-i --list"),
    ],
    flags: &[
        selection::ALL_NAMESPACES,
        &[
            Flag::switch("list", "List all that is allowed."),
            Flag::switch("no-headers", "Leave out the line of titles."),
            Flag::switch("quiet", "Say it with the exit code only.").short('q'),
            Flag::text("subresource", "Subresource, log or scale."),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let namespace = if flags.on("all-namespaces") {
        String::new()
    } else {
        cx.namespace()?.0
    };
    if flags.on("list") {
        return rules(cx, flags, &namespace).await;
    }
    let [verb, what] = flags.args.as_slice() else {
        return Err(Error::message(format!(
            "you must specify two arguments: verb resource or verb resource/resourceName.\nSee '{PROGRAM} auth can-i -h' for help and examples."
        )));
    };
    let spec = if what.starts_with('/') {
        url(cx, flags, verb, what)?
    } else {
        resource(cx, flags, verb, what, &namespace).await?
    };
    if flags.on("no-headers") {
        return Err(Error::message(
            "--no-headers cannot be set without --list specified",
        ));
    }
    let status = review(cx, "SelfSubjectAccessReview", spec).await?;
    let allowed = is_true(&status, &["allowed"]);
    if !flags.on("quiet") {
        let mut answer = if allowed { "yes" } else { "no" }.to_owned();
        for field in ["reason", "evaluationError"] {
            if !allowed && !text(&status, &[field]).is_empty() {
                answer += &format!(" - {}", text(&status, &[field]));
            }
        }
        cx.line(answer)?;
    }
    if allowed { Ok(()) } else { Err(Error::Exit(1)) }
}

fn url(cx: &Context, flags: &Parsed, verb: &str, path: &str) -> Result<Value> {
    if !flags.text("subresource").is_empty() {
        return Err(Error::message(
            "--subresource can not be used with NonResourceURL",
        ));
    }
    if !URL_VERBS.contains(&verb) {
        warn(cx, &format!("verb '{verb}' is not a known verb"));
    }
    Ok(json!({ "nonResourceAttributes": { "path": path, "verb": verb } }))
}

async fn resource(
    cx: &Context,
    flags: &Parsed,
    verb: &str,
    what: &str,
    namespace: &str,
) -> Result<Value> {
    let (word, name) = what.split_once('/').unwrap_or((what, ""));
    let lower = word.to_lowercase();
    let found = match word {
        "*" => Resource {
            plural: "*".to_owned(),
            namespaced: true,
            ..Resource::default()
        },
        _ => match cx.resource(&lower).await {
            Ok(resource) => (*resource).clone(),
            Err(Error::NoResource { .. }) => {
                if !NOT_SERVED.contains(&lower.as_str()) {
                    warn(
                        cx,
                        &match lower.split_once('.') {
                            None => format!("the server doesn't have a resource type '{lower}'"),
                            Some((resource, group)) => format!(
                                "the server doesn't have a resource type '{resource}' in group '{group}'"
                            ),
                        },
                    );
                }
                Resource {
                    plural: word.to_owned(),
                    namespaced: true,
                    ..Resource::default()
                }
            }
            Err(error) => return Err(error),
        },
    };
    if !found.namespaced && !flags.on("all-namespaces") {
        let group = if found.group.is_empty() {
            String::new()
        } else {
            format!(" in group '{}'", found.group)
        };
        warn(
            cx,
            &format!("resource '{}' is not namespace scoped{group}", found.plural),
        );
    }
    if !RESOURCE_VERBS.contains(&verb) {
        warn(cx, &format!("verb '{verb}' is not a known verb"));
    }
    let attributes = [
        ("namespace", namespace),
        ("verb", verb),
        ("group", &found.group),
        ("resource", &found.plural),
        ("subresource", flags.text("subresource")),
        ("name", name),
    ];
    let given = attributes
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(field, value)| (field.to_owned(), value.into()));
    Ok(json!({ "resourceAttributes": Value::Object(given.collect()) }))
}

/// Everything that is allowed in a namespace.
async fn rules(cx: &Context, flags: &Parsed, namespace: &str) -> Result {
    if !flags.args.is_empty() {
        return Err(Error::message(
            "list option must be specified with no arguments",
        ));
    }
    if flags.on("quiet") || flags.on("all-namespaces") || !flags.text("subresource").is_empty() {
        return Err(Error::message(
            "list option can't be specified with neither quiet, all-namespaces nor subresource options",
        ));
    }
    let status = review(
        cx,
        "SelfSubjectRulesReview",
        json!({ "namespace": namespace }),
    )
    .await?;
    if is_true(&status, &["incomplete"]) {
        cx.warn(&format!(
            "the list may be incomplete: {}",
            text(&status, &["evaluationError"])
        ));
    }
    let rules: Vec<Value> = [
        list(&status, &["resourceRules"]),
        list(&status, &["nonResourceRules"]),
    ]
    .concat();
    let titles = if flags.on("no-headers") {
        ""
    } else {
        "Resources\tNon-Resource URLs\tResource Names\tVerbs\n"
    };
    let lines: String = table(&rules).into_iter().map(|line| line + "\n").collect();
    cx.print(tabwriter::table(&format!("{titles}{lines}")))
}

/// Warns, and leaves a line free.
fn warn(cx: &Context, text: &str) {
    cx.warn(&format!("{text}\n"));
}

async fn review(cx: &Context, kind: &str, spec: Value) -> Result<Value> {
    let object = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": kind, "metadata": {}, "spec": spec, "status": {} });
    let path = format!("/apis/authorization.k8s.io/v1/{}s", kind.to_lowercase());
    Ok(cx
        .json(&Call::with_json(Method::POST, path, &object))
        .await?["status"]
        .take())
}
