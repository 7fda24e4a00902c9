// SPDX-License-Identifier: Apache-2.0
//! Commands and forwarded ports over SPDY/3.1 on the node's own port, as kube-apiserver and kubectl speak it, and what bad clients
//! do to it.

use std::collections::BTreeMap;

use serde_json::json;
use spdy::{Event, Frames, Writer};

use crate::exec::{frame, session};
use crate::rig::Rig;

/// The peer's connection.
const ID: u32 = 7;
const EXEC: &str = "/exec/default/web/c?input=1&output=1&error=1";
const FORWARD: &str = "/portForward/default/web";

/// A node with two pods that have a port each, one of which does not answer what the other one does.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.run(2000);
    for (name, port) in [("web", 8080), ("other", 9090)] {
        rig.api.put(
            &format!("/api/v1/namespaces/default/pods/{name}"),
            json!({"metadata": {"name": name, "namespace": "default"},
                "spec": {"nodeName": "pico", "terminationGracePeriodSeconds": 1, "containers": [
                    {"name": "c", "image": "test/web:v1", "env": [{"name": "SAY", "value": "good day"}],
                     "ports": [{"containerPort": port}]}]}}),
        );
    }
    rig.run(3000);
    rig
}

/// A client of the node.
struct Client {
    writer: Writer,
    frames: Frames,
    /// What was said on each stream; an end is `|`.
    said: BTreeMap<u32, String>,
    replied: Vec<u32>,
    reset: Vec<u32>,
    pings: Vec<u32>,
    is_told_to_go: bool,
    is_closed: bool,
    /// How many bytes of the node's are taken at a time.
    step: usize,
}

impl Client {
    /// A connection that has gone over to SPDY.
    fn new(rig: &mut Rig, path: &str, protocol: &str) -> Self {
        rig.agent.served_closed(ID);
        assert!(rig.agent.accept_trusted(ID, rig.now));
        let request = request(path, protocol);
        let now = rig.now;
        rig.agent
            .served(ID, request.as_bytes(), now, &mut rig.runtime);
        let head = String::from_utf8_lossy(rig.agent.serving(ID)).into_owned();
        assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
        for line in [
            "Upgrade: SPDY/3.1",
            "Connection: Upgrade",
            &format!("X-Stream-Protocol-Version: {protocol}"),
        ] {
            assert!(head.contains(&format!("\r\n{line}\r\n")), "{head}");
        }
        assert!(head.ends_with("\r\n\r\n"), "{head}");
        rig.agent.served_sent(ID, head.len(), now, &mut rig.runtime);
        Self {
            writer: Writer::default(),
            frames: Frames::of_server(),
            said: BTreeMap::new(),
            replied: Vec::new(),
            reset: Vec::new(),
            pings: Vec::new(),
            is_told_to_go: false,
            is_closed: false,
            step: usize::MAX,
        }
    }

    fn open(&mut self, rig: &mut Rig, stream: u32, headers: &[(&str, &str)]) {
        let mut out = Vec::new();
        self.writer.open(stream, headers, &mut out);
        self.say(rig, &out);
    }

    fn data(&mut self, rig: &mut Rig, stream: u32, bytes: &[u8], ends: bool) {
        let mut out = Vec::new();
        self.writer.data(stream, bytes, ends, &mut out);
        self.say(rig, &out);
    }

    /// Opens the pair of streams of a connection to a port.
    fn connect(&mut self, rig: &mut Rig, stream: u32, port: &str) {
        let id = stream.to_string();
        for (n, kind) in ["error", "data"].into_iter().enumerate() {
            let headers = [("streamType", kind), ("port", port), ("requestID", &id)];
            let stream = stream + 2 * u32::try_from(n).expect("two");
            self.open(rig, stream, &headers);
            if kind == "error" {
                self.data(rig, stream, b"", true);
            }
        }
    }

