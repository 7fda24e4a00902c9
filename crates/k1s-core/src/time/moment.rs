// SPDX-License-Identifier: Apache-2.0
//! RFC 3339 moments, read as leniently as Go reads them and complained about in the same words.
//!
//! Go walks along an example (the "layout") and names the piece that did not fit. The hour may
//! have one digit, and seconds a fraction after a point or a comma even where none is asked for.

use super::quoted;
use jiff::Timestamp;
use jiff::civil::Date;
use std::fmt;

const SECONDS: &str = "2006-01-02T15:04:05Z07:00";
const MICROSECONDS: &str = "2006-01-02T15:04:05.000000Z07:00";

/// Why a text is no moment; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// A piece does not fit the layout.
    #[error("parsing time {} as {}: cannot parse {} as {}", quoted(.text), quoted(.layout), quoted(.rest), quoted(.piece))]
    Piece {
        /// The whole text.
        text: String,
        /// The example that it should look like.
        layout: &'static str,
        /// What is left of the text at that point.
        rest: String,
        /// The piece of the layout that was expected there.
        piece: &'static str,
    },
    /// A part has a value that it cannot have, or text follows the end.
    #[error("parsing time {}: {problem}", quoted(.text))]
    Value {
        /// The whole text.
        text: String,
        /// What is wrong.
        problem: String,
    },
}

/// What is wrong with one piece.
enum Problem {
    /// The text does not look like the piece.
    Shape,
    /// The named part is out of its range.
    Range(&'static str),
}

/// A text that is read from the front.
struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn literal(&mut self, character: char) -> Result<(), Problem> {
        self.rest = self.rest.strip_prefix(character).ok_or(Problem::Shape)?;
        Ok(())
    }

    fn starts_with_digit(&self, at: usize) -> bool {
        self.rest.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
    }

    fn take(&mut self, count: usize) -> Result<&'a str, Problem> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Problem::Shape)?;
        self.rest = rest;
        Ok(taken)
    }

    /// One or two digits; with `fixed` exactly two.
    fn small(&mut self, fixed: bool) -> Result<i8, Problem> {
        if !self.starts_with_digit(0) || fixed && !self.starts_with_digit(1) {
            return Err(Problem::Shape);
        }
        let count = if self.starts_with_digit(1) { 2 } else { 1 };
        self.take(count)?.parse().map_err(|_| Problem::Shape)
    }

    fn year(&mut self) -> Result<i16, Problem> {
        if !self.starts_with_digit(0) {
            return Err(Problem::Shape);
        }
        let digits = self.take(4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Problem::Shape);
        }
        digits.parse().map_err(|_| Problem::Shape)
    }

    fn ranged(
        &mut self,
        fixed: bool,
        low: i8,
        high: i8,
        name: &'static str,
    ) -> Result<i8, Problem> {
        let value = self.small(fixed)?;
        if (low..=high).contains(&value) {
            Ok(value)
        } else {
            Err(Problem::Range(name))
        }
    }

    /// A point or comma and as many digits as follow, as nanoseconds; nothing when none follow.
    fn optional_fraction(&mut self) -> Result<i32, Problem> {
        if !self.rest.starts_with(['.', ',']) || !self.starts_with_digit(1) {
            return Ok(0);
        }
        let digits = self
            .rest
            .bytes()
            .skip(1)
            .take_while(u8::is_ascii_digit)
            .count();
        self.fraction(digits)
    }

    fn fraction(&mut self, digits: usize) -> Result<i32, Problem> {
        let text = self.take(digits + 1)?;
        if !text.starts_with(['.', ',']) {
            return Err(Problem::Shape);
        }
        let mut nanoseconds = 0_i32;
        for place in 1..10 {
            let digit = match text.as_bytes().get(place) {
                None => 0,
                Some(byte) if byte.is_ascii_digit() => i32::from(byte - b'0'),
                Some(_) => return Err(Problem::Shape),
            };
            nanoseconds = nanoseconds * 10 + digit;
        }
        Ok(nanoseconds)
    }

    /// `Z`, or an offset in seconds.
    fn zone(&mut self) -> Result<i64, Problem> {
        if self.rest.starts_with('Z') {
            self.take(1)?;
            return Ok(0);
        }
        let sign = match self.rest.as_bytes() {
            [b'+', _, _, b':', _, _, ..] => 1,
            [b'-', _, _, b':', _, _, ..] => -1,
            _ => return Err(Problem::Shape),
        };
        self.take(1)?;
        let hours = self.small(true)?;
        self.take(1)?;
        let minutes = self.small(true)?;
        if hours > 24 {
            return Err(Problem::Range("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(Problem::Range("time zone offset minute"));
        }
        Ok(sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60))
    }
}

