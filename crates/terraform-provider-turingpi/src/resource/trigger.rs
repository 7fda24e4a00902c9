// SPDX-License-Identifier: Apache-2.0
//! Things that happen once, as resources: for hosts that have no actions. They happen when they are created and when what they hold
//! changes; the time of the last one is their result, so that the next plan is empty.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tfplugin::validator::Rule;
use tfplugin::{
    Apply, Attribute, Block, Cancel, Import, Move, Plan, Private, Read, Resource, Schema, Type,
    Value, async_trait, validator,
};
use turingpi_bmc::Slot;
use turingpi_bmc::flash::Source;

use super::predecessor;
use crate::attribute;
use crate::session::{Board, Result, Session};

/// Under which name the private state keeps that the resource was imported: it has happened.
const IMPORTED: &str = "imported";

/// How long after its answer a board has dropped its connections.
const DROP: Duration = Duration::from_secs(2);

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NetworkReset,
    BmcFirmware,
    Uart,
    BmcReboot,
    BmcReload,
    UsbBoot,
    ClearUsbBoot,
    NodeToMsd,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[
        Self::NetworkReset,
        Self::BmcFirmware,
        Self::Uart,
        Self::BmcReboot,
        Self::BmcReload,
        Self::UsbBoot,
        Self::ClearUsbBoot,
        Self::NodeToMsd,
    ];

    pub(crate) fn type_name(self) -> &'static str {
        match self {
            Self::NetworkReset => "turingpi_network_reset",
            Self::BmcFirmware => "turingpi_bmc_firmware",
            Self::Uart => "turingpi_uart",
            Self::BmcReboot => "turingpi_bmc_reboot",
            Self::BmcReload => "turingpi_bmc_reload",
            Self::UsbBoot => "turingpi_usb_boot",
            Self::ClearUsbBoot => "turingpi_clear_usb_boot",
            Self::NodeToMsd => "turingpi_node_to_msd",
        }
    }

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::NetworkReset => "Takes the network of the board down and up again.",
            Self::BmcFirmware => {
                "Writes a firmware to the BMC. It runs after the next restart of the BMC (`turingpi_bmc_reboot`)."
            }
            Self::Uart => "Types a line on the serial port of a module.",
            Self::BmcReboot => "Restarts the BMC. All modules lose power.",
            Self::BmcReload => "Restarts the BMC's daemon. Modules run on.",
            Self::UsbBoot => {
                "Holds the recovery pin of a module for its next start. Destroying it lets the pins of all modules go."
            }
            Self::ClearUsbBoot => {
                "Lets the recovery pins of all modules go: the BMC knows no single one."
            }
            Self::NodeToMsd => {
                "Starts a module as a mass storage device; it is power-cycled on the way."
            }
        }
    }

    /// The computed attribute that says when it happened last.
    fn last(self) -> (&'static str, &'static str) {
        match self {
            Self::NetworkReset => ("last_reset", "it was reset last"),
            Self::BmcFirmware => ("last_upgrade", "it was written last"),
            Self::Uart => ("last_sent", "it was sent last"),
            Self::BmcReboot => ("last_reboot", "it was restarted last"),
            Self::BmcReload => ("last_reload", "it was restarted last"),
            Self::UsbBoot => ("last_enabled", "it was held last"),
            Self::ClearUsbBoot => ("last_cleared", "they were let go last"),
            Self::NodeToMsd => ("last_triggered", "it was started so last"),
        }
    }

    fn has_node(self) -> bool {
        matches!(
            self,
            Self::Uart | Self::UsbBoot | Self::ClearUsbBoot | Self::NodeToMsd
        )
    }

    /// What the ID of the state begins with, or is.
    fn id(self) -> &'static str {
        match self {
            Self::NetworkReset => "network-reset",
            Self::BmcFirmware => "bmc-firmware",
            Self::Uart => "uart-write-node-",
            Self::BmcReboot => "bmc-reboot",
            Self::BmcReload => "bmc-reload",
            Self::UsbBoot => "usb-boot-node-",
            Self::ClearUsbBoot => "clear-usb-boot-node-",
            Self::NodeToMsd => "node-to-msd-",
        }
    }

    fn id_of(self, slot: Option<Slot>) -> String {
        slot.map_or_else(
            || self.id().to_owned(),
            |slot| format!("{}{slot}", self.id()),
        )
    }

    /// What it takes beside slot and triggers, as the action takes it too.
    pub(crate) fn arguments(self, block: Block) -> Block {
        let wait = |usual: i64| {
            [
                (
                    "wait_for_ready",
                    Attribute::optional(Type::Bool)
                        .default(true)
                        .describe("Wait until it takes a new login."),
                ),
                (
                    "ready_timeout",
                    Attribute::optional(Type::Number)
                        .default(usual)
                        .check(validator::between(1, attribute::LONGEST))
                        .describe("Seconds to wait for it."),
                ),
            ]
        };
        let arguments: Vec<(&str, Attribute)> = match self {
            Self::BmcReboot => wait(120).into(),
            Self::BmcReload => wait(30).into(),
            Self::Uart => vec![(
                "command",
                Attribute::required(Type::String).describe("The line, without its end."),
            )],
            Self::BmcFirmware => vec![
                (
                    "firmware_file",
                    Attribute::required(Type::String)
                        .check(validator::not_empty())
                        .describe("Firmware on this machine, or on the BMC with `bmc_local`."),
                ),
                (
                    "bmc_local",
                    Attribute::optional(Type::Bool)
                        .default(false)
                        .describe("The file is on the BMC."),
                ),
                (
                    "timeout",
                    Attribute::optional(Type::Number)
                        .default(300)
                        .check(validator::between(1, attribute::LONGEST))
                        .describe("Seconds that it may take."),
                ),
            ],
            _ => Vec::new(),
        };
        let block = if self.has_node() {
            block.attribute("node", attribute::node())
        } else {
            block
        };
        arguments
            .into_iter()
            .fold(block, |block, (name, attribute)| {
                block.attribute(name, attribute)
            })
    }

    /// Makes it happen.
    pub(crate) async fn happen(
        self,
        board: &Board,
        arguments: &Value,
        cancel: &Cancel,
        on_progress: impl FnMut(&str),
    ) -> Result<()> {
        let bmc = &board.bmc;
        let slot = attribute::slot(arguments).unwrap_or(Slot::ALL[0]);
        let seconds = |name: &str, usual: u64| {
            let told = arguments.attribute(name).as_i64();
            Duration::from_secs(told.and_then(|n| u64::try_from(n).ok()).unwrap_or(usual))
        };
        let text = |name: &str| arguments.attribute(name).as_str().unwrap_or_default();
        let wait = arguments.attribute("wait_for_ready").as_bool() != Some(false);
        let restarts = matches!(self, Self::NetworkReset | Self::BmcReboot | Self::BmcReload);
        // what others do to the board in this run is not cut off by its restart, nor does it meet a daemon that is not there
        let _alone = match restarts {
            true => Some(board.alone().await),
            false => None,
        };
        // writing a firmware waits by itself, as writing any image does
        let _up = match restarts || self == Self::BmcFirmware {
            true => None,
            false => Some(board.up().await),
        };
        let result = match self {
            Self::NetworkReset => {
                bmc.reset_network().await?;
                // the network goes a second after the answer; what comes next needs it again
                tokio::time::sleep(DROP).await;
                bmc.power().await.map(drop)
            }
            Self::Uart => bmc.uart_send(slot, text("command")).await,
            Self::UsbBoot => bmc.usb_boot(slot).await,
            Self::ClearUsbBoot => bmc.clear_usb_boot().await,
            Self::NodeToMsd => bmc.node_to_msd(slot).await,
            Self::BmcReboot | Self::BmcReload => {
                let usual = if self == Self::BmcReboot {
                    bmc.reboot(false).await?;
                    120
                } else {
                    bmc.reload().await?;
                    30
                };
                if wait {
                    let ready = bmc.wait_ready(seconds("ready_timeout", usual));
                    cancel.run(ready).await.unwrap_or(Ok(()))
                } else {
                    Ok(())
                }
            }
            Self::BmcFirmware => {
                let file = text("firmware_file").to_owned();
                let source = if arguments.attribute("bmc_local").as_bool() == Some(true) {
                    Source::OnBmc(file)
                } else {
                    Source::File(PathBuf::from(file))
                };
                let flash = turingpi_bmc::flash::Flash::firmware(source);
                let within = seconds("timeout", 300);
                crate::image::write(board, &flash, within, cancel, on_progress)
                    .await
                    .map(drop)
            }
        };
        board.forget().await;
        Ok(result?)
    }
}

