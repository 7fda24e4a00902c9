// SPDX-License-Identifier: Apache-2.0
//! What is answered to which path.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::session_request::{Asked, too_many};
use super::{LogQuery, Rest};
use crate::Agent;
use crate::http::Incoming;
use crate::json::object;
use crate::pod::{Log, Runner, State, Work};
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: String,
    pub(super) rest: Rest,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Answer {
    fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self {
            status,
            content_type,
            body,
            rest: Rest::Nothing,
        }
    }

    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self::new(status, TEXT, body.into())
    }

    fn json(body: String) -> Self {
        Self::new(200, JSON, body)
    }
}

impl Agent {
    pub(super) fn kubelet_request(
        &mut self,
        request: &Incoming,
        is_trusted: bool,
        now: Ms,
        runtime: &mut dyn Runtime,
    ) -> Answer {
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let is_command = matches!(
            words.first(),
            Some(&"exec" | &"attach" | &"run" | &"portForward")
        );
        if !is_trusted && !self.is_open(&words) {
            return Answer::text(
                401,
                "Unauthorized, this node answers the API server alone, which shows a client certificate that it trusts\n",
            );
        }
        if request.method != "GET" && !(request.method == "POST" && is_command) {
            let why = "this node answers GET, and POST to /exec, /attach, /run and /portForward\n";
            return Answer::text(405, why);
        }
        match words.as_slice() {
            ["healthz" | "livez"] => Answer::text(200, "ok"),
            ["readyz"] if self.is_ready() => Answer::text(200, "ok"),
            ["readyz"] => Answer::text(500, "the node is not registered with the API yet\n"),
            ["pods" | "runningpods"] => {
                let body =
                    "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{},\"items\":["
                        .to_owned();
                Answer {
                    rest: Rest::Pods(0),
                    ..Answer::json(body)
                }
            }
            ["containerLogs", namespace, pod, container] => {
                self.log_request(namespace, pod, container, query, now)
            }
            [kind @ ("exec" | "attach"), namespace, pod, container] => {
                let asked = Asked {
                    is_exec: *kind == "exec",
                    namespace,
                    pod,
                    container,
                    query,
                    upgrade: request.upgrade.as_ref(),
                };
                self.session_request(&asked, now, runtime)
            }
            #[cfg(feature = "spdy")]
            ["portForward", namespace, pod] => {
                self.forward_request((namespace, pod), query, request.upgrade.as_ref(), now)
            }
            ["run", namespace, pod, container] => {
                let command = value(query, "cmd").unwrap_or_default();
                let words: Vec<String> = command.split_whitespace().map(Into::into).collect();
                self.run_request((namespace, pod, container), &words, now, runtime)
            }
            ["metrics"] => Answer::new(200, METRICS, self.metrics(now)),
            ["metrics", "resource"] => {
                Answer::new(200, METRICS, self.resource_metrics(now, runtime))
            }
            ["stats", "summary"] => Answer::json(self.summary(now, runtime)),
            ["spec"] => Answer::json(self.spec()),
            ["configz"] => Answer::json(self.configz()),
            ["pico", "status"] => Answer::json(self.board_status(now, runtime)),
            ["pico", "memory"] => {
                let mut body = String::new();
                object(&mut body, |o| {
                    for (address, byte) in self.pin_map.memory() {
                        o.number(&format!("{address}"), (*byte).into());
                    }
                });
                Answer::json(body)
            }
            _ => Answer::text(404, format!("this node has no {path}\n")),
        }
    }

    /// What anybody may ask, as far as a node's health is nobody's secret: a kubelet that knows nobody has a port of its own for it.
    fn is_open(&self, words: &[&str]) -> bool {
        match words {
            ["healthz" | "livez" | "readyz"] => true,
            ["metrics"] | ["metrics", "resource"] | ["stats", "summary"] => {
                self.config.open_metrics
            }
            _ => false,
        }
    }

    /// The next piece of an answer that comes in pieces.
    pub(super) fn piece(&mut self, rest: Rest, now: Ms, out: &mut String) -> Rest {
        match rest {
            Rest::Pods(n) => {
                let wall = self.clock.now(now).unwrap_or(Wall::from_unix_ms(0));
                if let Some(work) = self.pods.all.get(n) {
                    out.push_str(if n > 0 { "," } else { "" });
                    work.write_pod(&self.config, wall, out);
                    Rest::Pods(n + 1)
                } else {
                    out.push_str("]}");
                    Rest::Nothing
                }
            }
            Rest::Log(query) => self.log_piece(query, out),
            _ => Rest::Nothing,
        }
    }

