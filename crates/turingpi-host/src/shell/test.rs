// SPDX-License-Identifier: Apache-2.0
//! `test`, `[` and `[[`.

use regex_lite::RegexBuilder;

use super::parse::{Piece, Word};
use super::pattern;
use super::run::{Flow, Shell};
use super::streams::Fds;
use crate::files::{Content, Entry};
use crate::paths::Access;

/// How many terms an expression may have.
const TERMS: usize = 1000;

impl Shell {
    /// `test` and `[`: 0 when it holds, 1 when not, 2 when it is none.
    pub(super) fn test(&self, words: &[String], fds: &Fds) -> i32 {
        let name = words[0].as_str();
        let mut terms = &words[1..];
        if name == "[" {
            match terms.split_last() {
                Some((last, rest)) if last == "]" => terms = rest,
                _ => {
                    self.complain(fds, "[: missing `]'");
                    return 2;
                }
            }
        }
        let mut at = 0;
        let result = if terms.is_empty() {
            Ok(false)
        } else {
            self.any(terms, &mut at, 0)
        };
        match result {
            Ok(holds) if at == terms.len() => i32::from(!holds),
            Ok(_) => {
                self.complain(fds, &format!("{name}: too many arguments"));
                2
            }
            Err(text) => {
                self.complain(fds, &format!("{name}: {text}"));
                2
            }
        }
    }

    fn any(&self, terms: &[String], at: &mut usize, depth: usize) -> Result<bool, String> {
        let mut holds = self.all(terms, at, depth)?;
        while terms.get(*at).is_some_and(|t| t == "-o") {
            *at += 1;
            holds |= self.all(terms, at, depth)?;
        }
        Ok(holds)
    }

    fn all(&self, terms: &[String], at: &mut usize, depth: usize) -> Result<bool, String> {
        let mut holds = self.one(terms, at, depth)?;
        while terms.get(*at).is_some_and(|t| t == "-a") {
            *at += 1;
            holds &= self.one(terms, at, depth)?;
        }
        Ok(holds)
    }

    fn one(&self, terms: &[String], at: &mut usize, depth: usize) -> Result<bool, String> {
        if depth > 40 || terms.len() > TERMS {
            return Err("too many terms".into());
        }
        let rest = &terms[*at..];
        if let [left, operator, right, ..] = rest
            && let Some(holds) = self.compare(left, operator, right)?
        {
            *at += 3;
            return Ok(holds);
        }
        match rest {
            [not, _, ..] if not == "!" => {
                *at += 1;
                Ok(!self.one(terms, at, depth + 1)?)
            }
            [open, _, ..] if open == "(" => {
                *at += 1;
                let holds = self.any(terms, at, depth + 1)?;
                if terms.get(*at).is_none_or(|t| t != ")") {
                    return Err("`)' expected".into());
                }
                *at += 1;
                Ok(holds)
            }
            [operator, operand, ..] if operator.len() == 2 && operator.starts_with('-') => {
                *at += 2;
                self.unary(operator, operand)
                    .ok_or_else(|| format!("{operator}: unary operator expected"))
            }
            [word, ..] => {
                *at += 1;
                Ok(!word.is_empty())
            }
            [] => Err("argument expected".into()),
        }
    }

    fn unary(&self, operator: &str, operand: &str) -> Option<bool> {
        let machine = self.host.machine();
        let entry = |follow| {
            machine
                .stat(&self.user.name, &self.cwd, operand, follow)
                .ok()
                .map(|(_, e)| e.clone())
        };
        let may =
            |access| entry(true).is_some_and(|e: Entry| machine.may(&self.user.name, &e, access));
        Some(match operator {
            "-n" => !operand.is_empty(),
            "-z" => operand.is_empty(),
            "-e" | "-a" => entry(true).is_some(),
            "-f" => entry(true).is_some_and(|e| matches!(e.content, Content::File(_))),
            "-d" => entry(true).is_some_and(|e| e.is_directory()),
            "-L" | "-h" => entry(false).is_some_and(|e| matches!(e.content, Content::Link(_))),
            "-b" => entry(true).is_some_and(|e| e.content == Content::Device),
            "-c" | "-p" | "-S" => false,
            "-s" => entry(true).is_some_and(|e| e.size() > 0),
            "-r" => may(Access::Read),
            "-w" => may(Access::Write),
            "-x" => may(Access::Execute),
            "-t" => self.terminal,
            "-v" => self.get(operand).is_some(),
            _ => return None,
        })
    }