/// `command`, or the same where no state keeps it.
fn secret_command(mut block: Block) -> Block {
    for (name, attribute) in &mut block.attributes {
        if name == "command" {
            attribute.required = false;
            attribute.optional = true;
        }
    }
    block
        .attribute(
            "command_wo",
            Attribute::optional(Type::String)
                .write_only()
                .sensitive()
                .describe("The same for what no plan and no state must hold, such as a password. Needs Terraform 1.11 or OpenTofu 1.11."),
        )
        .attribute(
            "command_wo_version",
            Attribute::optional(Type::Number)
                .describe("Change it to have `command_wo` sent again: it cannot be seen to change."),
        )
        .rule(Rule::ExactlyOne(&["command", "command_wo"]))
        .rule(Rule::RequiredWith(&["command_wo_version", "command_wo"]))
}

/// Whether a change makes it happen again. Another time limit is no reason, nor is it that what an import did not know becomes known.
fn fires(prior: &Value, planned: &Value, private: &Private) -> bool {
    const CAUSES: [&str; 6] = [
        "triggers",
        "node",
        "command",
        "command_wo_version",
        "firmware_file",
        "bmc_local",
    ];
    let imported = private.get(IMPORTED).is_some();
    CAUSES.iter().any(|name| {
        let (before, after) = (prior.attribute(name), planned.attribute(name));
        let nothing =
            |value: &Value| value.is_null() || value.as_map().is_some_and(BTreeMap::is_empty);
        // no triggers are no triggers, however it is written
        let same = before == after || nothing(before) && nothing(after);
        !(same || imported && before.is_null())
    })
}

