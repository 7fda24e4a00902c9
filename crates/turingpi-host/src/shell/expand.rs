// SPDX-License-Identifier: Apache-2.0
//! What words become: variables, commands, arithmetic, fields, file names.

use super::arithmetic;
use super::parse::{Change, Node, Piece, Word};
use super::pattern;
use super::run::{Flow, Shell};
use super::streams::Fds;
use crate::files::{Entry, join};
use crate::session::Waiting;

/// The fields that one word may become.
const FIELDS: usize = 20_000;
/// The longest text that a word may become, in bytes.
const TEXT: usize = 4 << 20;

/// A field: as it stands, and as a pattern in which what was quoted is meant as it stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    text: String,
    pattern: String,
    globs: bool,
    there: bool,
}

impl Field {
    fn push(&mut self, text: &str, quoted: bool) {
        self.text += text;
        self.there |= quoted || !text.is_empty();
        for c in text.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\') {
                if quoted || c == '\\' {
                    self.pattern.push('\\');
                } else {
                    self.globs = true;
                }
            }
            self.pattern.push(c);
        }
    }
}

/// `a{b,c}d`, when the word is that simple.
fn braces(word: &Word) -> Option<Vec<Word>> {
    let [Piece::Text(text)] = &word[..] else {
        return None;
    };
    let open = text.find('{')?;
    let close = text[open..].find('}')? + open;
    let inner = &text[open + 1..close];
    if inner.contains('{') || !inner.contains(',') {
        return None;
    }
    let words = inner.split(',').map(|one| {
        vec![Piece::Text(format!(
            "{}{one}{}",
            &text[..open],
            &text[close + 1..]
        ))]
    });
    Some(words.collect())
}

