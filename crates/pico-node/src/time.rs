// SPDX-License-Identifier: Apache-2.0
//! Time as the node knows it: its own counter that never goes back, and the server's clock learned from it.

use core::fmt;

/// Milliseconds since the board started.
pub type Ms = u64;

/// A point in time of the world, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(u64);

const DAY_MS: u64 = 86_400_000;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl Wall {
    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_unix_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// The time of a `Date` header, `Tue, 15 Nov 1994 08:12:31 GMT`; `None` if it is none of this form since 1970.
    #[must_use]
    pub fn from_http_date(text: &str) -> Option<Self> {
        let rest = text.get(5..).filter(|_| text.get(3..5) == Some(", "))?;
        let mut words = rest.split(' ');
        let (day, month, year, time, zone) = (
            words.next()?,
            words.next()?,
            words.next()?,
            words.next()?,
            words.next()?,
        );
        let month = MONTHS.iter().position(|m| *m == month)? as u64 + 1;
        if zone != "GMT" || words.next().is_some() {
            return None;
        }
        Self::of(number(year)?, month, number(day)?, time)
    }

    /// The time of an RFC 3339 text in UTC, with or without a fraction; `None` if it is no such text.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date, time) = text.split_once('T')?;
        let time = time.strip_suffix('Z')?;
        let mut parts = date.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
        if fraction.is_empty()
            || fraction.len() > 9
            || !fraction.bytes().all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let mut ms = 0;
        for n in 0..3 {
            ms = ms * 10 + u64::from(fraction.as_bytes().get(n).map_or(0, |b| b - b'0'));
        }
        let whole = Self::of(number(year)?, number(month)?, number(day)?, time)?;
        Some(Self(whole.0 + ms))
    }

    fn of(year: u64, month: u64, day: u64, time: &str) -> Option<Self> {
        let mut parts = time.split(':');
        let (hour, minute, second) = (
            number(parts.next()?)?,
            number(parts.next()?)?,
            number(parts.next()?)?,
        );
        let fits = parts.next().is_none()
            && (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second <= 60;
        if !fits {
            return None;
        }
        // Days since 1970 in the proleptic Gregorian calendar, with March as the first month.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year / 400;
        let of_era = year % 400;
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year)
            .checked_sub(719_468)?;
        Some(Self(
            days * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000,
        ))
    }

    fn parts(self) -> (u64, u64, u64, u64) {
        let (days, ms) = (self.0 / DAY_MS + 719_468, self.0 % DAY_MS);
        let era = days / 146_097;
        let of_era = days % 146_097;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        (year, month, day, ms)
    }

    /// With microseconds, as a Lease has them.
    #[must_use]
    pub fn micro(self) -> Micro {
        Micro(self)
    }
}

fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// RFC 3339 to the second, as Kubernetes writes its times.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, ms) = self.parts();
        let s = ms / 1000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
            s / 3600,
            s / 60 % 60,
            s % 60
        )
    }
}

/// RFC 3339 to the microsecond.
#[derive(Debug, Clone, Copy)]
pub struct Micro(Wall);

impl fmt::Display for Micro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, ms) = self.0.parts();
        let s = ms / 1000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}000Z",
            s / 3600,
            s / 60 % 60,
            s % 60,
            ms % 1000
        )
    }
}

/// The server's clock, as far as it is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Clock {
    /// What the server's clock showed when the board's counter was at zero.
    base: Option<u64>,
    /// When that server last said it, by the board's counter.
    server_at: Option<Ms>,
}

/// How far the clocks may differ before the node's is set anew, in milliseconds: a date header is cut to the second.
const TOLERANCE_MS: u64 = 2000;
/// How long what the server said stands against a time server that says something else.
const SERVER_MS: Ms = 900_000;

impl Clock {
    /// Learns the server's time. Says whether the clock was set, and by how much it was wrong in that case.
    pub fn learn(&mut self, server: Wall, now: Ms) -> Option<i64> {
        // Half a second is what the header cuts off on the average.
        let base = (server.0 + 500).saturating_sub(now);
        self.server_at = Some(now);
        let off = match self.base {
            None => 0,
            Some(known) if known.abs_diff(base) <= TOLERANCE_MS => return None,
            Some(known) => i64::try_from(i128::from(base) - i128::from(known)).unwrap_or(i64::MAX),
        };
        self.base = Some(base);
        Some(off)
    }

