// SPDX-License-Identifier: Apache-2.0
//! `auth reconcile`: adds to roles and bindings what files say, and with flags removes what they do not say.

mod covers;

use http::Method;
use k1s_core::object::{list, text};
use serde_json::{Map, Value};

use crate::client::Call;
use crate::command::Command;
use crate::commands::generators::show;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use covers::{missing, shown_rule, shown_subject};

/// The annotation by which an object opts out.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

pub(super) static COMMAND: Command = Command {
    name: "reconcile",
    aliases: &[],
    usage: "-f FILE",
    about: "Add the rules and subjects of files to roles and bindings",
    examples: &[
        (
            "Add what the roles and bindings of a file lack",
            "auth reconcile -f rbac.yaml",
        ),
        (
            "Remove what is not in the file, too",
            "auth reconcile -f rbac.yaml --remove-extra-permissions --remove-extra-subjects",
        ),
    ],
    flags: &[
        source::FLAGS,
        print::FLAGS,
        print::DRY_RUN,
        &[
            Flag::switch(
                "remove-extra-permissions",
                "Remove rules that the file does not have.",
            ),
            Flag::switch(
                "remove-extra-subjects",
                "Remove subjects that the file does not have.",
            ),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

/// What has to be done to an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    None,
    Create,
    Update,
    Recreate,
}

/// An object as it is to be, and what that takes.
struct Plan {
    object: Value,
    operation: Operation,
    added: Vec<Value>,
    removed: Vec<Value>,
    protected: bool,
}

async fn run(cx: &Context, flags: &Parsed) -> Result {
    if !flags.args.is_empty() {
        return Err(Error::message("no arguments are allowed"));
    }
    if !source::is_given(flags) {
        return Err(Error::message("must specify one of -f and -k"));
    }
    let mut outcome = Outcome::new(flags)?;
    if outcome.dry_run == DryRun::Server {
        return Err(Error::message(
            "--dry-run=server for command reconcile is not supported yet",
        ));
    }
    for target in Selection::new(cx, flags)?.targets(cx, flags, false).await? {
        let target = target?;
        if target.resource.group != "rbac.authorization.k8s.io" {
            continue;
        }
        if target.resource.version != "v1" {
            let (version, kind) = (&target.resource.version, &target.resource.kind);
            return Err(Error::message(format!(
                "only rbac.authorization.k8s.io/v1 is supported: not *{version}.{kind}"
            )));
        }
        reconcile(cx, flags, &mut outcome, &target).await?;
    }
    Ok(())
}

async fn reconcile(cx: &Context, flags: &Parsed, outcome: &mut Outcome, target: &Target) -> Result {
    let there = match cx.json(&Call::get(target.path())).await {
        Ok(there) => Some(there),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let is_role = target.resource.kind.ends_with("Role");
    let remove = flags.on(if is_role {
        "remove-extra-permissions"
    } else {
        "remove-extra-subjects"
    });
    let mut plan = plan(&target.value, there.as_ref(), is_role, remove);
    if outcome.dry_run == DryRun::None && !plan.protected {
        let collection = target.resource.path(&target.namespace, "", "");
        match plan.operation {
            Operation::None => {}
            Operation::Create => {
                plan.object = cx
                    .json(&Call::with_json(Method::POST, collection, &plan.object))
                    .await?
            }
            Operation::Update => {
                plan.object = cx
                    .json(&Call::with_json(Method::PUT, target.path(), &plan.object))
                    .await?
            }
            Operation::Recreate => {
                cx.call(&Call::new(Method::DELETE, target.path())).await?;
                plan.object = cx
                    .json(&Call::with_json(Method::POST, collection, &plan.object))
                    .await?;
            }
        }
    }
    show(
        cx,
        flags,
        outcome,
        &plan.object,
        &target.resource.group_kind(),
        "reconciled",
    )?;
    cx.flush()?;
    tell(cx, &plan, is_role, remove);
    Ok(())
}

fn tell(cx: &Context, plan: &Plan, is_role: bool, remove: bool) {
    let operation = match plan.operation {
        Operation::None => return,
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Recreate => "recreate",
    };
    let caveat = if plan.protected {
        format!(", but object opted out ({AUTO_UPDATE}: false)")
    } else {
        String::new()
    };
    cx.talk(format_args!(
        "\treconciliation required {operation}{caveat}"
    ));
    let what = if is_role { "rules" } else { "subjects" };
    let removed: &[Value] = if remove { &plan.removed } else { &[] };
    for (title, items) in [
        (format!("missing {what} added"), plan.added.as_slice()),
        (format!("extra {what} removed"), removed),
    ] {
        if !items.is_empty() {
            cx.talk(format_args!("\t{title}:"));
        }
        for item in items {
            cx.talk(format_args!(
                "\t\t{}",
                if is_role {
                    shown_rule(item)
                } else {
                    shown_subject(item)
                }
            ));
        }
    }
}

fn plan(wanted: &Value, there: Option<&Value>, is_role: bool, remove: bool) -> Plan {
    let field = if is_role { "rules" } else { "subjects" };
    let Some(there) = there else {
        let added = list(wanted, &[field]).to_vec();
        return Plan {
            object: wanted.clone(),
            operation: Operation::Create,
            added,
            removed: Vec::new(),
            protected: false,
        };
    };
    let protected = text(there, &["metadata", "annotations", AUTO_UPDATE]) == "false";
    if !is_role && there["roleRef"] != wanted["roleRef"] {
        return Plan {
            object: wanted.clone(),
            operation: Operation::Recreate,
            added: Vec::new(),
            removed: Vec::new(),
            protected,
        };
    }
    let (old, new) = (list(there, &[field]), list(wanted, &[field]));
    let (added, removed) = match is_role {
        true => (missing(old, new), missing(new, old)),
        false => {
            let without = |all: &[Value], known: &[Value]| {
                all.iter()
                    .filter(|item| !known.contains(item))
                    .cloned()
                    .collect::<Vec<_>>()
            };
            (without(new, old), without(old, new))
        }
    };
    let mut object = there.clone();
    let mut changed = !added.is_empty() || (remove && !removed.is_empty());
    if changed {
        object[field] = if remove {
            new.to_vec()
        } else {
            [old, &added].concat()
        }
        .into();
    }
    for marks in ["labels", "annotations"] {
        let mut merged = there["metadata"][marks]
            .as_object()
            .cloned()
            .unwrap_or_default();
        for (key, value) in wanted["metadata"][marks].as_object().unwrap_or(&Map::new()) {
            changed |= merged.get(key) != Some(value);
            merged.insert(key.clone(), value.clone());
        }
        if !merged.is_empty() {
            object["metadata"][marks] = merged.into();
        }
    }
    let operation = if changed {
        Operation::Update
    } else {
        Operation::None
    };
    Plan {
        object,
        operation,
        added,
        removed,
        protected,
    }
}
