// SPDX-License-Identifier: Apache-2.0
//! The service's state, and what its verbs share.

use std::sync::Arc;

use http::HeaderMap;
use k1s_core::kinds::{self, Kind};
use k1s_core::object;
use k1s_core::rules;
use k1s_core::status::{Cause, Details, Status};
use k1s_store::Store;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use crate::answer::Answer;
use crate::clock;
use crate::content::{self, Expected};
use crate::definitions::{Definitions, Known};
use crate::followup::Followups;
use crate::identity::Identity;
use crate::namespaces::Emptying;
use crate::negotiate::{Forms, Output, negotiate};
use crate::options::{FieldValidation, Query};
use crate::route::Target;
use crate::storage::Storage;

/// What an [`Api`] is told when it is opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Name of the tenant; empty is the default tenant.
    pub tenant: String,
    /// The certificate authority, PEM, that goes into `kube-root-ca.crt`.
    pub root_ca: String,
    /// The key with which service account tokens are signed. None are issued without it.
    pub token_key: crate::token::TokenKey,
    /// How the kubelets of nodes are reached, for the logs of pods. There are none without it.
    pub node_access: crate::kubelets::NodeAccess,
    /// Whether what follows from a write (garbage collection, the end of a namespace) is left to [`Api::background`]. Without it
    /// the write itself waits for it.
    pub background: bool,
    /// Kinds that the program brings along. They are not stored: other programs on the same store do not serve them.
    pub definitions: Definitions,
}

/// The Kubernetes API over a store. Clones share it.
#[derive(Clone)]
pub struct Api(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) storage: Storage,
    pub(crate) options: Options,
    pub(crate) followups: Followups,
    pub(crate) emptying: Emptying,
    /// Whether the namespaces that are always there have been looked for.
    pub(crate) prepared: OnceCell<()>,
    /// Whose turn it is to write what a quota counts, so that writers of one process do not get into each other's way.
    pub(crate) quota_turn: Arc<Mutex<()>>,
    /// Definitions that have been looked at.
    pub(crate) known: Known,
}

/// A request with its body read and its asker known.
pub(crate) struct Exchange {
    pub(crate) uri: http::Uri,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: bytes::Bytes,
    pub(crate) identity: Identity,
    pub(crate) now_seconds: i64,
    pub(crate) warnings: Vec<String>,
}

impl Exchange {
    /// A request of the service itself, as its controllers make them.
    pub(crate) fn internal() -> Self {
        Self {
            uri: http::Uri::default(),
            query: Query::default(),
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
            identity: Identity {
                user: "system:apiserver".into(),
                groups: vec![crate::identity::MASTERS.into()],
                ..Identity::default()
            },
            now_seconds: clock::now_seconds(),
            warnings: Vec::new(),
        }
    }

    /// What a rule may know of the request.
    pub(crate) fn rule_request(&self) -> rules::Request<'_> {
        rules::Request {
            now_seconds: self.now_seconds,
            user: &self.identity.user,
            groups: &self.identity.groups,
        }
    }

    /// The object in the body. What is odd about it becomes warnings, unless it is refused.
    pub(crate) fn object(
        &mut self,
        expected: &Expected,
        validation: FieldValidation,
    ) -> Result<Value, Status> {
        let mut warnings = Vec::new();
        let object = content::object(
            expected,
            &self.headers,
            &self.body,
            validation,
            &mut warnings,
        )?;
        self.warnings.append(&mut warnings);
        Ok(object)
    }

    /// The form of the answer that the client accepts.
    pub(crate) fn output(&self, forms: Forms) -> Result<Output, Status> {
        negotiate(
            &self.headers,
            self.query.flag("pretty").unwrap_or(false),
            forms,
        )
    }
}

/// The namespaces that are always there.
pub(crate) const SYSTEM_NAMESPACES: [&str; 4] =
    ["default", "kube-system", "kube-public", "kube-node-lease"];

