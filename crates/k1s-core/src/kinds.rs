// SPDX-License-Identifier: Apache-2.0
//! Kinds: names, scope, verbs, columns, subresources, schema; and the registry of those that are built in.
//!
//! The built-in ones are static data made at build time from `data/kinds.json`; looking one up touches only that one. Others are
//! compiled from their definitions ([`crate::custom`]), and whoever serves them looks for them where the registry has none.

use std::borrow::Cow;

use crate::custom::Custom;
use crate::schema::Schema;

/// A kind and the resource that serves it.
#[derive(Debug)]
pub struct Kind {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// API version: `v1`.
    pub version: &'static str,
    /// Kind: `ConfigMap`.
    pub kind: &'static str,
    /// Plural resource name: `configmaps`.
    pub plural: &'static str,
    /// Singular name: `configmap`.
    pub singular: &'static str,
    /// Short names: `cm`.
    pub short_names: &'static [&'static str],
    /// Categories: `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Verbs that discovery tells.
    pub verbs: &'static [&'static str],
    /// Fields of its objects.
    pub schema: &'static Schema,
    /// Columns of its table.
    pub columns: &'static [Column],
    /// Its subresources.
    pub subresources: &'static [Subresource],
    /// What its definition says; none for a built-in kind.
    pub custom: Option<&'static Custom>,
}

/// A column of a kind's table.
#[derive(Debug)]
pub struct Column {
    /// Heading: `Ready`.
    pub name: &'static str,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub kind: &'static str,
    /// `name` for the object's name, else mostly empty.
    pub format: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// 0 is always shown, more only in the wide form.
    pub priority: i32,
}

/// What the column of names shows, where a kind has no words of its own for it.
pub const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
/// What the column of creation times shows.
pub const CREATED_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// A subresource, such as `status`.
#[derive(Debug)]
pub struct Subresource {
    /// Name: `scale`.
    pub name: &'static str,
    /// Group of what it takes and gives.
    pub group: &'static str,
    /// Version of what it takes and gives.
    pub version: &'static str,
    /// Kind of what it takes and gives: `Scale`.
    pub kind: &'static str,
    /// Verbs that discovery tells.
    pub verbs: &'static [&'static str],
}

impl Kind {
    /// `v1` or `apps/v1`.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// `configmaps` or `deployments.apps`, as messages name a resource.
    #[must_use]
    pub fn group_resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.to_owned()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `ConfigMapList`, or what its definition calls a list.
    #[must_use]
    pub fn list_kind(&self) -> Cow<'static, str> {
        match self.custom {
            Some(custom) => custom.list_kind.into(),
            None => format!("{}List", self.kind).into(),
        }
    }

    /// The subresource of this name.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|s| s.name == name)
    }

    /// Whether discovery tells this verb.
    #[must_use]
    pub fn allows(&self, verb: &str) -> bool {
        self.verbs.contains(&verb)
    }
}

/// All built-in kinds, sorted by group/version and plural name.
#[must_use]
pub fn all() -> &'static [Kind] {
    &crate::tables::KINDS
}

/// The built-in kinds of one group and version.
#[must_use]
pub fn of_version(group: &str, version: &str) -> &'static [Kind] {
    crate::tables::of_version(group, version)
}

/// The kind that serves this resource.
#[must_use]
pub fn of_resource(group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
    of_version(group, version)
        .iter()
        .find(|k| k.plural == plural)
}

/// The kind of this name.
#[must_use]
pub fn of_kind(group: &str, version: &str, kind: &str) -> Option<&'static Kind> {
    of_version(group, version).iter().find(|k| k.kind == kind)
}

/// Splits `apps/v1` into group and version; `v1` is the core group's.
#[must_use]
pub fn split_api_version(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_and_kinds_are_found() {
        let deployments = of_resource("apps", "v1", "deployments").unwrap();
        assert_eq!(deployments.kind, "Deployment");
        assert_eq!(deployments.group_resource(), "deployments.apps");
        let scale = deployments.subresource("scale").unwrap();
        assert_eq!(
            (scale.group, scale.version, scale.kind),
            ("autoscaling", "v1", "Scale")
        );
        assert_eq!(of_kind("", "v1", "ConfigMap").unwrap().short_names, ["cm"]);
        assert!(of_resource("apps", "v2", "deployments").is_none());
        for kind in all() {
            let found = of_version(kind.group, kind.version);
            assert!(found.iter().any(|k| std::ptr::eq(k, kind)), "{kind:?}");
        }
        let token = of_resource("", "v1", "serviceaccounts")
            .and_then(|k| k.subresource("token"))
            .unwrap();
        assert_eq!(
            (token.group, token.version, token.kind),
            ("authentication.k8s.io", "v1", "TokenRequest")
        );
    }
}