    /// Says bytes, and hears what is answered.
    fn say(&mut self, rig: &mut Rig, bytes: &[u8]) {
        let now = rig.now;
        rig.agent.served(ID, bytes, now, &mut rig.runtime);
        self.hear(rig);
    }

    fn wait(&mut self, rig: &mut Rig, ms: u64) {
        for _ in 0..ms / 50 {
            rig.run(50);
            self.hear(rig);
        }
    }

    fn hear(&mut self, rig: &mut Rig) {
        rig.agent.follow(rig.now, &mut rig.runtime);
        loop {
            let waiting = rig.agent.serving(ID);
            let piece = waiting[..waiting.len().min(self.step)].to_vec();
            if piece.is_empty() {
                self.is_closed |=
                    std::iter::from_fn(|| rig.agent.served_expired()).any(|id| id == ID);
                return;
            }
            self.take(&piece);
            let now = rig.now;
            self.is_closed |= rig
                .agent
                .served_sent(ID, piece.len(), now, &mut rig.runtime);
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (used, event) = self.frames.push(bytes).expect("SPDY");
            bytes = &bytes[used..];
            match event {
                Some(Event::Data {
                    stream,
                    bytes,
                    ends,
                }) => {
                    let said = self.said.entry(stream).or_default();
                    assert!(!said.ends_with('|'), "{stream} has ended: {said}");
                    said.push_str(&String::from_utf8_lossy(bytes));
                    said.push_str(if ends { "|" } else { "" });
                }
                Some(Event::Replied { stream, .. }) => self.replied.push(stream),
                Some(Event::Reset { stream }) => self.reset.push(stream),
                Some(Event::Ping(id)) => self.pings.push(id),
                Some(Event::GoAway) => self.is_told_to_go = true,
                Some(event) => panic!("{event:?}"),
                None => {}
            }
        }
    }

    fn said(&self, stream: u32) -> &str {
        self.said.get(&stream).map_or("", String::as_str)
    }
}

fn request(path: &str, protocol: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: {protocol}\r\n\
         X-Stream-Protocol-Version: channel.k8s.io\r\nContent-Length: 0\r\n\r\n"
    )
}

const STREAMS: [&str; 4] = ["error", "stdin", "stdout", "stderr"];

fn exec(rig: &mut Rig, path: &str, protocol: &str) -> Client {
    let mut client = Client::new(rig, path, protocol);
    for (n, kind) in (0..).zip(STREAMS) {
        assert_eq!(client.said, BTreeMap::new(), "before all are there");
        client.open(rig, 2 * n + 1, &[("streamType", kind)]);
    }
    client
}

#[test]
fn commands_and_their_codes() {
    let mut rig = rig();
    let client = exec(
        &mut rig,
        &format!("{EXEC}&command=env"),
        "v4.channel.k8s.io",
    );
    assert_eq!(client.replied, [1, 3, 5, 7]);
    assert_eq!(client.said(5), "SAY=good day\n|");
    assert_eq!((client.said(7), client.said(3)), ("|", "|"));
    assert_eq!(client.said(1), "{\"metadata\":{},\"status\":\"Success\"}|");
    let client = exec(
        &mut rig,
        &format!("{EXEC}&command=nope"),
        "v5.channel.k8s.io",
    );
    assert!(client.said(7).starts_with("nope: command not found"));
    assert!(client.said(1).contains("\"message\":\"127\""));
}

/// What `kubectl exec -i it -- sh` said once, with `echo hi` and the end of its input, torn at each byte.
#[test]
fn a_command_of_kubectl_torn_anywhere() {
    let recorded = include_bytes!("../../../spdy/src/frames/recorded/kubectl-exec.bin");
    // It goes once it has heard the end: what it says then was not said before.
    let goes = recorded.len() - 4 * 16;
    let mut rig = rig();
    for cut in 0..goes {
        let mut client = Client::new(&mut rig, &format!("{EXEC}&command=sh"), "v4.channel.k8s.io");
        client.say(&mut rig, &recorded[..cut]);
        client.say(&mut rig, &recorded[cut..goes]);
        assert_eq!(client.replied, [1, 3, 5, 7], "cut at {cut}");
        assert_eq!(client.said(5), "hi\n|", "cut at {cut}");
        assert!(client.said(1).ends_with("Success\"}|"), "cut at {cut}");
        client.say(&mut rig, &recorded[goes..]);
        client.wait(&mut rig, 100);
        assert!(client.is_closed && client.reset.is_empty(), "cut at {cut}");
    }
}

