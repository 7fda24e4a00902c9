// SPDX-License-Identifier: Apache-2.0
//! Which host calls a module imports. Only these are given to the interpreter: each takes about 70 bytes of RAM.

use pico_eci::{Blob, CALLS, StartError};

const IMPORT_SECTION: u8 = 2;

/// The host calls that a module imports, as a bit for each line of [`CALLS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Imports(u64);

impl Imports {
    /// The imported lines in the order of [`CALLS`].
    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..CALLS.len()).filter(move |line| self.0 & (1 << line) != 0)
    }
}

struct Reader<'a> {
    module: &'a mut dyn Blob,
    offset: u32,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, StartError> {
        let mut byte = [0];
        if self.offset >= self.module.len() {
            return Err(StartError::InvalidModule(self.offset));
        }
        self.module
            .read(self.offset, &mut byte)
            .map_err(StartError::Read)?;
        self.offset += 1;
        Ok(byte[0])
    }

    fn number(&mut self) -> Result<u32, StartError> {
        let start = self.offset;
        let mut number = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(number).map_err(|_| StartError::InvalidModule(start));
            }
        }
        Err(StartError::InvalidModule(start))
    }

    fn name<'b>(&mut self, buffer: &'b mut [u8; 31]) -> Result<&'b [u8], StartError> {
        let length = self.number()?;
        let bytes = buffer
            .get_mut(..length as usize)
            .ok_or(StartError::UnknownImport(self.offset))?;
        if length > self.module.len().saturating_sub(self.offset) {
            return Err(StartError::InvalidModule(self.offset));
        }
        self.module
            .read(self.offset, bytes)
            .map_err(StartError::Read)?;
        self.offset += length;
        Ok(bytes)
    }
}

/// Reads the imports of a module; the rest of it is not looked at, and what is wrong with it the interpreter will say.
pub(crate) fn imports(module: &mut dyn Blob) -> Result<Imports, StartError> {
    let mut reader = Reader { module, offset: 8 };
    let mut found = 0;
    while reader.offset < reader.module.len() {
        let section = reader.byte()?;
        let length = reader.number()?;
        if section != IMPORT_SECTION {
            reader.offset = reader.offset.saturating_add(length);
            continue;
        }
        for _ in 0..reader.number()? {
            let start = reader.offset;
            let (mut module, mut name) = ([0; 31], [0; 31]);
            let (module, name) = (reader.name(&mut module)?, reader.name(&mut name)?);
            let line = CALLS
                .iter()
                .position(|call| call.module.as_bytes() == module && call.name.as_bytes() == name);
            let function = reader.byte()? == 0;
            reader.number()?;
            found |= 1
                << line
                    .filter(|_| function)
                    .ok_or(StartError::UnknownImport(start))?;
        }
        break;
    }
    Ok(Imports(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Result<Vec<usize>, StartError> {
        let module = wat(text);
        imports(&mut module.as_slice()).map(|imports| imports.iter().collect())
    }

    fn wat(text: &str) -> Vec<u8> {
        pico_eci::build::assemble(text).unwrap()
    }

    #[test]
    fn imports_are_found_by_name() {
        let line = |name: &str| {
            CALLS
                .iter()
                .position(|call| format!("{}.{}", call.module, call.name) == name)
                .unwrap()
        };
        assert_eq!(lines("(module)"), Ok(vec![]));
        let two = r#"(module (import "pico:led" "set" (func (param i32) (result i32)))
            (import "pico:system" "sleep-ms" (func (param i32) (result i32))) (memory 1))"#;
        assert_eq!(
            lines(two),
            Ok(vec![line("pico:system.sleep-ms"), line("pico:led.set")])
        );
    }

    #[test]
    fn unknown_imports() {
        for text in [
            r#"(module (import "env" "abort" (func)))"#,
            r#"(module (import "pico:led" "blink" (func)))"#,
            r#"(module (import "pico:led" "set" (memory 1)))"#,
            r#"(module (import "pico:led" "a name that is much too long for a host call" (func)))"#,
        ] {
            assert!(
                matches!(lines(text), Err(StartError::UnknownImport(_))),
                "{text}: {:?}",
                lines(text)
            );
        }
    }
}
