// SPDX-License-Identifier: Apache-2.0
//! What lasts for one run and is in no state.

mod kubeconfig;

use std::sync::Arc;

use tfplugin::{Attribute, Block, Ephemeral, EphemeralResource, Schema, Type, Value, async_trait};

use crate::session::Session;

/// All ephemeral resources, by type name.
pub(crate) fn all(session: &Session) -> Vec<(&'static str, Arc<dyn EphemeralResource>)> {
    vec![
        ("turingpi_token", Arc::new(Token(session.clone()))),
        ("turingpi_kubeconfig", Arc::new(kubeconfig::FromModule)),
    ]
}

/// The token of a session with the BMC, for other tools.
struct Token(Session);

#[async_trait]
impl EphemeralResource for Token {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("A session with the BMC, for tools that speak to it themselves. It lasts three hours after its last use.")
                .attribute(
                    "token",
                    Attribute::computed(Type::String)
                        .sensitive()
                        .describe("Goes into the header `Authorization: Bearer TOKEN`; null for a BMC that asks for no login."),
                )
                .attribute(
                    "endpoint",
                    Attribute::computed(Type::String).describe("Address of the BMC."),
                ),
        )
    }

    async fn open(&self, ephemeral: &mut Ephemeral) {
        let Some(board) = self.0.board(&mut ephemeral.diagnostics) else {
            return;
        };
        match board.once_up(board.bmc.session_token()).await {
            Ok(token) => {
                ephemeral.result.set("token", Value::from(token));
                let endpoint = board.bmc.endpoint().to_string();
                ephemeral.result.set("endpoint", endpoint);
            }
            Err(e) => crate::report::error(&mut ephemeral.diagnostics, "There is no session", &e),
        }
    }
}
