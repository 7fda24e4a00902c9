// SPDX-License-Identifier: Apache-2.0
//! The board's calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OnceCell;

use crate::answer::{error_text, unknown, value};
use crate::connection::{Answer, Body, Connector, full};
use crate::endpoint::{Endpoint, Options};
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::model::{
    About, Cooling, Info, NodeInfo, NodeSettings, Power, SdCard, Usb, UsbMode, UsbRoute,
};
use crate::query::Query;
use crate::session::{Session, banned};
use crate::slot::Slot;

/// How often a read is tried when nobody answers.
const READ_TRIES: u32 = 3;
/// The longest a call takes that power-cycles a module on the way.
const LONG_CALL: Duration = Duration::from_secs(90);

/// A board. Clones share the session.
#[derive(Clone)]
pub struct Bmc {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    connector: Connector,
    /// The way to the TLS side of an endpoint that was given as plain HTTP.
    upgraded: OnceCell<Connector>,
    session: Session,
    generation: OnceCell<Generation>,
}

impl std::fmt::Debug for Bmc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bmc({})", self.inner.options.endpoint)
    }
}

impl Bmc {
    /// A board; nothing is contacted yet.
    ///
    /// # Errors
    /// When the address or the trusted certificates cannot be used.
    pub fn new(options: Options) -> Result<Self> {
        let connector = Connector::new(options.endpoint.clone(), &options.trust, options.timeout)?;
        Ok(Self {
            inner: Arc::new(Inner {
                options,
                connector,
                upgraded: OnceCell::new(),
                session: Session::new(),
                generation: OnceCell::new(),
            }),
        })
    }

    /// Where it is, as it was given.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.inner.options.endpoint
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    /// The connector in use: newer boards send a client of plain HTTP to HTTPS, and credentials go nowhere else.
    pub(crate) fn connector(&self) -> &Connector {
        self.inner.upgraded.get().unwrap_or(&self.inner.connector)
    }

    /// What runs on the board; asked once.
    ///
    /// # Errors
    /// As any read.
    pub async fn generation(&self) -> Result<Generation> {
        self.inner
            .generation
            .get_or_try_init(|| async { Ok(self.ask_about().await?.1) })
            .await
            .copied()
    }

    pub(crate) async fn needs(
        &self,
        what: &str,
        since: Generation,
        name: &'static str,
    ) -> Result<()> {
        let running = self.generation().await?;
        if running >= since {
            return Ok(());
        }
        Err(Error::Unsupported {
            what: what.to_owned(),
            since: name,
            running: running.name().to_owned(),
        })
    }

    // ---- requests ----

    /// Sends a request with the session's token; logs in again once when the token is not known any more.
    pub(crate) async fn request(
        &self,
        what: &str,
        within: Duration,
        make: impl Fn() -> http::request::Builder,
        body: Option<&str>,
    ) -> Result<Answer> {
        self.meet().await?;
        let connector = self.connector();
        let secure = connector.endpoint.secure;
        let options = self.options();
        let mut stale: Option<String> = None;
        loop {
            let token = if secure {
                let session = &self.inner.session;
                session.token(connector, options, stale.as_deref()).await?
            } else {
                None
            };
            let request = authorized(make(), token.as_deref())
                .body(full(body.unwrap_or_default().to_owned()))
                .map_err(|e| Error::Argument(e.to_string()))?;
            let answer = connector.call(what, request, within).await?;
            if answer.status != http::StatusCode::UNAUTHORIZED {
                return Ok(answer);
            }
            // the text may hold the token: it is looked at, and not shown
            if let Some(banned) = banned(connector, &answer.text()) {
                return Err(banned);
            }
            match token {
                Some(token) if stale.is_none() && options.credentials.is_some() => {
                    stale = Some(token);
                }
                Some(_) if options.credentials.is_some() => {
                    return Err(Error::Refused {
                        what: what.to_owned(),
                        status: 401,
                        text: "a fresh login is not accepted".into(),
                    });
                }
                _ => {
                    // a kept token that is known no more must not be tried again
                    self.inner.session.forget(options).await;
                    return Err(Error::NoCredentials {
                        endpoint: connector.endpoint.authority(),
                    });
                }
            }
        }
    }

