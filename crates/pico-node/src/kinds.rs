// SPDX-License-Identifier: Apache-2.0
//! What the node makes of a kind of objects besides Pods: each kind is watched by the agent and kept by its own part.

use alloc::borrow::ToOwned as _;
use alloc::string::String;

use crate::event::About;
use crate::json::{Shape, Value};

/// Which kinds are acted upon besides Pods; each that is costs the firmware its watch, a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kinds {
    /// Services: node ports of those whose pods are ready here. Watched only while a pod here has a port.
    pub service: bool,
    /// Ingresses of the class `pico`: inputs become HTTP requests.
    pub ingress: bool,
    /// `GPIOController`, `pico.io/v1`.
    pub gpio_controller: bool,
    /// `LEDMatrix`, `pico.io/v1`.
    pub led_matrix: bool,
}

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self {
        service: true,
        ingress: true,
        gpio_controller: true,
        led_matrix: true,
    };
    /// Pods only.
    pub const NONE: Self = Self {
        service: false,
        ingress: false,
        gpio_controller: false,
        led_matrix: false,
    };
}

/// The objects of one kind, as far as they concern this node.
pub(crate) trait Resource {
    /// The path of its list, with a query if there is one.
    fn path(&self) -> String;

    /// An object is new or has changed; a partial one is larger than the node can read.
    fn put(&mut self, object: &Value, is_partial: bool);

    /// The object with this uid is no more.
    fn gone(&mut self, uid: &str);

    /// Whether the object with this uid is kept.
    fn has(&self, uid: &str) -> bool;

    /// A list was read to its end: objects with other uids are no more.
    fn keep(&mut self, uids: &[String]);
}

/// What is kept of the metadata of every object.
pub(crate) const IDENTITY: Shape = Shape::Keys(&[
    ("name", Shape::All),
    ("namespace", Shape::All),
    ("uid", Shape::All),
    ("resourceVersion", Shape::All),
    ("generation", Shape::All),
]);

/// The group and version of the node's own kinds.
pub(crate) const GROUP: &str = "pico.io/v1";

/// What an event about this object names.
pub(crate) fn about(kind: &'static str, object: &Value) -> About {
    let meta = |key| object.text(&["metadata", key]).to_owned();
    About {
        kind,
        namespace: meta("namespace"),
        name: meta("name"),
        uid: meta("uid"),
        field: String::new(),
    }
}
