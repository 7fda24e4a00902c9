// SPDX-License-Identifier: Apache-2.0
//! The order in which Go's YAML package writes the keys of a map: numbers inside keys count as numbers.

use std::cmp::Ordering;

/// Compares two keys: `a2` before `a10`, signs before letters.
pub(super) fn compare(left: &str, right: &str) -> Ordering {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let Some(at) = left
        .iter()
        .zip(&right)
        .position(|(one, other)| one != other)
    else {
        return left.len().cmp(&right.len());
    };
    let (Some(&one), Some(&other)) = (left.get(at), right.get(at)) else {
        return Ordering::Equal;
    };
    match (one.is_alphabetic(), other.is_alphabetic()) {
        (true, true) => return one.cmp(&other),
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    // A zero behind other digits is a digit like any other, one at the front counts for nothing.
    let before = left.get(..at).unwrap_or_default().iter().rev();
    let inside = (one == '0' || other == '0')
        && before
            .take_while(|character| character.is_ascii_digit())
            .any(|digit| *digit != '0');
    let (left_number, left_end) = number(&left, at, inside);
    let (right_number, right_end) = number(&right, at, inside);
    left_number
        .cmp(&right_number)
        .then(left_end.cmp(&right_end))
        .then(one.cmp(&other))
}

fn number(text: &[char], at: usize, inside: bool) -> (i64, usize) {
    let mut value = i64::from(inside);
    let mut end = at;
    while let Some(digit) = text.get(end).and_then(|character| character.to_digit(10)) {
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        end += 1;
    }
    (value, end)
}
