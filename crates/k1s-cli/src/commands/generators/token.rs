// SPDX-License-Identifier: Apache-2.0
//! `create token`: a token of a service account.

use http::Method;
use k1s_core::object::text;
use serde_json::json;

use super::name;
use crate::client::{Call, escape};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate;
use crate::print::{self, Outcome};

/// Kinds that a token may live and die with.
const BOUND_KINDS: [&str; 3] = ["Node", "Pod", "Secret"];

/// `create token`.
pub(super) static TOKEN: Command = Command {
    name: "token",
    aliases: &[],
    usage: "SERVICE_ACCOUNT_NAME",
    about: "Ask for a token of a service account",
    examples: &[
        ("A token that lasts an hour", "create token robot"),
        (
            "Ten minutes, for one receiver",
            "create token robot --duration=10m --audience=https://example.com",
        ),
    ],
    flags: &[
        &[
            Flag::each("audience", "Whom the token is for."),
            Flag::text(
                "bound-object-kind",
                "Kind of the object that the token is bound to: Node, Pod, Secret.",
            ),
            Flag::text("bound-object-name", "Name of that object."),
            Flag::text("bound-object-uid", "UID of that object."),
            Flag::duration("duration", "0s", "How long the token is to be valid."),
        ],
        print::FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let name = name(flags)?;
    let (namespace, _) = cx.namespace()?;
    let mut outcome = Outcome::new(flags)?;
    check(flags)?;
    let kind = flags.text("bound-object-kind");
    let bound = (!kind.is_empty()).then(|| {
        let mut bound =
            json!({ "kind": kind, "apiVersion": "v1", "name": flags.text("bound-object-name") });
        if !flags.text("bound-object-uid").is_empty() {
            bound["uid"] = flags.text("bound-object-uid").into();
        }
        bound
    });
    let seconds = i64::try_from(flags.duration("duration").as_secs()).unwrap_or(i64::MAX);
    let request = generate::token_request(
        &flags.list("audience"),
        Some(seconds).filter(|seconds| *seconds > 0),
        bound,
    );
    let path = format!(
        "/api/v1/namespaces/{}/serviceaccounts/{}/token",
        escape(&namespace),
        escape(name)
    );
    let failed = |why: String| Error::Message(format!("failed to create token: {why}"));
    let answer = cx
        .json(&Call::with_json(Method::POST, path, &request))
        .await
        .map_err(|error| failed(error.to_string()))?;
    let token = text(&answer, &["status", "token"]);
    if token.is_empty() {
        return Err(failed("no token in server response".to_owned()));
    }
    if flags.given("output") {
        return super::show(
            cx,
            flags,
            &mut outcome,
            &answer,
            "tokenrequest.authentication.k8s.io",
            "created",
        );
    }
    cx.print(token)?;
    if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        cx.line("")
    } else {
        Ok(())
    }
}

fn check(flags: &Parsed) -> Result {
    let given = |flag: &str| !flags.text(flag).is_empty();
    let kind = flags.text("bound-object-kind");
    let mistake = if flags.is_negative("duration") {
        "--duration must be greater than or equal to 0".to_owned()
    } else if flags.duration("duration").subsec_nanos() != 0 {
        "--duration cannot be expressed in units less than seconds".to_owned()
    } else if flags.list("audience").iter().any(String::is_empty) {
        "--audience must not be an empty string".to_owned()
    } else if kind.is_empty() && given("bound-object-name") {
        "--bound-object-name can only be set if --bound-object-kind is provided".to_owned()
    } else if kind.is_empty() && given("bound-object-uid") {
        "--bound-object-uid can only be set if --bound-object-kind is provided".to_owned()
    } else if !kind.is_empty() && !BOUND_KINDS.contains(&kind) {
        format!(
            "supported --bound-object-kind values are {}",
            BOUND_KINDS.join(", ")
        )
    } else if !kind.is_empty() && !given("bound-object-name") {
        "--bound-object-name is required if --bound-object-kind is provided".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Message(mistake))
}
