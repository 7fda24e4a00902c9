// SPDX-License-Identifier: Apache-2.0
//! Files as a user reaches them: relative paths, links, permissions.

use crate::files::{Bytes, Content, Entry, Errno, PATH_BYTES, join, parent};
use crate::machine::Machine;

/// How many links a path may lead through.
const LINKS: usize = 40;

/// What somebody wants of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read = 4,
    Write = 2,
    Execute = 1,
}

impl Machine {
    /// The clean path that a path means: absolute, without `.`, `..` and links. The last name need not be there.
    ///
    /// # Errors
    /// When it leads through what is no directory, through too many links, or through what the user may not search.
    pub(crate) fn resolve(
        &self,
        who: &str,
        cwd: &str,
        path: &str,
        follow: bool,
    ) -> Result<String, Errno> {
        if path.is_empty() {
            return Err(Errno::NotFound);
        }
        if path.len() > PATH_BYTES {
            return Err(Errno::NameTooLong);
        }
        let mut left: Vec<String> = Vec::new();
        let push = |left: &mut Vec<String>, path: &str| {
            left.extend(
                path.split('/')
                    .rev()
                    .filter(|p| !p.is_empty())
                    .map(str::to_owned),
            );
        };
        push(&mut left, path);
        let mut at = if path.starts_with('/') {
            "/".to_owned()
        } else {
            cwd.to_owned()
        };
        let mut links = 0;
        while let Some(part) = left.pop() {
            match self.entry(&at) {
                None => return Err(Errno::NotFound),
                Some(entry) if !entry.is_directory() => return Err(Errno::NotDirectory),
                Some(entry) if !self.may(who, entry, Access::Execute) => return Err(Errno::Denied),
                Some(_) => {}
            }
            match part.as_str() {
                "." => continue,
                ".." => {
                    at = parent(&at).to_owned();
                    continue;
                }
                _ => {}
            }
            let next = join(&at, &part);
            if let Some(Entry {
                content: Content::Link(to),
                ..
            }) = self.entry(&next)
                && (follow || !left.is_empty() || path.ends_with('/'))
            {
                links += 1;
                if links > LINKS {
                    return Err(Errno::Links);
                }
                if to.starts_with('/') {
                    "/".clone_into(&mut at);
                }
                push(&mut left, to);
                continue;
            }
            at = next;
        }
        if path.ends_with('/') && self.entry(&at).is_some_and(|e| !e.is_directory()) {
            return Err(Errno::NotDirectory);
        }
        Ok(at)
    }

    /// Whether a user may do something with an entry.
    pub(crate) fn may(&self, who: &str, entry: &Entry, access: Access) -> bool {
        if who == "root" {
            return access != Access::Execute || entry.is_directory() || entry.mode & 0o111 != 0;
        }
        let bits = if entry.owner == who {
            entry.mode >> 6
        } else if entry.group == who || self.groups(who).contains(&entry.group) {
            entry.mode >> 3
        } else {
            entry.mode
        };
        bits & access as u16 != 0
    }

    /// An entry that must be there.
    pub(crate) fn stat(
        &self,
        who: &str,
        cwd: &str,
        path: &str,
        follow: bool,
    ) -> Result<(String, &Entry), Errno> {
        let path = self.resolve(who, cwd, path, follow)?;
        let entry = self.entry(&path).ok_or(Errno::NotFound)?;
        Ok((path, entry))
    }

    /// The bytes of a file.
    pub(crate) fn read(&self, who: &str, cwd: &str, path: &str) -> Result<Vec<u8>, Errno> {
        let (_, entry) = self.stat(who, cwd, path, true)?;
        if !self.may(who, entry, Access::Read) {
            return Err(Errno::Denied);
        }
        match &entry.content {
            Content::File(bytes) => Ok(bytes.0.clone()),
            Content::Directory => Err(Errno::IsDirectory),
            Content::Link(_) | Content::Device => Ok(Vec::new()),
        }
    }