#[test]
fn a_shell_reads_until_its_input_ends() {
    let mut rig = rig();
    let mut client = exec(&mut rig, &format!("{EXEC}&command=sh"), "v4.channel.k8s.io");
    client.data(&mut rig, 3, b"echo one\nech", false);
    assert_eq!(client.said(5), "one\n");
    client.data(&mut rig, 3, b"o two", false);
    client.data(&mut rig, 3, b"", true);
    assert_eq!(client.said(5), "one\ntwo\n|");
    assert!(client.said(1).ends_with("Success\"}|"));
    // The peer is waited for, and what it says is no fault.
    client.data(&mut rig, 3, b"more", false);
    assert!(!client.is_closed && !client.is_told_to_go);
    let mut out = Vec::new();
    client.writer.go_away(0, 0, &mut out);
    client.say(&mut rig, &out);
    client.wait(&mut rig, 1000);
    assert!(client.is_closed);
}

#[test]
fn the_peer_is_asked_whether_it_is_there() {
    let mut rig = rig();
    let mut client = exec(&mut rig, &format!("{EXEC}&command=sh"), "v4.channel.k8s.io");
    let mut out = Vec::new();
    client.writer.ping(9, &mut out);
    client.say(&mut rig, &out);
    assert_eq!(client.pings, [9]);
    client.wait(&mut rig, 61_000);
    assert_eq!(client.pings, [9, 2]);
    client.wait(&mut rig, 300_000);
    assert!(client.is_closed);
    // One that does not open its streams is not waited for.
    let mut client = Client::new(&mut rig, &format!("{EXEC}&command=ls"), "v4.channel.k8s.io");
    client.open(&mut rig, 1, &[("streamType", "error")]);
    client.wait(&mut rig, 31_000);
    assert!(client.is_closed && client.said.is_empty());
}

#[test]
fn bad_clients_of_commands() {
    let mut rig = rig();
    let path = format!("{EXEC}&command=sh");
    let mut client = exec(&mut rig, &path, "v4.channel.k8s.io");
    // A stream that there is not, a second one of a kind, and one of none.
    client.data(&mut rig, 99, b"x", false);
    client.open(&mut rig, 101, &[("streamType", "stdin")]);
    client.open(&mut rig, 103, &[("streamType", "nonsense")]);
    assert_eq!(client.reset, [99, 101, 103]);
    client.data(&mut rig, 3, b"echo still\n", false);
    assert_eq!(client.said(5), "still\n");
    for bad in [
        &b"\x80\x02\0\x06\0\0\0\x04\0\0\0\x01"[..],
        b"\x80\x03\0\x01\0\0\x0a\0\0\0",
    ] {
        let mut client = exec(&mut rig, &path, "v4.channel.k8s.io");
        client.say(&mut rig, bad);
        client.say(&mut rig, &[0; 2600]);
        assert!(client.is_told_to_go, "{}", bad.escape_ascii());
        client.wait(&mut rig, 11_000);
        assert!(client.is_closed, "{}", bad.escape_ascii());
    }
    // The number of a stream that was there already, and an even one.
    for stream in [7, 12] {
        let mut client = exec(&mut rig, &path, "v4.channel.k8s.io");
        client.open(&mut rig, stream, &[("streamType", "resize")]);
        assert!(client.is_told_to_go, "{stream}");
    }
    // More input than is read.
    let mut client = exec(&mut rig, &path, "v4.channel.k8s.io");
    client.data(&mut rig, 3, &[b'x'; 9000], false);
    assert!(client.is_told_to_go);
    // Pings without end, whose answers nobody takes.
    let mut client = exec(&mut rig, &path, "v4.channel.k8s.io");
    client.step = 0;
    let mut out = Vec::new();
    client.writer.ping(1, &mut out);
    for _ in 0..2000 {
        client.say(&mut rig, &out);
    }
    assert!(rig.agent.serving(ID).len() < 5000);
    client.step = usize::MAX;
    client.hear(&mut rig);
    assert!(client.is_told_to_go);
}

