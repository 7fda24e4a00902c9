// SPDX-License-Identifier: Apache-2.0
//! A connection to a host.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle, Handler};
use russh::keys::PublicKeyOrCertificate;
use russh::{Disconnect, Preferred, SshId};
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::error::{Error, Result, words};
use crate::host_key::Trust;
use crate::login::{Login, Method, login};
use crate::run::{Command, Output, Status, run};
use crate::secret::Secret;

/// How a host is reached.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is.
    pub address: Address,
    /// Which host keys it may show.
    pub trust: Trust,
    /// Who logs in.
    pub login: Login,
    /// The time for the connection and the host's key.
    pub connect_timeout: Duration,
    /// The time for the login.
    pub login_timeout: Duration,
}

impl Options {
    /// Options with 15 s for the connection and 30 s for the login.
    #[must_use]
    pub fn new(address: Address, trust: Trust, login: Login) -> Self {
        Self {
            address,
            trust,
            login,
            connect_timeout: Duration::from_secs(15),
            login_timeout: Duration::from_secs(30),
        }
    }
}

/// What ends a handshake.
#[derive(Debug)]
pub(crate) enum Stop {
    Ssh(russh::Error),
    Own(Error),
}

impl From<russh::Error> for Stop {
    fn from(e: russh::Error) -> Self {
        Self::Ssh(e)
    }
}

/// What the client does about what the server says.
pub(crate) struct Checks {
    trust: Trust,
    address: Address,
}

impl Handler for Checks {
    type Error = Stop;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Stop> {
        // it may wait for a file's lock
        let (trust, address) = (self.trust.clone(), self.address.clone());
        let key = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.clone().into(),
            PublicKeyOrCertificate::Certificate(certificate) => certificate.clone().into(),
        };
        let checked = tokio::task::spawn_blocking(move || trust.check(&address, &key));
        match checked.await {
            Ok(Ok(())) => Ok(true),
            Ok(Err(e)) => Err(Stop::Own(e)),
            Err(e) => Err(Stop::Ssh(russh::Error::IO(std::io::Error::other(e)))),
        }
    }
}

/// A connection to a host, logged in.
pub struct Client {
    handle: Handle<Checks>,
    address: String,
    user: String,
    password: Option<Secret>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({}@{})", self.user, self.address)
    }
}

impl Client {
    /// Connects, checks the host's key, and logs in. Needs a Tokio runtime with I/O and time.
    ///
    /// # Errors
    /// [`Error::Unreachable`] and [`Error::Timeout`], after which a repetition may help; [`Error::HostKey`] before anything secret is
    /// sent; [`Error::Refused`], [`Error::Key`], [`Error::Agent`] when nobody gets in.
    pub async fn connect(options: &Options) -> Result<Self> {
        let address = options.address.to_string();
        let too_long = |what, within| Error::Timeout {
            address: address.clone(),
            what,
            within,
        };
        let connecting = timeout(options.connect_timeout, handshake(options, &address)).await;
        let mut handle = connecting.map_err(|_| too_long("answer", options.connect_timeout))??;
        timeout(
            options.login_timeout,
            login(&mut handle, &address, &options.login),
        )
        .await
        .map_err(|_| too_long("decide about the login", options.login_timeout))??;
        let password = options
            .login
            .methods
            .iter()
            .find_map(|method| match method {
                Method::Password(password) => Some(password.clone()),
                _ => None,
            });
        Ok(Self {
            handle,
            address,
            user: options.login.user.clone(),
            password,
        })
    }

    /// Runs a command in the user's shell.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::TooLong`], [`Error::Lost`]; an exit code other than 0 is none.
    pub async fn run(&self, command: &Command) -> Result<Output> {
        let opening = timeout(command.timeout, self.handle.channel_open_session()).await;
        let channel = opening
            .map_err(|_| Error::Timeout {
                address: self.address.clone(),
                what: "open a session",
                within: command.timeout,
            })?
            .map_err(|e| Error::Lost {
                address: self.address.clone(),
                why: e.to_string(),
            })?;
        run(channel, &self.address, command).await
    }

