// SPDX-License-Identifier: Apache-2.0
//! `turingpi_usb`: the USB switch, of which a board has one.

use tfplugin::{
    Apply, Attribute, Block, Import, Move, Read, Resource, Schema, Type, Value, async_trait,
    validator,
};
use turingpi_bmc::model::{UsbMode, UsbRoute};

use super::predecessor;
use crate::attribute::{self, imported_slot, number, slot};
use crate::session::Session;

pub(crate) struct Usb(pub(crate) Session);

fn state(usb: &turingpi_bmc::model::Usb) -> Value {
    Value::object([
        ("node", number(usb.slot)),
        ("mode", Value::from(usb.mode.name())),
        ("route", Value::from(usb.route.name())),
        ("current_node", number(usb.slot)),
        ("current_mode", Value::from(usb.mode.name())),
        ("current_route", Value::from(usb.route.name())),
        ("id", Value::from(format!("usb-node-{}", usb.slot))),
    ])
}

impl Usb {
    async fn write(&self, apply: &mut Apply) {
        let (Some(slot), Some(board)) =
            (slot(&apply.planned), self.0.board(&mut apply.diagnostics))
        else {
            return;
        };
        let text = |name: &str| apply.planned.attribute(name).as_str().unwrap_or_default();
        let (mode, route) = match (
            text("mode").parse::<UsbMode>(),
            text("route").parse::<UsbRoute>(),
        ) {
            (Ok(mode), Ok(route)) => (mode, route),
            (Err(e), _) | (_, Err(e)) => {
                crate::report::error(&mut apply.diagnostics, "The USB switch was not set", &e);
                return;
            }
        };
        let setting = board.once_up(board.bmc.set_usb(slot, mode, route));
        let result = apply.cancel.run(setting).await;
        board.forget().await;
        let Some(result) = result else {
            crate::report::stopped(&mut apply.diagnostics, "The USB switch was not set");
            return;
        };
        match result {
            Ok(()) => {
                apply.state = state(&turingpi_bmc::model::Usb {
                    mode,
                    slot,
                    route,
                    bus_type: None,
                });
            }
            Err(e) => {
                crate::report::error(&mut apply.diagnostics, "The USB switch was not set", &e)
            }
        }
    }
}

#[async_trait]
impl Resource for Usb {
    fn schema(&self) -> Schema {
        let current = |what: &str| Attribute::computed(Type::String).describe(what);
        predecessor::schema(
            Block::new(
                "The USB switch of the board. There is one: two resources of this type would fight. Destroying it leaves the switch as it is.",
            )
            .attribute("node", attribute::node())
            .attribute(
                "mode",
                Attribute::required(Type::String)
                    .describe("What the module is on the bus: `host`, `device`, or `flash` (a device in recovery).")
                    .check(validator::one_of(&["host", "device", "flash"])),
            )
            .attribute(
                "route",
                Attribute::optional(Type::String)
                    .describe("Where the other end is: the `usb-a` connector, or the `bmc`.")
                    .default("usb-a")
                    .check(validator::one_of(&["usb-a", "bmc"])),
            )
            .attribute(
                "current_node",
                Attribute::computed(Type::Number).describe("The slot that is connected."),
            )
            .attribute("current_mode", current("What it is on the bus."))
            .attribute("current_route", current("Where the other end is."))
            // follows the slot
            .attribute("id", Attribute::computed(Type::String).describe("`usb-node-N`.")),
        )
    }

    async fn create(&self, apply: &mut Apply) {
        self.write(apply).await;
    }

    async fn update(&self, apply: &mut Apply) {
        self.write(apply).await;
    }

    async fn read(&self, read: &mut Read) {
        if !self.0.is_known() {
            return;
        }
        let Some(board) = self.0.board(&mut read.diagnostics) else {
            return;
        };
        match board.usb().await {
            Ok(usb) => read.state = state(&usb),
            Err(e) => crate::report::unread(&mut read.diagnostics, "The USB switch", &e),
        }
    }

    async fn delete(&self, _apply: &mut Apply) {}

    async fn import(&self, import: &mut Import) {
        let (Some(slot), Some(board)) = (
            imported_slot(import, &["usb-node-"]),
            self.0.board(&mut import.diagnostics),
        ) else {
            return;
        };
        match board.usb().await {
            Ok(usb) if usb.slot == slot => import.state = state(&usb),
            Ok(usb) => import.diagnostics.error(
                format!("Slot {slot} is not connected"),
                format!("The USB switch connects slot {}; import that one, or leave the import out and let it be set.", usb.slot),
            ),
            Err(e) => crate::report::error(&mut import.diagnostics, "The USB switch cannot be read", &e),
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
        predecessor::take_over(from, "turingpi_usb", &self.schema());
    }
}
