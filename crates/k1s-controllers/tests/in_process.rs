// SPDX-License-Identifier: Apache-2.0
//! Controllers, scheduler and hollow nodes on the service in this process: no server, no socket.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::fmt::Debug;
use std::time::Duration;

use k1s_controllers::{Options, Selection};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Nothing here takes seconds; whatever takes this long never comes.
const NEVER: Duration = Duration::from_secs(120);

fn cluster() -> (Client, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
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
        let client = client.clone();
        async move {
            let all = Selection::parse("all").unwrap();
            let options = Options { hollow_nodes: 2 };
            let stopped = async { drop(stopped.await) };
            k1s_controllers::run(client, &all, options, stopped).await;
        }
    });
    (client, stop, running)
}

async fn create<K>(client: &Client, object: Value) -> Api<K>
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

async fn until<K>(api: &Api<K>, name: &str, reached: fn(&Value) -> bool) -> Value
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug + Send + 'static,
{
    let json = |object: &K| serde_json::to_value(object).unwrap();
    let condition = move |object: Option<&K>| object.is_some_and(|o| reached(&json(o)));
    let found = timeout(NEVER, await_condition(api.clone(), name, condition)).await;
    json(&found.expect("it never came").unwrap().unwrap())
}

fn template(image: &str, restart: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": image}], "restartPolicy": restart, "terminationGracePeriodSeconds": 1},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_out_and_rolls_on() {
    let (client, stop, running) = cluster();
    let deployments: Api<Deployment> = create(
        &client,
        json!({
            "metadata": {"name": "d"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "a"}}, "template": template("one", "Always")},
        }),
    )
    .await;
    let up = |d: &Value| {
        d["status"]["availableReplicas"] == 3
            && d["status"]["replicas"] == 3
            && d["status"]["updatedReplicas"] == 3
            && d["status"]["observedGeneration"] == d["metadata"]["generation"]
    };
    let first = until(&deployments, "d", up).await;
    assert_eq!(
        first["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "1"
    );

    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "two"}]}}}});
    let patch = Patch::Strategic(image);
    deployments
        .patch("d", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let second = until(&deployments, "d", |d| {
        d["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
            && d["status"]["availableReplicas"] == 3
            && d["status"]["replicas"] == 3
            && d["status"]["updatedReplicas"] == 3
    })
    .await;
    assert_eq!(second["metadata"]["generation"], 2);

    deployments
        .delete("d", &DeleteParams::foreground())
        .await
        .unwrap();
    let gone = |object: Option<&Deployment>| object.is_none();
    timeout(NEVER, await_condition(deployments, "d", gone))
        .await
        .expect("it never went")
        .unwrap();
    let pods: Api<Pod> = Api::default_namespaced(client);
    let left = pods.list(&ListParams::default()).await.unwrap();
    assert!(left.items.is_empty(), "{left:?}");

    stop.send(()).unwrap();
    timeout(NEVER, running)
        .await
        .expect("it never stopped")
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_completes_and_its_pods_are_counted_once() {
    let (client, _stop, _running) = cluster();
    let jobs: Api<Job> = create(
        &client,
        json!({
            "metadata": {"name": "j"},
            "spec": {"completions": 7, "parallelism": 3, "completionMode": "Indexed", "template": template("one", "Never")},
        }),
    )
    .await;
    let done = until(&jobs, "j", |job| {
        let conditions = job["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        conditions
            .iter()
            .any(|condition| condition["type"] == "Complete")
    })
    .await;
    assert_eq!(done["status"]["succeeded"], 7);
    assert_eq!(done["status"]["completedIndexes"], "0-6");
    let pods: Api<Pod> = Api::default_namespaced(client);
    let of_job = ListParams::default().labels("job-name=j");
    let all = pods.list(&of_job).await.unwrap().items;
    assert_eq!(all.len(), 7);
    assert!(
        all.iter().all(|pod| pod.metadata.finalizers.is_none()),
        "{all:?}"
    );
}
