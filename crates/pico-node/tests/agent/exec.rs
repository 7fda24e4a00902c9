// SPDX-License-Identifier: Apache-2.0
//! Commands over WebSocket on the node's own port, as kubectl and the Python client speak it, and what bad clients do to it.

use pico_node::MAX_CONNECTIONS;
use serde_json::{Value, json};

use crate::rig::Rig;

/// The peer's connection.
const ID: u32 = 7;
const POD: &str = "/api/v1/namespaces/default/pods/p";

/// A node that runs a pod of two containers: one works, one has ended with a failure.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.run(2000);
    rig.api.put(
        "/api/v1/namespaces/default/configmaps/cfg",
        json!({"metadata": {"name": "cfg", "namespace": "default"}, "data": {"colour": "green\n"}}),
    );
    rig.api.put(
        POD,
        json!({"metadata": {"name": "p", "namespace": "default", "annotations": {"pico.io/gpio-pins": "15"}},
            "spec": {"nodeName": "pico", "volumes": [{"name": "v", "configMap": {"name": "cfg"}}], "containers": [
                {"name": "c", "image": "test/ok:v1", "env": [{"name": "SAY", "value": "good day"}],
                 "volumeMounts": [{"name": "v", "mountPath": "/etc/cfg"}],
                 "resources": {"limits": {"pico.io/gpio-pin": "1"}}},
                {"name": "d", "image": "test/fails:v1"}]}}),
    );
    rig.run(25_000);
    let uid = rig.api.objects[POD]["metadata"]["uid"].as_str();
    let uid = uid.expect("a uid").to_owned();
    for (key, value) in [("count", "42"), ("name\u{1b}", "x")] {
        let key = (uid.clone(), key.as_bytes().to_vec());
        rig.runtime.data.insert(key, value.as_bytes().to_vec());
    }
    rig
}

/// A frame of a client.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [9, 8, 7, 6];
    let mut out = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => out.push(0x80 | short),
        _ => {
            out.push(0x80 | 126);
            let length = u16::try_from(payload.len()).expect("a short frame");
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().enumerate().map(|(n, b)| b ^ mask[n % 4]));
    out
}

fn input(text: &str) -> Vec<u8> {
    frame(0x82, &[&[0], text.as_bytes()].concat())
}

fn request(path: &str, protocols: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {protocols}\r\n\r\n"
    )
}

/// Hands over what waits to be sent, and says whether the node closed the connection.
fn take(rig: &mut Rig, said: &mut Vec<u8>) -> bool {
    rig.run(1);
    loop {
        let piece = rig.agent.serving(ID).to_vec();
        if piece.is_empty() {
            return std::iter::from_fn(|| rig.agent.served_expired()).any(|id| id == ID);
        }
        said.extend_from_slice(&piece);
        if rig
            .agent
            .served_sent(ID, piece.len(), rig.now, &mut rig.runtime)
        {
            return true;
        }
    }
}

fn say(rig: &mut Rig, bytes: &[u8]) {
    let now = rig.now;
    rig.agent.served(ID, bytes, now, &mut rig.runtime);
}

/// What the node said: by channel, `ping`, `pong …` and `close …`.
fn read(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (length, rest) = match second {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            short => (usize::from(*short), rest),
        };
        let (payload, rest) = rest.split_at(length);
        bytes = rest;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (what, said) = match first {
            0x82 => (payload[0].to_string(), text(&payload[1..])),
            0x89 => ("ping".to_owned(), String::new()),
            0x8a => ("pong".to_owned(), text(payload)),
            0x88 => {
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                (format!("close {code}"), text(&payload[2..]))
            }
            other => panic!("a frame that begins with {other:#x}"),
        };
        match all.last_mut().filter(|(last, _)| *last == what) {
            Some((_, before)) => before.push_str(&said),
            None if said.is_empty() && what.len() == 1 => {}
            None => all.push((what, said)),
        }
    }
    all
}

/// A session from its request on: what was said, and whether the node closed.
pub(crate) fn session(
    rig: &mut Rig,
    path: &str,
    protocols: &str,
    says: &[&[u8]],
) -> (Vec<(String, String)>, bool) {
    rig.agent.served_closed(ID);
    assert!(rig.agent.accept_trusted(ID, rig.now));
    let mut said = Vec::new();
    say(rig, request(path, protocols).as_bytes());
    let mut is_closed = take(rig, &mut said);
    for bytes in says {
        say(rig, bytes);
        is_closed |= take(rig, &mut said);
    }
    let end = said.windows(4).position(|w| w == b"\r\n\r\n");
    let (head, rest) = said.split_at(end.expect("a head") + 4);
    let head = String::from_utf8_lossy(head);
    assert!(head.starts_with("HTTP/1.1 101 "), "{path}: {head}");
    assert!(
        head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
        "{head}"
    );
    (read(rest), is_closed)
}

