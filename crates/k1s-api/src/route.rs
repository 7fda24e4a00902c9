// SPDX-License-Identifier: Apache-2.0
//! From a path to what it names: a resource, its collection or its subresource, or a path that is no resource.

use std::borrow::Cow;

use k1s_core::kinds::{self, Kind};
use k1s_core::status::Status;
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
#[derive(Clone, Debug)]
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
///
/// `own` finds the kind of a group, a version and a plural name that is not built in; it is asked once, and only where the
/// built-in kinds do not have the group and version.
///
/// # Errors
/// Those of `own`.
pub(crate) fn route(
    path: &str,
    own: impl FnOnce(&str, &str, &str) -> Result<Option<&'static Kind>, Status>,
) -> Result<Route, Status> {
    let mut segments = Vec::with_capacity(8);
    for segment in path.trim_matches('/').split('/') {
        segments.push(if segment.contains('%') {
            match percent_decode_str(segment).decode_utf8() {
                Ok(text) => text,
                Err(_) => return Ok(Route::Other),
            }
        } else {
            Cow::Borrowed(segment)
        });
    }
    // an escaped slash is one
    let names_nothing = segments.iter().any(|s| s.contains('/'));
    let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    let (group, version, rest) = match segments.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return Ok(Route::Other),
    };
    if rest.is_empty() {
        return Ok(Route::Other);
    }
    let built_in = !kinds::of_version(group, version).is_empty();
    // a doubled slash names nothing
    if names_nothing || rest.iter().any(|s| s.is_empty()) {
        return Ok(if built_in {
            Route::UnknownResource
        } else {
            Route::Other
        });
    }
    let (legacy_watch, rest) = match rest {
        ["watch", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut target = Path::split(group, version, rest);
    let kind = if built_in {
        kinds::of_resource(group, version, target.plural)
    } else {
        match own(group, version, target.plural)? {
            Some(kind) => Some(kind),
            None => return Ok(Route::Other),
        }
    };
    target.legacy_watch = legacy_watch;
    let found = kind.and_then(|kind| target.of(kind));
    Ok(match (found, kind) {
        (Some(found), _) if legacy_watch && !found.subresource.is_empty() => Route::UnknownResource,
        (Some(found), _) => {
            check_name(&found.name)?;
            Route::Resource(found)
        }
        (None, Some(own)) if own.custom.is_some() => match target.rest {
            [name, _] => return Err(Status::not_found(own, name)),
            _ => Route::Other,
        },
        (None, _) => Route::UnknownResource,
    })
}

/// Whether each percent sign is followed by two hexadecimal digits.
#[must_use]
pub(crate) fn is_escaped_well(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

/// What a path may not call an object.
fn check_name(name: &str) -> Result<(), Status> {
    let complaints = k1s_core::name::path_segment_name(name);
    if name.is_empty() || complaints.is_empty() {
        return Ok(());
    }
    Err(Status::bad_request(format!(
        "Name parameter invalid: {}: {}",
        k1s_core::field::quote(name),
        complaints.join(";")
    )))
}

/// What stands behind the group and version.
struct Path<'a> {
    namespace: &'a str,
    plural: &'a str,
    rest: &'a [&'a str],
    legacy_watch: bool,
}

impl<'a> Path<'a> {
    fn split(group: &str, version: &str, rest: &'a [&'a str]) -> Self {
        let (namespace, rest) = match rest {
            // what stands below a namespace is a resource, but for the subresources of the namespace itself
            ["namespaces", _, sub]
                if group.is_empty()
                    && kinds::of_resource("", version, "namespaces")
                        .is_some_and(|k| k.subresource(sub).is_some()) =>
            {
                ("", rest)
            }
            ["namespaces", name, rest @ ..] if !rest.is_empty() => (*name, rest),
            rest => ("", rest),
        };
        let (plural, rest) = rest
            .split_first()
            .map_or(("", rest), |(p, rest)| (*p, rest));
        Self {
            namespace,
            plural,
            rest,
            legacy_watch: false,
        }
    }

    fn of(&self, kind: &'static Kind) -> Option<Target> {
        // a namespaced object has no path without its namespace, and a cluster-scoped one none with it
        if !self.namespace.is_empty() && !kind.namespaced
            || self.namespace.is_empty() && kind.namespaced && !self.rest.is_empty()
        {
            return None;
        }
        let (name, subresource) = match self.rest {
            [] => ("", ""),
            [name] => (*name, ""),
            [name, sub] if kind.subresource(sub).is_some() => (*name, *sub),
            [name, sub, ..] if *sub == "proxy" && kind.subresource(sub).is_some() => (*name, *sub),
            _ => return None,
        };
        Some(Target {
            kind,
            namespace: self.namespace.into(),
            name: name.into(),
            subresource: subresource.into(),
            legacy_watch: self.legacy_watch,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let got = match route(path, |_, _, _| Ok(None)).unwrap() {
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
    fn escapes() {
        for (path, expected) in [
            ("/a%2Fb%00", true),
            ("/%zz", false),
            ("/a%2", false),
            ("/", true),
        ] {
            assert_eq!(is_escaped_well(path), expected, "{path}");
        }
    }

    #[test]
    fn names_that_are_no_names() {
        for path in [
            "/api/v1/nodes/..",
            "/api/v1/nodes/%2E/status",
            "/api/v1/nodes/a%25b",
        ] {
            assert_eq!(
                route(path, |_, _, _| Ok(None)).unwrap_err().code,
                400,
                "{path}"
            );
        }
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
        check("/api/v1/namespaces/n%2Fm/configmaps/a", "unknown");
        check("/api/v1/namespaces/n/configmaps/a%2Fb", "unknown");
        check("/api/v1/watch/namespaces/n/pods/p/status", "unknown");
        check("/api/v1//namespaces/n", "unknown");
        check("/api/v1/namespaces//configmaps", "unknown");
        check("/api/v1/namespaces/n/configmaps/", "configmaps n   false");
        check("/api/v2/configmaps", "other");
        check("/apis/nobody.example.com/v1/things", "other");
        check("/healthz", "other");
        check("/api/v1", "other");
    }
}
