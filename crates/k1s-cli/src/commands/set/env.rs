// SPDX-License-Identifier: Apache-2.0
//! `set env`: the variables of containers, from words, standard input, config maps and secrets; and what they are.

mod reference;

use std::collections::BTreeMap;

use k1s_core::object::{list, text};
use k1s_core::quote::Quoted;
use serde_json::{Map, Value, json};

use super::{
    COMMON, CONTAINERS, LABELS, Setting, check_choice, pod_spec, require_objects, set, targets,
};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::selection::{Selection, Target};
use crate::{print, source};

/// `set env`.
pub(super) static COMMAND: Command = Command {
    name: "env",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) NAME=VALUE ... NAME- ... [--list]",
    about: "Set or show the variables of containers",
    examples: &[
        (
            "Set one variable, remove another",
            "set env deployment/web MODE=fast OLD-",
        ),
        ("List the variables", "set env deployment/web --list"),
        (
            "One variable for each key of a secret",
            "set env deployment/web --from=secret/login --prefix=LOGIN_",
        ),
    ],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
        COMMON,
        &[
            CONTAINERS,
            LABELS,
            Flag::each("env", "Variable, NAME=value; - reads standard input.").short('e'),
            Flag::text("from", "Config map or secret whose keys become variables."),
            Flag::list("keys", "Only these keys of --from."),
            Flag::switch("list", "Show the variables, with the changes made."),
            Flag::switch("overwrite", "Replace values that are there.").default("true"),
            Flag::text("prefix", "What is put before the names of variables."),
            Flag::switch("resolve", "With --list: show what references lead to."),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

/// What is to be changed.
#[derive(Debug, Default)]
struct Changes {
    /// Variables as a container has them, in their order.
    set: Vec<Value>,
    remove: Vec<String>,
}

async fn run(cx: &Context, flags: &Parsed) -> Result {
    check_choice(flags)?;
    let (words, changes) = part(&flags.args)?;
    require_objects(flags, &words)?;
    if flags.on("list") && !flags.text("output").is_empty() {
        return Err(Error::message(
            "--list and --output may not be specified together",
        ));
    }
    if !flags.list("keys").is_empty() && flags.text("from").is_empty() {
        return Err(Error::message(
            "when specifying --keys, a configmap or secret must be provided with --from",
        ));
    }
    let mut specs = flags.list("env");
    let words_change = !changes.is_empty();
    specs.extend(changes);
    let mut changes = Changes::read(cx, &specs)?;
    changes.set.extend(imported(cx, flags).await?);
    let prefix = flags.text("prefix");
    for variable in changes.set.iter_mut().filter(|_| !prefix.is_empty()) {
        variable["name"] = format!("{prefix}{}", text(variable, &["name"])).into();
    }
    let names = flags.text("containers");
    let targets = targets(cx, flags, &words).await?;
    if flags.on("list") {
        for target in targets {
            show(cx, flags, target, &changes, names).await?;
        }
        return Ok(());
    }
    if changes.set.is_empty() && changes.remove.is_empty() {
        // Nothing is different then: kubectl says nothing either.
        return Ok(());
    }
    if changes.set.is_empty() && !words_change {
        return Err(Error::message(
            "at least one environment variable must be provided",
        ));
    }
    let overwrite = flags.on("overwrite");
    let setting = Setting {
        done: "env updated",
        refused: "failed to patch env update to pod template: ",
        unchanged: false,
        change: &|object| {
            let title = pod_spec::title(object);
            changes
                .make(cx, object, names, overwrite)
                .map_err(|e| match e {
                    Error::Message(why) if !why.starts_with("error: ") => {
                        Error::Message(format!("error: {title} {why}"))
                    }
                    other => other,
                })
        },
    };
    set(cx, flags, targets, &setting).await
}

/// Parts the objects from the changes.
fn part(args: &[String]) -> Result<(Vec<String>, Vec<String>)> {
    let is_change = |word: &str| word.find('=').is_some_and(|at| at > 0) || word.ends_with('-');
    let first = args.iter().position(|a| is_change(a)).unwrap_or(args.len());
    let (words, changes) = args.split_at(first);
    if changes.iter().any(|c| !is_change(c)) {
        return Err(Error::message(format!(
            "all resources must be specified before environment changes: {}",
            args.join(" ")
        )));
    }
    Ok((words.to_vec(), changes.to_vec()))
}

impl Changes {
    fn read(cx: &Context, specs: &[String]) -> Result<Self> {
        let mut changes = Self::default();
        for spec in specs {
            if spec == "-" {
                let input = cx.read_input()?;
                for line in String::from_utf8_lossy(&input).lines() {
                    let line = line.split('#').next().unwrap_or_default();
                    if let Some((name, value)) = line.split_once('=') {
                        changes.set.push(json!({ "name": name, "value": value }));
                    }
                }
            } else if let Some((name, value)) = spec.split_once('=') {
                let faults = k1s_core::name::env_var_name(name);
                if !faults.is_empty() {
                    return Err(Error::message(format!(
                        "{} is not a valid key name: {}",
                        Quoted(name),
                        faults.join(";")
                    )));
                }
                changes.set.push(json!({ "name": name, "value": value }));
            } else if let Some(name) = spec.strip_suffix('-') {
                changes.remove.push(name.to_owned());
            } else {
                return Err(Error::message(format!(
                    "unknown environment variable: {spec}"
                )));
            }
        }
        let both = |name: &String| changes.set.iter().any(|v| text(v, &["name"]) == name);
        if changes.remove.iter().any(both) {
            return Err(Error::message(
                "can not both modify and remove the same environment variable in the same command",
            ));
        }
        Ok(changes)
    }

    /// Changes the containers of an object.
    fn make(&self, cx: &Context, object: &mut Value, names: &str, overwrite: bool) -> Result {
        let title = format!(
            "{}/{}",
            text(object, &["kind"]),
            text(object, &["metadata", "name"])
        );
        let spec = pod_spec::of(object)?;
        let containers = pod_spec::containers(spec, names);
        if containers.is_empty() {
            cx.talk(format_args!(
                "Warning: {title} does not have any containers matching {}",
                Quoted(names)
            ));
        }
        for container in containers {
            if !overwrite {
                self.check(container)?;
            }
            let made = self.made(list(container, &["env"]));
            if !made.is_empty() {
                container["env"] = made.into();
            } else if let Some(container) = container.as_object_mut() {
                container.remove("env");
            }
        }
        Ok(())
    }

    /// Refuses to replace a value that is there.
    fn check(&self, container: &Value) -> Result {
        for variable in &self.set {
            let name = text(variable, &["name"]);
            let there = list(container, &["env"])
                .iter()
                .find(|v| text(v, &["name"]) == name);
            if let Some(there) = there
                && text(there, &["value"]) != text(variable, &["value"])
            {
                return Err(Error::message(format!(
                    "'{name}' already has a value ({}), and --overwrite is false",
                    text(there, &["value"])
                )));
            }
        }
        Ok(())
    }

    /// The variables of a container after the changes.
    fn made(&self, there: &[Value]) -> Vec<Value> {
        let mut covered: Vec<&str> = self.remove.iter().map(String::as_str).collect();
        let mut out = Vec::new();
        for old in there {
            let name = text(old, &["name"]);
            if covered.contains(&name) {
                continue;
            }
            match self.set.iter().find(|v| text(v, &["name"]) == name) {
                Some(new) => {
                    covered.push(name);
                    out.push(as_written(new));
                }
                None => out.push(old.clone()),
            }
        }
        for new in &self.set {
            let name = text(new, &["name"]);
            if !covered.contains(&name) {
                covered.push(name);
                out.push(as_written(new));
            }
        }
        out
    }
}

/// A variable without an empty value, which the API leaves out as well.
fn as_written(variable: &Value) -> Value {
    let mut out = variable.clone();
    if text(variable, &["value"]).is_empty()
        && let Some(map) = out.as_object_mut()
    {
        map.remove("value");
    }
    out
}

/// The variables that `--from` asks for: one for each key, in the order of the keys.
async fn imported(cx: &Context, flags: &Parsed) -> Result<Vec<Value>> {
    let from = flags.text("from");
    if from.is_empty() {
        return Ok(Vec::new());
    }
    let mut selection = Selection::new(cx, flags)?;
    selection.args = vec![from.to_owned()];
    selection.labels = None;
    selection.bare_kind_is_all = flags.on("all");
    let keys = flags.list("keys");
    let mut out = Vec::new();
    for target in selection.without_files().targets(cx, flags, true).await? {
        let target = target?;
        let reference = match target.resource.kind.as_str() {
            "ConfigMap" => "configMapKeyRef",
            "Secret" => "secretKeyRef",
            _ => {
                return Err(Error::message("unsupported resource specified in --from"));
            }
        };
        let data: &Map<String, Value> = match target.value["data"].as_object() {
            Some(data) => data,
            None => continue,
        };
        for key in data.keys().filter(|k| keys.is_empty() || keys.contains(k)) {
            let name = variable_name(key);
            if name != *key {
                cx.talk(format_args!("Warning: key {key} transferred to {name}"));
            }
            out.push(json!({
                "name": name,
                "valueFrom": { reference: { "key": key, "name": target.name } },
            }));
        }
    }
    Ok(out)
}

/// A key as the name of a variable.
fn variable_name(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || c == '_' => c.to_ascii_uppercase(),
            _ => '_',
        })
        .collect()
}

