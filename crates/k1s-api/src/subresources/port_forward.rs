// SPDX-License-Identifier: Apache-2.0
//! `pods/portforward`: the client's connection is handed on to the kubelet of the pod's node, which speaks SPDY/3.1. A client speaks
//! that, too, or WebSocket with it within: then each binary message is a piece of it (KEP-4006). Or it speaks WebSocket with a pair of
//! channels for each port that it names, as kube-rs and the Python client do; so does the kubelet.

use bytes::Bytes;
use http::header::{
    HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Method, Request, StatusCode};
use k1s_core::status::Status;

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::kubelets::Tunnelled;
use crate::route::Target;

use super::exec::{ASKED, STREAM_PROTOCOL, copy, hand_on, is_upgrade, kubelet_of};
use super::kubelet::append;

/// What is spoken to the kubelet, and on which streams.
const SPDY: HeaderValue = HeaderValue::from_static("SPDY/3.1");
const STREAMS: HeaderValue = HeaderValue::from_static("portforward.k8s.io");
/// The same within WebSocket.
const WITHIN: HeaderValue = HeaderValue::from_static("SPDY/3.1+portforward.k8s.io");

/// Two channels for each port.
const CHANNELS: HeaderValue = HeaderValue::from_static("v4.channel.k8s.io");

/// Connects a client with a pod's ports. A kubelet that refuses is passed on as it is, status and text.
pub(super) async fn connect(
    api: &Api,
    method: &Method,
    target: &Target,
    exchange: &Exchange,
) -> Result<Answer, Status> {
    let Some((pod, _)) = api.load(target.kind, &target.namespace, &target.name)? else {
        return Err(Status::not_found(target.kind, &target.name));
    };
    let kubelet = kubelet_of(api, target, &pod)?;
    if !is_upgrade(&exchange.headers) {
        return Err(Status::bad_request("Upgrade request required"));
    }
    let is_websocket = is_websocket(&exchange.headers);
    let is_tunnelled = is_websocket && offers(&exchange.headers, &WITHIN);
    let mut query = String::new();
    for ports in exchange.query.all("ports") {
        for port in ports.split(',') {
            append(&mut query, "port", port);
        }
    }
    let path = format!("/portForward/{}/{}{query}", target.namespace, target.name);
    if is_websocket && !is_tunnelled && !offers(&exchange.headers, &CHANNELS) {
        return Err(Status::bad_request(
            "ports are forwarded over WebSocket as SPDY/3.1+portforward.k8s.io or v4.channel.k8s.io, or over SPDY/3.1",
        ));
    }
    if is_tunnelled && !is_version_13(&exchange.headers) {
        return Err(Status::bad_request(
            "this is no WebSocket of version 13 with a Sec-WebSocket-Key",
        ));
    }
    let mut request = Request::builder()
        .method(if is_tunnelled { &Method::POST } else { method })
        .uri(&path)
        .body(Bytes::new())
        .map_err(Status::internal)?;
    if is_tunnelled {
        request.headers_mut().insert(UPGRADE, SPDY);
        request.headers_mut().insert(STREAM_PROTOCOL, STREAMS);
    } else {
        copy(&ASKED, &exchange.headers, request.headers_mut());
    }
    let mut answer = hand_on(api, target, kubelet, request).await?;
    if is_tunnelled && answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let headers = answer.headers_mut();
        headers.remove(STREAM_PROTOCOL);
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_PROTOCOL, WITHIN);
        answer.extensions_mut().insert(Tunnelled);
    }
    Ok(Answer::Relayed(answer))
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|text| text.eq_ignore_ascii_case("websocket"))
}

/// Whether a client of WebSocket speaks a subprotocol.
fn offers(headers: &HeaderMap, protocol: &HeaderValue) -> bool {
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    offered.any(|one| one.trim() == protocol)
}

fn is_version_13(headers: &HeaderMap) -> bool {
    headers.contains_key(SEC_WEBSOCKET_KEY)
        && headers.get(SEC_WEBSOCKET_VERSION) == Some(&HeaderValue::from_static("13"))
}
