// SPDX-License-Identifier: Apache-2.0
//! A range of IPv4 addresses from which each is given once.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

/// The addresses of a range that are in use.
#[derive(Debug)]
pub(super) struct Addresses {
    first: u32,
    count: u32,
    used: Mutex<(BTreeSet<u32>, u32)>,
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

    fn offset(&self, address: Option<&str>) -> Option<u32> {
        let address = u32::from(address?.parse::<Ipv4Addr>().ok()?);
        address
            .checked_sub(self.first)
            .filter(|offset| *offset < self.count)
    }

    /// Marks an address as used; one out of the range is nobody's business here.
    pub(super) fn reserve(&self, address: Option<&str>) {
        if let Some(offset) = self.offset(address) {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.0.insert(offset);
        }
    }

    /// Gives an address back.
    pub(super) fn release(&self, address: Option<&str>) {
        if let Some(offset) = self.offset(address) {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            used.0.remove(&offset);
        }
    }

    /// A free address, if there is one; not the one that became free last, as long as there are others.
    pub(super) fn take(&self) -> Option<String> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, next) = &mut *used;
        let offset = (0..self.count)
            .map(|step| (*next + step) % self.count)
            .find(|offset| !taken.contains(offset))?;
        taken.insert(offset);
        *next = (offset + 1) % self.count;
        Some(Ipv4Addr::from(self.first + offset).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_once() {
        let addresses = Addresses::new([10, 0, 0, 0], 29);
        addresses.reserve(Some("10.0.0.2"));
        addresses.reserve(Some("10.9.0.2"));
        let all: Vec<_> = std::iter::from_fn(|| addresses.take()).collect();
        assert_eq!(
            all,
            ["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
        );
        addresses.release(Some("10.0.0.4"));
        assert_eq!(addresses.take().as_deref(), Some("10.0.0.4"));
    }
}
