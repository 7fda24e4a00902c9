// SPDX-License-Identifier: Apache-2.0
//! A script, read into a tree. Bounded in length and depth; what is not finished yet is told apart from what is wrong.

mod word;

use std::iter::Peekable;
use std::str::Chars;
use std::sync::{Arc, OnceLock};

/// The longest script in bytes.
pub(crate) const SCRIPT_BYTES: usize = 1 << 20;
/// How deep a script may be nested.
const DEPTH: usize = 40;

/// Why a script is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParseError {
    /// More must follow.
    Unfinished(String),
    /// Nothing can mend it.
    Wrong(String),
}

/// A part of a word.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// As it stands; patterns in it count.
    Text(String),
    /// As it stands, and nothing in it counts.
    Quoted(String),
    Variable {
        name: String,
        change: Change,
        quoted: bool,
    },
    Command(Arc<Node>, bool),
    Arithmetic(Word),
    /// Quotes with nothing in them: the word is there.
    Empty,
}

/// What is done with a variable's value.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    None,
    Length,
    /// `-`, `=`, `?`, `+`; whether an empty value counts as none.
    Instead(char, bool, Word),
    Trim {
        at_end: bool,
        longest: bool,
        pattern: Word,
    },
    Replace {
        all: bool,
        pattern: Word,
        with: Word,
    },
    Part(Word, Option<Word>),
}

pub(crate) type Word = Vec<Piece>;

#[derive(Clone, Debug)]
pub(crate) enum Target {
    File(Word),
    /// A copy of another descriptor; none closes it.
    Descriptor(Option<u32>),
    Here(Arc<OnceLock<Word>>),
}

#[derive(Clone, Debug)]
pub(crate) struct Redirect {
    /// 0, 1 or 2; both 1 and 2 when `&>`.
    pub(crate) descriptor: u32,
    pub(crate) both: bool,
    pub(crate) append: bool,
    pub(crate) target: Target,
}

#[derive(Debug)]
pub(crate) enum Node {
    Simple {
        line: usize,
        assignments: Vec<(String, Word)>,
        words: Vec<Word>,
        redirects: Vec<Redirect>,
    },
    Pipeline {
        not: bool,
        stages: Vec<Node>,
    },
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    List(Vec<Node>),
    Background(Arc<Node>),
    Redirected(Box<Node>, Vec<Redirect>),
    Group(Box<Node>),
    Subshell(Arc<Node>),
    If(Vec<(Node, Node)>, Option<Box<Node>>),
    While {
        until: bool,
        condition: Box<Node>,
        body: Box<Node>,
    },
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: Box<Node>,
    },
    Case(Word, Vec<(Vec<Word>, Node)>),
    Function(String, Arc<Node>),
    Test {
        line: usize,
        words: Vec<Word>,
    },
}

struct Parser<'a> {
    letters: Peekable<Chars<'a>>,
    line: usize,
    depth: usize,
    pending: Vec<(String, bool, bool, Arc<OnceLock<Word>>)>,
}

type Result<T> = std::result::Result<T, ParseError>;

/// Reads a script.
pub(crate) fn parse(text: &str) -> Result<Node> {
    parse_at(text, 0)
}

fn parse_at(text: &str, depth: usize) -> Result<Node> {
    if text.len() > SCRIPT_BYTES {
        return Err(ParseError::Wrong("script too long".into()));
    }
    let mut parser = Parser {
        letters: text.chars().peekable(),
        line: 1,
        depth,
        pending: Vec::new(),
    };
    let node = parser.list(&[])?;
    match parser.letters.peek() {
        None if parser.pending.is_empty() => Ok(node),
        None => Err(ParseError::Unfinished(
            "here-document delimited by end-of-file".into(),
        )),
        Some(c) => Err(ParseError::Wrong(format!(
            "syntax error near unexpected token `{c}'"
        ))),
    }
}