#[test]
fn a_request_to_a_port_of_the_pod() {
    let mut rig = rig();
    let mut client = Client::new(&mut rig, FORWARD, "portforward.k8s.io");
    client.connect(&mut rig, 1, "8080");
    assert_eq!(client.replied, [1, 3]);
    client.data(
        &mut rig,
        3,
        b"GET /status/201 HTTP/1.1\r\nHost: x\r\n",
        false,
    );
    client.data(&mut rig, 3, b"\r\n", false);
    client.wait(&mut rig, 200);
    assert!(client.said(3).starts_with("HTTP/1.1 201 Created\r\n"));
    // A second one on the same connection, then its end.
    let before = client.said(3).len();
    client.data(&mut rig, 3, b"GET /status/204 HTTP/1.1\r\n\r\n", true);
    client.wait(&mut rig, 200);
    assert!(client.said(3)[before..].starts_with("HTTP/1.1 204 "));
    assert!(client.said(3).ends_with('|'));
    assert_eq!(client.said(1), "|");
    // Another connection within the same one, whose answer the node ends.
    client.connect(&mut rig, 5, "8080");
    client.data(&mut rig, 7, b"GET /status/200 HTTP/1.0\r\n\r\n", false);
    client.wait(&mut rig, 200);
    assert!(client.said(7).starts_with("HTTP/1.1 200 OK\r\n") && client.said(7).ends_with('|'));
    assert_eq!(client.said(5), "|");
    // What is no HTTP is told so.
    client.connect(&mut rig, 9, "8080");
    client.data(&mut rig, 11, b"\x16\x03\x01\n", false);
    client.wait(&mut rig, 200);
    assert!(client.said(11).starts_with("HTTP/1.1 400 ") && client.said(11).ends_with('|'));
    assert!(client.reset.is_empty() && !client.is_closed);
}

#[test]
fn a_port_that_the_pod_has_not() {
    let mut rig = rig();
    let mut client = Client::new(&mut rig, FORWARD, "portforward.k8s.io");
    // 9090 is another pod's.
    for (stream, port) in [(1, "9090"), (5, "80")] {
        client.connect(&mut rig, stream, port);
        client.data(&mut rig, stream + 2, b"GET / HTTP/1.1\r\n\r\n", false);
        client.wait(&mut rig, 200);
        assert_eq!(
            client.said(stream),
            format!(
                "error forwarding port {port} to pod web: no container of it that runs has port {port}|"
            )
        );
        assert_eq!(client.said(stream + 2), "|");
    }
    // The pod goes, and with it the port.
    rig.api.delete("/api/v1/namespaces/default/pods/web");
    rig.run(5000);
    client.connect(&mut rig, 9, "8080");
    client.wait(&mut rig, 200);
    assert!(client.said(9).starts_with("error forwarding port 8080 "));
}

