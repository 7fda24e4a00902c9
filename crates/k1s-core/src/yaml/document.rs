// SPDX-License-Identifier: Apache-2.0
//! Cutting a text into documents, line by line, before any of it is read.

/// One document of a text with several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The text between two separators.
    pub text: &'a str,
    /// Its first line in the whole text, from 1.
    pub line: usize,
}

/// A separator line with something else on it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid Yaml document separator: {rest}")]
pub struct SeparatorError {
    /// What follows the dashes.
    pub rest: String,
    /// The line, from 1.
    pub line: usize,
}

/// Cuts at the lines that start with `---`, which may hold a comment besides.
///
/// A separator before any text belongs to the document that follows it. Documents without any
/// content are there too: it is for the reader to find that they are null.
///
/// # Errors
/// When a separator line holds anything else.
pub fn split(text: &str) -> Result<Vec<Chunk<'_>>, SeparatorError> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if let Some(rest) = line.strip_prefix("---") {
            let rest = rest.trim();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(SeparatorError {
                    rest: rest.to_owned(),
                    line: index + 1,
                });
            }
            if at > start {
                chunks.push(Chunk {
                    text: text.get(start..at).unwrap_or_default(),
                    line: start_line,
                });
                start = at + line.len();
                start_line = index + 2;
            }
        }
        at += line.len();
    }
    if at > start {
        chunks.push(Chunk {
            text: text.get(start..at).unwrap_or_default(),
            line: start_line,
        });
    }
    Ok(chunks)
}
