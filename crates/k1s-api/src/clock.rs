// SPDX-License-Identifier: Apache-2.0
//! The present time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch.
#[must_use]
pub(crate) fn now_seconds() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// A time in seconds since the epoch as RFC 3339: `2026-01-02T03:04:05Z`.
#[must_use]
pub(crate) fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
        .to_string()
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_have_seconds() {
        assert_eq!(super::rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(super::rfc3339(super::now_seconds()).len(), 20);
    }
}
