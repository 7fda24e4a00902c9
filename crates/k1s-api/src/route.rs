// SPDX-License-Identifier: Apache-2.0
//! From a path to what it names: a resource, its collection or its subresource, or a path that is no resource.

use std::borrow::Cow;

use k1s_core::kinds::{self, Kind};
use percent_encoding::percent_decode_str;

/// What the path of a request names.
#[derive(Debug)]
pub(crate) enum Route {
    /// Objects of a kind.
    Resource(Target),
    /// A resource that its group and version do not have.
    UnknownResource,
    /// Any other path: discovery, health, OpenAPI, or nothing.
    Other,
}

/// Objects of a kind, or one of them.
#[derive(Debug)]
pub(crate) struct Target {
    /// The kind.
    pub kind: &'static Kind,
    /// Namespace, empty for cluster-scoped kinds and for all namespaces.
    pub namespace: String,
    /// Name, empty for the collection.
    pub name: String,
    /// Subresource, empty for the object itself.
    pub subresource: String,
    /// Whether the path has the old `/watch/` in it.
    pub legacy_watch: bool,
}

impl Target {
    /// `pods`, or `pods/status`.
    #[must_use]
    pub(crate) fn resource_path(&self) -> Cow<'static, str> {
        if self.subresource.is_empty() {
            self.kind.plural.into()
        } else {
            format!("{}/{}", self.kind.plural, self.subresource).into()
        }
    }
}

/// Finds what a path names. Segments are decoded one by one, so that an escaped slash is never a separator.
#[must_use]
pub(crate) fn route(path: &str) -> Route {
    let mut segments = Vec::with_capacity(8);
    for segment in path.trim_matches('/').split('/') {
        match percent_decode_str(segment).decode_utf8() {
            Ok(text) => segments.push(text),
            Err(_) => return Route::Other,
        }
    }
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Route::Other,
    };
    if rest.is_empty()
        || !kinds::all()
            .iter()
            .any(|k| k.group == group && k.version == version)
    {
        return Route::Other;
    }
    // a doubled slash names nothing
    if rest.iter().any(|s| s.is_empty()) {
        return Route::UnknownResource;
    }
    let (legacy_watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    target(group, version, rest, legacy_watch).map_or(Route::UnknownResource, Route::Resource)
}

fn target(group: &str, version: &str, rest: &[&str], legacy_watch: bool) -> Option<Target> {
    let (namespace, rest) = match rest {
        // what stands below a namespace is a resource, but for the subresources of the namespace itself
        ["namespaces", name, sub]
            if group.is_empty()
                && kinds::of_resource("", version, "namespaces")
                    .is_some_and(|k| k.subresource(sub).is_some()) =>
        {
            return Some(Target {
                kind: kinds::of_resource("", version, "namespaces")?,
                namespace: String::new(),
                name: (*name).into(),
                subresource: (*sub).into(),
                legacy_watch,
            });
        }
        ["namespaces", name, rest @ ..] if !rest.is_empty() => (*name, rest),
        rest => ("", rest),
    };
    let (plural, rest) = rest.split_first()?;
    let kind = kinds::of_resource(group, version, plural)?;
    // a namespaced object has no path without its namespace, and a cluster-scoped one none with it
    if !namespace.is_empty() && !kind.namespaced
        || namespace.is_empty() && kind.namespaced && !rest.is_empty()
    {
        return None;
    }
    let (name, subresource) = match rest {
        [] => ("", ""),
        [name] => (*name, ""),
        [name, sub] if kind.subresource(sub).is_some() => (*name, *sub),
        [name, sub, ..] if *sub == "proxy" && kind.subresource(sub).is_some() => (*name, *sub),
        _ => return None,
    };
    Some(Target {
        kind,
        namespace: namespace.into(),
        name: name.into(),
        subresource: subresource.into(),
        legacy_watch,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let got = match route(path) {
            Route::Resource(t) => format!(
                "{} {} {} {} {}",
                t.kind.group_resource(),
                t.namespace,
                t.name,
                t.subresource,
                t.legacy_watch
            ),
            Route::UnknownResource => "unknown".into(),
            Route::Other => "other".into(),
        };
        assert_eq!(got, expected, "{path}");
    }

    #[test]
    fn paths() {
        check("/api/v1/namespaces/n/configmaps/a", "configmaps n a  false");
        check("/api/v1/configmaps", "configmaps    false");
        check("/api/v1/namespaces", "namespaces    false");
        check("/api/v1/namespaces/n", "namespaces  n  false");
        check(
            "/api/v1/namespaces/n/finalize",
            "namespaces  n finalize false",
        );
        check("/api/v1/namespaces/n/status", "namespaces  n status false");
        check(
            "/apis/apps/v1/namespaces/n/deployments/d/scale",
            "deployments.apps n d scale false",
        );
        check("/api/v1/watch/namespaces/n/secrets", "secrets n   true");
        check("/api/v1/namespaces/n/nodes", "unknown");
        check("/api/v1/configmaps/a", "unknown");
        check("/api/v1/namespaces/n/configmaps/a/status", "unknown");
        check(
            "/api/v1/namespaces/n%2Fm/configmaps/a",
            "configmaps n/m a  false",
        );
        check("/api/v1//namespaces/n", "unknown");
        check("/api/v1/namespaces//configmaps", "unknown");
        check("/api/v1/namespaces/n/configmaps/", "configmaps n   false");
        check("/api/v2/configmaps", "other");
        check("/apis/nobody.example.com/v1/things", "other");
        check("/healthz", "other");
        check("/api/v1", "other");
    }
}
