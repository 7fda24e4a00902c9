// SPDX-License-Identifier: Apache-2.0
//! `turingpi_power`: the power of a slot.

use std::sync::Arc;

use tfplugin::{
    Apply, Attribute, Block, Identity, Import, Move, Plan, Read, Resource, Schema, Type, Value,
    async_trait, validator,
};

use turingpi_bmc::Error;

use super::predecessor;
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
        // another change of the resource is no wish to switch, nor for another pulse of the reset line
        if apply.prior.attribute("state").as_str() == Some(&wanted) {
            apply.state = apply.planned.clone();
            return;
        }
        let switching = async {
            board.set_power(slot, wanted != "off").await?;
            if wanted == "reset" {
                board.once_up(board.bmc.reset(slot)).await?;
            }
            Ok::<_, Arc<Error>>(())
        };
        let what = format!("Slot {slot} was not switched");
        // a transfer into the slot, of whomever, is waited for
        let Some(result) = apply.cancel.run(switching).await else {
            crate::report::stopped(&mut apply.diagnostics, &what);
            return;
        };
        match result {
            Ok(()) => {
                apply.state = Self::state(slot, &wanted, Some(wanted != "off"), &on_destroy);
            }
            Err(e) => crate::report::error(&mut apply.diagnostics, &what, &e),
        }
    }
}

#[async_trait]
impl Resource for Power {
    fn schema(&self) -> Schema {
        predecessor::schema(
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

    async fn plan(&self, plan: &mut Plan) {
        let same = plan.planned.attribute("state") == plan.prior.attribute("state");
        if !plan.is_create() && !plan.is_delete() && same {
            let kept = plan.prior.attribute("current_state").clone();
            plan.planned.set("current_state", kept);
        }
    }

    async fn create(&self, apply: &mut Apply) {
        self.write(apply).await;
    }

    async fn update(&self, apply: &mut Apply) {
        self.write(apply).await;
    }

    async fn read(&self, read: &mut Read) {
        let Some(on) = read_power(&self.0, read).await else {
            return;
        };
        read.state.set("current_state", on);
        let told = read.state.attribute("state").as_str().unwrap_or("on");
        match on {
            Some(true) if told == "off" => read.state.set("state", "on"),
            Some(false) if told != "off" => read.state.set("state", "off"),
            _ => {}
        }
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
            imported_slot(import, &["power-node-"]),
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

    fn upgrade(
        &self,
        _version: i64,
        state: serde_json::Value,
    ) -> Result<serde_json::Value, String> {
        Ok(predecessor::upgrade(state, &self.schema()))
    }

    async fn move_state(&self, from: &mut Move) {
        predecessor::take_over(from, "turingpi_power", &self.schema());
    }
}

/// Whether the slot of a state is on, where the board can be asked; it stays as it was known where it cannot, with a warning.
pub(super) async fn read_power(session: &Session, read: &mut Read) -> Option<Option<bool>> {
    let slot = slot(&read.state)?;
    let board = session
        .is_known()
        .then(|| session.board(&mut read.diagnostics));
    match board??.power().await {
        Ok(power) => Some(power.of(slot)),
        Err(e) => {
            let what = format!("The power of slot {slot}");
            crate::report::unread(&mut read.diagnostics, &what, &e);
            None
        }
    }
}
