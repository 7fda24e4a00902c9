// SPDX-License-Identifier: Apache-2.0
//! The API over TLS until it is told to stop: what `k1s serve` and `k1s up` have in common.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use k1s_api::{Api, Options, TokenKey};
use k1s_cli::error::Error;
use k1s_cli::flag::{Flag, Parsed};
use k1s_server::kubeconfig::Kubeconfig;
use k1s_server::limits::{self, Limits};
use k1s_server::listener::Listener;
use k1s_server::pki::Pki;
use k1s_server::stop;
use k1s_server::token_signer::TokenSigner;
use k1s_store::Store;
use tokio::time::sleep;

use crate::{controllers, place};

/// Where to listen.
pub(crate) const LISTEN: Flag = Flag::text(
    "listen",
    "Address and port to listen on; port 0 is any that is free.",
)
.default("127.0.0.1:6443");

/// A server that listens and is about to answer.
pub(crate) struct Ready {
    /// Where a client on this machine reaches it.
    pub(crate) url: String,
    /// How the administrator reaches it.
    pub(crate) kubeconfig: Kubeconfig,
}

/// The key of a data directory, as the API signs service account tokens with it.
pub(crate) fn token_key(pkcs8_der: Vec<u8>) -> TokenKey {
    TokenKey::new(Arc::new(TokenSigner::new(pkcs8_der)))
}

/// Refuses words that are no flags.
pub(crate) fn without_arguments(flags: &Parsed) -> k1s_cli::error::Result {
    match flags.args.first() {
        None => Ok(()),
        Some(word) => Err(Error::message(format!(
            "{word:?} is not expected here; see k1s {} --help",
            flags.path
        ))),
    }
}

/// Serves until SIGINT or SIGTERM. `announce` runs once connections are accepted, before the first is answered.
pub(crate) fn run(
    flags: &Parsed,
    announce: impl FnOnce(&Ready) -> Result<()> + Send,
) -> k1s_cli::error::Result {
    // The thread that runs the command has a runtime already, made for one thread.
    let served = std::thread::scope(|scope| scope.spawn(|| serve(flags, announce)).join());
    match served {
        Ok(result) => result.map_err(|error| Error::message(format!("{error:#}"))),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The longest pause between two looks for what expires next: another process may have stored something meanwhile.
const SWEEP_PAUSE: Duration = Duration::from_secs(5);

/// Deletes what has expired, so that watchers learn of it; reads do not show it anyway.
async fn sweep(store: Arc<dyn Store>) {
    loop {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let left = store
            .next_expiry()
            .ok()
            .flatten()
            .map(|at| Duration::from_millis(at).saturating_sub(now));
        match left {
            Some(Duration::ZERO) => {
                let store = store.clone();
                // A failure is one of writing; requests that write report it.
                let _ = tokio::task::spawn_blocking(move || store.sweep()).await;
                tokio::task::yield_now().await;
            }
            Some(left) => sleep(left.min(SWEEP_PAUSE)).await,
            None => sleep(SWEEP_PAUSE).await,
        }
    }
}

/// Threads that answer requests: half of the cores, for a request on its way from one to another is woken there, which
/// takes longer than to answer most of them. The other half is for those who ask, and for the store. Controllers have
/// work of their own for every core.
fn workers(controlling: bool) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if controlling {
        cores
    } else {
        (cores / 2).max(1)
    }
}

fn serve(flags: &Parsed, announce: impl FnOnce(&Ready) -> Result<()>) -> Result<()> {
    let listen = flags.text("listen");
    let listen: SocketAddr = listen
        .parse()
        .with_context(|| format!("--listen {listen:?} is not ADDRESS:PORT"))?;
    let controllers = controllers::wanted(flags)?;
    limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers(controllers.is_some()))
        .enable_all()
        .build()
        .context("cannot start threads")?;
    runtime.block_on(async {
        let now = SystemTime::now();
        let store_options = k1s_store::Options {
            group_commit: true,
            ..k1s_store::Options::default()
        };
        let (store, pki) = match place::directory(flags)? {
            None => (k1s_store::memory(store_options), Pki::in_memory(now)?),
            Some(directory) => (
                place::open(&directory, store_options)?,
                Pki::open(&directory, now)?,
            ),
        };
        let kubelet_client = Arc::new(pki.kubelet_client(now)?);
        let options = Options {
            tenant: flags.text("tenant").to_owned(),
            root_ca: pki.ca_pem().to_owned(),
            token_key: token_key(pki.service_account_key_der()),
            node_access: k1s_server::kubelets::over_network(move || Ok(kubelet_client.clone())),
            background: true,
            ..Options::default()
        };
        let sweeping = tokio::spawn(sweep(store.clone()));
        let api = Api::open(store, options).map_err(|status| anyhow!(status.message))?;
        let uname = rustix::system::uname();
        let certificate = pki.server(listen.ip(), uname.nodename().to_str().ok(), now)?;
        let listener =
            Listener::bind(listen, &certificate, pki.ca_der(), Limits::default()).await?;
        let url = listener.url();
        let kubeconfig = Kubeconfig::new(&url, pki.ca_pem(), &pki.admin(now)?);

        let (switch, stop) = stop::channel();
        let signal = stop::signalled().context("cannot listen for signals")?;
        let background = tokio::spawn({
            let api = api.clone();
            async move { api.background().await }
        });
        let controlling = controllers
            .map(|wanted| tokio::spawn(controllers::run(wanted, api.clone(), stop.clone())));
        let address = listener.address();
        let advertising = tokio::spawn({
            let api = api.clone();
            async move { api.advertise(address).await }
        });
        let serving = tokio::spawn(listener.serve(api, stop));
        announce(&Ready { url, kubeconfig })?;
        signal.await;
        switch.stop();
        serving.await.context("the listener failed")?;
        if let Some(controlling) = controlling {
            controlling.await.context("the controllers failed")?;
        }
        advertising.abort();
        background.abort();
        sweeping.abort();
        Ok(())
    })
}
