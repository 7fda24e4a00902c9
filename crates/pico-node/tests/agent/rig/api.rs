// SPDX-License-Identifier: Apache-2.0
//! An API server as far as a node can tell: it keeps objects, counts requests, and does on demand what servers and
//! networks do on bad days.

use std::collections::{BTreeMap, VecDeque};

use pico_node::http::Incoming;
use pico_node::time::Wall;
use serde_json::{Value, json};

/// What happens to a request.
pub(crate) enum Fault {
    /// This answer comes in place of the real one; headers end in CRLF.
    Status(u16, &'static str),
    /// These bytes come in place of an answer.
    Garbage(Vec<u8>),
    /// The connection is closed after so many bytes of the answer; the request was carried out.
    CutAfter(usize),
    /// One byte of the answer comes at a time, so many milliseconds apart.
    Slow(u64),
    /// No answer comes.
    Silence,
}

pub(crate) enum Answer {
    Bytes(Vec<u8>),
    Cut(Vec<u8>),
    Slow(Vec<u8>, u64),
    Silence,
    Watch(Vec<u8>, Watch),
}

pub(crate) struct Watch {
    prefix: String,
    after: u64,
    ends_at: u64,
    pub(crate) is_over: bool,
}

/// The server.
pub(crate) struct FakeApi {
    /// Objects by path.
    pub(crate) objects: BTreeMap<String, Value>,
    pub(crate) revision: u64,
    /// Changes with the revision that they made: type, path, object.
    log: Vec<(u64, &'static str, String, Value)>,
    /// Revisions before this one are forgotten.
    pub(crate) compacted: u64,
    /// What happens to the next requests whose method and path begin with this.
    pub(crate) faults: VecDeque<(&'static str, Fault)>,
    /// Every request: `METHOD path`.
    pub(crate) requests: Vec<(u64, String)>,
    /// What is added to the node's time to get the server's, in milliseconds since 1970.
    pub(crate) clock: u64,
    /// How long a page of a list is.
    pub(crate) page: usize,
    /// Paths of kinds that it does not have.
    pub(crate) absent: Vec<&'static str>,
    /// Whether answers have a date.
    pub(crate) has_date: bool,
}

impl Default for FakeApi {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            revision: 100,
            log: Vec::new(),
            compacted: 0,
            faults: VecDeque::new(),
            requests: Vec::new(),
            clock: 1_700_000_000_000,
            page: 500,
            absent: vec!["/apis/pico.io/"],
            has_date: true,
        }
    }
}

pub(crate) const NODE: &str = "/api/v1/nodes/pico";
pub(crate) const LEASE: &str =
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/pico";

impl FakeApi {
    /// How many requests began like this.
    pub(crate) fn count(&self, begin: &str) -> usize {
        self.requests
            .iter()
            .filter(|(_, r)| r.starts_with(begin))
            .count()
    }

    pub(crate) fn put(&mut self, path: &str, mut object: Value) {
        self.revision += 1;
        let kind = if self.objects.contains_key(path) {
            "MODIFIED"
        } else {
            "ADDED"
        };
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        if object["metadata"]["uid"].is_null() {
            object["metadata"]["uid"] = format!("uid-{}", self.revision).into();
        }
        self.log
            .push((self.revision, kind, path.to_owned(), object.clone()));
        self.objects.insert(path.to_owned(), object);
    }

    pub(crate) fn delete(&mut self, path: &str) {
        if let Some(mut object) = self.objects.remove(path) {
            self.revision += 1;
            object["metadata"]["resourceVersion"] = self.revision.to_string().into();
            self.log
                .push((self.revision, "DELETED", path.to_owned(), object));
        }
    }

    pub(crate) fn change(&mut self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.objects[path].clone();
        change(&mut object);
        self.put(path, object);
    }

