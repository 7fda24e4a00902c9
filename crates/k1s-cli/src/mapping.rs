// SPDX-License-Identifier: Apache-2.0
//! From the words of a command line (`cm`, `deployments.apps`, `ConfigMap`) and from kinds in files to resources of the API.
//!
//! Entry points: [`Context::resource`], [`Context::resource_of_kind`], [`Context::resources`]. The built-in kinds of an API in this
//! process are found without a request; everything else is asked for once, and only kept in memory.

use std::cell::OnceCell;
use std::rc::Rc;

use k1s_core::kinds::{self, Kind};
use k1s_core::object::{list, text};
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::client::{Call, escape};
use crate::context::Context;
use crate::error::{Error, Result};

/// A resource of the API, as discovery tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// API group, empty for the core group.
    pub group: String,
    /// `v1`.
    pub version: String,
    /// `configmaps`.
    pub plural: String,
    /// `configmap`.
    pub singular: String,
    /// `ConfigMap`.
    pub kind: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// `cm`.
    pub short_names: Vec<String>,
    /// `all`.
    pub categories: Vec<String>,
    /// `get`, `list`.
    pub verbs: Vec<String>,
    /// `status`, `scale`.
    pub subresources: Vec<String>,
}

impl Resource {
    /// What can be said of a kind without asking: nothing is known of its path.
    #[must_use]
    pub fn guess(api_version: &str, kind: &str) -> Self {
        let (group, version) = kinds::split_api_version(api_version);
        if let Some(found) = kinds::of_kind(group, version, kind) {
            return Self::of_kind(found);
        }
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            namespaced: true,
            ..Self::default()
        }
    }

    /// `v1` or `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `configmaps` or `deployments.apps`.
    #[must_use]
    pub fn group_resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `configmap/a` or `deployment.apps/web`, as commands name an object.
    #[must_use]
    pub fn object_name(&self, name: &str) -> String {
        format!("{}/{name}", self.group_kind())
    }

    /// `configmap` or `deployment.apps`, as commands name a kind.
    #[must_use]
    pub fn group_kind(&self) -> String {
        let kind = self.kind.to_lowercase();
        if self.group.is_empty() {
            kind
        } else {
            format!("{kind}.{}", self.group)
        }
    }

    /// `/api/v1/namespaces/NS/configmaps/NAME/SUBRESOURCE`; empty parts are left out.
    #[must_use]
    pub fn path(&self, namespace: &str, name: &str, subresource: &str) -> String {
        let mut path = if self.group.is_empty() {
            format!("/api/{}", self.version)
        } else {
            format!("/apis/{}/{}", self.group, self.version)
        };
        if self.namespaced && !namespace.is_empty() {
            path.push_str("/namespaces/");
            path.push_str(&escape(namespace));
        }
        path.push('/');
        path.push_str(&self.plural);
        for part in [name, subresource] {
            if !part.is_empty() {
                path.push('/');
                path.push_str(&escape(part));
            }
        }
        path
    }

    /// Whether this is the resource that a word means, in any of its forms.
    fn is_named(&self, word: &str) -> bool {
        self.short_names.iter().any(|s| s == word) || {
            let word = word.to_lowercase();
            word == self.plural || word == self.singular || word == self.kind.to_lowercase()
        }
    }

    fn of_kind(kind: &Kind) -> Self {
        let texts = |from: &[&str]| from.iter().map(|s| (*s).to_owned()).collect();
        Self {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            plural: kind.plural.to_owned(),
            singular: kind.singular.to_owned(),
            kind: kind.kind.to_owned(),
            namespaced: kind.namespaced,
            short_names: texts(kind.short_names),
            categories: texts(kind.categories),
            verbs: texts(kind.verbs),
            subresources: kind
                .subresources
                .iter()
                .map(|s| s.name.to_owned())
                .collect(),
        }
    }
}

/// What discovery said, kept for the run.
#[derive(Default)]
pub(crate) struct Mapping {
    all: OnceCell<Vec<Rc<Resource>>>,
}

/// A word split as kubectl reads it: `plural.version.group`, `plural.group`.
struct Asked<'a> {
    resource: &'a str,
    version: &'a str,
    group: &'a str,
}

