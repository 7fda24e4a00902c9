// SPDX-License-Identifier: Apache-2.0
//! `diff`: what `apply` would change, shown by `diff -u -N` or by the program that `KUBECTL_EXTERNAL_DIFF` names.

use std::path::{Path, PathBuf};
use std::process::Command as Process;

use k1s_core::object::text;
use serde_json::Value;

use crate::PROGRAM;
use crate::client::Call;
use crate::command::Command;
use crate::commands::apply::{Applied, prune};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::generate::source::system_text;
use crate::print::{self, DryRun};
use crate::selection::{Selection, Target};
use crate::writing::{self, LAST_APPLIED, PatchType, Writer};
use crate::{document, patching, source};

/// How often an object that changes meanwhile is tried anew.
const ATTEMPTS: usize = 4;

/// `diff`.
pub(super) static COMMAND: Command = Command {
    name: "diff",
    aliases: &[],
    usage: "-f FILE",
    about: "Show what apply would change; the exit code is 1 where there is something",
    examples: &[
        (
            "What apply would change; the exit code is 1 if anything",
            "diff -f web.yaml",
        ),
        ("Of standard input", "diff -f - < web.yaml"),
    ],
    flags: &[
        source::FLAGS,
        &[
            Flag::number("concurrency", "1", "Accepted for kubectl's sake."),
            Flag::text("field-manager", "Who is named as the owner of the fields.")
                .default("kubectl-client-side-apply"),
            Flag::switch(
                "force-conflicts",
                "With --server-side, take fields from other managers.",
            ),
            Flag::switch(
                "prune",
                "Show also what `apply --prune` would delete; with -l of those labels only.",
            ),
            Flag::list(
                "prune-allowlist",
                "Kinds that --prune may delete, group/version/kind.",
            ),
            Flag::text("selector", "Only objects of the files with such labels.").short('l'),
            Flag::switch("server-side", "Compare with server-side apply."),
            Flag::switch("show-managed-fields", "Keep the managed fields."),
        ],
    ],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    match compare(cx, flags).await {
        Ok(0) => Ok(()),
        Ok(code) => Err(Error::Exit(code)),
        Err(error) => {
            // What is wrong is told apart from what differs.
            let words = error.render();
            if !words.is_empty() {
                cx.talk(words.trim_end_matches('\n'));
            }
            Err(Error::Exit(error.exit_code().max(2)))
        }
    }
}

async fn compare(cx: &Context, flags: &Parsed) -> Result<i32> {
    if !flags.args.is_empty() {
        let message = format!(
            "Unexpected args: [{}]\nSee '{PROGRAM} diff -h' for help and examples",
            flags.args.join(" ")
        );
        return Err(Error::Message(message));
    }
    if !source::is_given(flags) {
        return Err(Error::message("must specify one of -f and -k"));
    }
    let force = flags.on("force-conflicts");
    if force && !flags.on("server-side") {
        return Err(Error::message(
            "--force-conflicts only works with --server-side",
        ));
    }
    let directories = Directories::new()?;
    let mut selection = Selection::new(cx, flags)?;
    selection.labels =
        Some(flags.text("selector").to_owned()).filter(|selector| !selector.is_empty());
    let allowed = prune::allowed(cx, flags).await?;
    let mut seen = Vec::new();
    for target in selection.targets(cx, flags, false).await? {
        let target = target?;
        let (live, merged) = both(cx, flags, &target).await?;
        if let Some(live) = &live {
            seen.push(Applied {
                uid: text(live, &["metadata", "uid"]).to_owned(),
                namespace: target.namespace.clone(),
            });
        }
        directories.write(flags, &target, live, Some(merged))?;
    }
    if flags.on("prune") {
        for target in prune::candidates(cx, &selection, &seen, allowed).await? {
            let live = target.value.clone();
            directories.write(flags, &target, Some(live), None)?;
        }
    }
    cx.flush()?;
    directories.show(cx)
}

