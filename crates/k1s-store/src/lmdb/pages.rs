// SPDX-License-Identifier: Apache-2.0
//! [`check`]: whether the pages of a file are what LMDB takes them for.
//!
//! LMDB trusts its pages: it follows offsets and page numbers in them wherever they lead, and a page
//! that a disk has garbled can end the process. So the file is examined before LMDB reads all of
//! it: every page of both trees, and nothing but bounds. What is in the records is for
//! [`crate::Store::check`] to judge.
//!
//! The layout is that of LMDB on machines of 64 bits with the byte order of the machine.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes before the offsets of the nodes of a page, and before the meta data.
const PAGE_HEADER: usize = 16;
const NODE_HEADER: usize = 8;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const OVERFLOW: u16 = 4;
const META: u16 = 8;
/// A value that is in pages of its own.
const BIG: u16 = 1;
const NO_PAGE: u64 = u64::MAX;
const MAGIC: u32 = 0xbeef_c0de;
const MOST_LEVELS: u16 = 32;

/// Where a tree is.
struct Tree {
    root: u64,
    levels: u16,
    /// Whether it lists free pages, by transaction.
    free: bool,
}

struct Pages<'f> {
    file: &'f File,
    size: usize,
    /// Pages that are in use or free.
    count: u64,
    /// A bit for each page that was met.
    met: Vec<u64>,
}

/// Why the pages of the snapshot that a transaction made cannot be read; `Ok(None)` if they can.
/// `Ok(Some)` has the page and what is wrong with it.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn check(file: &File, size: usize, transaction: u64) -> io::Result<Option<String>> {
    let Some((trees, count)) = meta(file, size, transaction)? else {
        return Ok(Some(
            "its first pages do not name the last commit".to_owned(),
        ));
    };
    let words = usize::try_from(count / 64 + 1).map_err(io::Error::other)?;
    if count > file.metadata()?.len() / size as u64 + super::environment::UNWRITTEN_PAGES {
        return Ok(Some("it was cut short".to_owned()));
    }
    let mut pages = Pages {
        file,
        size,
        count,
        met: vec![0; words],
    };
    for tree in trees {
        if let Err(fault) = pages.tree(&tree) {
            return match fault {
                Fault::Io(error) => Err(error),
                Fault::Page(page, what) => Ok(Some(format!("page {page}: {what}"))),
            };
        }
    }
    Ok(None)
}

enum Fault {
    Io(io::Error),
    Page(u64, &'static str),
}

type Result<T> = std::result::Result<T, Fault>;

/// The trees that the meta page of a transaction names, and how many pages there are.
fn meta(file: &File, size: usize, transaction: u64) -> io::Result<Option<([Tree; 2], u64)>> {
    let mut page = vec![0; size];
    match file.read_exact_at(&mut page, (transaction & 1) * size as u64) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let meta = &page[PAGE_HEADER..];
    if u16_at(&page, 10) & META == 0
        || u32_at(meta, 0) != MAGIC
        || u64_at(meta, 24 + 2 * 48 + 8) != transaction
    {
        return Ok(None);
    }
    let tree = |at: usize, free| Tree {
        levels: u16_at(meta, at + 6),
        root: u64_at(meta, at + 40),
        free,
    };
    let count = u64_at(meta, 24 + 2 * 48).saturating_add(1);
    Ok(Some(([tree(24, true), tree(24 + 48, false)], count)))
}

impl Pages<'_> {
    fn tree(&mut self, tree: &Tree) -> Result<()> {
        if tree.root == NO_PAGE {
            return Ok(());
        }
        if tree.levels == 0 || tree.levels > MOST_LEVELS {
            return Err(Fault::Page(tree.root, "its tree has no sensible depth"));
        }
        let mut open = vec![(tree.root, 1)];
        while let Some((number, level)) = open.pop() {
            let page = self.page(number)?;
            let expected = if level == tree.levels { LEAF } else { BRANCH };
            let fault = |what| Fault::Page(number, what);
            if u64_at(&page, 0) != number || u16_at(&page, 10) != expected {
                return Err(fault("it is not the page that belongs there"));
            }
            let (lower, upper) = (
                usize::from(u16_at(&page, 12)),
                usize::from(u16_at(&page, 14)),
            );
            if lower < PAGE_HEADER || lower % 2 != 0 || lower > upper || upper > self.size {
                return Err(fault("its bounds are wrong"));
            }
            let nodes = (lower - PAGE_HEADER) / 2;
            if nodes == 0 || expected == BRANCH && nodes < 2 {
                return Err(fault("it has too few nodes"));
            }
            let mut before: Option<&[u8]> = None;
            for index in 0..nodes {
                let at = usize::from(u16_at(&page, PAGE_HEADER + 2 * index));
                if at < upper || at % 2 != 0 || at + NODE_HEADER > self.size {
                    return Err(fault("a node is outside of it"));
                }
                let key_at = at + NODE_HEADER;
                let key_end = key_at + usize::from(u16_at(&page, at + 6));
                let Some(key) = page.get(key_at..key_end) else {
                    return Err(fault("a key is outside of it"));
                };
                // The first key of a branch is never looked at.
                if expected == LEAF || index > 0 {
                    if tree.free && key.len() != 8 || !tree.free && key.is_empty() {
                        return Err(fault("a key has the wrong length"));
                    }
                    if before.is_some_and(|before| !in_order(before, key, tree.free)) {
                        return Err(fault("its keys are not in order"));
                    }
                    before = Some(key);
                }
                if expected == BRANCH {
                    let child =
                        u64::from(u32_at(&page, at)) | u64::from(u16_at(&page, at + 4)) << 32;
                    open.push((child, level + 1));
                    continue;
                }
                let size = u32_at(&page, at) as usize;
                let value = match u16_at(&page, at + 4) {
                    0 => page.get(key_end..key_end + size).map(<[u8]>::to_vec),
                    BIG => match page.get(key_end..key_end + 8) {
                        Some(first) => Some(self.overflow(u64_at(first, 0), size, tree.free)?),
                        None => None,
                    },
                    _ => return Err(fault("a value is of a kind that is not used")),
                };
                let Some(value) = value else {
                    return Err(fault("a value is outside of it"));
                };
                if tree.free && !self.is_list(&value) {
                    return Err(fault("its list of free pages is wrong"));
                }
            }
        }
        Ok(())
    }

