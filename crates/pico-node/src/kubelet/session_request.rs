// SPDX-License-Identifier: Apache-2.0
//! `/exec`, `/attach` and `/run`: from the request to a session, and what a session does next.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::answer::{Answer, values};
use super::channels::Channels;
use super::command::Place;
#[cfg(feature = "spdy")]
use super::multiplexed::Multiplexed;
use super::session::{Job, PROTOCOLS, Session, Streams};
use super::shell::Editor;
use super::wire::Wire;
use super::{LogQuery, MAX_FOLLOWERS, Rest};
use crate::Agent;
use crate::pod::{Runner, State};
use crate::runtime::Runtime;
use crate::time::Ms;
use crate::websocket::Upgrade;

/// A request for a session.
pub(super) struct Asked<'a> {
    pub(super) is_exec: bool,
    pub(super) namespace: &'a str,
    pub(super) pod: &'a str,
    pub(super) container: &'a str,
    pub(super) query: &'a str,
    pub(super) upgrade: Option<&'a Upgrade>,
}

/// What a client is told that speaks another protocol. As in all refusals here no colon is followed by a space: kubectl would take
/// the text for a `Status` in YAML, and show nothing of it.
#[cfg(feature = "spdy")]
const NOT_SPOKEN: &str = "this node speaks v5.channel.k8s.io and v4.channel.k8s.io, over WebSocket of version 13 or over SPDY/3.1";
#[cfg(not(feature = "spdy"))]
const NOT_SPOKEN: &str = "this node speaks WebSocket (v5.channel.k8s.io, v4.channel.k8s.io) and not SPDY; use kubectl 1.30 or newer, or \
     1.29 with KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true; a kube-apiserver that makes SPDY of it needs \
     --feature-gates TranslateStreamCloseWebsocketRequests=false";

/// What is said to who would follow one more.
pub(super) fn too_many() -> String {
    format!("{MAX_FOLLOWERS} logs are being followed, commands run or ports forwarded already")
}

/// The rest of the head of an answer with which SPDY begins.
#[cfg(feature = "spdy")]
pub(super) fn spdy_head(protocol: &str) -> String {
    format!("Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: {protocol}\r\n")
}

/// How the streams of a session go over the connection, and the rest of the head of the answer with which that begins.
fn open(upgrade: &Upgrade, streams: Streams, now: Ms) -> Result<(Wire, String), (u16, String)> {
    let protocol = upgrade.choose(&PROTOCOLS);
    let protocol = protocol.ok_or_else(|| (400, NOT_SPOKEN.into()))?;
    #[cfg(feature = "spdy")]
    if upgrade.is_spdy() {
        let streams = Multiplexed::new(streams, now);
        return Ok((Wire::Spdy(Box::new(streams)), spdy_head(protocol)));
    }
    #[cfg(not(feature = "spdy"))]
    let _ = (streams, now);
    if !upgrade.protocol.eq_ignore_ascii_case("websocket") {
        return Err((400, NOT_SPOKEN.into()));
    }
    if !upgrade.is_websocket() {
        let why = "this is no WebSocket of version 13 with a Sec-WebSocket-Key";
        return Err((400, why.into()));
    }
    let head = upgrade.head(protocol);
    Ok((
        Wire::WebSocket(Channels::new(protocol == PROTOCOLS[0])),
        head,
    ))
}

impl Agent {
    /// Opens a session, or says why not, in the words of a kubelet where it has some.
    pub(super) fn session_request(
        &self,
        asked: &Asked<'_>,
        now: Ms,
        runtime: &mut dyn Runtime,
    ) -> Answer {
        let is_asked = |name| {
            let first = values(asked.query, name).next().flatten();
            first.is_some_and(|text| text == "1" || text == "true")
        };
        let streams = Streams {
            stdin: is_asked("input"),
            stdout: is_asked("output"),
            stderr: is_asked("error"),
            tty: is_asked("tty"),
        };
        if !streams.any() {
            let why = "you must specify at least 1 of stdin, stdout, stderr";
            return Answer::text(400, why);
        }
        let found = (asked.namespace, asked.pod, asked.container);
        let mut place = match self.place(found, now, runtime) {
            Ok(place) => place,
            Err(why) => return Answer::text(404, why),
        };
        let Some(upgrade) = asked.upgrade else {
            return Answer::text(400, "Upgrade request required");
        };
        let (wire, head) = match open(upgrade, streams, now) {
            Ok(opened) => opened,
            Err((status, why)) => return Answer::text(status, why),
        };
        if self.kubelet.followers() >= MAX_FOLLOWERS {
            return Answer::text(429, too_many());
        }
        let words: Option<Vec<String>> = values(asked.query, "command").collect();
        let words = match words {
            _ if !asked.is_exec => Vec::new(),
            None => return Answer::text(400, "the command is not UTF-8"),
            Some(words) if words.is_empty() => {
                return Answer::text(400, "you must specify a command");
            }
            Some(words) => words,
        };
        let (uid, name) = (place.work.pod.uid.clone(), place.spec.name.clone());
        let restarts = place.runner.restarts;
        let job = if asked.is_exec {
            Job::Shell {
                editor: Editor::new(streams.tty),
                last: 0,
            }
        } else {
            Job::Attach(LogQuery {
                uid: uid.clone(),
                container: name.clone(),
                follow: true,
                next: place.runner.log.end(),
                restarts,
                ..LogQuery::default()
            })
        };
        let mut session = Session::new(wire, streams, (uid, name, restarts), job, now);
        if asked.is_exec {
            session.begin(&words, &mut |words| place.run(words));
        }
        Answer {
            body: head,
            rest: Rest::Session(Box::new(session)),
            ..Answer::text(101, "")
        }
    }

