// SPDX-License-Identifier: Apache-2.0
//! The directory of a store: created for its owner only, and checked to be so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};

/// The file that LMDB keeps everything in.
pub(super) const DATA: &str = "data.mdb";

/// Creates the directory if need be and gives its absolute path.
pub(super) fn prepare(directory: &Path, read_only: bool) -> Result<PathBuf> {
    if !read_only && let Err(error) = create(directory) {
        return Err(match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Error::ReadOnly {
                path: directory.to_owned(),
                reason: error.to_string(),
            },
            _ => failed("create", directory, error),
        });
    }
    let directory = directory
        .canonicalize()
        .map_err(|error| failed("open", directory, error))?;
    check_file_system(&directory)?;
    check_permissions(&directory.join(DATA))?;
    Ok(directory)
}

#[cfg(unix)]
fn create(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.is_dir() {
        return Ok(());
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(not(unix))]
fn create(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

/// Creates a file that only its owner can read.
pub(super) fn create_private(path: &Path, new: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).create_new(new);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

/// Refuses a store that others can read: there are secrets in it.
#[cfg(unix)]
fn check_permissions(data: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = match fs::metadata(data) {
        Ok(metadata) => metadata.permissions().mode() & 0o777,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("open", data, error)),
    };
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(Error::TooOpen {
            path: data.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn check_permissions(_data: &Path) -> Result<()> {
    Ok(())
}

/// Refuses network file systems: their maps do not show what other machines write.
#[cfg(target_os = "linux")]
fn check_file_system(directory: &Path) -> Result<()> {
    const NETWORK: [(u32, &str); 6] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x5346_414f, "AFS"),
        (0x00c3_6400, "Ceph"),
    ];
    let kind = rustix::fs::statfs(directory)
        .map_err(|error| failed("examine", directory, error.into()))?
        .f_type;
    match NETWORK
        .iter()
        .find(|(magic, _)| u64::from(*magic) == kind as u64)
    {
        Some((_, name)) => {
            let reason = format!("{name} cannot hold a store, choose a directory on a local disk");
            Err(failed(
                "use",
                directory,
                io::Error::new(ErrorKind::Unsupported, reason),
            ))
        }
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn check_file_system(_directory: &Path) -> Result<()> {
    Ok(())
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io {
        action,
        path: path.to_owned(),
        source: Arc::new(source),
    }
}
