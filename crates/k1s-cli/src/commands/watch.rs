// SPDX-License-Identifier: Apache-2.0
//! `watch`: what changed since a revision, from the log, and every change as it comes.

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::print;
use crate::selection::{ALL_NAMESPACES, Selection, nothing_named};

/// `watch`.
pub(super) static COMMAND: Command = Command {
    name: "watch",
    aliases: &[],
    usage: "(TYPE [NAME | -l SELECTOR] | TYPE/NAME) [--since=REVISION]",
    about: "Show what changed since a revision, and what changes.",
    examples: &[
        ("Every change from now on", "watch configmaps"),
        (
            "What happened to one object since revision 100, one JSON object a line",
            "watch configmap/settings --since=100 -o json",
        ),
        (
            "The next change of any pod, then an end",
            "watch pods -A --count=1",
        ),
        (
            "What the log holds, for two seconds",
            "watch pods --since=1 --request-timeout=2s",
        ),
    ],
    flags: &[
        &[
            Flag::number("count", "0", "End after so many changes; 0 is never."),
            Flag::text(
                "field-selector",
                "Only objects whose fields are so: key1=value1,key2!=value2.",
            ),
            Flag::list("label-columns", "Labels with a column each.").short('L'),
            Flag::switch("no-headers", "No line of headings."),
            Flag::text(
                "selector",
                "Only objects with such labels: key1=value1,key2 in (a, b).",
            )
            .short('l'),
            Flag::switch("show-labels", "A column with all labels."),
            Flag::text(
                "since",
                "Revision (resourceVersion) after which changes are shown; without it from now on.",
            ),
        ],
        print::FLAGS,
        ALL_NAMESPACES,
    ],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    if args.args.is_empty() {
        return Err(nothing_named());
    }
    let since = args.text("since");
    if !since.is_empty() && since.parse::<u64>().is_err() {
        return Err(Error::usage(
            format!("--since={since} is not a revision: it is a whole number, a resourceVersion"),
            args,
        ));
    }
    let mut selection = Selection::new(cx, args)?;
    selection.bare_kind_is_all = true;
    super::get::watch::replay(cx, args, &selection, since).await
}
