// SPDX-License-Identifier: Apache-2.0
//! Ingresses of the class `pico`: what comes in is no HTTP request but an edge at a pin, and it becomes an HTTP request
//! to the backend of the rule.
//!
//! The annotation `pico.io/inputs` says which pin is behind the host of a rule: `button-a.local=15` is a button from
//! GP15 to ground, `door.local=16:rising:down` something that drives GP16 high. Edges are taken once the pin has been
//! quiet for a while; presses wait in a short queue, and what does not fit is said and dropped.

mod delivery;

pub(crate) use delivery::{Courier, Delivery, Route, SLICE, Stage};

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use pico_board::{Edge, EdgeSet, Level, PinMode, PinSet, Pull};

use crate::event::{About, Events};
use crate::facts::Config;
use crate::json::{Shape, Value};
use crate::kinds::{Resource, about};
use crate::pods::{PinUser, Pods};
use crate::runtime::Runtime;
use crate::services::Port;
use crate::time::{Ms, Wall};

/// The class of Ingresses that boards take.
const CLASS: &str = "pico";
/// How many rules are kept at most.
const RULES: usize = 8;
/// How many presses wait at most.
const QUEUE: usize = 8;
/// How long a pin must be quiet until its level counts, in milliseconds.
const DEBOUNCE_MS: Ms = 20;
/// How soon a pin that somebody else uses is asked for again, in milliseconds.
const RETRY_MS: Ms = 10_000;

/// Which pins are behind the hosts of the rules.
const INPUTS: &str = "pico.io/inputs";
/// The node that takes the Ingress; without it every node does that takes Ingresses.
const NODE: &str = "pico.io/node";
/// The method of the requests; without it `POST`.
const METHOD: &str = "pico.io/method";

/// What is kept of an Ingress.
pub(crate) const INGRESS: Shape = Shape::Keys(&[
    (
        "metadata",
        Shape::Keys(&[
            ("name", Shape::All),
            ("namespace", Shape::All),
            ("uid", Shape::All),
            ("resourceVersion", Shape::All),
            (
                "annotations",
                Shape::Keys(&[
                    (INPUTS, Shape::All),
                    (NODE, Shape::All),
                    (METHOD, Shape::All),
                ]),
            ),
        ]),
    ),
    (
        "spec",
        Shape::Keys(&[
            ("ingressClassName", Shape::All),
            (
                "rules",
                Shape::Keys(&[
                    ("host", Shape::All),
                    (
                        "http",
                        Shape::Keys(&[(
                            "paths",
                            Shape::Keys(&[
                                ("path", Shape::All),
                                ("backend", Shape::Keys(&[("service", Shape::All)])),
                            ]),
                        )]),
                    ),
                ]),
            ),
        ]),
    ),
]);

/// A line of a watch of Ingresses.
pub(crate) const INGRESS_EVENT: Shape = Shape::Keys(&[("type", Shape::All), ("object", INGRESS)]);

/// Where an edge leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) about: About,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) service: String,
    pub(crate) port: Port,
    pub(crate) method: &'static str,
    input: Input,
}

/// A pin, and which of its edges count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Input {
    pin: u8,
    edges: EdgeSet,
    pull: Pull,
}

/// A pin that is looked at.
#[derive(Debug)]
struct Watched {
    pin: u8,
    pull: Pull,
    level: Level,
    /// When its level counts, unless there is another edge.
    settles_at: Option<Ms>,
}

/// The Ingresses of this node and the presses that are under way.
#[derive(Debug)]
pub(crate) struct Ingresses {
    node: String,
    rules: Vec<Rule>,
    inputs: Vec<Watched>,
    /// When the pins are to be brought in line with the rules.
    due: Option<Ms>,
    /// What is wrong with an Ingress, to be said once.
    wrong: Vec<(About, String)>,
    /// Pins that were not to be had when that was last said.
    refused: PinSet,
    waiting: Vec<Rule>,
    pub(crate) courier: Courier,
}

