// SPDX-License-Identifier: Apache-2.0
//! The board's calls: what it tells, and what can be set.
//!
//! A call that would disturb a transfer waits for it or is refused; see [`WhenBusy`](crate::WhenBusy).

use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use crate::answer::{unknown, value};
use crate::bmc::{Bmc, LONG_CALL, authorized};
use crate::connection::full;
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::model::{
    About, Cooling, Info, NodeInfo, NodeSettings, Power, SdCard, Usb, UsbMode, UsbRoute,
};
use crate::query::Query;
use crate::slot::Slot;
use crate::turn::Parts;

impl Bmc {
    pub(crate) async fn ask_about(&self) -> Result<(About, Generation)> {
        let what = "about";
        match self.read(what, "about").await {
            Ok(value) => About::read(what, &value),
            Err(Error::Refused { status: 400, .. }) => {
                let generation = if self.connector().endpoint.secure {
                    Generation::V2_0_0
                } else {
                    Generation::V1
                };
                let other = self.read("other", "other").await?;
                Ok((About::read_other("other", &other, generation)?, generation))
            }
            Err(e) => Err(e),
        }
    }

    /// Versions and names.
    ///
    /// # Errors
    /// When nobody answers, or in an unknown form.
    pub async fn about(&self) -> Result<About> {
        let (about, generation) = self.ask_about().await?;
        let _ = self.inner.generation.set(generation);
        Ok(about)
    }

    /// What every firmware tells of itself in one call, the oldest too.
    ///
    /// # Errors
    /// When nobody answers, or in an unknown form.
    pub async fn other(&self) -> Result<About> {
        let generation = self.generation().await?;
        let other = self.read("other", "other").await?;
        About::read_other("other", &other, generation)
    }

    /// Addresses and storage of the BMC.
    ///
    /// # Errors
    /// When nobody answers, or in an unknown form.
    pub async fn info(&self) -> Result<Info> {
        if self.generation().await? < Generation::V2_0 {
            return Info::read_other("other", &self.read("other", "other").await?);
        }
        Info::read("info", &self.read("info", "info").await?)
    }

    /// Which slots are on.
    ///
    /// # Errors
    /// When nobody answers, or in an unknown form.
    pub async fn power(&self) -> Result<Power> {
        Power::read("power", &self.read("power", "power").await?)
    }

