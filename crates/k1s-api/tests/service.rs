// SPDX-License-Identifier: Apache-2.0
//! The service over a store in memory, called directly.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use k1s_api::{Api, Body, Identity, Options};
use serde_json::{Value, json};

fn api() -> Api {
    let store = k1s_store::memory(k1s_store::Options::default());
    Api::open(store, Options::default()).unwrap()
}

async fn ask(api: &Api, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let bytes = body.map_or(Bytes::new(), |b| Bytes::from(b.to_string()));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .extension(Identity::admin())
        .body(Full::new(bytes))
        .unwrap();
    let answer: Response<Body> = api.answer(request).await;
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[tokio::test]
async fn an_object_is_made_read_changed_and_deleted() {
    let api = api();
    let object = json!({"metadata": {"name": "a"}, "data": {"k": "v"}});
    let (code, made) = ask(&api, "POST", MAPS, Some(object.clone())).await;
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["data"], json!({"k": "v"}));
    assert_eq!(ask(&api, "POST", MAPS, Some(object)).await.0, 409);
    let (_, read) = ask(&api, "GET", &format!("{MAPS}/a"), None).await;
    assert_eq!(read, made);
    let mut changed = read;
    changed["data"]["k"] = "w".into();
    let (code, put) = ask(&api, "PUT", &format!("{MAPS}/a"), Some(changed.clone())).await;
    assert_eq!((code, put["data"]["k"].as_str()), (200, Some("w")));
    assert_eq!(
        ask(&api, "PUT", &format!("{MAPS}/a"), Some(changed))
            .await
            .0,
        409,
        "a stale version is a conflict"
    );
    assert_eq!(ask(&api, "DELETE", &format!("{MAPS}/a"), None).await.0, 200);
    assert_eq!(ask(&api, "GET", &format!("{MAPS}/a"), None).await.0, 404);
}

#[tokio::test]
async fn the_namespaces_that_are_always_there_are_there() {
    let (_, list) = ask(&api(), "GET", "/api/v1/namespaces", None).await;
    let names: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["metadata"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["default", "kube-node-lease", "kube-public", "kube-system"]
    );
}

#[tokio::test]
async fn a_namespace_that_is_deleted_takes_all_with_it() {
    let api = api();
    ask(
        &api,
        "POST",
        "/api/v1/namespaces",
        Some(json!({"metadata": {"name": "n"}})),
    )
    .await;
    let (code, _) = ask(
        &api,
        "GET",
        "/api/v1/namespaces/n/serviceaccounts/default",
        None,
    )
    .await;
    assert_eq!(code, 200);
    assert_eq!(
        ask(&api, "DELETE", "/api/v1/namespaces/n", None).await.0,
        200
    );
    let (code, left) = ask(&api, "GET", "/api/v1/namespaces/n", None).await;
    assert_eq!(code, 404, "{left}");
    let (_, list) = ask(&api, "GET", "/api/v1/namespaces/n/configmaps", None).await;
    assert_eq!(list["items"], json!([]));
}

#[tokio::test]
async fn dependents_go_with_their_owner() {
    let api = api();
    let (_, owner) = ask(&api, "POST", MAPS, Some(json!({"metadata": {"name": "o"}}))).await;
    let reference = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": owner["metadata"]["uid"]}]);
    ask(
        &api,
        "POST",
        MAPS,
        Some(json!({"metadata": {"name": "d", "ownerReferences": reference}})),
    )
    .await;
    assert_eq!(ask(&api, "GET", &format!("{MAPS}/d"), None).await.0, 200);
    ask(&api, "DELETE", &format!("{MAPS}/o"), None).await;
    assert_eq!(ask(&api, "GET", &format!("{MAPS}/d"), None).await.0, 404);
}

#[tokio::test]
async fn nobody_may_do_nothing() {
    let api = api();
    let request = Request::builder()
        .uri(MAPS)
        .body(Full::<Bytes>::default())
        .unwrap();
    assert_eq!(api.answer(request).await.status(), 403);
    let request = Request::builder()
        .uri("/healthz")
        .body(Full::<Bytes>::default())
        .unwrap();
    assert_eq!(api.answer(request).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_requests_may_come_together() {
    for _ in 0..50 {
        let api = api();
        let asked: Vec<_> = (0..4)
            .map(|n| {
                let api = api.clone();
                tokio::spawn(async move {
                    let object = json!({"metadata": {"name": format!("m{n}")}});
                    ask(&api, "POST", MAPS, Some(object)).await.0
                })
            })
            .collect();
        for answer in asked {
            assert_eq!(answer.await.unwrap(), 201);
        }
    }
}
