// SPDX-License-Identifier: Apache-2.0
//! `inventory`: kubectl's commands over items and categories in a store of one's own, and one command more. No server runs.

use std::process::ExitCode;
use std::rc::Rc;

use k1s_api::{Api, Identity, Options};
use k1s_cli::app::{App, data_directory};
use k1s_cli::client::Call;
use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use k1s_cli::transport::Transport;
use k1s_cli::transport::service::InProcess;
use serde_json::json;

static ADD: Command = Command {
    name: "add",
    aliases: &[],
    usage: "NAME --category=CATEGORY [--quantity=1] [--shelf=A01]",
    about: "Add an item.",
    examples: &[("Three hammers", "add hammer --category=tools --quantity=3")],
    flags: &[&[
        Flag::text("category", "Category of the item."),
        Flag::number("quantity", "1", "How many there are."),
        Flag::text("shelf", "Where it lies."),
    ]],
    subcommands: &[],
    run: Some(|cx, words| Box::pin(add(cx, words))),
};

async fn add(cx: &Context, words: &Parsed) -> Result {
    let [name] = words.args.as_slice() else {
        return Err(Error::message(
            "add takes one name; see 'inventory add --help'",
        ));
    };
    let mut spec =
        json!({"category": words.text("category"), "quantity": words.number("quantity")});
    if words.given("shelf") {
        spec["shelf"] = words.text("shelf").into();
    }
    let items = cx
        .resource_of_kind("inventory.example.com/v1", "Item")
        .await?;
    let item = json!({"apiVersion": items.api_version(), "kind": "Item", "metadata": {"name": name}, "spec": spec});
    let path = items.path(&cx.namespace()?.0, "", "");
    cx.json(&Call::with_json(http::Method::POST, path, &item))
        .await?;
    cx.line(format_args!("item {name} added"))
}

fn open(flags: &Parsed) -> Result<Rc<dyn Transport>> {
    let directory = data_directory(flags, "inventory")?;
    let store = k1s_store::open(&directory.join("store"), k1s_store::Options::default())
        .map_err(|e| Error::message(e.to_string()))?;
    let options = Options {
        definitions: inventory::definitions(),
        ..Options::default()
    };
    let api = Api::open(store, options).map_err(|e| Error::message(e.to_string()))?;
    Ok(Rc::new(InProcess::new(api.identified(Identity::admin()))))
}

fn main() -> ExitCode {
    App::new("inventory", "Keeps track of items and their categories.")
        .command(&ADD)
        .main(open)
}