/// Something that happens, as a resource.
pub(crate) struct Trigger {
    kind: Kind,
    session: Session,
}

impl Trigger {
    pub(crate) fn new(kind: Kind, session: Session) -> Self {
        Self { kind, session }
    }

    async fn fire(&self, apply: &mut Apply) {
        let Some(board) = self.session.board(&mut apply.diagnostics) else {
            return;
        };
        let mut state = apply.planned.clone();
        let slot = self
            .kind
            .has_node()
            .then(|| attribute::slot(&apply.planned))
            .flatten();
        if self.kind == Kind::BmcFirmware {
            let version = match board.once_up(board.bmc.about()).await {
                Ok(about) => about.firmware_version,
                Err(e) => {
                    crate::report::error(
                        &mut apply.diagnostics,
                        "The firmware was not written",
                        &e,
                    );
                    return;
                }
            };
            state.set("previous_version", version);
        }
        let mut arguments = apply.planned.clone();
        let secret = apply.config.attribute("command_wo");
        if !secret.is_null() {
            // in no plan and no state: the configuration alone has it
            arguments.set("command", secret.clone());
        }
        let what = format!("{} did not happen", self.kind.type_name());
        let happening = self.kind.happen(&board, &arguments, &apply.cancel, |_| {});
        let ends_itself = matches!(
            self.kind,
            Kind::BmcFirmware | Kind::BmcReboot | Kind::BmcReload
        );
        let happened = if ends_itself {
            Some(happening.await)
        } else {
            apply.cancel.run(happening).await
        };
        let Some(happened) = happened else {
            crate::report::stopped(&mut apply.diagnostics, &what);
            return;
        };
        match happened {
            Ok(()) => {
                state.set("id", self.kind.id_of(slot));
                state.set(self.kind.last().0, attribute::now());
                apply.state = state;
            }
            Err(e) => crate::report::error(&mut apply.diagnostics, &what, &e),
        }
    }
}

