// SPDX-License-Identifier: Apache-2.0
//! What arrived at the board, for those who ask whether a client sent what it should and nothing else. Nothing secret is in it.

use std::collections::VecDeque;

use http::{Request, header};

/// How many requests are remembered.
const KEPT: usize = 4096;

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether it came to the port of plain HTTP that sends to HTTPS.
    pub plain: bool,
    /// Method.
    pub method: String,
    /// Path and query, without the scheme and the host.
    pub path: String,
    /// Whether it had an Authorization header.
    pub authorized: bool,
    /// The length of its body that it announced, in bytes.
    pub length: u64,
}

impl Seen {
    /// `OPT TYPE` of a call, else its path without numbers: `set power`, `/api/bmc/upload/`.
    #[must_use]
    pub fn call(&self) -> String {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let argument = |name: &str| {
            let pairs = query.split('&').filter_map(|p| p.split_once('='));
            pairs.into_iter().find(|(n, _)| *n == name).map(|(_, v)| v)
        };
        match (argument("opt"), argument("type")) {
            (Some(opt), Some(kind)) => format!("{opt} {kind}"),
            _ => path.chars().filter(|c| !c.is_ascii_digit()).collect(),
        }
    }
}

#[derive(Default)]
pub(crate) struct Log(VecDeque<Seen>);

impl Log {
    pub(crate) fn add<B>(&mut self, plain: bool, request: &Request<B>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let headers = request.headers();
        let length = headers.get(header::CONTENT_LENGTH);
        self.0.push_back(Seen {
            plain,
            method: request.method().to_string(),
            path: request
                .uri()
                .path_and_query()
                .map_or_else(String::new, ToString::to_string),
            authorized: headers.contains_key(header::AUTHORIZATION),
            length: length
                .and_then(|l| l.to_str().ok()?.parse().ok())
                .unwrap_or(0),
        });
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.0.iter().cloned().collect()
    }
}
