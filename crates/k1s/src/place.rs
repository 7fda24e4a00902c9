// SPDX-License-Identifier: Apache-2.0
//! Where a user's files are: the data directory with its store and its keys, and the user's own kubeconfig.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use k1s_cli::flag::{Flag, Parsed};
use k1s_store::{Options, Store};

/// The flag of commands that can do without a directory.
pub(crate) const MEMORY: Flag = Flag::switch(
    "memory",
    "Keep objects in memory only; they are gone with the process.",
);

/// The directory of the store's own files, inside the data directory.
const STORE: &str = "store";

/// The data directory that the flags name; `None` for memory.
pub(crate) fn directory(flags: &Parsed) -> Result<Option<PathBuf>> {
    let given = flags.text("data-dir");
    match (flags.on("memory"), given.is_empty()) {
        (true, false) => bail!("--memory and --data-dir exclude each other"),
        (true, true) => Ok(None),
        (false, false) => Ok(Some(given.into())),
        (false, true) => default_directory().map(Some),
    }
}

/// Where the store of a data directory is.
pub(crate) fn store_of(directory: &Path) -> PathBuf {
    directory.join(STORE)
}

/// Where the keys of a data directory are.
pub(crate) fn keys_of(directory: &Path) -> PathBuf {
    directory.join("pki")
}

/// Whether a data directory has a store.
pub(crate) fn has_store(directory: &Path) -> bool {
    store_of(directory).is_dir()
}

/// How many bytes the store of a data directory takes on the disk.
pub(crate) fn size_of_store(directory: &Path) -> Result<u64> {
    let store = store_of(directory);
    let entries =
        std::fs::read_dir(&store).with_context(|| format!("cannot read {}", store.display()))?;
    let mut blocks = 0;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", store.display()))?;
        let metadata = entry
            .metadata()
            .with_context(|| format!("cannot read {}", entry.path().display()))?;
        blocks += std::os::unix::fs::MetadataExt::blocks(&metadata);
    }
    // The system counts in blocks of 512 bytes, whatever the disk's own are.
    Ok(blocks * 512)
}

/// Opens the store of a data directory, and makes both when they are not there.
pub(crate) fn open(directory: &Path, options: Options) -> Result<Arc<dyn Store>> {
    private_file::directory(directory)?;
    k1s_store::exit_on_damage();
    let path = directory.join(STORE);
    k1s_store::open(&path, options)
        .with_context(|| format!("cannot open the store in {}", directory.display()))
}

/// `$XDG_DATA_HOME/k1s`, or `~/.local/share/k1s`.
pub(crate) fn default_directory() -> Result<PathBuf> {
    match env::var_os("XDG_DATA_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
    {
        Some(dir) => Ok(dir.join("k1s")),
        None => Ok(home()?.join(".local/share/k1s")),
    }
}

/// The kubeconfig that kubectl would write to: the first of `$KUBECONFIG`, or `~/.kube/config`.
pub(crate) fn users_kubeconfig() -> Result<PathBuf> {
    let listed = env::var_os("KUBECONFIG");
    let first =
        listed.and_then(|list| env::split_paths(&list).find(|path| !path.as_os_str().is_empty()));
    match first {
        Some(path) => Ok(path),
        None => Ok(home()?.join(".kube/config")),
    }
}

/// A path as a person would write it: `~` for the home directory.
pub(crate) fn short(path: &Path) -> String {
    match home()
        .ok()
        .and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned))
    {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    }
}

fn home() -> Result<PathBuf> {
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    home.map(PathBuf::from)
        .context("HOME is not set: say where to keep data with --data-dir")
}
