// SPDX-License-Identifier: Apache-2.0
//! Flags: one table per command makes parsing, help and completion.
//!
//! Entry points: [`Flag`] to declare, [`Parsed`] to ask. Parsing follows what kubectl's users are used to: flags anywhere among the
//! arguments, `-ojson`, `-o=json`, `-o json`, `--output=json`, several one-letter flags in one word, `--` ends the flags.

use std::time::Duration;

use k1s_core::quote::Quoted;

/// What a flag holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On or off; `--flag` alone is on.
    Switch,
    /// One text; the last one given counts.
    Text,
    /// Whole number.
    Number,
    /// `90s`, `1h30m`.
    Duration,
    /// Texts; a comma separates, and it may be given again.
    List,
    /// Texts; it may be given again, and commas are part of the text.
    Each,
}

/// A flag of a command.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Long name without dashes.
    pub name: &'static str,
    /// One-letter name.
    pub short: Option<char>,
    /// What it holds.
    pub kind: Kind,
    /// What it holds when it is not given.
    pub default: &'static str,
    /// What it holds when it is given without `=value`; without this it needs a value.
    pub bare: Option<&'static str>,
    /// Whether the command cannot be run without it.
    pub required: bool,
    /// One sentence for the help.
    pub help: &'static str,
}

impl Flag {
    const fn new(
        name: &'static str,
        kind: Kind,
        default: &'static str,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            short: None,
            kind,
            default,
            bare: None,
            required: false,
            help,
        }
    }

    /// A switch, off unless given.
    #[must_use]
    pub const fn switch(name: &'static str, help: &'static str) -> Self {
        let mut flag = Self::new(name, Kind::Switch, "false", help);
        flag.bare = Some("true");
        flag
    }

    /// A text, empty unless given.
    #[must_use]
    pub const fn text(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Text, "", help)
    }

    /// A whole number.
    #[must_use]
    pub const fn number(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Number, default, help)
    }

    /// A duration such as `90s`.
    #[must_use]
    pub const fn duration(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Duration, default, help)
    }

    /// Texts separated by commas.
    #[must_use]
    pub const fn list(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::List, "", help)
    }

    /// Texts, one each time the flag is given.
    #[must_use]
    pub const fn each(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Each, "", help)
    }

    /// The flag with a one-letter name.
    #[must_use]
    pub const fn short(mut self, short: char) -> Self {
        self.short = Some(short);
        self
    }

    /// The flag with this value when it is not given.
    #[must_use]
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    /// The flag with this value when it is given without one.
    #[must_use]
    pub const fn bare(mut self, bare: &'static str) -> Self {
        self.bare = Some(bare);
        self
    }

    /// The flag that must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// How messages name it: `-w, --watch`.
    fn title(&self) -> String {
        match self.short {
            Some(short) => format!("-{short}, --{}", self.name),
            None => format!("--{}", self.name),
        }
    }

    fn check(&self, value: &str) -> Result<(), FlagError> {
        let refused = match self.kind {
            Kind::Text | Kind::List | Kind::Each => return Ok(()),
            Kind::Switch => parse_switch(value).err(),
            Kind::Number => parse_number(value).err(),
            Kind::Duration => k1s_core::time::parse_duration(value)
                .err()
                .map(|e| e.to_string()),
        };
        match refused {
            None => Ok(()),
            Some(why) => Err(FlagError::Invalid {
                value: value.to_owned(),
                flag: self.title(),
                why,
            }),
        }
    }
}