/// The readings of a word, the most exact first.
fn readings(word: &str) -> Vec<Asked<'_>> {
    let mut out = Vec::new();
    if let Some((resource, rest)) = word.split_once('.') {
        if let Some((version, group)) = rest.split_once('.') {
            out.push(Asked {
                resource,
                version,
                group,
            });
        }
        out.push(Asked {
            resource,
            version: "",
            group: rest,
        });
    } else {
        out.push(Asked {
            resource: word,
            version: "",
            group: "",
        });
    }
    out
}

/// Groups in the order in which an unqualified word looks through them; those that are not here come after, by name.
const GROUPS: [&str; 12] = [
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "batch",
    "certificates.k8s.io",
    "networking.k8s.io",
    "policy",
    "rbac.authorization.k8s.io",
    "storage.k8s.io",
];

fn group_rank(group: &str) -> usize {
    GROUPS
        .iter()
        .position(|g| *g == group)
        .unwrap_or(GROUPS.len())
}

/// Sorts `v2` before `v1` before `v1beta1` before `v1alpha1`; a larger number is preferred.
fn version_rank(version: &str) -> (u8, u32, u32) {
    let digits = |s: &str| {
        s.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    let Some(rest) = version.strip_prefix('v') else {
        return (0, 0, 0);
    };
    let major = digits(rest);
    let after = &rest[major.len()..];
    let major = major.parse().unwrap_or(0);
    if after.is_empty() {
        (3, major, 0)
    } else if let Some(minor) = after.strip_prefix("beta") {
        (2, major, digits(minor).parse().unwrap_or(0))
    } else if let Some(minor) = after.strip_prefix("alpha") {
        (1, major, digits(minor).parse().unwrap_or(0))
    } else {
        (0, 0, 0)
    }
}

fn kind_is_named(kind: &Kind, word: &str) -> bool {
    kind.short_names.contains(&word)
        || word.eq_ignore_ascii_case(kind.plural)
        || word.eq_ignore_ascii_case(kind.singular)
        || word.eq_ignore_ascii_case(kind.kind)
}

impl Context {
    /// The resource that a word means.
    ///
    /// # Errors
    /// When the API has none, or cannot be asked.
    pub async fn resource(&self, word: &str) -> Result<Rc<Resource>> {
        if self.transport()?.in_process() {
            for asked in readings(word) {
                let mut best: Option<&Kind> = None;
                for kind in kinds::all()
                    .iter()
                    .filter(|k| kind_is_named(k, asked.resource))
                {
                    let fits = if asked.version.is_empty() {
                        asked.group.is_empty() && !word.contains('.') || kind.group == asked.group
                    } else {
                        kind.version == asked.version && kind.group == asked.group
                    };
                    let rank = |k: &Kind| {
                        (
                            std::cmp::Reverse(group_rank(k.group)),
                            version_rank(k.version),
                        )
                    };
                    if fits && best.is_none_or(|b| rank(kind) > rank(b)) {
                        best = Some(kind);
                    }
                }
                if let Some(kind) = best {
                    let others = kinds::all().iter().filter(|other| {
                        other.short_names.contains(&asked.resource) && other.group != kind.group
                    });
                    if kind.short_names.contains(&asked.resource) {
                        self.warn_of_others(word, others.map(Kind::group_resource));
                    }
                    return Ok(Rc::new(Resource::of_kind(kind)));
                }
            }
        }
        let all = self.resources().await?;
        for asked in readings(word) {
            // A short name is looked for before the longer ones, in order of preference.
            let found = all.iter().find(|r| {
                let fits = if asked.version.is_empty() {
                    asked.group.is_empty() && !word.contains('.') || r.group == asked.group
                } else {
                    r.version == asked.version && r.group == asked.group
                };
                fits && r.is_named(asked.resource)
            });
            if let Some(found) = found {
                let short = |r: &Resource| r.short_names.iter().any(|name| name == asked.resource);
                let others = all.iter().filter(|r| short(r) && r.group != found.group);
                if short(found) {
                    self.warn_of_others(word, others.map(|r| r.group_resource()));
                }
                return Ok(found.clone());
            }
        }
        Err(Error::NoResource {
            resource: word.split('.').next().unwrap_or(word).to_owned(),
            group: String::new(),
            version: String::new(),
        })
    }

    /// Says which other resources a short name may have meant.
    fn warn_of_others(&self, word: &str, others: impl Iterator<Item = String>) {
        let mut told: Vec<String> = Vec::new();
        for other in others {
            if !told.contains(&other) {
                let word = Quoted(word);
                self.warn(&format!(
                    "short name {word} could also match lower priority resource {other}"
                ));
                told.push(other);
            }
        }
    }

    /// The resource that serves a kind of a version.
    ///
    /// # Errors
    /// When the API has none, or cannot be asked.
    pub async fn resource_of_kind(&self, api_version: &str, kind: &str) -> Result<Rc<Resource>> {
        let (group, version) = kinds::split_api_version(api_version);
        if self.transport()?.in_process()
            && let Some(found) = kinds::of_kind(group, version, kind)
        {
            return Ok(Rc::new(Resource::of_kind(found)));
        }
        self.resources()
            .await?
            .iter()
            .find(|r| r.kind == kind && r.group == group && r.version == version)
            .cloned()
            .ok_or_else(|| {
                Error::message(format!(
                    "no matches for kind {} in version {}",
                    Quoted(kind),
                    Quoted(api_version)
                ))
            })
    }

    /// Whether a word names a category (`all`) and no kind that is built into an API of this process.
    ///
    /// # Errors
    /// When the API cannot be asked.
    pub async fn is_category(&self, word: &str) -> Result<bool> {
        if word.contains('.') {
            return Ok(false);
        }
        if self.transport()?.in_process() && kinds::all().iter().any(|k| kind_is_named(k, word)) {
            return Ok(false);
        }
        let mut all = self.resources().await?.iter();
        Ok(all.any(|r| r.categories.iter().any(|c| c == word)))
    }

    /// The resources of a category, `all`, in the order of preference.
    ///
    /// # Errors
    /// When the API cannot be asked.
    pub async fn category(&self, name: &str) -> Result<Vec<Rc<Resource>>> {
        let mut found: Vec<Rc<Resource>> = Vec::new();
        for resource in self.resources().await?.iter().cloned() {
            let member = resource.categories.iter().any(|c| c == name);
            let known = found
                .iter()
                .any(|r| r.group == resource.group && r.plural == resource.plural);
            if member && !known {
                found.push(resource);
            }
        }
        Ok(found)
    }

    /// All resources, in the order of preference.
    ///
    /// # Errors
    /// When the API cannot be asked.
    pub async fn resources(&self) -> Result<&[Rc<Resource>]> {
        if let Some(all) = self.mapping.all.get() {
            return Ok(all);
        }
        let mut all = self.discover("/api").await?;
        all.extend(self.discover("/apis").await?);
        Ok(self.mapping.all.get_or_init(|| all))
    }

    async fn discover(&self, path: &str) -> Result<Vec<Rc<Resource>>> {
        const ACCEPT: &str =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        let answer = self.json(&Call::get(path).accept(ACCEPT)).await?;
        match text(&answer, &["kind"]) {
            "APIGroupDiscoveryList" => Ok(aggregated(&answer)),
            _ => self.legacy(path, &answer).await,
        }
    }

    /// Discovery of servers that do not aggregate: a request for each version of each group.
    async fn legacy(&self, path: &str, answer: &Value) -> Result<Vec<Rc<Resource>>> {
        let mut versions: Vec<String> = Vec::new();
        versions.extend(
            list(answer, &["versions"])
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
        for group in list(answer, &["groups"]) {
            versions.extend(
                list(group, &["versions"])
                    .iter()
                    .map(|v| text(v, &["groupVersion"]).to_owned()),
            );
        }
        let mut out = Vec::new();
        for version in versions {
            // A group whose own server is down does not hide the others.
            if let Ok(found) = self.json(&Call::get(format!("{path}/{version}"))).await {
                out.extend(legacy_list(&found));
            }
        }
        Ok(out)
    }
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, &[key])
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn aggregated(answer: &Value) -> Vec<Rc<Resource>> {
    let mut out = Vec::new();
    for group in list(answer, &["items"]) {
        for version in list(group, &["versions"]) {
            for resource in list(version, &["resources"]) {
                out.push(Rc::new(Resource {
                    group: text(group, &["metadata", "name"]).to_owned(),
                    version: text(version, &["version"]).to_owned(),
                    plural: text(resource, &["resource"]).to_owned(),
                    singular: text(resource, &["singularResource"]).to_owned(),
                    kind: text(resource, &["responseKind", "kind"]).to_owned(),
                    namespaced: text(resource, &["scope"]) == "Namespaced",
                    short_names: texts(resource, "shortNames"),
                    categories: texts(resource, "categories"),
                    verbs: texts(resource, "verbs"),
                    subresources: list(resource, &["subresources"])
                        .iter()
                        .map(|s| text(s, &["subresource"]).to_owned())
                        .collect(),
                }));
            }
        }
    }
    out
}

fn legacy_list(answer: &Value) -> Vec<Rc<Resource>> {
    let (group, version) = kinds::split_api_version(text(answer, &["groupVersion"]));
    let all = list(answer, &["resources"]);
    all.iter()
        .filter(|r| !text(r, &["name"]).contains('/'))
        .map(|r| {
            let plural = text(r, &["name"]);
            let or_kind = match text(r, &["singularName"]) {
                "" => text(r, &["kind"]).to_lowercase(),
                name => name.to_owned(),
            };
            Rc::new(Resource {
                group: group.to_owned(),
                version: version.to_owned(),
                plural: plural.to_owned(),
                singular: or_kind,
                kind: text(r, &["kind"]).to_owned(),
                namespaced: r["namespaced"] == true,
                short_names: texts(r, "shortNames"),
                categories: texts(r, "categories"),
                verbs: texts(r, "verbs"),
                subresources: all
                    .iter()
                    .filter_map(|s| text(s, &["name"]).strip_prefix(&format!("{plural}/")))
                    .map(str::to_owned)
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_and_names() {
        let find = |plural: &str, group: &str| {
            Resource::of_kind(kinds::of_resource(group, "v1", plural).unwrap())
        };
        let cm = find("configmaps", "");
        assert_eq!(cm.path("ns", "a", ""), "/api/v1/namespaces/ns/configmaps/a");
        assert_eq!(
            cm.path("Bad Name", "", ""),
            "/api/v1/namespaces/Bad%20Name/configmaps"
        );
        assert_eq!(cm.path("", "", ""), "/api/v1/configmaps");
        let deployment = find("deployments", "apps");
        assert_eq!(
            deployment.path("ns", "a", "scale"),
            "/apis/apps/v1/namespaces/ns/deployments/a/scale"
        );
        assert_eq!(deployment.object_name("web"), "deployment.apps/web");
        assert_eq!(
            find("namespaces", "").path("ns", "x", ""),
            "/api/v1/namespaces/x"
        );
        for word in ["cm", "configmap", "ConfigMap", "configmaps"] {
            assert!(cm.is_named(word), "{word}");
        }
        assert!(!cm.is_named("CM"));
    }

    #[test]
    fn newer_and_stabler_versions_are_preferred() {
        let mut versions = ["v1alpha1", "v1", "v10", "v2beta1", "foo1", "v2"];
        versions.sort_by_key(|v| std::cmp::Reverse(version_rank(v)));
        assert_eq!(versions, ["v10", "v2", "v1", "v2beta1", "v1alpha1", "foo1"]);
    }

    #[test]
    fn both_forms_of_discovery_say_the_same() {
        let new = aggregated(
            &json!({"items": [{"metadata": {"name": "apps"}, "versions": [{"version": "v1", "resources": [{
            "resource": "deployments", "responseKind": {"group": "", "version": "", "kind": "Deployment"}, "scope": "Namespaced",
            "singularResource": "deployment", "verbs": ["get"], "shortNames": ["deploy"], "categories": ["all"],
            "subresources": [{"subresource": "scale"}]}]}]}]}),
        );
        let old = legacy_list(&json!({"groupVersion": "apps/v1", "resources": [
            {"name": "deployments", "singularName": "deployment", "namespaced": true, "kind": "Deployment", "verbs": ["get"],
             "shortNames": ["deploy"], "categories": ["all"]},
            {"name": "deployments/scale", "singularName": "", "namespaced": true, "kind": "Scale", "verbs": []}]}));
        assert_eq!(new, old);
    }
}
