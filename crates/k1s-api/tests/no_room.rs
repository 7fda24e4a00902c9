// SPDX-License-Identifier: Apache-2.0
//! What becomes of definitions when the process cannot compile any more. It is alone in its process: there is one room in each.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be unwrapped here fails the test"
)]

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use k1s_api::{Api, Identity, Options};
use k1s_core::custom::Definition;
use serde_json::{Value, json};

const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

fn definition(plural: &str, kind: &str, description: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.example.com")},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List")},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "description": description}},
            }],
        },
    })
}

async fn ask(api: &Api, method: Method, path: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    request.extensions_mut().insert(Identity::admin());
    let answer = api.answer(request).await;
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// Status and message of the condition `Established`.
fn established(definition: &Value) -> (&str, &str) {
    let conditions = definition["status"]["conditions"].as_array().unwrap();
    let found = conditions
        .iter()
        .find(|c| c["type"] == "Established")
        .unwrap();
    (
        found["status"].as_str().unwrap(),
        found["message"].as_str().unwrap(),
    )
}

#[tokio::test]
async fn without_room_a_definition_is_not_established_and_the_rest_goes_on() {
    let store = k1s_store::memory(k1s_store::Options::default());
    let api = Api::open(store, Options::default()).unwrap();
    let first = definition("gizmos", "Gizmo", "");
    assert_eq!(ask(&api, Method::POST, DEFINITIONS, first).await.0, 201);
    let large = "x".repeat(1 << 20);
    let mut made = 0;
    while Definition::of(&definition("fillers", "Filler", &format!("{made} {large}"))).is_ok() {
        made += 1;
        assert!(made < 100, "there is a bound");
    }

    let second = definition("widgets", "Widget", &large);
    assert_eq!(ask(&api, Method::POST, DEFINITIONS, second).await.0, 201);
    let (_, stored) = ask(
        &api,
        Method::GET,
        &format!("{DEFINITIONS}/widgets.example.com"),
        Value::Null,
    )
    .await;
    let (value, message) = established(&stored);
    assert!(
        value == "False" && message.contains("restart it to go on"),
        "{value} {message}"
    );
    let (code, _) = ask(
        &api,
        Method::GET,
        "/apis/example.com/v1/widgets",
        Value::Null,
    )
    .await;
    assert_eq!(code, 404);

    let (code, list) = ask(&api, Method::GET, "/apis/example.com/v1", Value::Null).await;
    let names: Vec<&str> = list["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["name"].as_str())
        .collect();
    assert_eq!((code, names), (200, vec!["gizmos"]));
    assert_eq!(
        ask(&api, Method::GET, "/openapi/v3", Value::Null).await.0,
        200
    );
    let gizmo = json!({"apiVersion": "example.com/v1", "kind": "Gizmo", "metadata": {"name": "a"}});
    assert_eq!(
        ask(&api, Method::POST, "/apis/example.com/v1/gizmos", gizmo)
            .await
            .0,
        201
    );

    // new content of an established one has no room either, and that is said
    let patch = definition("gizmos", "Gizmo", &large);
    let (_, mut stored) = ask(
        &api,
        Method::GET,
        &format!("{DEFINITIONS}/gizmos.example.com"),
        Value::Null,
    )
    .await;
    stored["spec"] = patch["spec"].clone();
    let (code, _) = ask(
        &api,
        Method::PUT,
        &format!("{DEFINITIONS}/gizmos.example.com"),
        stored,
    )
    .await;
    assert_eq!(code, 200);
    let (_, stored) = ask(
        &api,
        Method::GET,
        &format!("{DEFINITIONS}/gizmos.example.com"),
        Value::Null,
    )
    .await;
    assert_eq!(established(&stored).0, "False");
    assert_eq!(ask(&api, Method::GET, "/apis", Value::Null).await.0, 200);
}
