// SPDX-License-Identifier: Apache-2.0
//! Controllers that reach the API by a bad link: answers that fail, watches that end or are late. Once the link is good again
//! everything is as it should be, and then nobody asks for anything any more.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod cluster;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cluster::{NEVER, cluster_through, create, template, until};
use futures_util::StreamExt as _;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Endpoints, Node, Pod, Service, ServiceAccount};
use kube::api::{ListParams, Patch, PatchParams};
use kube::client::Body;
use kube::runtime::wait::await_condition;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What a bad link does to requests, in turn, until it has done so often enough.
#[derive(Default)]
struct Link {
    requests: AtomicU64,
    reads: AtomicU64,
    writes: AtomicU64,
    /// Requests that come to grief from now on.
    bad: AtomicU64,
}

fn failure(code: u16, reason: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "the link is bad", "metadata": {},
    });
    let body = Body::from(status.to_string().into_bytes());
    Response::builder().status(code).body(body).unwrap()
}

impl Link {
    /// The client over this link.
    fn client(self: &Arc<Self>, client: &Client) -> Client {
        let (client, link) = (client.clone(), self.clone());
        let namespace = client.default_namespace().to_owned();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, link) = (client.clone(), link.clone());
            async move { link.send(&client, request).await }
        });
        Client::new(service, namespace)
    }

    async fn send(
        &self,
        client: &Client,
        request: Request<Body>,
    ) -> Result<Response<Body>, kube::Error> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let one_less = |left: u64| left.checked_sub(1);
        let bad = &self.bad;
        if bad
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_err()
        {
            return client.send(request).await;
        }
        let is_watch = request.uri().query().is_some_and(|q| q.contains("watch="));
        if request.method() == Method::GET {
            // A watch that fails is tried again after seconds, so not too many of them do.
            return match (self.reads.fetch_add(1, Ordering::Relaxed) % 8, is_watch) {
                (1, true) => {
                    let gone = json!({"type": "ERROR", "object": {
                        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired",
                        "message": "too old resource version", "metadata": {},
                    }});
                    Ok(Response::new(Body::from(format!("{gone}\n").into_bytes())))
                }
                (3, true) => Ok(Response::new(Body::empty())),
                (5, false) => Ok(failure(500, "InternalError")),
                (6, false) => Ok(failure(429, "TooManyRequests")),
                _ => client.send(request).await,
            };
        }
        match self.writes.fetch_add(1, Ordering::Relaxed) % 6 {
            0 => Ok(failure(500, "InternalError")),
            1 => Ok(failure(429, "TooManyRequests")),
            2 => Ok(failure(409, "Conflict")),
            // done, and nobody is told
            3 => {
                client.send(request).await?;
                Ok(failure(504, "Timeout"))
            }
            4 => {
                tokio::time::sleep(Duration::from_millis(30)).await;
                client.send(request).await
            }
            _ => client.send(request).await,
        }
    }
}

fn is(object: &Value, path: &str, wanted: i64) -> bool {
    object.pointer(path).and_then(Value::as_i64).unwrap_or(0) == wanted
}

#[tokio::test(flavor = "multi_thread")]
async fn all_is_well_once_the_link_is() {
    let link = Arc::new(Link::default());
    link.bad.store(300, Ordering::Relaxed);
    let (client, _stop, _running) = cluster_through(3, |client| link.client(client));
    let selector = json!({"matchLabels": {"app": "a"}});
    let of = |kind: &str| json!({"matchLabels": {"app": kind}});
    let labelled = |kind: &str| {
        let mut template = template("one", "Always");
        template["metadata"]["labels"]["app"] = kind.into();
        template
    };
    let deployments: Api<Deployment> = create(
        &client,
        json!({
            "metadata": {"name": "d"},
            "spec": {"replicas": 5, "selector": selector, "template": template("one", "Always")},
        }),
    )
    .await;
    let sets: Api<StatefulSet> = create(&client, json!({
        "metadata": {"name": "s"},
        "spec": {"replicas": 3, "serviceName": "s", "selector": of("s"), "template": labelled("s")},
    })).await;
    let daemons: Api<DaemonSet> = create(
        &client,
        json!({
            "metadata": {"name": "x"}, "spec": {"selector": of("x"), "template": labelled("x")},
        }),
    )
    .await;
    let jobs: Api<Job> = create(
        &client,
        json!({
            "metadata": {"name": "j"},
            "spec": {"completions": 4, "parallelism": 2, "template": template("one", "Never")},
        }),
    )
    .await;
    let services: Api<Service> = create(
        &client,
        json!({
            "metadata": {"name": "v"}, "spec": {"selector": {"app": "s"}, "ports": [{"port": 80}]},
        }),
    )
    .await;
    // while the link is bad: another template, and one pod less
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "two"}]}}}});
    let params = PatchParams::default();
    deployments
        .patch("d", &params, &Patch::Strategic(&image))
        .await
        .unwrap();
    sets.patch(
        "s",
        &params,
        &Patch::Merge(json!({"spec": {"replicas": 2}})),
    )
    .await
    .unwrap();

    until(&deployments, "d", |d| {
        is(d, "/status/updatedReplicas", 5)
            && is(d, "/status/availableReplicas", 5)
            && is(d, "/status/replicas", 5)
            && d["status"]["observedGeneration"] == d["metadata"]["generation"]
    })
    .await;
    until(&sets, "s", |s| {
        is(s, "/status/availableReplicas", 2) && is(s, "/status/replicas", 2)
    })
    .await;
    until(&daemons, "x", |x| is(x, "/status/numberAvailable", 3)).await;
    until(&jobs, "j", |j| is(j, "/status/succeeded", 4)).await;
    let endpoints: Api<Endpoints> = Api::default_namespaced(client.clone());
    until(&endpoints, "v", |v| {
        v.pointer("/subsets/0/addresses")
            .and_then(Value::as_array)
            .is_some_and(|all| all.len() == 2)
    })
    .await;
    drop(services);
    let pods: Api<Pod> = Api::default_namespaced(client);
    let of_kind = |labels: &str| ListParams::default().labels(labels);
    for (labels, wanted) in [("app=s", 2), ("app=x", 3), ("job-name=j", 4)] {
        let found = pods.list(&of_kind(labels)).await.unwrap().items.len();
        assert_eq!(found, wanted, "{labels}");
    }
    // no two pods have the same address
    let all = pods.list(&ListParams::default()).await.unwrap().items;
    let addresses: Vec<String> = all
        .iter()
        .filter_map(|pod| pod.status.as_ref()?.pod_ip.clone())
        .collect();
    let different: std::collections::BTreeSet<_> = addresses.iter().collect();
    assert_eq!(different.len(), addresses.len(), "{addresses:?}");

    // Nothing is left to do: the leases of three nodes and little else, where a loop would ask thousands of times.
    link.bad.store(0, Ordering::Relaxed);
    let before = settled(&link).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let asked = link.requests.load(Ordering::Relaxed) - before;
    assert!(asked < 100, "{asked} requests in three idle seconds");
}