impl Ingresses {
    /// Those of this node.
    pub(crate) fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            rules: Vec::new(),
            inputs: Vec::new(),
            due: None,
            wrong: Vec::new(),
            refused: PinSet::EMPTY,
            waiting: Vec::new(),
            courier: Courier::default(),
        }
    }

    /// The oldest press that waits.
    pub(crate) fn next_press(&mut self) -> Option<Rule> {
        (!self.waiting.is_empty()).then(|| self.waiting.remove(0))
    }

    /// Takes the pins of the rules and looks at them. Says when to come again.
    pub(crate) fn poll(
        &mut self,
        pods: &mut Pods,
        config: &Config,
        events: &mut Events,
        now: Ms,
        wall: Option<Wall>,
        runtime: &mut dyn Runtime,
    ) -> Option<Ms> {
        if self.due.is_some_and(|at| now >= at) {
            self.take_pins(pods, config, now, runtime);
        }
        for (about, why) in core::mem::take(&mut self.wrong) {
            events.add(about, true, "InvalidIngress", why, wall);
        }
        let mut next = self.due;
        for n in 0..self.inputs.len() {
            let input = &mut self.inputs[n];
            let devices = runtime.devices();
            let edges = devices.take_edges(input.pin).unwrap_or(EdgeSet::NONE);
            if edges != EdgeSet::NONE {
                input.settles_at = Some(now + DEBOUNCE_MS);
            }
            let Some(at) = input.settles_at else {
                continue;
            };
            if now < at {
                next = Some(next.map_or(at, |known| known.min(at)));
                continue;
            }
            input.settles_at = None;
            let Ok(level) = devices.read_pin(input.pin) else {
                continue;
            };
            if level != core::mem::replace(&mut input.level, level) {
                let pin = input.pin;
                let edge = if level.is_high() {
                    Edge::Rising
                } else {
                    Edge::Falling
                };
                self.press(pin, edge, events, wall);
            }
        }
        next
    }

    fn press(&mut self, pin: u8, edge: Edge, events: &mut Events, wall: Option<Wall>) {
        for rule in &self.rules {
            if rule.input.pin != pin || !rule.input.edges.contains(edge) {
                continue;
            }
            if self.waiting.len() >= QUEUE {
                let why = format!(
                    "{} (GP{pin}): the backend is slower than the input, {QUEUE} requests wait: this one is dropped",
                    rule.host
                );
                events.add(rule.about.clone(), true, "InputDropped", why, wall);
            } else {
                self.waiting.push(rule.clone());
            }
        }
    }

    fn take_pins(&mut self, pods: &mut Pods, config: &Config, now: Ms, runtime: &mut dyn Runtime) {
        self.due = None;
        let mut wanted: Vec<&Rule> = Vec::new();
        let mut refused = PinSet::EMPTY;
        for rule in &self.rules {
            let Input { pin, pull, .. } = rule.input;
            let why = if !config.hardware.pins.contains(&pin) {
                Some(format!(
                    "GP{pin} is not on the header of {}",
                    config.hardware.model
                ))
            } else if let Some(why) = pods.why_taken(pin, Some(PinUser::Ingress)) {
                self.due = Some(now + RETRY_MS);
                Some(why)
            } else if wanted
                .iter()
                .any(|w| w.input.pin == pin && w.input.pull != pull)
            {
                Some(format!("GP{pin} has another resistor in another rule"))
            } else {
                None
            };
            match why {
                None => wanted.push(rule),
                Some(why) => {
                    refused = refused.with(PinSet::one(pin));
                    if !self.refused.contains(pin) {
                        let why = format!("{}: {why}", rule.host);
                        self.wrong.push((rule.about.clone(), why));
                    }
                }
            }
        }
        self.refused = refused;
        let is_wanted = |watched: &Watched| {
            let mut all = wanted.iter();
            all.any(|rule| rule.input.pin == watched.pin && rule.input.pull == watched.pull)
        };
        let devices = runtime.devices();
        self.inputs.retain(|watched| {
            let stays = is_wanted(watched);
            if !stays {
                let _ = devices.configure_pin(watched.pin, PinMode::Disabled);
            }
            stays
        });
        let mut pins = PinSet::EMPTY;
        for rule in wanted {
            let Input { pin, pull, .. } = rule.input;
            pins = pins.with(PinSet::one(pin));
            if self.inputs.iter().any(|watched| watched.pin == pin) {
                continue;
            }
            let set_up = devices
                .configure_pin(pin, PinMode::Input(pull))
                .and_then(|()| devices.watch_pin(pin, EdgeSet::BOTH))
                .and_then(|()| devices.read_pin(pin));
            match set_up {
                Ok(level) => self.inputs.push(Watched {
                    pin,
                    pull,
                    level,
                    settles_at: None,
                }),
                Err(error) => {
                    let why = format!("{}: GP{pin}: {error}", rule.host);
                    self.wrong.push((rule.about.clone(), why));
                }
            }
        }
        pods.reserve(PinUser::Ingress, pins);
    }

    /// The rules of an Ingress; in words what of it cannot be used.
    fn read(&self, object: &Value) -> (Vec<Rule>, Vec<String>) {
        let annotation = |key| object.text(&["metadata", "annotations", key]);
        let node = annotation(NODE);
        let is_ours = object.text(&["spec", "ingressClassName"]) == CLASS
            && (node.is_empty() || node == self.node);
        if !is_ours {
            return (Vec::new(), Vec::new());
        }
        let mut wrong = Vec::new();
        let inputs = inputs(annotation(INPUTS)).unwrap_or_else(|why| {
            wrong.push(format!("annotation {INPUTS}: {why}"));
            Vec::new()
        });
        let method = method(annotation(METHOD)).unwrap_or_else(|why| {
            wrong.push(why);
            "POST"
        });
        let mut rules = Vec::new();
        for rule in object.list(&["spec", "rules"]) {
            let host = rule.text(&["host"]);
            let Some((_, input)) = inputs.iter().find(|(known, _)| *known == host) else {
                wrong.push(format!(
                    "host {host:?} has no pin: say {host}=PIN in the annotation {INPUTS}"
                ));
                continue;
            };
            for path in rule.list(&["http", "paths"]) {
                let port = Port::read(path.scalar(&["backend", "service", "port", "number"]))
                    .or_else(|| Port::read(path.text(&["backend", "service", "port", "name"])));
                let service = path.text(&["backend", "service", "name"]);
                let target = match path.text(&["path"]) {
                    "" => "/",
                    path => path,
                };
                let is_fine = target.starts_with('/')
                    && target.bytes().all(|b| b.is_ascii_graphic())
                    && !service.is_empty();
                let Some(port) = port.filter(|_| is_fine) else {
                    wrong.push(format!(
                        "host {host:?}, path {target:?}: a backend has a service, its port and a path without spaces"
                    ));
                    continue;
                };
                rules.push(Rule {
                    about: about("Ingress", object),
                    host: host.to_owned(),
                    path: target.to_owned(),
                    service: service.to_owned(),
                    port,
                    method,
                    input: *input,
                });
            }
        }
        (rules, wrong)
    }
}

