// SPDX-License-Identifier: Apache-2.0
//! `GPIOController`: one pin as an object, `input`, `output` or `pwm`.

use alloc::format;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use pico_board::{EdgeSet, Level, PinMode, PinSet, Pull};

use super::{Reports, STATUS, Said, Wishes};
use crate::facts::Config;
use crate::json::{Shape, Value};
use crate::kinds::{IDENTITY, Resource};
use crate::pods::{PinUser, Pods};
use crate::runtime::{Devices, Runtime};
use crate::time::{Ms, Wall};

/// How soon a pin that somebody else uses is asked for again, in milliseconds.
const RETRY_MS: Ms = 10_000;

/// What is kept of a GPIOController.
pub(crate) const CONTROLLER: Shape = Shape::Keys(&[
    ("metadata", IDENTITY),
    (
        "spec",
        Shape::Keys(&[
            ("nodeName", Shape::All),
            ("pinNumber", Shape::All),
            ("mode", Shape::All),
            ("value", Shape::All),
            ("duty", Shape::All),
            ("frequencyHz", Shape::All),
            ("pull", Shape::All),
        ]),
    ),
    ("status", STATUS),
]);

/// A line of a watch of GPIOControllers.
pub(crate) const CONTROLLER_EVENT: Shape =
    Shape::Keys(&[("type", Shape::All), ("object", CONTROLLER)]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Input(Pull),
    Output(Level),
    /// Frequency in hertz and duty in 1/255.
    Pwm(u32, u8),
}

/// A pin and how it is to be set up; in words what is wrong with that.
pub(crate) type Wish = Result<(u8, Setting), String>;

/// The GPIOControllers of this node.
#[derive(Debug)]
pub(crate) struct Controllers {
    pub(crate) wishes: Wishes<Wish>,
    applied: Vec<(u8, Setting)>,
    /// When pins are to be brought in line with the objects.
    due: Option<Ms>,
}

impl Controllers {
    /// Those of this node.
    pub(crate) fn new(node: &str) -> Self {
        Self {
            wishes: Wishes::new(node, Reports::new("GPIOController", "gpiocontrollers")),
            applied: Vec::new(),
            due: None,
        }
    }

    /// Sets pins up and looks at inputs. Says when to come again.
    pub(crate) fn poll(
        &mut self,
        pods: &mut Pods,
        config: &Config,
        now: Ms,
        wall: Option<Wall>,
        runtime: &mut dyn Runtime,
    ) -> Option<Ms> {
        if self.due.is_some_and(|at| now >= at) {
            self.apply(pods, config, now, wall, runtime);
        }
        for (pin, setting) in &self.applied {
            if matches!(setting, Setting::Input(_))
                && runtime
                    .devices()
                    .take_edges(*pin)
                    .is_ok_and(|e| e != EdgeSet::NONE)
            {
                let level = runtime.devices().read_pin(*pin).ok();
                let is_of = |(_, wish): &&(String, Wish)| matches!(wish, Ok((of, _)) if of == pin);
                if let Some((uid, _)) = self.wishes.all.iter().find(is_of) {
                    let said = Said::applied(describe(*pin, *setting), level);
                    self.wishes.reports.say(uid, said, wall);
                }
            }
        }
        self.due
    }

    fn apply(
        &mut self,
        pods: &mut Pods,
        config: &Config,
        now: Ms,
        wall: Option<Wall>,
        runtime: &mut dyn Runtime,
    ) {
        self.due = None;
        // Of two objects that want one pin the first one by its name has it.
        let mut wanted: Vec<(u8, Setting)> = Vec::new();
        let has = |all: &[(u8, Setting)], pin: u8| all.iter().any(|(known, _)| *known == pin);
        let mut said: Vec<Said> = Vec::new();
        for (_, wish) in &self.wishes.all {
            said.push(match wish {
                Err(why) => Said::refused("InvalidSpec", why.clone()),
                Ok((pin, _)) if !config.hardware.pins.contains(pin) => Said::refused(
                    "NoSuchPin",
                    format!("GP{pin} is not on the header of {}", config.hardware.model),
                ),
                Ok((pin, _)) if has(&wanted, *pin) => Said::refused(
                    "PinInUse",
                    format!("GP{pin} belongs to another GPIOController"),
                ),
                Ok((pin, setting)) => match pods.why_taken(*pin, Some(PinUser::Controller)) {
                    Some(why) => {
                        self.due = Some(now + RETRY_MS);
                        Said::refused("PinInUse", why)
                    }
                    None => {
                        wanted.push((*pin, *setting));
                        Said::applied(describe(*pin, *setting), None)
                    }
                },
            });
        }
        let devices = runtime.devices();
        for (pin, setting) in &self.applied {
            if !has(&wanted, *pin) {
                if matches!(setting, Setting::Pwm(..)) {
                    let _ = devices.stop_pwm(*pin);
                }
                let _ = devices.configure_pin(*pin, PinMode::Disabled);
            }
        }
        for ((_, wish), said) in self.wishes.all.iter().zip(&mut said) {
            let Ok((pin, setting)) = wish else {
                continue;
            };
            if !said.is_ready {
                continue;
            }
            let done = if self.applied.contains(&(*pin, *setting)) {
                Ok(())
            } else {
                set_up(devices, *pin, *setting)
            };
            match (done, setting) {
                (Ok(()), Setting::Pwm(..)) => {}
                (Ok(()), _) => said.level = devices.read_pin(*pin).ok(),
                (Err(error), _) => {
                    wanted.retain(|(known, _)| known != pin);
                    *said = Said::refused("DeviceFailed", format!("GP{pin}: {error}"));
                }
            }
        }
        let pins = wanted.iter();
        let pins = pins.fold(PinSet::EMPTY, |set, (pin, _)| set.with(PinSet::one(*pin)));
        pods.reserve(PinUser::Controller, pins);
        self.applied = wanted;
        for ((uid, _), said) in self.wishes.all.iter().zip(said) {
            self.wishes.reports.say(uid, said, wall);
        }
    }
}

