// SPDX-License-Identifier: Apache-2.0
//! kube-rs on the listener, over TLS, with the kubeconfig that the server writes.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod scenarios;

use std::time::SystemTime;

use k1s_server::kubeconfig::Kubeconfig;
use k1s_server::limits::Limits;
use k1s_server::listener::Listener;
use k1s_server::pki::Pki;
use k1s_server::stop;
use kube::config::{KubeConfigOptions, Kubeconfig as ClientConfig};

/// The server stops when this is dropped.
type Running = (stop::Switch, tempfile::TempDir);

async fn start() -> (kube::Client, Running) {
    let now = SystemTime::now();
    let pki = Pki::in_memory(now).unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let certificate = pki.server("127.0.0.1".parse().unwrap(), None, now).unwrap();
    let listener = Listener::bind(any, &certificate, pki.ca_der(), Limits::default())
        .await
        .unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kubeconfig");
    Kubeconfig::new(&listener.url(), pki.ca_pem(), &pki.admin(now).unwrap())
        .write(&path)
        .unwrap();

    let store = k1s_store::memory(k1s_store::Options::default());
    let options = k1s_api::Options {
        background: true,
        ..k1s_api::Options::default()
    };
    let api = k1s_api::Api::open(store, options).unwrap();
    tokio::spawn({
        let api = api.clone();
        async move { api.background().await }
    });
    let (switch, stop) = stop::channel();
    tokio::spawn(listener.serve(api, stop));

    let config = ClientConfig::read_from(&path).unwrap();
    let config = kube::Config::from_custom_kubeconfig(config, &KubeConfigOptions::default())
        .await
        .unwrap();
    (kube::Client::try_from(config).unwrap(), (switch, directory))
}

scenarios::test_each!(start);
