// SPDX-License-Identifier: Apache-2.0
//! `turingpi_flash`: an image on a module's eMMC, known by its contents.

use std::path::PathBuf;
use std::time::Duration;

use tfplugin::validator::{self, Rule};
use tfplugin::{
    Apply, Attribute, Block, Diagnostics, Import, Move, Path, Plan, Read, Resource, Schema, Type,
    Value, async_trait,
};
use turingpi_bmc::flash::Source;

use crate::attribute::{self, slot};
use crate::boot::{self, Boot};
use crate::image;
use crate::session::Session;

pub(crate) struct Flash(pub(crate) Session);

/// How long writing may take.
const CREATE: Duration = Duration::from_secs(30 * 60);

/// Where the image of a value comes from.
fn source(value: &Value) -> Option<Source> {
    let text = |name: &str| value.attribute(name).as_str().map(str::to_owned);
    if let Some(path) = text("firmware_file") {
        return Some(Source::File(PathBuf::from(path)));
    }
    text("bmc_file")
        .map(Source::OnBmc)
        .or_else(|| text("url").map(Source::Url))
}

#[async_trait]
impl Resource for Flash {
    fn schema(&self) -> Schema {
        let text = || Attribute::optional(Type::String).check(validator::not_empty());
        Schema::new(
            Block::new(
                "An image on the eMMC of a module. It is written again when its contents change, wherever the file lies. \
                 A flashed module is off unless `boot_check_pattern` says what to wait for. Destroying it leaves the eMMC as it is.",
            )
            .attribute("node", attribute::node().replaces())
            .attribute(
                "firmware_file",
                text().describe("Image on this machine, plain or `.xz`; sent to the board."),
            )
            .attribute(
                "bmc_file",
                text()
                    .replaces()
                    .describe("Image on the BMC, such as `/mnt/sdcard/image.img`."),
            )
            .attribute(
                "url",
                text()
                    .replaces()
                    .describe("Address from which the BMC fetches the image (firmware 2.1.0 and newer).")
                    .check(validator::matches("https?://.+", "an address of http or https")),
            )
            .attribute(
                "sha256",
                text()
                    .describe("SHA-256 that the image must have, as it is sent.")
                    .check(validator::matches("[0-9a-fA-F]{64}", "64 hexadecimal digits")),
            )
            .attribute(
                "skip_crc",
                Attribute::optional(Type::Bool)
                    .default(false)
                    .describe("Do not read back what was written."),
            )
            .attribute(
                "force",
                Attribute::optional(Type::Bool)
                    .default(false)
                    .describe("End a transfer of another client that is under way."),
            )
            .attribute(
                "boot_check_pattern",
                text()
                    .check(validator::regular_expression())
                    .describe("Switch the module on afterwards and wait until its serial output matches this regular expression."),
            )
            .attribute(
                "boot_check_timeout",
                Attribute::optional(Type::Number)
                    .default(180)
                    .check(validator::between(1, 3600))
                    .describe("Seconds to wait for it."),
            )
            .attribute(
                "firmware_sha256",
                Attribute::computed(Type::String)
                    .describe("SHA-256 of what was written; null for an image that the BMC had or fetched without a sum."),
            )
            .attribute("id", attribute::id("flash-node-N"))
            .block("timeouts", attribute::timeouts(&[("create", "30m")]))
            .rule(Rule::ExactlyOne(&["firmware_file", "bmc_file", "url"])),
        )
    }

    async fn validate(&self, config: &Value, diagnostics: &mut Diagnostics) {
        if !config.attribute("sha256").is_null() && config.attribute("bmc_file").as_str().is_some()
        {
            diagnostics.error_at(
                &Path::of("sha256"),
                "The sum would not be checked",
                "The BMC does not check the sum of a file of its own.",
            );
        }
    }

    async fn plan(&self, plan: &mut Plan) {
        if plan.is_delete() {
            return;
        }
        if plan.planned.attribute("firmware_file").is_null() {
            let given = match plan.planned.attribute("sha256") {
                Value::String(sum) => Value::from(sum.to_ascii_lowercase()),
                other => other.clone(),
            };
            plan.planned.set("firmware_sha256", given);
        } else {
            image::plan_sum(
                "firmware_file",
                &mut plan.planned,
                &mut plan.private,
                &mut plan.diagnostics,
            )
            .await;
        }
        if plan.is_create() {
            return;
        }
        // a file that is not there any more, under the name under which it was written, is no new image
        let same_name =
            plan.planned.attribute("firmware_file") == plan.prior.attribute("firmware_file");
        if plan.planned.attribute("firmware_sha256").is_unknown() && same_name {
            let kept = plan.prior.attribute("firmware_sha256").clone();
            plan.planned.set("firmware_sha256", kept);
        }
        let (before, after) = (
            plan.prior.attribute("firmware_sha256"),
            plan.planned.attribute("firmware_sha256"),
        );
        // a state of the predecessor knows the path alone: what lies there now is taken for what was written
        let adopted =
            before.is_null() && same_name && !plan.prior.attribute("firmware_file").is_null();
        if before != after && !adopted {
            plan.requires_replace.push(Path::of("firmware_sha256"));
        }
    }

