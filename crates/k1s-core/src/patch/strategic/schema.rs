// SPDX-License-Identifier: Apache-2.0
//! What a strategic merge patch has to know about a type.

/// How a field is merged. All `false` means: maps key by key, lists as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct PatchStrategy {
    /// Lists are merged element by element.
    pub merge: bool,
    /// The patch's map replaces the other as a whole.
    pub replace: bool,
    /// A computed patch lists the keys that stay, since others exclude each other.
    pub retain_keys: bool,
}

/// What a schema says of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchField<S> {
    /// How the field is merged.
    pub strategy: PatchStrategy,
    /// For lists of maps that are merged: the key whose value names an element.
    pub merge_key: Option<&'static str>,
    /// The schema of the field's map, or of the elements of its list.
    pub child: S,
}

/// The merge rules of a type: a handle that is cheap to copy.
pub trait PatchSchema: Copy {
    /// The field of this name; nothing when the type has no such field, as free-form maps have none.
    fn field(self, name: &str) -> Option<PatchField<Self>>;
}
