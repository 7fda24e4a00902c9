// SPDX-License-Identifier: Apache-2.0
//! `set serviceaccount`.

use super::{COMMON, Setting, pod_spec, set, targets};
use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::{print, source};

/// `set serviceaccount`.
pub(super) static COMMAND: Command = Command {
    name: "serviceaccount",
    aliases: &["sa"],
    usage: "(-f FILE | TYPE NAME) SERVICE_ACCOUNT",
    about: "Set the service account of pods",
    examples: &[(
        "The account that pods run as",
        "set serviceaccount deployment web robot",
    )],
    flags: &[source::FLAGS, print::FLAGS, print::DRY_RUN, COMMON],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

async fn run(cx: &Context, flags: &Parsed) -> Result {
    let Some((account, words)) = flags.args.split_last() else {
        return Err(Error::message("serviceaccount is required"));
    };
    let setting = Setting {
        done: "serviceaccount updated",
        refused: "failed to patch ServiceAccountName ",
        unchanged: true,
        change: &|object| {
            pod_spec::of(object)?["serviceAccountName"] = account.as_str().into();
            Ok(())
        },
    };
    set(cx, flags, targets(cx, flags, words).await?, &setting).await
}
