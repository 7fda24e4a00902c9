// SPDX-License-Identifier: Apache-2.0
//! Lists of indexes of an Indexed Job: `1,3-5,7`.

use crate::field::quote;

/// How many indexes a list names, or what is wrong with it. Indexes rise and are less than `completions`.
pub(super) fn count(text: &str, completions: i64) -> Result<i64, String> {
    let mut count = 0;
    let mut previous: Option<i64> = None;
    if text.is_empty() {
        return Ok(count);
    }
    for interval in text.split(',') {
        let mut ends = interval.split('-');
        let (first, last) = match (ends.next(), ends.next(), ends.next()) {
            (Some(only), None, _) => (only, only),
            (Some(first), Some(last), None) => (first, last),
            _ => {
                return Err(format!(
                    "the fragment {} violates the requirement that an index interval can have at most two parts separated by '-'",
                    quote(interval)
                ));
            }
        };
        let (first, last) = (index(first, completions)?, index(last, completions)?);
        if let Some(previous) = previous.filter(|previous| *previous >= first) {
            return Err(format!(
                "non-increasing order, previous: {previous}, current: {first}"
            ));
        }
        if interval.contains('-') && first >= last {
            return Err(format!(
                "non-increasing order, previous: {first}, current: {last}"
            ));
        }
        count += last - first + 1;
        previous = Some(last);
    }
    Ok(count)
}

fn index(text: &str, completions: i64) -> Result<i64, String> {
    let Ok(index) = text.parse::<i64>() else {
        return Err(format!(
            "cannot convert string to integer for index: {}",
            quote(text)
        ));
    };
    if index >= completions {
        return Err(format!("too large index: {}", quote(text)));
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn lists() {
        for (text, expected) in [
            ("", Ok(0)),
            ("0", Ok(1)),
            ("1,3-5,7", Ok(5)),
            ("9", Err("too large index: \"9\"")),
            ("1,1", Err("non-increasing order, previous: 1, current: 1")),
            ("4-2", Err("non-increasing order, previous: 4, current: 2")),
            (
                "a",
                Err("cannot convert string to integer for index: \"a\""),
            ),
        ] {
            assert_eq!(count(text, 8), expected.map_err(str::to_owned), "{text}");
        }
    }
}
