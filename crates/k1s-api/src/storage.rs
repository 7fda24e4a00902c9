// SPDX-License-Identifier: Apache-2.0
//! Objects of kinds in the store: where each is kept, and the only way in which one is written.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use k1s_core::kinds::Kind;
use k1s_core::object;
use k1s_core::status::{Cause, Details, Status};
use k1s_store::{
    Batch, Change, Entry, Error, Key, Precondition, Prefix, Revision, Side, SideKey, Store, Ttl,
};
use serde_json::Value;

use crate::convert;
use crate::encode;
use crate::owners;
use crate::unfinished;

/// A stored object: JSON without its names, with its version.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) bytes: Bytes,
    pub(crate) revision: Revision,
}

impl Stored {
    /// The object, with `kind` and `apiVersion` of the kind as which it is stored.
    pub(crate) fn object(&self, kind: &Kind) -> Result<Value, Status> {
        let mut value: Value = serde_json::from_slice(&self.bytes).map_err(|e| {
            Status::internal(format!(
                "the stored object cannot be read: {e}; run `k1s store check`"
            ))
        })?;
        value["apiVersion"] = kind.api_version().into();
        value["kind"] = kind.kind.into();
        Ok(value)
    }
}

impl From<Entry> for Stored {
    fn from(entry: Entry) -> Self {
        Self {
            bytes: entry.value,
            revision: entry.revision,
        }
    }
}

/// Why a write did not happen.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// There is such an object already.
    Exists,
    /// The object is another than it was, or is gone, or a claim is taken.
    Conflict,
    /// Anything else.
    Failed(Status),
}

/// Something that only one object can have: a cluster IP, a node port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// What sort of thing: `clusterips`.
    pub(crate) space: &'static str,
    /// Which one: `10.96.0.7`.
    pub(crate) name: String,
}

/// What a write claims and gives back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    pub(crate) take: Vec<Claim>,
    pub(crate) release: Vec<Claim>,
    /// Quotas that count the write.
    pub(crate) charges: Vec<Charge>,
}

/// A quota with what is used of it after a write.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    /// The quota as it will be.
    pub(crate) quota: Value,
    /// The revision at which it must still be.
    pub(crate) revision: Revision,
    /// Its kind.
    pub(crate) kind: &'static Kind,
}

/// The objects of one tenant.
#[derive(Clone)]
pub(crate) struct Storage {
    pub(crate) store: Arc<dyn Store>,
    tenant: Arc<str>,
}

impl Storage {
    pub(crate) fn new(store: Arc<dyn Store>, tenant: &str) -> Self {
        Self {
            store,
            tenant: tenant.into(),
        }
    }

    pub(crate) fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The prefix of all objects of a kind, or of those in one namespace.
    pub(crate) fn prefix(&self, kind: &'static Kind, namespace: &str) -> Result<Prefix, Status> {
        let resource = resource(kind);
        let prefix = if namespace.is_empty() {
            Prefix::resource(&self.tenant, &resource)
        } else {
            Prefix::namespace(&self.tenant, &resource, namespace)
        };
        prefix.map_err(|e| Status::bad_request(e.to_string()))
    }