const ALL: &str = "input=1&output=1&error=1";
const V4: &str = "v4.channel.k8s.io";
const V5: &str = "v5.channel.k8s.io";

/// What a command says on its streams, and its code.
fn exec(rig: &mut Rig, words: &[&str]) -> (String, String, i64) {
    let words: Vec<String> = words
        .iter()
        .map(|word| format!("&command={}", pico_node::http::escaped(word)))
        .collect();
    let path = format!("/exec/default/p/c?{ALL}{}", words.concat());
    let (said, _) = session(rig, &path, V4, &[]);
    let of = |channel: &str| {
        let found = said.iter().filter(|(c, _)| c == channel);
        found.map(|(_, text)| text.as_str()).collect::<String>()
    };
    assert_eq!(said.last().map(|(c, _)| c.as_str()), Some("close 1000"));
    let status: Value = serde_json::from_str(&of("3")).expect("a Status");
    let code = match status["status"].as_str() {
        Some("Success") => 0,
        _ => {
            assert_eq!(status["reason"], "NonZeroExitCode", "{status}");
            let cause = &status["details"]["causes"][0];
            assert_eq!(cause["reason"], "ExitCode", "{status}");
            cause["message"]
                .as_str()
                .and_then(|m| m.parse().ok())
                .expect("a code")
        }
    };
    (of("1"), of("2"), code)
}

#[test]
fn commands() {
    let mut rig = rig();
    let mut check = |words: &[&str], stdout: &str, stderr: &str, code: i64| {
        let got = exec(&mut rig, words);
        assert_eq!(got, (stdout.into(), stderr.into(), code), "{words:?}");
    };
    check(&["uptime"], "25 s\n", "", 0);
    check(&["env"], "SAY=good day\n", "", 0);
    check(&["printenv", "SAY"], "good day\n", "", 0);
    check(&["printenv", "NOTHING"], "", "", 1);
    check(&["ls"], "/etc/cfg/colour\ncount\nname\\u{1b}\n", "", 0);
    check(
        &["ls", "-l", "/etc/", "count"],
        "     6 /etc/cfg/colour\n     2 count\n",
        "",
        0,
    );
    check(
        &["/bin/ls", "/etc/cf"],
        "",
        "ls: /etc/cf: No such file or directory\n",
        1,
    );
    check(&["cat", "/etc/cfg/colour", "count"], "green\n42", "", 0);
    check(
        &["cat", "nope"],
        "",
        "cat: nope: No such file or directory\n",
        1,
    );
    check(
        &["cat", &"x".repeat(200)],
        "",
        &format!("cat: {}: No such file or directory\n", "x".repeat(200)),
        1,
    );
    check(
        &["rm", "/etc/cfg/colour"],
        "",
        "rm: /etc/cfg/colour: Read-only file system\n",
        1,
    );
    check(&["rm", "count"], "", "", 0);
    check(
        &["rm", "count"],
        "",
        "rm: count: No such file or directory\n",
        1,
    );
    check(&["pins"], "GP15 low\n", "", 0);
    check(&["adc"], "", "", 0);
    check(
        &["temp"],
        "",
        "temp: the container does not have pico.io/temp-sensor\n",
        1,
    );
    check(&["echo", "a  b", "c"], "a  b c\n", "", 0);
    check(&["true"], "", "", 0);
    check(&["false"], "", "", 1);
    check(
        &["uptime", "-p"],
        "",
        "uptime: takes no such arguments; see help\n",
        2,
    );
    check(
        &["bash"],
        "",
        "bash: command not found; help names those there are\n",
        127,
    );
    check(
        &["sh", "-c", "echo 1; nope\nuptime"],
        "1\n25 s\n",
        "nope: command not found; help names those there are\n",
        0,
    );
    check(&["sh", "-c", "exit 3; echo never"], "", "", 3);
    check(
        &["sh", "-c", "ls | cat"],
        "",
        "sh: there are no pipes, redirections and subshells here\n",
        2,
    );
    for (words, part) in [
        (&["help"][..], "  sh [-c COMMANDS]     commands"),
        (&["free"], "container       65536 "),
        (&["stats"], "\nrestarts   0\n"),
        (&["date"], "2023-11-14T22:13:"),
    ] {
        let (stdout, stderr, code) = exec(&mut rig, words);
        assert!(stdout.contains(part), "{words:?}: {stdout}");
        assert_eq!((stderr.as_str(), code), ("", 0), "{words:?}");
    }
    assert_eq!(
        rig.kubelet(b"POST /run/default/p/c?cmd=echo+a+b HTTP/1.1\r\n\r\n"),
        "a b\n"
    );
}