    /// Reads a file of at most `limit` bytes. What the user may not read is read by `sudo`, with the login's password where `sudo`
    /// asks for one.
    ///
    /// # Errors
    /// [`Error::NoFile`], [`Error::Denied`], and those of [`Client::run`].
    pub async fn read_file(
        &self,
        path: &str,
        limit: usize,
        timeout: Duration,
    ) -> Result<Zeroizing<Vec<u8>>> {
        if path.is_empty() || path.contains('\0') {
            return Err(Error::Argument(format!("{path:?} is no path of a file")));
        }
        let cat = format!("cat -- {}", quoted(path));
        let read = async |line: String, stdin: Zeroizing<Vec<u8>>| {
            let mut command = Command::new(format!("reading {path}"), line);
            (command.limit, command.timeout, command.stdin) = (limit, timeout, stdin);
            self.run(&command).await
        };
        let denied = |why: String| {
            Err(Error::Denied {
                address: self.address.clone(),
                user: self.user.clone(),
                path: path.to_owned(),
                why,
            })
        };
        let none = Zeroizing::default;
        let output = read(format!("LC_ALL=C {cat}"), none()).await?;
        if !says(&output, "Permission denied") || self.user == "root" {
            return self.content(output, path);
        }
        let output = read(format!("LC_ALL=C sudo -n {cat}"), none()).await?;
        if output.status == Status::Exit(127) {
            return denied("it is not there".into());
        }
        // either sudo complains, or the command that it ran
        if output.success() || says(&output, "cat:") {
            return self.content(output, path);
        }
        let asks = says(&output, "password is required");
        let Some(password) = self.password.as_ref().filter(|_| asks) else {
            return denied(words(&output.stderr));
        };
        let mut typed = Zeroizing::new(Vec::with_capacity(password.expose().len() + 1));
        typed.extend_from_slice(password.expose().as_bytes());
        typed.push(b'\n');
        let output = read(format!("LC_ALL=C sudo -S -p '' {cat}"), typed).await?;
        if output.success() || says(&output, "cat:") {
            return self.content(output, path);
        }
        denied(words(&output.stderr))
    }

    fn content(&self, output: Output, path: &str) -> Result<Zeroizing<Vec<u8>>> {
        if output.success() {
            return Ok(output.stdout);
        }
        if says(&output, "No such file") {
            return Err(Error::NoFile {
                address: self.address.clone(),
                path: path.to_owned(),
            });
        }
        Err(Error::Failed {
            address: self.address.clone(),
            what: format!("reading {path}"),
            why: output.why(),
        })
    }

    /// Says goodbye. A client that is dropped ends its connection without.
    pub async fn close(self) {
        // the host may have closed it already
        let _ = self
            .handle
            .disconnect(Disconnect::ByApplication, "", "")
            .await;
    }
}

/// Whether a command that failed complained of this.
fn says(output: &Output, text: &str) -> bool {
    !output.success() && String::from_utf8_lossy(&output.stderr).contains(text)
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

async fn handshake(options: &Options, address: &str) -> Result<Handle<Checks>> {
    let host = (options.address.host(), options.address.port());
    let stream = TcpStream::connect(host)
        .await
        .map_err(|e| Error::Unreachable {
            address: address.to_owned(),
            why: e.to_string(),
        })?;
    // small packets go back and forth; a socket that cannot do it works all the same
    let _ = stream.set_nodelay(true);
    let checks = Checks {
        trust: options.trust.clone(),
        address: options.address.clone(),
    };
    let config = Arc::new(client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-turingpi-ssh_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred: preferred(options)?,
        keepalive_interval: Some(Duration::from_secs(15)),
        ..client::Config::default()
    });
    client::connect_stream(config, stream, checks)
        .await
        .map_err(|stop| match stop {
            Stop::Own(e) => e,
            Stop::Ssh(e) => broken(address, &e),
        })
}

/// The library's algorithms; keys of the types that are expected of the host first, for it shows one of the first type that it has.
fn preferred(options: &Options) -> Result<Preferred> {
    let mut preferred = Preferred::default();
    let expected = options.trust.expected(&options.address)?;
    preferred
        .key
        .to_mut()
        .sort_by_key(|algorithm| !expected.contains(algorithm));
    Ok(preferred)
}

fn broken(address: &str, e: &russh::Error) -> Error {
    use russh::Error as Of;
    let why = match e {
        Of::Version => "what it says first is no SSH".into(),
        Of::Disconnect | Of::HUP => "it closed the connection".into(),
        Of::IO(e) => e.to_string(),
        Of::NoCommonAlgo { kind, theirs, .. } => {
            format!("no {kind:?} algorithm in common; it has {theirs:?}")
        }
        other => other.to_string(),
    };
    match e {
        // a host that is on its way up or down
        Of::Disconnect | Of::HUP | Of::IO(_) => Error::Lost {
            address: address.to_owned(),
            why,
        },
        _ => Error::Protocol {
            address: address.to_owned(),
            why,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("/etc/a b"), "'/etc/a b'");
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
    }
}
