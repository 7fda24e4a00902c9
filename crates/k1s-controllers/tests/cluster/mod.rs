// SPDX-License-Identifier: Apache-2.0
//! A whole cluster in this process for tests: the API, the controllers, hollow nodes. No server, no socket.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::fmt::Debug;
use std::time::Duration;

use k1s_controllers::{Options, Selection};
use k8s_openapi::NamespaceResourceScope;
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Nothing here takes seconds; whatever takes this long never comes.
pub(crate) const NEVER: Duration = Duration::from_secs(120);

/// A cluster whose controllers reach the API by what `link` makes of the client that is handed out.
pub(crate) fn cluster_through(
    hollow_nodes: u32,
    link: impl FnOnce(&Client) -> Client,
) -> (Client, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
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
    let client = k1s_client::client(api, "default");
    let (stop, stopped) = oneshot::channel();
    let running = tokio::spawn({
        let client = link(&client);
        async move {
            let all = Selection::parse("all").unwrap();
            let options = Options { hollow_nodes };
            let stopped = async { drop(stopped.await) };
            k1s_controllers::run(client, &all, options, stopped).await;
        }
    });
    (client, stop, running)
}

pub(crate) async fn create<K>(client: &Client, object: Value) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Serialize
        + DeserializeOwned
        + Clone
        + Debug,
{
    let api: Api<K> = Api::default_namespaced(client.clone());
    let object = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    api
}

pub(crate) async fn until<K>(api: &Api<K>, name: &str, reached: fn(&Value) -> bool) -> Value
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let json = |object: &K| serde_json::to_value(object).unwrap();
    let condition = move |object: Option<&K>| object.is_some_and(|o| reached(&json(o)));
    let found = timeout(NEVER, await_condition(api.clone(), name, condition)).await;
    let found = found.unwrap_or_else(|_| panic!("{name} never came"));
    json(&found.unwrap().unwrap())
}

pub(crate) fn template(image: &str, restart: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": image}], "restartPolicy": restart, "terminationGracePeriodSeconds": 1},
    })
}
