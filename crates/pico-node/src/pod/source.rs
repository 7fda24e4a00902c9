// SPDX-License-Identifier: Apache-2.0
//! ConfigMaps and Secrets that a pod refers to, as they were last read.

use alloc::borrow::ToOwned as _;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::spec::{ContainerSpec, EnvValue, Fact, Files, Pod, Reference};
use crate::json::{Shape, Value};
use crate::time::Ms;

/// What is kept of a ConfigMap or Secret.
pub(crate) const MAP: Shape = Shape::Keys(&[
    ("metadata", Shape::Keys(&[("resourceVersion", Shape::All)])),
    ("data", Shape::All),
    ("binaryData", Shape::All),
]);

/// How often a map that containers read is looked at again, in milliseconds.
pub(crate) const REFRESH_MS: Ms = 60_000;
/// How soon a map that is not there is looked for again.
pub(crate) const MISSING_MS: Ms = 10_000;

/// The most bytes that variables may come to when they refer to each other: a few short ones could otherwise fill any memory.
const EXPANDED: usize = 16 << 10;

/// Keys and values.
type Data = Vec<(String, Vec<u8>)>;

/// A map and what is known of it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) reference: Reference,
    /// `None` while it is not there.
    pub(crate) data: Option<Data>,
    /// When to read it next.
    pub(crate) due: Ms,
    /// Whether an answer has come at all.
    pub(crate) is_read: bool,
    /// Why it cannot be read, if that is known.
    pub(crate) refusal: Option<&'static str>,
}

impl Source {
    pub(crate) fn new(reference: Reference) -> Self {
        Self {
            reference,
            data: None,
            due: 0,
            is_read: false,
            refusal: None,
        }
    }

    /// Takes what the API answered: the object, or that there is none.
    pub(crate) fn take(&mut self, object: Option<&Value>, now: Ms) {
        self.is_read = true;
        self.refusal = None;
        self.due = now
            + if object.is_some() {
                REFRESH_MS
            } else {
                MISSING_MS
            };
        self.data = object.map(|object| {
            let mut data = Vec::new();
            for (key, value) in object.entries(&["data"]) {
                let text = value.as_text().unwrap_or_default();
                let bytes = if self.reference.is_secret {
                    base64(text)
                } else {
                    text.as_bytes().to_owned()
                };
                data.push((key.as_ref().to_owned(), bytes));
            }
            for (key, value) in object.entries(&["binaryData"]) {
                data.push((
                    key.as_ref().to_owned(),
                    base64(value.as_text().unwrap_or_default()),
                ));
            }
            data
        });
    }

    fn describe(&self) -> String {
        let kind = if self.reference.is_secret {
            "secret"
        } else {
            "configmap"
        };
        match self.refusal {
            Some(why) => format!("{kind} {:?} cannot be read: {why}", self.reference.name),
            None => format!("{kind} {:?} not found", self.reference.name),
        }
    }
}

/// What stops a container from being configured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// An answer has not come yet.
    Unread,
    /// Something is not there; why, in words.
    Absent(String),
}

/// What a container can ask for by name: variables, and files by their paths.
#[derive(Debug, Default)]
pub(crate) struct Settings(Vec<(String, Vec<u8>)>);

impl Settings {
    /// The value of a variable or the content of a file.
    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .rev()
            .find(|(k, _)| k == key)
            .map(|(_, v)| &v[..])
    }

    /// What is there, each name once.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let all = self.0.iter().enumerate();
        all.filter(|(n, (key, _))| !self.0[n + 1..].iter().any(|(later, _)| later == key))
            .map(|(_, (key, value))| (&**key, &**value))
    }

    fn set(&mut self, key: String, value: Vec<u8>) {
        self.0.push((key, value));
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|(k, v)| k.len() + v.len()).sum()
    }
}

/// What a pod's `imagePullSecrets` hold.
#[derive(Default)]
pub(crate) struct PullSecrets<'a> {
    /// The documents with credentials: `.dockerconfigjson`, or `.dockercfg` of old.
    pub(crate) documents: Vec<&'a [u8]>,
    /// Those that are not there, or hold none.
    pub(crate) missing: Vec<&'a str>,
}

