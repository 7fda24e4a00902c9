// SPDX-License-Identifier: Apache-2.0
//! A file tree in memory: one volume, with owners, modes and symbolic links, bounded in bytes and in names.
//!
//! Paths are absolute within the volume and free of `.`, `..` and links; [`crate::paths`] makes them so.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The bytes that a volume really holds at most, whatever size it says it has.
pub const VOLUME_BYTES: u64 = 128 << 20;
/// The names that a volume holds at most.
pub const VOLUME_NAMES: usize = 20_000;
/// The longest path in bytes.
pub(crate) const PATH_BYTES: usize = 4096;

/// Why the kernel says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errno {
    /// ENOENT.
    NotFound,
    /// EEXIST.
    Exists,
    /// ENOTDIR.
    NotDirectory,
    /// EISDIR.
    IsDirectory,
    /// ENOTEMPTY.
    NotEmpty,
    /// EACCES.
    Denied,
    /// EPERM.
    NotPermitted,
    /// ENOSPC.
    NoSpace,
    /// ELOOP.
    Links,
    /// ENAMETOOLONG.
    NameTooLong,
    /// EBUSY.
    Busy,
    /// EINVAL.
    Invalid,
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "No such file or directory",
            Self::Exists => "File exists",
            Self::NotDirectory => "Not a directory",
            Self::IsDirectory => "Is a directory",
            Self::NotEmpty => "Directory not empty",
            Self::Denied => "Permission denied",
            Self::NotPermitted => "Operation not permitted",
            Self::NoSpace => "No space left on device",
            Self::Links => "Too many levels of symbolic links",
            Self::NameTooLong => "File name too long",
            Self::Busy => "Device or resource busy",
            Self::Invalid => "Invalid argument",
        })
    }
}

impl std::error::Error for Errno {}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// Bytes.
    File(Bytes),
    /// More names.
    Directory,
    /// Another path.
    Link(String),
    /// A device; what is read from it is nothing.
    Device,
}

/// Bytes of a file; as base64 where the tree is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

/// A name's entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What it stands for.
    pub content: Content,
    /// Permission bits.
    pub mode: u16,
    /// Owner, by name.
    pub owner: String,
    /// Group, by name.
    pub group: String,
    /// When it was changed, in seconds since 1970.
    pub modified: u64,
}

impl Entry {
    /// An entry of one owner, who gives its name to the group, too.
    #[must_use]
    pub fn new(content: Content, mode: u16, owner: &str, modified: u64) -> Self {
        Self {
            content,
            mode,
            owner: owner.into(),
            group: owner.into(),
            modified,
        }
    }

    /// Its size in bytes, as `ls` tells it.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.content {
            Content::File(bytes) => bytes.0.len() as u64,
            Content::Directory => 4096,
            Content::Link(to) => to.len() as u64,
            Content::Device => 0,
        }
    }

    /// Whether it holds names.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.content == Content::Directory
    }

    /// Permission bits with the letter of its type, as `ls -l` shows them.
    #[must_use]
    pub fn mode_string(&self) -> String {
        let kind = match self.content {
            Content::File(_) => '-',
            Content::Directory => 'd',
            Content::Link(_) => 'l',
            Content::Device => 'b',
        };
        let mut text = String::from(kind);
        for (i, letter) in "rwxrwxrwx".chars().enumerate() {
            let set = self.mode >> (8 - i) & 1 == 1;
            text.push(if set { letter } else { '-' });
        }
        if self.mode & 0o1000 != 0 {
            text.pop();
            text.push('t');
        }
        text
    }
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    entries: BTreeMap<String, Entry>,
    #[serde(skip)]
    bytes: u64,
}

impl Default for Tree {
    fn default() -> Self {
        let root = Entry::new(Content::Directory, 0o755, "root", 0);
        Self {
            entries: [("/".to_owned(), root)].into(),
            bytes: 0,
        }
    }
}

/// The directory that a path is in.
#[must_use]
pub(crate) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(i) => &path[..i],
    }
}

/// The last name of a path.
#[must_use]
pub(crate) fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path below another one.
#[must_use]
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory == "/" {
        format!("/{name}")
    } else {
        format!("{directory}/{name}")
    }
}

/// What all paths below a directory begin with.
fn prefix(directory: &str) -> String {
    if directory == "/" {
        "/".into()
    } else {
        format!("{directory}/")
    }
}

impl Tree {
    /// Counts anew what it holds, after it was read from where it was written down.
    pub fn recount(&mut self) {
        self.bytes = self.entries.values().map(Self::weight).sum();
    }

    fn weight(entry: &Entry) -> u64 {
        match &entry.content {
            Content::File(bytes) => bytes.0.len() as u64,
            _ => 0,
        }
    }

    /// The bytes of its files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What a path stands for.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Changes what is said about a name, not what it holds.
    pub fn amend(&mut self, path: &str, change: impl FnOnce(&mut Entry)) -> Result<(), Errno> {
        let entry = self.entries.get_mut(path).ok_or(Errno::NotFound)?;
        let before = Self::weight(entry);
        change(entry);
        self.bytes = self.bytes - before + Self::weight(entry);
        Ok(())
    }

    /// The names in a directory.
    pub fn names(&self, directory: &str) -> impl Iterator<Item = &str> {
        let prefix = prefix(directory);
        let length = prefix.len();
        self.below(directory)
            .filter(move |path| !path[length..].contains('/'))
            .map(move |path| &path[length..])
    }

    /// All paths below a directory.
    pub fn below(&self, directory: &str) -> impl Iterator<Item = &str> {
        let prefix = prefix(directory);
        self.entries
            .range(prefix.clone()..)
            .map(|(path, _)| path.as_str())
            .take_while(move |path| path.starts_with(&prefix))
            .filter(|path| *path != "/")
    }

