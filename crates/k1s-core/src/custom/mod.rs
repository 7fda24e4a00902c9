// SPDX-License-Identifier: Apache-2.0
//! Kinds that are not built in: from a `CustomResourceDefinition` to a [`Kind`] that is served like any other.
//!
//! [`Definition::of`] compiles a definition that [`check::create`] has found right. What a version adds to its kind (the
//! structural schema, columns, paths of its scale) is [`Custom`], reached by [`Kind::custom`].
//!
//! A compiled definition lives as long as the process, so that a kind is one word wide and everything that holds one is the
//! same for built-in kinds and own ones. It is interned by its content: that definitions come and go costs nothing while
//! their content was seen before. What one process may intern is bounded by [`MOST_BYTES`]; past it a definition with new
//! content is refused.

pub mod accept;
pub mod check;
mod columns;
mod decode;
mod embedded;
mod format;
mod list_type;
mod object;
mod pattern;
mod shape;
mod structural;
#[cfg(test)]
mod tests;
mod validate;

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

use crate::kinds::{Column, Kind, Subresource};
use crate::object::{is_true, list, text};
use crate::rules::{Generation, Rules, UnknownField};
use crate::schema::{Form, Schema};

pub use decode::{decode, tidy};
pub use format::is_known as is_known_format;
pub use object::{
    prepare_create, prepare_status, prepare_update, validate, validate_status, validate_update,
};
pub use structural::Structural;

/// The text of all definitions that a process has compiled may have this many bytes.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;

/// A compiled definition: a kind for each of its versions.
#[derive(Debug)]
pub struct Definition {
    /// `gizmos.example.com`
    pub name: &'static str,
    /// A kind for each version, in the order of the definition.
    pub kinds: Vec<Kind>,
}

/// What a version of a definition adds to its kind.
#[derive(Debug)]
pub struct Custom {
    /// Name of the definition: `gizmos.example.com`.
    pub definition: &'static str,
    /// Kind of a list.
    pub list_kind: &'static str,
    /// Name of the schema of a list in OpenAPI: `com.example.v1.GizmoList`.
    pub list_schema: &'static str,
    /// Whether the version is served.
    pub served: bool,
    /// The version as which objects are stored.
    pub storage_version: &'static str,
    /// Structure and checks of its objects.
    pub schema: &'static Structural,
    /// The schema as it was given, for OpenAPI.
    pub openapi: Value,
    /// Whether `/status` is a subresource.
    pub has_status: bool,
    /// The paths of `/scale`.
    pub scale: Option<Scale>,
    /// What every answer warns of.
    pub deprecation: Option<String>,
    /// Rules of its objects.
    pub rules: Rules,
    cells: Vec<columns::Cell>,
    siblings: OnceLock<&'static Definition>,
}

/// Where the scale of an object is, as keys from the root.
#[derive(Debug)]
pub struct Scale {
    /// `spec.replicas`
    pub spec_replicas: Vec<String>,
    /// `status.replicas`
    pub status_replicas: Vec<String>,
    /// `status.selector`; empty when there is none.
    pub selector: Vec<String>,
}

/// There is no room for another definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process has compiled {MOST_BYTES} bytes of different definitions and takes no more; restart it to go on"
)]
pub struct NoRoom;

#[derive(Default)]
struct Interned {
    bytes: usize,
    all: HashMap<String, &'static Definition>,
}

static INTERNED: Mutex<Option<Interned>> = Mutex::new(None);