    /// The key of an object.
    pub(crate) fn key(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Key, Status> {
        let namespace = (!namespace.is_empty()).then_some(namespace);
        Key::new(&self.tenant, &resource(kind), namespace, name)
            .map_err(|e| Status::bad_request(e.to_string()))
    }

    /// The present state of an object. A name that cannot be one is not there.
    pub(crate) fn get(
        &self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Stored>, Status> {
        let Ok(key) = self.key(kind, namespace, name) else {
            return Ok(None);
        };
        Ok(self.store.get(&key).map_err(failure)?.map(Stored::from))
    }

    /// Whether a namespace has no object of a kind.
    pub(crate) fn has_none(&self, kind: &'static Kind, namespace: &str) -> Result<bool, Status> {
        let prefix = self.prefix(kind, namespace)?;
        self.store.is_empty(&prefix).map_err(failure)
    }

    /// Who holds a claim, if anybody does.
    pub(crate) fn holder(&self, claim: &Claim) -> Result<Option<String>, Status> {
        let Ok(key) = SideKey::new(&self.tenant, claim.space, &claim.name) else {
            return Ok(None);
        };
        let value = self.store.side(&key).map_err(failure)?;
        Ok(value.map(|v| String::from_utf8_lossy(&v).into_owned()))
    }

    /// Writes a new object.
    pub(crate) async fn create(
        &self,
        kind: &'static Kind,
        object: &Value,
        claims: Claims,
        ttl: Ttl,
    ) -> Result<Stored, WriteError> {
        let put = Change::Put {
            encoded: encode::encode(object),
            ttl,
        };
        self.write(
            kind,
            object,
            Precondition::Absent,
            put,
            &Value::Null,
            object,
            claims,
        )
        .await
    }

    /// Writes a change of an object that still has the given revision.
    pub(crate) async fn replace(
        &self,
        kind: &'static Kind,
        object: &Value,
        old: &Value,
        revision: Revision,
        claims: Claims,
    ) -> Result<Stored, WriteError> {
        let put = Change::Put {
            encoded: encode::encode(object),
            ttl: Ttl::Keep,
        };
        self.write(
            kind,
            object,
            Precondition::Revision(revision),
            put,
            old,
            object,
            claims,
        )
        .await
    }

    /// Deletes an object that still has the given revision.
    pub(crate) async fn delete(
        &self,
        kind: &'static Kind,
        old: &Value,
        revision: Revision,
        claims: Claims,
    ) -> Result<Stored, WriteError> {
        self.write(
            kind,
            old,
            Precondition::Revision(revision),
            Change::Delete,
            old,
            &Value::Null,
            claims,
        )
        .await
    }

    /// Notes that the dependents of an object that went have been seen to.
    pub(crate) async fn orphans_done(&self, uid: &str) {
        if let Ok(key) = unfinished::orphans_key(&self.tenant, uid) {
            // what is noted in vain is looked at once more at the next start
            let _ = self.store.write(Batch::new().side(Side::Delete(key))).await;
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the three ways of writing differ in all of these"
    )]
    async fn write(
        &self,
        kind: &'static Kind,
        object: &Value,
        precondition: Precondition,
        change: Change,
        old: &Value,
        new: &Value,
        mut claims: Claims,
    ) -> Result<Stored, WriteError> {
        let namespace = if kind.namespaced {
            object::namespace(object)
        } else {
            ""
        };
        let key = self
            .key(kind, namespace, object::name(object))
            .map_err(WriteError::Failed)?;
        let mut batch = Batch::new().with(key.clone(), precondition, change);
        for charge in std::mem::take(&mut claims.charges) {
            let quota = self
                .key(charge.kind, namespace, object::name(&charge.quota))
                .map_err(WriteError::Failed)?;
            let put = Change::Put {
                encoded: encode::encode(&charge.quota),
                ttl: Ttl::Keep,
            };
            batch = batch.with(quota, Precondition::Revision(charge.revision), put);
        }
        self.add_sides(&mut batch, &key, old, new, claims)
            .map_err(|e| WriteError::Failed(failure(e)))?;
        match self.store.write(batch).await {
            Ok(written) => written
                .into_entry()
                .map(Stored::from)
                .ok_or_else(|| WriteError::Failed(Status::internal("the store wrote nothing"))),
            Err(Error::Exists { .. }) => Err(WriteError::Exists),
            Err(Error::Conflict { .. } | Error::NotFound { .. } | Error::SideExists { .. }) => {
                Err(WriteError::Conflict)
            }
            Err(other) => Err(WriteError::Failed(failure(other))),
        }
    }

    /// Adds the records that go with an object: who owns it, and what it claims.
    fn add_sides(
        &self,
        batch: &mut Batch,
        key: &Key,
        old: &Value,
        new: &Value,
        claims: Claims,
    ) -> Result<(), Error> {
        for uid in owners::uids(new).difference(&owners::uids(old)) {
            batch.sides.push(owners::record(&self.tenant, uid, key)?);
        }
        for uid in owners::uids(old).difference(&owners::uids(new)) {
            batch
                .sides
                .push(Side::Delete(owners::record_key(&self.tenant, uid, key)?));
        }
        match (object::is_deleting(old), object::is_deleting(new)) {
            (false, true) => batch.sides.push(unfinished::deletion(&self.tenant, key)?),
            (true, false) => batch
                .sides
                .push(Side::Delete(unfinished::deletion_key(&self.tenant, key)?)),
            _ => {}
        }
        if new.is_null() && owners::has_dependents(&*self.store, &self.tenant, object::uid(old))? {
            let note = unfinished::orphans(&self.tenant, object::uid(old))?;
            batch.sides.push(note);
        }
        for claim in claims.release {
            batch.sides.push(Side::Delete(SideKey::new(
                &self.tenant,
                claim.space,
                &claim.name,
            )?));
        }
        for claim in claims.take {
            batch.sides.push(Side::Create(
                SideKey::new(&self.tenant, claim.space, &claim.name)?,
                Bytes::copy_from_slice(key.as_str().as_bytes()),
            ));
        }
        Ok(())
    }
}

/// The resource under which the objects of a kind are kept: `apps/deployments`, `configmaps`.
fn resource(kind: &'static Kind) -> Cow<'static, str> {
    let kind = convert::storage_kind(kind);
    if kind.group.is_empty() {
        kind.plural.into()
    } else {
        format!("{}/{}", kind.group, kind.plural).into()
    }
}

/// A failure of the store as a client sees it.
pub(crate) fn failure(error: Error) -> Status {
    let words = error.to_string();
    match error {
        Error::Compacted { .. } => too_old(),
        Error::FutureRevision { current, requested } => too_large(requested.0, current.0),
        Error::Full { .. } => Status::new(507, "InternalError", words),
        Error::ReadOnly { .. } | Error::Closed => Status::new(503, "ServiceUnavailable", words),
        Error::TooLarge { .. } => Status::new(413, "RequestEntityTooLarge", words),
        _ => Status::internal(words),
    }
}

/// 410: the history that was asked for is gone.
pub(crate) fn too_old() -> Status {
    Status::new(
        410,
        "Expired",
        "The resourceVersion for the provided list is too old.",
    )
}

/// 504: the version that was asked for is yet to come.
pub(crate) fn too_large(requested: u64, current: u64) -> Status {
    Status::new(
        504,
        "Timeout",
        format!("Too large resource version: {requested}, current: {current}"),
    )
    .with_details(Details {
        causes: vec![Cause {
            reason: "ResourceVersionTooLarge".into(),
            message: "Too large resource version".into(),
            field: String::new(),
        }],
        retry_after_seconds: 1,
        ..Details::default()
    })
}
