// SPDX-License-Identifier: Apache-2.0
//! Waiting until an object is gone.

use k1s_core::object::text;
use tokio::time::{Instant, timeout_at};

use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::selection::Target;
use crate::watch::Watch;

/// Waits until the object of that uid (any, if it is empty) is gone; another of the same name is as good as none.
///
/// # Errors
/// When it is still there at the deadline, or the API refuses.
pub async fn wait(cx: &Context, target: &Target, uid: &str, deadline: Option<Instant>) -> Result {
    let gone = gone(cx, target, uid);
    match deadline {
        None => gone.await,
        Some(at) => timeout_at(at, gone).await.unwrap_or_else(|_| {
            Err(Error::message(format!(
                "timed out waiting for the condition on {}/{}",
                target.resource.plural, target.name
            )))
        }),
    }
}

async fn gone(cx: &Context, target: &Target, uid: &str) -> Result {
    loop {
        let there = match cx.json(&Call::get(target.path())).await {
            Ok(there) => there,
            Err(e) if e.is_not_found() => return Ok(()),
            Err(e) => return Err(e),
        };
        if !uid.is_empty() && text(&there, &["metadata", "uid"]) != uid {
            return Ok(());
        }
        let list = Call::get(target.resource.path(&target.namespace, "", ""))
            .query("fieldSelector", format!("metadata.name={}", target.name));
        let version = text(&there, &["metadata", "resourceVersion"]).to_owned();
        let mut watch = Watch::start(cx, list, &version).await?;
        // An ended watch says nothing; the object is asked for again.
        while let Some(event) = watch.next().await? {
            if event.kind == "DELETED" {
                return Ok(());
            }
        }
    }
}
