// SPDX-License-Identifier: Apache-2.0
//! Kinds that a program brings along, and kinds whose definitions are stored, through the service alone.

#![expect(
    clippy::unwrap_used,
    reason = "what cannot be unwrapped here fails the test"
)]

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use k1s_api::{Api, Definitions, Identity, Options};
use k1s_store::Store;
use serde_json::{Value, json};

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: items.shop.example.com}
spec:
  group: shop.example.com
  scope: Namespaced
  names: {kind: Item, plural: items, shortNames: [it]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Price, type: integer, jsonPath: .spec.price}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, required: [price], properties: {price: {type: integer, minimum: 0}, unit: {type: string, default: piece}}}
          status: {type: object, properties: {sold: {type: integer}}}
";
const ITEMS: &str = "/apis/shop.example.com/v1/namespaces/default/items";

fn store() -> Arc<dyn Store> {
    k1s_store::memory(k1s_store::Options::default())
}

fn open(store: &Arc<dyn Store>, definitions: Definitions) -> Api {
    let options = Options {
        definitions,
        ..Options::default()
    };
    Api::open(store.clone(), options).unwrap()
}

async fn ask(api: &Api, method: Method, path: &str, body: Value) -> (u16, Value) {
    let patch = method == Method::PATCH;
    let kind = if patch {
        "application/merge-patch+json"
    } else {
        "application/json"
    };
    let accept = if path.ends_with("#table") {
        "application/json;as=Table;v=v1;g=meta.k8s.io"
    } else {
        "application/json"
    };
    let bytes = if body.is_null() {
        Bytes::new()
    } else {
        body.to_string().into()
    };
    let mut request = Request::builder()
        .method(method)
        .uri(path.trim_end_matches("#table"))
        .header("content-type", kind)
        .header("accept", accept)
        .body(Full::new(bytes))
        .unwrap();
    request.extensions_mut().insert(Identity::admin());
    let answer = api.answer(request).await;
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn item(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "shop.example.com/v1", "kind": "Item", "metadata": {"name": name}, "spec": spec})
}

#[tokio::test]
async fn a_program_brings_its_kinds_along() {
    let store = store();
    let api = open(&store, Definitions::yaml(DEFINITION));
    let (code, made) = ask(
        &api,
        Method::POST,
        ITEMS,
        item("apple", json!({"price": 3, "nonsense": 1})),
    )
    .await;
    assert_eq!(
        (code, &made["spec"]),
        (201, &json!({"price": 3, "unit": "piece"}))
    );
    let (code, refused) = ask(
        &api,
        Method::POST,
        ITEMS,
        item("pear", json!({"price": -1})),
    )
    .await;
    assert_eq!(
        (code, &refused["details"]["causes"][0]["field"]),
        (422, &json!("spec.price"))
    );

    let (code, changed) = ask(
        &api,
        Method::PATCH,
        &format!("{ITEMS}/apple/status"),
        json!({"status": {"sold": 1}, "spec": {"price": 9}}),
    )
    .await;
    assert_eq!(
        (code, &changed["spec"]["price"], &changed["status"]["sold"]),
        (200, &json!(3), &json!(1))
    );
    let (_, table) = ask(&api, Method::GET, &format!("{ITEMS}#table"), Value::Null).await;
    assert_eq!(table["rows"][0]["cells"], json!(["apple", 3]));
    let (_, resources) = ask(&api, Method::GET, "/apis/shop.example.com/v1", Value::Null).await;
    assert_eq!(resources["resources"][0]["shortNames"], json!(["it"]));

    // another program on the same store does not know the kind
    let other = open(&store, Definitions::default());
    assert_eq!(ask(&other, Method::GET, ITEMS, Value::Null).await.0, 404);
    // with its owner a dependent of an own kind goes
    let owner = json!({"apiVersion": "shop.example.com/v1", "kind": "Item", "name": "apple", "uid": made["metadata"]["uid"]});
    let map = json!({"metadata": {"name": "m", "ownerReferences": [owner]}});
    let maps = "/api/v1/namespaces/default/configmaps";
    assert_eq!(ask(&api, Method::POST, maps, map).await.0, 201);
    assert_eq!(
        ask(&api, Method::DELETE, &format!("{ITEMS}/apple"), Value::Null)
            .await
            .0,
        200
    );
    assert_eq!(
        ask(&api, Method::GET, &format!("{maps}/m"), Value::Null)
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn a_stored_definition_is_served_by_all_at_once() {
    let store = store();
    let (one, other) = (
        open(&store, Definitions::default()),
        open(&store, Definitions::default()),
    );
    let definition: Value =
        k1s_core::yaml::read_document(DEFINITION.as_bytes(), k1s_core::json::Limits::default())
            .unwrap()
            .value;
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    assert_eq!(ask(&other, Method::GET, ITEMS, Value::Null).await.0, 404);
    assert_eq!(
        ask(&one, Method::POST, definitions, definition).await.0,
        201
    );
    assert_eq!(
        ask(
            &other,
            Method::POST,
            ITEMS,
            item("apple", json!({"price": 3}))
        )
        .await
        .0,
        201
    );
    let narrower = json!({"spec": {"versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    let name = format!("{definitions}/items.shop.example.com");
    assert_eq!(ask(&one, Method::PATCH, &name, narrower).await.0, 200);
    assert_eq!(
        ask(&other, Method::GET, &format!("{ITEMS}/apple"), Value::Null)
            .await
            .1
            .get("spec"),
        None
    );
    assert_eq!(ask(&one, Method::DELETE, &name, Value::Null).await.0, 200);
    assert_eq!(ask(&other, Method::GET, ITEMS, Value::Null).await.0, 404);
    assert_eq!(ask(&other, Method::GET, &name, Value::Null).await.0, 404);
}

#[tokio::test]
async fn what_is_wrong_with_a_definition_of_the_program_is_told() {
    let broken = Definitions::yaml("{metadata: {name: x.y}, spec: {group: y}}");
    let why = broken.check().unwrap_err();
    assert!(
        why.starts_with("the definition \"x.y\" of this program: "),
        "{why}"
    );
    let api = open(&store(), broken);
    // built-in kinds are served all the same
    assert_eq!(
        ask(&api, Method::GET, "/api/v1/namespaces", Value::Null)
            .await
            .0,
        200
    );
    let (code, told) = ask(&api, Method::GET, ITEMS, Value::Null).await;
    assert_eq!(code, 500);
    assert!(told["message"].as_str().unwrap().contains("x.y"), "{told}");
}
