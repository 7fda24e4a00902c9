// SPDX-License-Identifier: Apache-2.0
//! Lists: the slots of the board, for `terraform query`.

use std::sync::Arc;

use tfplugin::{Block, Cancel, Diagnostics, ListResource, Listed, Schema, Value, async_trait};
use turingpi_bmc::Slot;

use crate::attribute::slot_identity_of;
use crate::resource::{Node, Power};
use crate::session::Session;

/// All lists, by the type of what they find.
pub(crate) fn all(session: &Session) -> Vec<(&'static str, Arc<dyn ListResource>)> {
    let slots = |name: &'static str, state| Slots {
        what: name,
        state,
        session: session.clone(),
    };
    vec![
        (
            "turingpi_node",
            Arc::new(slots("module", |slot, on| {
                Node::imported(slot, on == Some(true))
            })),
        ),
        (
            "turingpi_power",
            Arc::new(slots("slot", |slot, on| {
                let state = if on == Some(false) { "off" } else { "on" };
                Power::state(slot, state, on, "leave")
            })),
        ),
    ]
}

struct Slots {
    what: &'static str,
    state: fn(Slot, Option<bool>) -> Value,
    session: Session,
}

#[async_trait]
impl ListResource for Slots {
    fn schema(&self) -> Schema {
        Schema::new(Block::new("The four slots of the board."))
    }

    async fn list(
        &self,
        _config: &Value,
        with_state: bool,
        limit: i64,
        diagnostics: &mut Diagnostics,
        _cancel: &Cancel,
    ) -> Vec<Listed> {
        let Some(board) = self.session.board(diagnostics) else {
            return Vec::new();
        };
        let power = match board.power().await {
            Ok(power) => power,
            Err(e) => {
                crate::report::error(diagnostics, "Power cannot be read", &e);
                return Vec::new();
            }
        };
        Slot::ALL
            .into_iter()
            .take(usize::try_from(limit).unwrap_or(4))
            .map(|slot| {
                let state = (self.state)(slot, power.of(slot));
                Listed {
                    identity: slot_identity_of(&state),
                    display_name: format!("{} {slot}", self.what),
                    state: if with_state { state } else { Value::Null },
                }
            })
            .collect()
    }
}