#[test]
fn a_shell_reads_to_the_end_of_its_input() {
    let mut rig = rig();
    let path = format!("/exec/default/p/c?{ALL}&command=sh");
    let close = frame(0x82, &[255, 0]);
    let (said, _) = session(
        &mut rig,
        &path,
        V5,
        &[&input("up"), &input("time\nfalse\necho x"), &close],
    );
    let expected = [
        ("1", "25 s\nx\n"),
        ("3", "{\"metadata\":{},\"status\":\"Success\"}"),
        ("close 1000", ""),
    ];
    let expected = expected.map(|(c, t)| (c.to_owned(), t.to_owned()));
    assert_eq!(said, expected);
    // Version 4 has no such message: 255 is a channel like any other, and the shell waits.
    let (said, is_closed) = session(&mut rig, &path, V4, &[&input("uptime\n"), &close]);
    assert_eq!((said.len(), is_closed), (1, false));
    // Without standard input it has ended at once.
    let (said, _) = session(&mut rig, "/exec/default/p/c?output=1&command=sh", V4, &[]);
    assert_eq!(said.last().map(|(c, _)| c.as_str()), Some("close 1000"));
}

#[test]
fn a_terminal() {
    let mut rig = rig();
    let path = "/exec/default/p/c?input=1&output=1&error=1&tty=1&command=sh";
    let size = frame(0x82, b"\x04{\"Width\":80,\"Height\":24}");
    let (said, _) = session(
        &mut rig,
        path,
        V5,
        &[&size, &input("nopx\x7fe\r"), &input("\x04")],
    );
    assert_eq!(said[0].0, "1");
    assert_eq!(
        said[0].1,
        "$ nopx\u{8} \u{8}e\r\nnope: command not found; help names those there are\r\n$ \r\n"
    );
    assert!(said[1].1.contains("\"message\":\"127\""), "{said:?}");
}

#[test]
fn attached_to_a_container_until_it_ends() {
    let mut rig = rig();
    rig.agent.served_closed(ID);
    assert!(rig.agent.accept_trusted(ID, rig.now));
    say(
        &mut rig,
        request("/attach/default/p/c?output=1&error=1", V4).as_bytes(),
    );
    let mut said = Vec::new();
    assert!(!take(&mut rig, &mut said));
    for _ in 0..30 {
        rig.run(100);
        assert!(!take(&mut rig, &mut said));
    }
    rig.api.delete(POD);
    for _ in 0..50 {
        rig.run(100);
        take(&mut rig, &mut said);
    }
    let end = said
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head");
    let said = read(&said[end + 4..]);
    assert!(said[0].1.starts_with("good day\ngood day\n"), "{said:?}");
    assert_eq!(said[1].1, "{\"metadata\":{},\"status\":\"Success\"}");
}

#[test]
fn a_shell_ends_with_its_container() {
    let mut rig = rig();
    let path = format!("/exec/default/p/c?{ALL}&command=sh");
    let (said, _) = session(&mut rig, &path, V4, &[]);
    assert!(said.is_empty(), "{said:?}");
    rig.api.delete(POD);
    let mut said = Vec::new();
    for _ in 0..50 {
        rig.run(100);
        take(&mut rig, &mut said);
    }
    let said = read(&said);
    assert!(said[0].1.contains("\"message\":\"137\""), "{said:?}");
}

