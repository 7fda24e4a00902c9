// SPDX-License-Identifier: Apache-2.0
//! Where a BMC is, and whom to trust there.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Result};

/// Scheme, host and port of a BMC.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// Whether it speaks TLS. Boards of the 1.x generation do not; newer ones send a client of plain HTTP to HTTPS.
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl FromStr for Endpoint {
    type Err = Error;

    /// Reads `turingpi.local`, `10.0.0.5:8443`, `https://[fe80::1]`.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |why: &str| Error::Endpoint {
            endpoint: without_login(text),
            why: why.to_owned(),
        };
        let trimmed = text.trim();
        // a bare IPv6 address would be taken for host and port
        let full = if trimmed.contains("://") {
            trimmed.to_owned()
        } else if trimmed.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("https://[{trimmed}]")
        } else {
            format!("https://{trimmed}")
        };
        let uri: http::Uri = full.parse().map_err(|_| refuse("it is not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refuse("only https and http are known")),
        };
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refuse("user and password do not belong into the address"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(refuse("it must not have a path"));
        }
        let host = uri.host().filter(|h| !h.is_empty());
        let host = host.ok_or_else(|| refuse("it has no host"))?;
        // what is no port is no port for the parser, either
        let authority = uri.authority().map_or("", |a| a.as_str());
        let after_host = authority.rsplit(']').next().unwrap_or(authority);
        let port = match after_host.split_once(':') {
            None if secure => 443,
            None => 80,
            Some((_, digits)) => match digits.parse() {
                Ok(port @ 1..) => port,
                _ => return Err(refuse("its port is none: 1 to 65535 are")),
            },
        };
        Ok(Self {
            secure,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
        })
    }
}

/// An address for an error, without a password that somebody wrote into it.
fn without_login(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), text),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}…{}", &rest[at..]),
        None => text.to_owned(),
    }
}

impl Endpoint {
    /// Host and port as a Host header has them.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == if self.secure { 443 } else { 80 } {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

/// SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl FromStr for Fingerprint {
    type Err = Error;

    /// Reads 64 hexadecimal digits, with or without colons, with or without `sha256:`.
    fn from_str(text: &str) -> Result<Self> {
        let digits: String = text
            .trim()
            .trim_start_matches("sha256:")
            .trim_start_matches("SHA256:")
            .chars()
            .filter(|c| *c != ':')
            .collect();
        let mut bytes = [0; 32];
        let wrong = || {
            Error::Argument(format!(
                "{text:?} is no SHA-256 fingerprint: 64 hexadecimal digits are expected"
            ))
        };
        if digits.len() != 64 || !digits.is_ascii() {
            return Err(wrong());
        }
        for (byte, i) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[i..i + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, byte) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(":")?;
            }
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

/// Which certificate a BMC may show.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// One of an authority that this machine trusts.
    #[default]
    System,
    /// One of this authority, PEM; a board's own certificate is its own authority.
    Authority(String),
    /// The one with this fingerprint.
    Fingerprint(Fingerprint),
    /// The one that it showed first; a file remembers it.
    FirstUse(PathBuf),
    /// Any. Whoever is between here and the board can read and change everything.
    Insecure,
}

/// User name and password. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({:?})", self.username)
    }
}

/// What becomes of a call that would spoil what another one is doing to the board.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// It waits until the other one is done, for programs that do several things at once.
    #[default]
    Wait,
    /// It is refused with [`Error::Busy`], for people: a transfer takes a quarter of an hour.
    Refuse,
}

/// How a BMC is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is.
    pub endpoint: Endpoint,
    /// With what to log in; boards of the 1.x generation need nothing.
    pub credentials: Option<Credentials>,
    /// Which certificate it may show.
    pub trust: Trust,
    /// The longest time for a connection and for the answer to a common call.
    pub timeout: Duration,
    /// A file in which the session's token is kept, 0600, so that the next process need not log in. None keeps it in memory.
    pub token_file: Option<PathBuf>,
    /// What becomes of a call in the middle of another process's transfer.
    pub when_busy: WhenBusy,
}

impl Options {
    /// Options with the usual limits: 15 s, system authorities, no login.
    #[must_use]
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            credentials: None,
            trust: Trust::default(),
            timeout: Duration::from_secs(15),
            token_file: None,
            when_busy: WhenBusy::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let check = |text: &str, expected: &str| {
            let shown = match text.parse::<Endpoint>() {
                Ok(endpoint) => endpoint.to_string(),
                Err(e) => e.to_string(),
            };
            assert!(shown.contains(expected), "{text}: {shown}");
        };
        check("turingpi.local", "https://turingpi.local");
        check("10.0.0.5:8443", "https://10.0.0.5:8443");
        check("https://bmc:443/", "https://bmc");
        check("http://bmc", "http://bmc");
        check("fe80::1", "https://[fe80::1]");
        check("[fe80::1]:444", "https://[fe80::1]:444");
        check("ftp://bmc", "only https");
        check("https://root:turing@bmc", "do not belong");
        check("bmc:99999", "its port is none");
        check("bmc:0", "its port is none");
        check("bmc:", "its port is none");
        check("https://bmc:/", "its port is none");
        check("bmc:8443x", "is not the address");
        check("[::1]:", "its port is none");
        for secret in [
            "https://root:turing@bmc",
            "root:turing@bmc",
            "https://root:tur@ing@bmc/x",
        ] {
            let error = secret.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains("…@bmc") && !error.contains("tur"), "{error}");
        }
        check("https://bmc/api", "path");
        check("", "is not the address");
        check("https://", "is not the address");
    }

    #[test]
    fn fingerprints() {
        let digits = "ab".repeat(32);
        let parsed: Fingerprint = digits.parse().unwrap();
        assert_eq!(parsed.to_string().parse::<Fingerprint>().unwrap(), parsed);
        for text in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let credentials = Credentials {
            username: "root".into(),
            password: "hunter2".into(),
        };
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }
}
