// SPDX-License-Identifier: Apache-2.0
//! OCI registries (distribution specification v1.1): pull and push of one image.
//!
//! Registries on this machine are asked over plain HTTP, all others over TLS unless the caller says otherwise. A registry
//! that wants a token is asked for an anonymous one.

use std::io::Read;
use std::time::Duration;

use pico_eci::build::Parts;
use pico_eci::{
    Digest, MANIFEST_MEDIA_TYPE, MAX_CONFIG_BYTES, MAX_LAYER_BYTES, MAX_MANIFEST_BYTES, Manifest,
};
use ureq::http::{HeaderMap, Method, Request, Response};
use ureq::{Agent, Body};

use crate::error::{Error, Result};
use crate::reference::{Name, Reference};

/// A registry client.
#[derive(Debug)]
pub struct Registry {
    agent: Agent,
    plain_http: bool,
    token: Option<String>,
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
            token: None,
        }
    }

    /// Pulls an image; every part has the digest by which it was asked for. Verify it before it is used.
    ///
    /// # Errors
    /// [`Error::Registry`], [`Error::Refused`], [`Error::Manifest`] when it is not an ECI, [`Error::Digest`].
    pub fn pull(&mut self, reference: &Reference) -> Result<Vec<u8>> {
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
        let host = reference
            .registry
            .rsplit_once(':')
            .map_or(reference.registry.as_str(), |(host, _)| host);
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        let scheme = if self.plain_http || local {
            "http"
        } else {
            "https"
        };
        format!(
            "{scheme}://{}/v2/{}/{path}",
            reference.registry, reference.repository
        )
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
        } else {
            location
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
            if let Some(token) = &self.token {
                request = request.header("authorization", format!("Bearer {token}"));
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
            let challenge = header(answer.headers(), "www-authenticate");
            let Some(token_url) = token_url(&challenge) else {
                return Ok(answer);
            };
            let token = self
                .agent
                .get(&token_url)
                .call()
                .map_err(failed)?
                .into_body()
                .into_with_config()
                .limit(64 * 1024)
                .read_to_vec()
                .map_err(failed)?;
            let token: serde_json::Value = serde_json::from_slice(&token).unwrap_or_default();
            self.token = ["token", "access_token"]
                .iter()
                .find_map(|name| token[name].as_str())
                .map(Into::into);
            if self.token.is_none() {
                return Ok(answer);
            }
        }
        unreachable!("the second attempt returns")
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .into()
}

/// Where a `Bearer` challenge says that a token is to be had.
fn token_url(challenge: &str) -> Option<String> {
    let rest = challenge.strip_prefix("Bearer ")?;
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
    Some(format!("{realm}?{}", query.join("&")))
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
