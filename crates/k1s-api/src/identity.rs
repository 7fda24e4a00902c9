// SPDX-License-Identifier: Apache-2.0
//! Who asks, and whether they may: client certificates, impersonation, and the one rule that holds until RBAC is served.

use http::{HeaderMap, HeaderName};
use k1s_core::field::quote;
use k1s_core::status::{Details, Status};

/// A user as far as a client certificate or a token tells it. The listener puts it into the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User name: the certificate's common name.
    pub user: String,
    /// Groups: the certificate's organizations.
    pub groups: Vec<String>,
}

/// Members of this group may do everything.
pub(crate) const MASTERS: &str = "system:masters";
static IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
static IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");
const AUTHENTICATED: &str = "system:authenticated";
const UNAUTHENTICATED: &str = "system:unauthenticated";

impl Identity {
    /// The administrator, as whom callers in process ask.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            user: "k1s-admin".into(),
            groups: vec![MASTERS.into(), AUTHENTICATED.into()],
        }
    }

    /// Somebody who showed nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            user: "system:anonymous".into(),
            groups: vec![UNAUTHENTICATED.into()],
        }
    }

    /// Whether this is an administrator.
    #[must_use]
    pub fn is_master(&self) -> bool {
        self.groups.iter().any(|g| g == MASTERS)
    }

    /// The user whom the `Impersonate-…` headers name, if there are any and this one may impersonate.
    ///
    /// # Errors
    /// 403 when this user may not; 500 as Kubernetes answers when a group is named without a user.
    pub fn impersonated(self, headers: &HeaderMap) -> Result<Self, Status> {
        let user = headers
            .get(&IMPERSONATE_USER)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned)
            .filter(|u| !u.is_empty());
        let mut groups: Vec<String> = headers
            .get_all(&IMPERSONATE_GROUP)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .map(str::to_owned)
            .collect();
        let Some(user) = user else {
            if groups.is_empty() {
                return Ok(self);
            }
            return Err(Status::new(
                400,
                "BadRequest",
                "requested impersonation of groups without impersonating a user",
            ));
        };
        if !self.is_master() {
            let message = format!(
                "users {} is forbidden: User {} cannot impersonate resource \"users\" in API group \"\" at the cluster scope",
                quote(&user),
                quote(&self.user)
            );
            return Err(
                Status::new(403, "Forbidden", message).with_details(Details {
                    name: user,
                    kind: "users".into(),
                    ..Details::default()
                }),
            );
        }
        if let Some(account) = user
            .strip_prefix("system:serviceaccount:")
            .filter(|_| groups.is_empty())
            && let Some((namespace, _)) = account.split_once(':')
        {
            groups = vec![
                "system:serviceaccounts".into(),
                format!("system:serviceaccounts:{namespace}"),
            ];
        }
        if user == "system:anonymous" {
            if !groups.iter().any(|g| g == UNAUTHENTICATED) {
                groups.push(UNAUTHENTICATED.into());
            }
        } else if !groups
            .iter()
            .any(|g| g == AUTHENTICATED || g == UNAUTHENTICATED)
        {
            groups.push(AUTHENTICATED.into());
        }
        Ok(Self { user, groups })
    }
}

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

/// Refuses who may not. Until RBAC is served only members of `system:masters` may, and everybody may ask for health and version.
///
/// # Errors
/// 403 `Forbidden` in the words of Kubernetes.
pub(crate) fn authorize(identity: &Identity, attempt: &Attempt<'_>) -> Result<(), Status> {
    if identity.is_master() {
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

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in list {
            map.append(*name, value.parse().unwrap());
        }
        map
    }

    #[test]
    fn an_administrator_may_be_somebody_else() {
        let jane = Identity::admin()
            .impersonated(&headers(&[
                ("impersonate-user", "jane"),
                ("impersonate-group", "dev"),
            ]))
            .unwrap();
        assert_eq!(
            jane,
            Identity {
                user: "jane".into(),
                groups: vec!["dev".into(), "system:authenticated".into()]
            }
        );
        assert!(
            jane.clone()
                .impersonated(&headers(&[("impersonate-user", "joe")]))
                .is_err()
        );
        assert!(
            Identity::admin()
                .impersonated(&headers(&[("impersonate-group", "dev")]))
                .is_err()
        );
        assert_eq!(jane.clone().impersonated(&HeaderMap::new()).unwrap(), jane);
    }

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
}
