// SPDX-License-Identifier: Apache-2.0
//! `turingpi_node`: a module as a whole: its image, its power, and whether it came up.

use std::path::PathBuf;
use std::time::Duration;

use tfplugin::{
    Apply, Attribute, Block, Identity, Import, Move, Plan, Read, Resource, Schema, Type, Value,
    async_trait, validator,
};
use turingpi_bmc::flash::{Source, TransferError};
use turingpi_bmc::{Error, Slot};

use super::flash::told;
use crate::attribute::{self, imported_slot, number, slot};
use crate::session::Session;
use crate::{boot, image};

pub(crate) struct Node(pub(crate) Session);

/// How long writing an image may take.
const FLASH: Duration = Duration::from_secs(30 * 60);

/// Under which name the private state keeps that the last boot check failed.
const UNCHECKED: &str = "unchecked";

/// Whether a failure may have come after the first byte was written.
fn leaves_half_an_image(error: &Error) -> bool {
    match error {
        Error::Transfer { source, .. } => !matches!(
            source,
            TransferError::Busy(_) | TransferError::Damaged(_) | TransferError::NoModule
        ),
        Error::File { .. } | Error::Argument(_) | Error::Unsupported { .. } => false,
        _ => true,
    }
}

impl Node {
    /// Writes the image if it is another one, then switches, then checks. What was done stays in the state if the next step fails.
    async fn bring_about(&self, apply: &mut Apply) {
        let (Some(slot), Some(board)) =
            (slot(&apply.planned), self.0.board(&mut apply.diagnostics))
        else {
            return;
        };
        let planned = apply.planned.clone();
        let image_before = apply.prior.attribute("firmware_sha256").clone();
        let image_after = planned.attribute("firmware_sha256").clone();
        let mut written = image_before.clone();
        let mut flashed = false;
        if let Some(path) = planned.attribute("firmware_file").as_str()
            && image_before != image_after
        {
            let source = Source::File(PathBuf::from(path));
            let mut flash = turingpi_bmc::flash::Flash::new(slot, source);
            // what was planned, and nothing else
            flash.sha256 = image_after.as_str().map(str::to_owned);
            let operation = if apply.prior.is_null() {
                "create"
            } else {
                "update"
            };
            let within = attribute::timeout(&planned, operation, FLASH);
            match image::write(&board, &flash, within, &apply.cancel, |_| {}).await {
                Ok(sum) => {
                    flashed = true;
                    written = Value::from(sum);
                }
                Err(e) => {
                    let what = format!("The image was not written to slot {slot}");
                    image::failed(apply, &what, &e);
                    if !apply.prior.is_null() && leaves_half_an_image(&e) {
                        // neither the old image nor the new one is whole
                        apply.state.set("firmware_sha256", Value::Null);
                        apply.state.set("power_state", "off");
                    }
                    return;
                }
            }
        } else if planned.attribute("firmware_file").is_null() {
            written = Value::Null;
        }
        let on = planned.attribute("power_state").as_str() != Some("off");
        let mut state = planned.clone();
        state.set("id", format!("node-{slot}"));
        state.set("firmware_sha256", written);
        // off, whatever was wanted: that is how a flashed module is, until it is switched
        state.set("power_state", "off");
        state.set("last_boot", apply.prior.attribute("last_boot").clone());
        apply.state = state;
        let check = on && planned.attribute("boot_check").as_bool() == Some(true);
        if check {
            let pattern = planned
                .attribute("boot_check_pattern")
                .as_str()
                .unwrap_or("login:")
                .to_owned();
            let seconds = planned
                .attribute("login_prompt_timeout")
                .as_i64()
                .unwrap_or(60);
            let within = Duration::from_secs(u64::try_from(seconds).unwrap_or(60));
            let result = boot::check(&board, slot, &pattern, within, &apply.cancel).await;
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
            told(&mut apply.diagnostics, slot, &pattern, within, result);
            return;
        }
        match board.set_power(slot, on).await {
            Ok(()) => {
                apply
                    .state
                    .set("power_state", if on { "on" } else { "off" });
                let was_on = apply.prior.attribute("power_state").as_str() == Some("on");
                if on && (flashed || !was_on) {
                    apply.state.set("last_boot", attribute::now());
                }
            }
            Err(e) => {
                let what = format!("Slot {slot} was not switched");
                crate::report::error(&mut apply.diagnostics, &what, &e);
            }
        }
    }