#[test]
fn more_connections_than_there_is_room_for_take_turns() {
    let mut rig = rig();
    let mut client = Client::new(&mut rig, FORWARD, "portforward.k8s.io");
    client.step = 7;
    let streams: Vec<u32> = (0..16).map(|n| 4 * n + 1).collect();
    for stream in &streams {
        client.connect(&mut rig, *stream, "8080");
        client.data(
            &mut rig,
            stream + 2,
            b"GET /status/202 HTTP/1.0\r\n\r\n",
            false,
        );
    }
    client.wait(&mut rig, 5000);
    for stream in &streams {
        let said = client.said(stream + 2);
        assert!(
            said.starts_with("HTTP/1.1 202 ") && said.ends_with('|'),
            "{stream}: {said}"
        );
    }
    // Too many at once are refused; those before are not disturbed.
    for n in 0..17 {
        client.open(
            &mut rig,
            1001 + 2 * n,
            &[
                ("streamType", "error"),
                ("port", "8080"),
                ("requestID", &n.to_string()),
            ],
        );
    }
    assert_eq!(client.reset, [1001 + 32]);
    let mut out = Vec::new();
    client.writer.reset(1001, 5, &mut out);
    client.say(&mut rig, &out);
    assert!(!client.is_told_to_go);
}

#[test]
fn connections_that_are_kept_give_way_once_they_are_answered() {
    let mut rig = rig();
    let mut client = Client::new(&mut rig, FORWARD, "portforward.k8s.io");
    for round in 0..4 {
        let streams: Vec<u32> = (0..9).map(|n| 4 * (9 * round + n) + 1).collect();
        for stream in &streams {
            client.connect(&mut rig, *stream, "8080");
            client.data(
                &mut rig,
                stream + 2,
                b"GET /status/202 HTTP/1.1\r\n\r\n",
                false,
            );
        }
        client.wait(&mut rig, 2000);
        for stream in &streams {
            let said = client.said(stream + 2);
            assert!(said.starts_with("HTTP/1.1 202 "), "{stream}: {said}");
        }
        for stream in &streams {
            client.data(&mut rig, stream + 2, b"", true);
        }
        for stream in &streams {
            assert!(client.said(stream + 2).ends_with('|'));
            assert_eq!(client.said(*stream), "|");
        }
    }
}

#[test]
fn bad_clients_of_ports() {
    let mut rig = rig();
    let mut client = Client::new(&mut rig, FORWARD, "portforward.k8s.io");
    for (stream, headers) in [
        (
            1,
            &[("streamType", "data"), ("port", "x"), ("requestID", "1")][..],
        ),
        (
            3,
            &[
                ("streamType", "stdin"),
                ("port", "8080"),
                ("requestID", "1"),
            ],
        ),
        (5, &[]),
    ] {
        client.open(&mut rig, stream, headers);
    }
    client.data(&mut rig, 77, b"x", false);
    assert_eq!(client.reset, [1, 3, 5, 77]);
    // More than the connection takes: the stream is given up, and the others go on.
    client.connect(&mut rig, 101, "8080");
    for _ in 0..20 {
        let mut out = Vec::new();
        client.writer.data(103, &[b'x'; 1000], false, &mut out);
        let now = rig.now;
        rig.agent.served(ID, &out, now, &mut rig.runtime);
    }
    client.wait(&mut rig, 200);
    client.connect(&mut rig, 105, "8080");
    client.data(&mut rig, 107, b"GET /status/203 HTTP/1.0\r\n\r\n", false);
    client.wait(&mut rig, 200);
    assert!(client.said(107).starts_with("HTTP/1.1 203 "));
    // A peer that goes in the middle of it all leaves nothing behind.
    client.connect(&mut rig, 109, "8080");
    client.data(&mut rig, 111, b"GET /hang HTTP/1.1\r\n\r\n", false);
    rig.agent.served_closed(ID);
    rig.run(200);
    assert!(!rig.agent.is_followed());
    let mut client = Client::new(&mut rig, FORWARD, "portforward.k8s.io");
    client.open(&mut rig, 2, &[("streamType", "error")]);
    assert!(client.is_told_to_go);
    client.wait(&mut rig, 1000);
    assert!(client.is_closed);
}