    /// Learns the time of a time server: exact, but the API server's clock is the one that counts. Says by how much the
    /// clock was wrong if it was more than a little.
    ///
    /// # Errors
    /// By how much the time server is ahead of the API server, in milliseconds, if they disagree: the clock stays.
    pub fn refine(&mut self, time: Wall, now: Ms) -> Result<Option<i64>, i64> {
        let base = time.0.saturating_sub(now);
        let off = self.base.map_or(0, |known| {
            i64::try_from(i128::from(base) - i128::from(known)).unwrap_or(i64::MAX)
        });
        let is_far = self.base.is_none() || off.unsigned_abs() > TOLERANCE_MS;
        let is_known = |at: Ms| now.saturating_sub(at) < SERVER_MS;
        if is_far && self.server_at.is_some_and(is_known) {
            return Err(off);
        }
        self.base = Some(base);
        Ok(is_far.then_some(off))
    }

    /// What time it is; `None` before a server said it.
    #[must_use]
    pub fn now(&self, now: Ms) -> Option<Wall> {
        self.base.map(|base| Wall(base + now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString as _;

    #[test]
    fn dates() {
        for (http, rfc) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00Z"),
            ("Thu, 29 Feb 2024 23:59:59 GMT", "2024-02-29T23:59:59Z"),
            ("Fri, 31 Dec 1999 12:00:01 GMT", "1999-12-31T12:00:01Z"),
            ("Mon, 30 Nov 2026 02:24:40 GMT", "2026-11-30T02:24:40Z"),
        ] {
            let wall = Wall::from_http_date(http).unwrap();
            assert_eq!(wall.to_string(), rfc);
            assert_eq!(Wall::from_rfc3339(rfc), Some(wall));
        }
        for bad in [
            "",
            "Thu, 01 Jan 1969 00:00:00 GMT",
            "Thu, 01 Foo 1970 00:00:00 GMT",
            "Thu, 01 Jan 1970 24:00:00 GMT",
            "Thu, 01 Jan 1970 00:00:00 CET",
            "Thursday, 01-Jan-70 00:00:00 GMT",
            "Thu, 99999999999999999999 Jan 1970 00:00:00 GMT",
        ] {
            assert_eq!(Wall::from_http_date(bad), None, "{bad}");
        }
        let fine = Wall::from_rfc3339("2026-11-30T02:24:40.123456Z").unwrap();
        assert_eq!(format!("{}", fine.micro()), "2026-11-30T02:24:40.123000Z");
    }

    #[test]
    fn a_clock_is_set_once_and_after_a_jump() {
        let mut clock = Clock::default();
        assert_eq!(clock.now(5), None);
        assert_eq!(clock.learn(Wall(1_000_000), 100), Some(0));
        assert_eq!(clock.learn(Wall(1_001_000), 2000), None);
        assert_eq!(clock.now(100), Some(Wall(1_000_500)));
        assert_eq!(clock.learn(Wall(9_001_000), 1100), Some(8_000_000));
        assert_eq!(clock.learn(Wall(1_001_000), 1100), Some(-8_000_000));
    }

    #[test]
    fn a_time_server_refines_and_does_not_overrule() {
        let mut clock = Clock::default();
        assert_eq!(clock.refine(Wall(1_000_000), 0), Ok(Some(0)));
        assert_eq!(clock.now(0), Some(Wall(1_000_000)));
        // The API server says another time: that one counts, for a while.
        assert_eq!(clock.learn(Wall(2_000_000), 1000), Some(999_500));
        assert_eq!(clock.refine(Wall(1_002_000), 2000), Err(-999_500));
        assert_eq!(clock.now(2000), Some(Wall(2_001_500)));
        assert_eq!(clock.refine(Wall(2_001_200), 2000), Ok(None));
        assert_eq!(clock.now(2000), Some(Wall(2_001_200)));
        assert_eq!(clock.learn(Wall(2_001_000), 2000), None);
        assert_eq!(clock.now(2000), Some(Wall(2_001_200)));
        let later = 2000 + SERVER_MS;
        assert_eq!(
            clock.refine(Wall(1_000_000 + later), later),
            Ok(Some(-999_200))
        );
    }

    proptest::proptest! {
        #[test]
        fn texts_and_times_agree(ms in 0u64..253_402_300_800_000) {
            let wall = Wall(ms / 1000 * 1000);
            proptest::prop_assert_eq!(Wall::from_rfc3339(&wall.to_string()), Some(wall));
        }
    }
}
