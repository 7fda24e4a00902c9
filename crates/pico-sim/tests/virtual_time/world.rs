// SPDX-License-Identifier: Apache-2.0
//! The API, the link's other end, and what was asked over it and when.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderValue, Request, header::DATE};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use k1s_api::Identity;
use pico_node::time::Wall;
use pico_sim::{Api, Boards, Deed, Faults, Handle, Options, Seen, Wire};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// What the server's clock shows when a test begins, in milliseconds since 1970.
const EPOCH: u64 = 1_800_000_000_000;

/// A request of a board that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// When, in milliseconds since the test began.
    pub(crate) at: u64,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn is_lease(&self) -> bool {
        self.target.contains("/leases") && self.method != "GET"
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// The API and its side of the links.
#[derive(Clone)]
pub(crate) struct World {
    api: k1s_api::Api,
    began: Instant,
    asked: Arc<Mutex<Vec<Asked>>>,
    /// Connections that were tried.
    dialled: Arc<AtomicU64>,
    /// By how many milliseconds the server's clock is off.
    skew: Arc<AtomicI64>,
    /// Whether the machine has no file descriptor left.
    pub(crate) no_files: Arc<Mutex<bool>>,
}

/// One board with connections of its own, the same in every run.
pub(crate) fn options(seed: u64) -> Options {
    Options {
        seed: Some(seed),
        ..Options::default()
    }
}

/// Runs boards and what happens to them, in virtual time.
pub(crate) fn live<F: Future>(
    options: Options,
    life: impl FnOnce(World, Handle) -> F,
) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let world = World::new();
        let boards = Boards::new(world.server(options.shared), &options).unwrap();
        let handle = boards.handle();
        tokio::select! {
            biased;
            result = life(world, handle) => result,
            () = boards.run() => panic!("the boards ended"),
        }
    })
}

impl World {
    fn new() -> Self {
        let store = k1s_store::memory(k1s_store::Options::default());
        Self {
            api: k1s_api::Api::open(store, k1s_api::Options::default()).unwrap(),
            began: Instant::now(),
            asked: Arc::default(),
            dialled: Arc::default(),
            skew: Arc::default(),
            no_files: Arc::default(),
        }
    }