    fn date(&self, now: u64) -> String {
        if !self.has_date {
            return "unknown".to_owned();
        }
        // Only the form matters here; the day of the week is not read.
        let wall = Wall::from_unix_ms(self.clock + now).to_string();
        let (date, time) = wall.split_once('T').expect("it is there");
        let parts: Vec<&str> = date.split('-').collect();
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let month = months[parts[1].parse::<usize>().expect("it is there") - 1];
        format!(
            "Mon, {} {month} {} {} GMT",
            parts[2],
            parts[0],
            time.trim_end_matches('Z')
        )
    }

    fn respond(&self, status: u16, body: &str, now: u64) -> Vec<u8> {
        let date = self.date(now);
        // Odd statuses come in chunks, even ones with a length: both are always tried.
        if status % 2 == 1 || body.len() % 2 == 1 {
            let mut out = format!(
                "HTTP/1.1 {status} X\r\nDate: {date}\r\nTransfer-Encoding: chunked\r\n\r\n"
            );
            for piece in body.as_bytes().chunks(50) {
                out.push_str(&format!(
                    "{:x}\r\n{}\r\n",
                    piece.len(),
                    String::from_utf8_lossy(piece)
                ));
            }
            out.push_str("0\r\n\r\n");
            out.into_bytes()
        } else {
            format!(
                "HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes()
        }
    }

    pub(crate) fn answer(&mut self, request: &Incoming, now: u64) -> Answer {
        let line = format!("{} {}", request.method, request.target);
        self.requests.push((now, line.clone()));
        let fault = self
            .faults
            .iter()
            .position(|(begin, _)| line.starts_with(begin));
        let fault = fault
            .and_then(|n| self.faults.remove(n))
            .map(|(_, fault)| fault);
        match fault {
            Some(Fault::Silence) => return Answer::Silence,
            Some(Fault::Garbage(bytes)) => return Answer::Bytes(bytes),
            Some(Fault::Status(status, headers)) => {
                let body =
                    json!({"kind": "Status", "code": status, "message": "scripted"}).to_string();
                let date = self.date(now);
                let text = format!(
                    "HTTP/1.1 {status} X\r\nDate: {date}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
                    body.len()
                );
                return Answer::Bytes(text.into_bytes());
            }
            _ => {}
        }
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let is_absent = self.absent.iter().any(|begin| path.starts_with(begin));
        if query.contains("watch=true") && !is_absent {
            return self.watch(path, query, now);
        }
        let (status, body) = self.carry_out(&request.method, path, query, &request.body);
        let bytes = self.respond(status, &body.to_string(), now);
        match fault {
            Some(Fault::Slow(ms)) => Answer::Slow(bytes, ms),
            Some(Fault::CutAfter(n)) => Answer::Cut(bytes[..n.min(bytes.len())].to_vec()),
            _ => Answer::Bytes(bytes),
        }
    }

    fn carry_out(&mut self, method: &str, path: &str, query: &str, body: &[u8]) -> (u16, Value) {
        let status = |code: u16| (code, json!({"kind": "Status", "code": code}));
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let (object_path, is_status) = match path.strip_suffix("/status") {
            Some(path) => (path, true),
            None => (path, false),
        };
        match method {
            "GET" if self.absent.iter().any(|begin| path.starts_with(begin)) => status(404),
            "GET" if query.contains("limit=") => self.list(path, query),
            "GET" => match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None => status(404),
            },
            "POST" => {
                let name = body["metadata"]["name"]
                    .as_str()
                    .expect("a name")
                    .to_owned();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return status(409);
                }
                self.put(&path, body);
                (201, self.objects[&path].clone())
            }
            "PATCH" => {
                let Some(object) = self.objects.get(object_path) else {
                    return status(404);
                };
                let uid = &body["metadata"]["uid"];
                if !uid.is_null() && *uid != object["metadata"]["uid"] {
                    return status(409);
                }
                assert!(
                    !is_status
                        || body
                            .as_object()
                            .expect("it is there")
                            .keys()
                            .all(|k| k == "status" || k == "metadata"),
                    "only the status belongs into a status patch: {body}"
                );
                let mut object = object.clone();
                merge(&mut object, &body);
                self.put(object_path, object);
                (200, self.objects[object_path].clone())
            }
            "DELETE" => {
                let known = self.objects.get(path).map(|o| o["metadata"]["uid"].clone());
                match known {
                    None => status(404),
                    Some(uid) if uid != body["preconditions"]["uid"] => status(409),
                    Some(_) => {
                        self.delete(path);
                        status(200)
                    }
                }
            }
            _ => status(405),
        }
    }

