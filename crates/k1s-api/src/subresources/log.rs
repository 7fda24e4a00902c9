// SPDX-License-Identifier: Apache-2.0
//! `pods/log`: the log of a container, asked of the kubelet of its node.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use k1s_core::field::Errors;
use k1s_core::kinds;
use k1s_core::object::{self, int, list, text};
use k1s_core::status::Status;
use k1s_core::time::{parse_time, print_time};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::body::Body;
use crate::kubelets::{CERTIFICATE_ANNOTATION, Kubelet, Trust};
use crate::options::Query;
use crate::route::Target;

/// The port of a kubelet whose node does not say which.
const KUBELET_PORT: u16 = 10250;
/// So much is read of what a kubelet says when it refuses.
const REFUSAL_BYTES: usize = 64 * 1024;
/// Addresses are tried in this order, as K3s and kubeadm have kube-apiserver do.
const ADDRESSES: [&str; 5] = [
    "InternalIP",
    "ExternalIP",
    "Hostname",
    "InternalDNS",
    "ExternalDNS",
];
/// What stands in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Answers with the log, which goes on while it is followed.
pub(super) async fn get(api: &Api, target: &Target, exchange: &Exchange) -> Result<Answer, Status> {
    let options = Options::parse(&exchange.query, &target.name)?;
    let Some((pod, _)) = api.load(target.kind, &target.namespace, &target.name)? else {
        return Err(Status::not_found(target.kind, &target.name));
    };
    let container = container(&pod, exchange.query.text("container"))?;
    let node = text(&pod, &["spec", "nodeName"]);
    if node.is_empty() {
        return Ok(Answer::Nothing);
    }
    let kubelet = kubelet(api, target, node, options.any_certificate)?;
    let Some(access) = &api.0.options.node_access.0 else {
        return Err(super::no_kubelet(target));
    };
    let path = format!(
        "/containerLogs/{}/{}/{container}{}",
        target.namespace, target.name, options.query
    );
    let url = format!("https://{}:{}{path}", kubelet.host, kubelet.port);
    let request = Request::get(&path)
        .body(Bytes::new())
        .map_err(Status::internal)?;
    let answer = access
        .send(kubelet, request)
        .await
        .map_err(|why| Status::new(500, "", format!("Get \"{url}\": {why}")))?;
    if answer.status().is_success() {
        Ok(Answer::Stream {
            content_type: "text/plain",
            body: answer.into_body(),
        })
    } else {
        Err(refusal(answer, target).await)
    }
}

/// What was asked for, as the kubelet is asked.
struct Options {
    /// With its question mark, if there is anything to say.
    query: String,
    any_certificate: bool,
}

impl Options {
    fn parse(query: &Query, pod: &str) -> Result<Self, Status> {
        let limit_bytes = query.int("limitBytes")?;
        let since_seconds = query.int("sinceSeconds")?;
        let since_time = query
            .get("sinceTime")
            .map(|text| parse_time(text).map_err(|e| Status::bad_request(e.to_string())))
            .transpose()?;
        let tail_lines = query.int("tailLines")?;
        let mut errors = Errors::new();
        if let Some(lines) = tail_lines.filter(|lines| *lines < 0) {
            let what = "must be greater than or equal to 0";
            errors.invalid("tailLines", &lines.into(), what);
        }
        if let Some(bytes) = limit_bytes.filter(|bytes| *bytes < 1) {
            errors.invalid("limitBytes", &bytes.into(), "must be greater than 0");
        }
        match since_seconds {
            Some(_) if since_time.is_some() => errors.forbidden(
                "[]",
                "at most one of `sinceTime` or `sinceSeconds` may be specified",
            ),
            Some(seconds) if seconds < 1 => {
                errors.invalid("sinceSeconds", &seconds.into(), "must be greater than 0");
            }
            _ => {}
        }
        if query.get("stream").is_some() {
            errors.forbidden("stream", "may not be specified");
        }
        if !errors.is_empty() {
            return Err(Status::invalid("", "PodLogOptions", pod, errors));
        }
        let flag = |name| query.flag(name).unwrap_or(false).then(|| "true".to_owned());
        let number = |n: Option<i64>| n.map(|n| n.to_string());
        let mut text = String::new();
        for (name, value) in [
            ("follow", flag("follow")),
            ("limitBytes", number(limit_bytes)),
            ("previous", flag("previous")),
            ("sinceSeconds", number(since_seconds)),
            ("sinceTime", since_time.map(print_time)),
            ("tailLines", number(tail_lines)),
            ("timestamps", flag("timestamps")),
        ] {
            if let Some(value) = value {
                text.push(if text.is_empty() { '?' } else { '&' });
                text.push_str(name);
                text.push('=');
                text.extend(utf8_percent_encode(&value, PLAIN));
            }
        }
        Ok(Self {
            query: text,
            any_certificate: query.flag("insecureSkipTLSVerifyBackend").unwrap_or(false),
        })
    }
}