    /// Whether the user may change the names in the directory of a clean path.
    fn may_change_names(&self, who: &str, path: &str) -> Result<(), Errno> {
        let above = parent(path);
        let entry = self.entry(above).ok_or(Errno::NotFound)?;
        if !entry.is_directory() {
            return Err(Errno::NotDirectory);
        }
        if !self.may(who, entry, Access::Write) {
            return Err(Errno::Denied);
        }
        // in a sticky directory a name belongs to its owner
        let sticky = entry.mode & 0o1000 != 0 && who != "root" && entry.owner != who;
        match self.entry(path) {
            Some(entry) if sticky && entry.owner != who => Err(Errno::NotPermitted),
            _ => Ok(()),
        }
    }

    fn put(&mut self, path: &str, entry: Entry) -> Result<(), Errno> {
        let (volume, inner) = self.place(path);
        let inner = inner.to_owned();
        self.tree_mut(volume).put(&inner, entry)
    }

    /// Opens a file to be written to: made when it is not there, emptied unless bytes are to be added. Gives its clean path.
    pub(crate) fn open(
        &mut self,
        who: &str,
        cwd: &str,
        path: &str,
        keep: bool,
        mode: u16,
    ) -> Result<String, Errno> {
        let path = self.resolve(who, cwd, path, true)?;
        let now = self.seconds();
        match self.entry(&path) {
            None => {
                self.may_change_names(who, &path)?;
                let entry = Entry::new(Content::File(Bytes::default()), mode, who, now);
                self.put(&path, entry)?;
            }
            Some(entry) if entry.is_directory() => return Err(Errno::IsDirectory),
            Some(entry) if !self.may(who, entry, Access::Write) => return Err(Errno::Denied),
            Some(entry) => {
                if !keep && matches!(entry.content, Content::File(_)) {
                    let (volume, inner) = self.place(&path);
                    let inner = inner.to_owned();
                    self.tree_mut(volume).amend(&inner, |e| {
                        e.content = Content::File(Bytes::default());
                        e.modified = now;
                    })?;
                }
            }
        }
        Ok(path)
    }

    /// Adds bytes to a file that was opened; a device takes them and forgets them.
    pub(crate) fn append(&mut self, path: &str, bytes: &[u8]) -> Result<(), Errno> {
        let now = self.seconds();
        let (volume, inner) = self.place(path);
        let inner = inner.to_owned();
        let tree = self.tree_mut(volume);
        match tree.entry(&inner).map(|e| &e.content) {
            Some(Content::Device) => Ok(()),
            _ => tree.append(&inner, bytes, now),
        }
    }

    /// Writes a whole file.
    pub(crate) fn write(
        &mut self,
        who: &str,
        cwd: &str,
        path: &str,
        bytes: &[u8],
        mode: u16,
    ) -> Result<(), Errno> {
        let path = self.open(who, cwd, path, false, mode)?;
        self.append(&path, bytes)
    }

    /// Makes a name that is not there yet.
    pub(crate) fn make(
        &mut self,
        who: &str,
        cwd: &str,
        path: &str,
        content: Content,
        mode: u16,
    ) -> Result<(), Errno> {
        let path = self.resolve(who, cwd, path.trim_end_matches('/'), false)?;
        if self.entry(&path).is_some() {
            return Err(Errno::Exists);
        }
        self.may_change_names(who, &path)?;
        let entry = Entry::new(content, mode, who, self.seconds());
        self.put(&path, entry)
    }

    /// Takes a name away; a directory only with `all`, or when it is empty and `directory` is wanted.
    pub(crate) fn remove(
        &mut self,
        who: &str,
        cwd: &str,
        path: &str,
        all: bool,
        directory: bool,
    ) -> Result<(), Errno> {
        let (path, entry) = self.stat(who, cwd, path.trim_end_matches('/'), false)?;
        let is_directory = entry.is_directory();
        if is_directory && !all && !directory {
            return Err(Errno::IsDirectory);
        }
        if !is_directory && directory && !all {
            return Err(Errno::NotDirectory);
        }
        if self.is_busy(&path) {
            return Err(Errno::Busy);
        }
        if is_directory && !all && !self.names(&path).is_empty() {
            return Err(Errno::NotEmpty);
        }
        self.may_change_names(who, &path)?;
        let (volume, inner) = self.place(&path);
        let inner = inner.to_owned();
        self.tree_mut(volume).remove(&inner);
        Ok(())
    }