fn parse(text: &str, layout: &'static str) -> Result<Timestamp, TimeError> {
    let mut reader = Reader { rest: text };
    let value_error = |problem: String| TimeError::Value {
        text: text.to_owned(),
        problem,
    };
    // Each piece is tried where the one before ended, and named when it fails.
    macro_rules! piece {
        ($name:literal, $read:expr) => {{
            let rest = reader.rest;
            $read.map_err(|problem| match problem {
                Problem::Shape => TimeError::Piece {
                    text: text.to_owned(),
                    layout,
                    rest: rest.to_owned(),
                    piece: $name,
                },
                Problem::Range(name) => value_error(format!("{name} out of range")),
            })?
        }};
    }
    let year = piece!("2006", reader.year());
    piece!("-", reader.literal('-'));
    let month = piece!("01", reader.ranged(true, 1, 12, "month"));
    piece!("-", reader.literal('-'));
    let day = piece!("02", reader.small(true));
    piece!("T", reader.literal('T'));
    let hour = piece!("15", reader.ranged(false, 0, 23, "hour"));
    piece!(":", reader.literal(':'));
    let minute = piece!("04", reader.ranged(true, 0, 59, "minute"));
    piece!(":", reader.literal(':'));
    let second = piece!("05", reader.ranged(true, 0, 59, "second"));
    let nanosecond = if layout == MICROSECONDS {
        piece!(".000000", reader.fraction(6))
    } else {
        piece!("05", reader.optional_fraction())
    };
    let offset = piece!("Z07:00", reader.zone());
    if !reader.rest.is_empty() {
        return Err(value_error(format!("extra text: {}", quoted(reader.rest))));
    }
    let out_of_range = || value_error("day out of range".to_owned());
    let local = Date::new(year, month, day)
        .map_err(|_| out_of_range())?
        .at(hour, minute, second, nanosecond);
    // The civil time is read as UTC by hand: offsets of more than a day are fine here.
    let days = i64::from(
        local
            .date()
            .since(Date::ZERO)
            .map_err(|_| out_of_range())?
            .get_days(),
    );
    let seconds = (days - UNIX_EPOCH_DAYS) * 86_400
        + i64::from(hour) * 3600
        + i64::from(minute) * 60
        + i64::from(second)
        - offset;
    Timestamp::new(seconds, nanosecond).map_err(|_| value_error("year out of range".to_owned()))
}

/// Days from the first of January of year zero to that of 1970.
const UNIX_EPOCH_DAYS: i64 = 719_528;

/// Reads a `metav1.Time`, such as `2026-01-02T03:04:05Z`.
///
/// # Errors
/// When the text is not of the form of RFC 3339.
pub fn parse_time(text: &str) -> Result<Timestamp, TimeError> {
    parse(text, SECONDS)
}

/// Reads a `metav1.MicroTime`, such as `2026-01-02T03:04:05.000006Z`; six decimals are required.
///
/// # Errors
/// When the text is not of the form of RFC 3339 with microseconds.
pub fn parse_micro_time(text: &str) -> Result<Timestamp, TimeError> {
    parse(text, MICROSECONDS)
}

/// The moment that Kubernetes takes for "not set" and prints as null: the start of year one.
pub fn is_zero(moment: Timestamp) -> bool {
    moment.as_second() == -62_135_596_800 && moment.subsec_nanosecond() == 0
}

struct Civil(Timestamp);

impl fmt::Display for Civil {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = jiff::tz::Offset::UTC.to_datetime(self.0);
        let (date, time) = (civil.date(), civil.time());
        write!(
            out,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
            date.year(),
            date.month(),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        )
    }
}

/// Writes a `metav1.Time`: UTC, whole seconds; fractions are cut off.
pub fn print_time(moment: Timestamp) -> String {
    format!("{}Z", Civil(moment))
}

/// Writes a `metav1.MicroTime`: UTC, six decimals.
pub fn print_micro_time(moment: Timestamp) -> String {
    let civil = jiff::tz::Offset::UTC.to_datetime(moment);
    format!(
        "{}.{:06}Z",
        Civil(moment),
        civil.time().subsec_nanosecond() / 1000
    )
}
