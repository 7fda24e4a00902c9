// SPDX-License-Identifier: Apache-2.0
//! One function for each parser of bytes from outside: it must not panic, and what it reads must keep its laws.

use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full};
use k1s_api::{Api, Identity, Options};
use k1s_core::jsonpath::JsonPath;
use k1s_core::patch::{JsonPatch, merge, strategic};
use k1s_core::quantity::Quantity;
use k1s_core::selector::{FieldSelector, LabelSelector};
use k1s_core::{cron, json, yaml};
use serde_json::Value;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

/// Label and field selectors: what is printed means the same.
pub fn selectors(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let object = serde_json::json!({"metadata": {"name": "a", "labels": {"app": "a", "n": "7"}}});
    if let Ok(selector) = LabelSelector::parse(text) {
        let printed = selector.to_string();
        let again = LabelSelector::parse(&printed).expect("a printed label selector is one");
        assert_eq!(again.to_string(), printed);
        let labels = object["metadata"]["labels"].as_object().expect("labels");
        assert_eq!(selector.matches(labels), again.matches(labels));
    }
    if let Ok(selector) = FieldSelector::parse(text) {
        let printed = selector.to_string();
        let again = FieldSelector::parse(&printed).expect("a printed field selector is one");
        // Terms are sorted by how they were written, as Kubernetes sorts them.
        assert_eq!(again.terms().len(), selector.terms().len());
        assert_eq!(
            selector.matches_object(&object),
            again.matches_object(&object)
        );
    }
}

/// An object in the first line, a patch in the rest: what comes out can be read again.
pub fn patches(data: &[u8]) {
    let (object, patch) = match data.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => return,
    };
    let (Ok(object), Ok(patch)) = (json::read(object), json::read(patch)) else {
        return;
    };
    let reads_again = |value: &Value| {
        if let Ok(read) = json::read(json::print(value).as_bytes()) {
            assert_eq!(json::print(&read), json::print(value));
        }
    };
    if let Ok(operations) = JsonPatch::decode(patch.clone())
        && let Ok(patched) = operations.apply(&object)
    {
        reads_again(&patched);
    }
    let mut merged = object.clone();
    if merge::apply(&mut merged, patch.clone()).is_ok() {
        reads_again(&merged);
    }
    let (Value::Object(object), Value::Object(patch)) = (object, patch) else {
        return;
    };
    // A patch cannot say that a field is null.
    if !data.windows(4).any(|window| window == b"null") {
        let difference = merge::create(&object, &patch);
        let mut patched = Value::Object(object.clone());
        if merge::apply(&mut patched, Value::Object(difference)).is_ok() {
            assert_eq!(patched, Value::Object(patch.clone()));
        }
    }
    for kind in ["io.k8s.api.core.v1.Pod", "io.k8s.api.apps.v1.Deployment"] {
        if let Some(schema) = strategic::BuiltIn::named(kind) {
            if let Ok(patched) = strategic::apply(object.clone(), patch.clone(), schema) {
                reads_again(&Value::Object(patched));
            }
            if let Ok(difference) = strategic::create(&object, &patch, schema) {
                // It may be one that does not fit, but it must end.
                let _ = strategic::apply(object.clone(), difference, schema);
            }
        }
    }
}

/// JSON and YAML: what is printed reads as the same.
pub fn documents(data: &[u8]) {
    if let Ok(value) = json::read(data) {
        let printed = json::print(&value);
        // A whole number that was written as a fraction is printed without one.
        let prints_the_same = |text: &str| {
            json::read(text.as_bytes()).is_ok_and(|again| json::print(&again) == printed)
        };
        assert!(prints_the_same(&printed), "{printed}");
        assert!(prints_the_same(&json::print_pretty(&value)), "{printed}");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = yaml::split(text);
    }
    if let Ok(value) = yaml::read(data) {
        let printed = yaml::print(&value);
        match yaml::read(printed.as_bytes()) {
            Ok(again) => assert_eq!(json::print(&again), json::print(&value), "from {printed}"),
            Err(error) => panic!("{error} in what was printed: {printed}"),
        }
    }
}

/// Expressions of a command line: JSONPath, quantities, schedules.
pub fn expressions(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(path) = JsonPath::parse(text) {
        let object = serde_json::json!({
            "items": [{"metadata": {"name": "a"}, "n": 1}, {"metadata": {"name": "b"}, "n": 2.5}],
        });
        let _ = path.render(&object);
    }
    if let Ok(quantity) = Quantity::parse(text) {
        let printed = quantity.to_string();
        let again = Quantity::parse(&printed).expect("a printed quantity is one");
        assert_eq!(again.to_string(), printed);
    }
    let _ = cron::Schedule::parse(text);
}

/// Continue tokens, as they are and in the form of those that are given out.
pub fn continue_tokens(data: &[u8]) {
    let api = api();
    for name in ["a", "b", "c"] {
        let body = format!(r#"{{"metadata":{{"name":"{name}"}}}}"#);
        assert_eq!(ask(&api, Method::POST, MAPS, body.into()).0, 201);
    }
    let encoded = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(data);
    for token in [data, encoded.as_bytes()] {
        let token = percent_encoding::percent_encode(token, percent_encoding::NON_ALPHANUMERIC);
        let (status, answer) = ask(
            &api,
            Method::GET,
            &format!("{MAPS}?limit=1&continue={token}"),
            Bytes::new(),
        );
        assert!(matches!(status, 200 | 400 | 410 | 504), "{status} {answer}");
        let namespaces = answer["items"].as_array().into_iter().flatten();
        for item in namespaces {
            assert_eq!(item["metadata"]["namespace"], "default");
        }
    }
}

/// Paths and queries, after a byte that chooses the method.
pub fn paths(data: &[u8]) {
    const METHODS: [Method; 5] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
    ];
    let Some((method, target)) = data.split_first() else {
        return;
    };
    let Ok(target) = std::str::from_utf8(target) else {
        return;
    };
    if !target.starts_with('/') || Uri::try_from(target).is_err() {
        return;
    }
    let method = METHODS[usize::from(*method) % METHODS.len()].clone();
    let (status, answer) = ask(
        &api(),
        method,
        target,
        Bytes::from_static(br#"{"metadata":{"name":"a"}}"#),
    );
    // Kubernetes says 500 to a version that is no number, and clients are used to it.
    let message = answer["message"].as_str().unwrap_or_default();
    let told = message.starts_with("resourceVersion: Invalid value");
    assert!(status != 500 || told, "{answer}");
}

fn api() -> Api {
    let store = k1s_store::memory(k1s_store::Options::default());
    Api::open(store, Options::default()).expect("the default tenant has a name")
}

/// Asks as the administrator; the answer is null where it is a watch or not JSON.
fn ask(api: &Api, method: Method, target: &str, body: Bytes) -> (u16, Value) {
    let content_type = match method {
        Method::PATCH => "application/merge-patch+json",
        _ => "application/json",
    };
    let request = Request::builder()
        .method(method)
        .uri(target)
        .header(http::header::CONTENT_TYPE, content_type)
        .extension(Identity::admin())
        .body(Full::new(body))
        .expect("the target was checked to be one");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without threads");
    runtime.block_on(async {
        let answer = api.answer(request).await;
        let status = answer.status().as_u16();
        if format!("{:?}", answer.body()) == "Body(stream)" {
            return (status, Value::Null);
        }
        let body = answer.into_body().collect().await;
        let body = body
            .expect("an answer without an end of its own")
            .to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    })
}
