// SPDX-License-Identifier: Apache-2.0
//! The query of a call. Everything is escaped: the daemon chooses some handlers by looking for words anywhere in the raw query.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// A query in the making.
#[derive(Clone, Debug)]
pub(crate) struct Query(String);

impl Query {
    /// `opt=get&type=KIND`.
    pub(crate) fn get(kind: &str) -> Self {
        Self(format!("opt=get&type={kind}"))
    }

    /// `opt=set&type=KIND`. The daemon takes all but one of these by GET.
    pub(crate) fn set(kind: &str) -> Self {
        Self(format!("opt=set&type={kind}"))
    }

    /// Adds an argument.
    pub(crate) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let value = value.to_string();
        let _ = write!(self.0, "&{name}={}", utf8_percent_encode(&value, ESCAPED));
        self
    }

    /// Adds an argument that only has to be there.
    pub(crate) fn flag(mut self, name: &str) -> Self {
        let _ = write!(self.0, "&{name}");
        self
    }

    /// The path and query of the call.
    pub(crate) fn path(&self) -> String {
        format!("/api/bmc?{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_value_looks_like_an_argument() {
        let query = Query::set("flash").with("file", "a b&type=firmware.img");
        assert_eq!(
            query.path(),
            "/api/bmc?opt=set&type=flash&file=a%20b%26type%3Dfirmware.img"
        );
        assert_eq!(
            Query::set("reboot").flag("fel").path(),
            "/api/bmc?opt=set&type=reboot&fel"
        );
    }
}
