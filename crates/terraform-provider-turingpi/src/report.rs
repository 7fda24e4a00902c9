// SPDX-License-Identifier: Apache-2.0
//! Errors of a board for the user: what failed, why, and what to do.

use tfplugin::{Diagnostics, Path};
use turingpi_bmc::Error;

/// Tells an error.
pub(crate) fn error(diagnostics: &mut Diagnostics, what: &str, error: &Error) {
    diagnostics.error(what, detail(error));
}

/// Tells an error about an attribute.
pub(crate) fn error_at(diagnostics: &mut Diagnostics, at: &str, what: &str, error: &Error) {
    diagnostics.error_at(&Path::of(at), what, detail(error));
}

/// Tells that something could not be read: a warning where nobody answered, for nothing was learnt; an error otherwise.
pub(crate) fn unread(diagnostics: &mut Diagnostics, what: &str, error: &Error) {
    if error.is_unreachable() {
        diagnostics.warning(
            format!("{what} is not known"),
            format!("{} The plan goes by what was known before.", detail(error)),
        );
    } else {
        diagnostics.error(format!("{what} cannot be read"), detail(error));
    }
}

/// The whole chain, then what to do.
pub(crate) fn detail(error: &Error) -> String {
    chain(error, error.hint())
}

/// An error with its causes, then what to do.
pub(crate) fn chain(error: &dyn std::error::Error, hint: Option<&str>) -> String {
    let mut text = capitalized(&error.to_string());
    let mut cause = error.source();
    while let Some(e) = cause {
        text.push_str(": ");
        text.push_str(&e.to_string());
        cause = e.source();
    }
    text.push('.');
    if let Some(hint) = hint {
        text.push_str("\n\n");
        text.push_str(&capitalized(hint));
        text.push('.');
    }
    text
}

/// Tells that the user wanted no more while the board was waited for.
pub(crate) fn stopped(diagnostics: &mut Diagnostics, what: &str) {
    diagnostics.error(
        what,
        "Stopped while the board was waited for. The next plan reads what became of it.",
    );
}

/// A sentence from its beginning; one that begins with a name of something else than words stays as it is.
fn capitalized(text: &str) -> String {
    let word = text.split(' ').next().unwrap_or_default();
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if word.chars().all(char::is_alphabetic) => {
            first.to_uppercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
