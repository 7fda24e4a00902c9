// SPDX-License-Identifier: Apache-2.0
//! A kubeconfig as `config` shows and changes it.
//!
//! The file holds lists of named entries; here they are maps by name, and they are written sorted. What an entry may
//! hold is in the tables of [`Section`]: they make the paths of `config set`, and the order of the fields in JSON.

mod path;
mod view;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use path::PathError;
pub use view::{Mismatch, minify, redact};

/// Entries by their names.
pub type Entries = BTreeMap<String, Map<String, Value>>;

/// The parts of a kubeconfig that hold named entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Where API servers are.
    Clusters,
    /// Who one is.
    Users,
    /// A cluster with a user and a namespace.
    Contexts,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    Switch,
    /// Bytes, in the file as base64.
    Bytes,
    /// Lists and objects, which cannot be set by a path.
    Other,
}
use Shape::{Bytes, Other, Switch, Text};

impl Section {
    /// All sections.
    pub const ALL: [Section; 3] = [Section::Clusters, Section::Users, Section::Contexts];

    /// The field of the file.
    pub fn name(self) -> &'static str {
        match self {
            Section::Clusters => "clusters",
            Section::Users => "users",
            Section::Contexts => "contexts",
        }
    }

    /// The field of an entry that stands beside its name.
    fn body(self) -> &'static str {
        match self {
            Section::Clusters => "cluster",
            Section::Users => "user",
            Section::Contexts => "context",
        }
    }

    /// The fields of an entry, in the order in which JSON shows them.
    fn fields(self) -> &'static [(&'static str, Shape)] {
        match self {
            Section::Clusters => &[
                ("server", Text),
                ("tls-server-name", Text),
                ("insecure-skip-tls-verify", Switch),
                ("certificate-authority", Text),
                ("certificate-authority-data", Bytes),
                ("proxy-url", Text),
                ("disable-compression", Switch),
                ("extensions", Other),
            ],
            Section::Users => &[
                ("client-certificate", Text),
                ("client-certificate-data", Bytes),
                ("client-key", Text),
                ("client-key-data", Bytes),
                ("token", Text),
                ("tokenFile", Text),
                ("as", Text),
                ("as-uid", Text),
                ("as-groups", Other),
                ("as-user-extra", Other),
                ("username", Text),
                ("password", Text),
                ("auth-provider", Other),
                ("exec", Other),
                ("extensions", Other),
            ],
            Section::Contexts => &[
                ("cluster", Text),
                ("user", Text),
                ("namespace", Text),
                ("extensions", Other),
            ],
        }
    }

    /// Fields that are written even when they are empty.
    fn always(self) -> &'static [&'static str] {
        match self {
            Section::Clusters => &["server"],
            Section::Users => &[],
            Section::Contexts => &["cluster", "user"],
        }
    }
}

/// A kubeconfig.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigFile {
    /// Clusters by name.
    pub clusters: Entries,
    /// Users by name.
    pub users: Entries,
    /// Contexts by name.
    pub contexts: Entries,
    /// The context in use, empty for none.
    pub current_context: String,
    /// Fields that are kept as they are.
    rest: Map<String, Value>,
}

