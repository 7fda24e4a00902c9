// SPDX-License-Identifier: Apache-2.0
//! What a crash must not make forgotten: objects that are being deleted, and dependents whose owner went.
//!
//! Both are noted in the transaction that begins them, and taken up by the next server that starts on the store.

use bytes::Bytes;
use k1s_store::{Error, Key, Side, SideKey, Store};

use crate::owners::{Place, fnv1a};

/// Objects with a deletionTimestamp.
const DELETIONS: &str = "deletions";
/// Uids of objects that went while others named them as owner.
const ORPHANS: &str = "orphans";

/// The note that an object is being deleted.
pub(crate) fn deletion(tenant: &str, key: &Key) -> Result<Side, Error> {
    let value = Bytes::copy_from_slice(key.as_str().as_bytes());
    Ok(Side::Create(deletion_key(tenant, key)?, value))
}

/// The key of that note.
pub(crate) fn deletion_key(tenant: &str, key: &Key) -> Result<SideKey, Error> {
    SideKey::new(tenant, DELETIONS, &hash(key.as_str()))
}

/// The note that an object with dependents went.
pub(crate) fn orphans(tenant: &str, uid: &str) -> Result<Side, Error> {
    let value = Bytes::copy_from_slice(uid.as_bytes());
    Ok(Side::Create(orphans_key(tenant, uid)?, value))
}

/// The key of that note.
pub(crate) fn orphans_key(tenant: &str, uid: &str) -> Result<SideKey, Error> {
    SideKey::new(tenant, ORPHANS, &hash(uid))
}

/// The objects that are being deleted.
pub(crate) fn deletions(store: &dyn Store, tenant: &str) -> Result<Vec<Place>, Error> {
    let notes = texts(store, tenant, DELETIONS)?;
    Ok(notes.iter().filter_map(|key| Place::parse(key)).collect())
}

/// The uids of owners whose dependents have not been seen to.
pub(crate) fn orphaned(store: &dyn Store, tenant: &str) -> Result<Vec<String>, Error> {
    texts(store, tenant, ORPHANS)
}

fn texts(store: &dyn Store, tenant: &str, space: &str) -> Result<Vec<String>, Error> {
    let notes = store.sides(tenant, space)?;
    let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
    Ok(notes.iter().map(|(_, value)| text(value)).collect())
}

fn hash(text: &str) -> String {
    format!("{:032x}", fnv1a(text.as_bytes()))
}
