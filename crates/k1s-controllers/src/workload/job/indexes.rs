// SPDX-License-Identifier: Apache-2.0
//! Sets of completion indexes as a Job's status spells them: `0-2,5`.

use std::collections::BTreeSet;

/// Completion indexes.
pub(super) type Indexes = BTreeSet<i32>;

/// Reads a spelled set; what cannot be read, and what is not below `completions`, is left out.
pub(super) fn parse(text: &str, completions: i32) -> Indexes {
    let mut indexes = Indexes::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(first), Ok(last)) = (first.parse::<i32>(), last.parse::<i32>()) {
            indexes.extend(first.max(0)..=last.min(completions - 1));
        }
    }
    indexes
}

/// Spells a set: two neighbours are listed, three or more are a range.
pub(super) fn spell(indexes: &Indexes) -> String {
    let mut runs: Vec<(i32, i32)> = Vec::new();
    for &index in indexes {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let spelled = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first},{last}"),
        _ => format!("{first}-{last}"),
    });
    spelled.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (text, completions, expected) in [
            ("", 5, ""),
            ("0-2", 5, "0-2"),
            ("0,1", 5, "0,1"),
            ("0-1", 5, "0,1"),
            ("0,1,2,4,6-7", 9, "0-2,4,6,7"),
            ("3-2000000000", 5, "3,4"),
            ("x,1,-3", 5, "1"),
        ] {
            assert_eq!(spell(&parse(text, completions)), expected, "{text}");
        }
    }
}
