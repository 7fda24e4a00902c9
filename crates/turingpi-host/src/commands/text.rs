// SPDX-License-Identifier: Apache-2.0
//! Commands that take text apart.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regex_lite::{Regex, RegexBuilder};
use sha2::{Digest as _, Sha256};

use super::Call;
use super::options::Options;
use crate::machine::{Machine, hex};

/// The most that a regular expression may take, in bytes.
const REGEX_BYTES: usize = 1 << 20;

/// A regular expression of `grep` and `sed`: in the basic kind `\(`, `\|`, `\+`, `\?` and `\{` are the special ones.
pub(super) fn regex(
    text: &str,
    extended: bool,
    fixed: bool,
    ignore_case: bool,
) -> Result<Regex, String> {
    let mut pattern = String::new();
    if fixed {
        pattern = regex_lite::escape(text);
    } else if extended {
        text.clone_into(&mut pattern);
    } else {
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => match letters.next() {
                    Some(c @ ('(' | ')' | '|' | '+' | '?' | '{' | '}')) => pattern.push(c),
                    Some(c) => pattern.extend(['\\', c]),
                    None => return Err("Trailing backslash".into()),
                },
                '(' | ')' | '|' | '+' | '?' | '{' | '}' => pattern.extend(['\\', letter]),
                '[' => {
                    // a set is the same in both kinds
                    pattern.push('[');
                    let mut first = true;
                    while let Some(c) = letters.next() {
                        pattern.push(c);
                        if c == '[' && letters.peek() == Some(&':') {
                            continue;
                        }
                        if c == ']' && !first && !pattern.ends_with(":]") {
                            break;
                        }
                        first = first && c == '^';
                    }
                }
                _ => pattern.push(letter),
            }
        }
    }
    RegexBuilder::new(&pattern)
        .case_insensitive(ignore_case)
        .size_limit(REGEX_BYTES)
        .build()
        .map_err(|e| format!("{text}: {e}"))
}

pub(super) fn grep(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("quiet", 'q'),
        ("ignore-case", 'i'),
        ("invert-match", 'v'),
        ("extended-regexp", 'E'),
        ("fixed-strings", 'F'),
        ("count", 'c'),
        ("only-matching", 'o'),
    ];
    let mut options = match call.options("qivEFcnolswxhHrP", "emABC", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut patterns: Vec<String> = options.values('e').map(str::to_owned).collect();
    if patterns.is_empty() {
        if options.operands.is_empty() {
            call.complain("Usage: grep [OPTION]... PATTERNS [FILE]...");
            return 2;
        }
        patterns = vec![options.operands.remove(0)];
    }
    let mut expressions = Vec::new();
    for pattern in patterns.iter().flat_map(|p| p.split('\n')) {
        let extended = options.has('E') || options.has('P');
        match regex(pattern, extended, options.has('F'), options.has('i')) {
            Ok(regex) => expressions.push(regex),
            Err(e) => return call.fail(e, 2),
        }
    }
    let most = options
        .value('m')
        .and_then(|m| m.parse().ok())
        .unwrap_or(usize::MAX);
    let files = options.operands.clone();
    let (inputs, all) = call.inputs(machine, &files);
    let named = (inputs.len() > 1 || options.has('H')) && !options.has('h');
    let mut found = false;
    for (file, bytes) in inputs {
        let text = String::from_utf8_lossy(&bytes);
        let prefix = if named {
            format!("{file}:")
        } else {
            String::new()
        };
        let mut count = 0;
        for (i, line) in text.lines().enumerate() {
            let hit = expressions.iter().any(|r| fits(r, line, &options)) != options.has('v');
            if !hit || count >= most {
                continue;
            }
            count += 1;
            if options.has('q') || options.has('c') || options.has('l') {
                continue;
            }
            let number = if options.has('n') {
                format!("{}:", i + 1)
            } else {
                String::new()
            };
            if options.has('o') {
                for one in expressions.iter().flat_map(|r| r.find_iter(line)) {
                    call.say(&format!("{prefix}{number}{}", one.as_str()));
                }
            } else {
                call.say(&format!("{prefix}{number}{line}"));
            }
        }
        found |= count > 0;
        if options.has('l') && count > 0 {
            call.say(&file);
        } else if options.has('c') && !options.has('q') {
            call.say(&format!("{prefix}{count}"));
        }
    }
    let told = options.has('s') || (found && options.has('q'));
    if !all && !told {
        return 2;
    }
    i32::from(!found)
}

