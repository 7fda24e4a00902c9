// SPDX-License-Identifier: Apache-2.0
//! The USB switch of the board.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use crate::answer::{object, unknown};
use crate::error::{Error, Result};
use crate::slot::Slot;

/// What a module is on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UsbMode {
    /// The module is the host.
    Host,
    /// The module is a device.
    Device,
    /// The module is a device in its recovery mode.
    Flash,
}

/// Where the other end of the bus is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsbRoute {
    /// The USB-A connector.
    UsbA,
    /// The BMC.
    Bmc,
}

/// How the USB switch stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usb {
    /// What the module is.
    pub mode: UsbMode,
    /// The connected slot, 1 to 4.
    #[serde(serialize_with = "number")]
    pub slot: Slot,
    /// Where the other end is.
    pub route: UsbRoute,
    /// `Usb hub` or `Single bus`, where the firmware tells.
    pub bus_type: Option<String>,
}

fn number<S: serde::Serializer>(slot: &Slot, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_u8(slot.number())
}

impl UsbMode {
    /// The number of a call; 3 and 7 crash the daemon and cannot come about here.
    pub(crate) fn number(self, route: UsbRoute) -> u8 {
        let mode = match self {
            Self::Host => 0,
            Self::Device => 1,
            Self::Flash => 2,
        };
        match route {
            UsbRoute::UsbA => mode,
            UsbRoute::Bmc => mode + 4,
        }
    }

    /// `host`, `device` or `flash`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Device => "device",
            Self::Flash => "flash",
        }
    }
}

impl UsbRoute {
    /// `usb-a` or `bmc`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UsbA => "usb-a",
            Self::Bmc => "bmc",
        }
    }
}

impl fmt::Display for UsbMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for UsbRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for UsbMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "host" => Ok(Self::Host),
            "device" => Ok(Self::Device),
            "flash" => Ok(Self::Flash),
            _ => Err(Error::Argument(format!(
                "{text:?} is no USB mode: host, device and flash are"
            ))),
        }
    }
}

impl FromStr for UsbRoute {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().as_str() {
            "usb-a" | "usba" | "alternativeport" => Ok(Self::UsbA),
            "bmc" => Ok(Self::Bmc),
            _ => Err(Error::Argument(format!(
                "{text:?} is no USB route: usb-a and bmc are"
            ))),
        }
    }
}

impl Usb {
    pub(crate) fn read(what: &str, value: &Value) -> Result<Self> {
        let shape = || unknown(what, &value.to_string());
        let usb = object(what, value)?;
        let slot = match usb.get("node") {
            // counted from 1 in words, from 0 in numbers
            Some(Value::String(text)) => text
                .trim_start_matches("Node ")
                .parse()
                .map_err(|_| shape())?,
            Some(Value::Number(n)) => n
                .as_u64()
                .and_then(|n| Slot::from_index(usize::try_from(n).ok()?))
                .ok_or_else(shape)?,
            _ => return Err(shape()),
        };
        let (mode, route) = match usb.get("mode") {
            Some(Value::String(mode)) => {
                let route = usb.get("route").and_then(Value::as_str).ok_or_else(shape)?;
                (
                    mode.parse().map_err(|_| shape())?,
                    route.parse().map_err(|_| shape())?,
                )
            }
            // 1.x has one number for both
            Some(Value::Number(n)) => match n.as_u64() {
                Some(0) => (UsbMode::Host, UsbRoute::UsbA),
                Some(1) => (UsbMode::Device, UsbRoute::UsbA),
                Some(2) => (UsbMode::Flash, UsbRoute::UsbA),
                _ => return Err(shape()),
            },
            _ => return Err(shape()),
        };
        Ok(Self {
            mode,
            slot,
            route,
            bus_type: usb
                .get("bus_type")
                .and_then(Value::as_str)
                .map(str::to_owned),
        })
    }
}
