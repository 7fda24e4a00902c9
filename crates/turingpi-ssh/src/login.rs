// SPDX-License-Identifier: Apache-2.0
//! Who logs in, and with what.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{Handle, KeyboardInteractiveAuthResponse as Asked};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, HashAlg, PrivateKey, PrivateKeyWithHashAlg, decode_secret_key};
use russh::{MethodKind, MethodSet, client::AuthResult};

use crate::client::Checks;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The longest private key in bytes.
const KEY_BYTES: usize = 64 << 10;
/// Keys of an agent that are tried; servers end a connection after six attempts.
const AGENT_KEYS: usize = 6;
/// Rounds of questions that are answered with the password.
const ROUNDS: usize = 4;

/// A user and the ways in, tried in their order.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The ways.
    pub methods: Vec<Method>,
}

/// A way in.
#[derive(Clone, Debug)]
pub enum Method {
    /// A private key: the text of an OpenSSH, PKCS #8 or PuTTY file. Ed25519 or ECDSA.
    Key {
        /// The file's text.
        text: Secret,
        /// What it is encrypted with.
        passphrase: Option<Secret>,
    },
    /// The keys of the agent behind this socket.
    Agent(PathBuf),
    /// A password, also as the answer to the server's questions (keyboard-interactive).
    Password(Secret),
}

impl Method {
    /// The agent of the user, whose socket `SSH_AUTH_SOCK` names.
    ///
    /// # Errors
    /// [`Error::Agent`] when it names none.
    pub fn agent_of_user() -> Result<Self> {
        let socket = std::env::var_os("SSH_AUTH_SOCK").filter(|socket| !socket.is_empty());
        let socket = socket.ok_or_else(|| Error::Agent("SSH_AUTH_SOCK is not set".into()))?;
        Ok(Self::Agent(socket.into()))
    }
}

/// What became of an attempt.
enum Attempt {
    In,
    Refused(MethodSet),
}

impl From<AuthResult> for Attempt {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::In,
            AuthResult::Failure {
                remaining_methods, ..
            } => Self::Refused(remaining_methods),
        }
    }
}

/// Logs in.
///
/// # Errors
/// [`Error::Refused`] when no way led in; [`Error::Key`] and [`Error::Agent`] when one cannot be gone.
pub(crate) async fn login(handle: &mut Handle<Checks>, address: &str, login: &Login) -> Result<()> {
    let mut tried = Vec::new();
    let mut takes = MethodSet::empty();
    for method in &login.methods {
        let attempt = match method {
            Method::Key { text, passphrase } => {
                let key = private_key(text.clone(), passphrase.clone()).await?;
                tried.push(format!("the key {}", key.fingerprint(HashAlg::Sha256)));
                let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
                let result = handle.authenticate_publickey(&login.user, key).await;
                result.map_err(|e| lost(address, &e))?.into()
            }
            Method::Agent(socket) => {
                by_agent(handle, address, &login.user, socket, &mut tried).await?
            }
            Method::Password(password) => {
                tried.push("the password".into());
                by_password(handle, address, &login.user, password).await?
            }
        };
        match attempt {
            Attempt::In => return Ok(()),
            Attempt::Refused(remaining) => takes = remaining,
        }
        if handle.is_closed() {
            break;
        }
    }
    let names: Vec<&str> = takes.iter().map(Into::into).collect();
    Err(Error::Refused {
        address: address.to_owned(),
        user: login.user.clone(),
        tried: if tried.is_empty() {
            "nothing".into()
        } else {
            tried.join(", ")
        },
        takes: if names.is_empty() {
            "no more attempts".into()
        } else {
            names.join(", ")
        },
    })
}

fn lost(address: &str, e: &russh::Error) -> Error {
    Error::Lost {
        address: address.to_owned(),
        why: e.to_string(),
    }
}

/// Reads a key. Its passphrase may cost seconds of processor time, so that is done beside.
async fn private_key(text: Secret, passphrase: Option<Secret>) -> Result<PrivateKey> {
    if text.expose().len() > KEY_BYTES {
        return Err(Error::Key(format!("it is longer than {KEY_BYTES} bytes")));
    }
    let read = tokio::task::spawn_blocking(move || read_key(&text, passphrase.as_ref()));
    read.await.map_err(|e| Error::Key(e.to_string()))?
}

