// SPDX-License-Identifier: Apache-2.0
//! Names and passwords for registries, in the two documents in which they are kept everywhere: `config.json` of `docker login`,
//! which is `.dockerconfigjson` of a Secret of the type `kubernetes.io/dockerconfigjson`, and `.dockercfg` of old.
//!
//! Which of them are for an image is decided as a kubelet does: by host, port and the beginning of the path, `*` in a part of the
//! host stands for anything, the longest comes first. Credential helpers and identity tokens are not used.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;
use crate::reference::Reference;

/// Base64 as it comes: with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Who asks a registry.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    user: String,
    password: String,
}

impl Login {
    /// The value of an `Authorization` header.
    pub(crate) fn basic(&self) -> String {
        let Self { user, password } = self;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        format!("Basic {pair}")
    }
}

/// Credentials for registries. Passwords are never shown.
#[derive(Clone, Default)]
pub struct Credentials(Vec<(String, Login)>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.0.iter().map(|(place, _)| place);
        f.debug_list().entries(places).finish()
    }
}

impl Credentials {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::TooLarge`], [`Error::Credentials`].
    pub fn read(path: &Path) -> Result<Self> {
        let mut credentials = Self::default();
        credentials.add(&files::read(path)?, &path.display().to_string())?;
        Ok(credentials)
    }

    /// Adds what is in a document; `origin` names it in an error.
    ///
    /// # Errors
    /// [`Error::Credentials`] when it is neither of the two.
    pub fn add(&mut self, document: &[u8], origin: &str) -> Result<()> {
        let refused = |why| Error::Credentials {
            origin: origin.to_owned(),
            why,
        };
        let document: Value =
            serde_json::from_slice(document).map_err(|_| refused("it is no JSON"))?;
        let all = document
            .as_object()
            .ok_or_else(|| refused("it is no object"))?;
        let auths = match all.get("auths") {
            Some(auths) => auths
                .as_object()
                .ok_or_else(|| refused("its auths are no object"))?,
            // docker's own file before anybody has logged in
            None if ["credsStore", "credHelpers", "HttpHeaders"]
                .iter()
                .any(|k| all.contains_key(*k)) =>
            {
                return Ok(());
            }
            None => all,
        };
        for (place, entry) in auths {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
            let (user, password) = match text("auth") {
                pair if pair.is_empty() => (text("username"), text("password")),
                pair => BASE64
                    .decode(pair)
                    .ok()
                    .and_then(|pair| String::from_utf8(pair).ok())
                    .and_then(|pair| {
                        let (user, password) = pair.split_once(':')?;
                        Some((user.to_owned(), password.trim_matches('\0').to_owned()))
                    })
                    .ok_or_else(|| refused("an auth in it is not USER:PASSWORD in base64"))?,
            };
            // what a credential helper keeps is not here
            if !user.is_empty() || !password.is_empty() {
                self.0.push((place.clone(), Login { user, password }));
            }
        }
        Ok(())
    }

    /// Adds others behind these.
    pub fn append(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Those for an image, in the order in which they are tried.
    pub(crate) fn of(&self, reference: &Reference) -> Vec<&Login> {
        let mut found: Vec<(&str, &Login)> = self
            .0
            .iter()
            .map(|(place, login)| (bare(place), login))
            .filter(|(place, _)| fits(place, reference))
            .collect();
        found.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
        let mut logins: Vec<&Login> = Vec::new();
        for (_, login) in found {
            if !logins.contains(&login) {
                logins.push(login);
            }
        }
        logins
    }
}

/// A place without what `docker login` writes around it: `https://index.docker.io/v1/`.
fn bare(place: &str) -> &str {
    let place = place
        .strip_prefix("https://")
        .or_else(|| place.strip_prefix("http://"))
        .unwrap_or(place)
        .trim_end_matches('/');
    place
        .strip_suffix("/v1")
        .or_else(|| place.strip_suffix("/v2"))
        .unwrap_or(place)
}

fn fits(place: &str, reference: &Reference) -> bool {
    let (registry, path) = place.split_once('/').unwrap_or((place, ""));
    let hub = |host| {
        matches!(
            host,
            "docker.io" | "index.docker.io" | "registry-1.docker.io"
        )
    };
    let same_registry = if hub(registry) {
        hub(&reference.registry)
    } else {
        let (host, port) = host_and_port(registry);
        let (asked_host, asked_port) = host_and_port(&reference.registry);
        let (parts, asked) = (host.split('.'), asked_host.split('.'));
        port == asked_port
            && parts.clone().count() == asked.clone().count()
            && parts
                .zip(asked)
                .all(|(pattern, part)| matches(pattern, part))
    };
    same_registry && reference.repository.starts_with(path)
}

fn host_and_port(registry: &str) -> (&str, &str) {
    match registry.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port),
        _ => (registry, ""),
    }
}

