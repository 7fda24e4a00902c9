// SPDX-License-Identifier: Apache-2.0
//! Who asks: client certificates and impersonation.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName};
use k1s_core::field::quote;
use k1s_core::status::{Details, Status};
use percent_encoding::percent_decode_str;

/// A user as far as a client certificate or a token tells it. The listener puts it into the request's extensions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// User name: the certificate's common name.
    pub user: String,
    /// Groups: the certificate's organizations.
    pub groups: Vec<String>,
    /// What tells apart users of one name at different times; empty for a certificate's.
    pub uid: String,
    /// What else is known of the user: of which token or pod it is the word.
    pub extra: BTreeMap<String, Vec<String>>,
}

/// Members of this group may do everything.
pub(crate) const MASTERS: &str = "system:masters";
static IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");
static IMPERSONATE_GROUP: HeaderName = HeaderName::from_static("impersonate-group");
static IMPERSONATE_UID: HeaderName = HeaderName::from_static("impersonate-uid");
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";

impl Identity {
    /// The administrator, as whom callers in process ask.
    #[must_use]
    pub fn admin() -> Self {
        Self {
            user: "k1s-admin".into(),
            groups: vec![MASTERS.into(), AUTHENTICATED.into()],
            ..Self::default()
        }
    }

    /// Somebody who showed nothing.
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            user: "system:anonymous".into(),
            groups: vec![UNAUTHENTICATED.into()],
            ..Self::default()
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
    /// 403 when this user may not; 400 when anything but a user is named alone.
    pub fn impersonated(self, headers: &HeaderMap) -> Result<Self, Status> {
        // nearly every request is of nobody else
        if !headers
            .keys()
            .any(|name| name.as_str().starts_with("impersonate-"))
        {
            return Ok(self);
        }
        let text = |name: &HeaderName| {
            let value = headers.get(name).and_then(|v| v.to_str().ok());
            value.map(str::to_owned)
        };
        let user = text(&IMPERSONATE_USER).filter(|u| !u.is_empty());
        let mut groups: Vec<String> = headers
            .get_all(&IMPERSONATE_GROUP)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .map(str::to_owned)
            .collect();
        let uid = text(&IMPERSONATE_UID).unwrap_or_default();
        let extra = impersonated_extra(headers);
        let Some(user) = user else {
            let asked = asked_without_user(&groups, &extra, &uid);
            if asked.is_empty() {
                return Ok(self);
            }
            return Err(Status::bad_request(format!(
                "requested [{asked}] without impersonating a user"
            )));
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
        Ok(Self {
            user,
            groups,
            uid,
            extra,
        })
    }
}

/// The values of `Impersonate-Extra-KEY` headers; keys may be escaped as in a URL.
fn impersonated_extra(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut extra = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix("impersonate-extra-")
            && let Ok(value) = value.to_str()
        {
            let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
            extra.entry(key).or_default().push(value.to_owned());
        }
    }
    extra
}

/// What is asked for, written as Go writes references: kind, namespace, name, uid, version, resource version, field.
fn asked_without_user(
    groups: &[String],
    extra: &BTreeMap<String, Vec<String>>,
    uid: &str,
) -> String {
    let mut asked: Vec<String> = groups
        .iter()
        .map(|group| format!("{{Group  {group}    }}"))
        .collect();
    for (key, values) in extra {
        asked.extend(
            values
                .iter()
                .map(|value| format!("{{UserExtra  {value}  authentication.k8s.io/v1  {key}}}")),
        );
    }
    if !uid.is_empty() {
        asked.push(format!("{{UID  {uid}  authentication.k8s.io/v1  }}"));
    }
    asked.join(" ")
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
                groups: vec!["dev".into(), "system:authenticated".into()],
                ..Identity::default()
            }
        );
        assert!(
            jane.clone()
                .impersonated(&headers(&[("impersonate-user", "joe")]))
                .is_err()
        );
        let alone = |name: &'static str, value: &'static str| {
            let asked = Identity::admin().impersonated(&headers(&[(name, value)]));
            asked.unwrap_err().message
        };
        assert_eq!(
            alone("impersonate-group", "dev"),
            "requested [{Group  dev    }] without impersonating a user"
        );
        assert_eq!(
            alone("impersonate-uid", "u-1"),
            "requested [{UID  u-1  authentication.k8s.io/v1  }] without impersonating a user"
        );
        assert_eq!(
            alone("impersonate-extra-scopes", "a"),
            "requested [{UserExtra  a  authentication.k8s.io/v1  scopes}] without impersonating a user"
        );
        let scoped = Identity::admin()
            .impersonated(&headers(&[
                ("impersonate-user", "jane"),
                ("impersonate-uid", "u-1"),
                ("impersonate-extra-example.com%2fkey", "v"),
            ]))
            .unwrap();
        assert_eq!(
            (scoped.uid.as_str(), &scoped.extra["example.com/key"]),
            ("u-1", &vec!["v".to_owned()])
        );
        assert_eq!(jane.clone().impersonated(&HeaderMap::new()).unwrap(), jane);
    }
}