    pub(crate) fn imported(slot: Slot, on: bool) -> Value {
        Value::object([
            ("node", number(slot)),
            ("power_state", Value::from(if on { "on" } else { "off" })),
            ("boot_check", false.into()),
            ("login_prompt_timeout", 60.into()),
            ("boot_check_pattern", "login:".into()),
            ("id", Value::from(format!("node-{slot}"))),
        ])
    }
}

#[async_trait]
impl Resource for Node {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new(
                "A module: the image on its eMMC, its power, and whether it comes up. A new image is written in place. \
                 Destroying it leaves the module as it is.",
            )
            .attribute("node", attribute::node().replaces())
            .attribute(
                "firmware_file",
                Attribute::optional(Type::String)
                    .check(validator::not_empty())
                    .describe("Image on this machine, plain or `.xz`. Written again when its contents change."),
            )
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
                    .describe("Start the module anew after a change and wait until it is up."),
            )
            .attribute(
                "login_prompt_timeout",
                Attribute::optional(Type::Number)
                    .default(60)
                    .check(validator::between(1, 3600))
                    .describe("Seconds to wait for it."),
            )
            .attribute(
                "boot_check_pattern",
                Attribute::optional(Type::String)
                    .default("login:")
                    .check(validator::regular_expression())
                    .describe("Regular expression that its serial output matches once it is up. Output from before the start does not count."),
            )
            .attribute(
                "firmware_sha256",
                Attribute::computed(Type::String).describe("SHA-256 of the image that was written last."),
            )
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
        image::plan_sum(
            "firmware_file",
            &mut plan.planned,
            &mut plan.private,
            &mut plan.diagnostics,
        )
        .await;
        let same_name =
            plan.planned.attribute("firmware_file") == plan.prior.attribute("firmware_file");
        if !plan.is_create() && plan.planned.attribute("firmware_sha256").is_unknown() && same_name
        {
            let kept = plan.prior.attribute("firmware_sha256").clone();
            plan.planned.set("firmware_sha256", kept);
        }
        // an image with other contents under the same name is a change that the configuration does not show
        let changed =
            plan.planned.attribute("firmware_sha256") != plan.prior.attribute("firmware_sha256");
        let unchecked = plan.private.get(UNCHECKED).is_some()
            && plan.planned.attribute("boot_check").as_bool() == Some(true);
        if changed || unchecked {
            plan.planned.set("last_boot", Value::Unknown);
        }
    }

    async fn create(&self, apply: &mut Apply) {
        self.bring_about(apply).await;
    }

    async fn update(&self, apply: &mut Apply) {
        self.bring_about(apply).await;
    }

    async fn read(&self, read: &mut Read) {
        let Some(slot) = slot(&read.state) else {
            return;
        };
        if !self.0.is_known() {
            return;
        }
        let Some(board) = self.0.board(&mut read.diagnostics) else {
            return;
        };
        match board.power().await {
            Ok(power) => {
                if let Some(on) = power.of(slot) {
                    read.state.set("power_state", if on { "on" } else { "off" });
                }
            }
            Err(e) if e.is_unreachable() => read.diagnostics.warning(
                format!("The power of slot {slot} is not known"),
                format!(
                    "{} The plan goes by what was known before.",
                    crate::report::detail(&e)
                ),
            ),
            Err(e) => crate::report::error(&mut read.diagnostics, "Power cannot be read", &e),
        }
    }

    async fn delete(&self, _apply: &mut Apply) {}

    async fn import(&self, import: &mut Import) {
        let (Some(slot), Some(board)) = (
            imported_slot(import, "node-"),
            self.0.board(&mut import.diagnostics),
        ) else {
            return;
        };
        match board.power().await {
            Ok(power) => {
                import.state = Self::imported(slot, power.of(slot) == Some(true));
                import.diagnostics.warning(
                    "What is on the module is not known",
                    "An eMMC cannot be read through the BMC. If the configuration names an image, the next apply writes it.",
                );
            }
            Err(e) => crate::report::error(&mut import.diagnostics, "Power cannot be read", &e),
        }
    }

    async fn move_state(&self, from: &mut Move) {
        super::moved::take_over(from, "turingpi_node", &self.schema());
    }
}
