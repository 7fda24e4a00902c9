// SPDX-License-Identifier: Apache-2.0
//! Fields that hold a domain, or a path below one: `example.com/name`.

use crate::field::{Errors, Path};
use crate::name::DomainProblem;

/// Adds what is wrong with a domain to the errors.
pub(in crate::rules) fn report(
    problems: impl IntoIterator<Item = DomainProblem>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for problem in problems {
        match problem {
            DomainProblem::Required => errors.required(path, ""),
            DomainProblem::Invalid { value, complaint } => {
                errors.invalid_text(path, &value, complaint)
            }
        }
    }
}
