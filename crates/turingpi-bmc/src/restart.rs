// SPDX-License-Identifier: Apache-2.0
//! Restarts, and the proof that a new daemon answers.
//!
//! After a restart was asked for, the old daemon goes on answering for a while, takes logins and looks like the new one. What tells them
//! apart is the session: the old daemon knows it, the new one does not. So the old token is shown until it is refused, once; that one
//! failure is wiped out by the login that follows.

use std::time::{Duration, Instant};

use crate::bmc::{Bmc, authorized};
use crate::connection::full;
use crate::error::{Error, Result};
use crate::generation::Generation;
use crate::query::Query;
use crate::session::banned;
use crate::turn::Parts;

/// How often the board is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Which daemon answers.
enum Daemon {
    Old,
    New,
}

impl Bmc {
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
        self.restart("reboot", query, Parts::ALL).await
    }

    /// Restarts the daemon: modules run on, sessions are lost.
    ///
    /// # Errors
    /// When the firmware has no such thing, it was refused, or nobody answers.
    pub async fn reload(&self) -> Result<()> {
        self.needs("a restart of the daemon", Generation::V2_0, "2.0.4")
            .await?;
        let query = Query::set("reload");
        self.restart("reload", query, Parts::DAEMON).await
    }

    async fn restart(&self, what: &str, query: Query, parts: Parts) -> Result<()> {
        let _place = self.claim(what, parts).await?;
        let result = self.set(what, query, self.options().timeout).await;
        // the token dies with the old process, also when its answer got lost
        if !matches!(&result, Err(Error::Refused { .. } | Error::Banned { .. })) {
            self.inner.session.restarting(self.options()).await;
        }
        result
    }

    /// Waits until the daemon that takes a login is another one than before the restart, at most `within`.
    ///
    /// Where no login is asked for, it is enough that nobody answered for a moment.
    ///
    /// # Errors
    /// When it does not come back in time, has not gone, or refuses the login.
    pub async fn wait_ready(&self, within: Duration) -> Result<()> {
        let until = Instant::now() + within;
        // nobody has answered in between
        let mut gap = false;
        loop {
            // a connection that still stands leads to the old process
            self.connector().close_idle();
            let still_old = match self.look_for_new(gap).await {
                Ok(Daemon::New) => return Ok(()),
                Ok(Daemon::Old) => true,
                Err(Error::Refused { status: 500.., .. }) => false,
                Err(e) if e.is_unreachable() && !matches!(e, Error::Banned { .. }) => {
                    log::debug!("{e}");
                    gap = true;
                    false
                }
                Err(e) => return Err(e),
            };
            if Instant::now() >= until {
                return Err(if still_old {
                    Error::StillOld {
                        endpoint: self.connector().endpoint.authority(),
                        after: within,
                    }
                } else {
                    self.connector().timed_out("after a restart", within)
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look_for_new(&self, gap: bool) -> Result<Daemon> {
        let session = &self.inner.session;
        if let Some(restart) = session.restart().await {
            let daemon = match &restart.old_token {
                Some(token) => self.whose(token, gap).await?,
                None if gap => Daemon::New,
                None => {
                    self.probe(None).await?;
                    Daemon::Old
                }
            };
            if matches!(daemon, Daemon::Old) {
                return Ok(Daemon::Old);
            }
            session.restarted().await;
        }
        self.token().await?;
        self.power().await?;
        Ok(Daemon::New)
    }

    /// Whether the daemon that answers has given this token.
    async fn whose(&self, token: &str, gap: bool) -> Result<Daemon> {
        if self.probe(Some(token)).await? == http::StatusCode::UNAUTHORIZED {
            return Ok(Daemon::New);
        }
        // who need not log in may show any token; a call without one is not counted towards a ban
        if gap && self.probe(None).await?.is_success() {
            return Ok(Daemon::New);
        }
        Ok(Daemon::Old)
    }

    /// A look with this token or none; what it is answered does not matter.
    async fn probe(&self, token: Option<&str>) -> Result<http::StatusCode> {
        let request = authorized(http::Request::get(Query::get("power").path()), token)
            .body(full(""))
            .map_err(|e| Error::Argument(e.to_string()))?;
        let connector = self.connector();
        let within = self.options().timeout;
        let answer = connector.call("after a restart", request, within).await?;
        match banned(connector, &answer.text()) {
            Some(banned) => Err(banned),
            None => Ok(answer.status),
        }
    }
}
