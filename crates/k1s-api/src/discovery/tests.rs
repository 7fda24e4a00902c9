// SPDX-License-Identifier: Apache-2.0
//! Requests and the answers to them.

use http::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use serde_json::Value;

use super::*;

const V2: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

fn checks() -> Vec<Check> {
    vec![
        Check {
            name: "ping",
            fault: None,
        },
        Check {
            name: "store",
            fault: Some("disk full".into()),
        },
    ]
}

fn ask(method: &str, path: &str, headers: &[(HeaderName, &str)]) -> Option<Response<Bytes>> {
    let method: Method = method.parse().unwrap();
    let headers: HeaderMap = headers
        .iter()
        .map(|(k, v)| (k.clone(), v.parse().unwrap()))
        .collect();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    answer(
        &Request {
            method: &method,
            path,
            query,
            headers: &headers,
            own: &[],
        },
        &checks(),
    )
}

fn check(method: &str, path: &str, accept: &str, expected: &str) {
    let got = ask(method, path, &[(ACCEPT, accept)]).map_or_else(
        || "none".to_owned(),
        |r| {
            let kind = r
                .headers()
                .get(CONTENT_TYPE)
                .map_or("", |v| v.to_str().unwrap());
            let body = serde_json::from_slice::<Value>(r.body()).unwrap_or_default();
            format!(
                "{} {} {}",
                r.status().as_u16(),
                kind.split(';').next().unwrap_or_default(),
                body["kind"].as_str().unwrap_or("-")
            )
        },
    );
    assert_eq!(got, expected, "{method} {path} {accept}");
}

#[test]
fn paths() {
    let json = "application/json";
    check("GET", "/api", json, "200 application/json APIVersions");
    check("GET", "/api/", json, "200 application/json APIVersions");
    check("GET", "/api//", json, "404 application/json Status");
    check(
        "GET",
        "/api/v1",
        json,
        "200 application/json APIResourceList",
    );
    check(
        "GET",
        "/api/v1/",
        json,
        "200 application/json APIResourceList",
    );
    check("GET", "/api/v2", json, "404 application/json Status");
    check("GET", "/api/v1/pods", json, "none");
    check("GET", "/apis", json, "200 application/json APIGroupList");
    check("GET", "/apis/", json, "200 application/json APIGroupList");
    check("GET", "/apis/apps", json, "200 application/json APIGroup");
    check("GET", "/apis/%61pps", json, "200 application/json APIGroup");
    check("GET", "/apis/apps/", json, "200 application/json APIGroup");
    check(
        "GET",
        "/apis/apps/v1",
        json,
        "200 application/json APIResourceList",
    );
    check("GET", "/apis/apps/v1/deployments", json, "none");
    check("GET", "/apis/apps/v9", json, "404 application/json Status");
    check(
        "GET",
        "/apis/apps/v9/deployments",
        json,
        "404 application/json Status",
    );
    check("GET", "/apis/nobody.example.com", json, "404 text/plain -");
    check(
        "GET",
        "/apis/nobody.example.com/v1",
        json,
        "404 text/plain -",
    );
    check("GET", "/version", json, "200 application/json -");
    check("GET", "/version/", json, "200 application/json -");
    check("GET", "/version/x", json, "404 application/json Status");
    check("GET", "/", json, "200 application/json -");
    check("GET", "/metrics", json, "200 text/plain -");
    check("GET", "/nothing", json, "404 text/plain -");
    check("GET", "/healthzz", json, "404 text/plain -");
    check("GET", "/healthz/", json, "404 text/plain -");
}

#[test]
fn methods_and_types() {
    let json = "application/json";
    check("POST", "/api/v1", json, "405 application/json Status");
    check("HEAD", "/version", json, "405 application/json Status");
    check(
        "OPTIONS",
        "/apis/apps/v1",
        json,
        "405 application/json Status",
    );
    check("POST", "/apis", json, "200 application/json APIGroupList");
    check("HEAD", "/healthz/ping", json, "200 text/plain -");
    check("GET", "/api/v1", "text/html", "406 application/json Status");
    check(
        "GET",
        "/version",
        "application/yaml",
        "406 application/yaml -",
    );
    check(
        "GET",
        "/api/v1",
        "application/*",
        "406 application/json Status",
    );
    check(
        "GET",
        "/apis/apps",
        "application/*",
        "200 application/json APIGroup",
    );
    check(
        "GET",
        "/apis/apps",
        "application/yaml",
        "200 application/yaml -",
    );
    check(
        "GET",
        "/apis/apps",
        "application/vnd.kubernetes.protobuf",
        "200 application/vnd.kubernetes.protobuf -",
    );
    check(
        "GET",
        "/apis",
        V2,
        "200 application/json APIGroupDiscoveryList",
    );
    check("GET", "/apis/apps", V2, "406 application/json Status");
    check("GET", "/api/v1", V2, "406 application/json Status");
    let got = ask("GET", "/api/v1", &[(CONTENT_TYPE, "text/html")]).unwrap();
    assert_eq!(got.status(), 415);
}

