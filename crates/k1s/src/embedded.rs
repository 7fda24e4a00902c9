// SPDX-License-Identifier: Apache-2.0
//! The API of a local store, for a command that asks it in this process: no server, no socket, one thread.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use k1s_api::{Api, Identity, Options};
use k1s_cli::error::Error;
use k1s_cli::flag::Parsed;
use k1s_cli::transport::Transport;
use k1s_cli::transport::service::InProcess;
use k1s_server::pki::{Kept, KeyedCertificate, Pki};

use crate::place;

/// The way to the API of the store that the flags name, as the administrator.
pub(crate) fn transport(flags: &Parsed) -> k1s_cli::error::Result<Rc<dyn Transport>> {
    let api = open(flags).map_err(|e| Error::message(format!("{e:#}")))?;
    Ok(Rc::new(InProcess::new(api.identified(Identity::admin()))))
}

/// What is shown to kubelets, made for a command that asks one.
fn kubelet_client(directory: &Path) -> std::result::Result<Arc<KeyedCertificate>, String> {
    let now = SystemTime::now();
    Pki::open(directory, now)
        .and_then(|pki| pki.kubelet_client(now))
        .map(Arc::new)
        .map_err(|error| format!("{:#}", anyhow::Error::from(error)))
}

fn open(flags: &Parsed) -> Result<Api> {
    let Some(directory) = place::directory(flags)? else {
        unreachable!("--memory is no flag of these commands")
    };
    let store = place::open(&directory, k1s_store::Options::default())?;
    let now = SystemTime::now();
    // What a server has already made is read without being parsed. In a new directory it is made now, so that what
    // this command stores and what a later server presents agree.
    let kept = match Pki::kept(&directory)? {
        Some(kept) => kept,
        None => Pki::open(&directory, now).map(|pki| Kept::of(&pki))?,
    };
    let options = Options {
        tenant: flags.text("tenant").to_owned(),
        root_ca: kept.ca_pem,
        token_key: crate::server::token_key(kept.service_account_key_der),
        node_access: k1s_server::kubelets::over_network(move || kubelet_client(&directory)),
        background: false,
        ..Options::default()
    };
    Api::open(store, options).map_err(|status| anyhow::anyhow!(status.message))
}