/// What can be wrong with flags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No such flag.
    #[error("unknown flag: --{0}")]
    Unknown(String),
    /// No such one-letter flag.
    #[error("unknown shorthand flag: '{letter}' in -{word}")]
    UnknownShort {
        /// The letter.
        letter: char,
        /// The word that holds it, without the dash.
        word: String,
    },
    /// `--name` as the last word.
    #[error("flag needs an argument: --{0}")]
    NoValue(String),
    /// `-n` as the last word.
    #[error("flag needs an argument: '{letter}' in -{word}")]
    NoValueShort {
        /// The letter.
        letter: char,
        /// The word that holds it, without the dash.
        word: String,
    },
    /// A value that the flag does not take.
    #[error("invalid argument {} for {} flag: {why}", Quoted(.value), Quoted(.flag))]
    Invalid {
        /// What was given.
        value: String,
        /// The flag with both its names.
        flag: String,
        /// Why not.
        why: String,
    },
    /// `--=x`, `---x`.
    #[error("bad flag syntax: {0}")]
    Syntax(String),
}

/// Flags and arguments of one command line.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    tables: Vec<&'static [Flag]>,
    given: Vec<(&'static Flag, String)>,
    /// The arguments that are not flags.
    pub args: Vec<String>,
    /// How many of the arguments stood before `--`, if it was there.
    pub dash: Option<usize>,
    /// Whether `--help` or `-h` was there.
    pub help: bool,
    /// The words that chose the command: `create configmap`.
    pub path: String,
}

impl Parsed {
    /// Reads the words after the command's name.
    ///
    /// # Errors
    /// When a flag is unknown, lacks its value or has one that it does not take.
    pub fn parse(tables: Vec<&'static [Flag]>, words: &[String]) -> Result<Self, FlagError> {
        let mut parsed = Self {
            tables,
            ..Self::default()
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                parsed.dash = Some(parsed.args.len());
                parsed.args.extend(words.cloned());
                break;
            }
            if let Some(long) = word.strip_prefix("--") {
                parsed.long(long, word, &mut words)?;
            } else if word.len() > 1 && word.starts_with('-') {
                parsed.letters(&word[1..], &mut words)?;
            } else {
                parsed.args.push(word.clone());
            }
        }
        Ok(parsed)
    }

    fn long<'w>(
        &mut self,
        long: &str,
        word: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), FlagError> {
        if long.starts_with(['-', '=']) {
            return Err(FlagError::Syntax(word.to_owned()));
        }
        let (name, value) = match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        };
        let Some(flag) = find(&self.tables, |f| f.name == name) else {
            if name == "help" {
                self.help = true;
                return Ok(());
            }
            return Err(FlagError::Unknown(name.to_owned()));
        };
        let value = match (value, flag.bare) {
            (Some(value), _) => value,
            (None, Some(bare)) => bare.to_owned(),
            (None, None) => rest
                .next()
                .cloned()
                .ok_or_else(|| FlagError::NoValue(name.to_owned()))?,
        };
        self.set(flag, value)
    }

    fn letters<'w>(
        &mut self,
        word: &str,
        rest: &mut impl Iterator<Item = &'w String>,
    ) -> Result<(), FlagError> {
        let mut letters = word.chars();
        while let Some(letter) = letters.next() {
            let Some(flag) = find(&self.tables, |f| f.short == Some(letter)) else {
                if letter == 'h' {
                    self.help = true;
                    return Ok(());
                }
                return Err(FlagError::UnknownShort {
                    letter,
                    word: word.to_owned(),
                });
            };
            let after = letters.as_str();
            let value = if let Some(value) = after.strip_prefix('=').filter(|v| !v.is_empty()) {
                value.to_owned()
            } else if let Some(bare) = flag.bare {
                self.set(flag, bare.to_owned())?;
                continue;
            } else if !after.is_empty() {
                after.to_owned()
            } else {
                rest.next()
                    .cloned()
                    .ok_or_else(|| FlagError::NoValueShort {
                        letter,
                        word: word.to_owned(),
                    })?
            };
            return self.set(flag, value);
        }
        Ok(())
    }

    fn set(&mut self, flag: &'static Flag, value: String) -> Result<(), FlagError> {
        flag.check(&value)?;
        self.given.push((flag, value));
        Ok(())
    }

    /// Only what was given to the flags of one table; a command's own flag may have the name of a flag of every command.
    #[must_use]
    pub fn of_table(&self, table: &'static [Flag]) -> Self {
        // The flags that were found are elements of the table that they were found in.
        let given = self
            .given
            .iter()
            .filter(|(flag, _)| table.iter().any(|known| std::ptr::eq(known, *flag)));
        Self {
            tables: vec![table],
            given: given.cloned().collect(),
            path: self.path.clone(),
            ..Self::default()
        }
    }

    /// The names of required flags that were not given.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.tables
            .iter()
            .flat_map(|t| t.iter())
            .filter(|f| f.required && !self.given(f.name))
            .map(|f| f.name)
            .collect()
    }

    /// Whether the flag was given.
    #[must_use]
    pub fn given(&self, name: &str) -> bool {
        self.given.iter().any(|(f, _)| f.name == name)
    }

    /// Whether the command has such a flag.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        find(&self.tables, |f| f.name == name).is_some()
    }

    /// The last text given, or the default.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.given
            .iter()
            .rev()
            .find(|(f, _)| f.name == name)
            .map(|(_, value)| value.as_str())
            .or_else(|| find(&self.tables, |f| f.name == name).map(|f| f.default))
            .unwrap_or("")
    }

    /// Whether the switch is on.
    #[must_use]
    pub fn on(&self, name: &str) -> bool {
        parse_switch(self.text(name)).unwrap_or(false)
    }

    /// The number; 0 where the command has no such flag.
    #[must_use]
    pub fn number(&self, name: &str) -> i64 {
        parse_number(self.text(name)).unwrap_or(0)
    }

    /// The duration; negative ones count as zero, see [`Parsed::is_negative`].
    #[must_use]
    pub fn duration(&self, name: &str) -> Duration {
        k1s_core::time::parse_duration(self.text(name))
            .ok()
            .and_then(|d| Duration::try_from(d).ok())
            .unwrap_or_default()
    }

    /// Whether a duration or number is below zero.
    #[must_use]
    pub fn is_negative(&self, name: &str) -> bool {
        self.text(name).starts_with('-')
    }

    /// All texts of a [`Kind::List`] (split at commas) or [`Kind::Each`] flag.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let mut out = Vec::new();
        for (flag, value) in self.given.iter().filter(|(f, _)| f.name == name) {
            match flag.kind {
                Kind::List if value.is_empty() => {}
                Kind::List => out.extend(value.split(',').map(str::to_owned)),
                _ => out.push(value.clone()),
            }
        }
        if out.is_empty() && !self.given(name) {
            let default = self.text(name);
            if !default.is_empty() {
                out.extend(default.split(',').map(str::to_owned));
            }
        }
        out
    }
}

