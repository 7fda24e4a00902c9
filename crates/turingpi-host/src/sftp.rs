// SPDX-License-Identifier: Apache-2.0
//! File transfer: the server side of SFTP version 3 (draft-ietf-secsh-filexfer-02), as OpenSSH's `scp` and `sftp` speak it. Bytes in,
//! bytes out; packets and handles are bounded.

use std::collections::HashMap;

use crate::files::{Content, Entry, Errno, join};
use crate::machine::Machine;
use crate::paths::Access;

/// The largest packet in bytes, as in OpenSSH.
const PACKET: usize = 256 << 10;
/// The most that one read answers, in bytes.
const READ: usize = 64 << 10;
/// The handles that may be open at a time.
const HANDLES: usize = 100;

/// What no server can go on after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no SFTP: a packet of {0} bytes")]
pub struct Broken(usize);

enum Handle {
    File {
        path: String,
        append: bool,
        read: bool,
        write: bool,
    },
    Directory {
        path: String,
        names: Option<Vec<String>>,
    },
}

/// A file transfer of one user.
pub struct Server {
    user: String,
    home: String,
    received: Vec<u8>,
    handles: HashMap<u32, Handle>,
    next: u32,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sftp::Server({})", self.user)
    }
}

/// A request's fields, read one after another; what is missing reads as an error.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Errno> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(Errno::Invalid)?;
        self.0 = tail;
        Ok(head)
    }

    fn u32(&mut self) -> Result<u32, Errno> {
        Ok(self.take(4)?.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    fn u64(&mut self) -> Result<u64, Errno> {
        Ok(u64::from(self.u32()?) << 32 | u64::from(self.u32()?))
    }

    fn bytes(&mut self) -> Result<&'a [u8], Errno> {
        let count = self.u32()?;
        self.take(usize::try_from(count).map_err(|_| Errno::Invalid)?)
    }

    fn text(&mut self) -> Result<String, Errno> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }

    /// Attributes: the size and the permissions, where they are set.
    fn attributes(&mut self) -> Result<(Option<u64>, Option<u16>), Errno> {
        let flags = self.u32()?;
        let size = if flags & 1 != 0 {
            Some(self.u64()?)
        } else {
            None
        };
        if flags & 2 != 0 {
            self.u64()?;
        }
        let mode = if flags & 4 != 0 {
            Some((self.u32()? & 0o7777) as u16)
        } else {
            None
        };
        if flags & 8 != 0 {
            self.u64()?;
        }
        Ok((size, mode))
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn put_attributes(out: &mut Vec<u8>, machine: &Machine, entry: &Entry) {
    let kind: u32 = match entry.content {
        Content::File(_) => 0o100_000,
        Content::Directory => 0o040_000,
        Content::Link(_) => 0o120_000,
        Content::Device => 0o060_000,
    };
    let uid = |name: &str| machine.user(name).map_or(0, |u| u.uid);
    let time = u32::try_from(entry.modified).unwrap_or(u32::MAX);
    out.extend(15_u32.to_be_bytes());
    out.extend(entry.size().to_be_bytes());
    for value in [
        uid(&entry.owner),
        uid(&entry.group),
        kind | u32::from(entry.mode),
        time,
        time,
    ] {
        out.extend(value.to_be_bytes());
    }
}

/// What a request comes to: the type of the answer, and what follows its id.
type Answer = Result<(u8, Vec<u8>), Status>;

enum Status {
    Ok,
    End,
    Unsupported,
    Failed(Errno),
}

impl From<Errno> for Status {
    fn from(e: Errno) -> Self {
        Self::Failed(e)
    }
}

impl Server {
    /// A transfer of a user, which begins at home.
    #[must_use]
    pub fn new(machine: &Machine, user: &str) -> Self {
        let home = machine
            .user(user)
            .and_then(|u| machine.resolve("root", "/", &u.home, true).ok());
        Self {
            user: user.to_owned(),
            home: home.unwrap_or_else(|| "/".into()),
            received: Vec::new(),
            handles: HashMap::new(),
            next: 0,
        }
    }

    /// Takes bytes from the client, and gives what is to be sent.
    ///
    /// # Errors
    /// When they are no packets; nothing can follow.
    pub fn receive(&mut self, machine: &mut Machine, bytes: &[u8]) -> Result<Vec<u8>, Broken> {
        self.received.extend_from_slice(bytes);
        let mut out = Vec::new();
        loop {
            let Some((head, _)) = self.received.split_at_checked(4) else {
                return Ok(out);
            };
            let length = head.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b));
            if length == 0 || length > PACKET {
                return Err(Broken(length));
            }
            if self.received.len() < 4 + length {
                return Ok(out);
            }
            let packet: Vec<u8> = self.received.drain(..4 + length).skip(4).collect();
            let answer = self.answer(machine, &packet);
            put_bytes(&mut out, &answer);
        }
    }

    fn answer(&mut self, machine: &mut Machine, packet: &[u8]) -> Vec<u8> {
        let (kind, mut fields) = (packet[0], Fields(&packet[1..]));
        if kind == 1 {
            let mut answer = vec![2];
            answer.extend(3_u32.to_be_bytes());
            put_bytes(&mut answer, b"posix-rename@openssh.com");
            put_bytes(&mut answer, b"1");
            return answer;
        }
        let id = fields.u32().unwrap_or(0);
        let (kind, body) = match self.request(machine, kind, &mut fields) {
            Ok(answer) => answer,
            Err(status) => {
                let (code, text) = match status {
                    Status::Ok => (0_u32, "Success".to_owned()),
                    Status::End => (1, "End of file".to_owned()),
                    Status::Unsupported => (8, "Operation unsupported".to_owned()),
                    Status::Failed(e) => match e {
                        Errno::NotFound => (2, e.to_string()),
                        Errno::Denied | Errno::NotPermitted => (3, e.to_string()),
                        Errno::Invalid => (5, e.to_string()),
                        _ => (4, e.to_string()),
                    },
                };
                let mut body = code.to_be_bytes().to_vec();
                put_bytes(&mut body, text.as_bytes());
                put_bytes(&mut body, b"en");
                (101, body)
            }
        };
        let mut answer = vec![kind];
        answer.extend(id.to_be_bytes());
        answer.extend(body);
        answer
    }

    fn open_handle(&mut self, handle: Handle) -> Answer {
        if self.handles.len() >= HANDLES {
            return Err(Errno::Busy.into());
        }
        self.next = self.next.wrapping_add(1);
        self.handles.insert(self.next, handle);
        let mut body = Vec::new();
        put_bytes(&mut body, &self.next.to_be_bytes());
        Ok((102, body))
    }

    fn handle(&mut self, fields: &mut Fields<'_>) -> Result<(u32, &mut Handle), Errno> {
        let number = Fields(fields.bytes()?).u32()?;
        let handle = self.handles.get_mut(&number).ok_or(Errno::Invalid)?;
        Ok((number, handle))
    }

    fn request(&mut self, machine: &mut Machine, kind: u8, fields: &mut Fields<'_>) -> Answer {
        let (who, home) = (self.user.clone(), self.home.clone());
        let attributes = |machine: &Machine, entry: &Entry| {
            let mut body = Vec::new();
            put_attributes(&mut body, machine, entry);
            (105, body)
        };
        match kind {
            3 => {
                let (path, flags, (_, mode)) =
                    (fields.text()?, fields.u32()?, fields.attributes()?);
                self.open(machine, &path, flags, mode)
            }
            4 => {
                let (number, _) = self.handle(fields)?;
                self.handles.remove(&number);
                Err(Status::Ok)
            }
            5 => {
                let Handle::File {
                    path, read: true, ..
                } = self.handle(fields)?.1
                else {
                    return Err(Errno::Denied.into());
                };
                let path = path.clone();
                let (offset, length) = (fields.u64()?, fields.u32()?);
                let bytes = match machine.entry(&path).map(|e| &e.content) {
                    Some(Content::File(bytes)) => &bytes.0[..],
                    _ => &[],
                };
                let from = usize::try_from(offset)
                    .unwrap_or(usize::MAX)
                    .min(bytes.len());
                let length = usize::try_from(length).unwrap_or(READ).min(READ);
                let piece = &bytes[from..bytes.len().min(from.saturating_add(length))];
                if piece.is_empty() {
                    return Err(Status::End);
                }
                let mut body = Vec::new();
                put_bytes(&mut body, piece);
                Ok((103, body))
            }
            6 => {
                let Handle::File {
                    path,
                    append,
                    write: true,
                    ..
                } = self.handle(fields)?.1
                else {
                    return Err(Errno::Denied.into());
                };
                let (path, append) = (path.clone(), *append);
                let (offset, bytes) = (fields.u64()?, fields.bytes()?);
                if append {
                    machine.append(&path, bytes)?;
                } else {
                    machine.write_at(&path, offset, bytes)?;
                }
                Err(Status::Ok)
            }
            7 | 17 => {
                let path = fields.text()?;
                let (_, entry) = machine.stat(&who, &home, &path, kind == 17)?;
                Ok(attributes(machine, entry))
            }
            8 => {
                let (Handle::File { path, .. } | Handle::Directory { path, .. }) =
                    self.handle(fields)?.1;
                let entry = machine.entry(path).ok_or(Errno::NotFound)?;
                Ok(attributes(machine, entry))
            }
            9 | 10 => {
                let path = if kind == 9 {
                    machine.resolve(&who, &home, &fields.text()?, true)?
                } else {
                    let (Handle::File { path, .. } | Handle::Directory { path, .. }) =
                        self.handle(fields)?.1;
                    path.clone()
                };
                let (size, mode) = fields.attributes()?;
                if let Some(mode) = mode {
                    machine.amend(&who, &path, |e| e.mode = mode)?;
                }
                if let Some(size) = size {
                    machine.truncate(&who, &path, size)?;
                }
                Err(Status::Ok)
            }
            11 => {
                let path = fields.text()?;
                let (clean, entry) = machine.stat(&who, &home, &path, true)?;
                if !entry.is_directory() {
                    return Err(Errno::NotDirectory.into());
                }
                if !machine.may(&who, entry, Access::Read) {
                    return Err(Errno::Denied.into());
                }
                let mut names = machine.names(&clean);
                names.extend([".".to_owned(), "..".to_owned()]);
                self.open_handle(Handle::Directory {
                    path: clean,
                    names: Some(names),
                })
            }
            12 => {
                let Handle::Directory { path, names } = self.handle(fields)?.1 else {
                    return Err(Errno::Invalid.into());
                };
                // a hundred names at a time
                let Some(mut left) = names.take().filter(|n| !n.is_empty()) else {
                    return Err(Status::End);
                };
                let now = left.split_off(left.len().saturating_sub(100));
                let mut body = u32::try_from(now.len()).unwrap_or(0).to_be_bytes().to_vec();
                for name in now {
                    let at = machine
                        .resolve("root", path, &name, false)
                        .unwrap_or_else(|_| join(path, &name));
                    let Some(entry) = machine.entry(&at) else {
                        continue;
                    };
                    put_bytes(&mut body, name.as_bytes());
                    put_bytes(
                        &mut body,
                        format!(
                            "{} 1 {} {} {:>8} {name}",
                            entry.mode_string(),
                            entry.owner,
                            entry.group,
                            entry.size()
                        )
                        .as_bytes(),
                    );
                    put_attributes(&mut body, machine, entry);
                }
                *names = Some(left);
                Ok((104, body))
            }
            13 => {
                machine.remove(&who, &home, &fields.text()?, false, false)?;
                Err(Status::Ok)
            }
            14 => {
                let (path, (_, mode)) = (fields.text()?, fields.attributes()?);
                machine.make(
                    &who,
                    &home,
                    &path,
                    Content::Directory,
                    mode.unwrap_or(0o777) & !0o022,
                )?;
                Err(Status::Ok)
            }
            15 => {
                machine.remove(&who, &home, &fields.text()?, false, true)?;
                Err(Status::Ok)
            }
            16 => {
                let path = fields.text()?;
                let path = if path.is_empty() {
                    ".".to_owned()
                } else {
                    path
                };
                let clean = machine.resolve(&who, &home, &path, true)?;
                Ok((104, one_name(&clean)))
            }
            18 => self.rename(machine, fields, false),
            19 => {
                let (_, entry) = machine.stat(&who, &home, &fields.text()?, false)?;
                match &entry.content {
                    Content::Link(to) => Ok((104, one_name(to))),
                    _ => Err(Errno::Invalid.into()),
                }
            }
            20 => {
                // OpenSSH sends the target first
                let (to, at) = (fields.text()?, fields.text()?);
                machine.make(&who, &home, &at, Content::Link(to), 0o777)?;
                Err(Status::Ok)
            }
            200 if fields.text()? == "posix-rename@openssh.com" => {
                self.rename(machine, fields, true)
            }
            _ => Err(Status::Unsupported),
        }
    }

    fn open(&mut self, machine: &mut Machine, path: &str, flags: u32, mode: Option<u16>) -> Answer {
        let flag = |bit: u32| flags & bit != 0;
        let (read, write, append, create, truncate, exclusive) =
            (flag(1), flag(2), flag(4), flag(8), flag(16), flag(32));
        let there = machine
            .stat(&self.user, &self.home, path, true)
            .map(|(clean, entry)| (clean, entry.is_directory()));
        let clean = match there {
            Ok((_, true)) => return Err(Errno::IsDirectory.into()),
            Ok(_) if create && exclusive => return Err(Errno::Exists.into()),
            Err(Errno::NotFound) if !create => return Err(Errno::NotFound.into()),
            Err(e) if e != Errno::NotFound => return Err(e.into()),
            Ok((clean, _)) if !write && !append => clean,
            _ => machine.open(
                &self.user,
                &self.home,
                path,
                !truncate,
                mode.unwrap_or(0o666) & !0o022,
            )?,
        };
        if read {
            let entry = machine.entry(&clean).ok_or(Errno::NotFound)?;
            if !machine.may(&self.user, entry, Access::Read) {
                return Err(Errno::Denied.into());
            }
        }
        self.open_handle(Handle::File {
            path: clean,
            append,
            read,
            write: write || append,
        })
    }

    fn rename(&mut self, machine: &mut Machine, fields: &mut Fields<'_>, replace: bool) -> Answer {
        let (from, to) = (fields.text()?, fields.text()?);
        let from = machine.stat(&self.user, &self.home, &from, false)?.0;
        let to = machine.resolve(&self.user, &self.home, &to, false)?;
        if !replace && machine.entry(&to).is_some() {
            return Err(Errno::Exists.into());
        }
        machine.rename(&self.user, &from, &to)?;
        Err(Status::Ok)
    }
}

