// SPDX-License-Identifier: Apache-2.0
//! kube-rs on the service in this process.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod scenarios;

async fn start() -> (kube::Client, ()) {
    let store = k1s_store::memory(k1s_store::Options::default());
    let api = k1s_api::Api::open(store, k1s_api::Options::default()).unwrap();
    (k1s_client::client(api, "default"), ())
}

scenarios::test_each!(start);
