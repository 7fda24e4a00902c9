// SPDX-License-Identifier: Apache-2.0
//! GET of one object.

use k1s_core::status::Status;

use crate::answer::{Answer, Include};
use crate::api::{Api, Exchange};
use crate::negotiate::Forms;
use crate::options::parse_version;
use crate::route::Target;
use crate::storage;

/// Answers with the stored object.
pub(crate) fn get(api: &Api, target: &Target, exchange: &Exchange) -> Result<Answer, Status> {
    let output = exchange.output(Forms::Objects)?;
    let include = Include::parse(&exchange.query, output)?;
    if exchange.query.flag("export") == Some(true) {
        return Err(Status::bad_request(
            "the export parameter, deprecated since v1.14, is no longer supported",
        ));
    }
    let version = exchange.query.text("resourceVersion");
    if !version.is_empty() && version != "0" {
        let version = parse_version(version).map_err(|words| Status::new(500, "", words))?;
        let current = api.storage().store.revision().map_err(storage::failure)?.0;
        if version > current {
            return Err(storage::too_large(version, current));
        }
    }
    let stored = api
        .storage()
        .get(target.kind, &target.namespace, &target.name)?
        .ok_or_else(|| Status::not_found(target.kind, &target.name))?;
    Ok(Answer::Object {
        code: 200,
        kind: target.kind,
        stored: stored.bytes,
        output,
        include,
    })
}
