// SPDX-License-Identifier: Apache-2.0
//! Times and durations: one line per text.
use super::*;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

#[test]
fn times() {
    let check = |text: &str, expected: &str| {
        assert_eq!(
            parse_time(text).map(print_time).map_err(|e| e.to_string()),
            Ok(expected.to_owned()),
            "{text}"
        )
    };
    check("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z");
    check("2026-01-02T03:04:05.999Z", "2026-01-02T03:04:05Z");
    check("2026-01-02T03:04:05,9+01:30", "2026-01-02T01:34:05Z");
    check("2024-02-29T3:04:05-00:00", "2024-02-29T03:04:05Z");
    check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
    check("2026-01-01T00:00:00+24:60", "2025-12-30T23:00:00Z");
    let refuse = |text: &str, expected: &str| {
        assert_eq!(
            parse_time(text).unwrap_err().to_string(),
            expected,
            "{text}"
        )
    };
    refuse(
        "yesterday",
        r#"parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006""#,
    );
    refuse(
        "",
        r#"parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006""#,
    );
    refuse(
        "2026-13-01T00:00:00Z",
        r#"parsing time "2026-13-01T00:00:00Z": month out of range"#,
    );
    refuse(
        "2026-02-30T00:00:00Z",
        r#"parsing time "2026-02-30T00:00:00Z": day out of range"#,
    );
    refuse(
        "2026-01-01T00:00:60Z",
        r#"parsing time "2026-01-01T00:00:60Z": second out of range"#,
    );
    refuse(
        "2026-01-01T00:00:00",
        r#"parsing time "2026-01-01T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00""#,
    );
    refuse(
        "2026-01-01 00:00:00Z",
        r#"parsing time "2026-01-01 00:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse " 00:00:00Z" as "T""#,
    );
    refuse(
        "2026-01-01T00:00:00Z ",
        r#"parsing time "2026-01-01T00:00:00Z ": extra text: " ""#,
    );
}

#[test]
fn micro_times() {
    let check = |text: &str, expected: &str| {
        assert_eq!(
            parse_micro_time(text)
                .map(print_micro_time)
                .map_err(|e| e.to_string()),
            Ok(expected.to_owned()),
            "{text}"
        )
    };
    check("2026-01-02T03:04:05.000006Z", "2026-01-02T03:04:05.000006Z");
    let refuse = |text: &str, part: &str| {
        assert!(
            parse_micro_time(text)
                .unwrap_err()
                .to_string()
                .ends_with(part),
            "{text}"
        )
    };
    refuse("2026-01-02T03:04:05Z", r#"cannot parse "Z" as ".000000""#);
    refuse(
        "2026-01-02T03:04:05.123Z",
        r#"cannot parse ".123Z" as ".000000""#,
    );
    refuse(
        "2026-01-02T03:04:05.1234567Z",
        r#"cannot parse "7Z" as "Z07:00""#,
    );
    assert!(is_zero(parse_time("0001-01-01T00:00:00Z").unwrap()));
}

#[test]
fn durations() {
    let check = |text: &str, expected: &str| {
        assert_eq!(
            parse_duration(text).map(print_duration),
            Ok(expected.to_owned()),
            "{text}"
        )
    };
    check("0", "0s");
    check("1.5h", "1h30m0s");
    check("90s", "1m30s");
    check("-1.5ms", "-1.5ms");
    check("1us", "1µs");
    check("1µs1ns", "1.001µs");
    check(".5s", "500ms");
    check("1h1h", "2h0m0s");
    let refuse = |text: &str, expected: &str| {
        assert_eq!(parse_duration(text).unwrap_err().to_string(), expected)
    };
    refuse("", r#"time: invalid duration """#);
    refuse("5", r#"time: missing unit in duration "5""#);
    refuse("1d", r#"time: unknown unit "d" in duration "1d""#);
    refuse("soon", r#"time: invalid duration "soon""#);
    refuse("300000000h", r#"time: invalid duration "300000000h""#);
}

#[test]
fn ages() {
    let check = |seconds: i64, human: &str, short: &str| {
        let duration = SignedDuration::from_secs(seconds);
        assert_eq!(
            (
                human_duration(duration).as_str(),
                short_human_duration(duration).as_str()
            ),
            (human, short),
            "{seconds}"
        );
    };
    check(-2, "<invalid>", "<invalid>");
    check(-1, "0s", "0s");
    check(0, "0s", "0s");
    check(119, "119s", "1m");
    check(120, "2m", "2m");
    check(330, "5m30s", "5m");
    check(600, "10m", "10m");
    check(3 * 3600 - 1, "179m", "2h");
    check(3 * 3600 + 60, "3h1m", "3h");
    check(8 * 3600 + 60, "8h", "8h");
    check(51 * 3600, "2d3h", "2d");
    check(8 * 86_400 + 3600, "8d", "8d");
    check(800 * 86_400, "2y70d", "2y");
    check(8 * 365 * 86_400 + 86_400, "8y", "8y");
    assert_eq!(age(Timestamp::UNIX_EPOCH, None), "<unknown>");
    assert_eq!(
        age(Timestamp::new(60, 0).unwrap(), Some(Timestamp::UNIX_EPOCH)),
        "60s"
    );
}

proptest! {
    #[test]
    fn time_round_trip(seconds in -62_135_596_800_i64..253_402_207_200, nanos in 0..1_000_000_000) {
        let moment = Timestamp::new(seconds, 0).unwrap();
        prop_assert_eq!(parse_time(&print_time(moment)), Ok(moment));
        let fine = moment.checked_add(SignedDuration::from_micros(i64::from(nanos / 1000))).unwrap();
        prop_assert_eq!(parse_micro_time(&print_micro_time(fine)), Ok(fine));
    }
    #[test]
    fn duration_round_trip(nanos: i64) {
        let duration = SignedDuration::from_nanos(nanos);
        prop_assert_eq!(parse_duration(&print_duration(duration)), Ok(duration));
        let _ = human_duration(duration);
    }
    #[test]
    fn any_text(text in "[0-9TZ:.,+-]{0,32}|.{0,20}|[0-9.hmsuµn-]{0,20}") {
        let _ = (parse_time(&text), parse_micro_time(&text), parse_duration(&text));
    }
}