    /// Puts an entry at a path whose directory is there, in place of what was there.
    ///
    /// # Errors
    /// When the directory is none, or there is no room.
    pub fn put(&mut self, path: &str, entry: Entry) -> Result<(), Errno> {
        if path.len() > PATH_BYTES || name(path).len() > 255 {
            return Err(Errno::NameTooLong);
        }
        match self.entries.get(parent(path)) {
            None => return Err(Errno::NotFound),
            Some(parent) if !parent.is_directory() => return Err(Errno::NotDirectory),
            Some(_) => {}
        }
        let before = self.entries.get(path).map_or(0, Self::weight);
        let after = self.bytes - before + Self::weight(&entry);
        let names = self.entries.len() + usize::from(!self.entries.contains_key(path));
        if after > VOLUME_BYTES || names > VOLUME_NAMES {
            return Err(Errno::NoSpace);
        }
        self.bytes = after;
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Adds bytes to the end of a file.
    ///
    /// # Errors
    /// When it is none, or there is no room.
    pub fn append(&mut self, path: &str, more: &[u8], now: u64) -> Result<(), Errno> {
        if self.bytes + more.len() as u64 > VOLUME_BYTES {
            return Err(Errno::NoSpace);
        }
        let entry = self.entries.get_mut(path).ok_or(Errno::NotFound)?;
        match &mut entry.content {
            Content::File(bytes) => bytes.0.extend_from_slice(more),
            Content::Directory => return Err(Errno::IsDirectory),
            Content::Link(_) | Content::Device => return Err(Errno::Invalid),
        }
        entry.modified = now;
        self.bytes += more.len() as u64;
        Ok(())
    }

    /// Takes a name away with all below it.
    pub fn remove(&mut self, path: &str) {
        let paths: Vec<String> = self.below(path).map(str::to_owned).collect();
        for path in paths.iter().map(String::as_str).chain([path]) {
            if path != "/"
                && let Some(entry) = self.entries.remove(path)
            {
                self.bytes -= Self::weight(&entry);
            }
        }
    }

    /// Gives a name and all below it another path. What was there is replaced.
    ///
    /// # Errors
    /// When the new path is below the old one, or its directory is none.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        if from == to {
            return Ok(());
        }
        if from == "/" || to.starts_with(&prefix(from)) {
            return Err(Errno::Invalid);
        }
        let entry = self.entries.get(from).ok_or(Errno::NotFound)?.clone();
        let below: Vec<String> = self.below(from).map(str::to_owned).collect();
        self.remove(to);
        self.put_moved(to, entry)?;
        for path in &below {
            if let Some(entry) = self.entries.remove(path) {
                let new = format!("{to}{}", &path[from.len()..]);
                self.entries.insert(new, entry);
            }
        }
        self.entries.remove(from);
        Ok(())
    }

    /// As [`Self::put`], for what is counted already.
    fn put_moved(&mut self, path: &str, entry: Entry) -> Result<(), Errno> {
        if path.len() > PATH_BYTES || name(path).len() > 255 {
            return Err(Errno::NameTooLong);
        }
        match self.entries.get(parent(path)) {
            Some(parent) if parent.is_directory() => {}
            Some(_) => return Err(Errno::NotDirectory),
            None => return Err(Errno::NotFound),
        }
        self.entries.insert(path.to_owned(), entry);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Entry {
        Entry::new(Content::File(Bytes(text.into())), 0o644, "root", 1)
    }

    fn directory() -> Entry {
        Entry::new(Content::Directory, 0o755, "root", 1)
    }

    #[test]
    fn names_go_with_their_directory() {
        let mut tree = Tree::default();
        tree.put("/a", directory()).unwrap();
        tree.put("/a/b", directory()).unwrap();
        tree.put("/a/b/c", file("12345")).unwrap();
        tree.put("/ab", file("x")).unwrap();
        assert_eq!(tree.names("/").collect::<Vec<_>>(), ["a", "ab"]);
        assert_eq!(tree.put("/none/x", file("")), Err(Errno::NotFound));
        assert_eq!(tree.put("/ab/x", file("")), Err(Errno::NotDirectory));
        assert_eq!(tree.rename("/a", "/a/b/d"), Err(Errno::Invalid));
        tree.rename("/a", "/z").unwrap();
        assert_eq!(
            tree.below("/").collect::<Vec<_>>(),
            ["/ab", "/z", "/z/b", "/z/b/c"]
        );
        assert_eq!(tree.bytes(), 6);
        tree.remove("/z");
        assert_eq!(tree.bytes(), 1);
        let text = serde_json::to_string(&tree).unwrap();
        let mut again: Tree = serde_json::from_str(&text).unwrap();
        again.recount();
        assert_eq!(again, tree);
    }

    #[test]
    fn a_volume_ends_somewhere() {
        let mut tree = Tree::default();
        tree.put("/f", file("")).unwrap();
        let piece = vec![b'x'; 1 << 20];
        let mut added = 0;
        while tree.append("/f", &piece, 1).is_ok() {
            added += 1;
        }
        assert_eq!(added, VOLUME_BYTES >> 20);
        assert_eq!(tree.append("/f", b"x", 1), Err(Errno::NoSpace));
        tree.remove("/f");
        let mut names = 0;
        while tree.put(&format!("/{names}"), file("")).is_ok() {
            names += 1;
        }
        assert_eq!(names, VOLUME_NAMES - 1);
        assert_eq!(
            tree.put(&format!("/{}", "x".repeat(256)), file("")),
            Err(Errno::NameTooLong)
        );
    }
}
