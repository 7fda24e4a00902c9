// SPDX-License-Identifier: Apache-2.0
//! Kubernetes' rules for resource versions, tokens, selectors and bookmarks over a [`Store`], as an
//! API server applies them. The tables of the suite are written in their terms.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::conformance::{NOT, Pod, Rig, SOON};
use crate::{Error, EventKind, ListRequest, Prefix, Revision, Watcher};

/// A field selector: `name=a,node!=b`.
#[derive(Clone, Default)]
pub(super) struct Selector(Vec<(String, bool, String)>);

impl Selector {
    pub(super) fn parse(text: &str) -> Self {
        let terms = text.split(',').filter(|term| !term.is_empty()).map(|term| {
            let (field, equal, value) = match term.split_once("!=") {
                Some((field, value)) => (field, false, value),
                None => term
                    .split_once('=')
                    .map(|(field, value)| (field, true, value))
                    .unwrap(),
            };
            (field.to_owned(), equal, value.to_owned())
        });
        Self(terms.collect())
    }

    pub(super) fn matches(&self, pod: &Pod) -> bool {
        self.0.iter().all(|(field, equal, value)| {
            let found = match field.as_str() {
                "name" => &pod.name,
                "namespace" => &pod.namespace,
                "node" => &pod.node,
                "note" => &pod.note,
                other => panic!("{other}"),
            };
            (found == value) == *equal
        })
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Clone, Default)]
pub(super) struct Listing {
    pub(super) namespace: Option<String>,
    pub(super) version: String,
    pub(super) version_match: String,
    pub(super) limit: usize,
    pub(super) selector: Selector,
    pub(super) token: Option<(String, i64)>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) items: Vec<Pod>,
    pub(super) version: u64,
    pub(super) token: Option<(String, i64)>,
    pub(super) remaining: Option<usize>,
    /// Entries that were read.
    pub(super) read: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Invalid,
    TooLarge,
    ListTooOld,
    /// With a token to go on with at the current revision.
    TokenTooOld((String, i64)),
    /// The keys of corrupt objects, and what could be read.
    Corrupt(Vec<String>, Vec<Pod>),
}

pub(super) fn list(rig: &Rig, listing: &Listing) -> Result<List, Refused> {
    let prefix = match &listing.namespace {
        Some(namespace) => Prefix::namespace("t", "pods", namespace).unwrap(),
        None => Prefix::resource("t", "pods").unwrap(),
    };
    let version: u64 = match listing.version.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| Refused::Invalid)?,
    };
    let mut request = ListRequest::new(prefix);
    match (&listing.token, listing.version_match.as_str()) {
        (Some(_), "") if version > 0 => return Err(Refused::Invalid),
        (Some((start, _)), _) if start.is_empty() => return Err(Refused::Invalid),
        (Some((_, 0)), _) => return Err(Refused::Invalid),
        (Some((start, at)), _) => {
            request = request.from(start);
            request.at = u64::try_from(*at).ok().map(Revision);
        }
        (None, "Exact") if version > 0 => request = request.at(Revision(version)),
        // Before there were match rules a limit asked for that very version.
        (None, "") if listing.limit > 0 && version > 0 => request = request.at(Revision(version)),
        (None, "" | "NOT") => {
            if version > rig.revision().0 {
                return Err(Refused::TooLarge);
            }
        }
        _ => return Err(Refused::Invalid),
    }
    let mut list = List {
        items: Vec::new(),
        version: 0,
        token: None,
        remaining: None,
        read: 0,
    };
    let mut last = None;
    let mut more = false;
    let mut corrupt = Vec::new();
    let scanned = rig.store.scan(&request, &mut |entry| {
        if listing.limit > 0 && list.items.len() == listing.limit {
            more = true;
            return ControlFlow::Break(());
        }
        list.read += 1;
        match entry {
            Ok(entry) => {
                let pod = Pod::decode(entry.value());
                last = Some(pod.key());
                if listing.selector.matches(&pod) {
                    list.items.push(pod);
                }
            }
            Err(Error::Corrupt { key, .. }) => corrupt.push(key),
            Err(other) => panic!("{other}"),
        }
        ControlFlow::Continue(())
    });
    list.version = match scanned {
        Ok(revision) => revision.0,
        Err(Error::FutureRevision { .. }) => return Err(Refused::TooLarge),
        Err(Error::Compacted { .. }) => {
            return Err(match &listing.token {
                Some((start, _)) => Refused::TokenTooOld((start.clone(), -1)),
                None => Refused::ListTooOld,
            });
        }
        Err(other) => panic!("{other}"),
    };
    if !corrupt.is_empty() {
        return Err(Refused::Corrupt(corrupt, list.items));
    }
    if more {
        let last = last.unwrap();
        let behind = ListRequest::new(request.prefix.clone())
            .after(&last)
            .at(Revision(list.version));
        list.token = behind
            .from
            .clone()
            .map(|start| (start, list.version as i64));
        if listing.selector.is_empty() {
            list.remaining = Some(rig.store.count(&behind).unwrap());
        }
    }
    Ok(list)
}