/// The number of requests once a second has passed with few of them.
async fn settled(link: &Link) -> u64 {
    let settle = async {
        loop {
            let before = link.requests.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = link.requests.load(Ordering::Relaxed);
            if now - before < 30 {
                return now;
            }
        }
    };
    timeout(NEVER, settle).await.expect("it never came to rest")
}

/// What holds up the watches of nodes, and tells when a single node was asked for.
#[derive(Default)]
struct Gate {
    open: Notify,
    asked: Notify,
}

impl Gate {
    /// A client to which watches of nodes say nothing while the gate is closed.
    fn client(self: &Arc<Self>, client: &Client) -> Client {
        let (client, gate) = (client.clone(), self.clone());
        let namespace = client.default_namespace().to_owned();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, gate) = (client.clone(), gate.clone());
            async move {
                let path = request.uri().path().to_owned();
                let reads = request.method() == Method::GET;
                let is_watch = request.uri().query().is_some_and(|q| q.contains("watch="));
                let response = client.send(request).await?;
                if reads && path == "/api/v1/nodes/hollow-0" {
                    gate.asked.notify_one();
                }
                let (head, body) = response.into_parts();
                let body = if is_watch && path == "/api/v1/nodes" {
                    let late = body.into_data_stream().then(move |data| {
                        let gate = gate.clone();
                        async move {
                            gate.open.notified().await;
                            gate.open.notify_one();
                            data.map(Frame::data)
                        }
                    });
                    StreamBody::new(late).boxed_unsync()
                } else {
                    body.boxed_unsync()
                };
                Ok::<_, kube::Error>(Response::from_parts(head, body))
            }
        });
        Client::new(service, namespace)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_pod_goes_to_a_node_that_was_cordoned_before_it_was_made() {
    let gate = Arc::new(Gate::default());
    gate.open.notify_one();
    let (client, _stop, _running) = cluster_through(1, |client| gate.client(client));
    let pod = |name: &str| json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "one"}]}});
    let accounts: Api<ServiceAccount> = Api::default_namespaced(client.clone());
    until(&accounts, "default", |_| true).await;
    let pods: Api<Pod> = create(&client, pod("before")).await;
    until(&pods, "before", |pod| pod["status"]["phase"] == "Running").await;

    // from here on the controllers hear nothing of nodes
    gate.asked.notified().await;
    gate.open.notified().await;
    let nodes: Api<Node> = Api::all(client.clone());
    let cordon = Patch::Merge(json!({"spec": {"unschedulable": true}}));
    nodes
        .patch("hollow-0", &PatchParams::default(), &cordon)
        .await
        .unwrap();
    create::<Pod>(&client, pod("after")).await;
    // the scheduler has chosen the node, of which it has heard nothing, and looks at it again
    let asked = timeout(NEVER, gate.asked.notified()).await;
    asked.expect("nobody looked at the node");
    gate.open.notify_one();
    let refused = await_condition(pods.clone(), "after", |pod: Option<&Pod>| {
        pod.is_some_and(|pod| {
            let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
            let placed = pod.spec.as_ref().is_some_and(|s| s.node_name.is_some());
            placed || conditions.is_some_and(|all| all.iter().any(|c| c.status == "False"))
        })
    });
    let pod = timeout(NEVER, refused)
        .await
        .expect("it never came")
        .unwrap()
        .unwrap();
    let condition = pod.status.unwrap().conditions.unwrap().remove(0);
    let message = condition.message.unwrap_or_default();
    assert!(
        message.starts_with("0/1 nodes are available: 1 node(s) were unschedulable."),
        "{message}"
    );
    assert_eq!(pod.spec.unwrap().node_name, None);
}