#[test]
fn a_known_tag_gets_no_body() {
    let first = ask("GET", "/apis", &[(ACCEPT, V2)]).unwrap();
    let tag = first.headers()[ETAG].to_str().unwrap();
    let second = ask("GET", "/apis", &[(ACCEPT, V2), (IF_NONE_MATCH, tag)]).unwrap();
    assert_eq!(
        (
            second.status().as_u16(),
            second.body().len(),
            second.headers().get(CONTENT_TYPE)
        ),
        (304, 0, None)
    );
    assert_eq!(second.headers()[ETAG], first.headers()[ETAG]);
}

#[test]
fn a_group_in_yaml() {
    let got = ask("GET", "/apis/apps", &[(ACCEPT, "application/yaml")]).unwrap();
    let expected = "apiVersion: v1\nkind: APIGroup\nname: apps\npreferredVersion:\n  groupVersion: apps/v1\n  version: v1\nversions:\n- groupVersion: apps/v1\n  version: v1\n";
    assert_eq!(got.body(), expected);
}

#[test]
fn health() {
    let text = |path: &str| {
        let got = ask("GET", path, &[]).unwrap();
        format!(
            "{} {}",
            got.status().as_u16(),
            String::from_utf8_lossy(got.body())
        )
    };
    assert_eq!(
        text("/livez"),
        "500 [+]ping ok\n[-]store failed: reason withheld\nlivez check failed\n"
    );
    assert_eq!(text("/readyz?exclude=store"), "200 ok");
    assert_eq!(
        text("/readyz?exclude=store&verbose"),
        "200 [+]ping ok\n[+]store excluded: ok\nreadyz check passed\n"
    );
    assert_eq!(
        text("/healthz?exclude=store&exclude=x&verbose"),
        "200 [+]ping ok\n[+]store excluded: ok\nwarn: some health checks cannot be excluded: no matches for \"x\"\nhealthz check passed\n"
    );
    assert_eq!(text("/livez/ping?verbose"), "200 ok");
    assert_eq!(
        text("/livez/store"),
        "500 internal server error: disk full\n"
    );
    assert_eq!(text("/livez/nothing"), "404 404 page not found\n");
}

#[test]
fn json_is_indented_for_people() {
    let body = |headers: &[(HeaderName, &str)], path: &str| {
        String::from_utf8(ask("GET", path, headers).unwrap().body().to_vec()).unwrap()
    };
    assert!(body(&[], "/apis").starts_with("{\"apiVersion\""));
    assert!(body(&[], "/apis?pretty=1").starts_with("{\n  \"apiVersion\""));
    assert!(body(&[(http::header::USER_AGENT, "curl/8")], "/apis").starts_with("{\n"));
    assert!(
        body(
            &[(http::header::USER_AGENT, "curl/8")],
            "/apis?pretty=false"
        )
        .starts_with("{\"")
    );
}

#[test]
fn openapi() {
    let json = "application/json";
    check("GET", "/openapi/v3", json, "200 text/plain -");
    check("GET", "/openapi/v3/api/v1", "*/*", "200 application/json -");
    check("GET", "/openapi/v3/version", json, "200 application/json -");
    check("GET", "/openapi/v3/api/v1", "application/yaml", "406  -");
    check("GET", "/openapi/v3/api/v2", json, "404  -");
    check("GET", "/openapi/v3/", json, "404  -");
    check(
        "GET",
        "/openapi/v3/api/v1?hash=00",
        json,
        "301 application/json -",
    );
    check("GET", "/openapi/v2", json, "200 application/json -");
    check(
        "GET",
        "/openapi/v2",
        "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
        "200 application/com.github.proto-openapi.spec.v2.v1.0+protobuf -",
    );
    check("GET", "/openapi/v2/", json, "404 text/plain -");
    check("GET", "/openapi", json, "404 text/plain -");
}

#[test]
fn an_openapi_document_is_kept_by_its_hash() {
    let index: Value =
        serde_json::from_slice(ask("GET", "/openapi/v3", &[]).unwrap().body()).unwrap();
    let url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let by_hash = ask("GET", url, &[]).unwrap();
    assert_eq!(by_hash.headers()[CACHE_CONTROL], "public, immutable");
    assert!(by_hash.headers().contains_key(http::header::EXPIRES));
    let plain = ask("GET", "/openapi/v3/apis/apps/v1", &[]).unwrap();
    assert_eq!(plain.headers()[CACHE_CONTROL], "no-cache, private");
    let tag = plain.headers()[ETAG].to_str().unwrap();
    let again = ask("GET", "/openapi/v3/apis/apps/v1", &[(IF_NONE_MATCH, tag)]).unwrap();
    assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
    let stale = ask("GET", "/openapi/v3/apis/apps/v1?hash=00", &[]).unwrap();
    assert_eq!(stale.headers()[http::header::LOCATION], url);
}
