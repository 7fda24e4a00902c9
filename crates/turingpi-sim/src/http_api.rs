// SPDX-License-Identifier: Apache-2.0
//! The calls: who may, which one it is, what it does.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answer::{self, Answer};
use crate::board::Shared;
use crate::fault::Fault;
use crate::fetch;
use crate::firmware;
use crate::module;
use crate::multipart::Part;
use crate::profile::Profile;
use crate::serial;
use crate::transfer::{self, Source, Transfer};
use crate::uart;

/// The largest body that is not an upload.
const MAX_BODY: usize = 64 << 10;

/// What plain HTTP gets: a page without a login, and the way to HTTPS.
pub(crate) async fn redirect(
    shared: Shared,
    port: u16,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    shared.board().seen.add(true, &request);
    let profile = shared.options.profile;
    let page = if profile.modern() {
        "/info"
    } else {
        "/api/bmc/info"
    };
    if request.uri().path() == page {
        return Ok(answer::value(profile, &firmware::other(profile)));
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|h| h.to_str().ok())
        .unwrap_or("localhost");
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let mut response = answer::empty();
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(to) = HeaderValue::from_str(&format!("https://{host}:{port}{path}")) {
        response.headers_mut().insert(header::LOCATION, to);
    }
    Ok(response)
}

/// Why a call has no answer.
enum Refused {
    /// The daemon's thread panics: the connection closes.
    Panic,
    /// An error in its envelope.
    Error(StatusCode, String),
}

fn bad(text: impl Into<String>) -> Refused {
    Refused::Error(StatusCode::BAD_REQUEST, text.into())
}

/// What closes a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the daemon's worker panicked")]
pub(crate) struct Panicked;

/// Answers a call.
pub(crate) async fn answer(
    shared: Shared,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<Answer, Panicked> {
    // a connection that was there before the daemon died
    if shared.is_down() {
        return Err(Panicked);
    }
    shared.board().seen.add(false, &request);
    let profile = shared.options.profile;
    let path = request.uri().path().to_owned();
    let now = shared.clock.now();
    if profile.secure() && path == "/api/bmc/authenticate" && request.method() == Method::POST {
        let Some(body) = body(request).await else {
            return Ok(answer::text(StatusCode::BAD_REQUEST, "body too large"));
        };
        return Ok(match shared.board().auth.login(peer, &body, now) {
            Ok(token) => {
                let username = &shared.options.username;
                let mut response = answer::json_body(&json!({
                    "id": token, "name": "User Session", "description": "User Session", "username": username,
                }));
                if let Ok(token) = HeaderValue::from_str(&token) {
                    response.headers_mut().insert("x-auth-token", token);
                }
                response
            }
            Err(text) => answer::text(StatusCode::FORBIDDEN, text),
        });
    }
    if profile.secure() && !(shared.options.loopback_exempt && peer.is_loopback()) {
        let header = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|h| h.to_str().ok())
            .map(str::to_owned);
        let checked = shared.board().auth.check(peer, header.as_deref(), now);
        if let Err(refusal) = checked {
            let mut response = answer::text(StatusCode::UNAUTHORIZED, refusal.text);
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(refusal.challenge),
            );
            return Ok(response);
        }
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    match path.as_str() {
        "/api/bmc" => dispatch(&shared, &query, request).await,
        "/api/bmc/backup" if profile.secure() => Ok(backup()),
        "/api/bmc/serial/status" if profile.modern() && request.method() == Method::POST => {
            Ok(answer::json_body(&json!([
                "Running", "Running", "Running", "Running"
            ])))
        }
        "/api/bmc/serial/ws" if profile.modern() => {
            let arguments = Arguments::parse(&query);
            if shared.board().has(&Fault::WebSocketHangs) {
                let mut drops = shared.drops.subscribe();
                let _ = drops.changed().await;
                return Err(Panicked);
            }
            match arguments.node() {
                Ok(node) => Ok(serial::upgrade(shared, node, request)),
                Err(refused) => respond(profile, Err(refused)),
            }
        }
        other => match other.strip_prefix("/api/bmc/upload/") {
            Some(rest) if profile.secure() => match rest.strip_suffix("/cancel") {
                Some(_) => {
                    transfer::cancel(&shared, "cancelled by user");
                    Ok(answer::empty())
                }
                None => upload(&shared, rest, request).await,
            },
            _ => Ok(answer::text(StatusCode::NOT_FOUND, "")),
        },
    }
}

