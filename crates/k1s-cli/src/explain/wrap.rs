// SPDX-License-Identifier: Apache-2.0
//! Breaks text into lines at spaces, and indents it.

/// Breaks lines that are longer than `width` characters; longer words stay whole.
pub(super) fn wrap(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut used = 0;
    let (mut spaces, mut word) = (String::new(), String::new());
    for c in text.chars() {
        if c == '\n' {
            let fits = used + spaces.chars().count() <= width;
            if !word.is_empty() || fits {
                out.push_str(&spaces);
            }
            out.push_str(&word);
            out.push('\n');
            spaces.clear();
            word.clear();
            used = 0;
        } else if c.is_whitespace() && c != '\u{a0}' {
            if spaces.is_empty() || !word.is_empty() {
                used += spaces.chars().count() + word.chars().count();
                out.push_str(&spaces);
                out.push_str(&word);
                spaces.clear();
                word.clear();
            }
            spaces.push(c);
        } else {
            word.push(c);
            let length = word.chars().count();
            if used + spaces.chars().count() + length > width && length < width {
                out.push('\n');
                used = 0;
                spaces.clear();
            }
        }
    }
    if !word.is_empty() || used + spaces.chars().count() <= width {
        out.push_str(&spaces);
    }
    out.push_str(&word);
    out
}

/// Puts `amount` spaces before every line, empty ones too.
pub(super) fn indent(text: &str, amount: usize) -> String {
    let pad = " ".repeat(amount);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

#[cfg(test)]
mod tests {
    use super::{indent, wrap};

    #[test]
    fn lines_break_at_spaces() {
        let check = |text: &str, width: usize, expected: &str| {
            assert_eq!(wrap(text, width), expected, "{text:?}")
        };
        check("", 5, "");
        check("one two three", 8, "one two\nthree");
        check("one two\nthree", 20, "one two\nthree");
        check("an incomprehensible word", 5, "an\nincomprehensible\nword");
        check("ends with newline\n", 30, "ends with newline\n");
        assert_eq!(indent("a\nb\n", 2), "  a\n  b\n  ");
    }
}