#[test]
fn refusals() {
    let mut rig = rig();
    let head = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\n";
    let socket = format!("{head}Sec-WebSocket-Protocol: {V4}\r\n");
    let spdy = "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v3.channel.k8s.io\r\n";
    let ls = format!("{ALL}&command=ls");
    for (path, headers, status, why) in [
        (
            format!("/exec/default/q/c?{ls}"),
            &*socket,
            404,
            "pod does not exist",
        ),
        (
            format!("/exec/default/p/x?{ls}"),
            &socket,
            404,
            "container not found (\"x\")",
        ),
        (
            format!("/exec/default/p/d?{ls}"),
            &socket,
            404,
            "container not found (\"d\"), it does not run (CrashLoopBackOff)",
        ),
        (
            "/exec/default/p/c?command=ls".into(),
            &socket,
            400,
            "you must specify at least 1 of stdin, stdout, stderr",
        ),
        (
            format!("/exec/default/p/c?{ALL}"),
            &socket,
            400,
            "you must specify a command",
        ),
        (
            format!("/exec/default/p/c?{ALL}&command=%ff"),
            &socket,
            400,
            "the command is not UTF-8",
        ),
        (
            format!("/exec/default/p/c?{ls}"),
            "",
            400,
            "Upgrade request required",
        ),
        (
            format!("/exec/default/p/c?{ls}"),
            spdy,
            400,
            "v4.channel.k8s.io",
        ),
        (
            format!("/exec/default/p/d?{ls}"),
            spdy,
            404,
            "container not found (\"d\")",
        ),
        (
            format!("/exec/default/p/c?{ls}"),
            head,
            400,
            "v4.channel.k8s.io",
        ),
        (
            format!("/attach/default/p/d?{ALL}"),
            &socket,
            404,
            "container not found",
        ),
    ] {
        for method in ["GET", "POST"] {
            let asked = format!("{method} {path} HTTP/1.1\r\n{headers}\r\n");
            let (head, body, _) = rig.kubelet_answer(asked.as_bytes());
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} ")),
                "{asked}: {head}"
            );
            assert!(body.contains(why), "{asked}: {body}");
            // kubectl would read a Status in YAML, and show nothing.
            assert!(!body.contains(": "), "{body}");
        }
    }
    for version in ["12", ""] {
        let asked = request(&format!("/exec/default/p/c?{ls}"), V4);
        let asked = asked.replace("Version: 13", &format!("Version: {version}"));
        assert!(
            rig.kubelet(asked.as_bytes())
                .contains("no WebSocket of version 13")
        );
    }
}

#[test]
fn only_the_api_server_runs_commands() {
    let mut rig = rig();
    for path in [
        "/exec/default/p/c?output=1&command=env",
        "/attach/default/p/c?output=1",
        "/run/default/p/c?cmd=env",
    ] {
        assert!(rig.agent.accept(ID, rig.now));
        say(&mut rig, request(path, V4).as_bytes());
        let said = String::from_utf8_lossy(rig.agent.serving(ID)).into_owned();
        assert!(
            said.starts_with("HTTP/1.1 401 Unauthorized\r\n"),
            "{path}: {said}"
        );
        rig.agent.served_closed(ID);
    }
    // What is no command is answered as before.
    assert!(rig.agent.accept(ID, rig.now));
    say(&mut rig, b"GET /healthz HTTP/1.1\r\n\r\n");
    assert!(rig.agent.serving(ID).ends_with(b"ok"));
}

#[test]
fn sessions_leave_room_for_questions() {
    let mut rig = rig();
    let count = u32::try_from(MAX_CONNECTIONS).expect("a few") - 1;
    let shell = request(&format!("/exec/default/p/c?{ALL}&command=sh"), V5);
    for id in 100..100 + count {
        assert!(rig.agent.accept_trusted(id, rig.now));
        let now = rig.now;
        rig.agent
            .served(id, shell.as_bytes(), now, &mut rig.runtime);
        assert!(rig.agent.serving(id).starts_with(b"HTTP/1.1 101 "));
    }
    let (head, body, _) = rig.kubelet_answer(shell.as_bytes());
    assert!(head.starts_with("HTTP/1.1 429 "), "{head}");
    assert!(
        body.contains("4 logs are being followed, commands run"),
        "{body}"
    );
    assert_eq!(rig.kubelet(b"GET /healthz HTTP/1.1\r\n\r\n"), "ok");
}

