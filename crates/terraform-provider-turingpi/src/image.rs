// SPDX-License-Identifier: Apache-2.0
//! Images in configurations: which one it is by its contents, not by its path.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::json;
use tfplugin::{Apply, Cancel, Diagnostics, Path as At, Private, Value};
use tokio::sync::Notify;
use turingpi_bmc::flash::{Flash, Progress, sha256_of_file};
use turingpi_bmc::{Error, Result};

use crate::session::Board;

/// Under which name the private state keeps the sum, so that a plan need not read gigabytes again.
const KEPT: &str = "image";

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

/// Plans the sum of an image: what the file holds now, unknown while the file is not there.
pub(crate) async fn plan_sum(
    attribute: &str,
    planned: &mut Value,
    private: &mut Private,
    diagnostics: &mut Diagnostics,
) {
    let path = match planned.attribute(attribute) {
        Value::String(path) => PathBuf::from(path),
        Value::Null => {
            planned.set("firmware_sha256", Value::Null);
            return;
        }
        _ => {
            planned.set("firmware_sha256", Value::Unknown);
            return;
        }
    };
    match sum(&path, private).await {
        Some(Ok(sum)) => planned.set("firmware_sha256", sum),
        None => planned.set("firmware_sha256", Value::Unknown),
        Some(Err(e)) => {
            diagnostics.error_at(
                &At::of(attribute),
                "The image cannot be read",
                crate::report::detail(&e),
            );
        }
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

/// Tells why an image was not written.
pub(crate) fn failed(apply: &mut Apply, what: &str, error: &Error) {
    crate::report::error(&mut apply.diagnostics, what, error);
}
