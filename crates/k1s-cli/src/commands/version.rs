// SPDX-License-Identifier: Apache-2.0
//! `version`: of this program and of the API.

use serde_json::json;

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};

/// `version`.
pub(super) static COMMAND: Command = Command {
    name: "version",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Print the version of the program and of the API.",
    examples: &[
        ("Of this program and of the API", "version"),
        ("For programs", "version -o json"),
    ],
    flags: &[&[
        Flag::switch("client", "Only the version of the program."),
        Flag::text("output", "json or yaml.").short('o'),
    ]],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    if !args.args.is_empty() {
        return Err(Error::message(format!(
            "extra arguments: [{}]",
            args.args.join(" ")
        )));
    }
    let output = args.text("output");
    if !["", "json", "yaml"].contains(&output) {
        return Err(Error::message("--output must be 'yaml' or 'json'"));
    }
    let mut versions = json!({"clientVersion": {
        "gitVersion": concat!("v", env!("CARGO_PKG_VERSION")),
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }});
    let mut outcome = Ok(());
    if !args.on("client") {
        match cx.json(&Call::get("/version")).await {
            Ok(server) => versions["serverVersion"] = server,
            Err(e) => outcome = Err(e),
        }
    }
    match output {
        "json" => cx.print(crate::print::json_two_spaces(&versions))?,
        "yaml" => crate::print::value(cx, "yaml", &versions)?,
        _ => {
            for (title, key) in [("Client", "clientVersion"), ("Server", "serverVersion")] {
                if let Some(version) = versions[key]["gitVersion"].as_str() {
                    cx.line(format_args!("{title} Version: {version}"))?;
                }
            }
        }
    }
    outcome
}
