// SPDX-License-Identifier: Apache-2.0
//! Managed resources.

mod flash;
mod node;
mod power;
mod predecessor;
mod trigger;
mod usb;

pub(crate) use node::Node;
pub(crate) use power::Power;
pub(crate) use trigger::Kind;

use std::sync::Arc;

use tfplugin::Resource;

use crate::session::Session;

/// All resources, by type name.
pub(crate) fn all(session: &Session) -> Vec<(&'static str, Arc<dyn Resource>)> {
    let mut all: Vec<(&'static str, Arc<dyn Resource>)> = vec![
        ("turingpi_flash", Arc::new(flash::Flash(session.clone()))),
        ("turingpi_node", Arc::new(Node(session.clone()))),
        ("turingpi_power", Arc::new(Power(session.clone()))),
        ("turingpi_usb", Arc::new(usb::Usb(session.clone()))),
    ];
    for kind in Kind::ALL {
        let trigger = trigger::Trigger::new(*kind, session.clone());
        all.push((kind.type_name(), Arc::new(trigger)));
    }
    all
}
