// SPDX-License-Identifier: Apache-2.0
//! Files that hold secrets: written whole or not at all, readable by their owner alone.
//!
//! Entry points: [`write()`], [`read`], [`directory`].

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;

/// Calls of [`write()`] so far.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// A file with a secret that could not be used.
#[derive(Debug, Error)]
pub enum Error {
    /// The file is there, but others may read it.
    #[error(
        "{path} may be read by others (mode {mode:04o}): it holds a secret; make it private with: chmod 600 {path}"
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The system refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Makes a directory, and those above it, that only its owner may enter. One that is there already stays as it is.
///
/// # Errors
/// [`Error::Io`] if it cannot be made.
pub fn directory(path: &Path) -> Result<(), Error> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_error("make the directory", path))
}

/// Reads a secret; `None` if there is no such file.
///
/// # Errors
/// [`Error::TooOpen`] if group or world may read or write it, [`Error::Io`] if it cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let mut file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io_error("open", path))?,
    };
    let mode = file.metadata().map_err(io_error("inspect", path))?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Error::TooOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)
        .map_err(io_error("read", path))?;
    Ok(Some(content))
}

/// Writes a secret with mode 0600: beside its place first, then renamed into it, so that nobody ever reads half of
/// it. A symbolic link stays one, and the file it points at is replaced.
///
/// # Errors
/// [`Error::Io`]; the old content is then still there.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = target
        .file_name()
        .map(ToOwned::to_owned)
        .unwrap_or_default();
    // of this process and this call: another thread may write the same file
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    name.push(format!(".{}.{call}.new", std::process::id()));
    let draft = target.with_file_name(name);
    let result = write_draft(&draft, content)
        .and_then(|()| fs::rename(&draft, &target).map_err(io_error("write", path)));
    if result.is_err() {
        let _ = fs::remove_file(&draft);
    }
    result
}

fn write_draft(draft: &Path, content: &[u8]) -> Result<(), Error> {
    let wrong = || io_error("write", draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(draft)
        .map_err(wrong())?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .map_err(wrong())?;
    // before it takes its name: after a power cut there is the old content or the new, never an empty file
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no draft is left"
        );
    }

    #[test]
    fn an_open_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::write(&path, "x").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let text = read(&path).unwrap_err().to_string();
            assert!(
                text.contains(&format!("mode {mode:04o}")) && text.contains("chmod 600"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_link_stays_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        fs::write(&real, "old").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
    }

    #[test]
    fn a_missing_file_is_none_and_a_missing_directory_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&dir.path().join("none")).unwrap().is_none());
        let text = write(&dir.path().join("none/key"), b"x")
            .unwrap_err()
            .to_string();
        assert!(text.starts_with("cannot write"), "{text}");
    }
}