fn one_name(name: &str) -> Vec<u8> {
    let mut body = 1_u32.to_be_bytes().to_vec();
    put_bytes(&mut body, name.as_bytes());
    put_bytes(&mut body, name.as_bytes());
    body.extend(0_u32.to_be_bytes());
    body
}

impl Machine {
    /// Writes into a file that was opened; what lies between its end and the place is filled with zeros.
    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> Result<(), Errno> {
        let length = self.entry(path).map_or(0, Entry::size);
        if offset == length {
            return self.append(path, bytes);
        }
        let end = offset
            .checked_add(bytes.len() as u64)
            .ok_or(Errno::NoSpace)?;
        self.truncate("root", path, length.max(end))?;
        let from = usize::try_from(offset).map_err(|_| Errno::NoSpace)?;
        let (volume, inner) = self.place(path);
        let inner = inner.to_owned();
        self.tree_mut(volume).amend(&inner, |e| {
            if let Content::File(file) = &mut e.content
                && let Some(place) = file.0.get_mut(from..from + bytes.len())
            {
                place.copy_from_slice(bytes);
            }
        })
    }

    /// Gives a file a length.
    fn truncate(&mut self, who: &str, path: &str, size: u64) -> Result<(), Errno> {
        let (volume, inner) = self.place(path);
        let entry = self.entry(path).ok_or(Errno::NotFound)?;
        if !self.may(who, entry, Access::Write) {
            return Err(Errno::Denied);
        }
        let growth = size.saturating_sub(entry.size());
        let size = usize::try_from(size).map_err(|_| Errno::NoSpace)?;
        if self.tree(volume).bytes().saturating_add(growth) > crate::files::VOLUME_BYTES {
            return Err(Errno::NoSpace);
        }
        let inner = inner.to_owned();
        self.tree_mut(volume).amend(&inner, |e| {
            if let Content::File(file) = &mut e.content {
                file.0.resize(size, 0);
            }
        })
    }
}
