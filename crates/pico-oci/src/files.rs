// SPDX-License-Identifier: Apache-2.0
//! Files: keys, modules, bundles.

use std::io::{Read, Write};
use std::path::Path;

use pico_eci::PublicKey;
use pico_eci::build::{SigningKey, assemble, build, sign};

use crate::error::{Error, Result};

/// No file that is read here is larger.
const LIMIT: u64 = 4 * 1024 * 1024;

/// Reads a file of at most 4 MiB.
///
/// # Errors
/// [`Error::File`], [`Error::TooLarge`].
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::File {
        what: "read",
        path: path.into(),
        source,
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::TooLarge {
            path: path.into(),
            limit: LIMIT,
        });
    }
    Ok(bytes)
}

/// Writes a file.
///
/// # Errors
/// [`Error::File`].
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|source| Error::File {
        what: "write",
        path: path.into(),
        source,
    })
}

/// Makes a signing key: `path` gets the secret half and may be read by its owner alone, `path` with `.pub` the public one.
/// A key that is there already is never overwritten.
///
/// # Errors
/// [`Error::File`], [`Error::Random`].
pub fn new_key(path: &Path) -> Result<PublicKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|_| Error::Random)?;
    let key = SigningKey::from_seed(seed)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let failed = |source| Error::File {
        what: "write",
        path: path.into(),
        source,
    };
    options
        .open(path)
        .and_then(|mut file| file.write_all(key.secret_text().as_bytes()))
        .map_err(failed)?;
    write(
        &path.with_added_extension("pub"),
        format!("{}\n", key.public()).as_bytes(),
    )?;
    Ok(key.public())
}

/// The signing key in a file.
///
/// # Errors
/// [`Error::ExposedKey`] when others may read it, [`Error::Key`].
pub fn signing_key(path: &Path) -> Result<SigningKey> {
    #[cfg(unix)]
    if let Ok(metadata) = std::fs::metadata(path)
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
    {
        return Err(Error::ExposedKey(path.into()));
    }
    let text = String::from_utf8(read(path)?).unwrap_or_default();
    SigningKey::parse(&text).map_err(|_| Error::Key {
        path: path.into(),
        form: "ed25519-secret:…",
    })
}

/// The public keys in a file, one a line; empty lines and those that begin with `#` are left out.
///
/// # Errors
/// [`Error::Key`].
pub fn public_keys(path: &Path) -> Result<Vec<PublicKey>> {
    let refused = || Error::Key {
        path: path.into(),
        form: "ed25519:…",
    };
    let text = String::from_utf8(read(path)?).map_err(|_| refused())?;
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.parse().map_err(|_| refused()))
        .collect()
}

/// Builds an image from a config (JSON) and a module, as bytes or as text, and signs it when there is a key.
///
/// # Errors
/// [`Error::Build`] and those of the files.
pub fn build_image(config: &Path, module: &Path, key: Option<&SigningKey>) -> Result<Vec<u8>> {
    let (config, mut module) = (read(config)?, read(module)?);
    if !module.starts_with(b"\0asm") {
        let text = String::from_utf8(module).map_err(|_| {
            Error::Build(pico_eci::build::BuildError::Text(
                "the module is neither WebAssembly nor its text".into(),
            ))
        })?;
        module = assemble(&text)?;
    }
    let bundle = build(&config, &module)?;
    Ok(match key {
        Some(key) => sign(&bundle, key)?,
        None => bundle,
    })
}
