// SPDX-License-Identifier: Apache-2.0
//! `pods/proxy`, `services/proxy` and `nodes/proxy`: HTTP to a container on a board, and to a kubelet. The kubelet of the node is
//! asked, whose certificate is known; no address that an object names is ever called.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::{Method, Request};
use k1s_core::kinds;
use k1s_core::object::{self, at, int, list, map, text};
use k1s_core::status::{Details, Status};
use serde_json::Value;

use crate::admission::all_of;
use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::route::Target;

use super::eviction::is_ready;
use super::exec::copy;
use super::kubelet::locate;

/// What of requests and answers is passed on.
const PASSED: [HeaderName; 2] = [ACCEPT, CONTENT_TYPE];

/// Passes a request on, and the answer back as it is.
pub(super) async fn forward(
    api: &Api,
    method: &Method,
    target: &Target,
    exchange: &Exchange,
) -> Result<Answer, Status> {
    let (name, port) = split(&target.name)?;
    let path = behind(exchange.uri.path(), !target.namespace.is_empty());
    let query = exchange.uri.query().map(|q| format!("?{q}"));
    let path = format!("/{path}{}", query.unwrap_or_default());
    let (node, path) = match target.kind.kind {
        "Node" => (name.to_owned(), path),
        kind => {
            let (pod, port) = match kind {
                "Pod" => pod(api, target, name, port)?,
                _ => behind_service(api, target, name, port)?,
            };
            let node = text(&pod, &["spec", "nodeName"]);
            if node.is_empty() {
                let message = format!("pod {name} does not have a host assigned");
                return Err(Status::bad_request(message));
            }
            let namespace = &target.namespace;
            let pod = object::name(&pod);
            (
                node.to_owned(),
                format!("/proxy/{namespace}/{pod}/{port}{path}"),
            )
        }
    };
    let kubelet = locate(api, target, &node, false)?;
    let Some(access) = &api.0.options.node_access.0 else {
        return Err(super::no_kubelet(target));
    };
    let mut request = Request::builder()
        .method(method)
        .uri(&path)
        .body(exchange.body.clone())
        .map_err(Status::internal)?;
    copy(&PASSED, &exchange.headers, request.headers_mut());
    let mut answer = access
        .send(kubelet, request)
        .await
        .map_err(|why| unavailable(format!("error trying to reach service: {why}")))?;
    let said = std::mem::take(answer.headers_mut());
    copy(&PASSED, &said, answer.headers_mut());
    Ok(Answer::Relayed(answer))
}

fn unavailable(message: String) -> Status {
    Status::new(503, "ServiceUnavailable", message).with_details(Details::default())
}

/// The name and the port in `NAME`, `NAME:PORT` or `http:NAME:PORT`.
fn split(text: &str) -> Result<(&str, &str), Status> {
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [name] => Ok((name, "")),
        [name, port] | ["http" | "", name, port] => Ok((name, port)),
        ["https", ..] => Err(Status::bad_request(
            "boards speak plain HTTP on their containers' ports, and not https",
        )),
        _ => Err(Status::bad_request(format!("invalid request {text:?}"))),
    }
}

/// What stands behind `/proxy/` in a path, as it was sent.
fn behind(path: &str, is_namespaced: bool) -> &str {
    let before = if is_namespaced { 7 } else { 5 };
    let mut segments = path.trim_start_matches('/').splitn(before + 1, '/');
    segments.nth(before).unwrap_or_default()
}

/// A pod and the number of one of its ports: the one that is named, or the first.
fn pod(api: &Api, target: &Target, name: &str, port: &str) -> Result<(Value, u16), Status> {
    let Some((pod, _)) = api.load(target.kind, &target.namespace, name)? else {
        return Err(Status::not_found(target.kind, name));
    };
    let number = container_port(&pod, port)
        .ok_or_else(|| Status::bad_request(format!("pod {name:?} has no port {port:?}")))?;
    Ok((pod, number))
}

/// The number of a container's port that is named or numbered; of the first where nothing is said.
fn container_port(pod: &Value, port: &str) -> Option<u16> {
    if let Ok(number) = port.parse() {
        return Some(number);
    }
    let containers = list(pod, &["spec", "containers"]);
    let mut ports = containers.iter().flat_map(|c| list(c, &["ports"]));
    let found = ports.find(|p| port.is_empty() || text(p, &["name"]) == port)?;
    u16::try_from(int(found, &["containerPort"])?).ok()
}

/// A ready pod behind a service, and its port.
fn behind_service(
    api: &Api,
    target: &Target,
    name: &str,
    port: &str,
) -> Result<(Value, u16), Status> {
    let Some((service, _)) = api.load(target.kind, &target.namespace, name)? else {
        return Err(Status::not_found(target.kind, name));
    };
    let ports = list(&service, &["spec", "ports"]);
    let is_meant = |p: &&Value| {
        let number = int(p, &["port"]).map(|n| n.to_string());
        text(p, &["name"]) == port || number.as_deref() == Some(port)
    };
    let found = match ports {
        [only] if port.is_empty() => Some(only),
        ports => ports.iter().find(is_meant),
    };
    let Some(found) = found else {
        return Err(unavailable(format!(
            "no service port {port:?} found for service {name:?}"
        )));
    };
    let wanted = match at(found, &["targetPort"]) {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => int(found, &["port"]).unwrap_or(0).to_string(),
    };
    let selector = map(&service, &["spec", "selector"]).filter(|selector| !selector.is_empty());
    let (Some(selector), Some(kind)) = (selector, kinds::of_kind("", "v1", "Pod")) else {
        return Err(unavailable(format!("service {name:?} selects no pods")));
    };
    let ready = all_of(api, kind, &target.namespace)?
        .into_iter()
        .find_map(|pod| {
            let labels = map(&pod, &["metadata", "labels"]);
            let has = |key: &String, value| labels.and_then(|l| l.get(key)) == Some(value);
            let is_selected = selector.iter().all(|(key, value)| has(key, value));
            let is_there = is_selected && is_ready(&pod) && !object::is_deleting(&pod);
            let number = container_port(&pod, &wanted).filter(|_| is_there)?;
            Some((pod, number))
        });
    ready.ok_or_else(|| unavailable(format!("no endpoints available for service {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind() {
        for (path, is_namespaced, expected) in [
            (
                "/api/v1/namespaces/n/pods/p:80/proxy/a/b%2Fc/",
                true,
                "a/b%2Fc/",
            ),
            ("/api/v1/namespaces/n/pods/p/proxy/", true, ""),
            ("/api/v1/namespaces/n/pods/p/proxy", true, ""),
            (
                "/api/v1/nodes/n/proxy/metrics/resource",
                false,
                "metrics/resource",
            ),
        ] {
            assert_eq!(behind(path, is_namespaced), expected, "{path}");
        }
    }

    #[test]
    fn names_and_ports() {
        assert_eq!(split("p").unwrap(), ("p", ""));
        assert_eq!(split("p:http").unwrap(), ("p", "http"));
        assert_eq!(split("http:p:80").unwrap(), ("p", "80"));
        assert!(split("https:p:80").is_err() && split("a:b:c:d").is_err());
    }
}
