// SPDX-License-Identifier: Apache-2.0
//! [`Sorted`]: an ordered map of bytes with snapshots for nothing.
//!
//! A sorted array of sorted runs. Runs are shared: a snapshot is one more reference to the array,
//! and a write copies what it touches only while a snapshot holds it too. Lookups are two binary
//! searches; pairs lie densely, without the slack of tree nodes.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::{Stored, Visit};
use crate::error::Result;

/// Pairs in a run. A write moves half of them on average, a copy for a snapshot all.
const RUN: usize = 128;

type Pair = (Arc<[u8]>, Bytes);

#[derive(Clone)]
struct Run {
    /// At most the first key, and greater than all keys of the run before.
    floor: Arc<[u8]>,
    pairs: Arc<Vec<Pair>>,
}

#[derive(Clone, Default)]
pub(crate) struct Sorted {
    runs: Arc<Vec<Run>>,
}

impl Sorted {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Bytes> {
        let run = self.runs.get(self.run_of(key)?)?;
        let at = search(&run.pairs, key).ok()?;
        run.pairs.get(at).map(|(_, value)| value)
    }

    /// Stores a value, gives the old one.
    pub(crate) fn insert(&mut self, key: &[u8], value: Bytes) -> Option<Bytes> {
        let at = self.run_of(key);
        let runs = Arc::make_mut(&mut self.runs);
        let index = at.unwrap_or(0);
        let Some(run) = runs.get_mut(index) else {
            let key: Arc<[u8]> = key.into();
            runs.push(Run {
                floor: key.clone(),
                pairs: Arc::new(vec![(key, value)]),
            });
            return None;
        };
        let pairs = Arc::make_mut(&mut run.pairs);
        let place = match search(pairs, key) {
            Ok(place) => {
                return pairs
                    .get_mut(place)
                    .map(|pair| std::mem::replace(&mut pair.1, value));
            }
            Err(place) => place,
        };
        let key: Arc<[u8]> = key.into();
        if at.is_none() {
            run.floor = key.clone();
        }
        if pairs.len() < RUN {
            pairs.insert(place, (key, value));
            return None;
        }
        // A run that grows at its end keeps its pairs, so that the log is dense.
        let mut behind = pairs.split_off(if place == pairs.len() { place } else { RUN / 2 });
        if place < pairs.len() {
            pairs.insert(place, (key, value));
        } else {
            behind.insert(place - pairs.len(), (key, value));
        }
        if let Some((floor, _)) = behind.first() {
            let floor = floor.clone();
            runs.insert(
                index + 1,
                Run {
                    floor,
                    pairs: Arc::new(behind),
                },
            );
        }
        None
    }

    /// Removes a pair, gives its value.
    pub(crate) fn remove(&mut self, key: &[u8]) -> Option<Bytes> {
        let index = self.run_of(key)?;
        let place = search(&self.runs.get(index)?.pairs, key).ok()?;
        let runs = Arc::make_mut(&mut self.runs);
        let pairs = Arc::make_mut(&mut runs.get_mut(index)?.pairs);
        let (_, value) = pairs.remove(place);
        if pairs.is_empty() {
            runs.remove(index);
        }
        Some(value)
    }

    pub(crate) fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<()> {
        let first = self.run_of(from).unwrap_or(0);
        for (index, run) in self.runs.iter().enumerate().skip(first) {
            let start = match search(&run.pairs, from) {
                Ok(start) | Err(start) if index == first => start,
                _ => 0,
            };
            for (key, value) in run.pairs.iter().skip(start) {
                if **key >= *to || visit(key, Stored::Shared(value))? == ControlFlow::Break(()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub(crate) fn last(&self) -> Option<(&[u8], &Bytes)> {
        self.runs
            .last()?
            .pairs
            .last()
            .map(|(key, value)| (&**key, value))
    }

    /// The run that the key is in, if it is in any; none for a key before all.
    fn run_of(&self, key: &[u8]) -> Option<usize> {
        self.runs
            .partition_point(|run| *run.floor <= *key)
            .checked_sub(1)
    }
}

fn search(pairs: &[Pair], key: &[u8]) -> Result<usize, usize> {
    // The end first: that is where the log is written and read.
    match pairs.last().map(|(last, _)| (**last).cmp(key)) {
        None | Some(Ordering::Less) => Err(pairs.len()),
        Some(Ordering::Equal) => Ok(pairs.len() - 1),
        Some(Ordering::Greater) => pairs.binary_search_by(|(other, _)| (**other).cmp(key)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn pairs(map: &Sorted, from: &[u8], to: &[u8]) -> Vec<(Vec<u8>, Bytes)> {
        let mut pairs = Vec::new();
        map.scan(from, to, &mut |key, value| {
            pairs.push((key.to_vec(), value.from(0)));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        pairs
    }

    #[test]
    fn behaves_as_a_map() {
        let mut sorted = Sorted::default();
        let mut model = BTreeMap::new();
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        let mut snapshots = Vec::new();
        for round in 0..20_000_u64 {
            let key = (random() % 3_000).to_be_bytes();
            let value = Bytes::from(round.to_be_bytes().to_vec());
            // Phases of growing and shrinking, so that runs split and vanish.
            if random() % 4 < 1 + 2 * ((round / 5_000) % 2) {
                assert_eq!(sorted.remove(&key), model.remove(key.as_slice()));
            } else {
                assert_eq!(
                    sorted.insert(&key, value.clone()),
                    model.insert(key.to_vec(), value)
                );
            }
            assert_eq!(sorted.get(&key), model.get(key.as_slice()));
            if round % 1_000 == 0 {
                snapshots.push((sorted.clone(), model.clone()));
                let (from, to) = (random() % 3_000, random() % 3_000);
                let (from, to) = (from.min(to).to_be_bytes(), from.max(to).to_be_bytes());
                let expected: Vec<_> = model
                    .range(from.to_vec()..to.to_vec())
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                assert_eq!(pairs(&sorted, &from, &to), expected);
            }
        }
        for (sorted, model) in snapshots {
            let expected: Vec<_> = model.clone().into_iter().collect();
            assert_eq!(pairs(&sorted, &[], &[0xff; 9]), expected);
            assert_eq!(
                sorted.last().map(|(key, _)| key.to_vec()),
                model.last_key_value().map(|(key, _)| key.clone())
            );
        }
    }
}