/// The flag that a test holds for, the command's own before those of all commands.
fn find(tables: &[&'static [Flag]], test: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
    tables.iter().flat_map(|t| t.iter()).find(|f| test(f))
}

/// Whether the word, a flag, takes the next word as its value.
pub(crate) fn takes_next(tables: &[&'static [Flag]], word: &str) -> bool {
    if let Some(long) = word.strip_prefix("--") {
        return !long.contains('=')
            && find(tables, |f| f.name == long).is_none_or(|f| f.bare.is_none())
            && long != "help";
    }
    let letters = word.strip_prefix('-').unwrap_or(word);
    let mut chars = letters.chars();
    let Some(first) = chars.next() else {
        return false;
    };
    // Only a lone letter can be followed by its value in the next word.
    chars.as_str().is_empty()
        && first != 'h'
        && find(tables, |f| f.short == Some(first)).is_none_or(|f| f.bare.is_none())
}

fn parse_switch(value: &str) -> Result<bool, String> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!(
            "strconv.ParseBool: parsing {}: invalid syntax",
            Quoted(value)
        )),
    }
}

fn parse_number(value: &str) -> Result<i64, String> {
    let (sign, digits) = match value.strip_prefix(['-', '+']) {
        Some(rest) if value.starts_with('-') => ("-", rest),
        Some(rest) => ("", rest),
        None => ("", value),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = if let Some(hex) = lower.strip_prefix("0x") {
        (16, hex)
    } else if let Some(octal) = lower.strip_prefix("0o") {
        (8, octal)
    } else if let Some(binary) = lower.strip_prefix("0b") {
        (2, binary)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    let fault = |why| format!("strconv.ParseInt: parsing {}: {why}", Quoted(value));
    if digits.is_empty() || digits.starts_with(['+', '-']) {
        return Err(fault("invalid syntax"));
    }
    i64::from_str_radix(&format!("{sign}{digits}"), radix).map_err(|e| {
        fault(match e.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                "value out of range"
            }
            _ => "invalid syntax",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: &[Flag] = &[
        Flag::text("output", "").short('o'),
        Flag::text("selector", "").short('l'),
        Flag::switch("watch", "").short('w'),
        Flag::switch("all-namespaces", "").short('A'),
        Flag::number("chunk-size", "500", ""),
        Flag::text("dry-run", "").default("none").bare("unchanged"),
        Flag::list("label-columns", "").short('L'),
        Flag::each("from-literal", ""),
        Flag::duration("timeout", "0s", ""),
    ];

    fn parse(line: &str) -> Result<Parsed, FlagError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Parsed::parse(vec![FLAGS], &words)
    }

    #[test]
    fn values_in_all_spellings() {
        for line in [
            "-ojson",
            "-o=json",
            "-o json",
            "--output json",
            "--output=json",
            "-wojson",
            "-o name -o json",
        ] {
            assert_eq!(parse(line).unwrap().text("output"), "json", "{line}");
        }
        let p = parse("cm -lapp=x a -Aw -- -x").unwrap();
        assert_eq!(p.text("selector"), "app=x");
        assert!(p.on("all-namespaces") && p.on("watch"));
        assert_eq!(
            (p.args, p.dash),
            (vec!["cm".into(), "a".into(), "-x".into()], Some(2))
        );
        assert!(!parse("--watch=false").unwrap().on("watch"));
        assert_eq!(parse("").unwrap().text("dry-run"), "none");
        assert_eq!(parse("--dry-run a").unwrap().text("dry-run"), "unchanged");
        assert_eq!(parse("--dry-run=client").unwrap().text("dry-run"), "client");
        assert_eq!(
            parse("-L a,b -L c").unwrap().list("label-columns"),
            ["a", "b", "c"]
        );
        assert_eq!(
            parse("--from-literal a=b,c").unwrap().list("from-literal"),
            ["a=b,c"]
        );
        assert_eq!(parse("").unwrap().number("chunk-size"), 500);
        assert_eq!(parse("-").unwrap().args, ["-"]);
        assert_eq!(parse("-o=").unwrap().text("output"), "=");
    }

    #[test]
    fn mistakes() {
        let check =
            |line: &str, message: &str| assert_eq!(parse(line).unwrap_err().to_string(), message);
        check("--nope", "unknown flag: --nope");
        check("--nope=1", "unknown flag: --nope");
        check("-Z", "unknown shorthand flag: 'Z' in -Z");
        check("-wZ", "unknown shorthand flag: 'Z' in -wZ");
        check("-l", "flag needs an argument: 'l' in -l");
        check("--selector", "flag needs an argument: --selector");
        check(
            "--chunk-size=x",
            r#"invalid argument "x" for "--chunk-size" flag: strconv.ParseInt: parsing "x": invalid syntax"#,
        );
        check(
            "--watch=maybe",
            r#"invalid argument "maybe" for "-w, --watch" flag: strconv.ParseBool: parsing "maybe": invalid syntax"#,
        );
        check(
            "--timeout=soon",
            r#"invalid argument "soon" for "--timeout" flag: time: invalid duration "soon""#,
        );
    }
}