/// Whether a part of a host is what a pattern says, in which `*` is anything.
fn matches(pattern: &str, part: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = part.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        if let Some(before) = last.replace(piece) {
            match rest.find(before) {
                Some(at) => rest = &rest[at + before.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |end: &str| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(document: &str, image: &str) -> Vec<String> {
        let mut credentials = Credentials::default();
        credentials.add(document.as_bytes(), "the test").unwrap();
        let logins = credentials.of(&image.parse().unwrap());
        logins.iter().map(|login| login.user.clone()).collect()
    }

    #[test]
    fn the_credentials_of_an_image() {
        let check = |places: &[&str], image: &str, expected: &[&str]| {
            let auths: serde_json::Map<_, _> = places
                .iter()
                .map(|place| {
                    let login = serde_json::json!({"username": place, "password": "x"});
                    ((*place).to_owned(), login)
                })
                .collect();
            let new = serde_json::json!({ "auths": auths }).to_string();
            assert_eq!(of(&new, image), expected, "{places:?} {image}");
            let old = serde_json::Value::Object(auths).to_string();
            assert_eq!(of(&old, image), expected, "{places:?} {image}");
        };
        check(&["r.example"], "r.example/a/b:v1", &["r.example"]);
        check(
            &["https://r.example/v2/"],
            "r.example/a:v1",
            &["https://r.example/v2/"],
        );
        check(&["r.example"], "r.example:5000/a:v1", &[]);
        check(
            &["r.example:5000"],
            "r.example:5000/a:v1",
            &["r.example:5000"],
        );
        check(&["r.example:5000"], "r.example:5001/a:v1", &[]);
        check(
            &["127.0.0.1:5000"],
            "127.0.0.1:5000/a:v1",
            &["127.0.0.1:5000"],
        );
        check(&["*.r.example"], "eu.r.example/a:v1", &["*.r.example"]);
        check(&["*.r.example"], "r.example/a:v1", &[]);
        check(&["*.r.example"], "x.eu.r.example/a:v1", &[]);
        check(&["r-*.example"], "r-eu.example/a:v1", &["r-*.example"]);
        check(&["example"], "evil-example.com/a:v1", &[]);
        check(
            &["r.example", "r.example/team", "r.example/other"],
            "r.example/team/a:v1",
            &["r.example/team", "r.example"],
        );
        check(
            &["https://index.docker.io/v1/"],
            "docker.io/me/a:v1",
            &["https://index.docker.io/v1/"],
        );
        check(&[], "r.example/a:v1", &[]);
    }

    #[test]
    fn passwords_in_base64_or_not() {
        for (entry, expected) in [
            (r#"{"auth": "bWU6aHVudGVyMg=="}"#, "Basic bWU6aHVudGVyMg=="),
            (r#"{"auth": "bWU6aHVudGVyMg"}"#, "Basic bWU6aHVudGVyMg=="),
            (
                r#"{"username": "me", "password": "hunter2"}"#,
                "Basic bWU6aHVudGVyMg==",
            ),
            (
                r#"{"username": "x", "password": "y", "auth": "bWU6aHVudGVyMg=="}"#,
                "Basic bWU6aHVudGVyMg==",
            ),
        ] {
            let mut credentials = Credentials::default();
            let document = format!(r#"{{"auths": {{"r.example": {entry}}}}}"#);
            credentials.add(document.as_bytes(), "the test").unwrap();
            let logins = credentials.of(&"r.example/a:v1".parse().unwrap());
            assert_eq!(logins[0].basic(), expected, "{entry}");
            assert!(!format!("{credentials:?}").contains("hunter2"));
        }
    }

    #[test]
    fn what_is_no_document_is_told_without_its_content() {
        for text in [
            "",
            "hunter2",
            "[]",
            r#"{"auths": []}"#,
            r#"{"auths": {"r": {"auth": "hunter2"}}}"#,
            r#"{"auths": {"r": {"auth": "aHVudGVyMg=="}}}"#,
        ] {
            let error = Credentials::default()
                .add(text.as_bytes(), "the Secret x")
                .unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("the Secret x") && !error.contains("hunter2"),
                "{error}"
            );
        }
        for text in [
            "{}",
            r#"{"credsStore": "desktop"}"#,
            r#"{"auths": {"r.example": {}}}"#,
        ] {
            assert_eq!(of(text, "r.example/a:v1"), Vec::<String>::new(), "{text}");
        }
    }
}
