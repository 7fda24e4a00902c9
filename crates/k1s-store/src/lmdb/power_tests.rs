// SPDX-License-Identifier: Apache-2.0
//! What a power cut leaves: files as the disk may hold them when only what was synced is certain.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::fs;

use super::*;
use crate::{Batch, Change, Encoded, Entry, Key, ListRequest, Precondition, Prefix, Revision, Ttl};

/// A store that writes, and copies of its file to open elsewhere.
struct Disk {
    scratch: tempfile::TempDir,
    store: Arc<dyn Store>,
    page: usize,
    copies: usize,
}

/// What was acknowledged.
#[derive(Clone, Debug, PartialEq)]
struct Acknowledged {
    revision: Revision,
    entries: Vec<Entry>,
}

impl Disk {
    fn new() -> Self {
        let fast = Path::new("/dev/shm");
        let scratch = if fast.is_dir() {
            tempfile::tempdir_in(fast)
        } else {
            tempfile::tempdir()
        }
        .unwrap();
        let store = open(&scratch.path().join("store"), Options::default()).unwrap();
        let page = usize::from(u16::from_le_bytes(
            fs::read(scratch.path().join("store/data.mdb")).unwrap()[40..42]
                .try_into()
                .unwrap(),
        ));
        assert!(page >= 4096, "{page}");
        Self {
            scratch,
            store,
            page,
            copies: 0,
        }
    }

    fn write(&self, name: &str, change: Change) {
        let key = Key::new("t", "pods", Some("ns"), name).unwrap();
        self.store
            .write(Batch::new().with(key, Precondition::Any, change))
            .wait()
            .unwrap();
    }

    fn file(&self) -> Vec<u8> {
        fs::read(self.scratch.path().join("store/data.mdb")).unwrap()
    }

    fn acknowledged(&self) -> Acknowledged {
        acknowledged(&*self.store)
    }

    /// The file with the meta data of an earlier one, as if it had not been synced since.
    fn with_meta_of(&self, file: &[u8], earlier: &[u8]) -> Vec<u8> {
        let mut cut = file.to_vec();
        for page in [0, self.page] {
            cut[page..page + 512].copy_from_slice(&earlier[page..page + 512]);
        }
        cut
    }

    fn notes<'f>(&self, file: &'f [u8]) -> [&'f [u8]; 2] {
        [0, self.page].map(|page| &file[page + 512..page + self.page])
    }

    fn opened(&mut self, file: &[u8], options: Options) -> Arc<dyn Store> {
        self.copies += 1;
        let directory = self.scratch.path().join(format!("copy-{}", self.copies));
        fs::create_dir(&directory).unwrap();
        let data = directory.join("data.mdb");
        drop(directory::create_private(&data, true).unwrap());
        fs::write(&data, file).unwrap();
        let store = open(&directory, options).unwrap();
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
        store
    }
}

fn acknowledged(store: &dyn Store) -> Acknowledged {
    let everything = ListRequest::new(Prefix::everything());
    Acknowledged {
        revision: store.revision().unwrap(),
        entries: store.list(&everything).unwrap().entries,
    }
}

fn put(size: usize) -> Change {
    Change::Put {
        encoded: Encoded::opaque(vec![b'x'; size]),
        ttl: Ttl::Forever,
    }
}

/// Writes of all sorts: small ones with one sync, large ones with two, one after the other.
fn changes() -> impl Iterator<Item = (String, Change)> {
    (0..60).map(|number| {
        let name = format!("p{}", number % 7);
        match number % 12 {
            9 => (name, Change::Delete),
            4 | 11 => (name, put(5000)),
            _ => (name, put(100 * (number % 5))),
        }
    })
}

#[test]
fn the_last_commit_survives_the_loss_of_its_meta_page() {
    let mut disk = Disk::new();
    let (mut noted, mut earlier) = (0, disk.file());
    for (name, change) in changes() {
        disk.write(&name, change);
        let (file, expected) = (disk.file(), disk.acknowledged());
        // Nothing says when the meta page of a commit with a note reaches the disk; that of another
        // is there.
        let cut = if disk.notes(&file) == disk.notes(&earlier) {
            file.clone()
        } else {
            disk.with_meta_of(&file, &earlier)
        };
        noted += usize::from(cut != file);
        let store = disk.opened(&cut, Options::default());
        assert!(
            acknowledged(&*store) == expected,
            "{name}, {}",
            expected.revision
        );
        // Who only reads sees it, too.
        let reading = Options {
            read_only: true,
            ..Options::default()
        };
        assert!(acknowledged(&*disk.opened(&cut, reading)) == expected);
        // Life goes on.
        let key = Key::new("t", "pods", Some("ns"), "next").unwrap();
        let written = store
            .write(Batch::new().create(key, Encoded::opaque(vec![])))
            .wait();
        assert_eq!(written.unwrap().revision, expected.revision.next());
        earlier = file;
    }
    assert!(noted >= 40, "only {noted} commits were noted");
}

#[test]
fn a_torn_note_is_a_commit_that_was_never_acknowledged() {
    let mut disk = Disk::new();
    disk.write("a", put(100));
    for size in (100..1600).step_by(100) {
        let (earlier, expected) = (disk.file(), disk.acknowledged());
        disk.write("a", put(size));
        let file = disk.file();
        let mut cut = disk.with_meta_of(&file, &earlier);
        let mut torn = 0;
        for page in [0, disk.page] {
            let note = page + 512..page + disk.page;
            if file[note.clone()] != earlier[note.clone()] {
                // Its second half has not reached the disk.
                let rest = note.start + size / 2..note.end;
                cut[rest.clone()].copy_from_slice(&earlier[rest]);
                torn += 1;
            }
        }
        assert_eq!(torn, 1);
        let store = disk.opened(&cut, Options::default());
        assert!(acknowledged(&*store) == expected);
    }
}

#[test]
fn a_cut_in_the_middle_of_a_sync_loses_nothing_acknowledged() {
    let mut disk = Disk::new();
    let mut history: Vec<(Vec<u8>, Revision)> = Vec::new();
    for (name, _) in changes() {
        disk.write(&name, put(300));
        let file = disk.file();
        if let [.., (two_before, _), (_, before)] = &history[..] {
            // The note of this commit and its pages are on the disk; the meta page of the one
            // before, which the same sync was to write, is not.
            let cut = disk.with_meta_of(&file, two_before);
            let store = disk.opened(&cut, Options::default());
            assert!(store.revision().unwrap() >= *before);
        }
        history.push((file, disk.store.revision().unwrap()));
    }
}
