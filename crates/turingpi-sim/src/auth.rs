// SPDX-License-Identifier: Apache-2.0
//! Logins, sessions and bans, by the daemon's rules.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::profile::Profile;

/// How long a session lasts since its last use.
const EXPIRES: Duration = Duration::from_secs(10_800);
/// The failure that begins a ban.
const ATTEMPTS: u32 = 5;

#[derive(Default)]
struct Peer {
    failures: u32,
    /// Until when, in the board's time.
    banned: Option<Duration>,
}

/// A refusal: the text, and the header that goes with it.
pub(crate) struct Refusal {
    pub(crate) text: String,
    pub(crate) challenge: &'static str,
}

const BASIC: &str = r#"Basic realm="Access to Baseboard Management Controller""#;
const BEARER: &str =
    r#"Bearer realm="Access to Baseboard Management Controller", error="invalid_token""#;

pub(crate) struct Auth {
    bans: bool,
    username: String,
    password: String,
    tokens: HashMap<String, Duration>,
    peers: HashMap<IpAddr, Peer>,
}

impl Auth {
    pub(crate) fn new(profile: Profile, username: String, password: String) -> Self {
        Self {
            // bans came with 2.0.5
            bans: profile >= Profile::V2_0_5,
            username,
            password,
            tokens: HashMap::new(),
            peers: HashMap::new(),
        }
    }

    /// The daemon has restarted: sessions and bans are gone.
    pub(crate) fn restart(&mut self) {
        self.tokens.clear();
        self.peers.clear();
    }

    /// Sessions are gone, bans stay.
    pub(crate) fn lose_tokens(&mut self) {
        self.tokens.clear();
    }

    fn banned(&self, peer: IpAddr, now: Duration) -> Option<String> {
        let until = self.peers.get(&peer)?.banned?;
        let left = until.checked_sub(now).filter(|l| !l.is_zero())?;
        Some(exceeded(left))
    }

    /// Counts a failure; gives the text of the ban that it begins.
    fn failed(&mut self, peer: IpAddr, now: Duration) -> Option<String> {
        if !self.bans {
            return None;
        }
        let peer = self.peers.entry(peer).or_default();
        peer.failures += 1;
        if peer.failures < ATTEMPTS {
            return None;
        }
        let minutes = 1_u64 << (peer.failures - ATTEMPTS).min(10);
        let length = Duration::from_secs(60 * minutes);
        peer.banned = Some(now + length);
        Some(exceeded(length))
    }

    /// A login; the new token, or the text of the refusal.
    pub(crate) fn login(
        &mut self,
        peer: IpAddr,
        body: &[u8],
        now: Duration,
    ) -> Result<String, String> {
        if let Some(text) = self.banned(peer, now) {
            return Err(text);
        }
        let parsed: serde_json::Value = serde_json::from_slice(body)
            .map_err(|e| format!("error trying to parse credentials: {e}"))?;
        let text = |name: &str| parsed.get(name).and_then(serde_json::Value::as_str);
        let (Some(username), Some(password)) = (text("username"), text("password")) else {
            return Err("error trying to parse credentials: missing field".into());
        };
        if !self.matches(username, password) {
            return Err(self
                .failed(peer, now)
                .unwrap_or_else(|| "credentials incorrect".into()));
        }
        self.peers.remove(&peer);
        self.tokens
            .retain(|_, used| now.saturating_sub(*used) < EXPIRES);
        let token = random_token();
        self.tokens.insert(token.clone(), now);
        Ok(token)
    }

    fn matches(&self, username: &str, password: &str) -> bool {
        self.username == username && self.password == password
    }