/// An object as it is, and as apply would leave it.
async fn both(cx: &Context, flags: &Parsed, target: &Target) -> Result<(Option<Value>, Value)> {
    let manager = match flags.text("field-manager") {
        "kubectl-client-side-apply" if flags.on("server-side") => "kubectl".to_owned(),
        manager => manager.to_owned(),
    };
    let writer = Writer {
        manager,
        dry_run: DryRun::Server,
        validation: None,
    };
    let mut attempt = 1;
    loop {
        let live = match cx.json(&Call::get(target.path())).await {
            Ok(live) => Some(live),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        match merged(
            cx,
            flags,
            &writer,
            target,
            live.as_ref(),
            attempt < ATTEMPTS,
        )
        .await
        {
            Err(error)
                if attempt < ATTEMPTS
                    && error
                        .refusal()
                        .is_some_and(|refusal| refusal.reason == "Conflict")
                    && !flags.on("server-side") =>
            {
                attempt += 1;
            }
            Err(error) => return Err(error),
            Ok(merged) => return Ok((live, merged)),
        }
    }
}

async fn merged(
    cx: &Context,
    flags: &Parsed,
    writer: &Writer,
    target: &Target,
    live: Option<&Value>,
    lock: bool,
) -> Result<Value> {
    if flags.on("server-side") {
        let path = target.resource.path(&target.namespace, &target.name, "");
        let call = Call::new(http::Method::PATCH, path)
            .body(PatchType::Apply.content(), target.value.to_string())
            .query("dryRun", "All")
            .query("fieldManager", writer.manager.as_str())
            .query("force", flags.text("force-conflicts"));
        return cx.json(&call).await;
    }
    let Some(live) = live else {
        return writer.create(cx, target).await;
    };
    let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let original = read(text(live, &["metadata", "annotations", LAST_APPLIED]));
    let modified = read(&writing::configuration(&target.value));
    let (kind, mut patch) =
        patching::three_way(&target.resource, &original, &modified, live, true)?;
    if patch.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(live.clone());
    }
    if lock && !text(live, &["metadata", "resourceVersion"]).is_empty() {
        k1s_core::object::set(
            &mut patch,
            &["metadata", "resourceVersion"],
            text(live, &["metadata", "resourceVersion"]),
        );
    }
    writer.patch(cx, target, "", kind, patch.to_string()).await
}

/// The two directories that are compared; they go when this does.
struct Directories {
    live: PathBuf,
    merged: PathBuf,
}

impl Directories {
    fn new() -> Result<Self> {
        let live = temporary("LIVE")?;
        match temporary("MERGED") {
            Ok(merged) => Ok(Self { live, merged }),
            Err(error) => {
                let _ = std::fs::remove_dir_all(live);
                Err(error)
            }
        }
    }

    /// Writes an object as it is and as it would be; one that is to go has no second file.
    fn write(
        &self,
        flags: &Parsed,
        target: &Target,
        mut live: Option<Value>,
        mut merged: Option<Value>,
    ) -> Result {
        let resource = &target.resource;
        let group = if resource.group.is_empty() {
            String::new()
        } else {
            format!("{}.", resource.group)
        };
        let shown = merged.as_ref().or(live.as_ref()).unwrap_or(&Value::Null);
        let name = format!(
            "{group}{}.{}.{}.{}",
            resource.version,
            resource.kind,
            text(shown, &["metadata", "namespace"]),
            text(shown, &["metadata", "name"])
        );
        for value in [&mut live, &mut merged].into_iter().flatten() {
            if !flags.on("show-managed-fields") {
                *value = print::without_managed_fields(value);
            }
        }
        let secret = resource.version == "v1" && resource.kind == "Secret";
        if secret {
            mask(live.as_mut(), merged.as_mut());
        }
        let write = |directory: &Path, text: &str| {
            let path = directory.join(&name);
            std::fs::write(&path, text).map_err(|error| {
                Error::message(format!("open {}: {}", path.display(), system_text(&error)))
            })
        };
        let before = match &live {
            Some(live) => document::print_yaml(live),
            // what hides the values makes a null of nothing
            None if secret => "null\n".to_owned(),
            None => String::new(),
        };
        write(&self.live, &before)?;
        merged.map_or(Ok(()), |merged| {
            write(&self.merged, &document::print_yaml(&merged))
        })
    }