/// Lists the variables of an object's containers.
async fn show(
    cx: &Context,
    flags: &Parsed,
    mut target: Target,
    changes: &Changes,
    names: &str,
) -> Result {
    changes.make(cx, &mut target.value, names, flags.on("overwrite"))?;
    let object = target.value.clone();
    let spec = pod_spec::of(&mut target.value)?;
    for container in pod_spec::containers(spec, names) {
        cx.line(format_args!(
            "# {} {}, container {}",
            target.resource.kind,
            target.name,
            text(container, &["name"])
        ))?;
        let mut lost: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for variable in list(container, &["env"]) {
            let name = text(variable, &["name"]);
            let Some(from) = variable.get("valueFrom").filter(|f| !f.is_null()) else {
                cx.line(format_args!("{name}={}", text(variable, &["value"])))?;
                continue;
            };
            if flags.on("resolve") {
                let at = (target.namespace.as_str(), &object, &*container);
                match reference::value(cx, from, at).await {
                    Ok(value) => {
                        cx.line(format_args!("{name}={value}"))?;
                        continue;
                    }
                    Err(why) => lost.entry(why).or_default().push(name.to_owned()),
                }
            }
            cx.line(format_args!("# {name} from {}", reference::words(from)))?;
        }
        for (why, names) in lost {
            cx.talk(format_args!(
                "error retrieving reference for {}: {why}",
                names.join(", ")
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_keep_their_places() {
        let there = [
            json!({"name": "A", "value": "1"}),
            json!({"name": "B", "value": "2"}),
        ];
        let changes = Changes {
            set: vec![
                json!({"name": "C", "value": "3"}),
                json!({"name": "A", "value": ""}),
            ],
            remove: vec!["B".to_owned()],
        };
        assert_eq!(
            changes.made(&there),
            [json!({"name": "A"}), json!({"name": "C", "value": "3"})]
        );
    }

    #[test]
    fn objects_and_changes() {
        let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
        assert_eq!(
            part(&words("deploy/web A=1 B-")).unwrap(),
            (words("deploy/web"), words("A=1 B-"))
        );
        assert!(part(&words("A=1 deploy/web")).is_err());
        assert_eq!(variable_name("a-b.c"), "A_B_C");
    }
}
