// SPDX-License-Identifier: Apache-2.0
//! Ingresses from rules of the form `host/path=service:port[,tls[=secret]]`.

use serde_json::{Map, Value, json};

use super::{Identity, Mistake, number_or_text, object};

/// What an Ingress is made of.
#[derive(Debug, Default)]
pub struct Ingress<'a> {
    /// Class, empty for the default.
    pub class: &'a str,
    /// Rules.
    pub rules: &'a [String],
    /// `service:port` for all other requests, empty for none.
    pub default_backend: &'a str,
    /// Annotations as `key=value`.
    pub annotations: &'a [String],
}

/// An Ingress.
pub fn ingress(identity: Identity<'_>, options: &Ingress<'_>) -> Result<Value, Mistake> {
    if options.default_backend.is_empty() && options.rules.is_empty() {
        return Err(Mistake::new(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
        ));
    }
    let rules = options
        .rules
        .iter()
        .map(|rule| Rule::parse(rule))
        .collect::<Result<Vec<_>, _>>()?;
    let mut metadata = identity.metadata();
    for annotation in options.annotations {
        let Some((key, value)) = annotation.split_once('=') else {
            return Err(Mistake(format!(
                "annotation {annotation} is invalid and should be in format key=[value]"
            )));
        };
        metadata["annotations"][key] = value.into();
    }
    let mut spec = Map::new();
    if !options.class.is_empty() {
        spec.insert("ingressClassName".to_owned(), options.class.into());
    }
    if !options.default_backend.is_empty() {
        let parts: Vec<&str> = options.default_backend.split(':').collect();
        let [service, port] = parts[..] else {
            return Err(Mistake::new(
                "default-backend should be in format servicename:serviceport",
            ));
        };
        spec.insert("defaultBackend".to_owned(), backend(service, port));
    }
    for (field, list) in [("rules", paths(&rules)), ("tls", certificates(&rules))] {
        if !list.is_empty() {
            spec.insert(field.to_owned(), list.into());
        }
    }
    let mut ingress = object("networking.k8s.io/v1", "Ingress", metadata);
    ingress["spec"] = spec.into();
    ingress["status"] = json!({ "loadBalancer": {} });
    Ok(ingress)
}

struct Rule<'a> {
    host: &'a str,
    path: &'a str,
    service: &'a str,
    port: &'a str,
    /// The secret of `tls=secret`, empty for a lone `tls`.
    tls: Option<&'a str>,
}

impl<'a> Rule<'a> {
    fn parse(rule: &'a str) -> Result<Self, Mistake> {
        let wrong = || {
            Mistake(format!(
                "rule {rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]"
            ))
        };
        let (place, rest) = rule.split_once('=').ok_or_else(wrong)?;
        let (host, path) = place.split_once('/').ok_or_else(wrong)?;
        let (target, tls) = rest
            .split_once(',')
            .map_or((rest, None), |(target, tls)| (target, Some(tls)));
        let (service, port) = target.split_once(':').ok_or_else(wrong)?;
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let host_fits = host.is_empty()
            || host.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'*' | b'_')
            });
        let tls = match tls {
            None => None,
            Some("tls") => Some(""),
            Some(tls) => Some(tls.strip_prefix("tls=").ok_or_else(wrong)?),
        };
        if !host_fits || path.contains(char::is_whitespace) || !word(service) || !word(port) {
            return Err(wrong());
        }
        Ok(Self {
            host,
            path,
            service,
            port,
            tls,
        })
    }
}

fn backend(service: &str, port: &str) -> Value {
    let port = number_or_text(port);
    let field = if port.is_number() { "number" } else { "name" };
    json!({ "service": { "name": service, "port": { field: port } } })
}

fn paths(rules: &[Rule<'_>]) -> Vec<Value> {
    let mut hosts: Vec<(&str, Vec<Value>)> = Vec::new();
    for rule in rules {
        let (path, kind) = match rule.path.strip_suffix('*') {
            Some(prefix) => (prefix, "Prefix"),
            None => (rule.path, "Exact"),
        };
        let path = json!({ "path": format!("/{path}"), "pathType": kind, "backend": backend(rule.service, rule.port) });
        match hosts.iter_mut().find(|(host, _)| *host == rule.host) {
            Some((_, paths)) => paths.push(path),
            None => hosts.push((rule.host, vec![path])),
        }
    }
    let rule = |(host, paths): (&str, Vec<Value>)| {
        let mut rule = json!({ "http": { "paths": paths } });
        if !host.is_empty() {
            rule["host"] = host.into();
        }
        rule
    };
    hosts.into_iter().map(rule).collect()
}

/// Hosts by the secret of their certificate; each host once.
fn certificates(rules: &[Rule<'_>]) -> Vec<Value> {
    let mut seen: Vec<&str> = Vec::new();
    let mut secrets: Vec<(&str, Vec<&str>)> = Vec::new();
    for rule in rules {
        let Some(secret) = rule.tls.filter(|_| !seen.contains(&rule.host)) else {
            continue;
        };
        seen.push(rule.host);
        match secrets.iter_mut().find(|(name, _)| *name == secret) {
            Some((_, hosts)) => hosts.push(rule.host),
            None if rule.host.is_empty() && secret.is_empty() => {}
            None if rule.host.is_empty() => secrets.push((secret, Vec::new())),
            None => secrets.push((secret, vec![rule.host])),
        }
    }
    let entry = |(secret, hosts): (&str, Vec<&str>)| {
        let mut entry = json!({});
        if !hosts.is_empty() {
            entry["hosts"] = hosts.into();
        }
        if !secret.is_empty() {
            entry["secretName"] = secret.into();
        }
        entry
    };
    secrets.into_iter().map(entry).collect()
}
