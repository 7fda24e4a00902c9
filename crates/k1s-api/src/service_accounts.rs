// SPDX-License-Identifier: Apache-2.0
//! Tokens of service accounts that live in Secrets: filled in when their account is there, removed when it is not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k1s_core::kinds::{self, Kind};
use k1s_core::object::{self, annotation, text};
use serde_json::Value;

use crate::amend::amend;
use crate::api::{Api, Exchange};
use crate::followup::Followup;
use crate::options::DeleteOptions;
use crate::token;
use crate::verbs::delete::delete_object;

const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

fn core(kind: &str) -> Option<&'static Kind> {
    kinds::of_kind("", "v1", kind)
}

/// After a Secret was written: a token for an account that is there is filled in, one for nobody is removed.
pub(crate) async fn secret_written(api: &Api, followup: &Followup) {
    let Ok(Some((secret, _))) = api.load(followup.kind, &followup.namespace, &followup.name) else {
        return;
    };
    if text(&secret, &["type"]) != TOKEN_TYPE || object::is_deleting(&secret) {
        return;
    }
    let Some(accounts) = core("ServiceAccount") else {
        return;
    };
    let name = annotation(&secret, ACCOUNT_NAME).unwrap_or_default();
    let Ok(account) = api.load(accounts, &followup.namespace, name) else {
        return;
    };
    let account = account.map(|(account, _)| account);
    let known = annotation(&secret, ACCOUNT_UID);
    match account {
        Some(account) if known.is_none_or(|uid| uid == object::uid(&account)) => {
            fill(api, followup, &secret, &account).await
        }
        _ => {
            let options = DeleteOptions {
                uid: Some(object::uid(&secret).into()),
                ..DeleteOptions::default()
            };
            let _ = Box::pin(delete_object(
                api,
                followup.kind,
                &followup.namespace,
                &followup.name,
                &options,
                &Exchange::internal(),
            ))
            .await;
        }
    }
}

async fn fill(api: &Api, followup: &Followup, secret: &Value, account: &Value) {
    let has = |key: &str| !text(secret, &["data", key]).is_empty();
    if has("token")
        && has("namespace")
        && has("ca.crt")
        && annotation(secret, ACCOUNT_UID).is_some()
    {
        return;
    }
    let claims = token::secret_claims(
        &followup.namespace,
        object::name(account),
        object::uid(account),
        &followup.name,
    );
    let Ok(token) = token::sign(api, &claims) else {
        return;
    };
    let fill = |secret: &mut Value| {
        for (key, value) in [
            ("token", token.as_str()),
            ("namespace", followup.namespace.as_str()),
            ("ca.crt", api.0.options.root_ca.as_str()),
        ] {
            if text(secret, &["data", key]).is_empty() {
                object::set(secret, &["data", key], STANDARD.encode(value));
            }
        }
        object::set(
            secret,
            &["metadata", "annotations", ACCOUNT_UID],
            object::uid(account),
        );
    };
    let put = amend(
        api,
        followup.kind,
        &followup.namespace,
        &followup.name,
        fill,
    );
    let _ = Box::pin(put).await;
}

/// After an account went: its token Secrets go.
pub(crate) async fn account_gone(api: &Api, followup: &Followup) {
    let Some(secrets) = core("Secret") else {
        return;
    };
    let mut names = Vec::new();
    if let Ok(prefix) = api.storage().prefix(secrets, &followup.namespace) {
        let _ = api
            .storage()
            .store
            .scan(&k1s_store::ListRequest::new(prefix), &mut |entry| {
                let Some(entry) = entry
                    .ok()
                    .filter(|e| crate::api::contains(e.value(), ACCOUNT_UID.as_bytes()))
                else {
                    return std::ops::ControlFlow::Continue(());
                };
                if let Ok(secret) = serde_json::from_slice::<Value>(entry.value())
                    && text(&secret, &["type"]) == TOKEN_TYPE
                    && annotation(&secret, ACCOUNT_UID) == Some(&followup.uid)
                {
                    names.push(object::name(&secret).to_owned());
                }
                std::ops::ControlFlow::Continue(())
            });
    }
    for name in names {
        let _ = Box::pin(delete_object(
            api,
            secrets,
            &followup.namespace,
            &name,
            &DeleteOptions::default(),
            &Exchange::internal(),
        ))
        .await;
    }
}