impl Definition {
    /// The compiled form of a definition whose names are accepted: `status.acceptedNames` where it has them, else those of
    /// its spec.
    ///
    /// # Errors
    /// When the process has compiled too many.
    pub fn of(definition: &Value) -> Result<&'static Self, NoRoom> {
        let spec = &definition["spec"];
        let accepted = &definition["status"]["acceptedNames"];
        let names = if text(accepted, &["kind"]).is_empty() {
            &spec["names"]
        } else {
            accepted
        };
        let content = format!(
            "{} {names} {} {}",
            spec["group"], spec["scope"], spec["versions"]
        );
        let mut guard = INTERNED.lock().unwrap_or_else(PoisonError::into_inner);
        let interned = guard.get_or_insert_default();
        if let Some(found) = interned.all.get(&content) {
            return Ok(found);
        }
        if interned.bytes + content.len() > MOST_BYTES {
            return Err(NoRoom);
        }
        interned.bytes += content.len();
        let made: &'static Self = Box::leak(Box::new(compile(spec, names)));
        for custom in made.kinds.iter().filter_map(|k| k.custom) {
            // it was made above, and nobody else has it yet
            let _ = custom.siblings.set(made);
        }
        interned.all.insert(content, made);
        Ok(made)
    }

    /// The kind of a version that is served.
    #[must_use]
    pub fn version(&'static self, version: &str) -> Option<&'static Kind> {
        self.served().find(|k| k.version == version)
    }

    /// The kinds of the versions that are served.
    pub fn served(&'static self) -> impl Iterator<Item = &'static Kind> {
        self.kinds
            .iter()
            .filter(|k| k.custom.is_some_and(|c| c.served))
    }

    /// The kind as which objects are stored.
    #[must_use]
    pub fn storage(&'static self) -> Option<&'static Kind> {
        self.kinds
            .iter()
            .find(|k| k.custom.is_some_and(|c| c.storage_version == k.version))
    }
}

fn leak(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

fn leak_all<T>(items: Vec<T>) -> &'static [T] {
    Box::leak(items.into_boxed_slice())
}

fn words(value: &Value, key: &str) -> &'static [&'static str] {
    let words = list(value, &[key]).iter().filter_map(Value::as_str);
    leak_all(words.map(leak).collect())
}

const VERBS: &[&str] = &[
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "create",
    "update",
    "watch",
];
const PART_VERBS: &[&str] = &["get", "patch", "update"];

fn compile(spec: &Value, names: &Value) -> Definition {
    let versions = list(spec, &["versions"]);
    let group = leak(text(spec, &["group"]));
    let plural = text(&spec["names"], &["plural"]);
    let storage = versions.iter().find(|v| is_true(v, &["storage"]));
    let shared = Shared {
        group,
        kind: leak(text(names, &["kind"])),
        list_kind: leak(text(names, &["listKind"])),
        plural: leak(plural),
        singular: leak(text(names, &["singular"])),
        short_names: words(names, "shortNames"),
        categories: words(names, "categories"),
        namespaced: text(spec, &["scope"]) == "Namespaced",
        definition: leak(&format!("{plural}.{group}")),
        storage_version: leak(storage.map_or("", |v| text(v, &["name"]))),
    };
    Definition {
        name: shared.definition,
        kinds: versions.iter().map(|v| shared.kind(v)).collect(),
    }
}

/// What all versions of a definition have in common.
struct Shared {
    group: &'static str,
    kind: &'static str,
    list_kind: &'static str,
    plural: &'static str,
    singular: &'static str,
    short_names: &'static [&'static str],
    categories: &'static [&'static str],
    namespaced: bool,
    definition: &'static str,
    storage_version: &'static str,
}

impl Shared {
    fn kind(&self, given: &Value) -> Kind {
        let version = leak(text(given, &["name"]));
        let openapi = given["schema"]["openAPIV3Schema"].clone();
        let structural: &'static Structural = Box::leak(Box::new(Structural::parse(&openapi)));
        let parts = &given["subresources"];
        let has_status = parts.get("status").is_some_and(|s| !s.is_null());
        let scale = parts.get("scale").filter(|s| !s.is_null()).map(scale);
        let mut subresources = Vec::new();
        if has_status {
            subresources.push(Subresource {
                name: "status",
                group: self.group,
                version,
                kind: self.kind,
                verbs: PART_VERBS,
            });
        }
        if scale.is_some() {
            subresources.push(Subresource {
                name: "scale",
                group: "autoscaling",
                version: "v1",
                kind: "Scale",
                verbs: PART_VERBS,
            });
        }
        let (columns, cells) = columns::of(list(given, &["additionalPrinterColumns"]));
        let fields = list(given, &["selectableFields"]).iter();
        let fields: Vec<&'static str> = fields
            .map(|f| leak(text(f, &["jsonPath"]).trim_start_matches('.')))
            .collect();
        let custom = Custom {
            definition: self.definition,
            list_kind: self.list_kind,
            list_schema: leak(&self.schema_name(version, self.list_kind)),
            served: is_true(given, &["served"]),
            storage_version: self.storage_version,
            schema: structural,
            openapi,
            has_status,
            scale,
            deprecation: deprecation(given, self.group, version, self.kind),
            rules: rules(has_status, leak_all(fields)),
            cells,
            siblings: OnceLock::new(),
        };
        Kind {
            group: self.group,
            version,
            kind: self.kind,
            plural: self.plural,
            singular: self.singular,
            short_names: self.short_names,
            categories: self.categories,
            namespaced: self.namespaced,
            verbs: VERBS,
            schema: self.schema(version, structural),
            columns: leak_all::<Column>(columns),
            subresources: leak_all(subresources),
            custom: Some(Box::leak(Box::new(custom))),
        }
    }

