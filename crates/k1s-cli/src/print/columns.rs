// SPDX-License-Identifier: Apache-2.0
//! `-o custom-columns=NAME:.metadata.name,…` and `custom-columns-file`.

use k1s_core::jsonpath::{JsonPath, relaxed};
use k1s_core::object::list;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::print::table::{align, cells};
use crate::print::template::go_value;

/// Columns of one's own.
pub(crate) struct Columns {
    headings: Vec<String>,
    /// As they are written; they are read when they are first used, after the line of headings.
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
            paths.push(relaxed(&path).map_err(|e| Error::message(e.to_string()))?);
        }
        Ok(Self {
            headings,
            paths,
            headed: no_headers,
            widths: Vec::new(),
        })
    }

    /// The lines of an object or of a list's objects; what went before a path that does not fit is there, too.
    pub(crate) fn render(&mut self, object: &Value) -> (String, Result) {
        let mut lines = Vec::new();
        if !self.headed {
            self.headed = true;
            lines.push(self.headings.clone());
        }
        let outcome = self.lines(object, &mut lines);
        (align(&lines, &mut self.widths), outcome)
    }

    fn lines(&self, object: &Value, lines: &mut Vec<Vec<String>>) -> Result {
        let mut paths = Vec::new();
        for path in &self.paths {
            let path = JsonPath::parse(path).map_err(|e| Error::message(e.to_string()))?;
            paths.push(path.allow_missing_keys(true));
        }
        let one;
        let objects = if object["items"].is_array() {
            list(object, &["items"])
        } else {
            one = [object.clone()];
            &one
        };
        for object in objects {
            let mut line = Vec::new();
            for path in &paths {
                line.extend(cells(&cell(path, object)?));
            }
            lines.push(line);
        }
        Ok(())
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
    let missing = |what| {
        Error::message(format!(
            "invalid template, missing {what} line. Expected format is one line of space separated headers, one line of \
             space separated column specs."
        ))
    };
    let headings = lines.next().ok_or_else(|| missing("header"))?;
    let paths = lines.next().ok_or_else(|| missing("spec"))?;
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

/// What a path finds, separated by commas.
fn cell(path: &JsonPath, object: &Value) -> Result<String> {
    let found = path
        .values(object)
        .map_err(|e| Error::message(e.to_string()))?;
    let texts: Vec<String> = found
        .iter()
        .flatten()
        .map(|value| go_value(value))
        .collect();
    Ok(if texts.is_empty() {
        "<none>".to_owned()
    } else {
        texts.join(",")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_a_list_and_of_a_file() {
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
