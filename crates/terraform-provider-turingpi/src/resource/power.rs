// SPDX-License-Identifier: Apache-2.0
//! `turingpi_power`: the power of a slot.

use tfplugin::{
    Apply, Attribute, Block, Diagnostics, Identity, Import, Move, Read, Resource, Schema, Type,
    Value, async_trait, validator,
};

use crate::attribute::{self, imported_slot, number, slot};
use crate::session::Session;

pub(crate) struct Power(pub(crate) Session);

impl Power {
    pub(crate) fn state(
        slot: turingpi_bmc::Slot,
        state: &str,
        on: Option<bool>,
        on_destroy: &str,
    ) -> Value {
        Value::object([
            ("node", number(slot)),
            ("state", Value::from(state)),
            ("on_destroy", Value::from(on_destroy)),
            ("current_state", Value::from(on)),
            ("id", Value::from(format!("power-node-{slot}"))),
        ])
    }

    async fn write(&self, apply: &mut Apply) {
        let (Some(slot), Some(board)) =
            (slot(&apply.planned), self.0.board(&mut apply.diagnostics))
        else {
            return;
        };
        let wanted = apply
            .planned
            .attribute("state")
            .as_str()
            .unwrap_or("on")
            .to_owned();
        let on_destroy = apply
            .planned
            .attribute("on_destroy")
            .as_str()
            .unwrap_or("leave")
            .to_owned();
        let mut result = board.set_power(slot, wanted != "off").await;
        // once, when it is set: another change of the resource is no wish for another pulse
        let is_new = apply.prior.attribute("state").as_str() != Some("reset");
        if result.is_ok() && wanted == "reset" && is_new {
            result = board.bmc.reset(slot).await;
        }
        match result {
            Ok(()) => {
                apply.state = Self::state(slot, &wanted, Some(wanted != "off"), &on_destroy);
            }
            Err(e) => {
                let what = format!("Slot {slot} was not switched");
                crate::report::error(&mut apply.diagnostics, &what, &e);
            }
        }
    }
}

#[async_trait]
impl Resource for Power {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("The power of a slot. What is switched behind Terraform's back is seen and put right.")
                .attribute("node", attribute::node().replaces())
                .attribute(
                    "state",
                    Attribute::required(Type::String)
                        .describe(
                            "`on` or `off`. `reset` is `on` with a pulse of the reset line when it is set; \
                             the action `turingpi_reset` is the better way where there are actions.",
                        )
                        .check(validator::one_of(&["on", "off", "reset"])),
                )
                .attribute(
                    "on_destroy",
                    Attribute::optional(Type::String)
                        .describe("What destroying it does to the slot: `leave` it as it is, or switch it `off`.")
                        .default("leave")
                        .check(validator::one_of(&["leave", "off"])),
                )
                .attribute(
                    "current_state",
                    Attribute::computed(Type::Bool).describe("Whether the slot is on; null when the BMC cannot tell."),
                )
                .attribute("id", attribute::id("power-node-N")),
        )
    }

    fn identity(&self) -> Option<Identity> {
        Some(attribute::slot_identity())
    }

    fn identity_of(&self, state: &Value) -> Value {
        attribute::slot_identity_of(state)
    }

    async fn create(&self, apply: &mut Apply) {
        self.write(apply).await;
    }

    async fn update(&self, apply: &mut Apply) {
        self.write(apply).await;
    }

    async fn read(&self, read: &mut Read) {
        read_power(&self.0, &mut read.state, &mut read.diagnostics).await;
    }

    async fn delete(&self, apply: &mut Apply) {
        if apply.prior.attribute("on_destroy").as_str() != Some("off") {
            return;
        }
        let (Some(slot), Some(board)) = (slot(&apply.prior), self.0.board(&mut apply.diagnostics))
        else {
            return;
        };
        if let Err(e) = board.set_power(slot, false).await {
            let what = format!("Slot {slot} was not switched off");
            crate::report::error(&mut apply.diagnostics, &what, &e);
        }
    }

    async fn import(&self, import: &mut Import) {
        let (Some(slot), Some(board)) = (
            imported_slot(import, "power-node-"),
            self.0.board(&mut import.diagnostics),
        ) else {
            return;
        };
        match board.power().await {
            Ok(power) => {
                let on = power.of(slot);
                let state = if on == Some(false) { "off" } else { "on" };
                import.state = Self::state(slot, state, on, "leave");
            }
            Err(e) => crate::report::error(&mut import.diagnostics, "Power cannot be read", &e),
        }
    }

    async fn move_state(&self, from: &mut Move) {
        super::moved::take_over(from, "turingpi_power", &self.schema());
    }
}

/// Brings `state` and `current_state` to what the board says. What cannot be reached stays as it was, with a warning.
async fn read_power(session: &Session, state: &mut Value, diagnostics: &mut Diagnostics) {
    let Some(slot) = slot(state) else { return };
    if !session.is_known() {
        return;
    }
    let Some(board) = session.board(diagnostics) else {
        return;
    };
    match board.power().await {
        Ok(power) => {
            let on = power.of(slot);
            state.set("current_state", on);
            let told = state.attribute("state").as_str().unwrap_or("on").to_owned();
            match on {
                Some(true) if told == "off" => state.set("state", "on"),
                Some(false) if told != "off" => state.set("state", "off"),
                _ => {}
            }
        }
        Err(e) if e.is_unreachable() => diagnostics.warning(
            format!("The power of slot {slot} is not known"),
            format!(
                "{} The plan goes by what was known before.",
                crate::report::detail(&e)
            ),
        ),
        Err(e) => crate::report::error(diagnostics, "Power cannot be read", &e),
    }
}