fn fits(regex: &Regex, line: &str, options: &Options) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    regex.find_iter(line).any(|m| {
        let whole = !options.has('x') || m.len() == line.len();
        let alone = !options.has('w')
            || !(word(line[..m.start()].chars().next_back())
                || word(line[m.end()..].chars().next()));
        whole && alone
    })
}

/// The number of lines or bytes that `head` and `tail` are asked for.
fn amount(call: &mut Call<'_>) -> Result<(Options, String, bool), i32> {
    // `head -5` is an old way to say `head -n 5`
    let words: Vec<String> = call
        .words
        .iter()
        .flat_map(|w| match w.strip_prefix('-') {
            Some(n) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => {
                vec!["-n".to_owned(), n.to_owned()]
            }
            _ => vec![w.clone()],
        })
        .collect();
    let mut inner = Call {
        words: &words,
        stdout: Vec::new(),
        stderr: Vec::new(),
        ..*call
    };
    let read = inner.options("qvfF", "nc", &[("lines", 'n'), ("bytes", 'c')]);
    let stderr = std::mem::take(&mut inner.stderr);
    call.stderr.extend(stderr);
    let options = read?;
    let bytes = options.has('c');
    let text = options
        .value(if bytes { 'c' } else { 'n' })
        .unwrap_or("10")
        .to_owned();
    if text
        .trim_start_matches(['+', '-'])
        .parse::<usize>()
        .is_err()
    {
        let what = if bytes { "bytes" } else { "lines" };
        return Err(call.fail(format!("invalid number of {what}: ‘{text}’"), 1));
    }
    Ok((options, text, bytes))
}

pub(super) fn head(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    part(machine, call, |sign, count, all| match sign {
        Some('-') => 0..all.saturating_sub(count),
        _ => 0..count.min(all),
    })
}

pub(super) fn tail(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    part(machine, call, |sign, count, all| match sign {
        Some('+') => count.saturating_sub(1).min(all)..all,
        _ => all.saturating_sub(count)..all,
    })
}

/// Some of the lines or bytes of each input: which, by the sign and the number that are asked for, and by how many there are.
fn part(
    machine: &mut Machine,
    call: &mut Call<'_>,
    which: fn(Option<char>, usize, usize) -> Range<usize>,
) -> i32 {
    let (options, text, by_bytes) = match amount(call) {
        Ok(read) => read,
        Err(code) => return code,
    };
    let count: usize = text.trim_start_matches(['+', '-']).parse().unwrap_or(10);
    let (inputs, all) = call.inputs(machine, &options.operands);
    for (_, bytes) in inputs {
        let pieces: Vec<&[u8]> = if by_bytes {
            bytes.chunks(1).collect()
        } else {
            bytes.split_inclusive(|b| *b == b'\n').collect()
        };
        let range = which(text.chars().next(), count, pieces.len());
        call.stdout.extend(pieces[range].concat());
    }
    i32::from(!all)
}

pub(super) fn wc(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "lwcm",
        "",
        &[("lines", 'l'), ("words", 'w'), ("bytes", 'c')],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (inputs, all) = call.inputs(machine, &options.operands);
    let every = !(options.has('l') || options.has('w') || options.has('c') || options.has('m'));
    for (file, bytes) in inputs {
        let mut numbers = Vec::new();
        if every || options.has('l') {
            numbers.push(bytes.iter().filter(|b| **b == b'\n').count());
        }
        if every || options.has('w') {
            numbers.push(String::from_utf8_lossy(&bytes).split_whitespace().count());
        }
        if every || options.has('c') || options.has('m') {
            numbers.push(bytes.len());
        }
        let width = if numbers.len() > 1 { 7 } else { 0 };
        let mut line: Vec<String> = numbers.iter().map(|n| format!("{n:>width$}")).collect();
        if file != "-" {
            line.push(file);
        }
        call.say(&line.join(" "));
    }
    i32::from(!all)
}