    /// Learns, before anything secret is sent, whether an endpoint of plain HTTP sends us to HTTPS.
    async fn meet(&self) -> Result<()> {
        if self.inner.connector.endpoint.secure || self.inner.upgraded.initialized() {
            return Ok(());
        }
        if self.inner.generation.initialized() {
            return Ok(());
        }
        let what = "a first look";
        let request = http::Request::get(Query::get("about").path())
            .body(full(""))
            .map_err(|e| Error::Argument(e.to_string()))?;
        let plain = &self.inner.connector;
        let answer = plain.call(what, request, self.options().timeout).await?;
        if !answer.status.is_redirection() {
            return Ok(());
        }
        let location = answer
            .headers
            .get(http::header::LOCATION)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse::<http::Uri>().ok())
            .filter(|uri| uri.scheme_str() == Some("https"))
            .ok_or_else(|| unknown(what, "a redirect that does not lead to https"))?;
        let endpoint = Endpoint {
            secure: true,
            // never to another host than the one that was given
            host: plain.endpoint.host.clone(),
            port: location.port_u16().unwrap_or(443),
        };
        log::info!("{} sends to {endpoint}", plain.endpoint);
        let options = self.options();
        let connector = Connector::new(endpoint, &options.trust, options.timeout)?;
        let _ = self.inner.upgraded.set(connector);
        Ok(())
    }

    /// An answer that must be a success.
    fn accepted(what: &str, answer: Answer) -> Result<Answer> {
        if answer.status.is_success() {
            return Ok(answer);
        }
        let text = match answer.status {
            // the daemon repeats the token that it refuses
            http::StatusCode::UNAUTHORIZED => "the session is not accepted".to_owned(),
            _ => error_text(&answer.text()),
        };
        Err(Error::Refused {
            what: what.to_owned(),
            status: answer.status.as_u16(),
            text,
        })
    }

    /// Reads, again where nobody answers.
    pub(crate) async fn get(&self, what: &str, query: &Query) -> Result<Answer> {
        let path = query.path();
        let mut tries = 1;
        loop {
            let make = || http::Request::get(&path);
            let result = self
                .request(what, self.options().timeout, make, None)
                .await
                .and_then(|answer| Self::accepted(what, answer));
            match result {
                Err(e @ (Error::Unreachable { .. } | Error::Timeout { .. }))
                    if tries < READ_TRIES =>
                {
                    log::debug!("{what}: {e}; once more");
                    tokio::time::sleep(pause(tries)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// Reads a value out of its envelope.
    async fn read(&self, what: &str, kind: &str) -> Result<Value> {
        value(what, &self.get(what, &Query::get(kind)).await?.body)
    }

    /// Changes something; never repeated, for nobody knows how far a lost call came.
    async fn set(&self, what: &str, query: Query, within: Duration) -> Result<()> {
        let path = query.path();
        let answer = self
            .request(what, within, || http::Request::get(&path), None)
            .await?;
        let answer = Self::accepted(what, answer)?;
        match value(what, &answer.body)? {
            Value::String(ok) if ok == "ok" => Ok(()),
            other => Err(unknown(what, &other.to_string())),
        }
    }

    /// Starts a transfer. It may be repeated only if nothing was sent; that is the connector's business.
    pub(crate) async fn start(&self, what: &str, query: &Query) -> Result<Answer> {
        let path = query.path();
        let make = || http::Request::get(&path);
        // a start by URL begins the download before it answers
        let answer = self.request(what, LONG_CALL, make, None).await?;
        Self::accepted(what, answer)
    }

    pub(crate) async fn plain_get(&self, what: &str, path: &str) -> Result<Answer> {
        let make = || http::Request::get(path);
        let answer = self
            .request(what, self.options().timeout, make, None)
            .await?;
        Self::accepted(what, answer)
    }

    /// Sends a body of any size with the session's token. There is no time limit here: the daemon takes it as slowly as it writes.
    pub(crate) async fn upload(
        &self,
        what: &str,
        path: &str,
        content_type: &str,
        length: u64,
        body: Body,
    ) -> Result<Answer> {
        let connector = self.connector();
        let token = if connector.endpoint.secure {
            let session = &self.inner.session;
            session.token(connector, self.options(), None).await?
        } else {
            None
        };
        let request = authorized(http::Request::post(path), token.as_deref())
            .header(http::header::CONTENT_TYPE, content_type)
            .header(http::header::CONTENT_LENGTH, length)
            .body(body)
            .map_err(|e| Error::Argument(e.to_string()))?;
        let (response, _sender) = connector.send(request).await?;
        let status = response.status();
        let headers = response.headers().clone();
        let body = http_body_util::Limited::new(response.into_body(), 1 << 16)
            .collect()
            .await
            .map_err(|e| Error::Unreachable {
                endpoint: connector.endpoint.authority(),
                why: format!("the answer broke off: {e}"),
            })?
            .to_bytes();
        Self::accepted(
            what,
            Answer {
                status,
                headers,
                body,
            },
        )
    }

    /// The token of the session, for tools that speak to the BMC themselves; none where no login is asked for.
    ///
    /// # Errors
    /// When there is nothing to log in with, or the login fails.
    pub async fn session_token(&self) -> Result<Option<String>> {
        self.power().await?;
        self.token().await
    }

    /// The token, for a connection that is not made of calls.
    pub(crate) async fn token(&self) -> Result<Option<String>> {
        self.meet().await?;
        let session = &self.inner.session;
        session.token(self.connector(), self.options(), None).await
    }

    // ---- the board ----

    async fn ask_about(&self) -> Result<(About, Generation)> {
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
        self.set("power", query, LONG_CALL).await
    }

    /// Pulses the reset line of a module.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn reset(&self, slot: Slot) -> Result<()> {
        let query = Query::set("reset").with("node", slot.index());
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
    /// When it was refused, or nobody answers.
    pub async fn set_usb(&self, slot: Slot, mode: UsbMode, route: UsbRoute) -> Result<()> {
        let query = Query::set("usb")
            .with("node", slot.index())
            .with("mode", mode.number(route));
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
        self.set(what, query, self.options().timeout).await
    }

    /// Holds the recovery pin of a module, so that its next start is into recovery.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn usb_boot(&self, slot: Slot) -> Result<()> {
        let query = Query::set("usb_boot").with("node", slot.index());
        self.set("USB boot", query, LONG_CALL).await
    }

    /// Lets go the recovery pins of all modules: the daemon knows no single one.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn clear_usb_boot(&self) -> Result<()> {
        let query = Query::set("clear_usb_boot");
        self.set("the end of USB boot", query, LONG_CALL).await
    }

    /// Starts a module as a mass storage device: its eMMC appears on USB. It is power-cycled on the way.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn node_to_msd(&self, slot: Slot) -> Result<()> {
        let query = Query::set("node_to_msd").with("node", slot.index());
        self.set("mass storage mode", query, LONG_CALL).await
    }

    /// Takes the network of the board down and up again, a second after the answer.
    ///
    /// # Errors
    /// When it was refused, or nobody answers.
    pub async fn reset_network(&self) -> Result<()> {
        let query = Query::set("network").with("cmd", "reset");
        self.set("network reset", query, self.options().timeout)
            .await
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

    /// Restarts the BMC: all modules lose power. With `fel` it starts into its recovery mode and does not come back by itself.
    ///
    /// # Errors
    /// When the firmware has no such thing, it was refused, or nobody answers.
    pub async fn reboot(&self, fel: bool) -> Result<()> {
        let mut query = Query::set("reboot");
        if fel {
            self.needs("a reboot into FEL", Generation::V2_1, "2.1.0")
                .await?;
            query = query.flag("fel");
        }
        let result = self.set("reboot", query, self.options().timeout).await;
        self.inner.session.forget(self.options()).await;
        result
    }

    /// Restarts the daemon: modules run on, sessions are lost.
    ///
    /// # Errors
    /// When the firmware has no such thing, it was refused, or nobody answers.
    pub async fn reload(&self) -> Result<()> {
        self.needs("a restart of the daemon", Generation::V2_0, "2.0.4")
            .await?;
        let query = Query::set("reload");
        let result = self.set("reload", query, self.options().timeout).await;
        // the token dies with the old process, also when its answer got lost
        self.inner.session.forget(self.options()).await;
        result
    }

    /// Waits until a new daemon takes a new login, at most `within`. The old one may answer for a moment; it is given time to go.
    ///
    /// # Errors
    /// When it does not come back in time, or refuses the login.
    pub async fn wait_ready(&self, within: Duration) -> Result<()> {
        let until = Instant::now() + within;
        tokio::time::sleep(Duration::from_secs(2).min(within)).await;
        loop {
            // a connection that still stands leads to the old process
            self.connector().close_idle();
            self.inner.session.forget(self.options()).await;
            let result = match self.token().await {
                Ok(_) => self.power().await.map(drop),
                Err(e) => Err(e),
            };
            match result {
                Err(e) if e.is_unreachable() && !matches!(e, Error::Banned { .. }) => {
                    if Instant::now() >= until {
                        return Err(self.connector().timed_out("a restart", within));
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                other => return other,
            }
        }
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

/// The request with a session.
fn authorized(request: http::request::Builder, token: Option<&str>) -> http::request::Builder {
    let request = request.header(
        http::header::USER_AGENT,
        concat!("k1s/", env!("CARGO_PKG_VERSION")),
    );
    let Some(token) = token else {
        return request;
    };
    match http::HeaderValue::from_str(&format!("Bearer {token}")) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(http::header::AUTHORIZATION, value)
        }
        // tokens are looked at when they come in
        Err(_) => request,
    }
}

/// A pause that grows, with jitter, so that several clients do not come back together.
fn pause(tries: u32) -> Duration {
    let jitter = getrandom::u32().unwrap_or(0) % 200;
    Duration::from_millis(u64::from(200 * tries + jitter))
}