#[test]
fn bad_clients() {
    let mut rig = rig();
    let path = format!("/exec/default/p/c?{ALL}&command=sh");
    let check = |rig: &mut Rig, says: &[&[u8]], code: &str, why: &str| {
        let (said, _) = session(rig, &path, V5, says);
        let (last, reason) = said.last().expect("a close frame");
        assert_eq!(last, &format!("close {code}"), "{says:?}");
        assert!(reason.contains(why), "{reason}");
        // Whoever does not close is closed.
        rig.run(11_000);
        let mut rest = Vec::new();
        assert!(take(rig, &mut rest), "{says:?}");
        assert!(rest.is_empty());
        assert_eq!(rig.kubelet(b"GET /healthz HTTP/1.1\r\n\r\n"), "ok");
    };
    check(
        &mut rig,
        &[&[0x82, 3, 0, b'l', b's']],
        "1002",
        "must be masked",
    );
    check(&mut rig, &[&frame(0x80, b"\0ls")], "1002", "out of order");
    check(
        &mut rig,
        &[&frame(0x02, b"\0l"), &frame(0x82, b"\0s")],
        "1002",
        "out of order",
    );
    check(&mut rig, &[&frame(0xf2, b"\0ls")], "1002", "reserved");
    check(&mut rig, &[b"GET / HTTP/1.1\r\n\r\n"], "1002", "reserved");
    let long = [0x82, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 1, 2, 3, 4];
    check(&mut rig, &[&long], "1009", "1 MiB");
    // A flood of input that is not read, since what it says is not taken: 8 KiB wait and no more.
    rig.agent.served_closed(ID);
    assert!(rig.agent.accept_trusted(ID, rig.now));
    say(&mut rig, request(&path, V5).as_bytes());
    for _ in 0..1000 {
        say(&mut rig, &input(&"echo hello\n".repeat(90)));
    }
    let mut said = Vec::new();
    take(&mut rig, &mut said);
    let end = said
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .expect("a head");
    let said = read(&said[end + 4..]);
    assert_eq!(said.last().expect("an end").0, "close 1008", "{said:?}");
}

#[test]
fn pieces_of_messages_and_pings_between_them() {
    let mut rig = rig();
    let path = format!("/exec/default/p/c?{ALL}&command=sh");
    let all = [
        frame(0x02, b"\0up"),
        frame(0x89, b"there?"),
        frame(0x00, b"ti"),
        frame(0x80, b"me\n"),
        frame(0x82, &[255, 0]),
    ]
    .concat();
    let bytes: Vec<&[u8]> = all.chunks(1).collect();
    let (said, _) = session(&mut rig, &path, V5, &bytes);
    let what: Vec<&str> = said.iter().map(|(c, _)| c.as_str()).collect();
    assert_eq!(what, ["pong", "1", "3", "close 1000"]);
    assert_eq!((&*said[0].1, &*said[1].1), ("there?", "25 s\n"));
    // The client's close is answered with its own code, and ends the session.
    let close = frame(0x88, &[0x0f, 0xa0]);
    let (said, is_closed) = session(&mut rig, &path, V5, &[&close]);
    assert_eq!(said, [("close 4000".to_owned(), String::new())]);
    assert!(is_closed);
    // Once both have said so, nothing is left of it.
    let (said, is_closed) = session(
        &mut rig,
        "/exec/default/p/c?output=1&command=true",
        V5,
        &[&frame(0x88, &[3, 0xe8])],
    );
    assert_eq!(said.last().map(|(c, _)| c.as_str()), Some("close 1000"));
    assert!(is_closed);
}

#[test]
fn a_peer_that_is_gone_is_noticed() {
    let mut rig = rig();
    let path = format!("/exec/default/p/c?{ALL}&command=sh");
    let (said, _) = session(&mut rig, &path, V5, &[]);
    assert!(said.is_empty(), "{said:?}");
    // It is asked once a minute, and says nothing.
    let mut pings = Vec::new();
    let polls = rig.polls;
    for _ in 0..4 {
        rig.run(60_000);
        assert!(!take(&mut rig, &mut pings));
    }
    assert_eq!(read(&pings), [("ping".to_owned(), String::new())]);
    assert!(pings.len() >= 6, "{} bytes", pings.len());
    assert!(rig.polls - polls < 10_000, "nothing spins");
    rig.run(61_000);
    assert!(take(&mut rig, &mut pings));
    // One who answers stays.
    session(&mut rig, &path, V5, &[]);
    for _ in 0..20 {
        rig.run(60_000);
        say(&mut rig, &frame(0x8a, b""));
        assert!(!take(&mut rig, &mut pings));
    }
    // One who takes nothing goes after a minute.
    say(&mut rig, &input("help\n"));
    rig.run(61_000);
    let expired: Vec<u32> = std::iter::from_fn(|| rig.agent.served_expired()).collect();
    assert_eq!(expired, [ID]);
}
