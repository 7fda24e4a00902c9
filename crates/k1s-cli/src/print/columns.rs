// SPDX-License-Identifier: Apache-2.0
//! `-o custom-columns=NAME:.metadata.name,…` and `custom-columns-file`.

use k1s_core::object::list;
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::print::table::align;

/// Columns of one's own.
pub(crate) struct Columns {
    headings: Vec<String>,
    paths: Vec<String>,
    headed: bool,
    widths: Vec<usize>,
}

impl Columns {
    /// Reads the columns of a form: the text itself, or a file's two lines.
    pub(crate) fn new(form: &str, text: &str, no_headers: bool) -> Result<Self> {
        let pairs = if form == "custom-columns-file" {
            let bytes = std::fs::read(text).map_err(|e| {
                let why = match e.kind() {
                    std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                    _ => e.to_string(),
                };
                Error::message(format!("error reading template {text}, open {text}: {why}"))
            })?;
            from_file(&String::from_utf8_lossy(&bytes))?
        } else {
            from_list(text)?
        };
        let (mut headings, mut paths) = (Vec::new(), Vec::new());
        for (heading, path) in pairs {
            headings.push(heading);
            paths.push(relaxed(&path)?);
        }
        Ok(Self {
            headings,
            paths,
            headed: no_headers,
            widths: Vec::new(),
        })
    }

    /// The lines of an object or of a list's objects.
    pub(crate) fn render(&mut self, object: &Value) -> Result<String> {
        let mut lines = Vec::new();
        if !self.headed {
            self.headed = true;
            lines.push(self.headings.clone());
        }
        let one;
        let objects = if object["items"].is_array() {
            list(object, &["items"])
        } else {
            one = [object.clone()];
            &one
        };
        for object in objects {
            lines.push(
                self.paths
                    .iter()
                    .map(|p| Ok(p.to_owned() + &object.to_string()))
                    .collect::<Result<_>>()?,
            );
        }
        Ok(align(&lines, &mut self.widths))
    }
}

fn from_list(text: &str) -> Result<Vec<(String, String)>> {
    text.split(',')
        .map(|part| match part.split_once(':') {
            Some((heading, path)) => Ok((heading.to_owned(), path.to_owned())),
            None => Err(Error::message(format!(
                "unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"
            ))),
        })
        .collect()
}

fn from_file(text: &str) -> Result<Vec<(String, String)>> {
    let mut lines = text.lines();
    let (Some(headings), Some(paths)) = (lines.next(), lines.next()) else {
        return Err(Error::message(
            "invalid template, missing spec line. Expected format is one line of space separated headers, one line of space \
             separated column specs.",
        ));
    };
    let headings: Vec<String> = headings.split_whitespace().map(str::to_owned).collect();
    let paths: Vec<String> = paths.split_whitespace().map(str::to_owned).collect();
    if headings.len() != paths.len() {
        return Err(Error::message(format!(
            "number of headers ({}) and field specifications ({}) don't match",
            headings.len(),
            paths.len()
        )));
    }
    Ok(headings.into_iter().zip(paths).collect())
}

/// `metadata.name`, `.metadata.name` and `{.metadata.name}` are all the last.
pub(crate) fn relaxed(path: &str) -> Result<String> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let inner = match (path.strip_prefix('{'), path.strip_suffix('}')) {
        (Some(_), Some(_)) => &path[1..path.len() - 1],
        (None, None) => path,
        _ => {
            return Err(Error::message(
                "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'",
            ));
        }
    };
    let bad = inner.contains(['{', '}']);
    if bad {
        return Err(Error::message(format!(
            "unexpected path string {}",
            Quoted(path)
        )));
    }
    Ok(format!("{{.{}}}", inner.strip_prefix('.').unwrap_or(inner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_may_lack_dot_and_braces() {
        for path in ["a.b", ".a.b", "{a.b}", "{.a.b}"] {
            assert_eq!(relaxed(path).unwrap(), "{.a.b}");
        }
        assert!(relaxed("{.x").is_err());
        assert_eq!(
            from_list("N:.a,K:.b:c").unwrap()[1],
            ("K".to_owned(), ".b:c".to_owned())
        );
        assert_eq!(
            from_file("A B\n.x\n").unwrap_err().to_string(),
            "number of headers (2) and field specifications (1) don't match"
        );
    }
}