    /// Runs the program that shows differences, and gives its exit code.
    fn show(&self, cx: &Context) -> Result<i32> {
        let external = std::env::var("KUBECTL_EXTERNAL_DIFF").unwrap_or_default();
        let mut words = external.split(' ').filter(|word| !word.is_empty());
        let plain = |word: &&str| {
            word.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-=".contains(c))
        };
        let (program, before, after): (&str, &[&str], Vec<&str>) = match words.next() {
            None => ("diff", &["-u", "-N"], Vec::new()),
            Some(program) => (program, &[], words.filter(plain).collect()),
        };
        let output = Process::new(program)
            .args(before)
            .arg(&self.live)
            .arg(&self.merged)
            .args(after)
            .output();
        let failed = |why: String| {
            Error::message(format!(
                "failed to run {}: {why}",
                k1s_core::quote::Quoted(program)
            ))
        };
        let output = output.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => failed(format!(
                "exec: \"{program}\": executable file not found in $PATH"
            )),
            _ => failed(system_text(&error)),
        })?;
        cx.bytes(&output.stdout)?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !said.is_empty() {
            cx.talk(said.trim_end_matches('\n'));
        }
        match output.status.code() {
            Some(code @ 0..=1) => Ok(code),
            Some(code) => Err(failed(format!("exit status {code}"))),
            None => Err(failed("it was killed".to_owned())),
        }
    }
}

impl Drop for Directories {
    fn drop(&mut self) {
        for directory in [&self.live, &self.merged] {
            // Nothing is lost where a temporary directory stays.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// A new directory for its owner only, in the place for temporary files.
fn temporary(name: &str) -> Result<PathBuf> {
    use std::hash::{BuildHasher, Hasher};
    let mut last = None;
    for _ in 0..100 {
        let number = std::hash::RandomState::new().build_hasher().finish() % 10_000_000_000;
        let path = std::env::temp_dir().join(format!("{name}-{number}"));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&path) {
            Ok(()) => return Ok(path),
            Err(error) => last = Some(format!("mkdir {}: {}", path.display(), system_text(&error))),
        }
    }
    Err(Error::Message(last.unwrap_or_default()))
}

/// Hides the values of a secret, but shows which of them change.
fn mask(live: Option<&mut Value>, merged: Option<&mut Value>) {
    let data = |value: &Option<&mut Value>| {
        let data = value.as_ref().and_then(|value| value.get("data"));
        data.and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (before, after) = (data(&live), data(&merged));
    for (side, own, other, changed) in [
        (live, &before, &after, "*** (before)"),
        (merged, &after, &before, "*** (after)"),
    ] {
        let Some(side) = side else { continue };
        for (key, value) in own {
            let differs = other.get(key).is_some_and(|other| other != value);
            side["data"][key] = if differs { changed } else { "***" }.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mask;
    use serde_json::json;

    #[test]
    fn secrets_are_hidden_but_changes_are_seen() {
        let mut live = json!({"data": {"same": "a", "other": "b", "gone": "c"}});
        let mut merged = json!({"data": {"same": "a", "other": "x", "new": "y"}});
        mask(Some(&mut live), Some(&mut merged));
        assert_eq!(
            live,
            json!({"data": {"same": "***", "other": "*** (before)", "gone": "***"}})
        );
        assert_eq!(
            merged,
            json!({"data": {"same": "***", "other": "*** (after)", "new": "***"}})
        );
    }
}
