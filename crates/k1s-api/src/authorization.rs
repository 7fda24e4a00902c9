// SPDX-License-Identifier: Apache-2.0
//! Whether somebody may do something. RBAC is not evaluated yet: [`allows`] has the few rules there are.

use k1s_core::field::quote;
use k1s_core::status::{Details, Status};

use crate::identity::{AUTHENTICATED, Identity, UNAUTHENTICATED};

/// What everybody may read, known or not (`system:public-info-viewer`).
pub(crate) const PUBLIC_PATHS: [&str; 5] =
    ["/healthz", "/livez", "/readyz", "/version", "/version/"];

/// What everybody who is known may read (`system:discovery`).
pub(crate) const DISCOVERY_PATHS: [&str; 11] = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
];

/// What everybody who is known may create (`system:basic-user`).
pub(crate) const SELF_REVIEWS: [(&str, &str); 3] = [
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

/// What somebody wants to do, as a refusal names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt<'a> {
    /// Verb: `get`, `list`, …
    pub verb: &'a str,
    /// Group of the resource.
    pub group: &'a str,
    /// Resource, with its subresource: `pods/status`; empty for a path that is no resource.
    pub resource: &'a str,
    /// Namespace, empty at the cluster scope.
    pub namespace: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// The path of the request.
    pub path: &'a str,
}

impl<'a> Attempt<'a> {
    /// Something with a path that is no resource.
    pub(crate) fn on_path(verb: &'a str, path: &'a str) -> Self {
        Self {
            verb,
            group: "",
            resource: "",
            namespace: "",
            name: "",
            path,
        }
    }
}

/// Whether somebody may. It is all that is decided by until RBAC is served: what a new cluster's own roles give to everybody, and
/// `system:masters`, who may do everything.
pub(crate) fn allows(identity: &Identity, attempt: &Attempt<'_>) -> bool {
    if identity.is_master() {
        return true;
    }
    let is_in = |group: &str| identity.groups.iter().any(|g| g == group);
    let known = is_in(AUTHENTICATED);
    if attempt.resource.is_empty() {
        let covered = |paths: &[&str]| paths.iter().any(|rule| covers(rule, attempt.path));
        return attempt.verb == "get"
            && (covered(&PUBLIC_PATHS) && (known || is_in(UNAUTHENTICATED))
                || covered(&DISCOVERY_PATHS) && known);
    }
    known && attempt.verb == "create" && SELF_REVIEWS.contains(&(attempt.group, attempt.resource))
}

/// Whether a path is that of a rule; one that ends in a star is of all beneath it.
fn covers(rule: &str, path: &str) -> bool {
    match rule.strip_suffix('*') {
        Some(start) => path.starts_with(start),
        None => path == rule,
    }
}

/// Refuses who may not.
///
/// # Errors
/// 403 `Forbidden` in the words of Kubernetes.
pub(crate) fn authorize(identity: &Identity, attempt: &Attempt<'_>) -> Result<(), Status> {
    if allows(identity, attempt) {
        return Ok(());
    }
    if attempt.resource.is_empty() {
        let message = format!(
            "forbidden: User {} cannot {} path {}",
            quote(&identity.user),
            attempt.verb,
            quote(attempt.path)
        );
        return Err(Status::new(403, "Forbidden", message).with_details(Details::default()));
    }
    let plural = attempt.resource.split('/').next().unwrap_or_default();
    let qualified = if attempt.group.is_empty() {
        plural.to_owned()
    } else {
        format!("{plural}.{}", attempt.group)
    };
    let what = if attempt.name.is_empty() {
        qualified
    } else {
        format!("{qualified} {}", quote(attempt.name))
    };
    let scope = if attempt.namespace.is_empty() {
        "at the cluster scope".to_owned()
    } else {
        format!("in the namespace {}", quote(attempt.namespace))
    };
    let message = format!(
        "{what} is forbidden: User {} cannot {} resource {} in API group {} {scope}",
        quote(&identity.user),
        attempt.verb,
        quote(attempt.resource),
        quote(attempt.group)
    );
    Err(
        Status::new(403, "Forbidden", message).with_details(Details {
            name: attempt.name.into(),
            group: attempt.group.into(),
            kind: plural.into(),
            ..Details::default()
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_what_was_wanted() {
        let attempt = Attempt {
            verb: "list",
            group: "apps",
            resource: "deployments",
            namespace: "n",
            name: "",
            path: "",
        };
        let status = authorize(&Identity::anonymous(), &attempt).unwrap_err();
        assert_eq!(
            status.message,
            "deployments.apps is forbidden: User \"system:anonymous\" cannot list resource \"deployments\" in API group \"apps\" in the namespace \"n\""
        );
    }

    #[test]
    fn what_everybody_may() {
        let of = |groups: &[&str]| Identity {
            user: "jane".into(),
            groups: groups.iter().map(|g| (*g).into()).collect(),
            ..Identity::default()
        };
        let path = |groups: &[&str], verb, path| allows(&of(groups), &Attempt::on_path(verb, path));
        let (known, unknown): (&[_], &[_]) = (&[AUTHENTICATED], &[UNAUTHENTICATED]);
        assert!(path(known, "get", "/apis/apps/v1") && !path(unknown, "get", "/apis/apps/v1"));
        assert!(path(known, "get", "/version") && path(unknown, "get", "/version"));
        assert!(!path(&[], "get", "/version") && !path(known, "post", "/version"));
        assert!(!path(known, "get", "/metrics") && path(&["system:masters"], "get", "/metrics"));
        let review = |groups: &[&str], resource| {
            let attempt = Attempt {
                verb: "create",
                group: "authorization.k8s.io",
                resource,
                ..Attempt::on_path("", "")
            };
            allows(&of(groups), &attempt)
        };
        assert!(
            review(known, "selfsubjectaccessreviews")
                && !review(unknown, "selfsubjectaccessreviews")
        );
        assert!(!review(known, "subjectaccessreviews"));
    }
}
