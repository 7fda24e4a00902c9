// SPDX-License-Identifier: Apache-2.0
//! `turingpi_node`: a module as a whole: its image, its power, and whether it came up.

use std::path::PathBuf;
use std::time::Duration;

use tfplugin::{
    Apply, Attribute, Block, Identity, Import, Move, Plan, Read, Resource, Schema, Type, Value,
    async_trait, validator,
};
use turingpi_bmc::Slot;
use turingpi_bmc::flash::Source;

use super::power::read_power;
use super::predecessor;
use crate::attribute::{self, imported_slot, number, slot};
use crate::boot;
use crate::image::{self, Planned};
use crate::session::{Board, Session};

pub(crate) struct Node(pub(crate) Session);

/// How long writing an image may take.
const FLASH: Duration = Duration::from_secs(30 * 60);
/// How long a module may take to come up, in seconds.
const BOOT: i64 = 60;
/// Under which name the private state keeps that the last boot check failed.
const UNCHECKED: &str = "unchecked";
/// Under which name it keeps what a plan has to do.
const DOES: &str = "does";

/// What a change does to the module, beside what it says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Nothing: the state alone changes.
    Nothing,
    /// Its power is switched.
    Switches,
    /// The image is written.
    Writes,
}

impl Does {
    fn of(plan: &Plan, image: Planned) -> Self {
        let changed = |name: &str| plan.planned.attribute(name) != plan.prior.attribute(name);
        let has_image = !plan.planned.attribute("firmware_file").is_null();
        let checks = plan.planned.attribute("boot_check").as_bool() != Some(false);
        if image == Planned::Written && has_image {
            Self::Writes
        } else if changed("power_state") || checks && plan.private.get(UNCHECKED).is_some() {
            Self::Switches
        } else {
            Self::Nothing
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Switches => "switches",
            Self::Writes => "writes",
        }
    }
}

impl Node {
    /// Writes the image if it is another one, then switches, then checks. What was done stays in the state if the next step fails.
    async fn bring_about(&self, apply: &mut Apply) {
        let Some(slot) = slot(&apply.planned) else {
            return;
        };
        let does = apply
            .private
            .get(DOES)
            .and_then(|d| d.as_str())
            .unwrap_or_default()
            .to_owned();
        apply.private.remove(DOES);
        if does == Does::Nothing.name() {
            apply.state = apply.planned.clone();
            image::is_broken(&mut apply.private, false);
            return;
        }
        let Some(board) = self.0.board(&mut apply.diagnostics) else {
            return;
        };
        let planned = apply.planned.clone();
        let mut written = planned.attribute("firmware_sha256").clone();
        if does == Does::Writes.name() {
            let Some(sum) = self.write(apply, &board, slot).await else {
                return;
            };
            written = sum;
        }
        let on = planned.attribute("power_state").as_str() != Some("off");
        let mut state = planned.clone();
        state.set("id", format!("node-{slot}"));
        state.set("firmware_sha256", written);
        // off, whatever was wanted: that is how a flashed module is, until it is switched
        state.set("power_state", "off");
        state.set("last_boot", apply.prior.attribute("last_boot").clone());
        apply.state = state;
        image::is_broken(&mut apply.private, false);
        if on && planned.attribute("boot_check").as_bool() == Some(true) {
            self.check(apply, &board, slot).await;
            return;
        }
        let what = format!("Slot {slot} was not switched");
        let Some(result) = apply.cancel.run(board.set_power(slot, on)).await else {
            crate::report::stopped(&mut apply.diagnostics, &what);
            return;
        };
        match result {
            Ok(()) => {
                apply
                    .state
                    .set("power_state", if on { "on" } else { "off" });
                apply.private.remove(UNCHECKED);
                if on {
                    apply.state.set("last_boot", attribute::now());
                }
            }
            Err(e) => crate::report::error(&mut apply.diagnostics, &what, &e),
        }
    }

    /// Writes what was planned, and nothing else: the sum of what was written, or none where it failed.
    async fn write(&self, apply: &mut Apply, board: &Board, slot: Slot) -> Option<Value> {
        let planned = apply.planned.clone();
        let path = planned.attribute("firmware_file").as_str()?;
        let mut flash = turingpi_bmc::flash::Flash::new(slot, Source::File(PathBuf::from(path)));
        flash.sha256 = planned
            .attribute("firmware_sha256")
            .as_str()
            .map(str::to_owned);
        let operation = if apply.prior.is_null() {
            "create"
        } else {
            "update"
        };
        let within = attribute::timeout(&planned, operation, FLASH);
        match image::write(board, &flash, within, &apply.cancel, |_| {}).await {
            Ok(sum) => Some(Value::from(sum)),
            Err(e) => {
                let what = format!("The image was not written to slot {slot}");
                image::failed(apply, &what, &e);
                if !apply.prior.is_null() && image::leaves_half_of_it(&e) {
                    // neither the old image nor the new one is whole
                    apply.state.set("firmware_sha256", Value::Null);
                    apply.state.set("power_state", "off");
                    image::is_broken(&mut apply.private, true);
                }
                None
            }
        }
    }

