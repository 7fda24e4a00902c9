// SPDX-License-Identifier: Apache-2.0
//! The views: `view`, `current-context`, `get-contexts`, `get-clusters`, `get-users`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::files::Files;
use crate::config_file::{ConfigFile, Section, json_order, minify, redact};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::print::{Forms, Printer};
use crate::{go_order, tabwriter};

/// `config view`.
pub(super) async fn view(cx: &Context, flags: &Parsed) -> Result {
    if !flags.args.is_empty() {
        return Err(Error::Usage {
            message: format!("unexpected arguments: [{}]", flags.args.join(" ")),
            path: flags.path.clone(),
        });
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    if flags.on("minify") {
        let context = cx.globals().text("context");
        if !context.is_empty() {
            config.current_context = context.to_owned();
        }
        minify(&mut config).map_err(|mismatch| Error::message(mismatch.to_string()))?;
    }
    if flags.on("flatten") {
        flatten(&files, &mut config)?;
    }
    if !flags.on("raw") && !flags.on("flatten") {
        redact(&mut config);
    }
    let value = config.to_value();
    match flags.text("output") {
        "yaml" => cx.print(crate::document::print_yaml(&value)),
        "json" => cx.print(go_order::print(&value, &json_order())),
        _ => match Printer::new(flags, Forms::Objects)? {
            Some(mut printer) => printer.print(cx, &value),
            None => cx.print(crate::document::print_yaml(&value)),
        },
    }
}

/// `config current-context`.
pub(super) async fn current_context(cx: &Context, _flags: &Parsed) -> Result {
    let current = Files::load(cx)?.merged().current_context;
    if current.is_empty() {
        return Err(Error::message("current-context is not set"));
    }
    cx.line(current)
}

/// `config get-contexts`.
pub(super) async fn contexts(cx: &Context, flags: &Parsed) -> Result {
    let output = flags.text("output");
    if !matches!(output, "" | "name") {
        return Err(Error::message(format!(
            "output must be one of '' or 'name': {output}"
        )));
    }
    let config = Files::load(cx)?.merged();
    let mut missing = Vec::new();
    let mut names: Vec<&String> = Vec::new();
    if flags.args.is_empty() {
        names.extend(config.contexts.keys());
    }
    for name in &flags.args {
        match config.contexts.contains_key(name) {
            true => names.push(name),
            false => missing.push(Error::message(format!("context {name} not found"))),
        }
    }
    names.sort();
    let mut text = String::new();
    if output.is_empty() && !flags.on("no-headers") {
        text += "CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n";
    }
    for name in names {
        let field = |field: &str| {
            config.contexts[name]
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let mark = if *name == config.current_context {
            "*"
        } else {
            ""
        };
        text += &match output {
            "name" => format!("{name}\n"),
            _ => format!(
                "{mark}\t{name}\t{}\t{}\t{}\n",
                field("cluster"),
                field("user"),
                field("namespace")
            ),
        };
    }
    cx.print(tabwriter::table(&text))?;
    Error::all(missing)
}

/// `config get-clusters`.
pub(super) async fn clusters(cx: &Context, flags: &Parsed) -> Result {
    names(cx, flags, Section::Clusters)
}

/// `config get-users`.
pub(super) async fn users(cx: &Context, flags: &Parsed) -> Result {
    names(cx, flags, Section::Users)
}

fn names(cx: &Context, _flags: &Parsed, section: Section) -> Result {
    cx.line("NAME")?;
    for name in Files::load(cx)?.merged().entries(section).keys() {
        cx.line(name)?;
    }
    Ok(())
}

/// Puts the content of the files that entries name into the entries.
fn flatten(files: &Files, config: &mut ConfigFile) -> Result {
    for (section, field) in [
        (Section::Clusters, "certificate-authority"),
        (Section::Users, "client-certificate"),
        (Section::Users, "client-key"),
    ] {
        for (name, body) in config.entries_mut(section) {
            let data = format!("{field}-data");
            let Some(Value::String(file)) = body.remove(field).filter(|file| file != "") else {
                continue;
            };
            if body.contains_key(&data) {
                continue;
            }
            let path = files.directory(section, name).join(Path::new(&file));
            let content = std::fs::read(&path).map_err(|error| {
                Error::message(format!(
                    "open {}: {}",
                    path.display(),
                    crate::generate::source::system_text(&error)
                ))
            })?;
            body.insert(data, STANDARD.encode(content).into());
        }
    }
    Ok(())
}
