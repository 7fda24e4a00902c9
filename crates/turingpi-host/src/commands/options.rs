// SPDX-License-Identifier: Apache-2.0
//! Options of a command, read as getopt does: letters in clusters, long names, operands anywhere.

use super::Call;

/// Options and operands.
pub(crate) struct Options {
    set: Vec<(char, String)>,
    pub(crate) operands: Vec<String>,
}

impl Options {
    pub(crate) fn has(&self, letter: char) -> bool {
        self.set.iter().any(|(l, _)| *l == letter)
    }

    /// The last value of an option.
    pub(crate) fn value(&self, letter: char) -> Option<&str> {
        self.values(letter).last()
    }

    pub(crate) fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        self.set
            .iter()
            .filter(move |(l, _)| *l == letter)
            .map(|(_, v)| v.as_str())
    }
}

impl Call<'_> {
    /// Reads the options: `flags` are letters alone, `values` take a word, `long` gives a letter to each long name. An option that is
    /// none is told of, and the error is the exit code.
    pub(crate) fn options(
        &mut self,
        flags: &str,
        values: &str,
        long: &[(&str, char)],
    ) -> Result<Options, i32> {
        let mut options = Options {
            set: Vec::new(),
            operands: Vec::new(),
        };
        let mut words = self.words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                options.operands.extend(words.cloned());
                break;
            }
            if let Some(name) = word.strip_prefix("--") {
                let (name, value) = name
                    .split_once('=')
                    .map_or((name, None), |(n, v)| (n, Some(v.to_owned())));
                let Some((_, letter)) = long.iter().find(|(l, _)| *l == name) else {
                    return Err(self.unknown(&format!("unrecognized option '--{name}'")));
                };
                let value = match (values.contains(*letter), value) {
                    (true, None) => match words.next() {
                        Some(word) => word.clone(),
                        None => {
                            return Err(
                                self.unknown(&format!("option '--{name}' requires an argument"))
                            );
                        }
                    },
                    (_, value) => value.unwrap_or_default(),
                };
                options.set.push((*letter, value));
                continue;
            }
            match word.strip_prefix('-') {
                Some(cluster) if !cluster.is_empty() => {
                    for (at, letter) in cluster.char_indices() {
                        if values.contains(letter) {
                            let rest = &cluster[at + letter.len_utf8()..];
                            let value = match (rest, words.len()) {
                                ("", 0) => {
                                    return Err(self.unknown(&format!(
                                        "option requires an argument -- '{letter}'"
                                    )));
                                }
                                ("", _) => words.next().cloned().unwrap_or_default(),
                                (rest, _) => rest.to_owned(),
                            };
                            options.set.push((letter, value));
                            break;
                        }
                        if !flags.contains(letter) {
                            return Err(self.unknown(&format!("invalid option -- '{letter}'")));
                        }
                        options.set.push((letter, String::new()));
                    }
                }
                _ => options.operands.push(word.clone()),
            }
        }
        Ok(options)
    }

    fn unknown(&mut self, text: &str) -> i32 {
        let name = self.name;
        self.fail(text, 1);
        self.complain(&format!("Try '{name} --help' for more information."));
        if matches!(name, "ls" | "grep") { 2 } else { 1 }
    }
}
