// SPDX-License-Identifier: Apache-2.0
//! The resource quotas of a namespace: a write that would exceed one is refused, one that is allowed is counted in the same
//! transaction.

use k1s_core::kinds::Kind;
use k1s_core::object::{self, remove, set};
use k1s_core::rules::quota;
use k1s_core::status::Status;
use k1s_store::Revision;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::lookup;
use crate::api::{Api, Exchange};
use crate::storage::Charge;

/// What a write is charged with, and the turn in which it must be written.
pub(crate) type Charged = (Vec<Charge>, Option<OwnedMutexGuard<()>>);

/// Charges a write of an object; `old` is its present state where it is there already.
///
/// # Errors
/// 403 when a quota does not allow the write.
pub(crate) async fn charge(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    new: &Value,
    old: Option<&Value>,
    exchange: &Exchange,
) -> Result<Charged, Status> {
    if !kind.namespaced || old.is_some() && !quota::counts_changes(kind) {
        return Ok((Vec::new(), None));
    }
    let quotas = lookup::kind("", "v1", "ResourceQuota")?;
    if api.storage().has_none(quotas, namespace)? {
        return Ok((Vec::new(), None));
    }
    let turn = api.0.quota_turn.clone().lock_owned().await;
    let mut charges = Vec::new();
    for mut present in lookup::all(api, quotas, namespace)? {
        let used = quota::charge(&present, kind, new, old, exchange.now_seconds)
            .map_err(|why| Status::forbidden(kind, object::name(new), &why))?;
        let Some(used) = used else { continue };
        let revision = remove(&mut present, &["metadata", "resourceVersion"])
            .and_then(|version| version.as_str()?.parse().ok())
            .map(Revision)
            .ok_or_else(|| Status::internal("a stored quota has no version"))?;
        set(&mut present, &["status", "used"], used);
        charges.push(Charge {
            quota: present,
            revision,
            kind: quotas,
        });
    }
    let turn = (!charges.is_empty()).then_some(turn);
    Ok((charges, turn))
}
