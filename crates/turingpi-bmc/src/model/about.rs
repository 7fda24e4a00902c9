// SPDX-License-Identifier: Apache-2.0
//! Versions, addresses, storage.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::answer::{object, unknown};
use crate::error::Result;
use crate::generation::Generation;

/// Versions and names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Version of the API.
    pub api_version: Option<String>,
    /// Version of the firmware, the whole image.
    pub firmware_version: Option<String>,
    /// Version of the daemon, bmcd.
    pub daemon_version: Option<String>,
    /// Buildroot release.
    pub buildroot_version: Option<String>,
    /// When the firmware was built.
    pub build_time: Option<String>,
    /// Board model.
    pub board_model: Option<String>,
    /// Board revision, without a leading `v`.
    pub board_revision: Option<String>,
    /// Host name of the BMC.
    pub hostname: Option<String>,
}

/// Text that says something; the daemon has two ways of saying nothing.
fn told(object: &Map<String, Value>, name: &str) -> Option<String> {
    let text = object.get(name)?.as_str()?.trim().trim_matches('"');
    (!text.is_empty() && text != "unknown").then(|| text.to_owned())
}

impl About {
    pub(crate) fn read(what: &str, value: &Value) -> Result<(Self, Generation)> {
        let about = object(what, value)?;
        let version = told(&about, "version");
        if version.is_none() && told(&about, "api").is_none() {
            return Err(unknown(what, &value.to_string()));
        }
        let generation = Generation::of_about(&about);
        // the same key once meant the daemon, and means the firmware now
        let (firmware_version, daemon_version) = match told(&about, "bmcd_version") {
            Some(daemon) => (version, Some(daemon)),
            None => (told(&about, "build_version"), version),
        };
        let revision = told(&about, "board_revision");
        let about = Self {
            api_version: told(&about, "api"),
            firmware_version,
            daemon_version,
            buildroot_version: told(&about, "buildroot"),
            build_time: told(&about, "buildtime"),
            board_model: told(&about, "board_model"),
            board_revision: revision.map(|r| r.trim_start_matches('v').to_owned()),
            hostname: told(&about, "hostname"),
        };
        Ok((about, generation))
    }

    /// What `other` tells; all that boards without `about` have.
    pub(crate) fn read_other(what: &str, value: &Value, generation: Generation) -> Result<Self> {
        let other = object(what, value)?;
        let version = told(&other, "version");
        if version.is_none() {
            return Err(unknown(what, &value.to_string()));
        }
        let is_firmware = matches!(generation, Generation::V1 | Generation::V2_3_5);
        let (firmware_version, daemon_version) = if is_firmware {
            (version, None)
        } else {
            (told(&other, "build_version"), version)
        };
        Ok(Self {
            api_version: told(&other, "api"),
            firmware_version,
            daemon_version,
            buildroot_version: told(&other, "buildroot"),
            build_time: told(&other, "buildtime"),
            ..Self::default()
        })
    }
}

/// An address of the BMC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NetworkInterface {
    /// Device: `br0`.
    pub device: String,
    /// Address.
    pub ip: String,
    /// Hardware address.
    pub mac: String,
}

/// A storage device of the BMC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageDevice {
    /// `BMC` or `SD card`.
    pub name: String,
    /// Size in bytes.
    pub total_bytes: u64,
    /// Free bytes.
    pub free_bytes: u64,
    /// Used bytes.
    pub used_bytes: u64,
}

/// Addresses and storage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Info {
    /// Addresses; several of one device.
    pub network: Vec<NetworkInterface>,
    /// Storage; without a card there is no `SD card`.
    pub storage: Vec<StorageDevice>,
}

impl Info {
    pub(crate) fn read(what: &str, value: &Value) -> Result<Self> {
        let shape = || unknown(what, &value.to_string());
        let info = object(what, value)?;
        let list = |name: &str| info.get(name).and_then(Value::as_array).ok_or_else(shape);
        let network = list("ip")?
            .iter()
            .map(|entry| {
                let text = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
                Some(NetworkInterface {
                    device: text("device")?,
                    ip: text("ip")?,
                    mac: text("mac")?,
                })
            })
            .collect::<Option<_>>()
            .ok_or_else(shape)?;
        let storage = list("storage")?
            .iter()
            .map(|entry| {
                let bytes = |name: &str| entry.get(name).and_then(Value::as_u64);
                let total_bytes = bytes("total_bytes")?;
                let free_bytes = bytes("bytes_free").or_else(|| bytes("free_bytes"))?;
                Some(StorageDevice {
                    name: entry.get("name")?.as_str()?.to_owned(),
                    used_bytes: total_bytes.checked_sub(free_bytes)?,
                    total_bytes,
                    free_bytes,
                })
            })
            .collect::<Option<_>>()
            .ok_or_else(shape)?;
        Ok(Self { network, storage })
    }

    /// What a board without `info` tells in `other`.
    pub(crate) fn read_other(what: &str, value: &Value) -> Result<Self> {
        let other = object(what, value)?;
        let (Some(ip), Some(mac)) = (told(&other, "ip"), told(&other, "mac")) else {
            return Err(unknown(what, &value.to_string()));
        };
        let device = "eth0".to_owned();
        Ok(Self {
            network: vec![NetworkInterface { device, ip, mac }],
            storage: Vec::new(),
        })
    }
}

/// The microSD card of the BMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SdCard {
    /// Size in bytes.
    pub total_bytes: u64,
    /// Used bytes.
    pub used_bytes: u64,
    /// Free bytes.
    pub free_bytes: u64,
}

impl SdCard {
    pub(crate) fn read(what: &str, value: &Value, generation: Generation) -> Result<Self> {
        let card = object(what, value)?;
        // 1.x counts in MiB
        let unit: u64 = if generation == Generation::V1 {
            1 << 20
        } else {
            1
        };
        let bytes = |name: &str| card.get(name).and_then(Value::as_u64)?.checked_mul(unit);
        match (bytes("total"), bytes("use"), bytes("free")) {
            (Some(total_bytes), Some(used_bytes), Some(free_bytes)) => Ok(Self {
                total_bytes,
                used_bytes,
                free_bytes,
            }),
            _ => Err(unknown(what, &value.to_string())),
        }
    }
}
