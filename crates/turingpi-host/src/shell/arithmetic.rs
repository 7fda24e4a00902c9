// SPDX-License-Identifier: Apache-2.0
//! `$((…))`: whole numbers, comparisons, logic. Overflow wraps around, as in a shell.

/// How deep parentheses may be.
const DEPTH: usize = 50;

/// The value of an expression whose variables are replaced already; a name stands for what `variable` says.
pub(crate) fn evaluate(text: &str, variable: &dyn Fn(&str) -> i64) -> Result<i64, String> {
    let mut parser = Parser {
        text: text.as_bytes(),
        at: 0,
        depth: 0,
        variable,
    };
    if text.trim().is_empty() {
        return Ok(0);
    }
    let value = parser.binary(0)?;
    parser.space();
    if parser.at < parser.text.len() {
        return Err(format!("{text}: syntax error in expression"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    variable: &'a dyn Fn(&str) -> i64,
}

/// Operators from the loosest to the tightest.
const LEVELS: [&[&str]; 7] = [
    &["||"],
    &["&&"],
    &["|", "^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>", "+", "-"],
];

impl Parser<'_> {
    fn space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn operator(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        self.space();
        let rest = &self.text[self.at..];
        let found = operators.iter().find(|o| rest.starts_with(o.as_bytes()))?;
        // one `|` is not half of two
        let next = rest.get(found.len());
        let half = found.len() == 1
            && matches!(*found, "|" | "&" | "<" | ">")
            && next.is_some_and(|n| [*n] == found.as_bytes()[..1]);
        if half {
            return None;
        }
        self.at += found.len();
        Some(found)
    }

    fn binary(&mut self, level: usize) -> Result<i64, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.product();
        };
        let mut left = self.binary(level + 1)?;
        while let Some(operator) = self.operator(operators) {
            let right = self.binary(level + 1)?;
            left = match operator {
                "||" => i64::from(left != 0 || right != 0),
                "&&" => i64::from(left != 0 && right != 0),
                "|" => left | right,
                "^" => left ^ right,
                "&" => left & right,
                "==" => i64::from(left == right),
                "!=" => i64::from(left != right),
                "<=" => i64::from(left <= right),
                ">=" => i64::from(left >= right),
                "<" => i64::from(left < right),
                ">" => i64::from(left > right),
                "<<" => left.wrapping_shl(u32::try_from(right & 63).unwrap_or(0)),
                ">>" => left.wrapping_shr(u32::try_from(right & 63).unwrap_or(0)),
                "+" => left.wrapping_add(right),
                _ => left.wrapping_sub(right),
            };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<i64, String> {
        let mut left = self.unary()?;
        while let Some(operator) = self.operator(&["*", "/", "%"]) {
            let right = self.unary()?;
            left = match (operator, right) {
                ("*", _) => left.wrapping_mul(right),
                (_, 0) => return Err("division by 0".into()),
                ("/", _) => left.wrapping_div(right),
                _ => left.wrapping_rem(right),
            };
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<i64, String> {
        let mut signs = Vec::new();
        while let Some(sign) = self.operator(&["-", "+", "!", "~"]) {
            signs.push(sign);
        }
        let mut value = self.atom()?;
        for sign in signs.into_iter().rev() {
            value = match sign {
                "-" => value.wrapping_neg(),
                "!" => i64::from(value == 0),
                "~" => !value,
                _ => value,
            };
        }
        Ok(value)
    }

    fn atom(&mut self) -> Result<i64, String> {
        self.space();
        if self.text.get(self.at) == Some(&b'(') {
            self.depth += 1;
            if self.depth > DEPTH {
                return Err("expression too deep".into());
            }
            self.at += 1;
            let value = self.binary(0)?;
            self.space();
            if self.text.get(self.at) != Some(&b')') {
                return Err("missing `)'".into());
            }
            self.at += 1;
            self.depth -= 1;
            return Ok(value);
        }
        let begin = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_')
        {
            self.at += 1;
        }
        let word = String::from_utf8_lossy(&self.text[begin..self.at]).into_owned();
        if word.is_empty() {
            return Err("syntax error: operand expected".into());
        }
        if let Some(hex) = word.strip_prefix("0x") {
            return i64::from_str_radix(hex, 16).map_err(|_| format!("{word}: not a number"));
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.parse().map_err(|_| format!("{word}: not a number"));
        }
        Ok((self.variable)(&word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_have_values() {
        let check = |text: &str, value: Result<i64, ()>| {
            assert_eq!(
                evaluate(text, &|name| if name == "n" { 7 } else { 0 }).map_err(drop),
                value,
                "{text}"
            );
        };
        check("1 + 2 * 3", Ok(7));
        check("(1+2)*3 - -n", Ok(16));
        check("n > 3 && n <= 7 || 0", Ok(1));
        check("1 << 4 | 1", Ok(17));
        check("!n", Ok(0));
        check("7 % 4 == 3", Ok(1));
        check("0x10", Ok(16));
        check("1 / 0", Err(()));
        check("9223372036854775807 + 1", Ok(i64::MIN));
        check("(1", Err(()));
        check("1 2", Err(()));
        check(&"(".repeat(1000), Err(()));
        check("", Ok(0));
    }
}