impl Api {
    /// Opens the API on a store. Nothing is read or written before the first request; that one makes the namespaces that are always
    /// there, where they are missing.
    ///
    /// # Errors
    /// When the tenant's name cannot be one.
    pub fn open(store: Arc<dyn Store>, options: Options) -> Result<Self, Status> {
        let tenant = if options.tenant.is_empty() {
            "default"
        } else {
            options.tenant.as_str()
        };
        let complaints = k1s_core::name::dns1123_label(tenant);
        if let Some(complaint) = complaints.first() {
            return Err(Status::bad_request(format!(
                "tenant {tenant:?}: {complaint}"
            )));
        }
        let storage = Storage::new(store, tenant);
        Ok(Self(Arc::new(Inner {
            storage,
            options,
            followups: Followups::default(),
            emptying: Emptying::default(),
            prepared: OnceCell::new(),
            quota_turn: Arc::default(),
            known: Known::default(),
        })))
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// Does what the request wants with the target.
    pub(crate) async fn act(
        &self,
        method: &http::Method,
        target: &Target,
        exchange: &mut Exchange,
    ) -> Result<Answer, Status> {
        exchange.warnings.extend(deprecation(target.kind));
        if !target.subresource.is_empty() {
            return crate::subresources::act(self, method, target, exchange).await;
        }
        if target.kind.custom.is_some() {
            own_method(method, target)?;
        }
        let collection = target.name.is_empty();
        // what can only be created has no path but that of its collection
        if target.kind.verbs == ["create"]
            && (!collection || target.kind.namespaced && target.namespace.is_empty())
        {
            return Err(Status::no_such_resource());
        }
        let verb = verb(method, target, exchange);
        if !target.kind.allows(verb) || target.legacy_watch && method != http::Method::GET {
            return Err(Status::method_not_allowed());
        }
        // only reading goes across namespaces
        if target.kind.namespaced && target.namespace.is_empty() && method != http::Method::GET {
            return Err(Status::method_not_allowed());
        }
        match (method.as_str(), collection) {
            ("GET", true) => crate::verbs::list::list_or_watch(self, target, exchange),
            ("GET", false) if target.legacy_watch => {
                crate::verbs::list::list_or_watch(self, target, exchange)
            }
            ("GET", false) => crate::verbs::get::get(self, target, exchange),
            // an own kind takes a new object at the path of one
            ("POST", false) if target.kind.custom.is_some() => {
                crate::verbs::create::create(self, target, exchange).await
            }
            ("POST", true) if target.kind.kind == "Binding" => {
                crate::subresources::bind(self, target, exchange).await
            }
            ("POST", true) if crate::reviews::is_review(target.kind) => {
                crate::reviews::answer(self, target, exchange)
            }
            ("POST", true) => crate::verbs::create::create(self, target, exchange).await,
            ("PUT", false) => crate::verbs::update::update(self, target, exchange).await,
            ("PATCH", false) => crate::verbs::patch::patch(self, target, exchange).await,
            ("DELETE", false) => crate::verbs::delete::delete(self, target, exchange).await,
            ("DELETE", true) => {
                crate::verbs::delete::delete_collection(self, target, exchange).await
            }
            _ => Err(Status::method_not_allowed()),
        }
    }

    /// Refuses a write into a namespace that is not there or is about to go.
    pub(crate) fn check_namespace(
        &self,
        kind: &Kind,
        namespace: &str,
        name: &str,
    ) -> Result<(), Status> {
        if !kind.namespaced {
            return Ok(());
        }
        let namespaces = namespace_kind();
        let Some(stored) = self.storage().get(namespaces, "", namespace)? else {
            return Err(Status::not_found(namespaces, namespace));
        };
        // the common case is told without parsing
        if !contains(&stored.bytes, b"\"deletionTimestamp\"") {
            return Ok(());
        }
        if !object::is_deleting(&stored.object(namespaces)?) {
            return Ok(());
        }
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let mut status = Status::forbidden(kind, name, &why);
        if let Some(details) = &mut status.details {
            details.causes = vec![Cause {
                reason: "NamespaceTerminating".into(),
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".into(),
            }];
        }
        Err(status)
    }

    /// The stored object of a target, parsed, with its revision.
    pub(crate) fn load(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<(Value, k1s_store::Revision)>, Status> {
        let stored = self.storage().get(kind, namespace, name)?;
        stored
            .map(|s| Ok((s.object(crate::convert::storage_kind(kind))?, s.revision)))
            .transpose()
    }
}

/// What own kinds refuse otherwise than built-in ones.
fn own_method(method: &http::Method, target: &Target) -> Result<(), Status> {
    match method.as_str() {
        "PUT" | "PATCH" if target.name.is_empty() => {
            Err(Status::bad_request("name must be provided"))
        }
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" => Ok(()),
        _ => {
            let kind = target.kind;
            let message = format!(
                " is not supported on resources of kind \"{}\"",
                kind.group_resource()
            );
            Err(
                Status::new(405, "MethodNotAllowed", message).with_details(Details {
                    group: kind.group.into(),
                    kind: kind.plural.into(),
                    ..Details::default()
                }),
            )
        }
    }
}

/// What every answer about a kind warns of when the kind is to go.
fn deprecation(kind: &Kind) -> Option<String> {
    if let Some(custom) = kind.custom {
        return custom.deprecation.clone();
    }
    (kind.group.is_empty() && kind.kind == "Endpoints").then(|| {
        "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice".to_owned()
    })
}

/// The verb of a request, as RBAC and discovery name it.
pub(crate) fn verb(method: &http::Method, target: &Target, exchange: &Exchange) -> &'static str {
    match (method.as_str(), target.name.is_empty()) {
        ("GET", _) if target.legacy_watch => "watch",
        ("GET", true) if exchange.query.flag("watch").unwrap_or(false) => "watch",
        ("GET", true) => "list",
        ("GET", false) => "get",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", true) => "deletecollection",
        ("DELETE", false) => "delete",
        _ => "",
    }
}

pub(crate) fn namespace_kind() -> &'static Kind {
    kinds::of_kind("", "v1", "Namespace")
        .unwrap_or_else(|| unreachable!("Namespace is a built-in kind"))
}

pub(crate) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

/// Details of a status about an object, under the name of its kind, as some refusals have them.
pub(crate) fn kind_details(kind: &Kind, name: &str) -> Details {
    Details {
        name: name.into(),
        group: kind.group.into(),
        kind: kind.kind.into(),
        ..Details::default()
    }
}
