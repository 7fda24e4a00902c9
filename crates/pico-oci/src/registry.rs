// SPDX-License-Identifier: Apache-2.0
//! OCI registries (distribution specification v1.1): pull and push of one image.
//!
//! Registries on this machine are asked over plain HTTP, all others over TLS unless the caller says otherwise. A registry
//! that wants a token is asked for one: with the credentials for the image if there are any, and an anonymous one otherwise.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use pico_eci::build::Parts;
use pico_eci::{
    Digest, MANIFEST_MEDIA_TYPE, MAX_CONFIG_BYTES, MAX_LAYER_BYTES, MAX_MANIFEST_BYTES, Manifest,
};
use ureq::http::{HeaderMap, Method, Request, Response};
use ureq::{Agent, Body};

use crate::credentials::{Credentials, Login};
use crate::error::{Error, Result};
use crate::reference::{Name, Reference};

/// A registry client.
#[derive(Debug)]
pub struct Registry {
    agent: Agent,
    plain_http: bool,
    credentials: Credentials,
    session: Session,
}

/// What a registry is told of who asks.
#[derive(Default)]
struct Session {
    login: Option<Login>,
    /// The value of the header `Authorization`, once the registry has asked for one.
    authorization: Option<String>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Session")
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Registry {
    /// A client; with `plain_http` it uses no TLS with any registry.
    #[must_use]
    pub fn new(plain_http: bool) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .max_redirects(5)
            .build();
        Self {
            agent: config.into(),
            plain_http,
            credentials: Credentials::default(),
            session: Session::default(),
        }
    }

    /// The same client, which tells registries who it is.
    #[must_use]
    pub fn with_credentials(self, credentials: Credentials) -> Self {
        Self {
            credentials,
            ..self
        }
    }

