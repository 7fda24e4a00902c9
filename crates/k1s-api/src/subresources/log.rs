// SPDX-License-Identifier: Apache-2.0
//! `pods/log`: the log of a container, asked of the kubelet of its node.

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Limited};
use k1s_core::field::Errors;
use k1s_core::object::text;
use k1s_core::status::Status;
use k1s_core::time::{parse_time, print_time};

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::body::Body;
use crate::options::Query;
use crate::route::Target;

use super::kubelet::{append, container, locate};

/// So much is read of what a kubelet says when it refuses.
const REFUSAL_BYTES: usize = 64 * 1024;
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
    let kubelet = locate(api, target, node, options.any_certificate)?;
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
                append(&mut text, name, &value);
            }
        }
        Ok(Self {
            query: text,
            any_certificate: query.flag("insecureSkipTLSVerifyBackend").unwrap_or(false),
        })
    }
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
