// SPDX-License-Identifier: Apache-2.0
//! `label` and `annotate`: set and remove labels and annotations.

use std::collections::BTreeMap;

use k1s_core::name;
use k1s_core::object::map;
use k1s_core::quote::Quoted;
use serde_json::{Map, Value, json};

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print::{self, DryRun, Outcome};
use crate::selection::{ALL_NAMESPACES, SELECTORS, Selection, Target};
use crate::source;
use crate::writing::{PatchType, Writer, field_manager};

const FLAGS: &[Flag] = &[
    Flag::switch("list", "Show what there is."),
    Flag::switch(
        "local",
        "Change the file's object and print it; nothing is sent.",
    ),
    Flag::switch("overwrite", "Replace values that are there."),
    Flag::switch("record", "Accepted for kubectl's sake."),
    Flag::text("resource-version", "Only if the object has this version."),
];

/// `label`.
pub(super) static LABEL: Command = Command {
    name: "label",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) KEY_1=VAL_1 … KEY_N- [OPTIONS]",
    about: "Set or remove labels of objects.",
    examples: &[
        (
            "Set one label, remove another",
            "label pods web tier=front old-",
        ),
        (
            "Change a label that is there",
            "label pods web tier=back --overwrite",
        ),
        ("All objects of a kind", "label pods --all checked=yes"),
        ("Show the labels", "label pods web --list"),
    ],
    flags: &[
        &[field_manager!("kubectl-label")],
        FLAGS,
        print::DRY_RUN,
        print::FLAGS,
        source::FLAGS,
        SELECTORS,
        ALL_NAMESPACES,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args, Field::Labels))),
};

/// `annotate`.
pub(super) static ANNOTATE: Command = Command {
    name: "annotate",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) KEY_1=VAL_1 … KEY_N- [OPTIONS]",
    about: "Set or remove annotations of objects.",
    examples: &[
        (
            "Set one annotation, remove another",
            "annotate pods web note='by hand' old-",
        ),
        (
            "Change an annotation that is there",
            "annotate -f web.yaml note=again --overwrite",
        ),
    ],
    flags: &[
        &[field_manager!("kubectl-annotate")],
        FLAGS,
        print::DRY_RUN,
        print::FLAGS,
        source::FLAGS,
        SELECTORS,
        ALL_NAMESPACES,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args, Field::Annotations))),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Labels,
    Annotations,
}

impl Field {
    fn key(self) -> &'static str {
        if self == Self::Labels {
            "labels"
        } else {
            "annotations"
        }
    }

    fn word(self) -> &'static str {
        if self == Self::Labels {
            "label"
        } else {
            "annotation"
        }
    }
}

/// What is to be changed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    set: BTreeMap<String, String>,
    remove: Vec<String>,
}

/// Parts the objects from the changes: the first word with `=` in it or `-` at its end begins the changes.
fn part(args: &[String], field: Field) -> Result<(Vec<String>, Vec<String>)> {
    let is_change = |arg: &str| {
        arg.len() > 1 && (arg.ends_with('-') || arg.contains('=') && !arg.starts_with('='))
    };
    let first = args.iter().position(|a| is_change(a)).unwrap_or(args.len());
    let (objects, changes) = args.split_at(first);
    if let Some(stray) = changes.iter().find(|c| !is_change(c)) {
        return Err(Error::message(format!(
            "all resources must be specified before {} changes: {stray}",
            field.word()
        )));
    }
    Ok((objects.to_vec(), changes.to_vec()))
}

impl Change {
    fn new(words: &[String], field: Field) -> Result<Self> {
        let mut change = Self::default();
        for word in words {
            let Some((key, value)) = word.split_once('=') else {
                change.remove.push(word.trim_end_matches('-').to_owned());
                continue;
            };
            if field == Field::Labels {
                if value.contains('=') {
                    return Err(Error::message(format!("invalid label spec: {word}")));
                }
                let faults = name::label_value(value);
                if !faults.is_empty() {
                    return Err(Error::message(format!(
                        "invalid label value: {}: {}",
                        Quoted(word),
                        faults.join(";")
                    )));
                }
            }
            change.set.insert(key.to_owned(), value.to_owned());
        }
        let both: Vec<&str> = change
            .remove
            .iter()
            .filter(|key| change.set.contains_key(*key))
            .map(String::as_str)
            .collect();
        if !both.is_empty() {
            return Err(Error::message(match field {
                Field::Labels => {
                    "can not both modify and remove a label in the same command".to_owned()
                }
                Field::Annotations => format!(
                    "can not both modify and remove the following annotation(s) in the same command: {}",
                    both.join(", ")
                ),
            }));
        }
        Ok(change)
    }

