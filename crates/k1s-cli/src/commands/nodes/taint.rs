// SPDX-License-Identifier: Apache-2.0
//! `taint`: what keeps pods away from nodes.

use k1s_core::name::{label_key, label_value};
use k1s_core::object::{list, text};
use serde_json::{Value, json};

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::mapping::Resource;
use crate::print::{self, DryRun, Outcome};
use crate::selection::{SELECTORS, Selection};
use crate::writing::{PatchType, VALIDATE, Writer};

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// `taint`.
pub(in crate::commands) static COMMAND: Command = Command {
    name: "taint",
    aliases: &[],
    usage: "NODE NAME KEY[=VALUE]:EFFECT | KEY[:EFFECT]- ...",
    about: "Change the taints of nodes",
    examples: &[
        (
            "Only pods that tolerate it may come",
            "taint nodes node-1 dedicated=db:NoSchedule",
        ),
        ("Remove a taint", "taint nodes node-1 dedicated:NoSchedule-"),
        (
            "All nodes with a label",
            "taint nodes -l rack=b maintenance=true:NoExecute",
        ),
    ],
    flags: &[
        SELECTORS,
        print::FLAGS,
        print::DRY_RUN,
        &[
            Flag::switch("all", "All nodes."),
            Flag::text("field-manager", "Who is named as the owner of the fields.")
                .default("kubectl-taint"),
            Flag::switch("overwrite", "Replace taints that are there already."),
            VALIDATE,
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

/// A taint to add, or to remove where it has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Taint {
    key: String,
    value: String,
    effect: String,
}

impl Taint {
    fn is(&self, other: &Value) -> bool {
        self.key == text(other, &["key"])
            && (self.effect.is_empty() || self.effect == text(other, &["effect"]))
    }
}

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let is_spec = |word: &String| word.contains(':') || word.contains('=') || word.ends_with('-');
    let first = flags
        .args
        .iter()
        .position(is_spec)
        .unwrap_or(flags.args.len());
    let (names, specs) = flags.args.split_at(first);
    if names.is_empty() {
        return Err(Error::message(
            "one or more resources must be specified as <resource> <name>",
        ));
    }
    if specs.is_empty() {
        return Err(Error::message("at least one taint update is required"));
    }
    let (add, remove) = parse(specs).map_err(|message| Error::Usage {
        message,
        path: flags.path.clone(),
    })?;
    let writer = Writer::new(flags)?;
    let mut outcome = Outcome::new(flags)?;
    let mut selection = Selection::new(cx, flags)?;
    selection.args = names.to_vec();
    if let [word] = names
        && !word.contains('/')
        && !flags.on("all")
        && flags.text("selector").is_empty()
    {
        return Err(Error::message(
            "at least one resource name must be specified since 'all' parameter is not set",
        ));
    }
    if let [word, ..] = names
        && !word.contains(['/', ','])
        && let Ok(resource) = cx.resource(&word.to_lowercase()).await
    {
        check_kind(&resource)?;
    }
    let mut errors = Vec::new();
    for target in selection.targets(cx, flags, true).await? {
        let target = match target {
            Ok(target) => target,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        check_kind(&target.resource)?;
        let old = list(&target.value, &["spec", "taints"]);
        let (taints, done) = match changed(&target.name, old, &add, &remove, flags.on("overwrite"))
        {
            Ok(change) => change,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let mut object = target.value.clone();
        object["spec"]["taints"] = taints.clone().into();
        if writer.dry_run != DryRun::Client {
            let patch = json!({ "spec": { "taints": if taints.is_empty() { Value::Null } else { taints.into() } } });
            match writer
                .patch(cx, &target, "", PatchType::Merge, patch.to_string())
                .await
            {
                Ok(patched) => object = patched,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            }
        }
        outcome.tell(cx, &target.resource, &object, done)?;
    }
    Error::all(errors)
}

fn check_kind(resource: &Resource) -> Result {
    if resource.kind == "Node" {
        return Ok(());
    }
    Err(Error::message(format!(
        "invalid resource type {}, only node types are supported",
        resource.plural
    )))
}

/// The taints to add and those to remove.
fn parse(specs: &[String]) -> std::result::Result<(Vec<Taint>, Vec<Taint>), String> {
    let (mut add, mut remove) = (Vec::<Taint>::new(), Vec::new());
    for spec in specs {
        if let Some(spec) = spec.strip_suffix('-') {
            let taint = parse_one(spec)?;
            remove.push(Taint {
                value: String::new(),
                ..taint
            });
            continue;
        }
        let taint = parse_one(spec)?;
        if taint.effect.is_empty() {
            return Err(format!("invalid taint spec: {spec}"));
        }
        let Taint { key, value, effect } = &taint;
        if add.iter().any(|a| (&a.key, &a.effect) == (key, effect)) {
            return Err(format!(
                "duplicated taints with the same key and effect: {{{key} {value} {effect} <nil>}}"
            ));
        }
        add.push(taint);
    }
    Ok((add, remove))
}

/// `key`, `key:effect` or `key=value:effect`.
fn parse_one(spec: &str) -> std::result::Result<Taint, String> {
    let invalid = |complaints: &[String]| {
        let why = if complaints.is_empty() {
            String::new()
        } else {
            format!(", {}", complaints.join("; "))
        };
        format!("invalid taint spec: {spec}{why}")
    };
    let parts: Vec<&str> = spec.split(':').collect();
    let (key, value, effect) = match parts.as_slice() {
        [key] => (*key, "", ""),
        [pair, effect] => {
            if !EFFECTS.contains(effect) {
                return Err(format!(
                    "invalid taint effect: {effect}, unsupported taint effect"
                ));
            }
            match pair.split('=').collect::<Vec<_>>().as_slice() {
                [key] => (*key, "", *effect),
                [key, value] => (*key, *value, *effect),
                _ => return Err(invalid(&[])),
            }
        }
        _ => return Err(invalid(&[])),
    };
    for complaints in [label_value(value), label_key(key)] {
        if !complaints.is_empty() {
            return Err(invalid(&complaints));
        }
    }
    Ok(Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
    })
}

/// The taints that a node then has, and the word for the change.
fn changed(
    node: &str,
    old: &[Value],
    add: &[Taint],
    remove: &[Taint],
    overwrite: bool,
) -> Result<(Vec<Value>, &'static str)> {
    if !overwrite {
        let there: Vec<&str> = add
            .iter()
            .filter(|taint| old.iter().any(|old| taint.is(old)))
            .map(|taint| taint.key.as_str())
            .collect();
        if !there.is_empty() {
            let keys = there.join(",");
            return Err(Error::message(format!(
                "node {node} already has {keys} taint(s) with same effect(s) and --overwrite is false"
            )));
        }
    }
    let taint = |taint: &Taint| {
        let mut value = json!({ "key": taint.key, "effect": taint.effect });
        if !taint.value.is_empty() {
            value["value"] = taint.value.as_str().into();
        }
        value
    };
    let mut taints: Vec<Value> = add.iter().map(taint).collect();
    taints.extend(
        old.iter()
            .filter(|old| !add.iter().any(|taint| taint.is(old)))
            .cloned(),
    );
    for gone in remove {
        let before = taints.len();
        taints.retain(|taint| !gone.is(taint));
        if taints.len() == before {
            let effect = if gone.effect.is_empty() {
                String::new()
            } else {
                format!(":{}", gone.effect)
            };
            return Err(Error::message(format!(
                "taint \"{}{effect}\" not found",
                gone.key
            )));
        }
    }
    let done = match (add.is_empty(), remove.is_empty()) {
        _ if overwrite => "modified",
        (false, false) => "modified",
        (false, true) => "tainted",
        _ => "untainted",
    };
    Ok((taints, done))
}

#[cfg(test)]
mod tests {
    use super::{changed, parse};
    use serde_json::json;

    #[test]
    fn taints_come_and_go() {
        let old = [json!({"key": "a", "value": "1", "effect": "NoSchedule"})];
        let check = |specs: &str, overwrite: bool, expected: Result<(&str, usize), &str>| {
            let specs: Vec<String> = specs.split(' ').map(str::to_owned).collect();
            let done = parse(&specs)
                .map_err(super::Error::Message)
                .and_then(|(add, remove)| changed("n", &old, &add, &remove, overwrite));
            assert_eq!(
                done.map(|(taints, done)| (done, taints.len()))
                    .map_err(|error| error.to_string()),
                expected.map_err(str::to_owned),
                "{specs:?}"
            );
        };
        check("b=2:NoExecute", false, Ok(("tainted", 2)));
        check("a-", false, Ok(("untainted", 0)));
        check("a:NoSchedule- b:NoExecute", false, Ok(("modified", 1)));
        check("a=2:NoSchedule", true, Ok(("modified", 1)));
        check(
            "a=2:NoSchedule",
            false,
            Err("node n already has a taint(s) with same effect(s) and --overwrite is false"),
        );
        check(
            "b=1:NoSchedule b=2:NoSchedule",
            true,
            Err("duplicated taints with the same key and effect: {b 2 NoSchedule <nil>}"),
        );
        check(
            "b=c=d:NoSchedule",
            false,
            Err("invalid taint spec: b=c=d:NoSchedule"),
        );
        check(
            "b:NoSchedule:c",
            false,
            Err("invalid taint spec: b:NoSchedule:c"),
        );
        check("z-", false, Err("taint \"z\" not found"));
        check(
            "b:Never",
            false,
            Err("invalid taint effect: Never, unsupported taint effect"),
        );
    }
}