    async fn create(&self, apply: &mut Apply) {
        let (Some(slot), Some(board), Some(source)) = (
            slot(&apply.planned),
            self.0.board(&mut apply.diagnostics),
            source(&apply.planned),
        ) else {
            return;
        };
        let planned = apply.planned.clone();
        let flash = turingpi_bmc::flash::Flash {
            slot: Some(slot),
            source,
            sha256: promised(&planned),
            skip_crc: planned.attribute("skip_crc").as_bool().unwrap_or(false),
            force: planned.attribute("force").as_bool().unwrap_or(false),
        };
        let within = attribute::timeout(&planned, "create", CREATE);
        let sum = match image::write(&board, &flash, within, &apply.cancel, |_| {}).await {
            Ok(sum) => sum,
            Err(e) => {
                let what = format!("The image was not written to slot {slot}");
                image::failed(apply, &what, &e);
                return;
            }
        };
        let mut state = planned.clone();
        state.set("id", format!("flash-node-{slot}"));
        state.set("firmware_sha256", sum.clone());
        apply.state = state;
        let Some(pattern) = planned.attribute("boot_check_pattern").as_str() else {
            return;
        };
        let seconds = planned
            .attribute("boot_check_timeout")
            .as_i64()
            .unwrap_or(180);
        let within = Duration::from_secs(u64::try_from(seconds).unwrap_or(180));
        let result = boot::check(&board, slot, pattern, within, &apply.cancel).await;
        told(&mut apply.diagnostics, slot, pattern, within, result);
    }

    async fn read(&self, _read: &mut Read) {
        // an eMMC cannot be read through the BMC: what was written last is what is known
    }

    async fn update(&self, apply: &mut Apply) {
        // all that would write is a replacement; the rest is for the next time
        apply.state = apply.planned.clone();
        let kept = apply.prior.attribute("firmware_sha256").clone();
        if apply.state.attribute("firmware_sha256").is_unknown() {
            apply.state.set("firmware_sha256", kept);
        }
    }

    async fn delete(&self, _apply: &mut Apply) {}

    async fn import(&self, import: &mut Import) {
        let id = import.id.trim().to_owned();
        let number = id.strip_prefix("flash-node-").or(id.strip_prefix("flash-"));
        let number = number.unwrap_or(&id);
        let slot: turingpi_bmc::Slot = match number.parse() {
            Ok(slot) => slot,
            Err(_) => {
                import.diagnostics.error(
                    "No such slot",
                    format!(
                        "{id:?} is no ID for this resource: give the slot, 1 to 4, or flash-node-N."
                    ),
                );
                return;
            }
        };
        import.state = Value::object([
            ("node", attribute::number(slot)),
            ("skip_crc", false.into()),
            ("force", false.into()),
            ("boot_check_timeout", 180.into()),
            ("id", Value::from(format!("flash-node-{slot}"))),
        ]);
        import.diagnostics.warning(
            "What is on the module is not known",
            "An eMMC cannot be read through the BMC. The next apply writes the configured image.",
        );
    }

    async fn move_state(&self, from: &mut Move) {
        super::moved::take_over(from, "turingpi_flash", &self.schema());
    }
}

/// The sum that must be written: the configured one, or that of the file when it was planned.
fn promised(planned: &Value) -> Option<String> {
    let text = |name: &str| planned.attribute(name).as_str().map(str::to_owned);
    let of_file = || {
        text("firmware_file")?;
        text("firmware_sha256")
    };
    text("sha256").or_else(of_file)
}

/// Tells what became of a boot check.
pub(super) fn told(
    diagnostics: &mut Diagnostics,
    slot: turingpi_bmc::Slot,
    pattern: &str,
    within: Duration,
    result: turingpi_bmc::Result<Boot>,
) {
    match result {
        Ok(Boot::Up) => {}
        Ok(Boot::Stopped) => {
            diagnostics.error("Stopped", "The boot check was ended before its time.")
        }
        Ok(Boot::NotSeen(last)) => {
            let last = if last.is_empty() {
                "It said nothing.".to_owned()
            } else {
                format!("Its last lines:\n\n{last}")
            };
            diagnostics.error(
                format!("The module in slot {slot} did not come up"),
                format!(
                    "Nothing that matches {pattern:?} came on its serial port within {} s. {last}",
                    within.as_secs()
                ),
            );
        }
        Err(e) => {
            let what = format!("The module in slot {slot} was not checked");
            crate::report::error(diagnostics, &what, &e);
        }
    }
}
