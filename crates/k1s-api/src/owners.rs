// SPDX-License-Identifier: Apache-2.0
//! The index of owners: for each uid the keys of the objects that name it in `ownerReferences`.
//!
//! It is written with the objects themselves, in the same transaction, so that finding the dependents of an object never reads more
//! than those.

use std::collections::BTreeSet;

use bytes::Bytes;
use k1s_core::kinds::Kind;
use k1s_core::object::{list, text};
use k1s_store::{Error, Key, Side, SideKey, Store};
use serde_json::Value;

use crate::api::Api;

/// The uids of the owners of an object.
pub(crate) fn uids(object: &Value) -> BTreeSet<&str> {
    list(object, &["metadata", "ownerReferences"])
        .iter()
        .map(|o| text(o, &["uid"]))
        .filter(|uid| !uid.is_empty())
        .collect()
}

/// The record that says: the object at `key` has an owner with this uid.
pub(crate) fn record(tenant: &str, uid: &str, key: &Key) -> Result<Side, Error> {
    Ok(Side::Create(
        record_key(tenant, uid, key)?,
        Bytes::copy_from_slice(key.as_str().as_bytes()),
    ))
}

/// The key of that record.
pub(crate) fn record_key(tenant: &str, uid: &str, key: &Key) -> Result<SideKey, Error> {
    SideKey::new(
        tenant,
        &space(uid),
        &format!("{:032x}", fnv1a(key.as_str().as_bytes())),
    )
}

/// Where the objects with an owner of this uid are: resource with its group, namespace, name.
pub(crate) fn dependents(store: &dyn Store, tenant: &str, uid: &str) -> Result<Vec<Place>, Error> {
    let records = store.sides(tenant, &space(uid))?;
    Ok(records
        .iter()
        .filter_map(|(_, value)| Place::parse(std::str::from_utf8(value).ok()?))
        .collect())
}

/// Whether any object has an owner of this uid.
pub(crate) fn has_dependents(store: &dyn Store, tenant: &str, uid: &str) -> Result<bool, Error> {
    Ok(!uid.is_empty() && !store.sides(tenant, &space(uid))?.is_empty())
}

/// Where an object is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) plural: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl Place {
    /// The kind of the object, if it is known.
    pub(crate) fn kind(&self, api: &Api) -> Option<&'static Kind> {
        let mut all = k1s_core::kinds::all().iter();
        match all.find(|k| k.plural == self.plural && k.group == self.group) {
            Some(kind) => Some(crate::convert::storage_kind(kind)),
            // a definition that cannot be read is as one that is not there
            None => api
                .definition(&self.group, &self.plural)
                .ok()
                .flatten()
                .and_then(|d| d.storage()),
        }
    }

    /// Reads the text of a key: `tenant/group/resource/namespace/name`.
    pub(crate) fn parse(key: &str) -> Option<Self> {
        let mut parts = key.split('/').skip(1).map(str::to_owned);
        Some(Self {
            group: parts.next()?,
            plural: parts.next()?,
            namespace: parts.next()?,
            name: parts.next()?,
        })
    }
}

/// A uid comes from clients and may be any text; the space is named by its hash.
fn space(uid: &str) -> String {
    format!("owner-{:032x}", fnv1a(uid.as_bytes()))
}

/// The FNV-1a hash of 128 bits, which stays the same across versions of this program.
pub(crate) fn fnv1a(bytes: &[u8]) -> u128 {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    bytes
        .iter()
        .fold(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d, |hash, byte| {
            (hash ^ u128::from(*byte)).wrapping_mul(PRIME)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_published_ones() {
        assert_eq!(fnv1a(b""), 0x6c62272e07bb014262b821756295c58d);
        assert_eq!(fnv1a(b"a"), 0xd228cb696f1a8caf78912b704e4a8964);
    }

    #[test]
    fn keys_are_read_back() {
        let dependent = Place::parse("default/apps/deployments/n/a").unwrap();
        assert_eq!(
            (
                dependent.group.as_str(),
                dependent.plural.as_str(),
                dependent.namespace.as_str(),
                dependent.name.as_str()
            ),
            ("apps", "deployments", "n", "a")
        );
    }
}