impl Shell {
    /// The fields that words become.
    pub(super) fn expand<'a>(
        &'a mut self,
        words: &'a [Word],
        fds: &'a Fds,
    ) -> Waiting<'a, Result<Vec<String>, Flow>> {
        Box::pin(async move {
            let mut fields = Vec::new();
            for word in words {
                let more = braces(word);
                for word in more.as_deref().unwrap_or(std::slice::from_ref(word)) {
                    for field in self.fields(word, fds, true).await? {
                        let found = if field.globs {
                            self.glob(&field.pattern)
                        } else {
                            Vec::new()
                        };
                        if found.is_empty() {
                            fields.push(field.text);
                        } else {
                            fields.extend(found);
                        }
                    }
                    if fields.len() > FIELDS {
                        return Err(self.die(fds, "argument list too long"));
                    }
                }
            }
            Ok(fields)
        })
    }

    /// What a word becomes where nothing is split.
    pub(super) fn expand_one<'a>(
        &'a mut self,
        word: &'a Word,
        fds: &'a Fds,
    ) -> Waiting<'a, Result<String, Flow>> {
        Box::pin(async move {
            let fields = self.fields(word, fds, false).await?;
            Ok(fields
                .into_iter()
                .map(|f| f.text)
                .collect::<Vec<_>>()
                .join(" "))
        })
    }

    /// What a word becomes as a pattern.
    pub(super) fn expand_pattern<'a>(
        &'a mut self,
        word: &'a Word,
        fds: &'a Fds,
    ) -> Waiting<'a, Result<String, Flow>> {
        Box::pin(async move {
            let fields = self.fields(word, fds, false).await?;
            Ok(fields.into_iter().map(|f| f.pattern).collect())
        })
    }

    fn fields<'a>(
        &'a mut self,
        word: &'a Word,
        fds: &'a Fds,
        split: bool,
    ) -> Waiting<'a, Result<Vec<Field>, Flow>> {
        Box::pin(async move {
            let mut fields = Vec::new();
            let mut field = Field::default();
            for (i, piece) in word.iter().enumerate() {
                match piece {
                    Piece::Text(text) => match text.strip_prefix('~').filter(|_| i == 0) {
                        Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                            let home = self.get("HOME").unwrap_or_else(|| self.user.home.clone());
                            field.push(&home, true);
                            field.push(rest, false);
                        }
                        _ => field.push(text, false),
                    },
                    Piece::Quoted(text) => field.push(text, true),
                    Piece::Empty => field.there = true,
                    Piece::Variable {
                        name,
                        change: Change::None,
                        quoted,
                    } if name == "@" || (name == "*" && !quoted) => {
                        let args = self.args.clone();
                        for (i, arg) in args.iter().enumerate() {
                            if i > 0 {
                                fields.push(std::mem::take(&mut field));
                            }
                            field.push(arg, *quoted);
                        }
                    }
                    Piece::Variable {
                        name,
                        change,
                        quoted,
                    } => {
                        let value = self.variable(name, change, fds).await?;
                        self.add(&mut fields, &mut field, &value, *quoted || !split);
                    }
                    Piece::Command(node, quoted) => {
                        let value = self.output_of(node, fds).await?;
                        self.add(&mut fields, &mut field, &value, *quoted || !split);
                    }
                    Piece::Arithmetic(word) => {
                        let text = self.expand_one(word, fds).await?;
                        let value = self.arithmetic(&text).map_err(|e| self.die(fds, &e))?;
                        field.push(&value.to_string(), true);
                    }
                }
                if field.text.len() > TEXT || fields.len() > FIELDS {
                    return Err(self.die(fds, "argument list too long"));
                }
            }
            if field.there || !split {
                fields.push(field);
            }
            Ok(fields)
        })
    }

    /// Adds a value; one that is not quoted is split at blanks.
    fn add(&self, fields: &mut Vec<Field>, field: &mut Field, value: &str, whole: bool) {
        if whole {
            field.push(value, true);
            return;
        }
        let separators = self.get("IFS").unwrap_or_else(|| " \t\n".into());
        let blank = |c: char| separators.contains(c);
        if value.starts_with(blank) && field.there {
            fields.push(std::mem::take(field));
        }
        let mut parts = value.split(blank).filter(|p| !p.is_empty()).peekable();
        while let Some(part) = parts.next() {
            field.push(part, false);
            if parts.peek().is_some() {
                fields.push(std::mem::take(field));
            }
        }
        if value.ends_with(blank) && field.there {
            fields.push(std::mem::take(field));
        }
    }

    pub(super) fn arithmetic(&self, text: &str) -> Result<i64, String> {
        let number = |name: &str| {
            self.get(name)
                .and_then(|v| v.trim().parse().ok())
                .unwrap_or(0)
        };
        match text.split_once('=').filter(|(name, rest)| {
            let name = name.trim();
            !rest.starts_with('=')
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        }) {
            Some(_) => Err("assignments are not done in expressions here".into()),
            None => arithmetic::evaluate(text, &number),
        }
    }

    fn variable<'a>(
        &'a mut self,
        name: &'a str,
        change: &'a Change,
        fds: &'a Fds,
    ) -> Waiting<'a, Result<String, Flow>> {
        Box::pin(async move {
            let value = match name {
                "?" => Some(self.status.to_string()),
                "$" => Some("1234".into()),
                "!" => Some("1235".into()),
                "#" => Some(self.args.len().to_string()),
                "-" => Some("hB".into()),
                "*" | "@" => Some(self.args.join(" ")),
                "0" => Some(self.name.clone()),
                _ => match name.parse::<usize>() {
                    Ok(n) => self.args.get(n.wrapping_sub(1)).cloned(),
                    Err(_) => self.get(name),
                },
            };
            let there = value.is_some();
            let empty = value.as_deref().is_none_or(str::is_empty);
            if !there
                && self.options.nounset
                && !matches!(change, Change::Instead('-' | '=' | '+', ..))
            {
                return Err(self.die(fds, &format!("{name}: unbound variable")));
            }
            let value = value.unwrap_or_default();
            Ok(match change {
                Change::None => value,
                Change::Length => value.chars().count().to_string(),
                Change::Instead(operator, colon, word) => {
                    let missing = !there || (*colon && empty);
                    match (operator, missing) {
                        ('-', true) => self.expand_one(word, fds).await?,
                        ('+', false) => self.expand_one(word, fds).await?,
                        ('+', true) => String::new(),
                        ('=', true) => {
                            let value = self.expand_one(word, fds).await?;
                            self.set(name, value.clone());
                            value
                        }
                        ('?', true) => {
                            let text = self.expand_one(word, fds).await?;
                            let text = if text.is_empty() {
                                "parameter null or not set".to_owned()
                            } else {
                                text
                            };
                            return Err(self.die(fds, &format!("{name}: {text}")));
                        }
                        _ => value,
                    }
                }
                Change::Trim {
                    at_end,
                    longest,
                    pattern: word,
                } => {
                    let pattern = self.expand_pattern(word, fds).await?;
                    pattern::trim(&value, &pattern, *at_end, *longest)
                }
                Change::Replace {
                    all,
                    pattern: word,
                    with,
                } => {
                    let find = self.expand_one(word, fds).await?;
                    let with = self.expand_one(with, fds).await?;
                    match (find.is_empty(), *all) {
                        (true, _) => value,
                        (_, true) => value.replace(&find, &with),
                        (_, false) => value.replacen(&find, &with, 1),
                    }
                }
                Change::Part(from, length) => {
                    let letters: Vec<char> = value.chars().collect();
                    let from = self.expand_one(from, fds).await?;
                    let from = self.arithmetic(&from).map_err(|e| self.die(fds, &e))?;
                    let from = if from < 0 {
                        letters.len().saturating_sub(
                            usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX),
                        )
                    } else {
                        usize::try_from(from).unwrap_or(usize::MAX)
                    };
                    let length = match length {
                        Some(word) => {
                            let text = self.expand_one(word, fds).await?;
                            let length = self.arithmetic(&text).map_err(|e| self.die(fds, &e))?;
                            usize::try_from(length).unwrap_or(0)
                        }
                        None => usize::MAX,
                    };
                    letters.into_iter().skip(from).take(length).collect()
                }
            })
        })
    }

    /// What a command writes, without the line ends at its end.
    fn output_of<'a>(
        &'a mut self,
        node: &'a Node,
        fds: &'a Fds,
    ) -> Waiting<'a, Result<String, Flow>> {
        Box::pin(async move {
            let (fds, buffer) = fds.captured();
            let mut shell = self.fork();
            let flow = shell.run(node, &fds).await;
            self.status = flow.status();
            if let Flow::Killed = flow {
                return Err(flow);
            }
            let bytes = buffer.take();
            Ok(String::from_utf8_lossy(&bytes)
                .trim_end_matches('\n')
                .replace('\0', ""))
        })
    }

    /// File names that a pattern fits, in order.
    fn glob(&self, glob: &str) -> Vec<String> {
        let machine = self.host.machine();
        let absolute = glob.starts_with('/');
        let mut found = vec![(
            if absolute {
                "/".to_owned()
            } else {
                self.cwd.clone()
            },
            if absolute {
                "/".to_owned()
            } else {
                String::new()
            },
        )];
        for part in glob.split('/').filter(|p| !p.is_empty()) {
            let mut next = Vec::new();
            for (at, shown) in &found {
                let Ok((clean, entry)) = machine.stat(&self.user.name, "/", at, true) else {
                    continue;
                };
                if !entry.is_directory()
                    || !machine.may(&self.user.name, entry, crate::paths::Access::Read)
                {
                    continue;
                }
                if part == "." || part == ".." {
                    next.push((join(&clean, part), format!("{shown}{part}/")));
                    continue;
                }
                for name in machine.names(&clean) {
                    if pattern::matches(part, &name)
                        && (!name.starts_with('.') || part.starts_with('.'))
                    {
                        next.push((join(&clean, &name), format!("{shown}{name}/")));
                    }
                }
                if next.len() > FIELDS {
                    break;
                }
            }
            found = next;
        }
        let directory = glob.ends_with('/');
        found
            .into_iter()
            .filter(|(at, _)| !directory || machine.entry(at).is_some_and(Entry::is_directory))
            .map(|(_, shown)| {
                if directory {
                    shown
                } else {
                    shown.trim_end_matches('/').to_owned()
                }
            })
            .collect()
    }
}
