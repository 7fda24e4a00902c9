// SPDX-License-Identifier: Apache-2.0
//! Data sources: what the board tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use tfplugin::{
    Attribute, Block, DataRead, DataSource, DeferredReason, Nesting, Schema, Type, Value,
    async_trait, validator,
};
use turingpi_bmc::model::About;
use turingpi_bmc::{Encoding, Slot};

use crate::attribute;
use crate::session::{Board, Result, Session};

/// All data sources, by type name.
pub(crate) fn all(session: &Session) -> Vec<(&'static str, Arc<dyn DataSource>)> {
    Kind::ALL
        .iter()
        .map(|kind| {
            let source = Source {
                kind: *kind,
                session: session.clone(),
            };
            (kind.type_name(), Arc::new(source) as Arc<dyn DataSource>)
        })
        .collect()
}

#[derive(Clone, Copy)]
enum Kind {
    About,
    Info,
    Power,
    SdCard,
    Uart,
    Usb,
}

impl Kind {
    const ALL: &[Self] = &[
        Self::About,
        Self::Info,
        Self::Power,
        Self::SdCard,
        Self::Uart,
        Self::Usb,
    ];

    fn type_name(self) -> &'static str {
        match self {
            Self::About => "turingpi_about",
            Self::Info => "turingpi_info",
            Self::Power => "turingpi_power",
            Self::SdCard => "turingpi_sdcard",
            Self::Uart => "turingpi_uart",
            Self::Usb => "turingpi_usb",
        }
    }
}

struct Source {
    kind: Kind,
    session: Session,
}

const VERSIONS: [(&str, &str); 8] = [
    ("api_version", "Version of the API."),
    ("daemon_version", "Version of the BMC's daemon."),
    ("buildroot_version", "Buildroot release of the firmware."),
    ("firmware_version", "Version of the firmware."),
    ("build_time", "When the firmware was built."),
    (
        "board_model",
        "Model of the board, where the firmware tells it.",
    ),
    (
        "board_revision",
        "Revision of the board, where the firmware tells it.",
    ),
    (
        "hostname",
        "Host name of the BMC, where the firmware tells it.",
    ),
];

fn versions(block: Block) -> Block {
    VERSIONS.iter().fold(block, |block, (name, text)| {
        block.attribute(name, Attribute::computed(Type::String).describe(text))
    })
}

fn set_versions(state: &mut Value, about: About) {
    let told = [
        about.api_version,
        about.daemon_version,
        about.buildroot_version,
        about.firmware_version,
        about.build_time,
        about.board_model,
        about.board_revision,
        about.hostname,
    ];
    for ((name, _), value) in VERSIONS.iter().zip(told) {
        state.set(name, Value::from(value));
    }
}

fn bytes(n: u64) -> Value {
    Value::from(i64::try_from(n).unwrap_or(i64::MAX))
}

/// GiB, as the attributes that end in `_gb` have always meant it.
#[expect(clippy::cast_precision_loss, reason = "a figure to read")]
fn gibibytes(n: u64) -> Value {
    Value::from(n as f64 / f64::from(1 << 30))
}

impl Kind {
    fn schema(self) -> Block {
        let text = |what: &str| Attribute::computed(Type::String).describe(what);
        let number = |what: &str| Attribute::computed(Type::Number).describe(what);
        let nodes = || {
            Attribute::computed(Type::map(Type::Bool)).describe(
                "Whether each slot is on, `node1` to `node4`; null when the BMC cannot tell.",
            )
        };
        match self {
            Self::About => versions(Block::new("Versions and names.")),
            Self::Info => versions(Block::new("Versions, addresses, storage and power."))
                .attribute(
                    "network_interfaces",
                    Attribute::computed_objects(
                        Nesting::List,
                        vec![
                            ("device", text("Device.")),
                            ("ip", text("Address.")),
                            ("mac", text("Hardware address.")),
                        ],
                    )
                    .describe("Addresses of the BMC."),
                )
                .attribute(
                    "storage_devices",
                    Attribute::computed_objects(
                        Nesting::List,
                        vec![
                            ("name", text("`BMC` or `SD card`.")),
                            ("total_bytes", number("Size in bytes.")),
                            ("used_bytes", number("Used bytes.")),
                            ("free_bytes", number("Free bytes.")),
                        ],
                    )
                    .describe("Storage of the BMC."),
                )
                .attribute("nodes", nodes()),
            Self::Power => {
                let block = (1..=4).fold(Block::new("Power of the slots."), |block, n| {
                    let what = format!("Whether slot {n} is on; null when the BMC cannot tell.");
                    block.attribute(
                        &format!("node{n}"),
                        Attribute::computed(Type::Bool).describe(&what),
                    )
                });
                block
                    .attribute("nodes", nodes())
                    .attribute("powered_on_count", number("How many are on."))
                    .attribute("powered_off_count", number("How many are off."))
            }
            Self::Usb => Block::new("How the USB switch stands.")
                .attribute("mode", text("`host`, `device` or `flash`."))
                .attribute("node", number("The connected slot."))
                .attribute("route", text("`usb-a` or `bmc`.")),
            Self::Uart => Block::new(
                "The serial output of a module that the BMC holds, at most 16 KiB. Firmware before 2.1.0 forgets what was read.",
            )
            .attribute("node", attribute::node())
            .attribute(
                "encoding",
                Attribute::optional(Type::String)
                    .default("utf8")
                    .check(validator::one_of(Encoding::NAMES))
                    .describe("How its bytes are read."),
            )
            .attribute("output", text("The output."))
            .attribute(
                "has_output",
                Attribute::computed(Type::Bool).describe("Whether there is any."),
            ),
            Self::SdCard => {
                let names = [
                    ("total", "Size"),
                    ("used", "Used"),
                    ("free", "Free"),
                ];
                let block = names.iter().fold(Block::new("The microSD card of the BMC."), |block, (name, what)| {
                    block
                        .attribute(&format!("{name}_bytes"), number(&format!("{what}, in bytes.")))
                        .attribute(&format!("{name}_gb"), number(&format!("{what}, in GiB.")))
                });
                block.attribute("used_percent", number("Used, in percent."))
            }
        }
        .attribute("id", text("Of no meaning."))
    }

