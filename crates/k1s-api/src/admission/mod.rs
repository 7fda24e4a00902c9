// SPDX-License-Identifier: Apache-2.0
//! Admission: what a write needs to know of other objects, and what it is given that must be free.
//!
//! [`create`] and [`update`] may change the object, before the kind's rules check it; [`check_create`] sees it afterwards. What is
//! allocated (cluster IPs, node ports) is claimed in the transaction that writes the object.

use k1s_core::kinds::Kind;
use k1s_core::status::Status;
use serde_json::Value;

use crate::api::{Api, Exchange};
use crate::storage::{Claim, Claims};

/// Admits a new object, as the kind of the request.
pub(crate) fn create(
    api: &Api,
    kind: &'static Kind,
    object: &mut Value,
    exchange: &mut Exchange,
) -> Result<Claims, Status> {
    let _ = (api, kind, object, exchange);
    Ok(Claims::default())
}

/// Looks at a new object that its rules have found right.
pub(crate) fn check_create(
    api: &Api,
    kind: &'static Kind,
    object: &Value,
    exchange: &mut Exchange,
) -> Result<(), Status> {
    let _ = (api, kind, object, exchange);
    Ok(())
}

/// Admits a change.
pub(crate) fn update(
    api: &Api,
    kind: &'static Kind,
    new: &mut Value,
    old: &Value,
    exchange: &mut Exchange,
) -> Result<Claims, Status> {
    let _ = (api, kind, new, old, exchange);
    Ok(Claims::default())
}

/// What an object has been allocated, to be given back when it goes.
pub(crate) fn claims_of(kind: &Kind, object: &Value) -> Vec<Claim> {
    let _ = (kind, object);
    Vec::new()
}
