// SPDX-License-Identifier: Apache-2.0
//! Service account tokens: JSON Web Tokens (RFC 7519) signed with ES256.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use k1s_core::object::{self, text};
use k1s_core::status::Status;
use serde_json::{Value, json};

use crate::api::Api;
use crate::identity::{AUTHENTICATED, Identity};

/// Who issues the tokens, and for whom, if nothing else is asked.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";

/// Signs and verifies with a P-256 key. The listener, which has a library for it, brings one.
pub trait Signer: Send + Sync {
    /// The signature of a message: 64 bytes, r and s (RFC 7518, ES256).
    ///
    /// # Errors
    /// The words of the library.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String>;

    /// Whether a signature is this key's.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;

    /// What names the key in a token's header.
    fn key_id(&self) -> &str;
}

/// A [`Signer`], or none.
#[derive(Clone, Default)]
pub struct TokenKey(Option<Arc<dyn Signer>>);

impl TokenKey {
    /// Tokens are signed with this.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>) -> Self {
        Self(Some(signer))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "TokenKey(…)"
        } else {
            "TokenKey(none)"
        })
    }
}

/// The token for these claims.
pub(crate) fn sign(api: &Api, claims: &Value) -> Result<String, Status> {
    let Some(signer) = &api.0.options.token_key.0 else {
        return Err(Status::new(
            503,
            "ServiceUnavailable",
            "no key to sign service account tokens with: only `k1s serve` and `k1s up` issue them",
        ));
    };
    let header = json!({"alg": "ES256", "kid": signer.key_id()});
    let message = format!("{}.{}", encode(&header), encode(claims));
    let signature = signer
        .sign(message.as_bytes())
        .map_err(|e| Status::internal(format!("the token could not be signed: {e}")))?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

/// The claims of the token in a Secret, which does not expire.
pub(crate) fn secret_claims(
    namespace: &str,
    account: &str,
    account_uid: &str,
    secret: &str,
) -> Value {
    json!({
        "iss": "kubernetes/serviceaccount",
        "sub": format!("system:serviceaccount:{namespace}:{account}"),
        "kubernetes.io/serviceaccount/namespace": namespace,
        "kubernetes.io/serviceaccount/secret.name": secret,
        "kubernetes.io/serviceaccount/service-account.name": account,
        "kubernetes.io/serviceaccount/service-account.uid": account_uid,
    })
}

/// The user whom a token names.
///
/// # Errors
/// 401 for a token that is not ours, has expired, or is of an account that is gone.
pub(crate) fn authenticate(api: &Api, token: &str, now_seconds: i64) -> Result<Identity, Status> {
    verify(api, token, &[ISSUER], now_seconds)
        .map(|verified| verified.identity)
        .ok_or_else(|| Status::new(401, "Unauthorized", "Unauthorized"))
}

/// The user whom a token names to those whom it is for.
pub(crate) fn verify(
    api: &Api,
    token: &str,
    audiences: &[&str],
    now_seconds: i64,
) -> Option<Verified> {
    let signer = api.0.options.token_key.0.as_ref()?;
    let (message, signature) = token.rsplit_once('.')?;
    let (header, claims) = message.split_once('.')?;
    let part = |text: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    if text(&part(header)?, &["alg"]) != "ES256"
        || !signer.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?)
    {
        return None;
    }
    let claims = part(claims)?;
    if claims
        .get("exp")
        .is_some_and(|e| e.as_i64().is_none_or(|e| e <= now_seconds))
    {
        return None;
    }
    // a token in a Secret is for the API alone
    let own = [Value::from(ISSUER)];
    let of_token = claims.get("aud").and_then(Value::as_array);
    let of_token = of_token.map_or(&own[..], Vec::as_slice);
    let common: Vec<String> = of_token
        .iter()
        .filter_map(Value::as_str)
        .filter(|audience| audiences.contains(audience))
        .map(str::to_owned)
        .collect();
    if common.is_empty() {
        return None;
    }
    let identity = identity(api, &claims)?;
    Some(Verified {
        identity,
        audiences: common,
    })
}

/// A token that was found good.
pub(crate) struct Verified {
    pub(crate) identity: Identity,
    /// Those of the audiences asked for that the token is for.
    pub(crate) audiences: Vec<String>,
}

/// The account of a token's claims, if it and what the token is bound to are still there.
fn identity(api: &Api, claims: &Value) -> Option<Identity> {
    let subject = text(claims, &["sub"]).strip_prefix("system:serviceaccount:")?;
    let (namespace, name) = subject.split_once(':')?;
    let uid = match text(claims, &["kubernetes.io", "serviceaccount", "uid"]) {
        "" => text(
            claims,
            &["kubernetes.io/serviceaccount/service-account.uid"],
        ),
        uid => uid,
    };
    let is_there = |kind: &str, namespace: &str, name: &str, uid: &str| -> Option<bool> {
        let kind = k1s_core::kinds::of_kind("", "v1", kind)?;
        let (object, _) = api.load(kind, namespace, name).ok()??;
        Some(uid.is_empty() || object::uid(&object) == uid)
    };
    if uid.is_empty() || !is_there("ServiceAccount", namespace, name, uid)? {
        return None;
    }
    let mut extra = BTreeMap::new();
    let mut tell = |key: &str, value: String| {
        extra.insert(format!("authentication.kubernetes.io/{key}"), vec![value]);
    };
    for (kind, field, within) in [
        ("Pod", "pod", namespace),
        ("Secret", "secret", namespace),
        ("Node", "node", ""),
    ] {
        let of = |key: &str| text(claims, &["kubernetes.io", field, key]);
        if of("name").is_empty() {
            continue;
        }
        if !is_there(kind, within, of("name"), of("uid"))? {
            return None;
        }
        if kind != "Secret" {
            tell(&format!("{field}-name"), of("name").to_owned());
            tell(&format!("{field}-uid"), of("uid").to_owned());
        }
    }
    let secret = text(claims, &["kubernetes.io/serviceaccount/secret.name"]);
    if !secret.is_empty() && !is_there("Secret", namespace, secret, "")? {
        return None;
    }
    let id = text(claims, &["jti"]);
    if !id.is_empty() {
        tell("credential-id", format!("JTI={id}"));
    }
    Some(Identity {
        user: format!("system:serviceaccount:{namespace}:{name}"),
        groups: vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
            AUTHENTICATED.into(),
        ],
        uid: uid.to_owned(),
        extra,
    })
}
