// SPDX-License-Identifier: Apache-2.0
//! `patch`: a strategic merge, a merge or a JSON patch of objects.

use k1s_core::object::text;
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::client::Call;
use crate::command::Command;
use crate::context::Context;
use crate::document;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::mapping::Resource;
use crate::patching;
use crate::print::{self, DryRun, Outcome};
use crate::selection::{Selection, Target};
use crate::source;
use crate::writing::{PatchType, Writer, field_manager};

/// `patch`.
pub(super) static COMMAND: Command = Command {
    name: "patch",
    aliases: &[],
    usage: "(-f FILE | TYPE NAME) [-p PATCH | --patch-file FILE] [OPTIONS]",
    about: "Change fields of objects.",
    examples: &[
        (
            "Change one field; lists are merged by their keys",
            "patch deployment web -p '{\"spec\":{\"replicas\":3}}'",
        ),
        (
            "Single operations",
            "patch configmap settings --type=json -p '[{\"op\":\"remove\",\"path\":\"/data/old\"}]'",
        ),
        (
            "A patch of a file",
            "patch service web --type=merge --patch-file=patch.yaml",
        ),
        (
            "A file, without asking any API",
            "patch -f pod.yaml --local -p '{\"metadata\":{\"labels\":{\"a\":\"b\"}}}' -o yaml",
        ),
    ],
    flags: &[
        &[
            field_manager!("kubectl-patch"),
            Flag::switch(
                "local",
                "Patch the file's object and print it; nothing is sent.",
            ),
            Flag::text("patch", "The patch, JSON or YAML.").short('p'),
            Flag::text("patch-file", "File with the patch."),
            Flag::switch("record", "Accepted for kubectl's sake."),
            Flag::text(
                "subresource",
                "A subresource in place of the object: status, scale.",
            ),
            Flag::text("type", "json, merge or strategic.").default("strategic"),
        ],
        print::DRY_RUN,
        print::FLAGS,
        source::FLAGS,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    let kind = match args.text("type").to_lowercase().as_str() {
        "json" => PatchType::Json,
        "merge" => PatchType::Merge,
        "strategic" | "" => PatchType::Strategic,
        _ => {
            return Err(Error::message(format!(
                "--type must be one of [json merge strategic], not {}",
                Quoted(args.text("type"))
            )));
        }
    };
    let (inline, file) = (args.text("patch"), args.text("patch-file"));
    if inline.is_empty() && file.is_empty() {
        return Err(Error::message(
            "must specify --patch or --patch-file containing the contents of the patch",
        ));
    }
    if !inline.is_empty() && !file.is_empty() {
        return Err(Error::message(
            "cannot specify --patch and --patch-file together",
        ));
    }
    let local = args.on("local");
    if local && !args.args.is_empty() {
        return Err(Error::message(
            "cannot specify --local and server resources",
        ));
    }
    let patch = if file.is_empty() {
        inline.as_bytes().to_vec()
    } else if file == "-" {
        cx.read_input()?
    } else {
        std::fs::read(file).map_err(|e| {
            let why = match e.kind() {
                std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                _ => e.to_string(),
            };
            Error::message(format!("unable to read patch file: open {file}: {why}"))
        })?
    };
    let patch = as_json(&patch).map_err(|e| {
        Error::message(format!(
            "unable to parse {}: {e}",
            Quoted(&String::from_utf8_lossy(&patch))
        ))
    })?;

    let writer = Writer::new(args)?;
    let mut outcome = Outcome::new(args)?;
    // kubectl does not say that it only pretended.
    outcome.dry_run = DryRun::None;
    let mut selection = Selection::new(cx, args)?;
    selection.local = local;
    let (mut errors, mut count) = (Vec::new(), 0);
    for target in selection.targets(cx, args, false).await? {
        let done = match target {
            Ok(target) => {
                one(
                    cx,
                    args,
                    &writer,
                    &mut outcome,
                    &target,
                    kind,
                    &patch,
                    local,
                )
                .await
            }
            Err(e) => Err(e),
        };
        match done {
            Ok(()) => count += 1,
            Err(e @ Error::Output(_)) => return Err(e),
            Err(e) => errors.push(e),
        }
    }
    if errors.is_empty() && count == 0 {
        return Err(Error::message("no objects passed to patch"));
    }
    Error::all(errors)
}

#[expect(
    clippy::too_many_arguments,
    reason = "each is a part of the one request"
)]
async fn one(
    cx: &Context,
    args: &Parsed,
    writer: &Writer,
    outcome: &mut Outcome,
    target: &Target,
    kind: PatchType,
    patch: &[u8],
    local: bool,
) -> Result {
    let before = match args.text("subresource") {
        "scale" if !local && writer.dry_run != DryRun::Client => {
            let path = target
                .resource
                .path(&target.namespace, &target.name, "scale");
            &cx.json(&Call::get(path)).await?
        }
        _ => &target.value,
    };
    let patched = if local || writer.dry_run == DryRun::Client {
        patching::apply(target, kind, patch)?
    } else {
        writer
            .patch(cx, target, args.text("subresource"), kind, patch.to_vec())
            .await
            .map_err(|e| unsupported(e, target, kind))?
    };
    let done = if patched == *before {
        "patched (no change)"
    } else {
        "patched"
    };
    if text(&patched, &["kind"]) == "Scale" {
        // what came back is no object of the kind that was named
        return outcome.tell(cx, &scale(), &patched, done);
    }
    outcome.tell(cx, &target.resource, &patched, done)
}

/// The kind that `/scale` answers with.
fn scale() -> Resource {
    Resource::guess("autoscaling/v1", "Scale")
}

fn unsupported(error: Error, target: &Target, kind: PatchType) -> Error {
    match error.refusal() {
        Some(refusal) if refusal.code == 415 => Error::message(format!(
            "{} is not supported by {}, Kind={}: {}",
            kind.content(),
            target.resource.api_version(),
            target.resource.kind,
            refusal.message
        )),
        _ => error,
    }
}

/// A patch in YAML as JSON; what looks like JSON is for the API to judge.
fn as_json(patch: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let start = patch.iter().find(|b| !b.is_ascii_whitespace());
    if start == Some(&b'{') {
        return Ok(patch.to_vec());
    }
    let value: Value = document::yaml(patch)?;
    Ok(value.to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_may_be_yaml() {
        let check =
            |text: &str, json: &str| assert_eq!(as_json(text.as_bytes()).unwrap(), json.as_bytes());
        check("{bad", "{bad");
        check("data:\n  a: b\n", r#"{"data":{"a":"b"}}"#);
        check("[]", "[]");
        check("words", "\"words\"");
    }
}
