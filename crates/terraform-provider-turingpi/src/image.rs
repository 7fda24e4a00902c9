// SPDX-License-Identifier: Apache-2.0
//! Images in configurations: which one it is by its contents, not by its path.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tfplugin::{Apply, Attribute, Cancel, Path as At, Plan, Private, Type, Value, validator};
use tokio::sync::Notify;
use turingpi_bmc::flash::{Flash, Progress, TransferError, sha256_of_file};
use turingpi_bmc::{Error, Result};

use crate::session::Board;

/// Under which name the private state keeps the sum, so that a plan need not read gigabytes again.
const KEPT: &str = "image";
/// Under which name it keeps that the resource was imported: which image there is, is not known yet.
const IMPORTED: &str = "imported";
/// Under which name it keeps that writing failed half-way: the image that is configured must be written.
const BROKEN: &str = "broken";

/// The attribute that names an image on this machine.
pub(crate) fn file() -> Attribute {
    Attribute::optional(Type::String)
        .check(validator::not_empty())
        .describe("Image on this machine, plain or `.xz`; sent to the board, and written again when its contents change.")
}

/// The attribute that knows an image by its contents.
pub(crate) fn sum_attribute(more: &str) -> Attribute {
    Attribute::computed(Type::String).describe(&format!(
        "SHA-256 of what was written last, as it was sent{more}."
    ))
}

/// Keeps that a resource was imported.
pub(crate) fn imported(private: &mut Private) {
    private.set(IMPORTED, true);
}

/// Keeps that writing failed half-way, or that it did well.
pub(crate) fn is_broken(private: &mut Private, broken: bool) {
    private.remove(IMPORTED);
    if broken {
        private.set(BROKEN, true);
    } else {
        private.remove(BROKEN);
    }
}

/// The sum of the file that an attribute names, or `None` when it is not there yet. A file that has not changed since its sum was kept is
/// not read again.
pub(crate) async fn sum(path: &Path, private: &mut Private) -> Option<Result<String>> {
    let metadata = std::fs::metadata(path).ok()?;
    let modified = metadata
        .modified()
        .ok()
        .and_then(|m| m.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(0));
    let mark = json!({"path": path, "size": metadata.len(), "modified": modified});
    if let Some(kept) = private.get(KEPT)
        && kept.get("mark") == Some(&mark)
        && let Some(sum) = kept.get("sha256").and_then(serde_json::Value::as_str)
    {
        return Some(Ok(sum.to_owned()));
    }
    match sha256_of_file(path).await {
        Ok((sum, _)) => {
            private.set(KEPT, json!({"mark": mark, "sha256": sum}));
            Some(Ok(sum))
        }
        Err(e) => Some(Err(e)),
    }
}

/// What is planned for an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planned {
    /// It is what was written last.
    Kept,
    /// It is written.
    Written,
    /// It is taken for what was written: by the provider that came before this one, or by whoever wrote what was imported.
    Adopted,
}

/// Plans the sum of the image in `firmware_file`: what the file holds now, unknown while it is not there. `given` is the sum of an image
/// that is somewhere else.
pub(crate) async fn plan(plan: &mut Plan, given: Value) -> Planned {
    let mut sum_of_image = match plan.planned.attribute("firmware_file") {
        Value::String(path) => match sum(Path::new(path), &mut plan.private).await {
            Some(Ok(sum)) => Value::from(sum),
            None => Value::Unknown,
            Some(Err(e)) => {
                plan.diagnostics.error_at(
                    &At::of("firmware_file"),
                    "The image cannot be read",
                    crate::report::detail(&e),
                );
                return Planned::Kept;
            }
        },
        Value::Null => given,
        _ => Value::Unknown,
    };
    let before = plan.prior.attribute("firmware_sha256").clone();
    let same_name = !plan.is_create()
        && ["firmware_file", "bmc_file", "url"]
            .iter()
            .all(|name| plan.planned.attribute(name) == plan.prior.attribute(name));
    let broken = plan.private.get(BROKEN).is_some();
    let has_image = ["firmware_file", "bmc_file", "url"]
        .iter()
        .any(|name| !plan.planned.attribute(name).is_null());
    // a file that is not there any more, under the name under which it was written, is no new image
    if sum_of_image.is_unknown() && same_name && !broken {
        sum_of_image = before.clone();
    }
    if let (Value::Unknown, Some(path)) = (
        &sum_of_image,
        plan.planned.attribute("firmware_file").as_str(),
    ) {
        let text = format!("There is no {path} yet. It must be there when this is applied.");
        plan.diagnostics
            .warning_at(&At::of("firmware_file"), "The image is not there", text);
    }
    plan.planned.set("firmware_sha256", sum_of_image.clone());
    if plan.is_create() {
        return Planned::Written;
    }
    if broken && has_image {
        return Planned::Written;
    }
    let is_imported = plan.private.get(IMPORTED).is_some();
    if before.is_null() && has_image && (same_name || is_imported) {
        if before == sum_of_image && same_name {
            return Planned::Kept;
        }
        plan.diagnostics.warning(
            "What is on the module is not known",
            "An eMMC cannot be read through the BMC. The configured image is taken for what is on it, and nothing is written now. \
             To write it, replace the resource: apply with -replace.",
        );
        return Planned::Adopted;
    }
    if before == sum_of_image {
        Planned::Kept
    } else {
        Planned::Written
    }
}

