// SPDX-License-Identifier: Apache-2.0
//! The optimistic loops: [`guaranteed_update`] and [`delete`].
//!
//! Both read, let the caller decide, and write if nothing has changed meanwhile; else they begin
//! again. A *suggestion* is a state that the caller has at hand. It saves the read; whatever is
//! refused on the ground of a suggestion is looked at again with the state that is stored.

use crate::batch::{Batch, Change, Precondition, Ttl};
use crate::error::Error;
use crate::{Encoded, Entry, Key, Store};

/// What an object is to become.
#[derive(Clone, Debug)]
pub struct Update {
    /// The new state.
    pub encoded: Encoded,
    /// How long it stays.
    pub ttl: Ttl,
    /// What else is to be done in the same transaction.
    pub with: Batch,
}

impl Update {
    /// A new state that stays as long as the old one would have.
    pub fn to(encoded: Encoded) -> Self {
        Self {
            encoded,
            ttl: Ttl::Keep,
            with: Batch::new(),
        }
    }
}

/// Refuses a state, such as one with another uid.
pub type Refuse<'a, E> = &'a (dyn Fn(&Entry) -> Result<(), E> + Send + Sync);

/// How [`guaranteed_update`] goes about it.
pub struct Updating<'a, E> {
    /// Create the object if it is not there, instead of failing.
    pub create: bool,
    /// A state that may be the current one.
    pub suggestion: Option<Entry>,
    /// What must hold before the callback is asked.
    pub precondition: Option<Refuse<'a, E>>,
}

impl<E> Default for Updating<'_, E> {
    fn default() -> Self {
        Self {
            create: false,
            suggestion: None,
            precondition: None,
        }
    }
}

/// How [`delete`] goes about it.
pub struct Deletion<'a, E> {
    /// A state that may be the current one.
    pub suggestion: Option<Entry>,
    /// What must hold before the callback is asked.
    pub precondition: Option<Refuse<'a, E>>,
}

impl<E> Default for Deletion<'_, E> {
    fn default() -> Self {
        Self {
            suggestion: None,
            precondition: None,
        }
    }
}

/// Replaces an object by what `callback` makes of its current state; gives what is stored then.
/// The callback runs again when the object has changed meanwhile. What changes nothing is not
/// written, and keeps its revision.
///
/// # Errors
/// [`Error::NotFound`] if the object is not there, or goes away meanwhile; what the precondition
/// and the callback say of the current state; what the store says.
pub async fn guaranteed_update<E: From<Error>>(
    store: &dyn Store,
    key: &Key,
    how: Updating<'_, E>,
    mut callback: impl FnMut(Option<&Entry>) -> Result<Update, E>,
) -> Result<Entry, E> {
    let not_found = || Error::NotFound { key: key.clone() };
    let mut suggested = how.suggestion.is_some();
    let mut current = match how.suggestion {
        Some(entry) => Some(entry),
        None => store.get(key)?,
    };
    loop {
        if current.is_none() && !how.create {
            return Err(not_found().into());
        }
        let refused = match (&current, how.precondition) {
            (Some(entry), Some(precondition)) => precondition(entry).err(),
            _ => None,
        };
        let update = match refused {
            Some(error) => Err(error),
            None => callback(current.as_ref()),
        };
        let unchanged = match (&update, &current) {
            (Ok(update), Some(entry)) => is_same(entry, update),
            _ => false,
        };
        if suggested && (update.is_err() || unchanged) {
            let stale = std::mem::replace(&mut current, store.get(key)?);
            suggested = false;
            if !current
                .as_ref()
                .is_some_and(|fresh| stale.as_ref() == Some(fresh))
            {
                continue;
            }
        }
        let update = update?;
        if unchanged && let Some(entry) = current {
            return Ok(entry);
        }
        let precondition = current.as_ref().map_or(Precondition::Absent, |entry| {
            Precondition::Revision(entry.revision)
        });
        let change = Change::Put {
            encoded: update.encoded,
            ttl: update.ttl,
        };
        match store
            .write(with_first(key, precondition, change, update.with))
            .await
        {
            Ok(written) => return written.into_entry().ok_or_else(|| not_found().into()),
            Err(error) if is_about(&error, key) => {
                suggested = false;
                current = store.get(key)?;
                // An object that goes away while it is updated is not created anew.
                if current.is_none() && matches!(error, Error::NotFound { .. }) && !how.create {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Deletes an object if `validate` has no objection to its current state; what else is to be done
/// in the same transaction it returns. Gives the last state, with the revision of the deletion.
///
/// # Errors
/// [`Error::NotFound`]; what the precondition and the callback say of the current state; what the
/// store says.
pub async fn delete<E: From<Error>>(
    store: &dyn Store,
    key: &Key,
    how: Deletion<'_, E>,
    mut validate: impl FnMut(&Entry) -> Result<Batch, E>,
) -> Result<Entry, E> {
    let not_found = || Error::NotFound { key: key.clone() };
    let mut suggested = how.suggestion.is_some();
    let mut current = match how.suggestion {
        Some(entry) => entry,
        None => store.get(key)?.ok_or_else(not_found)?,
    };
    loop {
        let refused = how
            .precondition
            .and_then(|precondition| precondition(&current).err());
        let with = match refused {
            Some(error) => Err(error),
            None => validate(&current),
        };
        if suggested && with.is_err() {
            let fresh = store.get(key)?.ok_or_else(not_found)?;
            let stale = std::mem::replace(&mut current, fresh);
            suggested = false;
            if stale != current {
                continue;
            }
        }
        let batch = with_first(
            key,
            Precondition::Revision(current.revision),
            Change::Delete,
            with?,
        );
        match store.write(batch).await {
            Ok(written) => return written.into_entry().ok_or_else(|| not_found().into()),
            Err(error @ Error::Conflict { .. }) if is_about(&error, key) => {
                suggested = false;
                current = store.get(key)?.ok_or_else(not_found)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn with_first(key: &Key, precondition: Precondition, change: Change, with: Batch) -> Batch {
    let Batch { operations, sides } = with;
    let mut batch = Batch::new().with(key.clone(), precondition, change);
    batch.operations.extend(operations);
    batch.sides = sides;
    batch
}

fn is_same(entry: &Entry, update: &Update) -> bool {
    let ttl = match update.ttl {
        Ttl::Keep => true,
        Ttl::Forever => entry.expires.is_none(),
        Ttl::For(_) => false,
    };
    ttl && update.with.operations.is_empty()
        && update.with.sides.is_empty()
        && entry.holds(&update.encoded)
}

/// Whether an error says that this object has changed meanwhile.
fn is_about(error: &Error, key: &Key) -> bool {
    match error {
        Error::Conflict { key: about, .. }
        | Error::Exists { key: about, .. }
        | Error::NotFound { key: about } => about == key,
        _ => false,
    }
}