    /// The group backwards, the version and the kind.
    fn schema_name(&self, version: &str, kind: &str) -> String {
        let mut parts: Vec<&str> = self.group.split('.').collect();
        parts.reverse();
        format!("{}.{version}.{kind}", parts.join("."))
    }

    fn schema(&self, version: &'static str, structural: &'static Structural) -> &'static Schema {
        let name = self.schema_name(version, self.kind);
        Box::leak(Box::new(Schema {
            name: leak(&name),
            form: Form::Object,
            atomic: false,
            gvks: leak_all(vec![(self.group, version, self.kind)]),
            required: &[],
            fields: shape::of_root(structural),
            custom: Some(structural),
        }))
    }
}

fn rules(has_status: bool, fields: &'static [&'static str]) -> Rules {
    Rules {
        generation: if has_status {
            Generation::Content
        } else {
            Generation::ContentAndStatus
        },
        fields,
        field: selected,
        unknown_field: UnknownField::NotSupported,
        unconditional_update: false,
        plain_finalizers: true,
        warnings: finalizer_warnings,
        ..Rules::NONE
    }
}

/// Finalizers without a domain may be used by others too.
fn finalizer_warnings(new: &Value, old: Option<&Value>, out: &mut Vec<String>) {
    for finalizer in crate::object::finalizers(new) {
        let known = old.is_some_and(|old| crate::object::finalizers(old).any(|f| f == finalizer));
        if !finalizer.contains('/') && !known && !crate::name::standard_finalizer(finalizer) {
            out.push(format!(
                "metadata.finalizers: {}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers",
                crate::field::quote(finalizer)
            ));
        }
    }
}

/// The value of a selectable field, as selectors compare it.
fn selected(object: &Value, field: &str) -> String {
    let value = field.split('.').try_fold(object, |v, key| v.get(key));
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn deprecation(given: &Value, group: &str, version: &str, kind: &str) -> Option<String> {
    if !is_true(given, &["deprecated"]) {
        return None;
    }
    let own = given.get("deprecationWarning").and_then(Value::as_str);
    Some(own.map_or_else(
        || format!("{group}/{version} {kind} is deprecated"),
        str::to_owned,
    ))
}

fn scale(given: &Value) -> Scale {
    let keys = |key: &str| -> Vec<String> {
        let path = text(given, &[key]);
        path.split('.')
            .filter(|k| !k.is_empty())
            .map(str::to_owned)
            .collect()
    };
    Scale {
        spec_replicas: keys("specReplicasPath"),
        status_replicas: keys("statusReplicasPath"),
        selector: keys("labelSelectorPath"),
    }
}

impl Custom {
    /// The kind as which objects are stored.
    #[must_use]
    pub fn storage(&self) -> Option<&'static Kind> {
        self.siblings.get().and_then(|d| d.storage())
    }

    /// The cells of an object's table row.
    #[must_use]
    pub fn cells(&self, object: &Value, now_seconds: i64) -> Vec<Value> {
        std::iter::once(crate::object::name(object).into())
            .chain(self.cells.iter().map(|c| c.value(object, now_seconds)))
            .collect()
    }
}
