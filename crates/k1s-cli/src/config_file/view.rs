// SPDX-License-Identifier: Apache-2.0
//! What `config view` leaves out: secrets, and whatever the current context does not need.

use std::collections::BTreeMap;

use super::ConfigFile;

/// What the current context needs and the file does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// No context is current.
    #[error("current-context must exist in order to minify")]
    NoCurrentContext,
    /// The current context is not there.
    #[error("cannot locate context {0}")]
    NoContext(String),
    /// Its cluster is not there.
    #[error("cannot locate cluster {0}")]
    NoCluster(String),
    /// Its user is not there.
    #[error("cannot locate user {0}")]
    NoUser(String),
}

/// Keeps only what the current context needs.
///
/// # Errors
/// When the file does not have that.
pub fn minify(config: &mut ConfigFile) -> Result<(), Mismatch> {
    if config.current_context.is_empty() {
        return Err(Mismatch::NoCurrentContext);
    }
    let current = config.current_context.clone();
    let Some(context) = config.contexts.remove(&current) else {
        return Err(Mismatch::NoContext(current));
    };
    let named = |field: &str| {
        context
            .get(field)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let mut clusters = BTreeMap::new();
    let cluster = named("cluster");
    if !cluster.is_empty() {
        let body = config
            .clusters
            .remove(&cluster)
            .ok_or_else(|| Mismatch::NoCluster(cluster.clone()))?;
        clusters.insert(cluster, body);
    }
    let mut users = BTreeMap::new();
    let user = named("user");
    if !user.is_empty() {
        let body = config
            .users
            .remove(&user)
            .ok_or_else(|| Mismatch::NoUser(user.clone()))?;
        users.insert(user, body);
    }
    config.clusters = clusters;
    config.users = users;
    config.contexts = BTreeMap::from([(current, context)]);
    Ok(())
}

/// Puts words in place of secrets and of long data.
pub fn redact(config: &mut ConfigFile) {
    const REPLACED: [(&str, &str); 5] = [
        ("certificate-authority-data", "DATA+OMITTED"),
        ("client-certificate-data", "DATA+OMITTED"),
        ("client-key-data", "DATA+OMITTED"),
        ("token", "REDACTED"),
        ("password", "REDACTED"),
    ];
    for body in config
        .clusters
        .values_mut()
        .chain(config.users.values_mut())
    {
        for (field, instead) in REPLACED {
            if let Some(value) = body
                .get_mut(field)
                .filter(|value| !k1s_core::object::is_unset(Some(value)))
            {
                *value = instead.into();
            }
        }
    }
}
