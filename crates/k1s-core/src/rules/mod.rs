// SPDX-License-Identifier: Apache-2.0
//! What Kubernetes decides in code about its kinds: defaults, validation, what a write may change, field selectors, table cells.
//!
//! A kind has one [`Rules`]; [`of`] finds it. The rules are pure: what needs other objects (quotas, service accounts, free cluster
//! IPs) is admission, and lives with the service.

mod address;
mod apiextensions;
mod apps;
mod autoscaling;
mod batch;
mod cells;
mod certificates;
mod condition;
mod coordination;
mod core;
mod discovery;
mod domain;
mod events;
mod keep;
mod label_selector;
pub mod limits;
mod networking;
mod node;
mod number;
pub mod pod_security;
mod policy;
pub mod quota;
mod rbac;
#[cfg(test)]
mod recorded;
mod scheduling;
mod storage;

pub use self::core::service::allocate as service_allocation;

use serde_json::Value;

use crate::field::Errors;
use crate::kinds::Kind;
use crate::name::NameRule;

/// What a rule may know of the request beside the objects.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The present time, seconds since the epoch.
    pub now_seconds: i64,
    /// Name of the user who asks.
    pub user: &'a str,
    /// Groups of that user.
    pub groups: &'a [String],
}

/// The rules of one kind. Every part has a default in [`Rules::NONE`] that does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Fills in defaults; the object has been decoded. Runs on every write and on the result of every patch.
    pub default: fn(&mut Value),
    /// Drops what a create may not set and fills in what it sets itself (status, generated selectors, phases).
    pub prepare_create: fn(&mut Value, &Request<'_>),
    /// Puts back what a main update may not change (status), before validation. `(new, old)`
    pub prepare_update: fn(&mut Value, &Value, &Request<'_>),
    /// Puts back what an update of `/status` may not change. `(new, old)`
    pub prepare_status: fn(&mut Value, &Value, &Request<'_>),
    /// Settles what hangs on the object's final name, after all checks.
    pub canonicalize: fn(&mut Value),
    /// Checks a new object. Metadata has been checked.
    pub validate: fn(&Value, &mut Errors),
    /// Checks a change by the main resource, the whole of it: also what [`Rules::validate`] checks, where Kubernetes does. `(new, old)`
    pub validate_update: fn(&Value, &Value, &mut Errors),
    /// Checks a change by `/status`. `(new, old)`
    pub validate_status: fn(&Value, &Value, &mut Errors),
    /// Warnings for a create (`old` is none) or an update.
    pub warnings: fn(&Value, Option<&Value>, &mut Vec<String>),
    /// How objects of this kind are named.
    pub name: NameRule,
    /// Whether an object that comes without a name is given one.
    pub names_itself: bool,
    /// Whether metadata is only looked at when nothing else is wrong.
    pub metadata_last: bool,
    /// Whether a finalizer needs no domain, as those of own kinds do not.
    pub plain_finalizers: bool,
    /// Whether `metadata.generation` counts, and what makes it grow.
    pub generation: Generation,
    /// Fields for field selectors beside `metadata.name` and `metadata.namespace`.
    pub fields: &'static [&'static str],
    /// The value of one of [`Rules::fields`].
    pub field: fn(&Value, &str) -> String,
    /// How the refusal of an unknown field is worded.
    pub unknown_field: UnknownField,
    /// Whether PUT works without a resourceVersion.
    pub unconditional_update: bool,
    /// Whether PUT makes what is not there.
    pub create_on_update: bool,
    /// Cells of the object's table row, one for each column of the kind.
    pub cells: Option<fn(&Value, &Clock) -> Vec<Value>>,
    /// Conditions of the object's table row, such as that it has completed.
    pub row_conditions: fn(&Value) -> Vec<Value>,
    /// Default propagation of a delete is `orphan`.
    pub orphans_by_default: bool,
    /// Rules of its subresources beside `status` and `scale`.
    pub subresources: &'static [SubresourceRules],
}

/// The rules of a subresource beside `status` that writes a part of the object: `finalize`, `approval`, `resize`,
/// `ephemeralcontainers`.
#[derive(Clone, Copy, Debug)]
pub struct SubresourceRules {
    /// Name of the subresource.
    pub name: &'static str,
    /// Puts back all that it may not change. `(new, old)`
    pub prepare: fn(&mut Value, &Value, &Request<'_>),
    /// Checks the change. `(new, old)`
    pub validate: fn(&Value, &Value, &mut Errors),
}

/// The present, for ages in tables.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Seconds since the epoch.
    pub now_seconds: i64,
}

/// When `metadata.generation` grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The kind does not count; what a client sends on create stays.
    None,
    /// It starts at 1 and grows when `spec` changes.
    Spec,
    /// It starts at 1 and grows when `spec` or an annotation changes.
    SpecAndAnnotations,
    /// It starts at 1 and grows when anything but metadata and status changes.
    Content,
    /// It starts at 1 and grows when anything but metadata and status changes, or the labels do.
    ContentAndLabels,
    /// It starts at 1 and grows when anything but metadata changes.
    ContentAndStatus,
}

/// How the refusal of an unknown field in a field selector is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownField {
    /// `"x" is not a known field selector: only "metadata.name", "metadata.namespace"`
    NotKnown,
    /// `field label not supported: x`
    NotSupported,
    /// `field label "x" not supported for KIND`
    NotSupportedFor,
}

impl Rules {
    /// No rules but those for all objects; names are DNS subdomains.
    pub const NONE: Self = Self {
        default: |_| {},
        prepare_create: |_, _| {},
        prepare_update: |_, _, _| {},
        prepare_status: |_, _, _| {},
        canonicalize: |_| {},
        validate: |_, _| {},
        validate_update: |_, _, _| {},
        validate_status: |_, _, _| {},
        warnings: |_, _, _| {},
        name: NameRule::Dns1123Subdomain,
        names_itself: false,
        metadata_last: false,
        plain_finalizers: false,
        generation: Generation::None,
        fields: &[],
        field: |_, _| String::new(),
        unknown_field: UnknownField::NotKnown,
        unconditional_update: true,
        create_on_update: false,
        cells: None,
        row_conditions: |_| Vec::new(),
        orphans_by_default: false,
        subresources: &[],
    };
}

/// The rules of a kind.
#[must_use]
pub fn of(kind: &Kind) -> &'static Rules {
    if let Some(custom) = kind.custom {
        return &custom.rules;
    }
    let own = match kind.group {
        "" => core::of(kind.kind),
        "apiextensions.k8s.io" => apiextensions::of(kind.kind),
        "apps" => apps::of(kind.kind),
        "autoscaling" => autoscaling::of(kind.version, kind.kind),
        "batch" => batch::of(kind.kind),
        "certificates.k8s.io" => certificates::of(kind.kind),
        "coordination.k8s.io" => coordination::of(kind.kind),
        "discovery.k8s.io" => discovery::of(kind.kind),
        "events.k8s.io" => events::of(kind.kind),
        "networking.k8s.io" => networking::of(kind.kind),
        "node.k8s.io" => node::of(kind.kind),
        "policy" => policy::of(kind.kind),
        "rbac.authorization.k8s.io" => rbac::of(kind.kind),
        "scheduling.k8s.io" => scheduling::of(kind.kind),
        "storage.k8s.io" => storage::of(kind.kind),
        _ => None,
    };
    own.unwrap_or(&NONE)
}

static NONE: Rules = Rules::NONE;