    async fn read(self, board: &Board, config: &Value, state: &mut Value) -> Result<()> {
        let bmc = &board.bmc;
        match self {
            Self::About => {
                set_versions(state, board.once_up(bmc.about()).await?);
                state.set("id", "turingpi-about");
            }
            Self::Info => {
                set_versions(state, board.once_up(bmc.about()).await?);
                let info = board.once_up(bmc.info()).await?;
                let network = info.network.into_iter().map(|n| {
                    Value::object([
                        ("device", Value::from(n.device)),
                        ("ip", Value::from(n.ip)),
                        ("mac", Value::from(n.mac)),
                    ])
                });
                state.set("network_interfaces", Value::List(network.collect()));
                let storage = info.storage.into_iter().map(|s| {
                    Value::object([
                        ("name", Value::from(s.name)),
                        ("total_bytes", bytes(s.total_bytes)),
                        ("used_bytes", bytes(s.used_bytes)),
                        ("free_bytes", bytes(s.free_bytes)),
                    ])
                });
                state.set("storage_devices", Value::List(storage.collect()));
                let power = board.power().await?;
                let nodes: BTreeMap<_, _> = Slot::ALL
                    .iter()
                    .map(|s| (s.key().to_owned(), Value::from(power.of(*s))))
                    .collect();
                state.set("nodes", Value::Map(nodes));
                state.set("id", "turingpi-bmc-info");
            }
            Self::Power => {
                let power = board.power().await?;
                let mut nodes = BTreeMap::new();
                for slot in Slot::ALL {
                    state.set(slot.key(), power.of(slot));
                    nodes.insert(slot.key().to_owned(), Value::from(power.of(slot)));
                }
                let count = |on| {
                    Slot::ALL
                        .iter()
                        .filter(|s| power.of(**s) == Some(on))
                        .count()
                };
                state.set("nodes", Value::Map(nodes));
                state.set("powered_on_count", bytes(count(true) as u64));
                state.set("powered_off_count", bytes(count(false) as u64));
                state.set("id", "turingpi-power-status");
            }
            Self::Usb => {
                let usb = board.usb().await?;
                state.set("mode", usb.mode.name());
                state.set("node", attribute::number(usb.slot));
                state.set("route", usb.route.name());
                state.set("id", "turingpi-usb-status");
            }
            Self::Uart => {
                let slot = attribute::slot(config).unwrap_or(Slot::ALL[0]);
                let encoding = state.attribute("encoding").as_str().unwrap_or("utf8");
                let output = board.once_up(bmc.uart(slot, encoding.parse()?)).await?;
                state.set("has_output", !output.is_empty());
                state.set("output", output);
                state.set("id", format!("uart-node-{slot}"));
            }
            Self::SdCard => {
                let card = board.once_up(bmc.sd_card()).await?;
                let figures = [
                    ("total", card.total_bytes),
                    ("used", card.used_bytes),
                    ("free", card.free_bytes),
                ];
                for (name, n) in figures {
                    state.set(&format!("{name}_bytes"), bytes(n));
                    state.set(&format!("{name}_gb"), gibibytes(n));
                }
                let percent = card
                    .used_bytes
                    .saturating_mul(1000)
                    .checked_div(card.total_bytes)
                    .unwrap_or(0);
                #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
                state.set("used_percent", percent as f64 / 10.0);
                state.set("id", "turingpi-sdcard");
            }
        }
        Ok(())
    }
}

#[async_trait]
impl DataSource for Source {
    fn schema(&self) -> Schema {
        Schema::new(self.kind.schema())
    }

    async fn read(&self, read: &mut DataRead) {
        if !self.session.is_known() && read.deferral_allowed {
            read.deferred = Some(DeferredReason::ProviderConfigUnknown);
            return;
        }
        let Some(board) = self.session.board(&mut read.diagnostics) else {
            return;
        };
        let mut state = read.state.clone();
        match self.kind.read(&board, &read.config, &mut state).await {
            Ok(()) => read.state = state,
            Err(e) => {
                let what = format!("{} cannot be read", self.kind.type_name());
                crate::report::error(&mut read.diagnostics, &what, &e);
            }
        }
    }
}