fn respond(profile: Profile, result: Result<Answer, Refused>) -> Result<Answer, Panicked> {
    match result {
        Ok(answer) => Ok(answer),
        Err(Refused::Panic) => Err(Panicked),
        Err(Refused::Error(status, text)) => Ok(answer::error(profile, status, &text)),
    }
}

async fn body(request: Request<Incoming>) -> Option<Bytes> {
    let body = http_body_util::Limited::new(request.into_body(), MAX_BODY);
    body.collect().await.ok().map(|b| b.to_bytes())
}

/// The arguments of a query.
struct Arguments(HashMap<String, String>);

impl Arguments {
    fn parse(query: &str) -> Self {
        let decode = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = query.split('&').filter(|p| !p.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(pairs.collect())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn needed(&self, name: &str) -> Result<&str, Refused> {
        self.text(name)
            .ok_or_else(|| bad(format!("Missing `{name}` parameter")))
    }

    /// A node from 0; the number is cut to eight bits, as in the daemon.
    fn node(&self) -> Result<usize, Refused> {
        let text = self.needed("node")?;
        let number: i32 = text
            .parse()
            .map_err(|_| bad("Parameter `node` is not a number"))?;
        let node = usize::from(number.to_le_bytes()[0]);
        if node > 3 {
            return Err(bad("Parameter `node` is out of range 0..3 of node IDs"));
        }
        Ok(node)
    }
}

/// Calls are told apart by `opt` and `type`; some by words that stand anywhere in the query.
async fn dispatch(
    shared: &Shared,
    query: &str,
    request: Request<Incoming>,
) -> Result<Answer, Panicked> {
    let profile = shared.options.profile;
    let arguments = Arguments::parse(query);
    if profile.secure() {
        for kind in ["flash", "firmware"] {
            if !query.contains(&format!("type={kind}")) {
                continue;
            }
            if query.contains("opt=set") {
                return Ok(start(shared, &arguments, kind).await);
            }
            if query.contains("opt=get") {
                let state = shared.board().transfer.to_json().to_string();
                return Ok(answer::text(StatusCode::OK, state));
            }
        }
        if query.contains("opt=set")
            && query.contains("type=node_info")
            && request.method() == Method::POST
            && profile.modern()
        {
            return Ok(set_node_info(shared, request).await);
        }
    }
    if request.method() != Method::GET {
        return Ok(answer::text(StatusCode::NOT_FOUND, ""));
    }
    respond(profile, call(shared, &arguments).await)
}

async fn call(shared: &Shared, arguments: &Arguments) -> Result<Answer, Refused> {
    let profile = shared.options.profile;
    let (opt, kind) = (arguments.needed("opt")?, arguments.needed("type")?);
    match opt {
        "get" => get(shared, kind, arguments),
        "set" => {
            let result = set(shared, kind, arguments).await;
            // the 1.x generation says that it is well, whatever became of it
            if profile.secure() {
                result?;
            }
            Ok(answer::done(profile))
        }
        other => Err(bad(format!("Invalid `opt` parameter {other}"))),
    }
}

fn get(shared: &Shared, kind: &str, arguments: &Arguments) -> Result<Answer, Refused> {
    let profile = shared.options.profile;
    let unknown = || match profile.secure() {
        true => bad(format!("Invalid `type` parameter {kind}")),
        false => bad("opt type error"),
    };
    let mut board = shared.board();
    let value = match kind {
        "about" => firmware::about(profile).ok_or_else(unknown)?,
        "info" => firmware::info(profile, !board.has(&Fault::NoSdCard)).ok_or_else(unknown)?,
        "other" => firmware::other(profile),
        "power" => {
            if board.has(&Fault::Garbage) {
                return Ok(answer::text(StatusCode::OK, "<html>it works</html>"));
            }
            let blind = board.has(&Fault::PowerUnknown);
            firmware::power(profile, &board, blind)
        }
        "usb" => firmware::usb(profile, &board),
        "usb_node1" if profile.modern() => json!(board.usb_node1),
        "node_info" if profile.modern() => firmware::node_info(&board, shared.clock.now()),
        "nodeinfo" => json!([{"node1": 0, "node2": 0, "node3": 0, "node4": 0}]),
        "sdcard" => {
            if board.has(&Fault::NoSdCard) {
                return Err(bad("Failed to get microSD card info: {}"));
            }
            firmware::sd_card(profile)
        }
        "cooling" if profile.modern() => {
            json!([{"device": "system fan", "speed": board.fan_speed, "max_speed": 9}])
        }
        "uart" => {
            let node = arguments.node()?;
            let encoding = arguments.text("encoding").unwrap_or("utf8");
            let bytes = board.uarts[node].read(!profile.modern());
            let text = uart::decode(&bytes, encoding)
                .ok_or_else(|| bad("Invalid `encoding` parameter"))?;
            let value = json!({"uart": text});
            return Ok(match profile.secure() {
                true => answer::json_body(&json!({ "response": [value] })),
                false => answer::value(profile, &value),
            });
        }
        _ => return Err(unknown()),
    };
    Ok(answer::value(profile, &value))
}

async fn set(shared: &Shared, kind: &str, arguments: &Arguments) -> Result<(), Refused> {
    let profile = shared.options.profile;
    match kind {
        "power" => set_power(shared, arguments),
        "reset" => {
            let node = arguments.node()?;
            shared.reset(node).await;
            Ok(())
        }
        "usb" => {
            let node = arguments.node()?;
            let mode = arguments.needed("mode")?;
            let mode: u8 = mode
                .parse()
                .map_err(|_| bad("Parameter `mode` is not a number"))?;
            if mode > 7 {
                return Err(bad("Parameter `mode` is out of range"));
            }
            if mode & 3 == 3 {
                return Err(Refused::Panic);
            }
            let mut board = shared.board();
            board.usb.node = node;
            board.usb.mode = mode;
            board.usb_moves += 1;
            Ok(())
        }
        "usb_node1" if profile.modern() => {
            shared.board().usb_node1 = arguments.text("alternative_port").is_some();
            Ok(())
        }
        "usb_boot" if profile.secure() => {
            let node = arguments.node()?;
            shared.board().usb_boot[node] = true;
            Ok(())
        }
        "clear_usb_boot" => {
            shared.board().usb_boot = [false; 4];
            Ok(())
        }
        "node_to_msd" => {
            let node = arguments.node()?;
            shared.set_power(node, false);
            shared.clock.sleep(Duration::from_secs(3)).await;
            let mut board = shared.board();
            board.slots[node].on = true;
            board.slots[node].cut();
            board.usb_moves += 1;
            Ok(())
        }
        "network" => {
            let shared = shared.clone();
            tokio::spawn(async move {
                shared.clock.sleep(Duration::from_secs(1)).await;
                shared.drop_connections();
            });
            Ok(())
        }
        "uart" => {
            let node = arguments.node()?;
            let line = arguments.needed("cmd")?;
            // the 1.x generation writes what it got, and no end of a line
            let end = if profile.secure() { "\r\n" } else { "" };
            module::typed(shared, node, format!("{line}{end}").as_bytes());
            Ok(())
        }
        "cooling" if profile.modern() => {
            let device = arguments.needed("device")?;
            let speed: u64 = arguments
                .needed("speed")?
                .parse()
                .map_err(|_| bad("Parameter `speed` is not a number"))?;
            let internal =
                |text: &str| Refused::Error(StatusCode::INTERNAL_SERVER_ERROR, text.into());
            if device != "system fan" {
                return Err(internal("Failed to set cooling: no such device"));
            }
            if speed > 9 {
                return Err(internal(
                    "Failed to set cooling: speed exceeds maximum speed",
                ));
            }
            shared.board().fan_speed = speed;
            Ok(())
        }
        "reboot" => {
            let shared = shared.clone();
            tokio::spawn(async move {
                shared.linger().await;
                shared.restart_bmc();
            });
            Ok(())
        }
        "reload" if profile.secure() => {
            let shared = shared.clone();
            tokio::spawn(async move {
                shared.linger().await;
                shared.restart(Duration::from_secs(2));
            });
            Ok(())
        }
        "nodeinfo" => Err(Refused::Error(
            StatusCode::NOT_IMPLEMENTED,
            "Method type `set` on parameter `nodeinfo` is deprecated".into(),
        )),
        "sdcard" => Err(Refused::Error(
            StatusCode::NOT_IMPLEMENTED,
            "microSD card formatting is not implemented".into(),
        )),
        other => Err(bad(format!("Invalid `type` parameter {other}"))),
    }
}

fn set_power(shared: &Shared, arguments: &Arguments) -> Result<(), Refused> {
    let mut changes = Vec::new();
    for slot in 0..4 {
        let name = format!("node{}", slot + 1);
        match arguments.text(&name) {
            None => {}
            Some("1") => changes.push((slot, true)),
            Some("0") => changes.push((slot, false)),
            Some(other) => {
                return Err(bad(format!(
                    "Invalid value `{other}` for parameter `{name}`"
                )));
            }
        }
    }
    if changes.is_empty() {
        return Err(Refused::Error(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Failed to set power state: no nodes given".into(),
        ));
    }
    for (slot, on) in changes {
        shared.set_power(slot, on);
    }
    Ok(())
}

async fn set_node_info(shared: &Shared, request: Request<Incoming>) -> Answer {
    let failed = |text: &str| answer::text(StatusCode::INTERNAL_SERVER_ERROR, text.to_owned());
    let Some(body) = body(request).await else {
        return failed("body too large");
    };
    let Ok(Value::Object(nodes)) = serde_json::from_slice(&body) else {
        return failed("invalid JSON");
    };
    let now = shared.clock.now();
    let mut board = shared.board();
    for (key, settings) in nodes {
        let Some(slot @ 0..4) = key
            .strip_prefix("Node")
            .and_then(|n| n.parse::<usize>().ok())
            .and_then(|n| n.checked_sub(1))
        else {
            return failed("invalid node");
        };
        let text = |name: &str| {
            settings
                .get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let baud = settings.get("uart_baud").and_then(Value::as_u64);
        board.settings.change(slot, now, |node| {
            // what is null or absent stays
            node.name = text("name").or(node.name.take());
            node.module_name = text("module_name").or(node.module_name.take());
            node.uart_baud = baud.or(node.uart_baud);
        });
    }
    answer::empty()
}

async fn start(shared: &Shared, arguments: &Arguments, kind: &str) -> Answer {
    let failed = |text: String| answer::text(StatusCode::INTERNAL_SERVER_ERROR, text);
    let node = if kind == "flash" {
        match arguments.node() {
            Ok(node) => Some(node),
            Err(Refused::Error(_, text)) => return failed(text),
            Err(Refused::Panic) => return failed("panic".into()),
        }
    } else {
        None
    };
    let Some(file) = arguments.text("file").filter(|f| !f.is_empty()) else {
        return failed("Missing `file` parameter".into());
    };
    let modern = shared.options.profile.modern();
    let local = arguments.text("local").is_some();
    let (source, length) = if local {
        let path = PathBuf::from(file);
        match std::fs::metadata(&path) {
            Ok(metadata) => (Source::Local(path), metadata.len()),
            Err(e) => return failed(format!("Failed to open {file}: {e}")),
        }
    } else if modern && file.starts_with("http") {
        match fetch::open(file).await {
            Ok((length, body)) => (Source::Url(body), length),
            Err(text) => return failed(text),
        }
    } else {
        match arguments.text("length").and_then(|l| l.parse().ok()) {
            Some(length) => (Source::Upload, length),
            None => return failed("Invalid `length` query parameter".into()),
        }
    };
    let handle = transfer::start(
        shared,
        transfer::Request {
            node,
            file: file.to_owned(),
            length,
            source,
            sha256: arguments
                .text("sha256")
                .filter(|_| modern)
                .map(str::to_owned),
            skip_crc: modern && arguments.text("skip_crc").is_some(),
        },
    );
    answer::text(StatusCode::OK, json!({ "handle": handle }).to_string())
}

/// The one part of the form goes to the transfer, as fast as that takes it.
async fn upload(
    shared: &Shared,
    handle: &str,
    request: Request<Incoming>,
) -> Result<Answer, Panicked> {
    let failed = |text: String| Ok(answer::text(StatusCode::INTERNAL_SERVER_ERROR, text));
    let modern = shared.options.profile.modern();
    let (sender, length) = {
        let mut board = shared.board();
        let state = board.transfer.name();
        match &mut board.transfer {
            Transfer::Running(running) if running.id.to_string() == handle => {
                match running.sender.take() {
                    Some(sender) => (sender, running.size()),
                    None => {
                        return failed(
                            "cannot transfer bytes to worker: sender already taken".into(),
                        );
                    }
                }
            }
            Transfer::Running(_) => {
                return failed(format!("unauthorized request for handle {handle}"));
            }
            _ => {
                return failed(format!(
                    "cannot execute command in current state. current={state}, expected=Transferring"
                ));
            }
        }
    };
    let boundary = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split("boundary=").nth(1))
        .map(|b| b.trim_matches('"').to_owned());
    let Some(boundary) = boundary else {
        transfer::cancel(shared, "cancelled by user");
        return failed("Multipart form invalid".into());
    };
    let drop_at = {
        let mut board = shared.board();
        let at = board.faults.iter().find_map(|f| match f {
            Fault::DropUploadAt(n) => Some(*n),
            _ => None,
        });
        board.take(|f| matches!(f, Fault::DropUploadAt(_)));
        at
    };
    let mut part = Part::new(&boundary);
    let mut body = request.into_body();
    let mut sent = 0_u64;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { break };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let Ok(piece) = part.feed(&data) else {
            transfer::cancel(shared, "cancelled by user");
            return failed("Multipart form invalid".into());
        };
        sent += piece.len() as u64;
        if modern && sent > length {
            // what is left is counted without a sign: the daemon's worker panics
            transfer::cancel(shared, "cancelled by user");
            return Err(Panicked);
        }
        if drop_at.is_some_and(|at| sent >= at) {
            transfer::cancel(shared, "cancelled by user");
            shared.drop_connections();
            return failed("cancelled by user".into());
        }
        if !piece.is_empty() && sender.send(piece).await.is_err() {
            // the worker gave up: its own words are the better ones
            let state = shared.board().transfer.to_json();
            let text = state.get("Error").and_then(Value::as_str);
            return failed(text.unwrap_or("worker closed").to_owned());
        }
    }
    if modern && sent < length {
        transfer::cancel(shared, "cancelled by user");
        return failed(format!("missing {} bytes", length - sent));
    }
    Ok(answer::empty())
}

fn backup() -> Answer {
    // the head of a gzip stream and nothing in it
    let mut response = answer::text(
        StatusCode::OK,
        Bytes::from_static(b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"),
    );
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"tp2-backup-30-11-2026.tar.gz\""),
    );
    response
}
