// SPDX-License-Identifier: Apache-2.0
//! Runs the controller over the store of `inventory`, in one process with the API: no server, no socket.

use anyhow::Context as _;
use k1s_api::{Api, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let usage =
        "usage: inventory-controller DATA-DIR, the directory that `inventory` keeps its data in";
    let directory = std::env::args_os().nth(1).context(usage)?;
    let store = std::path::Path::new(&directory).join("store");
    let store = k1s_store::open(&store, k1s_store::Options::default())?;
    let options = Options {
        background: true,
        definitions: inventory::definitions(),
        ..Options::default()
    };
    let api = Api::open(store, options)?;
    let client = k1s_client::client(api.clone(), "default");
    println!("counting items; Ctrl-C ends it");
    tokio::select! {
        () = api.background() => {}
        () = inventory_controller::run(client) => {}
        ended = tokio::signal::ctrl_c() => ended?,
    }
    Ok(())
}
