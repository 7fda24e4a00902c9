// SPDX-License-Identifier: Apache-2.0
//! Actions: what is done once, by `terraform apply -invoke` or when a resource changes.

use std::sync::Arc;
use std::time::Duration;

use tfplugin::{Action, Attribute, Block, Invocation, Schema, Type, async_trait, validator};

use crate::attribute::{self, slot};
use crate::resource::Kind;
use crate::session::Session;

/// All actions, by type name.
pub(crate) fn all(session: &Session) -> Vec<(&'static str, Arc<dyn Action>)> {
    let mut all: Vec<(&'static str, Arc<dyn Action>)> = vec![
        (
            "turingpi_power_cycle",
            Arc::new(PowerCycle(session.clone())),
        ),
        ("turingpi_reset", Arc::new(Reset(session.clone()))),
    ];
    for kind in Kind::ALL {
        let once = Once {
            kind: *kind,
            session: session.clone(),
        };
        all.push((kind.type_name(), Arc::new(once)));
    }
    all
}

struct PowerCycle(Session);

#[async_trait]
impl Action for PowerCycle {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("Switches a module off, waits, and switches it on.")
                .attribute("node", attribute::node())
                .attribute(
                    "off_seconds",
                    Attribute::optional(Type::Number)
                        .default(5)
                        .check(validator::between(0, 600))
                        .describe("Seconds without power; 5 if not set."),
                ),
        )
    }

    async fn invoke(&self, invocation: &mut Invocation) {
        let (Some(slot), Some(board)) = (
            slot(&invocation.config),
            self.0.board(&mut invocation.diagnostics),
        ) else {
            return;
        };
        let seconds = invocation
            .config
            .attribute("off_seconds")
            .as_i64()
            .unwrap_or(5);
        let pause = Duration::from_secs(u64::try_from(seconds).unwrap_or(5));
        invocation.progress(format!("switching slot {slot} off"));
        let _up = board.up().await;
        let mut result = board.switch(slot, false).await;
        if result.is_ok() {
            // a module that was switched off is switched on again, also when the user has had enough of waiting
            let _ = invocation.cancel.run(tokio::time::sleep(pause)).await;
            invocation.progress(format!("switching slot {slot} on"));
            result = board.switch(slot, true).await;
        }
        if let Err(e) = result {
            let what = format!("Slot {slot} was not power-cycled");
            crate::report::error(&mut invocation.diagnostics, &what, &e);
        }
    }
}

struct Reset(Session);

#[async_trait]
impl Action for Reset {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("Pulses the reset line of a module.").attribute("node", attribute::node()),
        )
    }

    async fn invoke(&self, invocation: &mut Invocation) {
        let (Some(slot), Some(board)) = (
            slot(&invocation.config),
            self.0.board(&mut invocation.diagnostics),
        ) else {
            return;
        };
        invocation.progress(format!("resetting slot {slot}"));
        if let Err(e) = board.once_up(board.bmc.reset(slot)).await {
            let what = format!("Slot {slot} was not reset");
            crate::report::error(&mut invocation.diagnostics, &what, &e);
        }
    }
}

/// What there is as a resource, too.
struct Once {
    kind: Kind,
    session: Session,
}

#[async_trait]
impl Action for Once {
    fn schema(&self) -> Schema {
        Schema::new(self.kind.arguments(Block::new(self.kind.describe())))
    }

    async fn invoke(&self, invocation: &mut Invocation) {
        let Some(board) = self.session.board(&mut invocation.diagnostics) else {
            return;
        };
        invocation.progress(self.kind.describe().to_owned());
        let (config, cancel) = (invocation.config.clone(), invocation.cancel.clone());
        let happened = self
            .kind
            .happen(&board, &config, &cancel, |text| invocation.progress(text))
            .await;
        if let Err(e) = happened {
            let what = format!("{} did not happen", self.kind.type_name());
            crate::report::error(&mut invocation.diagnostics, &what, &e);
        }
    }
}