    /// Whether a request with this header may pass.
    pub(crate) fn check(
        &mut self,
        peer: IpAddr,
        header: Option<&str>,
        now: Duration,
    ) -> Result<(), Refusal> {
        if let Some(text) = self.banned(peer, now) {
            return Err(Refusal {
                text,
                challenge: BEARER,
            });
        }
        let Some(header) = header else {
            return Err(Refusal {
                text: "no authorization header provided".into(),
                challenge: BASIC,
            });
        };
        let refuse = |text| Refusal {
            text,
            challenge: BEARER,
        };
        if let Some(token) = header.strip_prefix("Bearer ") {
            return match self.tokens.get_mut(token) {
                Some(used) if now.saturating_sub(*used) < EXPIRES => {
                    *used = now;
                    self.peers.remove(&peer);
                    Ok(())
                }
                Some(used) => {
                    let ago = now.saturating_sub(*used);
                    self.tokens.remove(token);
                    // told once, and not counted
                    Err(refuse(format!("token expired {} ago", words(ago))))
                }
                None => {
                    Err(refuse(self.failed(peer, now).unwrap_or_else(|| {
                        format!("token {token} is not registered")
                    })))
                }
            };
        }
        if let Some(basic) = header.strip_prefix("Basic ") {
            let decoded = decode_base64(basic);
            let pair = decoded.as_deref().and_then(|d| d.split_once(':'));
            return match pair {
                Some((username, password)) if self.matches(username, password) => {
                    self.peers.remove(&peer);
                    Ok(())
                }
                Some(_) => Err(refuse(
                    self.failed(peer, now)
                        .unwrap_or_else(|| "credentials incorrect".into()),
                )),
                None => Err(refuse("invalid authorization header".into())),
            };
        }
        let scheme = header.split(' ').next().unwrap_or_default();
        Err(refuse(format!("{scheme} authentication not supported")))
    }
}

fn exceeded(left: Duration) -> String {
    format!(
        "Exceeded allowed authentication attempts. Access blocked for {} {}ms",
        words(left),
        left.subsec_millis()
    )
}

/// `1h 2m 3s`.
fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts = [
        (seconds / 3600, 'h'),
        (seconds / 60 % 60, 'm'),
        (seconds % 60, 's'),
    ];
    let shown: Vec<_> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, unit)| format!("{n}{unit}"))
        .collect();
    if shown.is_empty() {
        "0s".to_owned()
    } else {
        shown.join(" ")
    }
}

fn random_token() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut bytes = [0; 64];
    // without randomness there is no session worth having; a simulator can go on
    let _ = getrandom::fill(&mut bytes);
    bytes
        .iter()
        .map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()]))
        .collect()
}

fn decode_base64(text: &str) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const RIGHT: &[u8] = br#"{"username":"root","password":"turing"}"#;
    const WRONG: &[u8] = br#"{"username":"root","password":"x"}"#;

    fn auth() -> Auth {
        Auth::new(Profile::V2_3_7, "root".into(), "turing".into())
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_fifth_failure_bans_and_the_ban_doubles() {
        let mut auth = auth();
        for _ in 0..4 {
            assert_eq!(
                auth.login(PEER, WRONG, at(0)),
                Err("credentials incorrect".into())
            );
        }
        assert!(
            auth.login(PEER, WRONG, at(0))
                .unwrap_err()
                .contains("for 1m 0ms")
        );
        // right passwords and old sessions are refused too, and nothing is counted
        assert!(
            auth.login(PEER, RIGHT, at(30))
                .unwrap_err()
                .contains("for 30s")
        );
        assert!(
            auth.login(PEER, WRONG, at(61))
                .unwrap_err()
                .contains("for 2m")
        );
        assert!(auth.login(PEER, RIGHT, at(200)).is_ok());
        assert_eq!(
            auth.login(PEER, WRONG, at(200)),
            Err("credentials incorrect".into())
        );
    }

    #[test]
    fn stale_tokens_count_and_expired_ones_do_not() {
        let mut auth = auth();
        let token = format!("Bearer {}", auth.login(PEER, RIGHT, at(0)).unwrap());
        assert!(auth.check(PEER, Some(&token), at(10_000)).is_ok());
        assert!(auth.check(PEER, Some(&token), at(20_000)).is_ok());
        let expired = auth.check(PEER, Some(&token), at(40_000)).err().unwrap();
        assert!(
            expired.text.starts_with("token expired 5h"),
            "{}",
            expired.text
        );
        for _ in 0..4 {
            let text = auth
                .check(PEER, Some(&token), at(40_000))
                .err()
                .unwrap()
                .text;
            assert!(text.ends_with("is not registered"), "{text}");
        }
        let text = auth
            .check(PEER, Some(&token), at(40_000))
            .err()
            .unwrap()
            .text;
        assert!(text.starts_with("Exceeded"), "{text}");
        assert!(
            auth.check(PEER, None, at(50_000))
                .err()
                .unwrap()
                .text
                .contains("no authorization")
        );
    }

    #[test]
    fn basic_works_for_every_call() {
        let mut auth = auth();
        assert!(
            auth.check(PEER, Some("Basic cm9vdDp0dXJpbmc="), at(0))
                .is_ok()
        );
        assert!(auth.check(PEER, Some("Basic !"), at(0)).is_err());
        let other = auth.check(PEER, Some("Digest x"), at(0)).err().unwrap();
        assert_eq!(other.text, "Digest authentication not supported");
    }
}