    /// The API as boards know it: each connection is served by hyper on the other end of a pipe, with HTTP/2 where boards share it.
    fn server(&self, is_shared: bool) -> Api {
        let world = self.clone();
        let connect = move || {
            world.dialled.fetch_add(1, Ordering::Relaxed);
            if *world.no_files.lock().unwrap() {
                return Err(io::Error::from_raw_os_error(24));
            }
            let (board, server) = tokio::io::duplex(64 * 1024);
            let world = world.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let world = world.clone();
                    async move { world.answer(request).await }
                });
                let server = TokioIo::new(server);
                // How it ends is the board's business.
                if is_shared {
                    let _ = http2::Builder::new(TokioExecutor::new())
                        .auto_date_header(false)
                        .serve_connection(server, service)
                        .await;
                    return;
                }
                let _ = http1::Builder::new()
                    .auto_date_header(false)
                    .header_read_timeout(None)
                    .serve_connection(server, service)
                    .await;
            });
            Ok(board)
        };
        Api {
            wire: Wire::Memory(Arc::new(connect)),
            authority: "api.test".to_owned(),
            base: String::new(),
            tls: None,
            authorization: String::new(),
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<http::Response<k1s_api::Body>, hyper::Error> {
        let (mut head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        head.extensions.insert(Identity::admin());
        let (method, target) = (head.method.to_string(), head.uri.to_string());
        let text = String::from_utf8_lossy(&body).into_owned();
        let request = Request::from_parts(head, Full::new(body));
        let mut response = self.api.answer(request).await;
        let date =
            httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_millis(self.wall()));
        response
            .headers_mut()
            .insert(DATE, HeaderValue::from_str(&date).unwrap());
        self.asked.lock().unwrap().push(Asked {
            at: self.now(),
            method,
            target,
            status: response.status().as_u16(),
            body: text,
        });
        Ok(response)
    }

    /// Milliseconds since the test began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    /// What the server's clock shows.
    pub(crate) fn wall(&self) -> u64 {
        (EPOCH + self.now()).saturating_add_signed(self.skew.load(Ordering::Relaxed))
    }

    /// Sets the server's clock forwards or back.
    pub(crate) fn jump(&self, ms: i64) {
        self.skew.fetch_add(ms, Ordering::Relaxed);
    }

    /// What the server's clock showed at a moment, if it never jumped.
    pub(crate) fn wall_at(at: u64) -> u64 {
        EPOCH + at
    }

    /// Connections that were tried.
    pub(crate) fn dialled(&self) -> u64 {
        self.dialled.load(Ordering::Relaxed)
    }

    /// What was asked between two moments.
    pub(crate) fn asked(&self, from: u64, to: u64) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|a| (from..to).contains(&a.at))
            .cloned()
            .collect()
    }

    /// The longest time without a renewal of the Lease between two moments, in milliseconds.
    pub(crate) fn lease_gap(&self, from: u64, to: u64) -> u64 {
        let mut last = from;
        let mut gap = 0;
        for asked in self.asked(from, to) {
            if asked.is_lease() && asked.status < 300 {
                gap = gap.max(asked.at - last);
                last = asked.at;
            }
        }
        gap.max(to - last)
    }

    /// The containers that the board has reported as running, each start of one once.
    pub(crate) fn started(&self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        for asked in self.asked(0, u64::MAX) {
            for status in asked.json()["status"]["containerStatuses"]
                .as_array()
                .into_iter()
                .flatten()
            {
                if status["state"]["running"].is_object() {
                    ids.insert(
                        status["containerID"]
                            .as_str()
                            .unwrap_or_default()
                            .to_owned(),
                    );
                }
            }
        }
        ids
    }

    /// How often a board has started, as the API was told.
    pub(crate) fn boots(&self) -> BTreeSet<String> {
        self.asked(0, u64::MAX)
            .iter()
            .filter_map(|a| {
                let boot = a.json()["status"]["nodeInfo"]["bootID"]
                    .as_str()?
                    .to_owned();
                Some(boot)
            })
            .collect()
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let bytes = body.map_or(Bytes::new(), |b| Bytes::from(b.to_string()));
        let request = Request::builder()
            .method(method)
            .uri(path)
            .extension(Identity::admin())
            .body(Full::new(bytes))
            .unwrap();
        let answer = self.api.answer(request).await;
        let status = answer.status();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let value = serde_json::from_slice(&bytes).unwrap_or_default();
        assert!(status.is_success(), "{method} {path}: {status} {value}");
        value
    }

    /// The Ready condition of a node.
    pub(crate) async fn ready(&self, node: &str) -> Value {
        let node = self
            .call("GET", &format!("/api/v1/nodes/{node}"), None)
            .await;
        node["status"]["conditions"]
            .as_array()
            .and_then(|all| all.iter().find(|c| c["type"] == "Ready"))
            .cloned()
            .unwrap_or_default()
    }

    pub(crate) async fn pod(&self, name: &str) -> Value {
        self.call(
            "GET",
            &format!("/api/v1/namespaces/default/pods/{name}"),
            None,
        )
        .await
    }

    /// A pod of one container on the first board.
    pub(crate) async fn run_pod(&self, name: &str, image: &str, limits: Value, env: Value) {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "annotations": {"pico.io/gpio-pins": "15"}},
            "spec": {"nodeName": "pico-0", "containers": [
                {"name": "c", "image": image, "env": env, "resources": {"limits": limits, "requests": limits}}]}});
        let mut pod = pod;
        if pod["spec"]["containers"][0]["resources"]["limits"]["pico.io/gpio-pin"].is_null() {
            pod["metadata"]["annotations"] = json!({});
        }
        self.call("POST", "/api/v1/namespaces/default/pods", Some(pod))
            .await;
    }

    /// A pod that has the LED and changes it once in an hour.
    pub(crate) async fn run_blink(&self) {
        let slowly = json!([{"name": "INTERVAL_MS", "value": "3600000"}]);
        self.run_pod(
            "blink",
            "pico/blink:v1",
            json!({"pico.io/led": "1"}),
            slowly,
        )
        .await;
    }
}

pub(crate) async fn pass(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

pub(crate) async fn link(boards: &Handle, faults: Faults) {
    act(boards, Deed::Link(faults)).await;
}

pub(crate) async fn act(boards: &Handle, deed: Deed) {
    boards.act("pico-0", deed).await.unwrap();
}

pub(crate) async fn look(boards: &Handle) -> Seen {
    boards.look("pico-0").await.unwrap()
}

/// A time as Kubernetes writes it, in milliseconds since 1970.
pub(crate) fn unix_ms(time: &Value) -> u64 {
    Wall::from_rfc3339(time.as_str().unwrap_or_default()).map_or(0, Wall::unix_ms)
}