/// A sum that is configured must be that of the file, where the file can be read.
pub(crate) fn check_sum(plan: &mut Plan) {
    let (Some(wanted), Some(found)) = (
        plan.config.attribute("sha256").as_str(),
        plan.planned.attribute("firmware_sha256").as_str(),
    ) else {
        return;
    };
    if !wanted.eq_ignore_ascii_case(found) {
        let text = format!(
            "The image has the SHA-256 {found}, configured is {wanted}. Nothing is written."
        );
        plan.diagnostics
            .error_at(&At::of("sha256"), "The image is another one", text);
    }
}

/// Writes an image within a time, until the user wants no more. Progress goes to the log.
pub(crate) async fn write(
    board: &Board,
    flash: &Flash,
    within: Duration,
    cancel: &Cancel,
    mut on_progress: impl FnMut(&str),
) -> Result<Option<String>> {
    let Some(_up) = cancel.run(board.up()).await else {
        return Err(Error::Transfer {
            slot: flash.slot,
            source: TransferError::NotBegun,
        });
    };
    let (stop, mut stopped) = turingpi_bmc::flash::never();
    let mut last = String::new();
    // the time counts from when the board is ours: others may be written before
    let begun = Arc::new(Notify::new());
    let begins = begun.clone();
    let mut told = move |progress: Progress| {
        if matches!(progress, Progress::Writing(..)) {
            begins.notify_one();
        }
        let text = in_words(progress);
        if text != last {
            log::info!("{text}");
            on_progress(&text);
            last = text;
        }
    };
    let writing = board.bmc.flash(flash, &mut told, &mut stopped);
    tokio::pin!(writing);
    let end = async {
        tokio::select! {
            () = begun.notified() => {}
            () = cancel.cancelled() => {}
        }
        let late = tokio::time::timeout(within, cancel.cancelled())
            .await
            .is_err();
        // the transfer ends on the board as well before it is told here
        let _ = stop.send(true);
        late
    };
    tokio::pin!(end);
    let mut late = false;
    let mut ended = false;
    let result = loop {
        tokio::select! {
            result = &mut writing => break result,
            was_late = &mut end, if !ended => {
                ended = true;
                late = was_late;
            }
        }
    };
    board.forget().await;
    match result {
        Err(Error::Transfer { .. }) if late => Err(Error::Timeout {
            endpoint: board.bmc.endpoint().authority(),
            what: "the end of the transfer".into(),
            after: within,
        }),
        Ok(flashed) => Ok(flashed.sha256),
        Err(e) => Err(e),
    }
}

/// Progress in steps of ten percent, so that logs stay short.
fn in_words(progress: Progress) -> String {
    let percent = |done: u64, all: u64| {
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(0);
        percent.min(100) / 10 * 10
    };
    match progress {
        Progress::Waiting => "waiting for another transfer to the board".to_owned(),
        Progress::Hashing(done, all) => format!("reading the image: {} %", percent(done, all)),
        Progress::Writing(done, all) => format!("writing: {} %", percent(done, all)),
        Progress::Verifying(done, all) => format!("verifying: {} %", percent(done, all)),
    }
}

/// Tells why an image was not written, at the attribute that is to blame.
pub(crate) fn failed(apply: &mut Apply, what: &str, error: &Error) {
    let at = match error {
        Error::File { .. } => Some("firmware_file"),
        Error::Transfer {
            source: TransferError::NoModule,
            ..
        } => Some("node"),
        _ => None,
    };
    match at {
        Some(at) => crate::report::error_at(&mut apply.diagnostics, at, what, error),
        None => crate::report::error(&mut apply.diagnostics, what, error),
    }
}

/// Whether a failure may have come after the first byte was written.
pub(crate) fn leaves_half_of_it(error: &Error) -> bool {
    match error {
        Error::Transfer { source, .. } => !matches!(
            source,
            TransferError::Busy(_) | TransferError::NotBegun | TransferError::NoModule
        ),
        Error::File { .. } | Error::Argument(_) | Error::Unsupported { .. } => false,
        _ => true,
    }
}
