// SPDX-License-Identifier: Apache-2.0
//! Locks that are held for a few microseconds: to wait for one is cheaper than to sleep and be woken, which takes ten
//! times as long and a system call of each side.

use std::hint::spin_loop;
use std::sync::{
    Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, TryLockError, TryLockResult,
};

/// How often a lock is tried before the thread goes to sleep: some ten microseconds in all.
const TRIES: u32 = 200;
/// Pauses between two tries, so that they do not slow down the holder.
const PAUSES: u32 = 4;

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    attempt(|| mutex.try_lock())
        .unwrap_or_else(|| mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    attempt(|| lock.try_read())
        .unwrap_or_else(|| lock.read().unwrap_or_else(PoisonError::into_inner))
}

fn attempt<G>(mut attempt: impl FnMut() -> TryLockResult<G>) -> Option<G> {
    for _ in 0..TRIES {
        match attempt() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => (0..PAUSES).for_each(|_| spin_loop()),
        }
    }
    None
}
