// SPDX-License-Identifier: Apache-2.0
//! `sed`, as far as provisioning uses it: `p`, `d`, `q`, `s`, `a`, `i`, `c` at a line, a range or a pattern; `-n`, `-E`, `-i`.

use regex_lite::Regex;

use super::Call;
use super::text::regex;
use crate::machine::Machine;

enum At {
    Line(usize),
    Last,
    Pattern(Regex),
}

enum Do {
    Print,
    Delete,
    Quit,
    Append(String),
    Insert(String),
    Change(String),
    Substitute {
        find: Regex,
        with: String,
        all: bool,
        print: bool,
    },
}

struct Step {
    from: Option<At>,
    to: Option<At>,
    not: bool,
    what: Do,
    inside: bool,
}

pub(super) fn sed(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    // `-i` may have its suffix attached, and takes no word of its own
    let long = [
        ("quiet", 'n'),
        ("regexp-extended", 'E'),
        ("in-place", 'i'),
        ("expression", 'e'),
    ];
    let mut options = match call.options("nErsiz", "e", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut script: Vec<String> = options.values('e').map(str::to_owned).collect();
    if script.is_empty() {
        if options.operands.is_empty() {
            call.complain(
                "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...",
            );
            return 1;
        }
        script.push(options.operands.remove(0));
    }
    let mut steps = match parse(&script.join("\n"), options.has('E') || options.has('r')) {
        Ok(steps) => steps,
        Err(e) => return call.fail(format!("-e expression #1, {e}"), 1),
    };
    let files = options.operands.clone();
    let (inputs, all) = call.inputs(machine, &files);
    for (file, bytes) in inputs {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let output = edit(&text, &mut steps, options.has('n'));
        if !options.has('i') {
            call.stdout.extend(output.into_bytes());
        } else if let Err(e) =
            machine.write(&call.user.name, call.cwd, &file, output.as_bytes(), 0o644)
        {
            return call.fail(format!("couldn't open file {file}: {e}"), 4);
        }
    }
    if all { 0 } else { 2 }
}

/// Reads up to a delimiter; one that is escaped stays.
fn until(
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    delimiter: char,
) -> Option<String> {
    let mut text = String::new();
    while let Some(c) = letters.next() {
        if c == delimiter {
            return Some(text);
        }
        if c == '\\' {
            match letters.next()? {
                d if d == delimiter => text.push(d),
                'n' => text.push('\n'),
                other => text.extend(['\\', other]),
            }
        } else {
            text.push(c);
        }
    }
    None
}

fn address(
    letters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    extended: bool,
) -> Result<Option<At>, String> {
    match letters.peek() {
        Some(c) if c.is_ascii_digit() => {
            let mut number = 0_usize;
            while let Some(digit) = letters.peek().and_then(|c| c.to_digit(10)) {
                number = number.saturating_mul(10).saturating_add(digit as usize);
                letters.next();
            }
            Ok(Some(At::Line(number)))
        }
        Some('$') => {
            letters.next();
            Ok(Some(At::Last))
        }
        Some('/') => {
            letters.next();
            let text = until(letters, '/').ok_or("unterminated address regex")?;
            Ok(Some(At::Pattern(regex(&text, extended, false, false)?)))
        }
        _ => Ok(None),
    }
}

fn parse(script: &str, extended: bool) -> Result<Vec<Step>, String> {
    let mut letters = script.chars().peekable();
    let mut steps = Vec::new();
    loop {
        while letters
            .next_if(|c| c.is_whitespace() || *c == ';')
            .is_some()
        {}
        if letters.peek().is_none() {
            return Ok(steps);
        }
        let from = address(&mut letters, extended)?;
        let mut to = None;
        if from.is_some() && letters.next_if_eq(&',').is_some() {
            to = Some(address(&mut letters, extended)?.ok_or("unexpected `,'")?);
        }
        while letters.next_if_eq(&' ').is_some() {}
        let not = letters.next_if_eq(&'!').is_some();
        let what = match letters.next() {
            Some('p') => Do::Print,
            Some('d') => Do::Delete,
            Some('q') => Do::Quit,
            Some(letter @ ('a' | 'i' | 'c')) => {
                let mut text: String =
                    std::iter::from_fn(|| letters.next_if(|c| *c != '\n')).collect();
                if text.trim_end() == "\\" {
                    letters.next();
                    text = std::iter::from_fn(|| letters.next_if(|c| *c != '\n')).collect();
                }
                let text = text.trim_start().trim_start_matches('\\').to_owned();
                match letter {
                    'a' => Do::Append(text),
                    'i' => Do::Insert(text),
                    _ => Do::Change(text),
                }
            }
            Some('s') => {
                let delimiter = letters.next().ok_or("unterminated `s' command")?;
                let find = until(&mut letters, delimiter).ok_or("unterminated `s' command")?;
                let with = until(&mut letters, delimiter).ok_or("unterminated `s' command")?;
                let flags: String =
                    std::iter::from_fn(|| letters.next_if(|c| c.is_ascii_alphanumeric())).collect();
                if let Some(bad) = flags.chars().find(|c| !matches!(c, 'g' | 'p' | 'i' | 'I')) {
                    return Err(format!("unknown option to `s': {bad}"));
                }
                Do::Substitute {
                    find: regex(&find, extended, false, flags.contains(['i', 'I']))?,
                    with,
                    all: flags.contains('g'),
                    print: flags.contains('p'),
                }
            }
            Some(other) => return Err(format!("unknown command: `{other}'")),
            None => return Err("missing command".into()),
        };
        steps.push(Step {
            from,
            to,
            not,
            what,
            inside: false,
        });
    }
}

impl Step {
    fn applies(&mut self, number: usize, last: bool, line: &str) -> bool {
        let hit = |at: &At| match at {
            At::Line(n) => *n == number,
            At::Last => last,
            At::Pattern(regex) => regex.is_match(line),
        };
        let inside = match (&self.from, &self.to) {
            (None, _) => true,
            (Some(from), None) => hit(from),
            (Some(from), Some(to)) => {
                let was = self.inside;
                if !was && hit(from) {
                    // a range whose end is behind it is one line
                    self.inside = !matches!(to, At::Line(n) if *n <= number);
                    true
                } else {
                    if was && hit(to) {
                        self.inside = false;
                    }
                    was
                }
            }
        };
        inside != self.not
    }
}

/// `&` and `\1` in a replacement.
fn expand(with: &str, captures: &regex_lite::Captures<'_>) -> String {
    let mut text = String::new();
    let mut letters = with.chars();
    let group = |i: usize| captures.get(i).map_or("", |m| m.as_str()).to_owned();
    while let Some(c) = letters.next() {
        match c {
            '&' => text += &group(0),
            '\\' => match letters.next() {
                Some(d) if d.is_ascii_digit() => {
                    text += &group(d.to_digit(10).unwrap_or(0) as usize)
                }
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => {}
            },
            _ => text.push(c),
        }
    }
    text
}

fn edit(text: &str, steps: &mut [Step], quiet: bool) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let mut output = String::new();
    let mut put = |line: &str| {
        output += line;
        output.push('\n');
    };
    for (i, line) in lines.iter().enumerate() {
        let mut line = (*line).to_owned();
        let (mut gone, mut quit) = (false, false);
        let mut after = Vec::new();
        for step in steps.iter_mut() {
            if !step.applies(i + 1, i + 1 == lines.len(), &line) {
                continue;
            }
            match &step.what {
                Do::Print => put(&line),
                Do::Delete => gone = true,
                Do::Quit => quit = true,
                Do::Append(text) => after.push(text.clone()),
                Do::Insert(text) => put(text),
                Do::Change(text) => {
                    put(text);
                    gone = true;
                }
                Do::Substitute {
                    find,
                    with,
                    all,
                    print,
                } => {
                    let most = if *all { 0 } else { 1 };
                    if find.is_match(&line) {
                        line = find
                            .replacen(&line, most, |c: &regex_lite::Captures<'_>| expand(with, c))
                            .into_owned();
                        if *print {
                            put(&line);
                        }
                    }
                }
            }
            if gone || quit {
                break;
            }
        }
        if !gone && !quiet {
            put(&line);
        }
        after.iter().for_each(|text| put(text));
        if quit {
            break;
        }
    }
    output
}
