// SPDX-License-Identifier: Apache-2.0
//! The editor of the person at the terminal, on a file that only they can read.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use k1s_core::quote::Quoted;

use crate::PROGRAM;
use crate::error::{Error, Result};

/// A file to edit. It stays until [`Draft::remove`], so that nothing typed is lost.
pub(crate) struct Draft {
    path: PathBuf,
}

impl Draft {
    /// Writes a new file; the ending tells the editor what is in it.
    pub(crate) fn new(ending: &str, content: &str) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let failed =
            |e: std::io::Error| Error::message(format!("cannot write a file to edit: {e}"));
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{PROGRAM}-edit-{}{count}.{ending}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match create(&path) {
                Ok(mut file) => {
                    file.write_all(content.as_bytes()).map_err(failed)?;
                    return Ok(Self { path });
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }

    /// Opens the editor and gives what the file holds afterwards.
    pub(crate) fn edit(&self) -> Result<String> {
        let (editor, words) = editor();
        let mut command = Command::new(&words[0]);
        if words.len() > 1 && words[1] == "-c" {
            command.arg("-c").arg(format!(
                "{editor} {}",
                Quoted(&self.path.display().to_string())
            ));
        } else {
            command.args(&words[1..]).arg(&self.path);
        }
        match command.status() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !words[0].contains('/') => {
                return Err(Error::message(format!(
                    "unable to launch the editor {}",
                    Quoted(&editor)
                )));
            }
            Ok(status) if status.success() => {}
            _ => {
                let shell = match words.get(1).map(String::as_str) {
                    Some("-c") => format!("{} -c ", words[0]),
                    _ => String::new(),
                };
                return Err(Error::message(format!(
                    "there was a problem with the editor {}",
                    Quoted(&format!("{shell}{editor}"))
                )));
            }
        }
        std::fs::read_to_string(&self.path)
            .map_err(|e| Error::message(format!("cannot read {}: {e}", self.path.display())))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file.
    pub(crate) fn remove(&self) {
        // A file that is gone already is as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The editor as the environment names it, and the words to start it with; one with quotes goes through the shell.
fn editor() -> (String, Vec<String>) {
    let named = ["KUBE_EDITOR", "EDITOR"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    let editor = named.unwrap_or_else(|| "vi".to_owned());
    let words = words(&editor);
    (editor, words)
}

fn words(editor: &str) -> Vec<String> {
    if editor.contains(['"', '\'', '\\']) && editor.contains(' ') {
        return vec!["/bin/sh".to_owned(), "-c".to_owned()];
    }
    editor
        .split(' ')
        .filter(|w| !w.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_need_a_shell() {
        let check = |editor: &str, wanted: &[&str]| assert_eq!(words(editor), wanted, "{editor}");
        check("vi", &["vi"]);
        check("code --wait", &["code", "--wait"]);
        check("sed -i 's/a/b/'", &["/bin/sh", "-c"]);
    }
}
