// SPDX-License-Identifier: Apache-2.0
//! What is asked of kubelets: logs and commands, with one that says what it was asked. The refusals are those of kube-apiserver
//! 1.35.4.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use k1s_api::{
    Api, CERTIFICATE_ANNOTATION, Identity, Kubelet, KubeletAnswer, Kubelets, NodeAccess, Options,
};
use serde_json::{Value, json};

struct Echo;

impl Kubelets for Echo {
    fn send(&self, kubelet: Kubelet, request: Request<Bytes>) -> KubeletAnswer {
        Box::pin(async move {
            let asked = format!("{kubelet:?} {}", request.uri());
            if asked.contains("tailLines=7") {
                return Err("dial tcp: connection refused".to_owned());
            }
            let code = match request.headers().get("upgrade") {
                _ if asked.contains("previous") => 400,
                Some(_) if asked.contains("command=refuse") => 404,
                Some(_) => 101,
                None => 200,
            };
            let mut answer = Response::builder().status(code);
            for (name, value) in request.headers() {
                answer = answer.header(name, value).header("x-private", "yes");
            }
            let asked = format!("{} {asked}", request.method());
            Ok(answer.body(asked.into()).unwrap())
        })
    }
}

async fn ask(api: &Api, method: &str, path: &str, body: Option<Value>) -> (u16, String) {
    let bytes = body.map_or(Bytes::new(), |b| Bytes::from(b.to_string()));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .extension(Identity::admin())
        .body(Full::new(bytes))
        .unwrap();
    let answer = api.answer(request).await;
    let code = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    (code, String::from_utf8(bytes.to_vec()).unwrap())
}

const PODS: &str = "/api/v1/namespaces/default/pods";

async fn api(node_access: NodeAccess) -> Api {
    let store = k1s_store::memory(k1s_store::Options::default());
    let options = Options {
        node_access,
        ..Options::default()
    };
    let api = Api::open(store, options).unwrap();
    let pin = "0f".repeat(32);
    let at = |ip: &str| json!({"addresses": [{"type": "Hostname", "address": "h"}, {"type": "InternalIP", "address": ip}]});
    for (name, annotation, status) in [
        ("empty", None, json!({})),
        ("unknown", None, at("10.0.0.1")),
        ("garbled", Some("0f0f"), at("10.0.0.2")),
        ("pinned", Some(pin.as_str()), at("10.0.0.3")),
        (
            "hollow",
            None,
            json!({"nodeInfo": {"containerRuntimeVersion": "hollow://1"}}),
        ),
    ] {
        let mut node = json!({"metadata": {"name": name}, "status": status});
        if let Some(annotation) = annotation {
            node["metadata"]["annotations"] = json!({CERTIFICATE_ANNOTATION: annotation});
        }
        if name == "pinned" {
            node["status"]["daemonEndpoints"] = json!({"kubeletEndpoint": {"Port": 4242}});
        }
        assert_eq!(ask(&api, "POST", "/api/v1/nodes", Some(node)).await.0, 201);
    }
    for (name, node, containers) in [
        ("one", "", vec!["a"]),
        ("two", "", vec!["a", "b"]),
        ("lost", "nowhere", vec!["a"]),
        ("on-empty", "empty", vec!["a"]),
        ("on-unknown", "unknown", vec!["a"]),
        ("on-garbled", "garbled", vec!["a"]),
        ("on-pinned", "pinned", vec!["a", "b"]),
        ("on-hollow", "hollow", vec!["a"]),
    ] {
        let containers: Vec<Value> = containers
            .iter()
            .map(|name| json!({"name": name, "image": "x"}))
            .collect();
        let mut pod = json!({"metadata": {"name": name}, "spec": {"containers": containers}});
        if !node.is_empty() {
            pod["spec"]["nodeName"] = node.into();
        }
        if name == "two" {
            pod["spec"]["initContainers"] = json!([{"name": "i", "image": "x"}]);
        }
        let (code, said) = ask(&api, "POST", PODS, Some(pod)).await;
        assert_eq!(code, 201, "{said}");
    }
    api
}

