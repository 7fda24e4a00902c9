// SPDX-License-Identifier: Apache-2.0
//! The name of the program in its own messages: `k1s`, or that of a program that uses the library.

use std::fmt;
use std::sync::OnceLock;

static NAME: OnceLock<&'static str> = OnceLock::new();

/// The name of the program, to be written into messages.
#[derive(Clone, Copy, Debug)]
pub struct Program;

/// The name of the program in its own messages.
pub const PROGRAM: Program = Program;

impl Program {
    /// Names the program; only the first name counts.
    pub(crate) fn name(self, name: &'static str) {
        // a process is one program
        let _ = NAME.set(name);
    }

    /// The name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAME.get().copied().unwrap_or("k1s")
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
