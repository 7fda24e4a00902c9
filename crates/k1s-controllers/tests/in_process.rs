// SPDX-License-Identifier: Apache-2.0
//! Controllers, scheduler and hollow nodes on the service in this process: no server, no socket.

mod cluster;

use cluster::{NEVER, cluster_through, create, template, until};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_out_and_rolls_on() {
    let (client, stop, running) = cluster_through(2, Client::clone);
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
    let (client, _stop, _running) = cluster_through(2, Client::clone);
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