#[tokio::test]
async fn logs_are_asked_of_the_kubelet() {
    let api = api(NodeAccess::new(Arc::new(Echo))).await;
    for (path, code, said) in [
        ("none/log", 404, r#"pods \"none\" not found"#),
        ("one/log", 204, ""),
        ("one/log?follow=x&pretty=1", 204, ""),
        (
            "two/log",
            400,
            "a container name must be specified for pod two, choose one of: [i a b]",
        ),
        ("two/log?container=a&container=z", 204, ""),
        ("two/log?container=i", 204, ""),
        (
            "two/log?container=z",
            400,
            "container z is not valid for pod two",
        ),
        (
            "one/log?tailLines=-1",
            422,
            r#"PodLogOptions \"one\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0"#,
        ),
        (
            "one/log?limitBytes=0",
            422,
            r#"PodLogOptions \"one\" is invalid: limitBytes: Invalid value: 0: must be greater than 0"#,
        ),
        (
            "one/log?sinceSeconds=0",
            422,
            r#"PodLogOptions \"one\" is invalid: sinceSeconds: Invalid value: 0: must be greater than 0"#,
        ),
        (
            "one/log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
            422,
            r#"PodLogOptions \"one\" is invalid: []: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"#,
        ),
        (
            "one/log?stream=",
            422,
            r#"PodLogOptions \"one\" is invalid: stream: Forbidden: may not be specified"#,
        ),
        (
            "one/log?tailLines=x",
            400,
            r#"strconv.ParseInt: parsing \"x\": invalid syntax"#,
        ),
        (
            "one/log?sinceTime=x",
            400,
            r#"parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\""#,
        ),
        ("lost/log", 404, r#"pods \"nowhere\" not found"#),
        (
            "on-empty/log",
            500,
            "no preferred addresses found; known addresses: []",
        ),
        (
            "on-unknown/log",
            500,
            "node \\\"unknown\\\" has no annotation pico.io/kubelet-certificate-sha256",
        ),
        (
            "on-unknown/log?insecureSkipTLSVerifyBackend=true",
            200,
            r#"Kubelet { host: "10.0.0.1", port: 10250, trust: Any } /containerLogs/default/on-unknown/a"#,
        ),
        (
            "on-hollow/log",
            501,
            r#"node \"hollow\" is hollow: nothing runs in its pods, so there is no log of them"#,
        ),
        (
            "on-garbled/log",
            500,
            "is not the 64 hexadecimal digits of a SHA-256",
        ),
        (
            "on-pinned/log?container=b&timestamps=true&follow=1&tailLines=3&limitBytes=9&sinceTime=2020-01-01T00:00:00Z",
            200,
            "/containerLogs/default/on-pinned/b?follow=true&limitBytes=9&sinceTime=2020-01-01T00%3A00%3A00Z&tailLines=3&timestamps=true",
        ),
        (
            "on-pinned/log?container=a",
            200,
            r#"host: "10.0.0.3", port: 4242, trust: Certificate([15, 15"#,
        ),
        (
            "on-pinned/log?container=a&tailLines=7",
            500,
            r#"Get \"https://10.0.0.3:4242/containerLogs/default/on-pinned/a?tailLines=7\": dial tcp: connection refused"#,
        ),
        (
            "on-pinned/log?container=a&previous=true",
            400,
            "previous=true",
        ),
    ] {
        let (got, answer) = ask(&api, "GET", &format!("{PODS}/{path}"), None).await;
        assert_eq!(got, code, "{path}: {answer}");
        assert!(answer.contains(said), "{path}: {answer}");
    }
    let (code, _) = ask(&api, "POST", &format!("{PODS}/one/log"), Some(json!({}))).await;
    assert_eq!(code, 405);
}

#[tokio::test]
async fn without_a_way_to_nodes_that_is_said() {
    let api = api(NodeAccess::default()).await;
    let path = format!("{PODS}/on-pinned/log?container=a");
    let (code, said) = ask(&api, "GET", &path, None).await;
    assert_eq!(code, 501, "{said}");
    assert!(said.contains("does not ask kubelets"), "{said}");
}

/// Asks for a connection that goes over to WebSocket: code, headers and body of the answer.
async fn go_over(api: &Api, method: &str, path: &str, identity: Identity) -> (u16, String, String) {
    let request = Request::builder()
        .method(method)
        .uri(format!("{PODS}/{path}"))
        .header("connection", "keep-alive, Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-key", "k")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-protocol", "v5.channel.k8s.io")
        .header("authorization", "Bearer secret")
        .header("cookie", "c")
        .extension(identity)
        .body(Full::new(Bytes::new()))
        .unwrap();
    let answer = api.answer(request).await;
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers = format!("{:?}", head.headers);
    (
        head.status.as_u16(),
        headers,
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

#[tokio::test]
async fn commands_are_handed_on_to_the_kubelet() {
    let api = api(NodeAccess::new(Arc::new(Echo))).await;
    for (path, code, said) in [
        ("none/exec?command=ls", 404, r#"pods \"none\" not found"#),
        (
            "two/exec?command=ls",
            400,
            "a container name must be specified for pod two, choose one of: [i a b]",
        ),
        (
            "one/exec?command=ls",
            400,
            "pod one does not have a host assigned",
        ),
        (
            "on-pinned/exec?command=ls&container=z",
            400,
            "container z is not valid for pod on-pinned",
        ),
        (
            "on-hollow/exec?command=ls",
            501,
            r#"node \"hollow\" is hollow: nothing runs in its pods, so there is no exec of them"#,
        ),
        (
            "on-unknown/exec?command=ls",
            500,
            "node \\\"unknown\\\" has no annotation pico.io/kubelet-certificate-sha256",
        ),
        (
            "on-pinned/exec?command=tailLines%3D7&command=tailLines=7&container=a",
            101,
            "command=tailLines%3D7&command=tailLines%3D7",
        ),
        (
            "on-pinned/exec?container=a&command=sh&command=-c&command=a%20b&stdin=true&tty=true&stderr=false",
            101,
            "/exec/default/on-pinned/a?input=1&output=1&tty=1&command=sh&command=-c&command=a%20b",
        ),
        (
            "on-pinned/attach?container=b",
            101,
            "/attach/default/on-pinned/b?output=1&error=1",
        ),
        // A kubelet that refuses says so itself.
        (
            "on-pinned/exec?container=a&command=refuse",
            404,
            "Kubelet {",
        ),
    ] {
        for method in ["GET", "POST"] {
            let (got, headers, answer) = go_over(&api, method, path, Identity::admin()).await;
            assert_eq!(got, code, "{path}: {answer}");
            assert!(answer.contains(said), "{path}: {answer}");
            assert!(code != 101 || answer.starts_with(method), "{answer}");
            // Credentials are the API's business, and other headers nobody's.
            assert!(!headers.contains("secret") && !headers.contains("x-private"));
            if code == 101 {
                assert!(headers.contains(r#""connection": "Upgrade""#), "{headers}");
                assert!(headers.contains(r#""sec-websocket-protocol": "v5.channel.k8s.io""#));
            }
        }
    }
    let path = format!("{PODS}/on-pinned/exec?container=a&command=ls");
    let (code, said) = ask(&api, "GET", &path, None).await;
    assert_eq!(code, 400);
    assert!(said.contains("Upgrade request required"), "{said}");
    let (code, _) = ask(&api, "DELETE", &path, None).await;
    assert_eq!(code, 405);
}

/// Asks for a connection to ports, with these headers.
async fn forward(api: &Api, path: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = Request::builder()
        .method("GET")
        .uri(format!("{PODS}/{}", path.replacen('?', "/portforward?", 1)))
        .header("connection", "Upgrade")
        .extension(Identity::admin());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = api
        .answer(request.body(Full::new(Bytes::new())).unwrap())
        .await;
    let (head, body) = answer.into_parts();
    let is_tunnelled = head.extensions.get::<k1s_api::Tunnelled>().is_some();
    let body = body.collect().await.unwrap().to_bytes();
    let said = format!("{} {is_tunnelled}", String::from_utf8_lossy(&body));
    (head.status.as_u16(), format!("{:?}", head.headers), said)
}

#[tokio::test]
async fn ports_are_forwarded_by_the_kubelet() {
    let api = api(NodeAccess::new(Arc::new(Echo))).await;
    let spdy = [
        ("upgrade", "SPDY/3.1"),
        ("x-stream-protocol-version", "portforward.k8s.io"),
    ];
    let tunnel = [
        ("upgrade", "websocket"),
        ("sec-websocket-key", "k"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-protocol", "SPDY/3.1+portforward.k8s.io"),
    ];
    let (code, headers, said) = forward(&api, "on-pinned?", &spdy).await;
    assert_eq!(code, 101, "{said}");
    assert!(
        said.starts_with("GET ") && said.ends_with("/portForward/default/on-pinned false"),
        "{said}"
    );
    assert!(
        headers.contains(r#""upgrade": "SPDY/3.1""#)
            && headers.contains(r#""connection": "Upgrade""#)
    );
    // Within WebSocket the kubelet is asked for the same.
    let (code, headers, said) = forward(&api, "on-pinned?", &tunnel).await;
    assert_eq!(code, 101, "{said}");
    assert!(
        said.starts_with("POST ") && said.ends_with("/portForward/default/on-pinned true"),
        "{said}"
    );
    assert!(
        headers.contains(r#""upgrade": "websocket""#)
            && headers.contains(r#""sec-websocket-protocol": "SPDY/3.1+portforward.k8s.io""#)
    );
    assert!(!headers.contains("x-stream-protocol-version"), "{headers}");
    // Channels for ports are between the two.
    let channels = [
        tunnel[0],
        tunnel[1],
        tunnel[2],
        ("sec-websocket-protocol", "v4.channel.k8s.io"),
    ];
    let (code, headers, said) = forward(&api, "on-pinned?ports=80,81&ports=82", &channels).await;
    assert_eq!(code, 101, "{said}");
    assert!(
        said.ends_with("/portForward/default/on-pinned?port=80&port=81&port=82 false"),
        "{said}"
    );
    assert!(
        headers.contains(r#""sec-websocket-protocol": "v4.channel.k8s.io""#),
        "{headers}"
    );
    let other = [
        tunnel[0],
        tunnel[1],
        tunnel[2],
        ("sec-websocket-protocol", "v3.channel.k8s.io"),
    ];
    let old = [
        tunnel[0],
        tunnel[1],
        ("sec-websocket-version", "8"),
        tunnel[3],
    ];
    for (path, headers, code, why) in [
        ("none?", &spdy[..], 404, r#"pods \"none\" not found"#),
        ("one?", &spdy, 400, "pod one does not have a host assigned"),
        ("on-hollow?", &spdy, 501, "there is no portforward of them"),
        ("on-pinned?", &[], 400, "Upgrade request required"),
        ("on-pinned?", &other, 400, "as SPDY/3.1+portforward.k8s.io"),
        ("on-pinned?", &old, 400, "WebSocket of version 13"),
    ] {
        let (got, _, said) = forward(&api, path, headers).await;
        assert_eq!(got, code, "{path}: {said}");
        assert!(said.contains(why), "{path}: {said}");
    }
}

#[tokio::test]
async fn commands_are_for_those_who_may() {
    let api = api(NodeAccess::new(Arc::new(Echo))).await;
    let jane = Identity {
        user: "jane".into(),
        ..Identity::default()
    };
    let path = "on-pinned/exec?container=a&command=ls";
    let (code, _, said) = go_over(&api, "GET", path, jane).await;
    assert_eq!(code, 403);
    assert!(
        said.contains("cannot get resource \\\"pods/exec\\\""),
        "{said}"
    );
}

#[tokio::test]
async fn requests_are_passed_on_to_containers_and_kubelets() {
    let api = api(NodeAccess::new(Arc::new(Echo))).await;
    let labels = json!({"app": "web"});
    let containers =
        json!([{"name": "c", "image": "x", "ports": [{"name": "http", "containerPort": 8080}]}]);
    for name in ["web", "ill"] {
        let pod = json!({"metadata": {"name": name, "labels": labels}, "spec": {"nodeName": "pinned", "containers": containers}});
        assert_eq!(ask(&api, "POST", PODS, Some(pod)).await.0, 201);
    }
    let ready = json!([{"op": "add", "path": "/status/conditions", "value": [{"type": "Ready", "status": "True"}]}]);
    let patch = Request::patch(format!("{PODS}/web/status"))
        .header("content-type", "application/json-patch+json")
        .extension(Identity::admin())
        .body(Full::new(Bytes::from(ready.to_string())))
        .unwrap();
    assert_eq!(api.answer(patch).await.status(), 200);
    let services = "/api/v1/namespaces/default/services";
    let ports = json!([{"name": "a", "port": 80, "targetPort": "http"}, {"name": "b", "port": 81, "targetPort": 9090}]);
    for (name, spec) in [
        ("web", json!({"selector": labels, "ports": ports})),
        (
            "nobody",
            json!({"selector": {"app": "none"}, "ports": [{"port": 80}]}),
        ),
        ("bare", json!({"ports": [{"port": 80}]})),
    ] {
        let service = json!({"metadata": {"name": name}, "spec": spec});
        let (code, said) = ask(&api, "POST", services, Some(service)).await;
        assert_eq!(code, 201, "{said}");
    }
    for (path, code, said) in [
        (
            "namespaces/default/pods/web/proxy/a/b?c=d",
            200,
            "/proxy/default/web/8080/a/b?c=d",
        ),
        (
            "namespaces/default/pods/http:web:http/proxy/",
            200,
            "/proxy/default/web/8080/",
        ),
        (
            "namespaces/default/pods/web:81/proxy",
            200,
            "/proxy/default/web/81/",
        ),
        (
            "namespaces/default/pods/web:none/proxy/",
            400,
            "has no port",
        ),
        (
            "namespaces/default/pods/https:web:81/proxy/",
            400,
            "plain HTTP",
        ),
        ("namespaces/default/pods/none:81/proxy/", 404, "not found"),
        (
            "namespaces/default/pods/one:81/proxy/",
            400,
            "does not have a host",
        ),
        (
            "namespaces/default/pods/on-hollow:81/proxy/",
            501,
            "there is no proxy of them",
        ),
        (
            "namespaces/default/services/web:a/proxy/x",
            200,
            "/proxy/default/web/8080/x",
        ),
        (
            "namespaces/default/services/web:81/proxy/x",
            200,
            "/proxy/default/web/9090/x",
        ),
        (
            "namespaces/default/services/web/proxy/",
            503,
            "no service port",
        ),
        (
            "namespaces/default/services/nobody/proxy/",
            503,
            "no endpoints available for service",
        ),
        (
            "namespaces/default/services/bare/proxy/",
            503,
            "selects no pods",
        ),
        (
            "nodes/pinned/proxy/metrics/resource",
            200,
            "/metrics/resource",
        ),
        ("nodes/none/proxy/metrics", 404, "not found"),
    ] {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            let path = format!("/api/v1/{path}");
            let (got, answer) = ask(&api, method, &path, None).await;
            assert_eq!(got, code, "{method} {path}: {answer}");
            assert!(answer.contains(said), "{path}: {answer}");
            assert!(code != 200 || answer.starts_with(method), "{answer}");
        }
    }
}
