// SPDX-License-Identifier: Apache-2.0
//! Keys and values for ConfigMaps and Secrets: from the command line, from files and directories, from environment files.

use std::path::Path;

use k1s_core::name::env_var_name;
use k1s_core::quote::Quoted;

use super::Mistake;

/// A key with its value.
pub type Entry = (String, Vec<u8>);

/// The entry of `key=value`.
pub fn literal(source: &str) -> Result<Entry, Mistake> {
    match source.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.as_bytes().to_vec())),
        _ => Err(Mistake(format!(
            "invalid literal source {source}, expected key=value"
        ))),
    }
}

/// The entries of `[key=]path`: one for a file, one for each file of a directory.
pub fn file(source: &str) -> Result<Vec<Entry>, Mistake> {
    let (key, path) = key_and_path(source)?;
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !metadata.is_dir() {
        return Ok(vec![(key.to_owned(), read(path)?)]);
    }
    if source.contains('=') {
        return Err(Mistake::new("cannot give a key name for a directory path"));
    }
    let listing = |error: std::io::Error| {
        Mistake(format!(
            "error listing files in {path}: {}",
            system_text(&error)
        ))
    };
    let mut entries = Vec::new();
    for item in std::fs::read_dir(path).map_err(listing)? {
        let item = item.map_err(listing)?;
        if item.file_type().is_ok_and(|kind| kind.is_file()) {
            let name = item.file_name().to_string_lossy().into_owned();
            let content = read(&Path::new(path).join(&name).to_string_lossy())?;
            entries.push((name, content));
        }
    }
    entries.sort();
    Ok(entries)
}

/// The entries of a file of `NAME=value` lines; `variable` gives the value of a name that stands alone.
pub fn environment_file(
    path: &str,
    what: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Entry>, Mistake> {
    let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if metadata.is_dir() {
        return Err(Mistake(format!("env {what} file cannot be a directory")));
    }
    environment(path, &read(path)?, variable)
}

fn environment(
    path: &str,
    content: &[u8],
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Entry>, Mistake> {
    let mut entries = Vec::new();
    for (number, line) in content.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(text) = std::str::from_utf8(line) else {
            let bytes = line.iter().map(u8::to_string).collect::<Vec<_>>().join(" ");
            return Err(Mistake(format!(
                "env file {path} contains invalid utf8 bytes at line {}: [{bytes}]",
                number + 1
            )));
        };
        let text = if number == 0 {
            text.strip_prefix('\u{feff}').unwrap_or(text)
        } else {
            text
        };
        let text = text.trim_start();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, value.to_owned()),
            None => (text, variable(text).unwrap_or_default()),
        };
        let complaints = env_var_name(key);
        if !complaints.is_empty() {
            return Err(Mistake(format!(
                "{} is not a valid key name: {}",
                Quoted(key),
                complaints.join(";")
            )));
        }
        entries.push((key.to_owned(), value.into_bytes()));
    }
    Ok(entries)
}

fn key_and_path(source: &str) -> Result<(&str, &str), Mistake> {
    match source.matches('=').count() {
        0 => Ok((
            source
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .filter(|name| !name.is_empty())
                .unwrap_or("/"),
            source,
        )),
        1 if source.starts_with('=') => Err(Mistake(format!(
            "key name for file path {} missing",
            &source[1..]
        ))),
        1 if source.ends_with('=') => Err(Mistake(format!(
            "file path for key name {} missing",
            &source[..source.len() - 1]
        ))),
        1 => Ok(source.split_once('=').unwrap_or((source, source))),
        _ => Err(Mistake::new("key names or file paths cannot contain '='")),
    }
}

fn read(path: &str) -> Result<Vec<u8>, Mistake> {
    std::fs::read(path).map_err(|error| Mistake(format!("open {path}: {}", system_text(&error))))
}

fn unreadable(path: &str, error: &std::io::Error) -> Mistake {
    Mistake(format!("error reading {path}: {}", system_text(error)))
}

/// What the system says of an error, in the words of Unix: without a capital and without the number.
pub(crate) fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{environment, key_and_path, literal};

    #[test]
    fn literals_and_names_of_files() {
        let check = |source: &str, expected: Result<(&str, &str), &str>| {
            let found =
                literal(source).map(|(key, value)| (key, String::from_utf8(value).unwrap()));
            let found = found
                .as_ref()
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .map_err(|error| error.0.as_str());
            assert_eq!(found, expected, "{source}");
        };
        check("a=1", Ok(("a", "1")));
        check("a=", Ok(("a", "")));
        check("a=b=c", Ok(("a", "b=c")));
        check("=a", Err("invalid literal source =a, expected key=value"));
        check(
            "novalue",
            Err("invalid literal source novalue, expected key=value"),
        );
        let check = |source: &str, expected: Result<(&str, &str), &str>| {
            assert_eq!(
                key_and_path(source).map_err(|error| error.0),
                expected.map_err(str::to_owned)
            )
        };
        check("dir/one.txt", Ok(("one.txt", "dir/one.txt")));
        check("key=one.txt", Ok(("key", "one.txt")));
        check("=x", Err("key name for file path x missing"));
        check("x=", Err("file path for key name x missing"));
        check("a=b=c", Err("key names or file paths cannot contain '='"));
    }

    #[test]
    fn environment_files() {
        let check = |text: &str, expected: Result<&[(&str, &str)], &str>| {
            let found = environment("f", text.as_bytes(), |_| Some("from outside".to_owned()))
                .map_err(|error| error.0);
            let expected = expected.map(|pairs| {
                pairs
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec()))
                    .collect::<Vec<_>>()
            });
            assert_eq!(found, expected.map_err(str::to_owned), "{text:?}");
        };
        check(
            "# comment\nA=1\n\nB=two words\n  C=3\nD='quoted'\nE=\nF=a=b\n",
            Ok(&[
                ("A", "1"),
                ("B", "two words"),
                ("C", "3"),
                ("D", "'quoted'"),
                ("E", ""),
                ("F", "a=b"),
            ]),
        );
        check(
            "\u{feff}A=1\r\nALONE",
            Ok(&[("A", "1"), ("ALONE", "from outside")]),
        );
        check(
            "1=2",
            Err(
                "\"1\" is not a valid key name: a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')",
            ),
        );
    }
}
