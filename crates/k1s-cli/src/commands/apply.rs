// SPDX-License-Identifier: Apache-2.0
//! `apply`: objects become as the files say, on the client's side (three-way patch) or on the server's.

use std::rc::Rc;

use k1s_core::object::{annotation, text};
use serde_json::{Value, json};

use crate::PROGRAM;
use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::patching;
use crate::print::{self, DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::writing::{self, LAST_APPLIED, Validation, Writer};

mod last_applied;
pub(in crate::commands) mod prune;
mod server_side;

/// `apply`.
pub(super) static COMMAND: Command = Command {
    name: "apply",
    aliases: &[],
    usage: "-f FILE [OPTIONS]",
    about: "Make objects as files or standard input say.",
    examples: &[
        (
            "Make objects as a file says; run it again after each change",
            "apply -f web.yaml",
        ),
        ("What would be done", "apply -f web.yaml --dry-run=server"),
        (
            "Delete what is no longer in the files",
            "apply -f manifests/ --prune -l app=web",
        ),
        ("Of standard input", "apply -f - < web.yaml"),
    ],
    flags: &[FLAGS, print::DRY_RUN, print::FLAGS, source::FLAGS],
    subcommands: &[&last_applied::EDIT, &last_applied::SET, &last_applied::VIEW],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

const FLAGS: &[Flag] = &[
    Flag::switch("all", "With --prune: all objects of the namespace."),
    Flag::text("cascade", "What becomes of dependents of what is deleted.")
        .default("background")
        .bare("background"),
    Flag::text(
        "field-manager",
        "Name that the written fields are kept under.",
    )
    .default("kubectl"),
    Flag::switch("force", "Delete and create again what cannot be patched."),
    Flag::switch(
        "force-conflicts",
        "With --server-side: take over fields of other managers.",
    ),
    Flag::number(
        "grace-period",
        "-1",
        "Seconds that a deleted object has to end.",
    ),
    Flag::switch("openapi-patch", "Accepted for kubectl's sake.").default("true"),
    Flag::switch("overwrite", "Set back what others changed.").default("true"),
    Flag::switch(
        "prune",
        "Delete objects that an earlier apply made and the files no longer name.",
    ),
    Flag::each(
        "prune-allowlist",
        "Kinds that --prune may delete, group/version/kind.",
    ),
    Flag::switch("record", "Accepted for kubectl's sake."),
    Flag::text("selector", "Only objects with such labels.").short('l'),
    Flag::switch("server-side", "Let the API merge."),
    Flag::text(
        "subresource",
        "With --server-side: a subresource in place of the object.",
    ),
    Flag::duration("timeout", "0s", "How long to wait until an object is gone."),
    writing::VALIDATE,
    Flag::switch("wait", "Wait until deleted objects are gone."),
];

/// An object that was applied, for `--prune` and for the forms that show all at the end.
pub(in crate::commands) struct Applied {
    pub(in crate::commands) uid: String,
    pub(in crate::commands) namespace: String,
}

/// What a run of apply has to hand.
struct Run<'a> {
    cx: &'a Context,
    args: &'a Parsed,
    writer: Writer,
    outcome: Outcome,
    shown: Vec<Value>,
    applied: Vec<Applied>,
}

async fn run(cx: &Context, args: &Parsed) -> Result {
    if !args.args.is_empty() {
        return Err(Error::unexpected("Unexpected args", args));
    }
    let server_side = args.on("server-side");
    let mut writer = Writer::new(args)?;
    let outcome = Outcome::new(args)?;
    check(args, &writer)?;
    let allowed = prune::allowed(cx, args).await?;
    if !source::is_given(args) {
        return Err(Error::message("must specify one of -f and -k"));
    }
    if !server_side && !args.given("field-manager") {
        "kubectl-client-side-apply".clone_into(&mut writer.manager);
    }
    let mut selection = Selection::new(cx, args)?;
    // All objects of the files are applied; --all is about what is pruned.
    selection.labels = Some(args.text("selector").to_owned()).filter(|s| !s.is_empty());
    selection.validate = writer.validation != Some(Validation::Ignore);
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for target in selection.targets(cx, args, false).await? {
        match target {
            Ok(target) => targets.push(target),
            Err(e) => errors.push(e),
        }
    }
    if targets.is_empty() && errors.is_empty() {
        return Err(Error::message("no objects passed to apply"));
    }
    let mut run = Run {
        cx,
        args,
        writer,
        outcome,
        shown: Vec::new(),
        applied: Vec::new(),
    };
    for target in targets {
        let done = if server_side {
            run.on_server(target).await
        } else {
            run.one(target).await
        };
        match done {
            Ok(()) => {}
            Err(e @ Error::Output(_)) => return Err(e),
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)?;
    run.show_all()?;
    if args.on("prune") {
        prune::run(
            cx,
            args,
            &selection,
            &run.applied,
            allowed,
            &mut run.outcome,
        )
        .await?;
    }
    Ok(())
}

/// Flags that do not go together.
fn check(args: &Parsed, writer: &Writer) -> Result {
    let server_side = args.on("server-side");
    let why = if args.on("force-conflicts") && !server_side {
        "--force-conflicts only works with --server-side"
    } else if args.on("force") && server_side {
        "--force cannot be used with --server-side"
    } else if writer.dry_run == DryRun::Client && server_side {
        "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
    } else if writer.dry_run == DryRun::Server && args.on("force") {
        "--dry-run=server cannot be used with --force"
    } else if args.on("prune") && args.on("all") && !args.text("selector").is_empty() {
        "cannot set --all and --selector at the same time"
    } else if args.on("prune") && !args.on("all") && args.text("selector").is_empty() {
        "all resources selected for prune without explicitly passing --all. To prune all resources, pass the --all flag. \
         If you did not mean to prune all resources, specify a label selector"
    } else if !args.text("subresource").is_empty() && !server_side {
        "--subresource can only be specified for --server-side"
    } else {
        return super::delete::policy(args).map(|_| ());
    };
    Err(Error::message(why))
}

impl Run<'_> {
    /// Applies one object on the client's side.
    async fn one(&mut self, mut target: Target) -> Result {
        let generate = text(&target.value, &["metadata", "generateName"]);
        if target.name.is_empty() && !generate.is_empty() {
            return Err(Error::message(format!(
                "from {generate}: cannot use generate name with apply"
            )));
        }
        let verb = format!(
            "retrieving current configuration of:\n{}\nfrom server for:",
            described(&target)
        );
        target
            .require_name()
            .map_err(|e| e.with_source(&verb, &target.source))?;
        writing::remember(&mut target.value);
        let current = match self
            .cx
            .object(&Call::get(target.path()), &target.namespace)
            .await
        {
            Ok(current) => current,
            Err(e) if e.is_not_found() => return self.create(target).await,
            Err(e) => return Err(e.with_source(&verb, &target.source)),
        };
        self.note(&current, &target);
        if self.writer.dry_run == DryRun::Client {
            return self.tell(&target.resource, current, "configured");
        }
        if annotation(&current, LAST_APPLIED).is_none() {
            self.cx.talk(format_args!(
                "Warning: resource {}/{} is missing the {LAST_APPLIED} annotation which is required by {PROGRAM} apply. \
                 {PROGRAM} apply should only be used on resources created declaratively by either {PROGRAM} create --save-config \
                 or {PROGRAM} apply. The missing annotation will be patched automatically.",
                target.resource.plural, target.name
            ));
        }
        let (patched, changed) = self.patch(&target, current).await?;
        if !text(&patched, &["metadata", "deletionTimestamp"]).is_empty() {
            self.cx.talk(format_args!(
                "Warning: Detected changes to resource {} which is currently being deleted.",
                target.name
            ));
        }
        self.tell(
            &target.resource,
            patched,
            if changed { "configured" } else { "unchanged" },
        )
    }

    async fn create(&mut self, mut target: Target) -> Result {
        if self.writer.dry_run != DryRun::Client {
            target.value = self
                .writer
                .create(self.cx, &target)
                .await
                .map_err(|e| e.with_source("creating", &target.source))?;
        }
        let value = target.value.clone();
        self.note(&value, &target);
        self.tell(&target.resource, value, "created")
    }

    /// Patches what is there; a conflict is tried again with what is there then.
    async fn patch(&self, target: &Target, mut current: Value) -> Result<(Value, bool)> {
        const TRIES: usize = 5;
        let mut tries = 0;
        loop {
            let last: Value = annotation(&current, LAST_APPLIED)
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or_else(|| json!({}));
            let (kind, patch) = patching::three_way(
                &target.resource,
                &last,
                &target.value,
                &current,
                self.args.on("overwrite"),
            )?;
            if patch == json!({}) {
                return Ok((current, false));
            }
            let answer = self
                .writer
                .patch(self.cx, target, "", kind, patch.to_string())
                .await;
            let error = match answer {
                Ok(value) => return Ok((value, true)),
                Err(error) => error,
            };
            let reason = error.refusal().map_or("", |r| r.reason.as_str()).to_owned();
            if reason == "Conflict" && tries < TRIES {
                tries += 1;
                current = self.cx.json(&Call::get(target.path())).await?;
                continue;
            }
            if self.args.on("force") && (reason == "Conflict" || reason == "Invalid") {
                return Ok((self.again(target).await?, true));
            }
            let verb = format!("applying patch:\n{patch}\nto:\n{}\nfor:", described(target));
            return Err(error.with_source(&verb, &target.source));
        }
    }

    /// Deletes the object and creates it anew.
    async fn again(&self, target: &Target) -> Result<Value> {
        let mut options = json!({"propagationPolicy": "Background"});
        let grace = self.args.number("grace-period");
        if grace >= 0 {
            options["gracePeriodSeconds"] = grace.into();
        }
        let call = Call::with_json(http::Method::DELETE, target.path(), &options);
        self.cx.json(&call).await?;
        super::delete::wait(
            self.cx,
            vec![(target.clone(), String::new())],
            self.args.duration("timeout"),
        )
        .await?;
        self.writer.create(self.cx, target).await
    }

    fn note(&mut self, object: &Value, target: &Target) {
        self.applied.push(Applied {
            uid: text(object, &["metadata", "uid"]).to_owned(),
            namespace: target.namespace.clone(),
        });
    }

    /// Says what was done; the forms of objects wait until all are done.
    fn tell(
        &mut self,
        resource: &Rc<crate::mapping::Resource>,
        value: Value,
        done: &str,
    ) -> Result {
        if self.outcome.has_form() {
            self.shown.push(value);
            return Ok(());
        }
        self.outcome.tell(self.cx, resource, &value, done)
    }

    fn show_all(&mut self) -> Result {
        let items = std::mem::take(&mut self.shown);
        if items.len() > 1 && self.args.text("output") == "json" {
            return self
                .cx
                .print(list_in_json(items, self.args.on("show-managed-fields")));
        }
        let value = match items.as_slice() {
            [] => return Ok(()),
            [one] => one.clone(),
            _ => json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}),
        };
        self.outcome.print(self.cx, &value)
    }
}

/// A list with its fields in the order of Kubernetes' type.
fn list_in_json(items: Vec<Value>, managed_fields: bool) -> String {
    let items = items
        .iter()
        .map(|i| {
            if managed_fields {
                i.clone()
            } else {
                print::without_managed_fields(i)
            }
        })
        .collect();
    let items = print::json(&Value::Array(items));
    let items = items.trim_end().replace('\n', "\n    ");
    format!(
        "{{\n    \"kind\": \"List\",\n    \"apiVersion\": \"v1\",\n    \"metadata\": {{}},\n    \"items\": {items}\n}}\n"
    )
}

/// An object in a message about what was tried.
fn described(target: &Target) -> String {
    format!(
        "Resource: \"{}/{}, Resource={}\", GroupVersionKind: \"{}/{}, Kind={}\"\nName: \"{}\", Namespace: \"{}\"",
        target.resource.group,
        target.resource.version,
        target.resource.plural,
        target.resource.group,
        target.resource.version,
        target.resource.kind,
        target.name,
        target.namespace
    )
}