    /// Whether something is mounted at a path or below it.
    fn is_busy(&self, path: &str) -> bool {
        let below = |at: &str| path == "/" || at == path || at.starts_with(&format!("{path}/"));
        self.mounted.as_deref().is_some_and(below)
            || ["/proc", "/sys", "/dev", "/run", "/tmp"].contains(&path)
            || path == "/"
    }

    /// Copies an entry with all below it to a path that need not be there.
    pub(crate) fn copy(
        &mut self,
        who: &str,
        from: &str,
        to: &str,
        keep: bool,
    ) -> Result<(), Errno> {
        if to == from || to.starts_with(&format!("{from}/")) {
            return Err(Errno::Invalid);
        }
        let below: Vec<String> = {
            let (volume, inner) = self.place(from);
            let length = inner.trim_end_matches('/').len();
            self.tree(volume)
                .below(inner)
                .map(|p| p[length..].to_owned())
                .collect()
        };
        for rest in std::iter::once(String::new()).chain(below) {
            let source = format!("{}{rest}", from.trim_end_matches('/'));
            let source = if source.is_empty() { "/" } else { &source };
            let mut entry = self.entry(source).ok_or(Errno::NotFound)?.clone();
            if !self.may(who, &entry, Access::Read) {
                return Err(Errno::Denied);
            }
            if !keep {
                entry.owner = who.to_owned();
                entry.group = who.to_owned();
                entry.modified = self.seconds();
            }
            let target = format!("{to}{rest}");
            self.may_change_names(who, &target)?;
            match (
                self.entry(&target).map(Entry::is_directory),
                entry.is_directory(),
            ) {
                (Some(true), true) => {}
                (Some(true), false) => return Err(Errno::IsDirectory),
                (Some(false), true) => return Err(Errno::NotDirectory),
                _ => self.put(&target, entry)?,
            }
        }
        Ok(())
    }

    /// Gives a clean path another name, on another volume by copying.
    pub(crate) fn rename(&mut self, who: &str, from: &str, to: &str) -> Result<(), Errno> {
        if self.is_busy(from) {
            return Err(Errno::Busy);
        }
        self.may_change_names(who, from)?;
        self.may_change_names(who, to)?;
        match (self.entry(from), self.entry(to)) {
            (None, _) => return Err(Errno::NotFound),
            (Some(a), Some(b)) if b.is_directory() && !a.is_directory() => {
                return Err(Errno::IsDirectory);
            }
            (Some(a), Some(b)) if a.is_directory() && !b.is_directory() => {
                return Err(Errno::NotDirectory);
            }
            (Some(_), Some(b)) if b.is_directory() && !self.names(to).is_empty() => {
                return Err(Errno::NotEmpty);
            }
            _ => {}
        }
        let ((source, a), (target, b)) = (self.place(from), self.place(to));
        let (a, b) = (a.to_owned(), b.to_owned());
        if source == target {
            return self.tree_mut(source).rename(&a, &b);
        }
        self.copy(who, from, to, true)?;
        self.tree_mut(source).remove(&a);
        Ok(())
    }

    /// Changes what is said about an entry; only its owner may.
    pub(crate) fn amend(
        &mut self,
        who: &str,
        path: &str,
        change: impl FnOnce(&mut Entry),
    ) -> Result<(), Errno> {
        let entry = self.entry(path).ok_or(Errno::NotFound)?;
        if who != "root" && entry.owner != who {
            return Err(Errno::NotPermitted);
        }
        let (volume, inner) = self.place(path);
        let inner = inner.to_owned();
        self.tree_mut(volume).amend(&inner, change)
    }
}