/// Reads a text in which variables and commands are replaced: a here-document.
pub(crate) fn parse_text(text: &str) -> Result<Word> {
    let mut parser = Parser {
        letters: text.chars().peekable(),
        line: 1,
        depth: 0,
        pending: Vec::new(),
    };
    parser.quoted_until(None)
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

const RESERVED: [&str; 13] = [
    "then", "else", "elif", "fi", "do", "done", "esac", "}", ")", ";;", "in", "&&", "||",
];

impl Parser<'_> {
    fn wrong<T>(&self, token: &str) -> Result<T> {
        Err(if token.is_empty() {
            ParseError::Unfinished("syntax error: unexpected end of file".into())
        } else {
            ParseError::Wrong(format!("syntax error near unexpected token `{token}'"))
        })
    }

    fn deeper(&mut self) -> Result<()> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(ParseError::Wrong("too deeply nested".into()));
        }
        Ok(())
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.letters.next();
        if letter == Some('\n') {
            self.line += 1;
        }
        letter
    }

    fn rest(&self, length: usize) -> String {
        self.letters.clone().take(length).collect()
    }

    /// Spaces, comments and lines that go on.
    fn blanks(&mut self) {
        loop {
            match self.letters.peek().copied() {
                Some(' ' | '\t' | '\r') => drop(self.next()),
                Some('\\') if self.rest(2) == "\\\n" => {
                    self.next();
                    self.next();
                }
                Some('#') => {
                    while self.letters.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                _ => return,
            }
        }
    }

    fn newlines(&mut self) -> Result<()> {
        loop {
            self.blanks();
            if self.letters.peek() != Some(&'\n') {
                return Ok(());
            }
            self.newline()?;
        }
    }

    fn newline(&mut self) -> Result<()> {
        self.next();
        for (delimiter, strip, quoted, body) in std::mem::take(&mut self.pending) {
            let mut text = String::new();
            loop {
                if self.letters.peek().is_none() {
                    return Err(ParseError::Unfinished(
                        "here-document delimited by end-of-file".into(),
                    ));
                }
                let mut line = String::new();
                while let Some(c) = self.next() {
                    if c == '\n' {
                        break;
                    }
                    line.push(c);
                }
                let line = if strip {
                    line.trim_start_matches('\t')
                } else {
                    &line
                };
                if line == delimiter {
                    break;
                }
                text += line;
                text.push('\n');
            }
            let word = if quoted {
                vec![Piece::Quoted(text)]
            } else {
                parse_text(&text)?
            };
            let _ = body.set(word);
        }
        Ok(())
    }

    /// A word that is a keyword where a command may begin.
    fn keyword(&mut self) -> String {
        self.blanks();
        let mut word = String::new();
        for c in self.letters.clone() {
            match c {
                ' ' | '\t' | '\r' | '\n' | ';' | '&' | '|' | '(' | '<' | '>' => break,
                ')' => {
                    if word.is_empty() {
                        word.push(')');
                    }
                    break;
                }
                _ => word.push(c),
            }
            if word.len() > 16 {
                return String::new();
            }
        }
        if word.is_empty() && self.rest(2) == ";;" {
            word.push_str(";;");
        }
        word
    }

    fn take(&mut self, word: &str) -> Result<()> {
        self.newlines()?;
        if self.keyword() != word {
            let got = self.keyword();
            return self.wrong(&got);
        }
        for _ in word.chars() {
            self.next();
        }
        Ok(())
    }

    /// Commands up to one of some keywords, which is left.
    fn list(&mut self, ends: &[&str]) -> Result<Node> {
        self.deeper()?;
        let mut nodes = Vec::new();
        loop {
            self.newlines()?;
            let word = self.keyword();
            if ends.contains(&word.as_str()) {
                break;
            }
            if self.letters.peek().is_none() {
                if ends.is_empty() {
                    break;
                }
                return self.wrong("");
            }
            if RESERVED.contains(&word.as_str()) && word != "in" {
                return self.wrong(&word);
            }
            let node = self.and_or()?;
            self.blanks();
            match self.letters.peek().copied() {
                Some('&') => {
                    self.next();
                    nodes.push(Node::Background(Arc::new(node)));
                }
                Some(';') if self.rest(2) != ";;" => {
                    self.next();
                    nodes.push(node);
                }
                _ => nodes.push(node),
            }
        }
        self.depth -= 1;
        Ok(if nodes.len() == 1 {
            nodes.remove(0)
        } else {
            Node::List(nodes)
        })
    }

    fn and_or(&mut self) -> Result<Node> {
        let mut left = self.pipeline()?;
        loop {
            self.blanks();
            let operator = self.rest(2);
            if operator != "&&" && operator != "||" {
                return Ok(left);
            }
            self.next();
            self.next();
            self.newlines()?;
            let right = Box::new(self.pipeline()?);
            left = if operator == "&&" {
                Node::And(Box::new(left), right)
            } else {
                Node::Or(Box::new(left), right)
            };
        }
    }

    fn pipeline(&mut self) -> Result<Node> {
        let mut not = false;
        while self.keyword() == "!" {
            self.next();
            not = !not;
        }
        let mut stages = vec![self.command()?];
        loop {
            self.blanks();
            if self.letters.peek() != Some(&'|') || self.rest(2) == "||" {
                break;
            }
            self.next();
            // `|&` takes errors along
            if self.letters.next_if_eq(&'&').is_some() {
                let both = Redirect {
                    descriptor: 2,
                    both: false,
                    append: false,
                    target: Target::Descriptor(Some(1)),
                };
                if let Some(last) = stages.pop() {
                    stages.push(Node::Redirected(Box::new(last), vec![both]));
                }
            }
            self.newlines()?;
            stages.push(self.command()?);
            if stages.len() > 64 {
                return Err(ParseError::Wrong("too many commands in a pipe".into()));
            }
        }
        Ok(if stages.len() == 1 && !not {
            stages.remove(0)
        } else {
            Node::Pipeline { not, stages }
        })
    }

    fn command(&mut self) -> Result<Node> {
        self.deeper()?;
        let word = self.keyword();
        let node = match word.as_str() {
            "if" => self.if_command()?,
            "while" | "until" => {
                self.take(&word)?;
                let condition = Box::new(self.list(&["do"])?);
                let body = Box::new(self.body()?);
                Node::While {
                    until: word == "until",
                    condition,
                    body,
                }
            }
            "for" => self.for_command()?,
            "case" => self.case_command()?,
            "{" => {
                self.take("{")?;
                let inner = self.list(&["}"])?;
                self.take("}")?;
                Node::Group(Box::new(inner))
            }
            "function" => {
                self.take("function")?;
                self.blanks();
                let name = self.plain()?;
                self.blanks();
                if self.rest(2) == "()" {
                    self.next();
                    self.next();
                }
                return self.function(name);
            }
            "[[" => self.test()?,
            "" if self.letters.peek() == Some(&'(') => {
                self.next();
                let inner = self.list(&[")"])?;
                self.next();
                Node::Subshell(Arc::new(inner))
            }
            _ => {
                let node = self.simple()?;
                self.depth -= 1;
                return Ok(node);
            }
        };
        self.depth -= 1;
        let mut redirects = Vec::new();
        while let Some(redirect) = self.redirect()? {
            redirects.push(redirect);
        }
        Ok(if redirects.is_empty() {
            node
        } else {
            Node::Redirected(Box::new(node), redirects)
        })
    }

    fn body(&mut self) -> Result<Node> {
        self.take("do")?;
        let body = self.list(&["done"])?;
        self.take("done")?;
        Ok(body)
    }

    fn if_command(&mut self) -> Result<Node> {
        self.take("if")?;
        let mut branches = Vec::new();
        loop {
            let condition = self.list(&["then"])?;
            self.take("then")?;
            let body = self.list(&["elif", "else", "fi"])?;
            branches.push((condition, body));
            let word = self.keyword();
            self.take(&word)?;
            match word.as_str() {
                "elif" => {}
                "else" => {
                    let otherwise = self.list(&["fi"])?;
                    self.take("fi")?;
                    return Ok(Node::If(branches, Some(Box::new(otherwise))));
                }
                _ => return Ok(Node::If(branches, None)),
            }
        }
    }

    fn for_command(&mut self) -> Result<Node> {
        self.take("for")?;
        self.blanks();
        let name = self.plain()?;
        if !is_name(&name) {
            return self.wrong(&name);
        }
        self.newlines()?;
        let mut words = None;
        if self.keyword() == "in" {
            self.take("in")?;
            let mut list = Vec::new();
            loop {
                self.blanks();
                match self.word()? {
                    Some(word) => list.push(word),
                    None => break,
                }
            }
            words = Some(list);
        }
        self.blanks();
        self.letters.next_if_eq(&';');
        let body = Box::new(self.body()?);
        Ok(Node::For { name, words, body })
    }

    fn case_command(&mut self) -> Result<Node> {
        self.take("case")?;
        self.blanks();
        let Some(subject) = self.word()? else {
            return self.wrong("");
        };
        self.take("in")?;
        let mut arms = Vec::new();
        loop {
            self.newlines()?;
            if self.keyword() == "esac" {
                self.take("esac")?;
                return Ok(Node::Case(subject, arms));
            }
            self.letters.next_if_eq(&'(');
            let mut patterns = Vec::new();
            loop {
                self.blanks();
                let Some(word) = self.word()? else {
                    let got = self.rest(1);
                    return self.wrong(&got);
                };
                patterns.push(word);
                self.blanks();
                match self.next() {
                    Some('|') => {}
                    Some(')') => break,
                    other => return self.wrong(&other.map(String::from).unwrap_or_default()),
                }
            }
            let body = self.list(&[";;", "esac"])?;
            arms.push((patterns, body));
            if self.keyword() == ";;" {
                self.take(";;")?;
            }
        }
    }

    /// `[[ … ]]`: its words, operators among them.
    fn test(&mut self) -> Result<Node> {
        let line = self.line;
        self.take("[[")?;
        let mut words = Vec::new();
        loop {
            self.newlines()?;
            if self.keyword() == "]]" {
                self.take("]]")?;
                return Ok(Node::Test { line, words });
            }
            let two = self.rest(2);
            if two == "&&" || two == "||" {
                self.next();
                self.next();
                words.push(vec![Piece::Text(two)]);
                continue;
            }
            match self.letters.peek().copied() {
                None => return self.wrong(""),
                Some(c @ ('<' | '>' | '(' | ')')) => {
                    self.next();
                    words.push(vec![Piece::Text(c.into())]);
                }
                Some(c) => {
                    let after_match = words
                        .last()
                        .is_some_and(|w| matches!(&w[..], [Piece::Text(t)] if t == "=~"));
                    match if after_match {
                        self.regex()?
                    } else {
                        self.word()?
                    } {
                        Some(word) => words.push(word),
                        None => return self.wrong(&c.to_string()),
                    }
                }
            }
        }
    }

    /// The regular expression after `=~`: parentheses and bars are its own.
    fn regex(&mut self) -> Result<Option<Word>> {
        let mut pieces = Vec::new();
        while let Some(&c) = self.letters.peek() {
            match c {
                ' ' | '\t' | '\n' => break,
                '\'' | '"' | '$' => {
                    let more = self.word_piece(c)?;
                    pieces.extend(more);
                }
                _ => {
                    self.next();
                    pieces.push(Piece::Text(c.into()));
                }
            }
        }
        Ok(Some(pieces))
    }

    fn function(&mut self, name: String) -> Result<Node> {
        self.newlines()?;
        let body = self.command()?;
        self.depth -= 1;
        Ok(Node::Function(name, Arc::new(body)))
    }

    fn plain(&mut self) -> Result<String> {
        let mut text = String::new();
        while let Some(c) = self
            .letters
            .next_if(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        {
            text.push(c);
        }
        if text.is_empty() {
            let got = self.rest(1);
            return self.wrong(&got);
        }
        Ok(text)
    }

    fn simple(&mut self) -> Result<Node> {
        let line = self.line;
        let (mut assignments, mut words, mut redirects) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.blanks();
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            if words.is_empty()
                && let Some(name) = self.assignment()
            {
                let value = match self.letters.peek() {
                    Some(c) if !c.is_whitespace() && !matches!(c, ';' | '&' | '|' | ')') => {
                        self.word()?.unwrap_or_default()
                    }
                    _ => Vec::new(),
                };
                assignments.push((name, value));
                continue;
            }
            let Some(word) = self.word()? else { break };
            words.push(word);
            if words.len() == 1
                && assignments.is_empty()
                && self.letters.peek() == Some(&'(')
                && let [Piece::Text(name)] = &words[0][..]
            {
                let name = name.clone();
                self.next();
                self.blanks();
                if self.next() != Some(')') {
                    return self.wrong("(");
                }
                self.deeper()?;
                return self.function(name);
            }
        }
        if words.is_empty() && assignments.is_empty() && redirects.is_empty() {
            let got = self.rest(1);
            return self.wrong(&got);
        }
        Ok(Node::Simple {
            line,
            assignments,
            words,
            redirects,
        })
    }

    /// `NAME=`, which is taken.
    fn assignment(&mut self) -> Option<String> {
        let mut name = String::new();
        for c in self.letters.clone() {
            match c {
                '=' if is_name(&name) => {
                    for _ in 0..=name.len() {
                        self.next();
                    }
                    return Some(name);
                }
                c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                _ => return None,
            }
        }
        None
    }

    fn redirect(&mut self) -> Result<Option<Redirect>> {
        self.blanks();
        let ahead = self.rest(3);
        let digit = ahead
            .chars()
            .next()
            .and_then(|c| c.to_digit(10))
            .filter(|_| ahead[1..].starts_with(['<', '>']));
        let mut both = false;
        if digit.is_some() {
            self.next();
        } else if ahead.starts_with("&>") {
            self.next();
            both = true;
        } else if !ahead.starts_with(['<', '>']) {
            return Ok(None);
        }
        let input = self.next() == Some('<');
        let descriptor = digit.unwrap_or(u32::from(!input));
        if descriptor > 2 {
            return Err(ParseError::Wrong(format!(
                "descriptor {descriptor}: only 0, 1 and 2 are here"
            )));
        }
        let new = |append, target| {
            Ok(Some(Redirect {
                descriptor,
                both,
                append,
                target,
            }))
        };
        if input && self.rest(2) == "<<" {
            self.next();
            self.next();
            self.blanks();
            let mut word = self.word()?.unwrap_or_default();
            word.push(Piece::Quoted("\n".into()));
            let body = Arc::new(OnceLock::new());
            let _ = body.set(word);
            return new(false, Target::Here(body));
        }
        if input && self.letters.peek() == Some(&'<') {
            self.next();
            let strip = self.letters.next_if_eq(&'-').is_some();
            self.blanks();
            let Some(word) = self.word()? else {
                return self.wrong("newline");
            };
            let quoted = word
                .iter()
                .any(|p| matches!(p, Piece::Quoted(_) | Piece::Empty));
            let delimiter: String = word
                .iter()
                .map(|p| match p {
                    Piece::Text(t) | Piece::Quoted(t) => t.as_str(),
                    _ => "",
                })
                .collect();
            let body = Arc::new(OnceLock::new());
            self.pending.push((delimiter, strip, quoted, body.clone()));
            return new(false, Target::Here(body));
        }
        let append = !input && self.letters.next_if_eq(&'>').is_some();
        self.letters.next_if_eq(&'|');
        if self.letters.next_if_eq(&'&').is_some() {
            let target = match self.next() {
                Some('-') => None,
                Some(c) => match c.to_digit(10).filter(|d| *d <= 2) {
                    Some(d) => Some(d),
                    None => return self.wrong(&c.to_string()),
                },
                None => return self.wrong(""),
            };
            return new(append, Target::Descriptor(target));
        }
        self.blanks();
        let Some(word) = self.word()? else {
            return self.wrong("newline");
        };
        new(append, Target::File(word))
    }
}