#[async_trait]
impl Resource for Trigger {
    fn schema(&self) -> Schema {
        let (last, what) = self.kind.last();
        let text = format!(
            "{} It happens when the resource is created and when an argument or a trigger changes. Where there are actions, they are the better way.",
            self.kind.describe()
        );
        let mut block = self.kind.arguments(Block::new(&text));
        if self.kind == Kind::Uart {
            block = secret_command(block);
        }
        let mut block = block
            .attribute("triggers", attribute::triggers())
            .attribute(last, attribute::moment(what));
        if self.kind == Kind::BmcFirmware {
            block = block.attribute(
                "previous_version",
                Attribute::computed(Type::String).describe("The firmware that ran before."),
            );
        }
        let form = if self.kind.has_node() {
            format!("{}N", self.kind.id())
        } else {
            self.kind.id().to_owned()
        };
        // it names the slot, which may change without a replacement
        let id = Attribute::computed(Type::String).describe(&format!("`{form}`."));
        predecessor::schema(block.attribute("id", id))
    }

    async fn plan(&self, plan: &mut Plan) {
        if plan.is_create() || plan.is_delete() || fires(&plan.prior, &plan.planned, &plan.private)
        {
            return;
        }
        for name in [self.kind.last().0, "previous_version", "id"] {
            if plan.planned.attribute(name).is_unknown() {
                let kept = plan.prior.attribute(name).clone();
                plan.planned.set(name, kept);
            }
        }
        if plan.private.get(IMPORTED).is_some() && plan.planned != plan.prior {
            plan.diagnostics.warning(
                "It does not happen now",
                "The resource was imported: what the configuration says of it is taken over. It happens when a trigger changes after that.",
            );
        }
    }

    async fn create(&self, apply: &mut Apply) {
        self.fire(apply).await;
    }

    async fn update(&self, apply: &mut Apply) {
        let fires = fires(&apply.prior, &apply.planned, &apply.private);
        apply.private.remove(IMPORTED);
        if !fires {
            apply.state = apply.planned.clone();
            return;
        }
        let moved = apply.planned.attribute("node") != apply.prior.attribute("node");
        if self.kind == Kind::UsbBoot && moved {
            // the pin of the slot before is let go; the BMC knows no single one
            self.delete(apply).await;
        }
        self.fire(apply).await;
    }

    async fn read(&self, _read: &mut Read) {
        // what happened once cannot be read again
    }

    async fn delete(&self, apply: &mut Apply) {
        if self.kind != Kind::UsbBoot {
            return;
        }
        let Some(board) = self.session.board(&mut apply.diagnostics) else {
            return;
        };
        if let Err(e) = board.once_up(board.bmc.clear_usb_boot()).await {
            crate::report::error(
                &mut apply.diagnostics,
                "The recovery pins were not let go",
                &e,
            );
        }
    }

    async fn import(&self, import: &mut Import) {
        let mut state = Value::object([("id", Value::from(import.id.clone()))]);
        if self.kind.has_node() {
            let Some(slot) = attribute::imported_slot(import, &[self.kind.id()]) else {
                return;
            };
            state.set("node", attribute::number(slot));
            state.set("id", self.kind.id_of(Some(slot)));
        } else if import.id != self.kind.id() {
            import.diagnostics.error(
                "No such ID",
                format!("The ID of this resource is {}.", self.kind.id()),
            );
            return;
        }
        for (name, attribute) in &self.schema().block.attributes {
            if let Some(default) = &attribute.default {
                state.set(name, default.clone());
            }
        }
        import.state = state;
        import.private.set(IMPORTED, true);
        import.diagnostics.warning(
            "When it happened is not known",
            "The next apply takes over what the configuration says of it, and does not make it happen again.",
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
        predecessor::take_over(from, self.kind.type_name(), &self.schema());
    }
}