/// As kube-rs and the Python client have it: channels of a WebSocket, two for each port.
#[test]
fn ports_as_channels() {
    let mut rig = rig();
    let path = format!("{FORWARD}?port=8080&port=9090");
    let v4 = "v4.channel.k8s.io";
    let mut says = vec![frame(0x82, b"\0GET /status/201 HTTP/1.1\r\n\r\n")];
    // Pings give the container time.
    says.extend(vec![frame(0x89, b"?"); 100]);
    says.push(frame(0x82, b"\0GET /status/204 HTTP/1.0\r\n\r\n"));
    says.extend(vec![frame(0x89, b"?"); 100]);
    let says: Vec<&[u8]> = says.iter().map(Vec::as_slice).collect();
    let (said, is_closed) = session(&mut rig, &path, v4, &says);
    let of = |channel: &str| {
        let found = said.iter().filter(|(c, _)| c == channel);
        found.map(|(_, text)| text.as_str()).collect::<String>()
    };
    // Each begins with its port: 8080 is 0x1f90, 9090 is 0x2382.
    assert!(
        of("0").starts_with("\u{fffd}\u{1f}HTTP/1.1 201 Created\r\n"),
        "{said:?}"
    );
    assert!(of("0").contains("HTTP/1.1 204 "), "{said:?}");
    assert_eq!(of("1"), "\u{fffd}\u{1f}");
    // The pod has no such port.
    assert!(
        of("3").starts_with("\u{fffd}#error forwarding port 9090 to pod web"),
        "{said:?}"
    );
    // Both have ended.
    assert_eq!(
        said.last().map(|(c, _)| &**c),
        Some("close 1000"),
        "{said:?}"
    );
    assert!(is_closed);
    // What is no WebSocket is told so, and a close is answered.
    let (said, _) = session(
        &mut rig,
        &format!("{FORWARD}?port=8080"),
        v4,
        &[b"\x82\x03abc"],
    );
    assert_eq!(said.last().map(|(c, _)| &**c), Some("close 1002"));
    let close = frame(0x88, &1000u16.to_be_bytes());
    let (said, _) = session(&mut rig, &format!("{FORWARD}?port=8080"), v4, &[&close]);
    assert_eq!(said.last().map(|(c, _)| &**c), Some("close 1000"));
    for query in [
        "",
        "?port=0",
        "?port=x",
        &format!("?{}", ["port=1"; 9].join("&")),
    ] {
        let asked = format!(
            "GET {FORWARD}{query} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: k\r\nSec-WebSocket-Protocol: {v4}\r\n\r\n"
        );
        let (head, body, _) = rig.kubelet_answer(asked.as_bytes());
        assert!(
            head.starts_with("HTTP/1.1 400 ") && body.contains("1 to 8 ports"),
            "{body}"
        );
    }
}

#[test]
fn refusals() {
    let mut rig = rig();
    let check = |rig: &mut Rig, asked: &str, status: u16, why: &str| {
        let (head, body, _) = rig.kubelet_answer(asked.as_bytes());
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{asked}: {head}"
        );
        assert!(
            body.contains(why) && !body.contains(": "),
            "{asked}: {body}"
        );
    };
    let good = request(FORWARD, "portforward.k8s.io");
    check(
        &mut rig,
        &good.replace("default/web", "default/no"),
        404,
        "pod does not exist",
    );
    check(
        &mut rig,
        &good.replace("Connection: Upgrade\r\n", ""),
        400,
        "Upgrade request required",
    );
    for (from, to) in [
        ("SPDY/3.1", "websocket"),
        ("portforward.k8s.io", "v4.channel.k8s.io"),
    ] {
        check(&mut rig, &good.replace(from, to), 400, "over SPDY/3.1");
    }
    let exec = request(&format!("{EXEC}&command=ls"), "v3.channel.k8s.io");
    check(&mut rig, &exec, 400, "over SPDY/3.1");
    // Only the API server may.
    rig.agent.served_closed(ID);
    assert!(rig.agent.accept(ID, rig.now));
    let now = rig.now;
    rig.agent.served(ID, good.as_bytes(), now, &mut rig.runtime);
    assert!(rig.agent.serving(ID).starts_with(b"HTTP/1.1 401 "));
}
