// SPDX-License-Identifier: Apache-2.0
//! How much heap a node takes with 0, 1 and 2 containers: every allocation of the agent, its storage and its engine is
//! counted while it registers, runs its pods for ten minutes and is asked for its figures; what stands for the flash
//! chip and for the API server is not. The host has 64 bits: on the chip a pointer takes half of what it takes here.
//!
//!     cargo run --release -p pico-sim --example heap

use peak_alloc::PeakAlloc;
use pico_board::{PICO_W, ResetReason};
use pico_node::http::RequestParser;
use pico_node::{Agent, Config, Hardware, Kinds, Order, Runtime as _, SLOTS, Slot};
use pico_sim::SimRuntime;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// How long each node runs, in milliseconds.
const RUN_MS: u64 = 600_000;

const PODS: [(&str, &str, &str); 2] = [
    ("blink", "pico/blink:v1", "pico.io/led"),
    ("thermometer", "pico/thermometer:v1", "pico.io/temp-sensor"),
];

/// What was counted of a node.
#[derive(Default)]
struct Count {
    live: usize,
    peak: usize,
}

impl Count {
    /// Does something whose allocations are the node's.
    fn of<T>(&mut self, act: impl FnOnce() -> T) -> T {
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let done = act();
        self.peak = self
            .peak
            .max((self.live + HEAP.peak_usage()).saturating_sub(before));
        self.live = (self.live + HEAP.current_usage()).saturating_sub(before);
        done
    }
}

fn main() {
    let mut count = Count::default();
    let mut runtime = board();
    count
        .of(|| runtime.storage().map(drop))
        .expect("the flash works");
    println!(
        "the agent itself: {} bytes; storage, opened with the first container: {} bytes, {} while it is read",
        size_of::<Agent>(),
        count.live,
        count.peak
    );
    println!("containers  at rest  peak  peak with /pods, /stats/summary and /metrics (bytes)");
    for containers in 0..=PODS.len() {
        let mut node = Node::new(containers);
        node.run(RUN_MS);
        assert!(node.agent.is_ready(), "the node does not become ready");
        assert_eq!(node.agent.pod_names().len(), containers);
        let (rest, peak) = (node.count.live, node.count.peak);
        for path in ["/pods", "/stats/summary", "/metrics", "/metrics/resource"] {
            node.visit(path);
        }
        println!(
            "{containers:>10}  {rest:>7}  {peak:>4}  {:>4}",
            node.count.peak
        );
    }
}

struct Node {
    agent: Agent,
    runtime: SimRuntime,
    servers: [Option<RequestParser>; SLOTS],
    count: Count,
    now: u64,
    pods: String,
}

/// A board that has its images in flash; storage is closed again.
fn board() -> SimRuntime {
    let mut runtime = pico_sim::board_runtime(&PICO_W, 1);
    for (_, image, _) in PODS {
        runtime.image(image).expect("the board comes with it");
    }
    runtime.restart();
    runtime
}

impl Node {
    fn new(containers: usize) -> Self {
        let runtime = board();
        let config = Config {
            name: "pico-0".to_owned(),
            api_host: "10.0.0.1:6443".to_owned(),
            api_base: String::new(),
            authorization: format!("Bearer {}", "x".repeat(64)),
            address: "10.0.0.7".to_owned(),
            kubelet_port: 10250,
            kubelet_certificate: "ab".repeat(32),
            hardware: Hardware::of(&PICO_W, runtime.storage_bytes()),
            unique_id: 1,
            boot_id: 2,
            images: pico_sim::images().into_iter().map(str::to_owned).collect(),
            crashes: 0,
            pins_map: None,
            kinds: Kinds::ALL,
            open_metrics: false,
            led_matrix: 1,
            time_server: None,
            reset: ResetReason::PowerOn,
        };
        let mut count = Count::default();
        let agent = count.of(|| Agent::new(config.clone(), 0));
        let pods: Vec<String> = PODS[..containers]
            .iter()
            .map(|(name, image, device)| pod(name, image, device))
            .collect();
        Self {
            agent,
            runtime,
            servers: [const { None }; SLOTS],
            count,
            now: 0,
            pods: pods.join(","),
        }
    }