/// The credentials for registries that a pod brings.
///
/// # Errors
/// [`Missing::Unread`] as long as an answer is awaited; a Secret that is not there is none.
pub(crate) fn pull_secrets<'a>(
    pod: &'a Pod,
    sources: &'a [Source],
) -> Result<PullSecrets<'a>, Missing> {
    let mut found = PullSecrets::default();
    for name in &pod.pull_secrets {
        let source = sources
            .iter()
            .find(|s| s.reference.is_secret && s.reference.name == *name);
        if source.is_some_and(|source| !source.is_read) {
            return Err(Missing::Unread);
        }
        let data = source.and_then(|source| source.data.as_ref());
        let document = data.into_iter().flatten().find_map(|(key, value)| {
            matches!(&**key, ".dockerconfigjson" | ".dockercfg").then_some(&**value)
        });
        match document {
            Some(document) => found.documents.push(document),
            None => found.missing.push(name),
        }
    }
    Ok(found)
}

/// Facts for the downward API.
pub(crate) struct Downward<'a> {
    pub(crate) node: &'a str,
    pub(crate) address: &'a str,
}

/// Puts together what a container can ask for.
pub(crate) fn settings(
    pod: &Pod,
    container: &ContainerSpec,
    sources: &[Source],
    downward: &Downward<'_>,
) -> Result<Settings, Missing> {
    let find = |reference: &Reference| -> Result<Option<&Data>, Missing> {
        let source = sources.iter().find(|s| {
            s.reference.name == reference.name && s.reference.is_secret == reference.is_secret
        });
        match source {
            Some(source) if !source.is_read => Err(Missing::Unread),
            Some(source) => match &source.data {
                Some(data) => Ok(Some(data)),
                None if reference.optional && source.refusal.is_none() => Ok(None),
                None => Err(Missing::Absent(source.describe())),
            },
            None => Ok(None),
        }
    };
    let mut settings = Settings::default();
    let mut room = EXPANDED;
    for from in &container.env_from {
        for (key, value) in find(&from.reference)?.into_iter().flatten() {
            settings.set(format!("{}{key}", from.prefix), value.clone());
        }
    }
    for (name, value) in &container.env {
        let bytes = match value {
            EnvValue::Text(text) => {
                let value = expand(text, &settings, room).ok_or_else(|| {
                    Missing::Absent(format!(
                        "the variables come to more than {EXPANDED} bytes at {name:?}"
                    ))
                })?;
                room -= value.len();
                value.into_bytes()
            }
            EnvValue::Fact(told) => fact(pod, container, told, downward)?.into_bytes(),
            EnvValue::Key { reference, key } => {
                let data = find(reference)?;
                match data.and_then(|data| data.iter().find(|(k, _)| k == key)) {
                    Some((_, value)) => value.clone(),
                    None if reference.optional => continue,
                    None => {
                        let kind = if reference.is_secret {
                            "Secret"
                        } else {
                            "ConfigMap"
                        };
                        return Err(Missing::Absent(format!(
                            "couldn't find key {key} in {kind} {}/{}",
                            pod.namespace, reference.name
                        )));
                    }
                }
            }
        };
        settings.set(name.clone(), bytes);
    }
    for mount in &container.mounts {
        let mut put = |path: &str, value: &[u8]| {
            if mount.sub_path.is_empty() {
                settings.set(format!("{}/{path}", mount.path), value.to_vec());
            } else if path == mount.sub_path {
                settings.set(mount.path.clone(), value.to_vec());
            }
        };
        match &mount.files {
            Files::Facts(facts) => {
                for (path, told) in facts {
                    put(path, fact(pod, container, told, downward)?.as_bytes());
                }
            }
            Files::Map { reference, items } => {
                for (key, value) in find(reference)?.into_iter().flatten() {
                    if items.is_empty() {
                        put(key, value);
                    }
                    for (_, path) in items.iter().filter(|(k, _)| k == key) {
                        put(path, value);
                    }
                }
            }
        }
    }
    Ok(settings)
}

/// A fact in words.
fn fact(
    pod: &Pod,
    container: &ContainerSpec,
    fact: &Fact,
    downward: &Downward<'_>,
) -> Result<String, Missing> {
    match fact {
        Fact::Field(path) => field(pod, path, downward)
            .ok_or_else(|| Missing::Absent(format!("field {path:?} is not known here"))),
        Fact::Resource {
            container: of,
            name,
            divisor,
        } => {
            let mut all = pod.init.iter().chain(&pod.containers);
            let of = all.find(|spec| spec.name == *of).unwrap_or(container);
            resource(of, name, *divisor)
                .ok_or_else(|| Missing::Absent(format!("resource {name:?} is not known here")))
        }
    }
}