impl ConfigFile {
    /// Reads what a kubeconfig holds; entries without a name are left out, of two with one name the first counts.
    pub fn from_value(value: &Value) -> Self {
        let mut config = Self {
            current_context: text(value, "current-context"),
            ..Self::default()
        };
        for section in Section::ALL {
            for item in value
                .get(section.name())
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let (Some(name), body) = (
                    item.get("name").and_then(Value::as_str),
                    item.get(section.body()),
                ) else {
                    continue;
                };
                let body = body.and_then(Value::as_object).cloned().unwrap_or_default();
                config
                    .entries_mut(section)
                    .entry(name.to_owned())
                    .or_insert(body);
            }
        }
        for field in ["preferences", "extensions"] {
            if let Some(value) = value
                .get(field)
                .filter(|value| !k1s_core::object::is_unset(Some(value)))
            {
                config.rest.insert(field.to_owned(), value.clone());
            }
        }
        config
    }

    /// The file that holds this.
    pub fn to_value(&self) -> Value {
        let mut value = json!({ "apiVersion": "v1", "kind": "Config", "current-context": self.current_context });
        for section in Section::ALL {
            let item = |(name, body): (&String, &Map<String, Value>)| json!({ "name": name, section.body(): written(section, body) });
            let items: Vec<Value> = self.entries(section).iter().map(item).collect();
            value[section.name()] = if items.is_empty() {
                Value::Null
            } else {
                items.into()
            };
        }
        for (field, rest) in &self.rest {
            value[field] = rest.clone();
        }
        value
    }

    /// The entries of a section.
    pub fn entries(&self, section: Section) -> &Entries {
        match section {
            Section::Clusters => &self.clusters,
            Section::Users => &self.users,
            Section::Contexts => &self.contexts,
        }
    }

    /// The entries of a section, to be changed.
    pub fn entries_mut(&mut self, section: Section) -> &mut Entries {
        match section {
            Section::Clusters => &mut self.clusters,
            Section::Users => &mut self.users,
            Section::Contexts => &mut self.contexts,
        }
    }

    /// The user's preferences, where there are any.
    pub fn preferences(&self) -> Option<&Value> {
        self.rest.get("preferences")
    }

    /// Replaces the user's preferences.
    pub fn set_preferences(&mut self, preferences: Option<Value>) {
        match preferences {
            Some(preferences) => _ = self.rest.insert("preferences".to_owned(), preferences),
            None => _ = self.rest.remove("preferences"),
        }
    }

    /// Adds what another file holds beyond this one.
    pub fn merge(&mut self, other: &Self) {
        for section in Section::ALL {
            for (name, body) in other.entries(section) {
                self.entries_mut(section)
                    .entry(name.clone())
                    .or_insert_with(|| body.clone());
            }
        }
        if self.current_context.is_empty() {
            self.current_context.clone_from(&other.current_context);
        }
        for (field, value) in &other.rest {
            self.rest
                .entry(field.clone())
                .or_insert_with(|| value.clone());
        }
    }
}

/// The order of all fields in JSON.
pub fn json_order() -> Vec<&'static str> {
    let head = [
        "kind",
        "apiVersion",
        "preferences",
        "clusters",
        "users",
        "contexts",
        "current-context",
        "name",
    ];
    let fields = Section::ALL
        .iter()
        .flat_map(|section| section.fields().iter().map(|(name, _)| *name));
    let bodies = Section::ALL.iter().map(|section| section.body());
    let exec = [
        "command",
        "args",
        "env",
        "value",
        "provideClusterInfo",
        "interactiveMode",
    ];
    let mut order: Vec<&str> = head.into_iter().chain(fields).collect();
    for name in bodies.chain(exec) {
        if !order.contains(&name) {
            order.push(name);
        }
    }
    order
}

fn text(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// An entry without its empty fields.
fn written(section: Section, body: &Map<String, Value>) -> Value {
    let mut written: Map<String, Value> = body
        .iter()
        .filter(|(_, value)| !k1s_core::object::is_unset(Some(value)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    for field in section.always() {
        written.entry(*field).or_insert_with(|| "".into());
    }
    if let Some(exec) = written.get_mut("exec").and_then(Value::as_object_mut) {
        // later versions want it said
        let version = exec.get("apiVersion").and_then(Value::as_str);
        if version.is_some_and(|v| v.ends_with("/v1beta1") || v.ends_with("/v1alpha1")) {
            exec.entry("interactiveMode")
                .or_insert_with(|| "IfAvailable".into());
        }
        for list in ["args", "env"] {
            exec.entry(list).or_insert(Value::Null);
        }
        exec.entry("provideClusterInfo")
            .or_insert_with(|| false.into());
    }
    written.into()
}

#[cfg(test)]
mod tests;