    fn run(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until {
            let (agent, runtime, now) = (&mut self.agent, &mut self.runtime, self.now);
            let deadline = self.count.of(|| agent.poll(now, runtime));
            if !self.exchange() {
                self.now = deadline.max(self.now + 1);
            }
        }
    }

    /// Carries bytes between the agent and a server that says yes to everything.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        for n in 0..SLOTS {
            let slot = Slot(u8::try_from(n).unwrap_or_default());
            let (agent, runtime, now) = (&mut self.agent, &mut self.runtime, self.now);
            match agent.order(slot) {
                Some(Order::Connect) => {
                    self.servers[n] = Some(RequestParser::default());
                    self.count.of(|| agent.connected(slot));
                    moved = true;
                }
                Some(Order::Close | Order::Dial(_)) => self.servers[n] = None,
                None => {}
            }
            let asked = agent.outgoing(slot).to_vec();
            let Some(server) = self.servers[n].as_mut().filter(|_| !asked.is_empty()) else {
                continue;
            };
            moved = true;
            self.count.of(|| agent.sent(slot, asked.len()));
            let (_, request) = server.push(&asked).expect("the agent speaks HTTP");
            let Some(request) = request else {
                continue;
            };
            let answer = answer(&request.method, &request.target, &self.pods);
            // A link carries so many bytes at a time.
            for piece in answer.as_bytes().chunks(1460) {
                self.count.of(|| agent.received(slot, piece, now, runtime));
            }
        }
        moved
    }

    fn visit(&mut self, path: &str) {
        let (agent, runtime, now) = (&mut self.agent, &mut self.runtime, self.now);
        let request = format!("GET {path} HTTP/1.1\r\n\r\n");
        self.count.of(|| {
            agent.accept(1, now);
            agent.served(1, request.as_bytes(), now, runtime);
            loop {
                let n = agent.serving(1).len();
                if n == 0 || agent.served_sent(1, n, now, runtime) {
                    break;
                }
            }
            agent.served_closed(1);
        });
    }
}

fn answer(method: &str, target: &str, pods: &str) -> String {
    let head = "HTTP/1.1 200 OK\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n";
    let body = match method {
        "GET" if target.contains("watch=true") => {
            return format!("{head}Transfer-Encoding: chunked\r\n\r\n");
        }
        "GET" if target.contains("/pods") => {
            format!(r#"{{"kind":"PodList","metadata":{{"resourceVersion":"1"}},"items":[{pods}]}}"#)
        }
        "GET" if target.contains("limit=") => {
            r#"{"metadata":{"resourceVersion":"1"},"items":[]}"#.to_owned()
        }
        _ => r#"{"metadata":{"name":"pico-0","uid":"0a8e5c3e-9a0e-4a2c-a7d2-4be0a0f0b5b1"}}"#
            .to_owned(),
    };
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A pod as a server hands it out: with much that no node reads.
fn pod(name: &str, image: &str, device: &str) -> String {
    let fields = r#"{"manager":"kubectl","operation":"Update","apiVersion":"v1","time":"2023-11-14T22:13:20Z","fieldsType":"FieldsV1","fieldsV1":{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}}"#;
    format!(
        r#"{{"metadata":{{"name":"{name}","namespace":"default","uid":"uid-of-{name}","resourceVersion":"1",
"labels":{{"app":"{name}"}},"managedFields":[{}]}},
"spec":{{"nodeName":"pico-0","restartPolicy":"Always","terminationGracePeriodSeconds":30,"serviceAccountName":"default",
"volumes":[{{"name":"kube-api-access","projected":{{"sources":[{{"serviceAccountToken":{{"expirationSeconds":3607,"path":"token"}}}}]}}}}],
"tolerations":[{{"key":"pico.io/embedded-workload","operator":"Exists"}}],
"containers":[{{"name":"{name}","image":"{image}","env":[{{"name":"INTERVAL_MS","value":"250"}}],
"volumeMounts":[{{"name":"kube-api-access","mountPath":"/var/run/secrets/kubernetes.io/serviceaccount"}}],
"ports":[{{"containerPort":80}}],
"resources":{{"limits":{{"memory":"16Ki","cpu":"100m","{device}":"1"}},"requests":{{"memory":"16Ki","cpu":"100m","{device}":"1"}}}}}}]}},
"status":{{"phase":"Pending"}}}}"#,
        [fields; 8].join(",")
    )
}