    fn container(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<(&Work, &Runner), String> {
        let work = self
            .pods
            .by_name(namespace, pod)
            .ok_or_else(|| format!("pod {namespace}/{pod} is not on this node\n"))?;
        match work.container(container) {
            Some((_, runner)) => Ok((work, runner)),
            None => Err(format!(
                "pod {namespace}/{pod} has no container {container:?}\n"
            )),
        }
    }

    fn log_request(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        query: &str,
        now: Ms,
    ) -> Answer {
        let (work, runner) = match self.container(namespace, pod, container) {
            Ok(found) => found,
            Err(why) => return Answer::text(404, why),
        };
        let number = |key| value(query, key).and_then(|text| text.parse::<u64>().ok());
        let is_true = |key| value(query, key).is_some_and(|text| text == "true" || text == "1");
        let mut previous = is_true("previous");
        if is_true("follow") && self.kubelet.followers() >= super::MAX_FOLLOWERS {
            return Answer::text(429, format!("{}\n", too_many()));
        }
        if previous && runner.last.is_none() {
            return Answer::text(
                400,
                format!("previous terminated container {container:?} in pod {pod:?} not found\n"),
            );
        }
        if let State::Waiting { reason, .. } = &runner.state {
            // Between two runs the last one is what there is to read.
            previous = true;
            if runner.last.is_none() {
                let why = match *reason {
                    "ErrImagePull" => "image can't be pulled",
                    "ImagePullBackOff" => "trying and failing to pull image",
                    reason => reason,
                };
                return Answer::text(
                    400,
                    format!("container {container:?} in pod {pod:?} is waiting to start: {why}\n"),
                );
            }
        }
        let since_time = match value(query, "sinceTime") {
            None => None,
            Some(text) => match Wall::from_rfc3339(&text) {
                None => {
                    let why = format!("sinceTime {text:?} is no time of RFC 3339 in UTC\n");
                    return Answer::text(400, why);
                }
                time => time,
            },
        };
        let log = chosen(runner, previous);
        let next = match number("tailLines") {
            Some(lines) => log.end().saturating_sub(lines).max(log.first()),
            None => log.first(),
        };
        let query = LogQuery {
            uid: work.pod.uid.clone(),
            container: container.into(),
            previous,
            timestamps: is_true("timestamps"),
            follow: is_true("follow") && !previous,
            since: number("sinceSeconds").map(|s| now.saturating_sub(s.saturating_mul(1000))),
            since_time,
            next,
            limit: number("limitBytes"),
            restarts: runner.restarts,
        };
        Answer {
            rest: Rest::Log(query),
            ..Answer::text(200, "")
        }
    }

    pub(super) fn log_piece(&self, mut query: LogQuery, out: &mut String) -> Rest {
        let found = self
            .pods
            .all
            .iter()
            .find(|work| work.pod.uid == query.uid)
            .and_then(|work| work.container(&query.container));
        let Some((_, runner)) = found else {
            return Rest::Nothing;
        };
        // A container that was started again has another log; what was asked for is that of the one before.
        let is_same = runner.restarts == query.restarts;
        let log = chosen(runner, query.previous || !is_same);
        for line in log.from(query.next.max(log.first())) {
            if out.len() >= 1024 {
                return Rest::Log(query);
            }
            query.next = query.next.max(log.first()) + 1;
            let is_early = query.since.is_some_and(|since| line.at < since)
                || matches!((query.since_time, line.wall), (Some(since), Some(at)) if at < since);
            if is_early {
                continue;
            }
            let mut text = String::new();
            if query.timestamps {
                match line.wall {
                    Some(wall) => text.push_str(&format!("{} ", wall.micro())),
                    None => text.push_str("1970-01-01T00:00:00.000000Z "),
                }
            }
            text.push_str(&String::from_utf8_lossy(&line.text));
            text.push('\n');
            if let Some(limit) = &mut query.limit {
                let take = usize::try_from(*limit)
                    .unwrap_or(usize::MAX)
                    .min(text.len());
                let take = (0..=take)
                    .rev()
                    .find(|n| text.is_char_boundary(*n))
                    .unwrap_or(0);
                text.truncate(take);
                *limit -= take as u64;
                out.push_str(&text);
                if *limit == 0 || take == 0 {
                    return Rest::Nothing;
                }
            } else {
                out.push_str(&text);
            }
        }
        if query.follow && runner.is_running() && is_same {
            Rest::Log(query)
        } else {
            Rest::Nothing
        }
    }
}

fn chosen(runner: &Runner, previous: bool) -> &Log {
    if previous {
        &runner.previous_log
    } else {
        &runner.log
    }
}

/// The value of a query parameter, with `%` and `+` resolved.
fn value(query: &str, key: &str) -> Option<String> {
    values(query, key).next()?
}

/// All values of a query parameter; nothing for one that is not UTF-8.
pub(super) fn values<'a>(
    query: &'a str,
    key: &'a str,
) -> impl Iterator<Item = Option<String>> + 'a {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .filter(move |(k, _)| *k == key)
        .map(|(_, text)| decoded(text))
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let digit = |b: Option<u8>| {
            b.and_then(|b| char::from(b).to_digit(16))
                .and_then(|d| u8::try_from(d).ok())
        };
        match byte {
            b'+' => out.push(b' '),
            b'%' => out.push(digit(bytes.next())? << 4 | digit(bytes.next())?),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_parameters() {
        for (query, expected) in [
            ("a=1&b=2", Some("2")),
            ("b=%41+c", Some("A c")),
            ("b=", Some("")),
            ("bb=1", None),
            ("b=%4", None),
            ("b=%ff", None),
        ] {
            assert_eq!(value(query, "b").as_deref(), expected, "{query}");
        }
    }
}
