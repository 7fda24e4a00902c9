// SPDX-License-Identifier: Apache-2.0
//! The kubeconfig files behind a command: read together, each change written to the file that it belongs to.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use k1s_core::quote::Quoted;

use crate::config_file::{ConfigFile, Section};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::{document, kubeconfig};

/// Files, the first of which counts where several say something of one entry.
pub(super) struct Files {
    files: Vec<(PathBuf, ConfigFile)>,
    /// What a new entry is written to.
    default: usize,
}

impl Files {
    /// Reads the files that the flags and the environment name; those that are not there are empty.
    pub(super) fn load(cx: &Context) -> Result<Self> {
        let (paths, explicit) = kubeconfig::paths(cx.globals().text("kubeconfig"));
        let default = if explicit {
            0
        } else {
            paths
                .iter()
                .position(|path| path.exists())
                .unwrap_or(paths.len().saturating_sub(1))
        };
        let mut files = Vec::new();
        for path in paths {
            let failed = |why: String| {
                Error::message(format!(
                    "error loading config file {}: {why}",
                    Quoted(&path.display().to_string())
                ))
            };
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(failed(error.to_string())),
            };
            let file = ConfigFile::from_value(&document::yaml(&bytes).map_err(failed)?);
            files.push((path, file));
        }
        Ok(Self { files, default })
    }

    /// The name of the file that new entries go to.
    pub(super) fn name(&self) -> String {
        self.files
            .get(self.default)
            .map(|(path, _)| path.display().to_string())
            .unwrap_or_default()
    }

    /// All files as one.
    pub(super) fn merged(&self) -> ConfigFile {
        let mut merged = ConfigFile::default();
        for (_, file) in &self.files {
            merged.merge(file);
        }
        merged
    }

    /// The directory that the relative paths of an entry start from.
    pub(super) fn directory(&self, section: Section, name: &str) -> PathBuf {
        let (path, _) = &self.files[self.home(section, name)];
        path.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// Writes what changed since the files were read.
    pub(super) fn save(mut self, changed: &ConfigFile) -> Result {
        let before = self.merged();
        let mut touched = vec![false; self.files.len()];
        for section in Section::ALL {
            for (name, body) in changed.entries(section) {
                if before.entries(section).get(name) != Some(body) {
                    let home = self.home(section, name);
                    self.files[home]
                        .1
                        .entries_mut(section)
                        .insert(name.clone(), body.clone());
                    touched[home] = true;
                }
            }
            for name in before
                .entries(section)
                .keys()
                .filter(|name| !changed.entries(section).contains_key(*name))
            {
                for (number, (_, file)) in self.files.iter_mut().enumerate() {
                    touched[number] |= file.entries_mut(section).remove(name).is_some();
                }
            }
        }
        if before.current_context != changed.current_context {
            let home = self
                .files
                .iter()
                .position(|(_, file)| !file.current_context.is_empty())
                .unwrap_or(self.default);
            self.files[home]
                .1
                .current_context
                .clone_from(&changed.current_context);
            touched[home] = true;
        }
        if before.preferences() != changed.preferences() {
            self.files[self.default]
                .1
                .set_preferences(changed.preferences().cloned());
            touched[self.default] = true;
        }
        for ((path, file), _) in self
            .files
            .iter()
            .zip(touched)
            .filter(|(_, touched)| *touched)
        {
            write(path, &crate::document::print_yaml(&file.to_value()))?;
        }
        Ok(())
    }

    fn home(&self, section: Section, name: &str) -> usize {
        self.files
            .iter()
            .position(|(_, file)| file.entries(section).contains_key(name))
            .unwrap_or(self.default)
    }
}

/// Writes a file with secrets in it; a new one is for its owner only.
fn write(path: &Path, text: &str) -> Result {
    let failed =
        |error: std::io::Error| Error::message(format!("open {}: {error}", path.display()));
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        std::fs::create_dir_all(directory).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(failed)
}