fn lines(call: &mut Call<'_>, machine: &Machine, options: &Options) -> (Vec<String>, bool) {
    let (inputs, all) = call.inputs(machine, &options.operands);
    let lines = inputs.iter().flat_map(|(_, b)| {
        String::from_utf8_lossy(b)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    (lines.collect(), all)
}

pub(super) fn sort(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("rnuVh", "tk", &[("reverse", 'r'), ("unique", 'u')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (mut lines, all) = lines(call, machine, &options);
    let number = |l: &str| {
        let l = l.trim_start();
        let end = l
            .find(|c: char| !(c.is_ascii_digit() || c == '-' || c == '.'))
            .unwrap_or(l.len());
        l[..end].parse::<f64>().unwrap_or(0.0)
    };
    if options.has('n') || options.has('h') {
        lines.sort_by(|a, b| number(a).total_cmp(&number(b)).then_with(|| a.cmp(b)));
    } else {
        lines.sort();
    }
    if options.has('u') {
        lines.dedup();
    }
    if options.has('r') {
        lines.reverse();
    }
    lines.iter().for_each(|l| call.say(l));
    i32::from(!all)
}

pub(super) fn uniq(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("cd", "", &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (lines, all) = lines(call, machine, &options);
    for group in lines.chunk_by(|a, b| a == b) {
        if options.has('c') {
            call.say(&format!("{:>7} {}", group.len(), group[0]));
        } else if !options.has('d') || group.len() > 1 {
            call.say(&group[0]);
        }
    }
    i32::from(!all)
}

/// Whether a list like `1,3-5,7-` has a number.
fn in_list(list: &str, number: usize) -> bool {
    list.split(',').any(|part| match part.split_once('-') {
        Some((from, to)) => {
            number >= from.parse().unwrap_or(1) && number <= to.parse().unwrap_or(usize::MAX)
        }
        None => part.parse() == Ok(number),
    })
}

pub(super) fn cut(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "s",
        "dfc",
        &[("delimiter", 'd'), ("fields", 'f'), ("characters", 'c')],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let delimiter = options.value('d').unwrap_or("\t").to_owned();
    let (lines, all) = lines(call, machine, &options);
    for line in lines {
        if let Some(list) = options.value('c') {
            let text: String = line
                .chars()
                .enumerate()
                .filter(|(i, _)| in_list(list, i + 1))
                .map(|(_, c)| c)
                .collect();
            call.say(&text);
        } else if let Some(list) = options.value('f') {
            if delimiter.is_empty() || !line.contains(&delimiter) {
                if !options.has('s') {
                    call.say(&line);
                }
                continue;
            }
            let fields: Vec<&str> = line
                .split(&delimiter)
                .enumerate()
                .filter(|(i, _)| in_list(list, i + 1))
                .map(|(_, f)| f)
                .collect();
            call.say(&fields.join(&delimiter));
        } else {
            return call.fail("you must specify a list of bytes, characters, or fields", 1);
        }
    }
    i32::from(!all)
}

/// The letters that a set of `tr` means.
fn letters(set: &str) -> Vec<char> {
    let named = set
        .replace("[:upper:]", "A-Z")
        .replace("[:lower:]", "a-z")
        .replace("[:digit:]", "0-9")
        .replace("[:space:]", " \t\n\r")
        .replace("[:alnum:]", "A-Za-z0-9")
        .replace("\\n", "\n")
        .replace("\\r", "\r")
        .replace("\\t", "\t")
        .replace("\\0", "\0");
    let chars: Vec<char> = named.chars().collect();
    let mut letters = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        if i + 2 < chars.len()
            && chars[i + 1] == '-'
            && chars[i] <= chars[i + 2]
            && letters.len() < 4096
            && chars[i + 2] < '\u{800}'
        {
            letters.extend(chars[i]..=chars[i + 2]);
            i += 3;
        } else {
            letters.push(chars[i]);
            i += 1;
        }
    }
    letters
}

pub(super) fn tr(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "dscC",
        "",
        &[
            ("delete", 'd'),
            ("squeeze-repeats", 's'),
            ("complement", 'c'),
        ],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some(from) = options.operands.first() else {
        return call.fail("missing operand", 1);
    };
    let from = letters(from);
    let to = options
        .operands
        .get(1)
        .map(|t| letters(t))
        .unwrap_or_default();
    let text = String::from_utf8_lossy(call.stdin).into_owned();
    let complement = options.has('c') || options.has('C');
    let mut output = String::new();
    for c in text.chars() {
        let at = from.iter().position(|f| *f == c);
        let hit = at.is_some() != complement;
        if hit && options.has('d') {
            continue;
        }
        let new = match (hit, to.last()) {
            (true, Some(last)) => at.and_then(|i| to.get(i)).copied().unwrap_or(*last),
            _ => c,
        };
        if hit && options.has('s') && output.ends_with(new) {
            continue;
        }
        output.push(new);
    }
    call.stdout.extend(output.into_bytes());
    0
}

pub(super) fn sha256sum(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "cb",
        "",
        &[
            ("check", 'c'),
            ("quiet", 'q'),
            ("status", 's'),
            ("ignore-missing", 'i'),
        ],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (inputs, mut all) = call.inputs(machine, &options.operands);
    if !options.has('c') {
        for (file, bytes) in inputs {
            call.say(&format!("{}  {file}", hex(&Sha256::digest(&bytes))));
        }
        return i32::from(!all);
    }
    let mut wrong = 0;
    for (_, list) in inputs {
        for line in String::from_utf8_lossy(&list).lines() {
            let Some((sum, file)) = line.split_once(char::is_whitespace) else {
                continue;
            };
            let file = file.trim_start_matches([' ', '*']);
            match machine.read(&call.user.name, call.cwd, file) {
                Ok(bytes) => {
                    let fits = hex(&Sha256::digest(&bytes)) == sum.to_ascii_lowercase();
                    wrong += usize::from(!fits);
                    let quiet = options.has('s') || (fits && options.has('q'));
                    if !quiet {
                        call.say(&format!("{file}: {}", if fits { "OK" } else { "FAILED" }));
                    }
                }
                Err(_) if options.has('i') => {}
                Err(e) => {
                    call.fail(format!("{file}: {e}"), 1);
                    call.say(&format!("{file}: FAILED open or read"));
                    all = false;
                }
            }
        }
    }
    if wrong > 0 {
        call.fail(
            format!("WARNING: {wrong} computed checksum did NOT match"),
            1,
        );
    }
    i32::from(!all || wrong > 0)
}

pub(super) fn base64(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("d", "w", &[("decode", 'd'), ("wrap", 'w')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let (inputs, all) = call.inputs(machine, &options.operands);
    let bytes = inputs.into_iter().flat_map(|(_, b)| b).collect::<Vec<_>>();
    if options.has('d') {
        let text: Vec<u8> = bytes
            .into_iter()
            .filter(|b| !b.is_ascii_whitespace())
            .collect();
        return match STANDARD.decode(text) {
            Ok(bytes) => {
                call.stdout.extend(bytes);
                i32::from(!all)
            }
            Err(_) => call.fail("invalid input", 1),
        };
    }
    let text = STANDARD.encode(bytes);
    match options.value('w').map_or(Ok(76), str::parse) {
        Ok(0) => call.stdout.extend(text.into_bytes()),
        Ok(width) => {
            for line in text.as_bytes().chunks(width) {
                call.stdout.extend_from_slice(line);
                call.stdout.push(b'\n');
            }
        }
        Err(_) => return call.fail("invalid wrap size", 1),
    }
    i32::from(!all)
}

pub(super) fn seq(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let numbers: Result<Vec<i64>, _> = call.words.iter().map(|w| w.parse()).collect();
    let (from, step, to) = match numbers.as_deref() {
        Ok([to]) => (1, 1, *to),
        Ok([from, to]) => (*from, 1, *to),
        Ok([from, step, to]) if *step != 0 => (*from, *step, *to),
        _ => return call.fail("whole numbers are needed: [FIRST [STEP]] LAST", 1),
    };
    let mut at = from;
    // no more than a script would want
    for _ in 0..100_000 {
        if (step > 0 && at > to) || (step < 0 && at < to) {
            break;
        }
        call.say(&at.to_string());
        let Some(next) = at.checked_add(step) else {
            break;
        };
        at = next;
    }
    0
}

/// Whoever reads it takes what it needs of a thousand lines.
pub(super) fn yes(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let word = if call.words.is_empty() {
        "y".to_owned()
    } else {
        call.words.join(" ")
    };
    for _ in 0..1000 {
        call.say(&word);
    }
    0
}

pub(super) fn dirname(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    for path in call.words {
        let line = match path.trim_end_matches('/').rsplit_once('/') {
            Some(("", _)) => "/".to_owned(),
            Some((above, _)) => above.to_owned(),
            None if path.starts_with('/') => "/".to_owned(),
            None => ".".to_owned(),
        };
        call.say(&line);
    }
    0
}

pub(super) fn basename(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let Some(path) = call.words.first() else {
        return call.fail("missing operand", 1);
    };
    let mut name = path
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or("/")
        .to_owned();
    if let Some(suffix) = call.words.get(1)
        && name != *suffix
        && let Some(short) = name.strip_suffix(suffix.as_str())
    {
        name = short.to_owned();
    }
    call.say(&name);
    0
}
