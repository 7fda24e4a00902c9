// SPDX-License-Identifier: Apache-2.0
//! Patterns of a shell: `*`, `?`, `[a-z]`, and `\` before what is meant as it stands.

/// Whether a pattern fits a whole text. It takes at most as many steps as both lengths multiplied.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if p == pattern.len() && t == text.len() {
            return true;
        }
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p + 1, t));
            p += 1;
            continue;
        }
        if t < text.len()
            && let Some(length) = one(&pattern[p..], text[t])
        {
            p += length;
            t += 1;
            continue;
        }
        match star {
            Some((after, from)) if from < text.len() => {
                star = Some((after, from + 1));
                (p, t) = (after, from + 1);
            }
            _ => return false,
        }
    }
}

/// How much of a pattern one letter takes; none when it does not fit.
fn one(pattern: &[char], letter: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '\\' if pattern.len() > 1 => (pattern[1] == letter).then_some(2),
        '[' => match set(pattern, letter) {
            Some((fits, length)) => fits.then_some(length),
            None => (letter == '[').then_some(1),
        },
        c => (*c == letter).then_some(1),
    }
}

/// Whether a letter is in the set that a pattern begins with, and how long that is.
fn set(pattern: &[char], letter: char) -> Option<(bool, usize)> {
    let mut i = 1;
    let not = matches!(pattern.get(i), Some('!' | '^'));
    if not {
        i += 1;
    }
    let begin = i;
    let mut fits = false;
    loop {
        let c = *pattern.get(i)?;
        if c == ']' && i > begin {
            return Some((fits != not, i + 1));
        }
        if c == '[' && pattern.get(i + 1) == Some(&':') {
            let end = pattern[i..].windows(2).position(|w| w == [':', ']'])? + i;
            let name: String = pattern[i + 2..end].iter().collect();
            fits |= match name.as_str() {
                "digit" => letter.is_ascii_digit(),
                "alpha" => letter.is_alphabetic(),
                "alnum" => letter.is_alphanumeric(),
                "space" => letter.is_whitespace(),
                "upper" => letter.is_uppercase(),
                "lower" => letter.is_lowercase(),
                _ => false,
            };
            i = end + 2;
        } else if pattern.get(i + 1) == Some(&'-') && pattern.get(i + 2).is_some_and(|c| *c != ']')
        {
            fits |= (c..=pattern[i + 2]).contains(&letter);
            i += 3;
        } else {
            fits |= c == letter;
            i += 1;
        }
    }
}

/// Takes away what a pattern fits at the beginning or the end of a text: the shortest, or the longest.
pub(crate) fn trim(text: &str, pattern: &str, at_end: bool, longest: bool) -> String {
    let mut cuts: Vec<usize> = text
        .char_indices()
        .map(|(i, _)| i)
        .chain([text.len()])
        .collect();
    if at_end != longest {
        cuts.reverse();
    }
    for cut in cuts {
        let (head, tail) = text.split_at(cut);
        let (taken, kept) = if at_end { (tail, head) } else { (head, tail) };
        if matches(pattern, taken) {
            return kept.to_owned();
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit() {
        let check = |pattern: &str, text: &str, fits: bool| {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}")
        };
        check("*", "", true);
        check("*.yaml", "a.yaml", true);
        check("a*b*c", "aXbYbZc", true);
        check("a*b*c", "aXc", false);
        check("[a-c]?", "bz", true);
        check("[!a]", "a", false);
        check("[[:digit:]]*", "7x", true);
        check("[", "[", true);
        check("\\*", "x", false);
        check(&"a*".repeat(200), &"a".repeat(2000), true);
        check(&("*a".repeat(200) + "b"), &"a".repeat(2000), false);
    }

    #[test]
    fn ends_are_trimmed() {
        let check = |text: &str, pattern: &str, at_end, longest, kept: &str| {
            assert_eq!(
                trim(text, pattern, at_end, longest),
                kept,
                "{text} {pattern} {at_end} {longest}"
            );
        };
        check("a.b.c", "*.", false, false, "b.c");
        check("a.b.c", "*.", false, true, "c");
        check("a.b.c", ".*", true, false, "a.b");
        check("a.b.c", ".*", true, true, "a");
        check("abc", "x", true, false, "abc");
    }
}