    /// Does something as each of those who may ask for the image, until one is not refused.
    fn logged_in<T>(
        &mut self,
        reference: &Reference,
        mut act: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<T> {
        let logins: Vec<Login> = self
            .credentials
            .of(reference)
            .into_iter()
            .cloned()
            .collect();
        let (last, others) = match logins.split_last() {
            Some((last, others)) => (Some(last.clone()), others),
            None => (None, &[][..]),
        };
        for login in others {
            self.begin(Some(login.clone()));
            match act(self) {
                Err(Error::Refused {
                    status: 401 | 403, ..
                }) => {}
                done => return done,
            }
        }
        self.begin(last);
        act(self)
    }

    /// From now on it asks as this one; what a registry has given to nobody in particular is kept.
    fn begin(&mut self, login: Option<Login>) {
        if self.session.login != login {
            self.session = Session {
                login,
                authorization: None,
            };
        }
    }

    /// Pulls an image; every part has the digest by which it was asked for. Verify it before it is used.
    ///
    /// # Errors
    /// [`Error::Registry`], [`Error::Refused`], [`Error::Manifest`] when it is not an ECI, [`Error::Digest`].
    pub fn pull(&mut self, reference: &Reference) -> Result<Vec<u8>> {
        self.logged_in(reference, |this| this.pull_once(reference))
    }

    fn pull_once(&mut self, reference: &Reference) -> Result<Vec<u8>> {
        let url = self.url(reference, &format!("manifests/{}", reference.name));
        let manifest = self.bytes("pull", &url, Some(MANIFEST_MEDIA_TYPE), MAX_MANIFEST_BYTES)?;
        if matches!(&reference.name, Name::Digest(digest) if *digest != Digest::of(&manifest)) {
            return Err(Error::Digest { url });
        }
        let parsed = Manifest::parse(&manifest).map_err(|source| Error::Manifest {
            reference: reference.to_string(),
            source,
        })?;
        let config = self.blob(reference, &parsed.config, MAX_CONFIG_BYTES)?;
        let module = self.blob(reference, &parsed.layer, MAX_LAYER_BYTES)?;
        Ok(Parts {
            manifest,
            config,
            module,
        }
        .bundle()?)
    }

    /// Pushes an image; returns its digest.
    ///
    /// # Errors
    /// [`Error::Bundle`], [`Error::Registry`], [`Error::Refused`].
    pub fn push(&mut self, reference: &Reference, bundle: &[u8]) -> Result<Digest> {
        self.logged_in(reference, |this| this.push_once(reference, bundle))
    }

    fn push_once(&mut self, reference: &Reference, bundle: &[u8]) -> Result<Digest> {
        let parts = Parts::of(bundle)?;
        let digest = Digest::of(&parts.manifest);
        for blob in [&parts.config, &parts.module] {
            self.upload(reference, blob)?;
        }
        let url = self.url(reference, &format!("manifests/{}", reference.name));
        self.send(
            "push",
            Method::PUT,
            &url,
            Some(("content-type", MANIFEST_MEDIA_TYPE)),
            &parts.manifest,
        )?;
        Ok(digest)
    }

    fn url(&self, reference: &Reference, path: &str) -> String {
        let registry = match reference.registry.as_str() {
            // what everybody writes is not where it is
            "docker.io" | "index.docker.io" => "registry-1.docker.io",
            registry => registry,
        };
        let scheme = if self.plain_http || is_local(registry) {
            "http"
        } else {
            "https"
        };
        format!("{scheme}://{registry}/v2/{}/{path}", reference.repository)
    }

    fn blob(&mut self, reference: &Reference, digest: &Digest, limit: u32) -> Result<Vec<u8>> {
        let url = self.url(reference, &format!("blobs/{digest}"));
        let bytes = self.bytes("pull", &url, None, limit)?;
        if Digest::of(&bytes) == *digest {
            Ok(bytes)
        } else {
            Err(Error::Digest { url })
        }
    }

    fn upload(&mut self, reference: &Reference, blob: &[u8]) -> Result<()> {
        let digest = Digest::of(blob);
        let there = self.url(reference, &format!("blobs/{digest}"));
        if self
            .request("push", Method::HEAD, &there, None, &[])?
            .status()
            .is_success()
        {
            return Ok(());
        }
        let url = self.url(reference, "blobs/uploads/");
        let answer = self.send("push", Method::POST, &url, None, &[])?;
        let location = header(answer.headers(), "location");
        let origin = url.split_inclusive('/').take(3).collect::<String>();
        let location = if location.starts_with('/') {
            format!("{}{location}", origin.trim_end_matches('/'))
        } else if location.starts_with(&origin) {
            location
        } else {
            // the credentials are the registry's
            return Err(Error::Refused {
                what: "push",
                url,
                status: answer.status().as_u16(),
                detail: "it wants the image to be sent to another host".into(),
            });
        };
        let separator = if location.contains('?') { '&' } else { '?' };
        let url = format!("{location}{separator}digest={digest}");
        self.send(
            "push",
            Method::PUT,
            &url,
            Some(("content-type", "application/octet-stream")),
            blob,
        )?;
        Ok(())
    }

    fn bytes(
        &mut self,
        what: &'static str,
        url: &str,
        accept: Option<&str>,
        limit: u32,
    ) -> Result<Vec<u8>> {
        let answer = self.send(
            what,
            Method::GET,
            url,
            accept.map(|accept| ("accept", accept)),
            &[],
        )?;
        let mut bytes = Vec::new();
        let failed = |source: std::io::Error| Error::Registry {
            what,
            url: url.into(),
            source: Box::new(source.into()),
        };
        answer
            .into_body()
            .into_reader()
            .take(u64::from(limit) + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() > limit as usize {
            return Err(Error::Refused {
                what,
                url: url.into(),
                status: 200,
                detail: format!("more than {limit} bytes"),
            });
        }
        Ok(bytes)
    }

    /// A request that must succeed.
    fn send(
        &mut self,
        what: &'static str,
        method: Method,
        url: &str,
        header: Option<(&str, &str)>,
        body: &[u8],
    ) -> Result<Response<Body>> {
        let answer = self.request(what, method, url, header, body)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status().as_u16();
        let mut text = Vec::new();
        // what cannot be read of a refusal does not matter
        let _ = answer
            .into_body()
            .into_reader()
            .take(4096)
            .read_to_end(&mut text);
        Err(Error::Refused {
            what,
            url: url.into(),
            status,
            detail: detail(&text),
        })
    }

    /// A request; when the registry wants a token, one is fetched and the request made again.
    fn request(
        &mut self,
        what: &'static str,
        method: Method,
        url: &str,
        extra: Option<(&str, &str)>,
        body: &[u8],
    ) -> Result<Response<Body>> {
        for attempt in 0..2 {
            let mut request = Request::builder().method(method.clone()).uri(url);
            if let Some((name, value)) = extra {
                request = request.header(name, value);
            }
            if let Some(value) = &self.session.authorization {
                request = request.header("authorization", value);
            }
            let failed = |source: ureq::Error| Error::Registry {
                what,
                url: url.into(),
                source: Box::new(source),
            };
            let answer = if method == Method::GET || method == Method::HEAD {
                request
                    .body(())
                    .map_err(|error| failed(error.into()))
                    .and_then(|request| self.agent.run(request).map_err(failed))
            } else {
                request
                    .body(body)
                    .map_err(|error| failed(error.into()))
                    .and_then(|request| self.agent.run(request).map_err(failed))
            }?;
            if attempt > 0 || answer.status() != 401 {
                return Ok(answer);
            }
            let challenges: Vec<&str> = answer
                .headers()
                .get_all("www-authenticate")
                .iter()
                .filter_map(|value| value.to_str().ok())
                .collect();
            self.session.authorization =
                if let Some(url) = challenges.iter().find_map(|text| token_url(text)) {
                    self.token(&url).map_err(failed)?
                } else if challenges
                    .iter()
                    .any(|text| scheme(text).0.eq_ignore_ascii_case("basic"))
                {
                    self.session.login.as_ref().map(Login::basic)
                } else {
                    None
                };
            if self.session.authorization.is_none() {
                return Ok(answer);
            }
        }
        unreachable!("the second attempt returns")
    }

    /// Asks for a token; `None` when there is none to be had.
    fn token(&self, url: &str) -> std::result::Result<Option<String>, ureq::Error> {
        let mut request = self.agent.get(url);
        if let Some(login) = &self.session.login {
            let is_private = url.starts_with("https://")
                || self.plain_http
                || url.split('/').nth(2).is_some_and(is_local);
            // a password is not told to the whole network because a registry asks for it
            if !is_private {
                return Ok(None);
            }
            request = request.header("authorization", login.basic());
        }
        let answer = request.call()?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let token = answer
            .into_body()
            .into_with_config()
            .limit(64 * 1024)
            .read_to_vec()?;
        let token: serde_json::Value = serde_json::from_slice(&token).unwrap_or_default();
        Ok(["token", "access_token"]
            .iter()
            .find_map(|name| token[name].as_str())
            .map(|token| format!("Bearer {token}")))
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .into()
}

/// Whether a registry is on this machine.
fn is_local(registry: &str) -> bool {
    let host = registry
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(registry, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The scheme of a challenge, and what follows.
fn scheme(challenge: &str) -> (&str, &str) {
    challenge.split_once(' ').unwrap_or((challenge, ""))
}

/// Where a `Bearer` challenge says that a token is to be had.
fn token_url(challenge: &str) -> Option<String> {
    let (scheme, rest) = scheme(challenge);
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let field = |name: &str| {
        let at = rest.find(&format!("{name}=\""))? + name.len() + 2;
        rest[at..].split('"').next()
    };
    let realm = field("realm")
        .filter(|realm| realm.starts_with("https://") || realm.starts_with("http://"))?;
    let query: Vec<String> = ["service", "scope"]
        .iter()
        .filter_map(|name| field(name).map(|value| format!("{name}={value}")))
        .collect();
    let separator = if realm.contains('?') { '&' } else { '?' };
    Some(format!("{realm}{separator}{}", query.join("&")))
}

/// The words in a registry's error.
fn detail(body: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &json["errors"][0];
    let text = error["message"]
        .as_str()
        .or(error["code"].as_str())
        .unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let challenge = r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:pico/blink:pull""#;
        let url = "https://auth.example/token?service=r.example&scope=repository:pico/blink:pull";
        assert_eq!(token_url(challenge).as_deref(), Some(url));
        for bad in [
            "",
            "Basic realm=\"x\"",
            "Bearer realm=\"file:///etc/passwd\"",
            "Bearer service=\"x\"",
        ] {
            assert_eq!(token_url(bad), None, "{bad}");
        }
    }

    #[test]
    fn plain_http_only_on_this_machine_unless_asked_for() {
        for (text, plain, scheme) in [
            ("localhost:5000/a:b", false, "http:"),
            ("127.0.0.1:5000/a:b", false, "http:"),
            ("[::1]:5000/a:b", false, "http:"),
            ("localhost.example/a:b", false, "https:"),
            ("r.example:5000/a:b", false, "https:"),
            ("r.example/a:b", true, "http:"),
            ("docker.io/a:b", false, "https://registry-1.docker.io/"),
        ] {
            assert!(
                Registry::new(plain)
                    .url(&text.parse().unwrap(), "x")
                    .starts_with(scheme),
                "{text}"
            );
        }
    }
}