fn set_up(devices: &mut dyn Devices, pin: u8, setting: Setting) -> Result<(), pico_eci::HostError> {
    match setting {
        Setting::Input(pull) => {
            devices.configure_pin(pin, PinMode::Input(pull))?;
            devices.watch_pin(pin, EdgeSet::BOTH)
        }
        Setting::Output(level) => devices.configure_pin(pin, PinMode::Output(level)),
        Setting::Pwm(frequency, duty) => devices.set_pwm(pin, frequency, u16::from(duty) * 257),
    }
}

fn describe(pin: u8, setting: Setting) -> String {
    match setting {
        Setting::Input(_) => format!("GP{pin} is an input"),
        Setting::Output(Level::High) => format!("GP{pin} is an output, HIGH"),
        Setting::Output(Level::Low) => format!("GP{pin} is an output, LOW"),
        Setting::Pwm(frequency, duty) => format!("GP{pin} has PWM, {duty}/255 at {frequency} Hz"),
    }
}

fn wish(object: &Value) -> Wish {
    let spec = |key| object.text(&["spec", key]);
    let number = |key| object.integer(&["spec", key]);
    let pin = number("pinNumber").and_then(|pin| u8::try_from(pin).ok());
    let pin = pin.ok_or("spec.pinNumber is the number of a pin, 0 to 255")?;
    let setting = match spec("mode") {
        "input" => Setting::Input(match spec("pull") {
            "" | "none" => Pull::None,
            "up" => Pull::Up,
            "down" => Pull::Down,
            other => return Err(format!("spec.pull: {other:?} is none of none, up, down")),
        }),
        "output" => Setting::Output(match spec("value") {
            "HIGH" => Level::High,
            "" | "LOW" => Level::Low,
            other => return Err(format!("spec.value: {other:?} is neither HIGH nor LOW")),
        }),
        "pwm" => {
            let duty = number("duty").map_or(Ok(0), u8::try_from);
            let frequency = number("frequencyHz").map_or(Ok(1000), u32::try_from);
            Setting::Pwm(
                frequency.map_err(|_| "spec.frequencyHz is a frequency in hertz".to_string())?,
                duty.map_err(|_| "spec.duty is 0 to 255".to_string())?,
            )
        }
        other => {
            return Err(format!(
                "spec.mode: {other:?} is none of input, output, pwm"
            ));
        }
    };
    Ok((pin, setting))
}

impl Resource for Controllers {
    fn path(&self) -> String {
        self.wishes.reports.path()
    }

    fn put(&mut self, object: &Value, is_partial: bool) {
        if self.wishes.put(object, is_partial, wish) {
            self.due = Some(0);
        }
    }

    fn gone(&mut self, uid: &str) {
        if self.wishes.gone(uid) {
            self.due = Some(0);
        }
    }

    fn has(&self, uid: &str) -> bool {
        self.wishes.has(uid)
    }

    fn keep(&mut self, uids: &[String]) {
        if self.wishes.keep(uids) {
            self.due = Some(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, Reader, Taken};

    fn check(spec: &str, expected: Result<(u8, Setting), &str>) {
        let text = format!("{{\"spec\":{spec}}}");
        let mut reader = Reader::new(Shape::All, Limits::default());
        let Ok((_, Some(Taken::Document(object)))) = reader.push(text.as_bytes()) else {
            panic!("{text} is no document");
        };
        match (wish(&object), expected) {
            (Ok(wish), Ok(expected)) => assert_eq!(wish, expected, "{spec}"),
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{spec}: {why}"),
            (got, _) => panic!("{spec}: {got:?}"),
        }
    }

    #[test]
    fn specs() {
        check(
            r#"{"pinNumber": 15, "mode": "output", "value": "HIGH"}"#,
            Ok((15, Setting::Output(Level::High))),
        );
        check(
            r#"{"pinNumber": 15, "mode": "input", "pull": "up"}"#,
            Ok((15, Setting::Input(Pull::Up))),
        );
        check(
            r#"{"pinNumber": 16, "mode": "pwm", "duty": 128}"#,
            Ok((16, Setting::Pwm(1000, 128))),
        );
        check(r#"{"mode": "input"}"#, Err("spec.pinNumber"));
        check(
            r#"{"pinNumber": 999, "mode": "input"}"#,
            Err("spec.pinNumber"),
        );
        check(r#"{"pinNumber": 1, "mode": "servo"}"#, Err("\"servo\""));
        check(
            r#"{"pinNumber": 1, "mode": "output", "value": "on"}"#,
            Err("neither HIGH nor LOW"),
        );
        check(
            r#"{"pinNumber": 1, "mode": "pwm", "duty": 256}"#,
            Err("0 to 255"),
        );
        check(
            r#"{"pinNumber": 1, "mode": "pwm", "frequencyHz": -1}"#,
            Err("spec.frequencyHz"),
        );
    }
}