    /// The objects that a path of a list names.
    fn of(&self, path: &str) -> Vec<&Value> {
        self.objects
            .iter()
            .filter(|(p, _)| is_in(p, path))
            .map(|(_, o)| o)
            .collect()
    }

    fn list(&self, path: &str, query: &str) -> (u16, Value) {
        let skip: usize = parameter(query, "continue")
            .and_then(|t| t.parse().ok())
            .unwrap_or(0);
        let all = self.of(path);
        let items: Vec<&Value> = all.iter().copied().skip(skip).take(self.page).collect();
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if skip + items.len() < all.len() {
            metadata["continue"] = (skip + items.len()).to_string().into();
        }
        (
            200,
            json!({"kind": "List", "metadata": metadata, "items": items}),
        )
    }

    fn watch(&self, path: &str, query: &str, now: u64) -> Answer {
        let after: u64 = parameter(query, "resourceVersion")
            .and_then(|v| v.parse().ok())
            .expect("a version");
        let seconds: u64 = parameter(query, "timeoutSeconds")
            .and_then(|v| v.parse().ok())
            .expect("a limit");
        if after < self.compacted {
            return Answer::Bytes(self.respond(410, "{\"kind\":\"Status\",\"code\":410}", now));
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nDate: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
            self.date(now)
        );
        let watch = Watch {
            prefix: path.to_owned(),
            after,
            ends_at: now + seconds * 1000,
            is_over: false,
        };
        Answer::Watch(head.into_bytes(), watch)
    }

    /// What a watch has to say now.
    pub(crate) fn push(&self, watch: &mut Watch, now: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut say = |line: Value| {
            let line = format!("{line}\n");
            out.extend_from_slice(format!("{:x}\r\n{line}\r\n", line.len()).as_bytes());
        };
        if watch.after < self.compacted {
            say(
                json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}),
            );
            watch.is_over = true;
        }
        for (revision, kind, path, object) in &self.log {
            let concerns = is_in(path, &watch.prefix);
            if *revision > watch.after && concerns && !watch.is_over {
                say(json!({"type": kind, "object": object}));
                watch.after = *revision;
            }
        }
        if now >= watch.ends_at {
            let version = self.revision.to_string();
            say(json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": version}}}));
            watch.is_over = true;
        }
        if watch.is_over {
            out.extend_from_slice(b"0\r\n\r\n");
        }
        out
    }
}

/// Whether an object is in the list of this path, of one namespace or of all.
fn is_in(object: &str, list: &str) -> bool {
    let Some((base, plural)) = list.rsplit_once('/') else {
        return false;
    };
    let of_all = object.strip_prefix(&format!("{base}/namespaces/"));
    object.starts_with(&format!("{list}/"))
        || of_all.is_some_and(|rest| rest.split('/').nth(1) == Some(plural))
}

fn parameter(query: &str, key: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(k, _)| *k == key)
        .map(|(_, v)| v.to_owned())
}

/// Merges as a strategic merge patch does as far as a node uses it: conditions by their type.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(entries) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in entries {
        if value.is_null() {
            into.as_object_mut().expect("it is there").remove(key);
        } else if key == "conditions" {
            let mut known = into[key].as_array().cloned().unwrap_or_default();
            for condition in value.as_array().expect("it is there") {
                known.retain(|k| k["type"] != condition["type"]);
                known.push(condition.clone());
            }
            into[key] = known.into();
        } else {
            merge(&mut into[key], value);
        }
    }
}
