// SPDX-License-Identifier: Apache-2.0
//! Changes that the service itself makes to objects: what its controllers write.

use k1s_core::kinds::Kind;
use k1s_core::status::Status;
use serde_json::Value;

use crate::api::{Api, Exchange};
use crate::route::Target;
use crate::verbs::update::{Part, Terms, change};

/// Changes the present state of an object, whatever it is by then. An object that is gone stays gone.
pub(crate) async fn amend(
    api: &Api,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    mut how: impl FnMut(&mut Value),
) -> Result<(), Status> {
    let target = Target {
        kind,
        namespace: namespace.into(),
        name: name.into(),
        subresource: String::new(),
        legacy_watch: false,
    };
    let terms = Terms {
        part: Part::Own,
        dry_run: false,
        checks_version: false,
        uid_is_precondition: false,
    };
    let mut exchange = Exchange::internal();
    let made = change(api, &target, &mut exchange, terms, |old, _| {
        let mut new = old.clone();
        how(&mut new);
        Ok(new)
    });
    match Box::pin(made).await {
        Ok(_) => Ok(()),
        Err(status) if status.code == 404 => Ok(()),
        Err(status) => Err(status),
    }
}
