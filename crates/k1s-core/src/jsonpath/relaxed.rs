// SPDX-License-Identifier: Apache-2.0
//! Paths written in short, as custom columns, `--sort-by` and `wait` take them.

/// A path that is none of the forms that can be completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{{name1.name2}}' or '{{.name1.name2}}'"
)]
pub struct RelaxedPathError;

/// Completes `name`, `.name`, `{name}` and `{.name}` to `{.name}`; nothing stays nothing.
///
/// # Errors
/// When there is text outside the braces, or more than one pair of them.
pub fn relaxed(path: &str) -> Result<String, RelaxedPathError> {
    if path.is_empty() {
        return Ok(String::new());
    }
    let inside = path
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(path);
    let field = inside
        .strip_prefix('.')
        .filter(|field| !field.is_empty())
        .unwrap_or(inside);
    if field.is_empty() || field.contains(['{', '}']) {
        return Err(RelaxedPathError);
    }
    Ok(format!("{{.{field}}}"))
}
