// SPDX-License-Identifier: Apache-2.0
//! The flags of a server that choose controllers and hollow nodes, and starting them beside the API.

use anyhow::Result;
use k1s_api::Api;
use k1s_cli::flag::{Flag, Parsed};
use k1s_controllers::{Options, Selection};
use k1s_server::stop::Stop;

const CONTROLLERS: Flag = Flag::text(
    "controllers",
    "Controllers to run: all, or names as kube-controller-manager has them, with commas; -NAME leaves one out. Empty is none.",
);

/// Which controllers run: none unless said otherwise.
pub(crate) const OFF: Flag = CONTROLLERS;

/// Which controllers run: all unless said otherwise.
pub(crate) const ON: Flag = CONTROLLERS.default("all");

/// How many hollow nodes there are.
pub(crate) const HOLLOW_NODES: Flag = Flag::number(
    "hollow-nodes",
    "0",
    "Nodes to pretend: they take any pod and report it running, for tests of operators (at most 10000).",
);

/// More hollow nodes would be a mistyped number.
const MOST_HOLLOW_NODES: i64 = 10_000;

/// What is to run beside the API.
pub(crate) struct Wanted {
    selection: Selection,
    options: Options,
}

/// What the flags ask for; `None` when that is nothing.
pub(crate) fn wanted(flags: &Parsed) -> Result<Option<Wanted>> {
    let selection = Selection::parse(flags.text("controllers"))
        .map_err(|error| anyhow::anyhow!("--controllers: {error}"))?;
    let nodes = flags.number("hollow-nodes");
    let hollow_nodes = u32::try_from(nodes)
        .ok()
        .filter(|_| nodes <= MOST_HOLLOW_NODES)
        .ok_or_else(|| {
            anyhow::anyhow!("--hollow-nodes {nodes} is not between 0 and {MOST_HOLLOW_NODES}")
        })?;
    let nothing = selection.is_empty() && hollow_nodes == 0;
    let options = Options { hollow_nodes };
    Ok((!nothing).then_some(Wanted { selection, options }))
}

/// Runs it until the server stops.
pub(crate) async fn run(wanted: Wanted, api: Api, mut stop: Stop) {
    let client = k1s_client::client(api, "default");
    k1s_controllers::run(client, &wanted.selection, wanted.options, stop.stopped()).await;
}
