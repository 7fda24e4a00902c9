// SPDX-License-Identifier: Apache-2.0
//! Kinds that are not built in: those that the program brings along ([`Definitions`]), and those whose
//! `CustomResourceDefinition` is stored.
//!
//! A stored definition is looked up by its name, which its path tells, in the store itself, so that every process serves it from
//! the moment in which it is established. It is compiled when its revision is one that this process has not seen.

mod life;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use k1s_core::custom::{Definition, NoRoom, accept as names};
use k1s_core::field::Errors;
use k1s_core::kinds::{self, Kind};
use k1s_core::status::Status;
use k1s_core::{decode, object, rules, yaml};
use k1s_store::{ListRequest, Revision};
use serde::Serialize;
use serde_json::Value;

use crate::api::Api;
use crate::storage::{self, Stored};

pub(crate) use life::{accept, accept_refused, gone, mark_terminating, written};

/// The group of definitions.
pub(crate) const GROUP: &str = "apiextensions.k8s.io";

/// The kind of definitions.
pub(crate) fn definition_kind() -> &'static Kind {
    kinds::of_kind(GROUP, "v1", "CustomResourceDefinition")
        .unwrap_or_else(|| unreachable!("CustomResourceDefinition is a built-in kind"))
}

/// Whether this is the kind of definitions.
pub(crate) fn is_definition(kind: &Kind) -> bool {
    kind.group == GROUP && kind.kind == "CustomResourceDefinition"
}

/// `CustomResourceDefinition` objects that a program brings along. They are made and compiled when a kind is asked for that is not
/// built in, so a program that never does pays nothing.
///
/// # Examples
/// ```
/// use k1s_api::Definitions;
///
/// let definitions = Definitions::yaml(
///     "
/// apiVersion: apiextensions.k8s.io/v1
/// kind: CustomResourceDefinition
/// metadata: {name: items.shop.example.com}
/// spec:
///   group: shop.example.com
///   scope: Namespaced
///   names: {kind: Item, plural: items}
///   versions:
///   - name: v1
///     served: true
///     storage: true
///     schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
/// ",
/// );
/// definitions.check().expect("the definition is right");
/// ```
#[derive(Clone, Default)]
pub struct Definitions(Option<Arc<Lazy>>);

struct Lazy {
    make: Box<Make>,
    compiled: OnceLock<Result<Vec<&'static Definition>, String>>,
}

type Make = dyn Fn() -> Result<Vec<Value>, String> + Send + Sync;

impl fmt::Debug for Definitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "Definitions(..)"
        } else {
            "Definitions"
        })
    }
}

impl Definitions {
    /// Definitions as typed objects: `Definitions::new(|| [Item::crd(), Category::crd()])` with `kube`'s derive.
    pub fn new<I>(make: impl Fn() -> I + Send + Sync + 'static) -> Self
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        Self::lazy(move || {
            let all = make().into_iter().map(serde_json::to_value);
            all.collect::<Result<_, _>>().map_err(|e| e.to_string())
        })
    }

    /// Definitions as YAML or JSON, with `---` between documents.
    #[must_use]
    pub fn yaml(text: &'static str) -> Self {
        Self::lazy(move || {
            let mut all = Vec::new();
            for document in text.split("\n---") {
                if document.trim().is_empty() {
                    continue;
                }
                let read =
                    yaml::read_document(document.as_bytes(), k1s_core::json::Limits::default());
                all.push(read.map_err(|e| e.to_string())?.value);
            }
            Ok(all)
        })
    }

    fn lazy(make: impl Fn() -> Result<Vec<Value>, String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Lazy {
            make: Box::new(make),
            compiled: OnceLock::new(),
        })))
    }

    /// Compiles the definitions now, to be told early what is wrong with them.
    ///
    /// # Errors
    /// What is wrong, with the name of the definition and the path of the field.
    pub fn check(&self) -> Result<(), String> {
        self.compiled().map(|_| ())
    }

    fn compiled(&self) -> Result<&[&'static Definition], String> {
        let Some(lazy) = &self.0 else { return Ok(&[]) };
        let compiled = lazy
            .compiled
            .get_or_init(|| (lazy.make)()?.into_iter().map(compile).collect());
        compiled.as_deref().map_err(Clone::clone)
    }
}

/// Compiles a definition of the program: read, defaulted and checked as one that is written through the API.
fn compile(mut definition: Value) -> Result<&'static Definition, String> {
    let kind = definition_kind();
    let name = object::name(&definition).to_owned();
    let wrong = |why: String| format!("the definition {name:?} of this program: {why}");
    let unknown = decode::decode(kind.schema, &mut definition).map_err(|e| wrong(e.to_string()))?;
    if let Some(first) = unknown.first() {
        return Err(wrong(format!("unknown field {first:?}")));
    }
    let own = rules::of(kind);
    (own.default)(&mut definition);
    let request = rules::Request {
        now_seconds: 0,
        user: "",
        groups: &[],
    };
    (own.prepare_create)(&mut definition, &request);
    let mut errors = Errors::new();
    (own.validate)(&definition, &mut errors);
    if let Some(first) = errors.iter().next() {
        return Err(wrong(format!("{}: {}", first.field, first.message)));
    }
    Definition::of(&definition).map_err(|e| wrong(e.to_string()))
}

/// Stored definitions that have been looked at, by name.
#[derive(Default)]
pub(crate) struct Known(Mutex<HashMap<String, Seen>>);

