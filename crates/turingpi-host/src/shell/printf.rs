// SPDX-License-Identifier: Apache-2.0
//! `printf` and the escapes of `echo -e`.

/// Replaces escapes; the second value says that `\c` ended the output.
pub(super) fn escapes(text: &str) -> (String, bool) {
    let mut out = String::new();
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match letters.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('e') => out.push('\x1b'),
            Some('\\') => out.push('\\'),
            Some('c') => return (out, true),
            Some('0') => {
                let digits: String = std::iter::from_fn(|| letters.next_if(|c| c.is_digit(8)))
                    .take(3)
                    .collect();
                out.push(
                    char::from_u32(u32::from_str_radix(&digits, 8).unwrap_or(0)).unwrap_or('\0'),
                );
            }
            Some('x') => {
                let digits: String =
                    std::iter::from_fn(|| letters.next_if(char::is_ascii_hexdigit))
                        .take(2)
                        .collect();
                out.push(
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap_or(0)).unwrap_or('\0'),
                );
            }
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    (out, false)
}

/// The output of `printf FORMAT WORDS…`: the format again as long as there are words.
pub(super) fn printf(format: &str, words: &[String]) -> String {
    let mut out = String::new();
    let mut words = words.iter();
    loop {
        let before = words.len();
        let mut letters = format.chars().peekable();
        let mut text = String::new();
        while let Some(c) = letters.next() {
            if c != '%' {
                text.push(c);
                continue;
            }
            let flags: String = std::iter::from_fn(|| {
                letters.next_if(|c| matches!(c, '-' | '0' | '+' | ' ' | '#'))
            })
            .collect();
            let width: String =
                std::iter::from_fn(|| letters.next_if(char::is_ascii_digit)).collect();
            let width = width.parse::<usize>().unwrap_or(0).min(4096);
            let mut precision = None;
            if letters.next_if_eq(&'.').is_some() {
                let digits: String =
                    std::iter::from_fn(|| letters.next_if(char::is_ascii_digit)).collect();
                precision = Some(digits.parse::<usize>().unwrap_or(0));
            }
            out += &escapes(&std::mem::take(&mut text)).0;
            let mut word = || words.next().cloned().unwrap_or_default();
            let value = match letters.next() {
                Some('s') => {
                    let word = word();
                    precision.map_or(word.clone(), |p| word.chars().take(p).collect())
                }
                Some('b') => escapes(&word()).0,
                Some('c') => word().chars().take(1).collect(),
                Some('d' | 'i' | 'u') => word().trim().parse::<i64>().unwrap_or(0).to_string(),
                Some('x') => format!("{:x}", word().trim().parse::<i64>().unwrap_or(0)),
                Some('o') => format!("{:o}", word().trim().parse::<i64>().unwrap_or(0)),
                Some('q') => format!("'{}'", word().replace('\'', "'\\''")),
                Some('%') => "%".into(),
                Some(other) => format!("%{other}"),
                None => "%".into(),
            };
            out += &if flags.contains('-') {
                format!("{value:<width$}")
            } else if flags.contains('0') {
                format!("{value:0>width$}")
            } else {
                format!("{value:>width$}")
            };
        }
        let (text, ended) = escapes(&text);
        out += &text;
        if ended || words.len() == 0 || words.len() == before || out.len() > 1 << 20 {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let check = |format: &str, words: &[&str], wanted: &str| {
            let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
            assert_eq!(printf(format, &words), wanted);
        };
        check("%s-%s\\n", &["a", "b", "c"], "a-b\nc-\n");
        check("%05d|%-4s|%3s", &["42", "a", "b"], "00042|a   |  b");
        check("100%%\\t", &[], "100%\t");
        check("x", &["a", "b"], "x");
        check("%b\\c never", &["a\\n"], "a\n");
        check("%999999999999999999999s", &["a"], "a");
        check("%", &[], "%");
    }
}