fn read_key(text: &Secret, passphrase: Option<&Secret>) -> Result<PrivateKey> {
    use russh::keys::Error as Of;
    let why = |why: &str| Err(Error::Key(why.into()));
    let text = text.expose();
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") {
        return why("this is a public key");
    }
    if !text.contains("PRIVATE KEY-----") && !text.starts_with("PuTTY-") {
        return why("this is none; is it the name of a file?");
    }
    match decode_secret_key(text, passphrase.map(Secret::expose)) {
        Ok(key) if key.algorithm().is_rsa() => why("an RSA key works from an SSH agent alone"),
        Ok(key) if key.is_encrypted() => why("it has a passphrase, and none was given"),
        Ok(key) => Ok(key),
        Err(Of::UnsupportedKeyType {
            key_type_string, ..
        }) => why(&format!(
            "a key of type {key_type_string} works from an SSH agent alone"
        )),
        Err(Of::KeyIsEncrypted) => why("it has a passphrase, and none was given"),
        Err(_) if passphrase.is_some() => why("its text or its passphrase is wrong"),
        // what the library says may quote what it has read
        Err(_) => why("its text is not whole, or of a form that is not known, or encrypted"),
    }
}

async fn by_agent(
    handle: &mut Handle<Checks>,
    address: &str,
    user: &str,
    socket: &Path,
    tried: &mut Vec<String>,
) -> Result<Attempt> {
    let agent = AgentClient::connect_uds(socket).await;
    let mut agent = agent.map_err(|e| Error::Agent(format!("{}: {e}", socket.display())))?;
    let keys = agent
        .request_identities()
        .await
        .map_err(|e| Error::Agent(e.to_string()))?;
    if keys.is_empty() {
        return Err(Error::Agent("it holds no keys".into()));
    }
    let mut attempt = Attempt::Refused(MethodSet::empty());
    for identity in keys.into_iter().take(AGENT_KEYS) {
        let AgentIdentity::PublicKey { key, .. } = identity else {
            continue;
        };
        tried.push(format!(
            "the agent's key {}",
            key.fingerprint(HashAlg::Sha256)
        ));
        let hash = match key.algorithm() {
            Algorithm::Rsa { .. } => {
                let best = handle
                    .best_supported_rsa_hash()
                    .await
                    .map_err(|e| lost(address, &e))?;
                best.unwrap_or(Some(HashAlg::Sha512))
            }
            _ => None,
        };
        match handle
            .authenticate_publickey_with(user, key, hash, &mut agent)
            .await
        {
            Ok(result) => attempt = result.into(),
            Err(e) => return Err(Error::Agent(e.to_string())),
        }
        if matches!(attempt, Attempt::In) || handle.is_closed() {
            break;
        }
    }
    Ok(attempt)
}

async fn by_password(
    handle: &mut Handle<Checks>,
    address: &str,
    user: &str,
    password: &Secret,
) -> Result<Attempt> {
    let result = handle.authenticate_password(user, password.expose()).await;
    let attempt = Attempt::from(result.map_err(|e| lost(address, &e))?);
    // many servers take passwords only as answers to questions
    let Attempt::Refused(remaining) = &attempt else {
        return Ok(attempt);
    };
    if remaining.contains(&MethodKind::Password)
        || !remaining.contains(&MethodKind::KeyboardInteractive)
    {
        return Ok(attempt);
    }
    let mut asked = handle
        .authenticate_keyboard_interactive_start(user, None)
        .await;
    for _ in 0..ROUNDS {
        match asked.map_err(|e| lost(address, &e))? {
            Asked::Success => return Ok(Attempt::In),
            Asked::Failure {
                remaining_methods, ..
            } => return Ok(Attempt::Refused(remaining_methods)),
            Asked::InfoRequest { prompts, .. } => {
                // what is echoed is no password
                let answer = |echo: bool| {
                    if echo {
                        String::new()
                    } else {
                        password.expose().to_owned()
                    }
                };
                let answers = prompts.iter().map(|p| answer(p.echo)).collect();
                asked = handle
                    .authenticate_keyboard_interactive_respond(answers)
                    .await;
            }
        }
    }
    Ok(attempt)
}