    /// Refuses to replace what is there.
    fn check(&self, object: &Value, field: Field) -> Result {
        let there = map(object, &["metadata", field.key()]);
        let mut taken = Vec::new();
        for (key, value) in &self.set {
            let Some(old) = there.and_then(|m| m.get(key)).and_then(Value::as_str) else {
                continue;
            };
            if field == Field::Labels && old != value {
                taken.push(format!(
                    "'{key}' already has a value ({old}), and --overwrite is false"
                ));
            } else if field == Field::Annotations
                && old != value
                && key != "kubernetes.io/change-cause"
            {
                taken.push(format!("'{key}' already has a value ({old})"));
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        Err(Error::message(match field {
            Field::Labels => taken.join(", "),
            Field::Annotations => format!(
                "--overwrite is false but found the following declared annotation(s): {}",
                taken.join("; ")
            ),
        }))
    }

    fn make(&self, object: &mut Value, field: Field) {
        if object["metadata"].is_null() {
            object["metadata"] = json!({});
        }
        if !object["metadata"][field.key()].is_object() {
            object["metadata"][field.key()] = json!({});
        }
        if let Some(there) = object["metadata"][field.key()].as_object_mut() {
            for (key, value) in &self.set {
                there.insert(key.clone(), value.as_str().into());
            }
            for key in &self.remove {
                there.remove(key);
            }
        }
    }

    /// The merge patch that makes the change in this object; what is so already is not in it.
    fn patch(&self, object: &Value, field: Field, version: &str) -> Value {
        let there = map(object, &["metadata", field.key()]);
        let mut entries = Map::new();
        for (key, value) in &self.set {
            if there.and_then(|m| m.get(key)).and_then(Value::as_str) != Some(value) {
                entries.insert(key.clone(), value.as_str().into());
            }
        }
        for key in &self.remove {
            if there.is_some_and(|m| m.contains_key(key)) {
                entries.insert(key.clone(), Value::Null);
            }
        }
        let mut metadata = Map::new();
        if !entries.is_empty() || there.is_none() {
            metadata.insert(field.key().to_owned(), entries.into());
        }
        if !version.is_empty() {
            metadata.insert("resourceVersion".to_owned(), version.into());
        }
        if metadata.is_empty() {
            json!({})
        } else {
            json!({ "metadata": metadata })
        }
    }
}

async fn run(cx: &Context, args: &Parsed, field: Field) -> Result {
    let (objects, words) = part(&args.args, field)?;
    let change = Change::new(&words, field)?;
    let list = args.on("list");
    if list && field == Field::Labels && !args.text("output").is_empty() {
        return Err(Error::message(
            "--list and --output may not be specified together",
        ));
    }
    if objects.is_empty() && !source::is_given(args) {
        return Err(Error::message(
            "one or more resources must be specified as <resource> <name> or <resource>/<name>",
        ));
    }
    if change == Change::default() && !list {
        return Err(Error::message(format!(
            "at least one {} update is required",
            field.word()
        )));
    }
    if args.on("all") && !args.text("selector").is_empty() {
        return Err(Error::message(
            "cannot set --all and --selector at the same time",
        ));
    }
    if args.on("all") && !args.text("field-selector").is_empty() {
        return Err(Error::message(
            "cannot set --all and --field-selector at the same time",
        ));
    }
    let local = args.on("local");
    if local && args.text("dry-run") == "server" {
        return Err(Error::message(
            "cannot specify --local and --dry-run=server - did you mean --dry-run=client?",
        ));
    }
    if local && !source::is_given(args) {
        let name = match field {
            Field::Labels => "pod",
            Field::Annotations => "rsrc",
        };
        return Err(Error::message(format!(
            "can only use local files by -f {name}.yaml or --filename={name}.json when --local=true is set"
        )));
    }
    let writer = Writer::new(args)?;
    let mut outcome = Outcome::new(args)?;
    let mut selection = Selection::new(cx, args)?;
    selection.args = objects;
    selection.local = local;
    let single = selection.single_name();
    if !args.text("resource-version").is_empty() && !single {
        return Err(Error::message(
            "--resource-version may only be used with a single resource",
        ));
    }
    let mut errors = Vec::new();
    for target in selection.targets(cx, args, !local).await? {
        let done = match target {
            Err(e) => Err(e),
            Ok(target) if list => show(cx, &change, field, target, single),
            Ok(target) => {
                one(
                    cx,
                    args,
                    &change,
                    field,
                    &writer,
                    &mut outcome,
                    target,
                    local,
                )
                .await
            }
        };
        match done {
            Ok(()) => {}
            Err(e @ Error::Output(_)) => return Err(e),
            Err(e) => errors.push(e),
        }
    }
    Error::all(errors)
}

fn show(cx: &Context, change: &Change, field: Field, mut target: Target, single: bool) -> Result {
    change.make(&mut target.value, field);
    let indent = if single { "" } else { " " };
    if !single {
        cx.line(format_args!(
            "Listing {} for {}.{}/{}:",
            field.key(),
            target.resource.kind,
            target.resource.group,
            target.name
        ))?;
    }
    for (key, value) in map(&target.value, &["metadata", field.key()])
        .into_iter()
        .flatten()
    {
        cx.line(format_args!(
            "{indent}{key}={}",
            value.as_str().unwrap_or_default()
        ))?;
    }
    Ok(())
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of the one request"
)]
async fn one(
    cx: &Context,
    args: &Parsed,
    change: &Change,
    field: Field,
    writer: &Writer,
    outcome: &mut Outcome,
    mut target: Target,
    local: bool,
) -> Result {
    if !args.on("overwrite") {
        change.check(&target.value, field)?;
    }
    let sends = !local && writer.dry_run != DryRun::Client;
    if sends && field == Field::Labels {
        let there = map(&target.value, &["metadata", "labels"]);
        for key in &change.remove {
            if !there.is_some_and(|m| m.contains_key(key)) {
                cx.line(format_args!("label {} not found.", Quoted(key)))?;
            }
        }
    }
    let old = target.value.clone();
    let patch = change.patch(&old, field, args.text("resource-version"));
    change.make(&mut target.value, field);
    let done = match field {
        Field::Annotations => "annotated",
        Field::Labels if old == target.value => "not labeled",
        Field::Labels
            if !args.on("overwrite") && target.value.to_string().len() < old.to_string().len() =>
        {
            "unlabeled"
        }
        Field::Labels => "labeled",
    };
    if sends {
        target.value = writer
            .patch(cx, &target, "", PatchType::Merge, patch.to_string())
            .await?;
    }
    outcome.tell(cx, &target.resource, &target.value, done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn objects_and_changes() {
        let check = |line: &str, objects: &str, changes: &str| {
            assert_eq!(
                part(&words(line), Field::Labels).unwrap(),
                (words(objects), words(changes)),
                "{line}"
            );
        };
        check("cm a k=v l-", "cm a", "k=v l-");
        check("cm a =v", "cm a =v", "");
        check("cm a k", "cm a k", "");
        assert!(part(&words("cm a k=v b"), Field::Labels).is_err());
    }

    #[test]
    fn mistakes() {
        let check = |line: &str, field: Field, message: &str| {
            assert!(
                Change::new(&words(line), field)
                    .unwrap_err()
                    .to_string()
                    .starts_with(message),
                "{line}"
            );
        };
        check(
            "k=bad*value",
            Field::Labels,
            "invalid label value: \"k=bad*value\": a valid label must be",
        );
        check(
            "k=v k-",
            Field::Labels,
            "can not both modify and remove a label",
        );
        check(
            "k=v k-",
            Field::Annotations,
            "can not both modify and remove the following annotation(s) in the same command: k",
        );
    }

    #[test]
    fn patches_hold_only_what_changes() {
        let object = json!({"metadata": {"labels": {"a": "1", "b": "2"}}});
        let check = |line: &str, patch: Value| {
            assert_eq!(
                Change::new(&words(line), Field::Labels)
                    .unwrap()
                    .patch(&object, Field::Labels, ""),
                patch,
                "{line}"
            );
        };
        check("a=1", json!({}));
        check(
            "a=2 b- c-",
            json!({"metadata": {"labels": {"a": "2", "b": null}}}),
        );
    }
}
