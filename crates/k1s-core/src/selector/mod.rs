// SPDX-License-Identifier: Apache-2.0
//! Label and field selectors: reading, matching, printing in canonical form.
//!
//! [`LabelSelector`] is both the text form (`app in (a,b),!old`) and the object form
//! (`matchLabels`, `matchExpressions`); [`FieldSelector`] is the simpler one over fields.
//! Which fields a kind can be selected by is the kind's business, not decided here.

mod field;
mod label;
mod label_object;
mod label_parse;
#[cfg(test)]
mod tests;

pub use field::{FieldSelector, FieldSelectorError, FieldTerm};
pub use label::{LabelSelector, Labels, Operator, Requirement};
pub use label_object::format_label_selector;
pub use label_parse::LabelSelectorError;
