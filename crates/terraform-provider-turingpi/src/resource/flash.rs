// SPDX-License-Identifier: Apache-2.0
//! `turingpi_flash`: an image on a module's eMMC, known by its contents.

use std::path::PathBuf;
use std::time::Duration;

use tfplugin::validator::{self, Rule};
use tfplugin::{
    Apply, Attribute, Block, Diagnostics, Identity, Import, Move, Path, Plan, Read, Resource,
    Schema, Type, Value, async_trait,
};
use turingpi_bmc::flash::Source;

use super::predecessor;
use crate::attribute::{self, slot};
use crate::boot;
use crate::image::{self, Planned};
use crate::session::Session;

pub(crate) struct Flash(pub(crate) Session);

/// How long writing may take.
const CREATE: Duration = Duration::from_secs(30 * 60);
/// How long a module may take to come up, in seconds.
const BOOT: i64 = 180;

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
        predecessor::schema(
            Block::new(
                "An image on the eMMC of a module. It is written again when its contents change, wherever the file lies. \
                 A flashed module is off unless `boot_check_pattern` says what to wait for. Destroying it leaves the eMMC as it is.",
            )
            .attribute("node", attribute::node().replaces())
            .attribute("firmware_file", image::file())
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
                    .check(validator::matches("https?://[^/@]+(/.*)?", "an address of http or https, with no login in it")),
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
                boot::pattern("Switch the module on afterwards and wait until its serial output matches this regular expression."),
            )
            .attribute("boot_check_timeout", boot::seconds(BOOT))
            .attribute(
                "firmware_sha256",
                image::sum_attribute("; null for an image that the BMC had or fetched without a sum"),
            )
            .attribute("id", attribute::id("flash-node-N"))
            .block("timeouts", attribute::timeouts(&[("create", "30m")]))
            .rule(Rule::ExactlyOne(&["firmware_file", "bmc_file", "url"])),
        )
    }

    fn identity(&self) -> Option<Identity> {
        Some(attribute::slot_identity())
    }

    fn identity_of(&self, state: &Value) -> Value {
        attribute::slot_identity_of(state)
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
        let given = match plan.planned.attribute("sha256") {
            Value::String(sum) => Value::from(sum.to_ascii_lowercase()),
            other => other.clone(),
        };
        let planned = image::plan(plan, given).await;
        image::check_sum(plan);
        match planned {
            Planned::Adopted => {
                let slot = Path::of("node");
                plan.requires_replace.retain(|path| *path == slot);
            }
            Planned::Written if !plan.is_create() => {
                plan.requires_replace.push(Path::of("firmware_sha256"));
            }
            _ => {}
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
        image::is_broken(&mut apply.private, false);
        let Some(pattern) = planned.attribute("boot_check_pattern").as_str() else {
            return;
        };
        let within = boot::within(&planned, "boot_check_timeout", BOOT.unsigned_abs());
        let result = boot::check(&board, slot, pattern, within, &apply.cancel).await;
        boot::told(&mut apply.diagnostics, slot, pattern, within, &result);
    }

    async fn read(&self, _read: &mut Read) {
        // an eMMC cannot be read through the BMC: what was written last is what is known
    }

    async fn update(&self, apply: &mut Apply) {
        // all that would write is a replacement; the rest is for the next time
        apply.state = apply.planned.clone();
        image::is_broken(&mut apply.private, false);
        let kept = apply.prior.attribute("firmware_sha256").clone();
        if apply.state.attribute("firmware_sha256").is_unknown() {
            apply.state.set("firmware_sha256", kept);
        }
    }

    async fn delete(&self, _apply: &mut Apply) {}

    async fn import(&self, import: &mut Import) {
        let Some(slot) = attribute::imported_slot(import, &["flash-node-", "flash-"]) else {
            return;
        };
        image::imported(&mut import.private);
        import.state = Value::object([
            ("node", attribute::number(slot)),
            ("skip_crc", false.into()),
            ("force", false.into()),
            ("boot_check_timeout", BOOT.into()),
            ("id", Value::from(format!("flash-node-{slot}"))),
        ]);
        import.diagnostics.warning(
            "What is on the module is not known",
            "An eMMC cannot be read through the BMC. The next apply takes the configured image for what is on it, and writes nothing; \
             -replace writes it.",
        );
    }

    fn upgrade(
        &self,
        _version: i64,
        state: serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        Ok(predecessor::upgrade(state, &self.schema()))
    }

    async fn move_state(&self, from: &mut Move) {
        predecessor::take_over(from, "turingpi_flash", &self.schema());
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