impl Resource for Ingresses {
    fn path(&self) -> String {
        "/apis/networking.k8s.io/v1/ingresses".to_owned()
    }

    fn put(&mut self, object: &Value, is_partial: bool) {
        let (rules, mut wrong) = if is_partial {
            let why = "it is larger than this node can read (16 KiB)".to_owned();
            (Vec::new(), alloc::vec![why])
        } else {
            self.read(object)
        };
        let uid = object.text(&["metadata", "uid"]);
        let is_known = |known: &&Rule| known.about.uid == uid;
        // A status that somebody writes changes nothing here.
        if self.rules.iter().filter(is_known).eq(&rules) && wrong.is_empty() {
            return;
        }
        self.gone(uid);
        let room = RULES - self.rules.len();
        if rules.len() > room {
            wrong.push(format!(
                "this node takes {RULES} rules: the others are left out"
            ));
        }
        self.rules.extend(rules.into_iter().take(room));
        let about = about("Ingress", object);
        self.wrong.extend(
            wrong
                .into_iter()
                .take(RULES)
                .map(|why| (about.clone(), why)),
        );
    }

    fn gone(&mut self, uid: &str) {
        self.rules.retain(|rule| rule.about.uid != uid);
        self.waiting.retain(|rule| rule.about.uid != uid);
        (self.due, self.refused) = (Some(0), PinSet::EMPTY);
    }