    /// Runs one command and says what it says.
    pub(super) fn run_request(
        &self,
        found: (&str, &str, &str),
        words: &[String],
        now: Ms,
        runtime: &mut dyn Runtime,
    ) -> Answer {
        let mut place = match self.place(found, now, runtime) {
            Ok(place) => place,
            Err(why) => return Answer::text(404, why),
        };
        let outcome = place.run(words);
        let said = String::from_utf8_lossy(&outcome.stdout);
        let status = if outcome.code == 0 { 200 } else { 500 };
        Answer::text(status, format!("{said}{}", outcome.stderr))
    }

    /// A container that runs, or why there is none, in the words of a kubelet.
    fn place<'a>(
        &'a self,
        (namespace, pod, container): (&str, &str, &str),
        now: Ms,
        runtime: &'a mut dyn Runtime,
    ) -> Result<Place<'a>, String> {
        let Some(work) = self.pods.by_name(namespace, pod) else {
            return Err("pod does not exist".into());
        };
        let Some((spec, runner)) = work.container(container) else {
            return Err(format!("container not found ({container:?})"));
        };
        let state = match &runner.state {
            State::Running { .. } => {
                return Ok(Place {
                    work,
                    spec,
                    runner,
                    runtime,
                    now,
                    wall: self.clock.now(now),
                });
            }
            State::Waiting { reason, .. } => reason,
            State::Terminated(end) => end.reason,
        };
        Err(format!(
            "container not found ({container:?}), it does not run ({state})"
        ))
    }

    /// Goes on with a session: what it does, and what it says next.
    pub(super) fn go_on_with_session(&mut self, n: usize, now: Ms, runtime: &mut dyn Runtime) {
        let connection = &mut self.kubelet.connections[n];
        let waiting = core::mem::take(&mut connection.waiting);
        let Rest::Session(mut session) = core::mem::replace(&mut connection.rest, Rest::Nothing)
        else {
            return;
        };
        if !waiting.is_empty() {
            session.hear(&waiting, now);
        }
        if session.is_free() {
            self.work_on(&mut session, now, runtime);
        }
        let mut out = Vec::new();
        session.speak(now, &mut out);
        let connection = &mut self.kubelet.connections[n];
        if !out.is_empty() {
            (connection.out, connection.since) = (out, now);
        }
        connection.close |= session.is_over() && session.is_silent();
        connection.rest = Rest::Session(session);
    }

    fn work_on(&self, session: &mut Session, now: Ms, runtime: &mut dyn Runtime) {
        match core::mem::replace(&mut session.job, Job::Ended(0)) {
            Job::Ended(code) => session.job = Job::Ended(code),
            Job::Attach(query) => {
                let mut text = String::new();
                if let Rest::Log(query) = self.log_piece(query, &mut text) {
                    session.job = Job::Attach(query);
                }
                session.pass_on(&text);
            }
            shell @ Job::Shell { .. } => {
                session.job = shell;
                let work = self.pods.all.iter().find(|w| w.pod.uid == session.uid);
                let found = work.and_then(|work| Some((work, work.container(&session.container)?)));
                let is_same =
                    |runner: &Runner| runner.is_running() && runner.restarts == session.restarts;
                match found {
                    Some((work, (spec, runner))) if is_same(runner) => {
                        let mut place = Place {
                            work,
                            spec,
                            runner,
                            runtime,
                            now,
                            wall: self.clock.now(now),
                        };
                        session.read(&mut |words| place.run(words));
                    }
                    // It ends with its container, as one that is killed.
                    _ => session.job = Job::Ended(137),
                }
            }
        }
    }
}
