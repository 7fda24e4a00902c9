// SPDX-License-Identifier: Apache-2.0
//! What the command line says in the environment, and the one line that answers it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The value by which a host shows that it is one; it is no secret.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";
const COOKIE_VARIABLE: &str = "TF_PLUGIN_MAGIC_COOKIE";
/// The protocol that this crate speaks.
const PROTOCOL: u32 = 6;

/// Why there is nobody to serve.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// Started by hand.
    #[error(
        "this program is a plugin: it is started by terraform or tofu, not by hand. \
         Put it where `provider_installation` in the CLI configuration says, and run `terraform plan`"
    )]
    NotAPlugin,
    /// A host that is too old.
    #[error(
        "the host speaks plugin protocol {0}, this provider speaks 6: use Terraform 1.0 or OpenTofu 1.6 or newer"
    )]
    Protocol(String),
}

/// What a host wants.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The certificate that the client will show, PEM. Without it the host has switched TLS off.
    pub(crate) client_certificate: Option<String>,
    /// Where the socket should be.
    pub(crate) socket_dir: Option<PathBuf>,
    /// Whether the line has a field about multiplexing.
    pub(crate) asks_multiplexing: bool,
}

impl Request {
    /// Reads the environment.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, HandshakeError> {
        if variable(COOKIE_VARIABLE).as_deref() != Some(COOKIE) {
            return Err(HandshakeError::NotAPlugin);
        }
        let versions = variable("PLUGIN_PROTOCOL_VERSIONS").unwrap_or_default();
        // the order means nothing; a host that says nothing takes what it gets
        if !versions.is_empty()
            && !versions
                .split(',')
                .any(|v| v.trim() == PROTOCOL.to_string())
        {
            return Err(HandshakeError::Protocol(versions));
        }
        let text = |name| variable(name).filter(|v| !v.is_empty());
        Ok(Self {
            client_certificate: text("PLUGIN_CLIENT_CERT"),
            socket_dir: text("PLUGIN_UNIX_SOCKET_DIR").map(PathBuf::from),
            asks_multiplexing: text("PLUGIN_MULTIPLEX_GRPC").is_some(),
        })
    }

    /// The line that tells the host where and how to connect.
    pub(crate) fn line(&self, socket: &Path, certificate: Option<&[u8]>) -> String {
        let certificate = certificate.map_or(String::new(), |der| STANDARD_NO_PAD.encode(der));
        let multiplexing = if self.asks_multiplexing { "|false" } else { "" };
        format!(
            "1|{PROTOCOL}|unix|{}|grpc|{certificate}{multiplexing}\n",
            socket.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Request, String> {
        Request::read(|name| {
            variables
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
        .map_err(|e| e.to_string())
    }

    #[test]
    fn who_is_no_host_is_told_so() {
        assert!(read(&[]).unwrap_err().contains("started by terraform"));
        assert!(read(&[(COOKIE_VARIABLE, "x")]).is_err());
    }

    #[test]
    fn versions_are_a_set() {
        let with = |versions| {
            read(&[
                (COOKIE_VARIABLE, COOKIE),
                ("PLUGIN_PROTOCOL_VERSIONS", versions),
            ])
        };
        assert!(with("6,5").is_ok());
        assert!(with("5,6").is_ok());
        assert!(with("").is_ok());
        assert!(with("5").unwrap_err().contains("protocol 5"));
        assert!(with("5,16").is_err());
    }

    #[test]
    fn line() {
        let plain = read(&[(COOKIE_VARIABLE, COOKIE)]).unwrap();
        assert_eq!(plain.line(Path::new("/s/x"), None), "1|6|unix|/s/x|grpc|\n");
        let full = read(&[(COOKIE_VARIABLE, COOKIE), ("PLUGIN_MULTIPLEX_GRPC", "true")]).unwrap();
        assert_eq!(
            full.line(Path::new("/s/x"), Some(&[1, 2, 3, 4])),
            "1|6|unix|/s/x|grpc|AQIDBA|false\n"
        );
    }
}
