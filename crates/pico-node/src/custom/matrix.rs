// SPDX-License-Identifier: Apache-2.0
//! `LEDMatrix`: a message on a chain of LED modules, still where it fits and running where not.

use alloc::format;
use alloc::string::{String, ToString as _};

use super::max7219::Display;
use super::{Reports, STATUS, Said, Wishes};
use crate::facts::Config;
use crate::json::{Shape, Value};
use crate::kinds::{IDENTITY, Resource};
use crate::runtime::Runtime;
use crate::time::{Ms, Wall};

/// Bytes of a message.
const MESSAGE: usize = 256;
/// The shortest time between two steps, in milliseconds.
const STEP_MS: i64 = 20;

/// What is kept of an LEDMatrix.
pub(crate) const MATRIX: Shape = Shape::Keys(&[
    ("metadata", IDENTITY),
    (
        "spec",
        Shape::Keys(&[
            ("nodeName", Shape::All),
            ("message", Shape::All),
            ("brightness", Shape::All),
            ("scrollSpeedMs", Shape::All),
        ]),
    ),
    ("status", STATUS),
]);

/// A line of a watch of LEDMatrices.
pub(crate) const MATRIX_EVENT: Shape = Shape::Keys(&[("type", Shape::All), ("object", MATRIX)]);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Text {
    message: String,
    brightness: u8,
    /// Milliseconds a column; 0 if it does not move.
    step_ms: u32,
}

/// A message; in words what is wrong with it.
pub(crate) type Wish = Result<Text, String>;

/// The LEDMatrices of this node.
#[derive(Debug)]
pub(crate) struct Matrices {
    pub(crate) wishes: Wishes<Wish>,
    /// What is shown, since when it moves, and how far it has come.
    shown: Option<(Text, Ms, u32)>,
    is_due: bool,
}

impl Matrices {
    /// Those of this node.
    pub(crate) fn new(node: &str) -> Self {
        Self {
            wishes: Wishes::new(node, Reports::new("LEDMatrix", "ledmatrices")),
            shown: None,
            is_due: false,
        }
    }

    /// Shows what is to be shown. Says when to come again.
    pub(crate) fn poll(
        &mut self,
        config: &Config,
        now: Ms,
        wall: Option<Wall>,
        runtime: &mut dyn Runtime,
    ) -> Option<Ms> {
        let mut display = Display::new(config.led_matrix, runtime.devices());
        if core::mem::take(&mut self.is_due) {
            self.apply(&mut display, now, wall);
        }
        let (text, since, done) = self.shown.as_mut()?;
        if text.step_ms == 0 || display.fits(&text.message) {
            return None;
        }
        let step = now.saturating_sub(*since) / Ms::from(text.step_ms);
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        if step != *done {
            *done = step;
            // A display that does not take it shows the next step.
            let _ = display.show(&text.message, step);
        }
        Some(*since + (Ms::from(step) + 1) * Ms::from(text.step_ms))
    }

    fn apply(&mut self, display: &mut Display<'_>, now: Ms, wall: Option<Wall>) {
        // Of several objects the first one by its name is shown.
        let mut wanted = None;
        for (uid, wish) in &self.wishes.all {
            let said = match wish {
                _ if display.modules() == 0 => Said::refused(
                    "NoMatrix",
                    "this board is not configured with an LED matrix".to_string(),
                ),
                Err(why) => Said::refused("InvalidSpec", why.clone()),
                Ok(_) if wanted.is_some() => Said::refused(
                    "MatrixInUse",
                    "another LEDMatrix is shown on this board".to_string(),
                ),
                Ok(text) => {
                    wanted = Some(text);
                    let is_shown = self.shown.as_ref().is_some_and(|(shown, ..)| shown == text);
                    let done = if is_shown {
                        Ok(())
                    } else {
                        display
                            .start(text.brightness)
                            .and_then(|()| display.show(&text.message, 0))
                    };
                    match done {
                        Ok(()) => Said::applied(
                            format!("shown on {} modules of 8 by 8", display.modules()),
                            None,
                        ),
                        Err(error) => {
                            wanted = None;
                            Said::refused("DeviceFailed", format!("{error}"))
                        }
                    }
                }
            };
            self.wishes.reports.say(uid, said, wall);
        }
        match (wanted, &self.shown) {
            (Some(text), Some((shown, ..))) if shown == text => {}
            (Some(text), _) => self.shown = Some((text.clone(), now, 0)),
            (None, None) => {}
            (None, Some(_)) => {
                let _ = display.stop();
                self.shown = None;
            }
        }
    }
}

fn wish(object: &Value) -> Wish {
    let number = |key, default| match object.at(&["spec", key]) {
        None => Ok(default),
        Some(_) => object.integer(&["spec", key]).ok_or(()),
    };
    let message = object.text(&["spec", "message"]);
    if message.len() > MESSAGE {
        return Err(format!("spec.message is longer than {MESSAGE} bytes"));
    }
    let brightness = number("brightness", 128).and_then(|n| u8::try_from(n).map_err(|_| ()));
    let step = number("scrollSpeedMs", 100).and_then(|n| u32::try_from(n).map_err(|_| ()));
    let step = step.map_err(|()| "spec.scrollSpeedMs is a time in milliseconds")?;
    Ok(Text {
        message: message.into(),
        brightness: brightness.map_err(|()| "spec.brightness is 0 to 255")?,
        step_ms: match i64::from(step) {
            0 => 0,
            1..STEP_MS => 20,
            _ => step,
        },
    })
}

impl Resource for Matrices {
    fn path(&self) -> String {
        self.wishes.reports.path()
    }

    fn put(&mut self, object: &Value, is_partial: bool) {
        if self.wishes.put(object, is_partial, wish) {
            self.is_due = true;
        }
    }

    fn gone(&mut self, uid: &str) {
        if self.wishes.gone(uid) {
            self.is_due = true;
        }
    }

    fn has(&self, uid: &str) -> bool {
        self.wishes.has(uid)
    }

    fn keep(&mut self, uids: &[String]) {
        if self.wishes.keep(uids) {
            self.is_due = true;
        }
    }
}
