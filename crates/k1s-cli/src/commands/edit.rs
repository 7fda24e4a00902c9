// SPDX-License-Identifier: Apache-2.0
//! `edit`, and the editing of `create --edit`: an object goes to the editor, and what comes back is what it is to be.

use k1s_core::object::text;
use k1s_core::quote::Quoted;
use serde_json::{Value, json};

use crate::command::Command;
use crate::context::Context;
use crate::document;
use crate::editor::Draft;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::patching;
use crate::print::{self, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::writing::{self, PatchType, Validation, Writer, field_manager};

/// `edit`.
pub(super) static COMMAND: Command = Command {
    name: "edit",
    aliases: &[],
    usage: "(TYPE NAME | -f FILE) [OPTIONS]",
    about: "Edit objects with the editor of KUBE_EDITOR or EDITOR.",
    examples: &[
        (
            "Edit a config map in $KUBE_EDITOR or $EDITOR",
            "edit configmap settings",
        ),
        ("In JSON", "edit deployment/web -o json"),
        (
            "What is not in the specification: the status",
            "edit deployment/web --subresource=status",
        ),
    ],
    flags: &[
        &[
            field_manager!("kubectl-edit"),
            Flag::switch("output-patch", "Show the patch too."),
            Flag::switch("record", "Accepted for kubectl's sake."),
            Flag::switch(
                "save-config",
                "Keep the object in its annotation, for apply.",
            ),
            Flag::text(
                "subresource",
                "A subresource in place of the object: status, scale.",
            ),
            writing::VALIDATE,
            Flag::switch("windows-line-endings", "Accepted for kubectl's sake."),
        ],
        print::FLAGS,
        source::FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

const HEADER: &str = "# Please edit the object below. Lines beginning with a '#' will be ignored,\n\
# and an empty file will abort the edit. If an error occurs while saving this file will be\n\
# reopened with the relevant failures.\n#\n";

/// What came back from the editor.
pub(super) enum Edited {
    /// Nothing is to be done, and it was said why.
    Cancelled,
    /// The object, and the file that it was read from.
    Object(Box<Value>, Draft),
}

/// One round after the other with the editor, until there is an object or the person gives up.
pub(super) struct Session<'a> {
    cx: &'a Context,
    target: &'a Target,
    json: bool,
    original: String,
    last: Option<(String, Draft)>,
    reasons: String,
}

impl<'a> Session<'a> {
    pub(super) fn new(cx: &'a Context, args: &Parsed, target: &'a Target, shown: &Value) -> Self {
        let json = args.text("output") == "json";
        let original = if json {
            print::json(shown)
        } else {
            print::yaml(shown)
        };
        Self {
            cx,
            target,
            json,
            original,
            last: None,
            reasons: String::new(),
        }
    }

    /// Opens the editor; with a reason, because the last try was refused.
    pub(super) fn edit(&mut self) -> Result<Edited> {
        loop {
            let body = match &self.last {
                Some((text, _)) => stripped(text, "#"),
                None => self.original.clone(),
            };
            let head = if self.json {
                String::new()
            } else {
                format!("{HEADER}{}", self.reasons)
            };
            let ending = if self.json { "json" } else { "yaml" };
            self.cx.flush()?;
            let draft = Draft::new(ending, &format!("{head}{body}"))?;
            let text = match draft.edit() {
                Ok(text) => text,
                Err(e) => {
                    draft.remove();
                    return Err(e);
                }
            };
            let tried = self.last.take();
            if let Some((before, old)) = &tried {
                if stripped(before, "#") == stripped(&text, "#") {
                    old.remove();
                    return Err(
                        self.given_up(&draft, "Edit cancelled, no valid changes were saved.")
                    );
                }
                old.remove();
            }
            if stripped(&text, "#") == stripped(&self.original, "#") {
                draft.remove();
                self.cx.talk("Edit cancelled, no changes made.");
                return Ok(Edited::Cancelled);
            }
            match document::yaml(text.as_bytes()) {
                // What says no kind cannot be sent, but is no fault of a field either.
                Ok(value)
                    if value.is_object()
                        && (self::text(&value, &["apiVersion"]).is_empty()
                            || self::text(&value, &["kind"]).is_empty()) =>
                {
                    self.last = Some((text, draft));
                }
                Ok(value) if value.is_object() => {
                    return Ok(Edited::Object(Box::new(value), draft));
                }
                Ok(_) => self.again(text, draft, "invalid object to validate"),
                Err(why) => self.again(text, draft, &why),
            }
        }
    }

    /// Keeps the text for another round, and tells why it is needed.
    pub(super) fn again(&mut self, text: String, draft: Draft, why: &str) {
        let what = self.target.resource.group_resource();
        self.cx.talk(format_args!(
            "error: {what} {} is invalid",
            Quoted(&self.target.name)
        ));
        self.reasons = format!("# {what} {} was not valid:\n", Quoted(&self.target.name));
        for line in why.lines() {
            self.reasons.push_str(&format!("# * {line}\n"));
        }
        self.reasons.push_str("#\n");
        self.last = Some((text, draft));
    }

    fn given_up(&self, draft: &Draft, why: &str) -> Error {
        self.cx.talk(format_args!(
            "A copy of your changes has been stored to {}",
            Quoted(&draft.path().display().to_string())
        ));
        Error::message(why)
    }
}

/// The lines that do not begin so.
fn stripped(text: &str, comment: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !line.trim_start().starts_with(comment))
        .collect()
}

async fn run(cx: &Context, args: &Parsed) -> Result {
    let writer = Writer::new(args)?;
    let form = args.text("output");
    if !["", "json", "kyaml", "yaml"].contains(&form) {
        return Err(Error::message(format!(
            "unable to match a printer suitable for the output format \"{form}\", allowed formats are: json,kyaml,yaml"
        )));
    }
    let mut outcome = Outcome::new(args)?;
    let mut selection = Selection::new(cx, args)?;
    selection.bare_kind_is_all = true;
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for target in selection.targets(cx, args, true).await? {
        match target {
            Ok(target) => targets.push(target),
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)?;
    if targets.is_empty() {
        return Err(Error::message("edit cancelled, no objects found"));
    }
    for target in targets {
        one(cx, args, &writer, &mut outcome, target).await?;
    }
    Ok(())
}

async fn one(
    cx: &Context,
    args: &Parsed,
    writer: &Writer,
    outcome: &mut Outcome,
    target: Target,
) -> Result {
    let shown = print::without_managed_fields(&target.value);
    let mut session = Session::new(cx, args, &target, &shown);
    loop {
        let (mut value, draft) = match session.edit()? {
            Edited::Cancelled => return Ok(()),
            Edited::Object(value, draft) => (value, draft),
        };
        for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"]] {
            if text(&value, path) != text(&shown, path) {
                return Err(session.given_up(
                    &draft,
                    "At least one of apiVersion, kind and name was changed",
                ));
            }
        }
        writing::remember_if(&mut value, args.on("save-config"));
        let patch = patching::difference(&shown, &value);
        if patch == json!({}) {
            draft.remove();
            return outcome.tell(cx, &target.resource, &target.value, "skipped");
        }
        if args.on("output-patch") {
            cx.line(format_args!("Patch: {patch}"))?;
        }
        let answer = writer
            .patch(
                cx,
                &target,
                args.text("subresource"),
                PatchType::Merge,
                patch.to_string(),
            )
            .await;
        match answer {
            Ok(answer) => {
                draft.remove();
                return outcome.tell(cx, &target.resource, &answer, "edited");
            }
            Err(e) if e.refusal().is_some_and(|r| r.reason == "Invalid") => {
                let text = std::fs::read_to_string(draft.path()).unwrap_or_default();
                session.again(text, draft, e.render().trim_end());
            }
            Err(e) if e.is_not_found() => {
                cx.talk(format_args!(
                    "The edits you made on deleted resources have been saved to {}",
                    Quoted(&draft.path().display().to_string())
                ));
                return Err(e);
            }
            Err(e) => {
                let what = target.resource.group_resource();
                cx.talk(format_args!(
                    "error: {what} {} could not be patched: {e}",
                    Quoted(&target.name)
                ));
                cx.talk(format_args!(
                    "You can run `{} replace -f {}` to try this update again.",
                    crate::PROGRAM,
                    draft.path().display()
                ));
                return Err(Error::Exit(1));
            }
        }
    }
}

/// `create --edit`: the objects of the files go to the editor, and what comes back is created.
pub(super) async fn created(
    cx: &Context,
    args: &Parsed,
    writer: &Writer,
    outcome: &mut Outcome,
) -> Result {
    let mut selection = Selection::new(cx, args)?;
    selection.validate = writer.validation != Some(Validation::Ignore);
    let (mut errors, mut count) = (Vec::new(), 0);
    for target in selection.targets(cx, args, false).await? {
        count += 1;
        let done = match target {
            Ok(target) => create_edited(cx, args, writer, outcome, target).await,
            Err(e) => Err(e),
        };
        errors.extend(done.err());
    }
    if count == 0 {
        return Err(Error::message("no objects passed to create"));
    }
    Error::all(errors)
}

async fn create_edited(
    cx: &Context,
    args: &Parsed,
    writer: &Writer,
    outcome: &mut Outcome,
    mut target: Target,
) -> Result {
    let shown = target.value.clone();
    let copy = target.clone();
    let mut session = Session::new(cx, args, &copy, &shown);
    let (value, draft) = match session.edit()? {
        Edited::Cancelled => return Ok(()),
        Edited::Object(value, draft) => (value, draft),
    };
    target.value = *value;
    writing::remember_if(&mut target.value, args.on("save-config"));
    let answer = if writer.dry_run == print::DryRun::Client {
        target.value.clone()
    } else {
        match writer.create(cx, &target).await {
            Ok(answer) => answer,
            Err(e) => {
                return Err(match e {
                    Error::Api(_) => {
                        cx.talk(format_args!(
                            "A copy of your changes has been stored to {}",
                            Quoted(&draft.path().display().to_string())
                        ));
                        e
                    }
                    other => other,
                });
            }
        }
    };
    draft.remove();
    outcome.tell(cx, &target.resource, &answer, "created")
}
