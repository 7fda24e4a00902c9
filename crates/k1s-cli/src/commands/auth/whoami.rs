// SPDX-License-Identifier: Apache-2.0
//! `auth whoami`: the user that the API sees.

use http::Method;
use k1s_core::object::{list, map, text};
use serde_json::{Value, json};

use crate::client::Call;
use crate::command::Command;
use crate::commands::generators::show;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::print::{self, Outcome};
use crate::tabwriter;

pub(super) static COMMAND: Command = Command {
    name: "whoami",
    aliases: &[],
    usage: "[-o FORMAT]",
    about: "Show the user that the API sees",
    examples: &[
        ("Who the API takes me for", "auth whoami"),
        (
            "Only the name",
            "auth whoami -o jsonpath={.status.userInfo.username}",
        ),
    ],
    flags: &[print::FLAGS],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    if !flags.args.is_empty() {
        let message = format!("unknown command \"{}\"", flags.args.join(" "));
        return Err(Error::Usage {
            message,
            path: flags.path.clone(),
        });
    }
    let mut outcome = Outcome::new(flags)?;
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview", "metadata": {}, "status": { "userInfo": {} } });
    let call = Call::with_json(
        Method::POST,
        "/apis/authentication.k8s.io/v1/selfsubjectreviews",
        &review,
    );
    let review = cx.json(&call).await?;
    if outcome.has_form() {
        return show(
            cx,
            flags,
            &mut outcome,
            &review,
            "selfsubjectreview.authentication.k8s.io",
            "",
        );
    }
    cx.print(tabwriter::table(&table(&review["status"]["userInfo"])))
}

fn table(user: &Value) -> String {
    let bracketed = |values: &[Value]| {
        format!(
            "[{}]",
            values
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" ")
        )
    };
    let mut table = "ATTRIBUTE\tVALUE\n".to_owned();
    for (title, field) in [("Username", "username"), ("UID", "uid")] {
        if !text(user, &[field]).is_empty() {
            table += &format!("{title}\t{}\n", text(user, &[field]));
        }
    }
    let groups = list(user, &["groups"]);
    if !groups.is_empty() {
        table += &format!("Groups\t{}\n", bracketed(groups));
    }
    for (key, values) in map(user, &["extra"]).into_iter().flatten() {
        table += &format!(
            "Extra: {key}\t{}\n",
            bracketed(values.as_array().map(Vec::as_slice).unwrap_or_default())
        );
    }
    table
}
