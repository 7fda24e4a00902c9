// SPDX-License-Identifier: Apache-2.0
//! A shell: what provisioning sends, run as a login shell would. Scripts become trees ([`parse`]), trees run ([`run`]); commands with a
//! program of their own are in [`crate::commands`].

mod arithmetic;
mod builtins;
mod expand;
mod parse;
pub(crate) mod pattern;
mod printf;
mod programs;
mod run;
mod scp;
mod streams;
mod test;
#[cfg(test)]
mod tests;

pub(crate) use programs::PROGRAMS;
pub(crate) use run::Shell;

/// The words of a line in which nothing but quotes means something: a unit's command line.
///
/// # Errors
/// When a quote is not closed.
pub(crate) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(c) = letters.next() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('\\', None | Some('"')) => word.get_or_insert_default().extend(letters.next()),
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, _) => word.get_or_insert_default().push(c),
        }
    }
    if let Some(quote) = quote {
        return Err(format!("a {quote} is not closed"));
    }
    words.extend(word);
    Ok(words)
}
