// SPDX-License-Identifier: Apache-2.0
//! A board: its session, its requests, its turn.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::answer::{error_text, unknown, value};
use crate::connection::{Answer, Body, Connector, full};
use crate::endpoint::{Endpoint, Options};
use crate::error::{Error, Result};
use crate::flash::State;
use crate::generation::Generation;
use crate::query::Query;
use crate::session::{Session, banned};
use crate::turn::{self, Parts, Place, Work};

/// How often a read is tried when nobody answers.
const READ_TRIES: u32 = 3;
/// The longest a call takes that power-cycles a module on the way.
pub(crate) const LONG_CALL: Duration = Duration::from_secs(90);

/// A board. Clones share the session.
#[derive(Clone)]
pub struct Bmc {
    pub(crate) inner: Arc<Inner>,
    /// The board's turn, while this handle has it.
    held: Option<Arc<Place>>,
    /// Whether others' turns are heeded.
    forced: bool,
}

pub(crate) struct Inner {
    options: Options,
    connector: Connector,
    /// The way to the TLS side of an endpoint that was given as plain HTTP.
    upgraded: OnceCell<Connector>,
    pub(crate) session: Session,
    pub(crate) generation: OnceCell<Generation>,
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
            held: None,
            forced: false,
        })
    }

    /// The board, for this handle and its clones alone until they are dropped: whatever would disturb them waits or is refused, in this
    /// process and in others of this user. `what` is told to those: "upgrading slot 2".
    ///
    /// # Errors
    /// When the lock file cannot be used, the board is busy with another machine's transfer, or nobody answers.
    pub async fn turn(&self, what: &str) -> Result<Self> {
        let work = Work::long(what.to_owned(), Parts::ALL);
        let held = self.hold(&work, || {}).await?;
        self.look(&work).await?;
        Ok(held)
    }

    /// The board, whoever is doing something to it: a transfer in its middle fails then.
    #[must_use]
    pub fn by_force(&self) -> Self {
        Self {
            forced: true,
            ..self.clone()
        }
    }

    /// This board with its turn. `waiting` is called once if somebody else has it.
    pub(crate) async fn hold(&self, work: &Work, waiting: impl FnMut()) -> Result<Self> {
        if self.held.is_some() {
            return Ok(self.clone());
        }
        let when_busy = self.options().when_busy;
        let place = turn::place(self.endpoint(), work, when_busy, waiting).await?;
        Ok(Self {
            held: place.map(Arc::new),
            ..self.clone()
        })
    }

    /// The right to a call that could disturb others.
    pub(crate) async fn claim(&self, what: &str, parts: Parts) -> Result<Option<Place>> {
        if self.held.is_some() || self.forced {
            return Ok(None);
        }
        let work = Work::call(what, parts);
        let when_busy = self.options().when_busy;
        let place = match turn::place(self.endpoint(), &work, when_busy, || {}).await {
            // a place for the lock is not what the caller asked for
            Err(e @ Error::File { .. }) => {
                log::warn!("no lock is held: {e}");
                None
            }
            place => place?,
        };
        self.look(&work).await?;
        Ok(place)
    }

    /// Looks whether another machine transfers something that this work would disturb. Boards of the 1.x generation do not tell.
    async fn look(&self, work: &Work) -> Result<()> {
        if self.generation().await? == Generation::V1 {
            return Ok(());
        }
        let path = Query::get("flash").path();
        let make = || http::Request::get(&path);
        let within = self.options().timeout;
        let answer = self.request(&work.what, within, make, None).await?;
        let answer = Self::accepted(&work.what, answer)?;
        match State::read(&work.what, &answer.body)? {
            State::Transferring { process, .. }
                if work.parts.meets(Parts::of_process(&process)) =>
            {
                Err(Error::Busy {
                    what: work.what.clone(),
                    holder: format!("another client is at work on the board ({process})"),
                })
            }
            _ => Ok(()),
        }
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
    pub(crate) fn accepted(what: &str, answer: Answer) -> Result<Answer> {
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
    pub(crate) async fn read(&self, what: &str, kind: &str) -> Result<Value> {
        value(what, &self.get(what, &Query::get(kind)).await?.body)
    }

    /// Changes something; never repeated, for nobody knows how far a lost call came.
    pub(crate) async fn set(&self, what: &str, query: Query, within: Duration) -> Result<()> {
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
        let token = self.token().await?;
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
        let connector = self.connector();
        if !connector.endpoint.secure {
            return Ok(None);
        }
        let session = &self.inner.session;
        session.token(connector, self.options(), None).await
    }
}

/// The request with a session.
pub(crate) fn authorized(
    request: http::request::Builder,
    token: Option<&str>,
) -> http::request::Builder {
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