/// An event as a client sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Added(Pod),
    Modified(Pod),
    Deleted(Pod),
    /// The end of the initial events, with its resource version.
    Initial(u64),
    Error(String),
    Closed,
}

#[derive(Clone, Default)]
pub(super) struct Watching {
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) selector: Selector,
    /// None is unset.
    pub(super) version: Option<u64>,
    pub(super) initial: Option<bool>,
    pub(super) bookmarks: bool,
}

/// A watch as an API server serves it.
pub(super) struct Watch {
    watcher: Watcher,
    selector: Selector,
    initial: VecDeque<Seen>,
    closed: bool,
}

pub(super) fn watch(rig: &Rig, watching: &Watching) -> crate::Result<Watch> {
    let prefix = match (&watching.namespace, &watching.name) {
        (Some(namespace), Some(name)) => Prefix::object(&Pod::new(namespace, name).key()),
        (Some(namespace), None) => Prefix::namespace("t", "pods", namespace)?,
        (None, _) => Prefix::resource("t", "pods")?,
    };
    let version = watching.version.unwrap_or(0);
    let wants_initial = match watching.initial {
        Some(initial) => initial,
        None => version == 0,
    };
    let mut initial = VecDeque::new();
    let mut after = match version {
        0 => rig.revision(),
        version => Revision(version),
    };
    if wants_initial {
        let page = rig.store.list(&ListRequest::new(prefix.clone()))?;
        after = page.revision;
        let pods = page
            .entries
            .iter()
            .map(Pod::of)
            .filter(|pod| watching.selector.matches(pod));
        initial.extend(pods.map(Seen::Added));
        if watching.initial == Some(true) && watching.bookmarks {
            initial.push_back(Seen::Initial(after.0));
        }
    }
    let watcher = rig.store.watch(&prefix, after)?;
    Ok(Watch {
        watcher,
        selector: watching.selector.clone(),
        initial,
        closed: false,
    })
}

impl Watch {
    /// The next event, which must come.
    pub(super) fn next(&mut self) -> Seen {
        loop {
            if let Some(seen) = self.initial.pop_front() {
                return seen;
            }
            if self.closed {
                return Seen::Closed;
            }
            match self.watcher.next_timeout(SOON) {
                Some(Ok(event)) => {
                    if let Some(seen) = self.select(&event) {
                        return seen;
                    }
                }
                Some(Err(error)) => {
                    self.closed = true;
                    return Seen::Error(error.to_string());
                }
                None => panic!("no event came"),
            }
        }
    }

    /// Whether nothing that matches comes.
    pub(super) fn is_quiet(&mut self) -> bool {
        if !self.initial.is_empty() {
            return false;
        }
        while let Some(event) = self.watcher.next_timeout(NOT) {
            match event {
                Ok(event) if self.select(&event).is_none() => {}
                _ => return false,
            }
        }
        true
    }

    /// The resource version that a bookmark would have now.
    pub(super) fn bookmark(&mut self) -> u64 {
        self.watcher.progress().0
    }

    /// An object that starts to match is added for the client, one that stops is deleted.
    fn select(&mut self, event: &crate::Event) -> Option<Seen> {
        let before = event.previous.as_ref().map(|bytes| Pod::decode(bytes));
        let before = before.filter(|pod| self.selector.matches(pod));
        let gone = |pod: Pod| {
            Seen::Deleted(Pod {
                revision: event.revision.0,
                ..pod
            })
        };
        match event.kind {
            EventKind::Lost => {
                self.closed = true;
                Some(Seen::Error(
                    "saw a DELETED event, but object data is corrupt".to_owned(),
                ))
            }
            EventKind::Deleted => before.map(gone),
            EventKind::Created | EventKind::Updated => {
                let pod = Pod::decode(&event.value);
                match (before, self.selector.matches(&pod)) {
                    (None, true) => Some(Seen::Added(pod)),
                    (Some(_), true) => Some(Seen::Modified(pod)),
                    (Some(before), false) => Some(gone(before)),
                    (None, false) => None,
                }
            }
        }
    }
}