    /// Switches slots on or off, all in one call; the others stay as they are.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn set_power(&self, slots: &[(Slot, bool)]) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let query = slots.iter().fold(Query::set("power"), |query, (slot, on)| {
            query.with(slot.key(), u8::from(*on))
        });
        let parts = slots.iter().map(|(slot, _)| Parts::slot(*slot));
        let parts = parts.reduce(|a, b| a | b).unwrap_or(Parts::ALL);
        let _place = self.claim("power", parts).await?;
        self.set("power", query, LONG_CALL).await
    }

    /// Pulses the reset line of a module.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn reset(&self, slot: Slot) -> Result<()> {
        let query = Query::set("reset").with("node", slot.index());
        let _place = self.claim("reset", Parts::slot(slot)).await?;
        self.set("reset", query, LONG_CALL).await
    }

    /// How the USB switch stands.
    ///
    /// # Errors
    /// When nobody answers, or in an unknown form.
    pub async fn usb(&self) -> Result<Usb> {
        Usb::read("usb", &self.read("usb", "usb").await?)
    }

    /// Sets the USB switch.
    ///
    /// # Errors
    /// When it was refused, or nobody answers; towards the BMC when the firmware is 1.x, which does not tell the route: what cannot be
    /// read back is not set.
    pub async fn set_usb(&self, slot: Slot, mode: UsbMode, route: UsbRoute) -> Result<()> {
        let query = Query::set("usb")
            .with("node", slot.index())
            .with("mode", mode.number(route));
        if route == UsbRoute::Bmc {
            let what = "the USB route to the BMC";
            self.needs(what, Generation::V2_0_0, "2.0.4").await?;
        }
        let _place = self.claim("usb", Parts::USB).await?;
        self.set("usb", query, LONG_CALL).await
    }

    /// Whether slot 1 is routed to the alternative port (boards of revision 2.5).
    ///
    /// # Errors
    /// When the firmware has no such thing, or nobody answers.
    pub async fn usb_node1_alternative(&self) -> Result<bool> {
        let what = "the USB route of slot 1";
        self.needs(what, Generation::V2_1, "2.1.0").await?;
        match self.read(what, "usb_node1").await? {
            Value::Bool(alternative) => Ok(alternative),
            other => Err(unknown(what, &other.to_string())),
        }
    }

    /// Routes slot 1 to the alternative port, or back.
    ///
    /// # Errors
    /// When the firmware has no such thing, it was refused, or nobody answers.
    pub async fn set_usb_node1_alternative(&self, alternative: bool) -> Result<()> {
        let what = "the USB route of slot 1";
        self.needs(what, Generation::V2_1, "2.1.0").await?;
        let mut query = Query::set("usb_node1");
        if alternative {
            query = query.flag("alternative_port");
        }
        let _place = self.claim(what, Parts::USB).await?;
        self.set(what, query, self.options().timeout).await
    }

    /// Holds the recovery pin of a module, so that its next start is into recovery.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn usb_boot(&self, slot: Slot) -> Result<()> {
        let query = Query::set("usb_boot").with("node", slot.index());
        let what = "USB boot";
        self.needs(what, Generation::V2_0_0, "2.0.4").await?;
        let _place = self.claim(what, Parts::slot(slot) | Parts::USB).await?;
        self.set(what, query, LONG_CALL).await
    }

    /// Lets go the recovery pins of all modules: the daemon knows no single one.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn clear_usb_boot(&self) -> Result<()> {
        let query = Query::set("clear_usb_boot");
        let what = "the end of USB boot";
        let _place = self.claim(what, Parts::USB).await?;
        self.set(what, query, LONG_CALL).await
    }

    /// Starts a module as a mass storage device: its eMMC appears on USB. It is power-cycled on the way.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn node_to_msd(&self, slot: Slot) -> Result<()> {
        let query = Query::set("node_to_msd").with("node", slot.index());
        let what = "mass storage mode";
        let _place = self.claim(what, Parts::slot(slot) | Parts::USB).await?;
        self.set(what, query, LONG_CALL).await
    }

    /// Takes the network of the board down and up again, a second after the answer.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn reset_network(&self) -> Result<()> {
        let query = Query::set("network").with("cmd", "reset");
        let what = "network reset";
        let _place = self.claim(what, Parts::DAEMON).await?;
        self.set(what, query, self.options().timeout).await
    }

    /// What is known of the modules.
    ///
    /// # Errors
    /// When the firmware has no such thing, or nobody answers.
    pub async fn node_info(&self) -> Result<[NodeInfo; 4]> {
        let what = "node info";
        self.needs(what, Generation::V2_1, "2.1.0").await?;
        NodeInfo::read(what, &self.read(what, "node_info").await?)
    }

    /// Says what is known of a module.
    ///
    /// # Errors
    /// When the firmware has no such thing, it was refused, or nobody answers.
    pub async fn set_node_info(&self, slot: Slot, settings: &NodeSettings) -> Result<()> {
        let what = "node info";
        self.needs(what, Generation::V2_1, "2.1.0").await?;
        let path = Query::set("node_info").path();
        let body = serde_json::json!({ slot.settings_key(): settings }).to_string();
        let make =
            || http::Request::post(&path).header(http::header::CONTENT_TYPE, "application/json");
        let answer = self
            .request(what, self.options().timeout, make, Some(&body))
            .await?;
        Self::accepted(what, answer).map(drop)
    }

    /// The microSD card.
    ///
    /// # Errors
    /// When there is none, or nobody answers.
    pub async fn sd_card(&self) -> Result<SdCard> {
        let generation = self.generation().await?;
        let value = self.read("the SD card", "sdcard").await?;
        SdCard::read("the SD card", &value, generation)
    }

    /// The fans.
    ///
    /// # Errors
    /// When the firmware has no such thing, or nobody answers.
    pub async fn cooling(&self) -> Result<Vec<Cooling>> {
        let what = "cooling";
        self.needs(what, Generation::V2_1, "2.1.0").await?;
        Cooling::read(what, &self.read(what, "cooling").await?)
    }

    /// Sets the step of a fan.
    ///
    /// # Errors
    /// When the firmware has no such thing, there is no such fan or step, or nobody answers.
    pub async fn set_cooling(&self, device: &str, speed: u64) -> Result<()> {
        let what = "cooling";
        self.needs(what, Generation::V2_1, "2.1.0").await?;
        let query = Query::set("cooling")
            .with("device", device)
            .with("speed", speed);
        self.set(what, query, self.options().timeout).await
    }

    /// Writes a backup of the BMC's settings, a tar.gz; gives its suggested name and its size in bytes.
    ///
    /// # Errors
    /// When the firmware has no such thing, or it cannot be written.
    pub async fn backup(
        &self,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<(Option<String>, u64)> {
        self.needs("a backup", Generation::V2_0, "2.0.4").await?;
        let what = "backup";
        let connector = self.connector();
        let token = self.token().await?;
        let request = authorized(http::Request::get("/api/bmc/backup"), token.as_deref())
            .body(full(""))
            .map_err(|e| Error::Argument(e.to_string()))?;
        let (response, _sender) = tokio::time::timeout(LONG_CALL, connector.send(request))
            .await
            .map_err(|_| connector.timed_out(what, LONG_CALL))??;
        let status = response.status();
        if !status.is_success() {
            return Err(Error::Refused {
                what: what.to_owned(),
                status: status.as_u16(),
                text: "no backup".into(),
            });
        }
        let name = response
            .headers()
            .get(http::header::CONTENT_DISPOSITION)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.split("filename=").nth(1))
            .map(|v| v.trim_matches('"').to_owned())
            // a name, and no way to another place
            .filter(|n| !n.is_empty() && !n.contains(['/', '\\']) && !n.starts_with('.'));
        let mut body = response.into_body();
        let mut size = 0;
        while let Some(frame) = tokio::time::timeout(LONG_CALL, body.frame())
            .await
            .map_err(|_| connector.timed_out(what, LONG_CALL))?
        {
            let frame = frame.map_err(|e| Error::Unreachable {
                endpoint: connector.endpoint.authority(),
                why: format!("the backup broke off: {e}"),
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            size += data.len() as u64;
            to.write_all(&data).await.map_err(|source| Error::File {
                path: "the backup".into(),
                source,
            })?;
        }
        to.flush().await.map_err(|source| Error::File {
            path: "the backup".into(),
            source,
        })?;
        Ok((name, size))
    }

    /// The state of the four serial ports, by the daemon's words.
    ///
    /// # Errors
    /// When the firmware has no such thing, or nobody answers.
    pub async fn serial_status(&self) -> Result<Vec<String>> {
        let what = "the serial ports";
        self.needs(what, Generation::V2_1, "2.1.0").await?;
        let make = || http::Request::post("/api/bmc/serial/status");
        let answer = self
            .request(what, self.options().timeout, make, None)
            .await?;
        let answer = Self::accepted(what, answer)?;
        serde_json::from_slice(&answer.body)
            .map_err(|_| unknown(what, &String::from_utf8_lossy(&answer.body)))
    }

    pub(crate) async fn uart_read(&self, query: &Query) -> Result<Value> {
        let what = "the serial output";
        value(what, &self.get(what, query).await?.body)
    }

    pub(crate) async fn uart_write(&self, query: Query) -> Result<()> {
        let within = self.options().timeout;
        self.set("serial input", query, within).await
    }
}