/// The container whose log is meant: the one that was named, or the only one.
fn container<'a>(pod: &'a Value, named: &'a str) -> Result<&'a str, Status> {
    let names = |field| {
        list(pod, &["spec", field])
            .iter()
            .map(|container| text(container, &["name"]))
    };
    let all: Vec<&str> = names("initContainers")
        .chain(names("containers"))
        .chain(names("ephemeralContainers"))
        .collect();
    match all.as_slice() {
        _ if !named.is_empty() => all.contains(&named).then_some(named).ok_or_else(|| {
            Status::bad_request(format!(
                "container {named} is not valid for pod {}",
                object::name(pod)
            ))
        }),
        [only] => Ok(only),
        all => Err(Status::bad_request(format!(
            "a container name must be specified for pod {}, choose one of: [{}]",
            object::name(pod),
            all.join(" ")
        ))),
    }
}

/// Where the kubelet of a node is, and what its certificate must be.
fn kubelet(
    api: &Api,
    target: &Target,
    node: &str,
    any_certificate: bool,
) -> Result<Kubelet, Status> {
    let stored = match kinds::of_kind("", "v1", "Node") {
        Some(nodes) => api.load(nodes, "", node)?,
        None => None,
    };
    let Some((object, _)) = stored else {
        return Err(Status::not_found(target.kind, node));
    };
    let addresses = list(&object, &["status", "addresses"]);
    let host = ADDRESSES.iter().find_map(|kind| {
        let found = addresses.iter().find(|a| text(a, &["type"]) == *kind)?;
        Some(text(found, &["address"]).to_owned())
    });
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        let known: Vec<String> = addresses
            .iter()
            .map(|a| format!("{{{} {}}}", text(a, &["type"]), text(a, &["address"])))
            .collect();
        let known = known.join(" ");
        let message = format!("no preferred addresses found; known addresses: [{known}]");
        return Err(Status::new(500, "", message));
    };
    let trust = match object::annotation(&object, CERTIFICATE_ANNOTATION).map(digest) {
        _ if any_certificate => Trust::Any,
        Some(Some(digest)) => Trust::Certificate(digest),
        Some(None) => {
            let message = format!(
                "the annotation {CERTIFICATE_ANNOTATION} of node {node:?} is not the 64 hexadecimal digits of a SHA-256"
            );
            return Err(Status::new(500, "", message));
        }
        None => {
            let message = format!(
                "node {node:?} has no annotation {CERTIFICATE_ANNOTATION}, so its kubelet could be anybody; \
                 kubectl logs --insecure-skip-tls-verify-backend asks it all the same"
            );
            return Err(Status::new(500, "", message));
        }
    };
    let port = int(
        &object,
        &["status", "daemonEndpoints", "kubeletEndpoint", "Port"],
    )
    .and_then(|port| u16::try_from(port).ok())
    .filter(|port| *port > 0)
    .unwrap_or(KUBELET_PORT);
    Ok(Kubelet { host, port, trust })
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (n, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(out)
}

/// What the client is told when the kubelet refuses.
async fn refusal(answer: Response<Body>, target: &Target) -> Status {
    let (head, body) = answer.into_parts();
    let mut pieces = Limited::new(body, REFUSAL_BYTES).into_data_stream();
    let mut said = Vec::new();
    while let Some(Ok(piece)) = pieces.next().await {
        said.extend_from_slice(&piece);
    }
    let said = String::from_utf8_lossy(&said);
    match head.status.as_u16() {
        500 => Status::internal(said),
        400 => Status::bad_request(said),
        404 => Status::new(
            404,
            "NotFound",
            format!(
                "the server could not find the requested resource ( pods/log {}): {said}",
                target.name
            ),
        ),
        other => Status::new(500, "", format!("the kubelet answered {other}: {said}")),
    }
}
