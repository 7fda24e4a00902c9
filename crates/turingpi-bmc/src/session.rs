// SPDX-License-Identifier: Apache-2.0
//! The login: when it is needed, once, and never again with what was refused.

use std::path::Path;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::connection::{Answer, Connector, full};
use crate::endpoint::Options;
use crate::error::{Error, Result};

/// Token of the session, and what became of the last login.
pub(crate) struct Session {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<String>,
    /// The refusal of the credentials: it is not tried again, each try counts towards a ban.
    refused: Option<String>,
    file_was_read: bool,
    restart: Option<Restart>,
}

/// A restart of the daemon that was asked for and is not over.
#[derive(Clone, Default)]
pub(crate) struct Restart {
    /// The session of the old daemon: as long as it is accepted, the old one still answers.
    pub(crate) old_token: Option<String>,
}

impl Session {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::default(),
        }
    }

    /// The token to send, logging in where there is none. `stale` is one that was refused.
    pub(crate) async fn token(
        &self,
        connector: &Connector,
        options: &Options,
        stale: Option<&str>,
    ) -> Result<Option<String>> {
        // the lock is held over the login: others who wait for it use its token
        let mut state = self.state.lock().await;
        if state.token.as_deref() == stale && stale.is_some() {
            state.token = None;
            // the next process must not try it again: each unknown token counts towards a ban
            if let Some(file) = &options.token_file {
                let _ = std::fs::remove_file(file);
            }
        }
        if !state.file_was_read {
            state.file_was_read = true;
            if let Some(file) = &options.token_file {
                state.token = read_token(file).filter(|t| Some(t.as_str()) != stale);
            }
        }
        if state.token.is_some() {
            return Ok(state.token.clone());
        }
        let Some(credentials) = &options.credentials else {
            return Ok(None);
        };
        if let Some(text) = &state.refused {
            return Err(Error::Credentials {
                endpoint: connector.endpoint.authority(),
                user: credentials.username.clone(),
                text: text.clone(),
            });
        }
        let body = serde_json::json!({
            "username": credentials.username,
            "password": credentials.password,
        });
        let request = http::Request::post("/api/bmc/authenticate")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(full(body.to_string()))
            .map_err(|e| Error::Argument(e.to_string()))?;
        let answer = connector
            .call("the login", request, options.timeout)
            .await?;
        if answer.status != http::StatusCode::OK {
            let text = answer.text();
            if let Some(banned) = banned(connector, &text) {
                return Err(banned);
            }
            let refused = matches!(answer.status.as_u16(), 401 | 403);
            if !refused {
                // a daemon that is starting
                return Err(Error::Refused {
                    what: "the login".into(),
                    status: answer.status.as_u16(),
                    text: crate::answer::error_text(&text),
                });
            }
            state.refused = Some(text.clone());
            return Err(Error::Credentials {
                endpoint: connector.endpoint.authority(),
                user: credentials.username.clone(),
                text,
            });
        }
        let token = token_of(&answer)?;
        if let Some(file) = &options.token_file {
            write_token(file, &token);
        }
        state.token = Some(token.clone());
        Ok(Some(token))
    }

    /// Forgets the token: the daemon does not know it any more; to use it would count towards a ban.
    pub(crate) async fn forget(&self, options: &Options) {
        self.state.lock().await.token = None;
        if let Some(file) = &options.token_file {
            let _ = std::fs::remove_file(file);
        }
    }

    /// The daemon is about to restart: its session is kept for nothing but to tell the old daemon from the new one.
    pub(crate) async fn restarting(&self, options: &Options) {
        let mut state = self.state.lock().await;
        let old_token = state.token.take();
        state.restart = Some(Restart { old_token });
        drop(state);
        self.forget(options).await;
    }

    /// The restart that is not over.
    pub(crate) async fn restart(&self) -> Option<Restart> {
        self.state.lock().await.restart.clone()
    }

    /// The new daemon answers.
    pub(crate) async fn restarted(&self) {
        self.state.lock().await.restart = None;
    }
}

fn token_of(answer: &Answer) -> Result<String> {
    let header = answer
        .headers
        .get("x-auth-token")
        .and_then(|v| v.to_str().ok())
        .map(str::to_owned);
    let body = serde_json::from_slice::<serde_json::Value>(&answer.body)
        .ok()
        .and_then(|v| Some(v.get("id")?.as_str()?.to_owned()));
    // the answer holds the token: it is not shown
    header
        .or(body)
        .filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic()))
        .ok_or_else(|| crate::answer::unknown("the login", "an answer without a token"))
}

/// Whether the text of a refusal is that of a ban, and how long it lasts.
pub(crate) fn banned(connector: &Connector, text: &str) -> Option<Error> {
    text.contains("Exceeded allowed authentication attempts")
        .then(|| Error::Banned {
            endpoint: connector.endpoint.authority(),
            for_at_most: text.split("blocked for ").nth(1).and_then(duration),
        })
}

/// Reads `1h 2m 3s`; words behind it and parts below a second mean nothing.
fn duration(text: &str) -> Option<Duration> {
    let mut total = None;
    for word in text.split_whitespace() {
        let digits = word.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = &word[digits.len()..];
        let seconds = match unit.trim_end_matches(['.', ',']) {
            "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" | "day" | "days" => 86_400,
            "ms" | "us" | "ns" => 0,
            _ => break,
        };
        let Ok(count) = digits.parse::<u64>() else {
            break;
        };
        total = Some(total.unwrap_or(0) + count.saturating_mul(seconds));
    }
    total.map(Duration::from_secs)
}

/// A token that others may read is none.
fn read_token(file: &Path) -> Option<String> {
    let bytes = match private_file::read(file) {
        Ok(bytes) => bytes?,
        Err(e) => {
            log::warn!("the kept session is not used: {e}");
            return None;
        }
    };
    let token = std::str::from_utf8(&bytes).ok()?.trim();
    (!token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic())).then(|| token.to_owned())
}

/// Keeps a token; a session without a file is a session all the same.
fn write_token(file: &Path, token: &str) {
    let written = match file.parent() {
        Some(dir) => private_file::directory(dir),
        None => Ok(()),
    };
    if let Err(e) = written.and_then(|()| private_file::write(file, token.as_bytes())) {
        log::warn!("the session is not kept: {e}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_ban_lasts() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(duration(text).map(|d| d.as_secs()), expected, "{text}");
        };
        check("59s 123ms 456us", Some(59));
        check("1m 4s.", Some(64));
        check("17h 4m", Some(61_440));
        check("59s …", Some(59));
        check("a while", None);
        check("", None);
    }

    #[test]
    fn a_token_is_kept_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/token");
        write_token(&file, "t");
        assert_eq!(read_token(&file).as_deref(), Some("t"));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read_token(&file), None);
    }
}