    async fn check(&self, apply: &mut Apply, board: &Board, slot: Slot) {
        let pattern = apply.planned.attribute("boot_check_pattern");
        let pattern = pattern.as_str().unwrap_or("login:").to_owned();
        let within = boot::within(&apply.planned, "login_prompt_timeout", BOOT.unsigned_abs());
        let result = boot::check(board, slot, &pattern, within, &apply.cancel).await;
        if result.is_ok() {
            apply.state.set("power_state", "on");
        }
        if matches!(result, Ok(boot::Boot::Up)) {
            apply.state.set("last_boot", attribute::now());
            apply.private.remove(UNCHECKED);
        } else {
            // the next plan tries it again
            apply.private.set(UNCHECKED, true);
        }
        boot::told(&mut apply.diagnostics, slot, &pattern, within, &result);
    }

    pub(crate) fn imported(slot: Slot, on: bool) -> Value {
        Value::object([
            ("node", number(slot)),
            ("power_state", Value::from(if on { "on" } else { "off" })),
            ("boot_check", false.into()),
            ("login_prompt_timeout", BOOT.into()),
            ("boot_check_pattern", "login:".into()),
            ("id", Value::from(format!("node-{slot}"))),
        ])
    }
}

#[async_trait]
impl Resource for Node {
    fn schema(&self) -> Schema {
        predecessor::schema(
            Block::new(
                "A module: the image on its eMMC, its power, and whether it comes up. A new image is written in place. \
                 Destroying it leaves the module as it is.",
            )
            .attribute("node", attribute::node().replaces())
            .attribute("firmware_file", image::file())
            .attribute(
                "power_state",
                Attribute::optional(Type::String)
                    .default("on")
                    .check(validator::one_of(&["on", "off"]))
                    .describe("`on` or `off`."),
            )
            .attribute(
                "boot_check",
                Attribute::optional(Type::Bool)
                    .default(false)
                    .describe("Start the module anew after its image was written or its power switched on, and wait until it is up."),
            )
            .attribute("login_prompt_timeout", boot::seconds(BOOT))
            .attribute(
                "boot_check_pattern",
                boot::pattern("Regular expression that its serial output matches once it is up. Output from before the start does not count.")
                    .default("login:"),
            )
            .attribute("firmware_sha256", image::sum_attribute(""))
            .attribute("last_boot", attribute::moment("the module was started here"))
            .attribute("id", attribute::id("node-N"))
            .block(
                "timeouts",
                attribute::timeouts(&[("create", "30m"), ("update", "30m")]),
            ),
        )
    }

    fn identity(&self) -> Option<Identity> {
        Some(attribute::slot_identity())
    }

    fn identity_of(&self, state: &Value) -> Value {
        attribute::slot_identity_of(state)
    }

    async fn plan(&self, plan: &mut Plan) {
        if plan.is_delete() {
            return;
        }
        let image = image::plan(plan, Value::Null).await;
        let does = Does::of(plan, image);
        plan.private.set(DOES, does.name());
        // an image with other contents under the same name is a change that the configuration does not show
        let starts = does != Does::Nothing;
        let last_boot = if starts {
            Value::Unknown
        } else {
            plan.prior.attribute("last_boot").clone()
        };
        plan.planned.set("last_boot", last_boot);
    }

    async fn create(&self, apply: &mut Apply) {
        self.bring_about(apply).await;
    }

    async fn update(&self, apply: &mut Apply) {
        self.bring_about(apply).await;
    }

    async fn read(&self, read: &mut Read) {
        if let Some(Some(on)) = read_power(&self.0, read).await {
            read.state.set("power_state", if on { "on" } else { "off" });
        }
    }

    async fn delete(&self, _apply: &mut Apply) {}

    async fn import(&self, import: &mut Import) {
        let (Some(slot), Some(board)) = (
            imported_slot(import, &["node-"]),
            self.0.board(&mut import.diagnostics),
        ) else {
            return;
        };
        match board.power().await {
            Ok(power) => {
                import.state = Self::imported(slot, power.of(slot) == Some(true));
                image::imported(&mut import.private);
                import.diagnostics.warning(
                    "What is on the module is not known",
                    "An eMMC cannot be read through the BMC. If the configuration names an image, the next apply takes it for what is on it, \
                     and writes nothing; -replace writes it.",
                );
            }
            Err(e) => crate::report::error(&mut import.diagnostics, "Power cannot be read", &e),
        }
    }

    fn upgrade(
        &self,
        _version: i64,
        state: serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        Ok(predecessor::upgrade(state, &self.schema()))
    }

    async fn move_state(&self, from: &mut Move) {
        predecessor::take_over(from, "turingpi_node", &self.schema());
    }
}