    /// None where the operator is none.
    fn compare(&self, left: &str, operator: &str, right: &str) -> Result<Option<bool>, String> {
        let numbers = || {
            let number = |text: &str| {
                text.trim()
                    .parse::<i64>()
                    .map_err(|_| format!("{text}: integer expression expected"))
            };
            Ok::<_, String>((number(left)?, number(right)?))
        };
        let modified = |path: &str| {
            self.host
                .machine()
                .stat(&self.user.name, &self.cwd, path, true)
                .map(|(_, e)| e.modified)
                .unwrap_or(0)
        };
        Ok(Some(match operator {
            "=" | "==" => left == right,
            "!=" => left != right,
            "<" => left < right,
            ">" => left > right,
            "-nt" => modified(left) > modified(right),
            "-ot" => modified(left) < modified(right),
            "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" => {
                let (a, b) = numbers()?;
                match operator {
                    "-eq" => a == b,
                    "-ne" => a != b,
                    "-lt" => a < b,
                    "-le" => a <= b,
                    "-gt" => a > b,
                    _ => a >= b,
                }
            }
            _ => return Ok(None),
        }))
    }

    /// `[[ … ]]`: `&&` and `||`, patterns and regular expressions on the right.
    pub(super) async fn test_expression(&mut self, words: &[Word], fds: &Fds) -> Flow {
        let plain = |word: &Word| match &word[..] {
            [Piece::Text(text)] => Some(text.clone()),
            _ => None,
        };
        let operator = |word: &Word, wanted: &[&str]| {
            plain(word).is_some_and(|t| wanted.contains(&t.as_str()))
        };
        if words.iter().any(|w| operator(w, &["(", ")"])) {
            return self.die(fds, "[[: parentheses are not read here");
        }
        let mut holds = false;
        for part in words.split(|w| operator(w, &["||"])) {
            holds = true;
            for term in part.split(|w| operator(w, &["&&"])) {
                let negations = term.iter().take_while(|w| operator(w, &["!"])).count();
                let term = &term[negations..];
                let value = match term {
                    [left, middle, right] if operator(middle, &["==", "=", "!="]) => {
                        let (left, right) = match (
                            self.expand_one(left, fds).await,
                            self.expand_pattern(right, fds).await,
                        ) {
                            (Ok(left), Ok(right)) => (left, right),
                            (Err(flow), _) | (_, Err(flow)) => return flow,
                        };
                        pattern::matches(&right, &left) != operator(middle, &["!="])
                    }
                    [left, middle, right] if operator(middle, &["=~"]) => {
                        let (left, right) = match (
                            self.expand_one(left, fds).await,
                            self.expand_one(right, fds).await,
                        ) {
                            (Ok(left), Ok(right)) => (left, right),
                            (Err(flow), _) | (_, Err(flow)) => return flow,
                        };
                        match RegexBuilder::new(&right).size_limit(1 << 20).build() {
                            Ok(regex) => regex.is_match(&left),
                            Err(_) => return Flow::Next(2),
                        }
                    }
                    _ => {
                        let mut texts = vec!["[[".to_owned()];
                        for word in term {
                            match self.expand_one(word, fds).await {
                                Ok(text) => texts.push(text),
                                Err(flow) => return flow,
                            }
                        }
                        match self.test(&texts, fds) {
                            2 => return Flow::Next(2),
                            code => code == 0,
                        }
                    }
                };
                if value == (negations % 2 == 1) {
                    holds = false;
                    break;
                }
            }
            if holds {
                break;
            }
        }
        Flow::Next(i32::from(!holds))
    }
}