/// `$(NAME)` is replaced by a variable that was set before; `$$` is a dollar. `None` when it comes to more than `room` bytes.
fn expand(text: &str, settings: &Settings, room: usize) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
            continue;
        }
        let name = after
            .strip_prefix('(')
            .and_then(|inner| inner.split_once(')'))
            .and_then(|(name, tail)| Some((settings.get(name)?, tail)));
        match name {
            Some((value, tail)) => {
                if value.len() > room.saturating_sub(out.len()) {
                    return None;
                }
                out.push_str(&String::from_utf8_lossy(value));
                rest = tail;
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    (out.len() <= room).then_some(out)
}

fn field(pod: &Pod, path: &str, downward: &Downward<'_>) -> Option<String> {
    Some(match path {
        "metadata.name" => pod.name.clone(),
        "metadata.namespace" => pod.namespace.clone(),
        "metadata.uid" => pod.uid.clone(),
        "spec.nodeName" => downward.node.to_owned(),
        "spec.serviceAccountName" => pod.service_account.clone(),
        "status.hostIP" | "status.podIP" | "status.hostIPs" | "status.podIPs" => {
            downward.address.to_owned()
        }
        "metadata.labels" => lines(&pod.labels),
        "metadata.annotations" => lines(&pod.annotations),
        _ => {
            let (all, key) = match path.strip_prefix("metadata.labels['") {
                Some(key) => (&pod.labels, key),
                None => (
                    &pod.annotations,
                    path.strip_prefix("metadata.annotations['")?,
                ),
            };
            let key = key.strip_suffix("']")?;
            let found = all.iter().find(|(k, _)| k == key);
            found.map(|(_, v)| v.clone()).unwrap_or_default()
        }
    })
}

/// Labels or annotations as a file has them: a line each, in their order, the value in quotes.
fn lines(all: &[(String, String)]) -> String {
    let mut lines: Vec<String> = all.iter().map(|(k, v)| format!("{k}={v:?}")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn resource(container: &ContainerSpec, name: &str, divisor: u64) -> Option<String> {
    let ask = &container.ask;
    let milli = match name {
        "limits.memory" => ask.memory? * 1000,
        "requests.memory" => ask.request_memory * 1000,
        "limits.cpu" => ask.cpu_milli?,
        "requests.cpu" => ask.request_cpu_milli,
        "limits.ephemeral-storage" => ask.storage? * 1000,
        _ => return None,
    };
    Some(format!("{}", milli.div_ceil(divisor)))
}

/// Decodes base64, ignoring what is none.
fn base64(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => continue,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
            bits &= (1 << count) - 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_secrets() {
        for (text, plain) in [
            ("", ""),
            ("aGk=", "hi"),
            ("aGkx", "hi1"),
            ("aGVsbG8=", "hello"),
            ("/+8=", "\u{0}"),
        ] {
            if plain == "\u{0}" {
                assert_eq!(base64(text), [0xff, 0xef]);
            } else {
                assert_eq!(base64(text), plain.as_bytes(), "{text}");
            }
        }
    }

    #[test]
    fn variables_refer_to_variables() {
        let mut settings = Settings::default();
        settings.set("A".into(), b"1".to_vec());
        for (text, expected) in [
            ("$(A)2", "12"),
            ("$$(A)", "$(A)"),
            ("$(B)", "$(B)"),
            ("$", "$"),
            ("$(A", "$(A"),
        ] {
            assert_eq!(expand(text, &settings, 100).as_deref(), Some(expected));
        }
    }

    #[test]
    fn variables_that_double_end_early() {
        let mut settings = Settings::default();
        settings.set("V0".into(), b"xxxxxxxxxxxxxxxx".to_vec());
        let mut room = EXPANDED;
        let last = (1..40).find(|n| {
            let text = format!("$(V{0})$(V{0})", n - 1);
            let Some(value) = expand(&text, &settings, room) else {
                return true;
            };
            room -= value.len();
            settings.set(format!("V{n}"), value.into_bytes());
            false
        });
        assert_eq!(last, Some(10));
        assert!(settings.size() < 2 * EXPANDED);
    }
}