#[derive(Clone, Copy)]
struct Seen {
    revision: Revision,
    /// None while it is not established, or has no room.
    definition: Option<&'static Definition>,
    /// Why it is not compiled though it is established.
    no_room: Option<NoRoom>,
    terminating: bool,
}

impl Api {
    /// The kind of a group, a version and a plural name that is not built in.
    pub(crate) fn own_kind(
        &self,
        group: &str,
        version: &str,
        plural: &str,
    ) -> Result<Option<&'static Kind>, Status> {
        let found = self.definition(group, plural)?;
        Ok(found.and_then(|d| d.version(version)))
    }

    /// The established definition of a group and a plural name.
    pub(crate) fn definition(
        &self,
        group: &str,
        plural: &str,
    ) -> Result<Option<&'static Definition>, Status> {
        let name = format!("{plural}.{group}");
        let mut brought = self.brought()?.iter();
        if let Some(found) = brought.find(|d| d.name == name) {
            return Ok(Some(found));
        }
        match self.stored_definition(&name)? {
            Some(Seen {
                no_room: Some(why), ..
            }) => Err(Status::new(
                503,
                "ServiceUnavailable",
                format!("{name} is not served: {why}"),
            )),
            seen => Ok(seen.and_then(|s| s.definition)),
        }
    }

    fn brought(&self) -> Result<&[&'static Definition], Status> {
        let compiled = self.0.options.definitions.compiled();
        compiled.map_err(Status::internal)
    }

    fn stored_definition(&self, name: &str) -> Result<Option<Seen>, Status> {
        let stored = self.storage().get(definition_kind(), "", name)?;
        let Some(stored) = stored else {
            self.known(|known| known.remove(name));
            return Ok(None);
        };
        self.see(name, &stored).map(Some)
    }

    fn known<T>(&self, with: impl FnOnce(&mut HashMap<String, Seen>) -> T) -> T {
        with(
            &mut self
                .0
                .known
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// What is known of a stored definition, read anew when it changed.
    fn see(&self, name: &str, stored: &Stored) -> Result<Seen, Status> {
        let known = self.known(|known| known.get(name).copied());
        if let Some(seen) = known.filter(|seen| seen.revision == stored.revision) {
            return Ok(seen);
        }
        let read = stored.object(definition_kind())?;
        let compiled = names::is_established(&read).then(|| Definition::of(&read));
        let seen = Seen {
            revision: stored.revision,
            definition: compiled.as_ref().and_then(|c| c.as_ref().ok().copied()),
            no_room: compiled.and_then(Result::err),
            terminating: object::is_deleting(&read),
        };
        self.known(|known| known.insert(name.to_owned(), seen));
        Ok(seen)
    }

    /// All definitions that are established and have room in this process.
    pub(crate) fn own_definitions(&self) -> Result<Vec<&'static Definition>, Status> {
        let mut all = self.brought()?.to_vec();
        let brought = all.len();
        for (name, stored) in self.scan_definitions()? {
            let is_brought = all[..brought].iter().any(|d| d.name == name);
            if !is_brought && let Some(definition) = self.see(&name, &stored)?.definition {
                all.push(definition);
            }
        }
        Ok(all)
    }

    fn scan_definitions(&self) -> Result<Vec<(String, Stored)>, Status> {
        let prefix = self.storage().prefix(definition_kind(), "")?;
        let mut all = Vec::new();
        let mut broken = None;
        let scanned = self
            .storage()
            .store
            .scan(&ListRequest::new(prefix), &mut |entry| {
                match entry {
                    Ok(entry) => {
                        let name = entry.namespace_and_name().1.to_owned();
                        let stored = Stored {
                            bytes: entry.to_bytes(),
                            revision: entry.revision(),
                        };
                        all.push((name, stored));
                    }
                    Err(error) => broken = Some(error),
                }
                std::ops::ControlFlow::Continue(())
            });
        scanned.map_err(storage::failure)?;
        broken.map_or(Ok(all), |error| Err(storage::failure(error)))
    }

    /// The kinds of all versions that are served and not built in.
    pub(crate) fn own_kinds(&self) -> Result<Vec<&'static Kind>, Status> {
        let all = self.own_definitions()?;
        Ok(all.into_iter().flat_map(|d| d.served()).collect())
    }

    /// The kind of this name, in this version or in another; none where it is not served.
    pub(crate) fn kind_of(&self, group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
        let mut built_in = kinds::all().iter();
        if let Some(found) = kinds::of_kind(group, version, kind)
            .or_else(|| built_in.find(|k| k.group == group && k.kind == kind))
        {
            return Some(found);
        }
        let own = self.own_kinds().ok()?;
        let mut named = own.iter().filter(|k| k.group == group && k.kind == kind);
        let first = named.clone().next().copied();
        named.find(|k| k.version == version).copied().or(first)
    }

    /// Refuses a new object of a kind whose definition is about to go.
    pub(crate) fn check_definition(&self, kind: &Kind, name: &str) -> Result<(), Status> {
        let Some(custom) = kind.custom else {
            return Ok(());
        };
        let brought = self.brought()?.iter().any(|d| d.name == custom.definition);
        if !brought
            && self
                .stored_definition(custom.definition)?
                .is_some_and(|seen| seen.terminating)
        {
            return Err(Status::forbidden(
                kind,
                name,
                "create not allowed while custom resource definition is terminating",
            ));
        }
        Ok(())
    }
}