    fn has(&self, uid: &str) -> bool {
        self.rules.iter().any(|rule| rule.about.uid == uid)
    }

    fn keep(&mut self, uids: &[String]) {
        if self
            .rules
            .iter()
            .any(|rule| !uids.contains(&rule.about.uid))
        {
            self.rules.retain(|rule| uids.contains(&rule.about.uid));
            self.due = Some(0);
        }
    }
}

/// `HOST=PIN[:rising|falling|both][:up|down|none]`, separated by commas. Without a word for it an input is a button to
/// ground: the falling edge of a pin that is pulled up.
fn inputs(text: &str) -> Result<Vec<(&str, Input)>, String> {
    let parts = text.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    parts
        .map(|part| {
            input(part).ok_or_else(|| {
                format!("{part:?} is not HOST=PIN[:rising|falling|both][:up|down|none]")
            })
        })
        .collect()
}

fn input(text: &str) -> Option<(&str, Input)> {
    let (host, rest) = text.split_once('=')?;
    let mut words = rest.split(':');
    let pin = words.next()?;
    let mut input = Input {
        pin: pin.strip_prefix("GP").unwrap_or(pin).parse().ok()?,
        edges: EdgeSet {
            rising: false,
            falling: true,
        },
        pull: Pull::Up,
    };
    for word in words {
        match word {
            "rising" => {
                input.edges = EdgeSet {
                    rising: true,
                    falling: false,
                }
            }
            "falling" => {}
            "both" => input.edges = EdgeSet::BOTH,
            "up" => {}
            "down" => input.pull = Pull::Down,
            "none" => input.pull = Pull::None,
            _ => return None,
        }
    }
    Some((host, input))
}

fn method(text: &str) -> Result<&'static str, String> {
    const METHODS: [&str; 4] = ["POST", "PUT", "GET", "DELETE"];
    match text {
        "" => Ok("POST"),
        text => METHODS
            .into_iter()
            .find(|known| *known == text)
            .ok_or_else(|| {
                format!(
                    "annotation {METHOD}: {text:?} is none of {}",
                    METHODS.join(", ")
                )
            }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_of_hosts() {
        let check = |text: &str, expected: Option<&str>| {
            let read = inputs(text).map(|all| {
                let all = all.iter().map(|(host, i)| {
                    format!(
                        "{host} {} {}{} {:?}",
                        i.pin,
                        if i.edges.rising { "r" } else { "" },
                        if i.edges.falling { "f" } else { "" },
                        i.pull
                    )
                });
                all.collect::<Vec<_>>().join("; ")
            });
            assert_eq!(read.ok().as_deref(), expected, "{text}");
        };
        check("", Some(""));
        check("a.local=15", Some("a.local 15 f Up"));
        check(
            "a=GP15:rising:down, b=16:both:none",
            Some("a 15 r Down; b 16 rf None"),
        );
        check("a=15:falling:up", Some("a 15 f Up"));
        for bad in ["a", "a=", "a=x", "a=300", "a=15:sideways", "a=15:up:"] {
            check(bad, None);
        }
    }

    #[test]
    fn methods() {
        for (text, expected) in [("", Some("POST")), ("PUT", Some("PUT")), ("put", None)] {
            assert_eq!(method(text).ok(), expected, "{text}");
        }
    }
}