    /// One page, which must not have been met before.
    fn page(&mut self, number: u64) -> Result<Vec<u8>> {
        self.meet(number)?;
        let mut page = vec![0; self.size];
        self.file
            .read_exact_at(&mut page, number * self.size as u64)
            .map_err(|error| unread(number, error))?;
        Ok(page)
    }

    fn meet(&mut self, number: u64) -> Result<()> {
        if number < 2 || number >= self.count {
            return Err(Fault::Page(number, "there is no such page"));
        }
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if self.met[word] & bit != 0 {
            return Err(Fault::Page(number, "it is in two places"));
        }
        self.met[word] |= bit;
        Ok(())
    }

    /// A value in pages of its own; it is read only if its content matters.
    fn overflow(&mut self, first: u64, size: usize, read: bool) -> Result<Vec<u8>> {
        let page = self.page(first)?;
        let pages = u64::from(u32_at(&page, 12));
        let fault = |what| Fault::Page(first, what);
        if u64_at(&page, 0) != first || u16_at(&page, 10) != OVERFLOW {
            return Err(fault("it does not have the large value that belongs there"));
        }
        if pages == 0 || ((PAGE_HEADER + size) as u64) > pages.saturating_mul(self.size as u64) {
            return Err(fault("its large value is cut short"));
        }
        for number in 1..pages {
            self.meet(first + number)?;
        }
        let mut value = vec![0; if read { size } else { 0 }];
        self.file
            .read_exact_at(&mut value, first * self.size as u64 + PAGE_HEADER as u64)
            .map_err(|error| unread(first, error))?;
        Ok(value)
    }

    /// Whether these are page numbers, descending, after how many they are.
    fn is_list(&self, value: &[u8]) -> bool {
        let mut numbers = value.chunks_exact(8).map(|number| u64_at(number, 0));
        let Some(count) = numbers.next() else {
            return false;
        };
        if count >= value.len() as u64 / 8 {
            return false;
        }
        let mut before = self.count;
        numbers.take(count as usize).all(|number| {
            let descends = number < before && number >= 2;
            before = number;
            descends
        })
    }
}

fn unread(page: u64, error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Page(page, "the file ends before it"),
        _ => Fault::Io(error),
    }
}

fn in_order(before: &[u8], key: &[u8], numbers: bool) -> bool {
    if numbers {
        u64_at(before, 0) < u64_at(key, 0)
    } else {
        before < key
    }
}

/// The number there; zero where there is nothing.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    array_at(bytes, at).map_or(0, u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    array_at(bytes, at).map_or(0, u32::from_ne_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    array_at(bytes, at).map_or(0, u64::from_ne_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}
