// SPDX-License-Identifier: Apache-2.0
//! `pods/exec` and `pods/attach`: the client's connection goes over to another protocol, and is handed on to the kubelet of the
//! pod's node. What is spoken on it, WebSocket or SPDY, is between the two.

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response, StatusCode};
use k1s_core::object::text;
use k1s_core::status::Status;
use serde_json::Value;

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::body::Body;
use crate::kubelets::Kubelet;
use crate::options::Query;
use crate::route::Target;

use super::kubelet::{append, container, locate};

pub(super) const STREAM_PROTOCOL: HeaderName = HeaderName::from_static("x-stream-protocol-version");
/// What of the client's request is the kubelet's business.
pub(super) const ASKED: [HeaderName; 5] = [
    UPGRADE,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
    STREAM_PROTOCOL,
];
/// What of the kubelet's answer is the client's.
const ANSWERED: [HeaderName; 5] = [
    CONTENT_TYPE,
    UPGRADE,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_PROTOCOL,
    STREAM_PROTOCOL,
];

/// Connects a client with a container. A kubelet that refuses is passed on as it is, status and text.
pub(super) async fn connect(
    api: &Api,
    method: &Method,
    target: &Target,
    exchange: &Exchange,
) -> Result<Answer, Status> {
    let Some((pod, _)) = api.load(target.kind, &target.namespace, &target.name)? else {
        return Err(Status::not_found(target.kind, &target.name));
    };
    let container = container(&pod, exchange.query.text("container"))?;
    let kubelet = kubelet_of(api, target, &pod)?;
    if !is_upgrade(&exchange.headers) {
        return Err(Status::bad_request("Upgrade request required"));
    }
    let path = format!(
        "/{}/{}/{}/{container}{}",
        target.subresource,
        target.namespace,
        target.name,
        streams(&exchange.query, target.subresource == "exec")
    );
    let mut request = Request::builder()
        .method(method)
        .uri(&path)
        .body(Bytes::new())
        .map_err(Status::internal)?;
    copy(&ASKED, &exchange.headers, request.headers_mut());
    hand_on(api, target, kubelet, request)
        .await
        .map(Answer::Relayed)
}

/// The kubelet of a pod's node.
pub(super) fn kubelet_of(api: &Api, target: &Target, pod: &Value) -> Result<Kubelet, Status> {
    let node = text(pod, &["spec", "nodeName"]);
    if node.is_empty() {
        let message = format!("pod {} does not have a host assigned", target.name);
        return Err(Status::bad_request(message));
    }
    locate(api, target, node, false)
}

/// Sends a request for another protocol to a kubelet, and gives its answer without what is none of the client's business.
pub(super) async fn hand_on(
    api: &Api,
    target: &Target,
    kubelet: Kubelet,
    mut request: Request<Bytes>,
) -> Result<Response<Body>, Status> {
    let Some(access) = &api.0.options.node_access.0 else {
        return Err(super::no_kubelet(target));
    };
    let upgrade = HeaderValue::from_static("Upgrade");
    request.headers_mut().insert(CONNECTION, upgrade.clone());
    let mut answer = access
        .send(kubelet, request)
        .await
        .map_err(|why| Status::new(500, "", format!("error dialing backend: {why}")))?;
    let said = std::mem::take(answer.headers_mut());
    copy(&ANSWERED, &said, answer.headers_mut());
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        answer.headers_mut().insert(CONNECTION, upgrade);
    }
    Ok(answer)
}

pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let connection = headers.get_all(CONNECTION).iter();
    let mut words = connection
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    headers.contains_key(UPGRADE) && words.any(|word| word.trim().eq_ignore_ascii_case("upgrade"))
}

pub(super) fn copy(names: &[HeaderName], from: &HeaderMap, to: &mut HeaderMap) {
    for name in names {
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}

/// What the client wants, as a kubelet is asked.
fn streams(query: &Query, has_command: bool) -> String {
    let mut out = String::new();
    for (name, asked, unless_said) in [
        ("input", "stdin", false),
        ("output", "stdout", true),
        ("error", "stderr", true),
        ("tty", "tty", false),
    ] {
        if query.flag(asked).unwrap_or(unless_said) {
            append(&mut out, name, "1");
        }
    }
    if has_command {
        for word in query.all("command") {
            append(&mut out, "command", word);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kubelet_is_asked() {
        for (query, expected) in [
            (
                "command=cat&command=a%20b&stdin=true&container=c",
                "?input=1&output=1&error=1&command=cat&command=a%20b",
            ),
            (
                "stdout=true&stderr=false&tty=true&command=sh",
                "?output=1&tty=1&command=sh",
            ),
            ("stdout=false&stderr=false", ""),
        ] {
            assert_eq!(streams(&Query::parse(query), true), expected, "{query}");
        }
        assert_eq!(
            streams(&Query::parse("command=x"), false),
            "?output=1&error=1"
        );
    }

    #[test]
    fn which_requests_go_over() {
        let check = |pairs: &[(HeaderName, &'static str)], expected| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(name, HeaderValue::from_static(value));
            }
            assert_eq!(is_upgrade(&headers), expected, "{pairs:?}");
        };
        check(
            &[(CONNECTION, "keep-alive, Upgrade"), (UPGRADE, "websocket")],
            true,
        );
        check(&[(CONNECTION, "upgrade"), (UPGRADE, "SPDY/3.1")], true);
        check(&[(UPGRADE, "websocket")], false);
        check(&[(CONNECTION, "Upgrade")], false);
        check(&[(CONNECTION, "close"), (UPGRADE, "websocket")], false);
    }
}
