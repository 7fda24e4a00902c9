// SPDX-License-Identifier: Apache-2.0
//! [`ListRequest`] and the answers of reads: [`Page`], [`Stats`], [`Report`].

use crate::{Entry, Key, Prefix, Revision};

/// What to list, from where, and as of when.
#[derive(Clone, Debug)]
pub struct ListRequest {
    /// The range.
    pub prefix: Prefix,
    /// Where in the range to start: text behind the prefix, itself included. A NUL byte behind a
    /// key means "after that key"; see [`ListRequest::after`].
    pub from: Option<String>,
    /// The revision to read at; none for now.
    pub at: Option<Revision>,
    /// The most entries that [`crate::Store::list`] returns; 0 for all. Scans stop by themselves.
    pub limit: usize,
}

impl ListRequest {
    /// Everything in a range, as it is now.
    pub fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            from: None,
            at: None,
            limit: 0,
        }
    }

    /// As of a revision.
    #[must_use]
    pub fn at(mut self, revision: Revision) -> Self {
        self.at = Some(revision);
        self
    }

    /// At most `limit` entries.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// From a text behind the prefix on, which need not be a key.
    #[must_use]
    pub fn from(mut self, start: impl Into<String>) -> Self {
        self.from = Some(start.into());
        self
    }

    /// From the key behind this one on.
    #[must_use]
    pub fn after(mut self, key: &Key) -> Self {
        self.from = self
            .prefix
            .relative(key)
            .map(|relative| format!("{relative}\0"));
        self
    }

    pub(crate) fn bounds(&self) -> (Vec<u8>, Vec<u8>) {
        let (mut from, to) = self.prefix.bounds();
        from.extend_from_slice(self.from.as_deref().unwrap_or_default().as_bytes());
        (from, to)
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// In the order of their keys.
    pub entries: Vec<Entry>,
    /// The revision that the page shows. The next page is to be read at it.
    pub revision: Revision,
    /// How many more entries there are behind the page.
    pub remaining: usize,
}

/// How much there is in a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Objects.
    pub objects: u64,
    /// Bytes of their documents, without the revisions in them.
    pub bytes: u64,
}

/// What [`crate::Store::check`] found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Objects read.
    pub objects: u64,
    /// Log entries read.
    pub log_entries: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// The revision of the store.
    pub revision: Revision,
    /// The oldest revision that can be read.
    pub oldest: Revision,
    /// What is wrong, one line each; at most a hundred.
    pub problems: Vec<String>,
    /// How many problems there are, listed or not.
    pub problem_count: u64,
}

impl Report {
    pub(crate) fn problem(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < 100 {
            self.problems.push(problem);
        }
    }
}
