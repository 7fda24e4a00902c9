// SPDX-License-Identifier: Apache-2.0
//! Whole entries: `set-…`, `delete-…`, `use-context`, `rename-context`.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k1s_core::quote::Quoted;
use serde_json::{Map, Value, json};

use super::files::Files;
use super::unexpected;
use crate::config_file::Section;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::generate::source::system_text;

/// `config use-context`.
pub(super) async fn use_context(cx: &Context, flags: &Parsed) -> Result {
    let [name] = flags.args.as_slice() else {
        return Err(unexpected(cx, flags));
    };
    if name.is_empty() {
        return Err(Error::message("empty context names are not allowed"));
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    if !config.contexts.contains_key(name) {
        return Err(Error::message(format!(
            "no context exists with the name: {}",
            Quoted(name)
        )));
    }
    config.current_context.clone_from(name);
    files.save(&config)?;
    cx.line(format_args!("Switched to context {}.", Quoted(name)))
}

/// `config rename-context`.
pub(super) async fn rename_context(cx: &Context, flags: &Parsed) -> Result {
    let [name, new] = flags.args.as_slice() else {
        return Err(unexpected(cx, flags));
    };
    if new.is_empty() {
        return Err(Error::message(
            "You must specify a new non-empty context name",
        ));
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    let file = files.name();
    if config.contexts.contains_key(new) && config.contexts.contains_key(name) {
        let (name, new) = (Quoted(name), Quoted(new));
        return Err(Error::message(format!(
            "cannot rename the context {name}, the context {new} already exists in {file}"
        )));
    }
    let Some(context) = config.contexts.remove(name) else {
        return Err(Error::message(format!(
            "cannot rename the context {}, it's not in {file}",
            Quoted(name)
        )));
    };
    config.contexts.insert(new.clone(), context);
    if config.current_context == *name {
        config.current_context.clone_from(new);
    }
    files.save(&config)?;
    cx.line(format_args!(
        "Context {} renamed to {}.",
        Quoted(name),
        Quoted(new)
    ))
}

/// `config delete-context`.
pub(super) async fn delete_context(cx: &Context, flags: &Parsed) -> Result {
    delete(cx, flags, Section::Contexts, "context")
}

/// `config delete-cluster`.
pub(super) async fn delete_cluster(cx: &Context, flags: &Parsed) -> Result {
    delete(cx, flags, Section::Clusters, "cluster")
}

/// `config delete-user`.
pub(super) async fn delete_user(cx: &Context, flags: &Parsed) -> Result {
    delete(cx, flags, Section::Users, "user")
}

fn delete(cx: &Context, flags: &Parsed, section: Section, what: &str) -> Result {
    let [name] = flags.args.as_slice() else {
        return match section {
            Section::Users => Err(Error::Usage {
                message: "user to delete is required".to_owned(),
                path: flags.path.clone(),
            }),
            _ => super::help(cx, flags),
        };
    };
    let files = Files::load(cx)?;
    let mut config = files.merged();
    let file = files.name();
    if config.entries_mut(section).remove(name).is_none() {
        return Err(Error::message(format!(
            "cannot delete {what} {name}, not in {file}"
        )));
    }
    if section == Section::Contexts && config.current_context == *name {
        let program = crate::PROGRAM;
        cx.talk(format_args!("warning: this removed your active context, use \"{program} config use-context\" to select a different one"));
    }
    files.save(&config)?;
    cx.line(format_args!("deleted {what} {name} from {file}"))
}

/// `config set-context`.
pub(super) async fn set_context(cx: &Context, flags: &Parsed) -> Result {
    let given = match flags.args.as_slice() {
        [] => "",
        [name] => name.as_str(),
        _ => return Err(unexpected(cx, flags)),
    };
    let current = flags.on("current");
    match (given.is_empty(), current) {
        (true, false) => {
            return Err(Error::message(
                "you must specify a non-empty context name or --current",
            ));
        }
        (false, true) => {
            return Err(Error::message(
                "you cannot specify both a context name and --current",
            ));
        }
        _ => {}
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    let name = if current {
        config.current_context.clone()
    } else {
        given.to_owned()
    };
    if name.is_empty() {
        return Err(Error::message("no current context is set"));
    }
    let known = config.contexts.contains_key(&name);
    let entry = config.contexts.entry(name.clone()).or_default();
    for field in ["cluster", "user", "namespace"] {
        set_text(entry, flags, field, field);
    }
    files.save(&config)?;
    cx.line(format_args!(
        "Context {} {}.",
        Quoted(&name),
        if known { "modified" } else { "created" }
    ))
}

/// `config set-cluster`.
pub(super) async fn set_cluster(cx: &Context, flags: &Parsed) -> Result {
    let [name] = flags.args.as_slice() else {
        return Err(unexpected(cx, flags));
    };
    if name.is_empty() {
        return Err(Error::message("you must specify a non-empty cluster name"));
    }
    let authority = flags.text("certificate-authority");
    if flags.on("insecure-skip-tls-verify") && !authority.is_empty() {
        return Err(Error::message(
            "you cannot specify a certificate authority and insecure mode at the same time",
        ));
    }
    if flags.on("embed-certs") && authority.is_empty() {
        return Err(Error::message(
            "you must specify a --certificate-authority to embed",
        ));
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    let directory = files.directory(Section::Clusters, name);
    let entry = config.clusters.entry(name.clone()).or_default();
    for field in ["server", "tls-server-name", "proxy-url"] {
        set_text(entry, flags, field, field);
    }
    for field in ["insecure-skip-tls-verify", "disable-compression"] {
        if flags.given(field) {
            entry.insert(field.to_owned(), flags.on(field).into());
        }
    }
    if flags.given("server") && !flags.given("insecure-skip-tls-verify") {
        // Another server is trusted anew.
        entry.remove("insecure-skip-tls-verify");
    }
    if flags.on("insecure-skip-tls-verify") {
        entry.remove("certificate-authority");
        entry.remove("certificate-authority-data");
    }
    set_file(entry, flags, "certificate-authority", &directory)?;
    if !authority.is_empty() {
        entry.remove("insecure-skip-tls-verify");
    }
    files.save(&config)?;
    cx.line(format_args!("Cluster {} set.", Quoted(name)))
}

/// `config set-credentials`.
pub(super) async fn set_credentials(cx: &Context, flags: &Parsed) -> Result {
    let [name] = flags.args.as_slice() else {
        return Err(Error::message(format!(
            "unexpected args: [{}]",
            flags.args.join(" ")
        )));
    };
    if name.is_empty() {
        return Err(Error::message("you must specify a non-empty user name"));
    }
    let (token, basic) = (
        !flags.text("token").is_empty(),
        !flags.text("username").is_empty() || !flags.text("password").is_empty(),
    );
    if token && basic {
        return Err(Error::message(
            "you cannot specify more than one authentication method at the same time: --token, --username/--password",
        ));
    }
    if flags.on("embed-certs")
        && flags.text("client-certificate").is_empty()
        && flags.text("client-key").is_empty()
    {
        return Err(Error::message(
            "you must specify a --client-certificate or --client-key to embed",
        ));
    }
    let mode = flags.text("exec-interactive-mode");
    if !matches!(mode, "" | "IfAvailable" | "Never" | "Always") {
        return Err(Error::message(
            "invalid interactive mode type, can be only IfAvailable, Never, Always",
        ));
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    let directory = files.directory(Section::Users, name);
    let entry = config.users.entry(name.clone()).or_default();
    for field in ["client-certificate", "client-key"] {
        set_file(entry, flags, field, &directory)?;
    }
    for field in ["token", "username", "password"] {
        set_text(entry, flags, field, field);
    }
    if token {
        entry.remove("username");
        entry.remove("password");
    }
    if basic {
        entry.remove("token");
    }
    provider(entry, flags);
    plugin(entry, flags);
    files.save(&config)?;
    cx.line(format_args!("User {} set.", Quoted(name)))
}

fn set_text(entry: &mut Map<String, Value>, flags: &Parsed, flag: &str, field: &str) {
    if flags.given(flag) {
        entry.insert(field.to_owned(), flags.text(flag).into());
    }
}

/// Sets a field to a file's path, relative to the kubeconfig, or with `--embed-certs` to its content.
fn set_file(
    entry: &mut Map<String, Value>,
    flags: &Parsed,
    field: &str,
    directory: &Path,
) -> Result {
    if !flags.given(field) {
        return Ok(());
    }
    let (data, path) = (format!("{field}-data"), flags.text(field));
    if flags.on("embed-certs") && !path.is_empty() {
        let content = std::fs::read(path).map_err(|error| {
            Error::message(format!(
                "could not stat {field} file {path}: stat {path}: {}",
                system_text(&error)
            ))
        })?;
        entry.remove(field);
        entry.insert(data, STANDARD.encode(content).into());
        return Ok(());
    }
    entry.insert(
        field.to_owned(),
        relative(Path::new(path), directory).into(),
    );
    if !path.is_empty() {
        entry.remove(&data);
    }
    Ok(())
}

/// A path as seen from a directory, where it lies beneath it; else absolute.
fn relative(path: &Path, directory: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    if path.as_os_str().is_empty() {
        return String::new();
    }
    let base = absolute(if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    });
    let base: PathBuf = base.components().collect();
    let path = absolute(path);
    path.strip_prefix(&base)
        .unwrap_or(&path)
        .display()
        .to_string()
}

fn provider(entry: &mut Map<String, Value>, flags: &Parsed) {
    let name = flags.text("auth-provider");
    if flags.given("auth-provider")
        && entry
            .get("auth-provider")
            .is_none_or(|provider| provider["name"] != name)
    {
        entry.insert("auth-provider".to_owned(), json!({ "name": name }));
    }
    if let Some(provider) = entry.get_mut("auth-provider") {
        for pair in flags.list("auth-provider-arg") {
            match (pair.split_once('='), pair.strip_suffix('-')) {
                (Some((key, value)), _) => provider["config"][key] = value.into(),
                (None, Some(key)) => _ = k1s_core::object::remove(provider, &["config", key]),
                (None, None) => {}
            }
        }
    }
}

fn plugin(entry: &mut Map<String, Value>, flags: &Parsed) {
    if flags.given("exec-command") {
        let command = flags.text("exec-command");
        match entry.get_mut("exec") {
            Some(Value::Object(exec)) => {
                exec.insert("command".to_owned(), command.into());
                exec.remove("args");
            }
            _ => _ = entry.insert("exec".to_owned(), json!({ "command": command })),
        }
    }
    let Some(Value::Object(exec)) = entry.get_mut("exec") else {
        return;
    };
    for (flag, field) in [
        ("exec-api-version", "apiVersion"),
        ("exec-interactive-mode", "interactiveMode"),
    ] {
        set_text(exec, flags, flag, field);
    }
    if flags.given("exec-arg") {
        exec.insert("args".to_owned(), flags.list("exec-arg").into());
    }
    if flags.given("exec-provide-cluster-info") {
        exec.insert(
            "provideClusterInfo".to_owned(),
            flags.on("exec-provide-cluster-info").into(),
        );
    }
    for pair in flags.list("exec-env") {
        let name = pair
            .split_once('=')
            .map_or_else(|| pair.trim_end_matches('-'), |(name, _)| name)
            .to_owned();
        let mut variables: Vec<Value> = exec
            .get("env")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        match pair.split_once('=') {
            None => variables.retain(|variable| variable["name"] != name.as_str()),
            Some((_, value)) => match variables
                .iter_mut()
                .find(|variable| variable["name"] == name.as_str())
            {
                Some(variable) => variable["value"] = value.into(),
                None => variables.push(json!({ "name": name, "value": value })),
            },
        }
        exec.insert("env".to_owned(), variables.into());
    }
}
