// SPDX-License-Identifier: Apache-2.0
//! Where a host is.

use std::fmt;

use crate::error::{Error, Result};

/// A name or an IP address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// A host by name or IP address; an IPv6 address may stand in brackets.
    ///
    /// # Errors
    /// [`Error::Argument`] when this can be no host: a user, a path or a port is in it.
    pub fn new(host: &str, port: u16) -> Result<Self> {
        let bare = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(host);
        let of_names = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        let is_v6 = bare
            .split('%')
            .next()
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
        if !(is_v6 || !bare.is_empty() && bare == host && bare.chars().all(of_names)) || port == 0 {
            return Err(Error::Argument(format!(
                "{host:?} with port {port} is no SSH host: a name or an IP address is one, without user and port"
            )));
        }
        Ok(Self {
            host: bare.to_owned(),
            port,
        })
    }

    /// Name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As `known_hosts` has it: the port only where it is not 22.
    pub(crate) fn in_known_hosts(&self) -> String {
        let host = self.host.to_lowercase();
        match self.port {
            22 => host,
            port => format!("[{host}]:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let check = |host: &str, shown: Option<&str>| {
            let address = Address::new(host, 22).ok();
            assert_eq!(address.map(|a| a.to_string()).as_deref(), shown, "{host}");
        };
        check("cp1.local", Some("cp1.local:22"));
        check("10.10.88.73", Some("10.10.88.73:22"));
        check("fd00::73", Some("[fd00::73]:22"));
        check("[fd00::73]", Some("[fd00::73]:22"));
        check("fe80::1%eth0", Some("[fe80::1%eth0]:22"));
        for none in [
            "",
            "root@cp1",
            "cp1:22",
            "[cp1]",
            "ssh://cp1",
            "a b",
            "a/b",
            "-oProxyCommand=x;y",
        ] {
            check(none, None);
        }
        assert!(Address::new("cp1", 0).is_err());
        assert_eq!(
            Address::new("CP1", 2222).unwrap().in_known_hosts(),
            "[cp1]:2222"
        );
    }
}
