// SPDX-License-Identifier: Apache-2.0
//! A range of IPv4 addresses from which each is given once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The addresses of a range that are in use, each with who holds it: pods or nodes, by uid. What goes gives back all that
/// it held, whether or not its address was ever seen in its status.
#[derive(Debug)]
pub(super) struct Addresses {
    first: u32,
    count: u32,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    /// How many hold an address; several, where somebody has written so by hand.
    holders: BTreeMap<u32, usize>,
    held: HashMap<String, BTreeSet<u32>>,
    /// Where the search for the next begins.
    next: u32,
}

impl Used {
    fn hold(&mut self, uid: &str, offset: u32) {
        if self.held.entry(uid.to_owned()).or_default().insert(offset) {
            *self.holders.entry(offset).or_default() += 1;
        }
    }
}

impl Addresses {
    /// The range of that prefix; its first and last address are not given.
    pub(super) fn new(network: [u8; 4], prefix: u32) -> Self {
        Self {
            first: u32::from(Ipv4Addr::from(network)) + 1,
            count: (1 << (32 - prefix)) - 2,
            used: Mutex::default(),
        }
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks an address as held; one out of the range is nobody's business here.
    pub(super) fn reserve(&self, uid: &str, address: Option<&str>) {
        let offset = address
            .and_then(|address| address.parse::<Ipv4Addr>().ok())
            .and_then(|address| u32::from(address).checked_sub(self.first))
            .filter(|offset| *offset < self.count);
        if let Some(offset) = offset {
            self.used().hold(uid, offset);
        }
    }

    /// Whoever it is holds nothing any more.
    pub(super) fn release(&self, uid: &str) {
        let mut used = self.used();
        for offset in used.held.remove(uid).unwrap_or_default() {
            if let Some(holders) = used.holders.get_mut(&offset) {
                *holders -= 1;
                if *holders == 0 {
                    used.holders.remove(&offset);
                }
            }
        }
    }

    /// The address that `uid` holds; if none, one that nobody does, if there is one, and not the one that became free last,
    /// as long as there are others.
    pub(super) fn take(&self, uid: &str) -> Option<String> {
        let mut used = self.used();
        let held = used.held.get(uid).and_then(|held| held.first().copied());
        let offset = match held {
            Some(offset) => offset,
            None => {
                let offset = (0..self.count)
                    .map(|step| (used.next + step) % self.count)
                    .find(|offset| !used.holders.contains_key(offset))?;
                used.hold(uid, offset);
                used.next = (offset + 1) % self.count;
                offset
            }
        };
        Some(Ipv4Addr::from(self.first + offset).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_once() {
        let addresses = Addresses::new([10, 0, 0, 0], 29);
        addresses.reserve("a", Some("10.0.0.2"));
        addresses.reserve("b", Some("10.9.0.2"));
        let all: Vec<_> = (0..9)
            .filter_map(|n| addresses.take(&n.to_string()))
            .collect();
        assert_eq!(
            all,
            ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
        );
        addresses.release("2");
        assert_eq!(addresses.take("x").as_deref(), Some("10.0.0.4"));
    }

    #[test]
    fn what_was_taken_and_never_seen_comes_back() {
        let addresses = Addresses::new([10, 0, 0, 0], 30);
        assert_eq!(addresses.take("a").as_deref(), Some("10.0.0.1"));
        assert_eq!(addresses.take("a").as_deref(), Some("10.0.0.1"), "again");
        assert_eq!(addresses.take("b").as_deref(), Some("10.0.0.2"));
        assert_eq!(addresses.take("c"), None);
        // both say so, by somebody's hand
        addresses.reserve("b", Some("10.0.0.1"));
        addresses.release("a");
        assert_eq!(addresses.take("c"), None);
        addresses.release("b");
        assert_eq!(addresses.take("c").as_deref(), Some("10.0.0.1"));
        addresses.release("nobody");
    }
}
