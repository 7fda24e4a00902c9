// SPDX-License-Identifier: Apache-2.0
//! Where a scalar goes and how it is quoted: the layout rules of libyaml's emitter, on which Go's
//! YAML package is built. Lines are folded at a space beyond column 80.

/// Lines are folded at the first space after this column.
const WIDTH: usize = 80;
/// Longest key, in bytes, that is written in front of a plain colon.
const SIMPLE_KEY_BYTES: usize = 128;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

/// The text so far, and what stands at its end.
pub(super) struct Emitter {
    pub(super) out: String,
    column: usize,
    /// The last character was space, or the line is new.
    whitespace: bool,
    /// Only indentation and indicators stand on the line.
    indention: bool,
}

/// What the characters of a scalar allow.
struct Analysis {
    multiline: bool,
    plain: bool,
    single_quoted: bool,
    block: bool,
}

fn is_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What stands in the text as it is. The line and paragraph separators do not: they are breaks in
/// YAML 1.1 and ordinary characters in 1.2, so only their escapes mean the same to every reader.
fn is_printable(character: char) -> bool {
    matches!(character, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn analyze(text: &str) -> Analysis {
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let (mut breaks, mut special) = (false, false);
    let (mut break_space, mut space_break) = (false, false);
    let mut previous = '\0';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let space_follows = characters
            .peek()
            .is_none_or(|next| matches!(next, ' ' | '\t'));
        let first = previous == '\0';
        indicators |= match character {
            '#' => first || matches!(previous, ' ' | '\t') || is_break(previous),
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
            | '`' => first,
            ':' => space_follows,
            '?' | '-' => first && space_follows,
            _ => false,
        };
        special |= !is_printable(character);
        breaks |= is_break(character);
        break_space |= character == ' ' && is_break(previous);
        space_break |= is_break(character) && previous == ' ';
        // A zero byte is special anyway; it only must not look like the start.
        previous = if character == '\0' {
            '\u{1}'
        } else {
            character
        };
    }
    let edge = |character: char| character == ' ' || is_break(character);
    let edges = text.starts_with(edge) || text.ends_with(edge);
    Analysis {
        multiline: breaks,
        plain: !(indicators || breaks || edges || break_space || space_break || special),
        single_quoted: !(break_space || space_break || special),
        block: !(text.is_empty() || text.ends_with(' ') || space_break || special),
    }
}

impl Emitter {
    /// Nothing yet.
    pub(super) fn new() -> Self {
        Self {
            out: String::new(),
            column: 0,
            whitespace: true,
            indention: true,
        }
    }

    /// Whether only indentation and indicators stand on the line.
    pub(super) fn indention(&self) -> bool {
        self.indention
    }

    fn put(&mut self, character: char) {
        self.out.push(character);
        self.column += 1;
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    /// A new line, unless nothing stands on this one yet, then spaces up to the indent.
    pub(super) fn indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    /// `-`, `?`, `:`, brackets and quotes.
    pub(super) fn indicator(
        &mut self,
        text: &str,
        needs_space: bool,
        is_whitespace: bool,
        is_indention: bool,
    ) {
        if needs_space && !self.whitespace {
            self.put(' ');
        }
        text.chars().for_each(|character| self.put(character));
        self.whitespace = is_whitespace;
        self.indention = self.indention && is_indention;
    }

    /// Whether the text can stand before a colon without `?`.
    pub(super) fn is_simple_key(text: &str) -> bool {
        text.len() <= SIMPLE_KEY_BYTES && !text.contains(is_break)
    }

    /// Writes a scalar in the wanted style or the nearest one that its characters allow.
    pub(super) fn scalar(&mut self, text: &str, wanted: Style, indent: usize, simple_key: bool) {
        let analysis = analyze(text);
        let mut style = wanted;
        if simple_key && analysis.multiline {
            style = Style::DoubleQuoted;
        }
        if style == Style::Plain && (!analysis.plain || text.is_empty() && simple_key) {
            style = Style::SingleQuoted;
        }
        if style == Style::SingleQuoted && !analysis.single_quoted
            || style == Style::Literal && (!analysis.block || simple_key)
        {
            style = Style::DoubleQuoted;
        }
        let fold = !simple_key;
        match style {
            Style::Plain => self.plain(text, indent, fold),
            Style::SingleQuoted => self.single_quoted(text, indent, fold),
            Style::DoubleQuoted => self.double_quoted(text, indent, fold),
            Style::Literal => self.literal(text, indent),
        }
    }

    fn plain(&mut self, text: &str, indent: usize, fold: bool) {
        if !self.whitespace {
            self.put(' ');
        }
        self.folded(text, indent, fold, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, indent: usize, fold: bool) {
        self.indicator("'", true, false, false);
        self.folded(text, indent, fold, true);
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    /// The characters of a plain or single quoted scalar; quotes are doubled in the latter.
    fn folded(&mut self, text: &str, indent: usize, fold: bool, quoted: bool) {
        let (mut spaces, mut breaks) = (false, false);
        let last = text.len().saturating_sub(1);
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if character == ' ' {
                let next_is_space = characters.peek().is_some_and(|(_, next)| *next == ' ');
                let inside = !quoted || at > 0 && at < last;
                if fold && !spaces && self.column > WIDTH && inside && !next_is_space {
                    self.indent(indent);
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if character == '\n' {
                if !breaks {
                    self.put_break();
                }
                self.put_break();
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                if quoted && character == '\'' {
                    self.put('\'');
                }
                self.put(character);
                self.indention = false;
                spaces = false;
                breaks = false;
            }
        }
    }

    fn double_quoted(&mut self, text: &str, indent: usize, fold: bool) {
        self.indicator("\"", true, false, false);
        let mut spaces = false;
        let last = text.len().saturating_sub(1);
        // A byte order mark at the front has every character escaped behind it.
        let escape_all = text.starts_with('\u{feff}');
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            if escape_all
                || !is_printable(character)
                || is_break(character)
                || matches!(character, '"' | '\\')
            {
                self.escape(character);
                spaces = false;
            } else if character == ' ' {
                if fold && !spaces && self.column > WIDTH && at > 0 && at < last {
                    self.indent(indent);
                    if characters.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                self.put(character);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn escape(&mut self, character: char) {
        let code = u32::from(character);
        let text = match character {
            '\0' => "\\0".to_owned(),
            '\u{7}' => "\\a".to_owned(),
            '\u{8}' => "\\b".to_owned(),
            '\t' => "\\t".to_owned(),
            '\n' => "\\n".to_owned(),
            '\u{b}' => "\\v".to_owned(),
            '\u{c}' => "\\f".to_owned(),
            '\r' => "\\r".to_owned(),
            '\u{1b}' => "\\e".to_owned(),
            '"' => "\\\"".to_owned(),
            '\\' => "\\\\".to_owned(),
            '\u{85}' => "\\N".to_owned(),
            '\u{a0}' => "\\_".to_owned(),
            '\u{2028}' => "\\L".to_owned(),
            '\u{2029}' => "\\P".to_owned(),
            '\0'..='\u{ff}' => format!("\\x{code:02X}"),
            '\u{100}'..='\u{ffff}' => format!("\\u{code:04X}"),
            _ => format!("\\U{code:08X}"),
        };
        text.chars().for_each(|character| self.put(character));
    }

    fn literal(&mut self, text: &str, indent: usize) {
        self.indicator("|", true, false, false);
        if text.starts_with([' ', '\n']) {
            self.indicator("2", false, false, false);
        }
        match text.strip_suffix('\n') {
            None => self.indicator("-", false, false, false),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => {
                self.indicator("+", false, false, false);
            }
            Some(_) => {}
        }
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for character in text.chars() {
            if character == '\n' {
                self.put_break();
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.indent(indent);
                }
                self.put(character);
                self.indention = false;
                breaks = false;
            }
        }
    }
}
