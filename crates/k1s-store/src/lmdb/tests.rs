// SPDX-License-Identifier: Apache-2.0
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::fs;
use std::time::Duration;

use super::*;
use crate::{Batch, Change, Encoded, Key, ListRequest, Precondition, Prefix, Revision, Ttl};

fn scratch() -> tempfile::TempDir {
    let fast = Path::new("/dev/shm");
    if fast.is_dir() {
        tempfile::tempdir_in(fast)
    } else {
        tempfile::tempdir()
    }
    .unwrap()
}

fn key(name: &str) -> Key {
    Key::new("t", "pods", Some("ns"), name).unwrap()
}

fn create(store: &dyn Store, name: &str) -> Revision {
    let encoded = Encoded::new(br#"{"v":""}"#.to_vec(), 6);
    store
        .write(Batch::new().create(key(name), encoded))
        .wait()
        .unwrap()
        .revision
}

fn group() -> Options {
    Options {
        group_commit: true,
        ..Options::default()
    }
}

/// Opens the directory and says why that fails.
fn refused(directory: &Path, options: Options) -> String {
    open(directory, options).err().unwrap().to_string()
}

#[test]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = scratch();
    let directory = scratch.path().join("a/b");
    let store = open(&directory, Options::default()).unwrap();
    let watcher = store.watch(&Prefix::everything(), Revision::FIRST).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for file in ["data.mdb", "lock.mdb", "bell"] {
        assert_eq!(mode(&directory.join(file)), 0o600, "{file}");
    }
    store.copy_to(&scratch.path().join("copy")).unwrap();
    assert_eq!(mode(&scratch.path().join("copy/data.mdb")), 0o600);
    drop((watcher, store));
    fs::set_permissions(
        directory.join("data.mdb"),
        fs::Permissions::from_mode(0o644),
    )
    .unwrap();
    let message = refused(&directory, Options::default());
    assert!(
        message.ends_with("data.mdb is open to others (mode 644): chmod 600 it"),
        "{message}"
    );
}

#[test]
fn what_is_no_store_is_refused() {
    let scratch = scratch();
    let check = |name: &str, prepare: &dyn Fn(&Path), expected: &str| {
        let directory = scratch.path().join(name);
        prepare(&directory);
        let message = refused(&directory, Options::default());
        assert!(message.contains(expected), "{message}");
    };
    let put = |directory: &Path, key: &[u8], value: &'static [u8]| {
        let lmdb = Lmdb::open(directory, &Options::default()).unwrap();
        lmdb.write(|transaction| {
            transaction.delete(Table::Meta, FORMAT_KEY)?;
            transaction.put(Table::Meta, key, Shared::from_static(value))
        })
        .unwrap();
    };
    let prepared = |directory: &Path| drop(directory::prepare(directory, false).unwrap());
    let private = |directory: &Path, content: &[u8]| {
        prepared(directory);
        drop(directory::create_private(&directory.join("data.mdb"), true).unwrap());
        fs::write(directory.join("data.mdb"), content).unwrap();
    };
    check(
        "newer",
        &|d| {
            prepared(d);
            put(d, FORMAT_KEY, b"k1s store 7")
        },
        "has format 7, this program knows up to 2",
    );
    check(
        "unknown",
        &|d| {
            prepared(d);
            put(d, FORMAT_KEY, b"other 1")
        },
        "format record cannot be read",
    );
    check(
        "foreign",
        &|d| {
            prepared(d);
            put(d, b"other", b"x")
        },
        "holds something else",
    );
    check(
        "garbage",
        &|d| private(d, &[7; 9000]),
        "is not a usable store",
    );
    check("short", &|d| private(d, &[7; 10]), "is not a usable store");
    check("file", &|d| fs::write(d, "x").unwrap(), "cannot");
    check(
        "cut",
        &|d| {
            let store = open(d, Options::default()).unwrap();
            let big = Encoded::opaque(vec![b'x'; 4 << 20]);
            store
                .write(Batch::new().create(key("big"), big))
                .wait()
                .unwrap();
            drop(store);
            let data = fs::File::options()
                .write(true)
                .open(d.join("data.mdb"))
                .unwrap();
            data.set_len(data.metadata().unwrap().len() / 2).unwrap();
        },
        "it was cut short",
    );
}

/// Whatever a disk has made of a page, `check` says so before LMDB comes to grief over it.
#[test]
fn garbled_pages_are_found() {
    let scratch = scratch();
    let store = open(&scratch.path().join("whole"), Options::default()).unwrap();
    for number in 0..120 {
        let encoded = Encoded::opaque(vec![b'x'; number % 40 * 200]);
        store
            .write(Batch::new().create(key(&format!("k{number}")), encoded))
            .wait()
            .unwrap();
    }
    store.compact(Revision(50)).unwrap();
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    let whole = fs::read(scratch.path().join("whole/data.mdb")).unwrap();
    let everything = ListRequest::new(Prefix::everything());
    let (mut found, mut random) = (0, 7_u64);
    let mut next = move |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    for round in 0..150 {
        let mut garbled = whole.clone();
        let page = (2 + next(whole.len() / 4096 - 2)) * 4096;
        let header = next(4) > 0;
        for _ in 0..1 + next(30) {
            let at = page + next(if header { 120 } else { 4096 });
            garbled[at] = next(256) as u8;
        }
        let directory = scratch.path().join(format!("{round}"));
        fs::create_dir(&directory).unwrap();
        drop(directory::create_private(&directory.join("data.mdb"), true).unwrap());
        fs::write(directory.join("data.mdb"), garbled).unwrap();
        // A store that opens is one that LMDB has read only a little of; to read all of it is safe
        // when the check has passed.
        let Ok(lmdb) = Lmdb::map(&directory, &Options::default()) else {
            continue;
        };
        match lmdb.check() {
            Err(error) => {
                assert!(matches!(error, Error::Damaged { .. }), "{error}");
                found += 1;
            }
            Ok(()) => {
                let core = Core::new(lmdb, Options::default());
                let store = Versioned::over(core);
                let _ = (store.check(), store.list(&everything));
            }
        }
    }
    // how many depends on where the pages are that nothing uses
    assert!(found > 10, "{found}");
}

/// A file that ends early is damaged, wherever it ends, and never merely unreadable.
#[test]
fn a_file_cut_at_any_page_is_damaged() {
    let scratch = scratch();
    let store = open(&scratch.path().join("whole"), Options::default()).unwrap();
    for number in 0..20 {
        let encoded = Encoded::opaque(vec![b'x'; number * 500]);
        store
            .write(Batch::new().create(key(&format!("k{number}")), encoded))
            .wait()
            .unwrap();
    }
    drop(store);
    let whole = fs::read(scratch.path().join("whole/data.mdb")).unwrap();
    for page in 0..whole.len() / 4096 {
        let directory = scratch.path().join(format!("{page}"));
        fs::create_dir(&directory).unwrap();
        drop(directory::create_private(&directory.join("data.mdb"), true).unwrap());
        let length = if page == 0 { 0 } else { page * 4096 + 100 };
        fs::write(directory.join("data.mdb"), &whole[..length]).unwrap();
        let reading = Options {
            read_only: true,
            ..Options::default()
        };
        let checked = Lmdb::map(&directory, &reading).and_then(|lmdb| lmdb.check());
        match checked {
            Err(error) => assert!(matches!(error, Error::Damaged { .. }), "{page}: {error}"),
            Ok(()) => assert!(page > 3, "{page}"),
        }
    }
}

#[test]
fn read_only() {
    let scratch = scratch();
    let reading = || Options {
        read_only: true,
        ..group()
    };
    let message = refused(&scratch.path().join("missing"), reading());
    assert!(message.starts_with("cannot open"), "{message}");
    create(&*open(scratch.path(), Options::default()).unwrap(), "a");
    let store = open(scratch.path(), reading()).unwrap();
    assert!(store.get(&key("a")).unwrap().is_some());
    let written = store
        .write(Batch::new().with(key("a"), Precondition::Any, Change::Delete))
        .wait();
    assert!(
        matches!(written, Err(Error::ReadOnly { .. })),
        "{written:?}"
    );
    assert!(matches!(
        open(scratch.path(), Options::default()),
        Err(Error::ReadOnly { .. })
    ));
    // A place where not even root may write.
    let sealed = Path::new("/sys/k1s-store");
    if sealed.parent().is_some_and(Path::is_dir) {
        let message = refused(sealed, Options::default());
        assert!(message.contains("cannot be written"), "{message}");
    }
}

#[test]
fn a_directory_is_opened_once() {
    let scratch = scratch();
    let first = open(scratch.path(), Options::default()).unwrap();
    let second = open(&scratch.path().join("."), group()).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let mut watcher = first.watch(&Prefix::everything(), Revision::FIRST).unwrap();
    drop((first, second));
    // The watcher keeps the file open; a new store joins it.
    let third = open(scratch.path(), Options::default()).unwrap();
    create(&*third, "a");
    assert_eq!(
        watcher
            .next_timeout(Duration::from_secs(10))
            .unwrap()
            .unwrap()
            .key,
        key("a")
    );
    drop((third, watcher));
    let fourth = open(scratch.path(), group()).unwrap();
    assert_eq!(create(&*fourth, "b"), Revision(3));
}

#[test]
fn groups_commit_what_they_can() {
    let scratch = scratch();
    let store = open(scratch.path(), group()).unwrap();
    let mut watcher = store.watch(&Prefix::everything(), Revision::FIRST).unwrap();
    let succeeded: usize = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..16)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    // Each name is tried by two writers, one of whom is late.
                    let names = (0..50).map(|n| format!("{}-{n}", writer / 2));
                    names
                        .filter(|name| {
                            let encoded = Encoded::opaque(vec![b'x'; 10]);
                            let batch = Batch::new()
                                .create(key(name), encoded.clone())
                                .create(key(&format!("{name}-b")), encoded);
                            match store.write(batch).wait() {
                                Ok(_) => true,
                                Err(Error::Exists { .. }) => false,
                                Err(other) => panic!("{other}"),
                            }
                        })
                        .count()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .sum()
    });
    assert_eq!(succeeded, 400);
    for expected in 2..=801 {
        assert_eq!(
            watcher
                .next_timeout(Duration::from_secs(10))
                .unwrap()
                .unwrap()
                .revision,
            Revision(expected)
        );
    }
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    // What was submitted is written, though nobody waits and the store is dropped.
    for number in 0..100 {
        drop(
            store.write(
                Batch::new().create(key(&format!("late-{number}")), Encoded::opaque(vec![])),
            ),
        );
    }
    drop((store, watcher));
    let store = open(scratch.path(), Options::default()).unwrap();
    assert_eq!(store.revision().unwrap(), Revision(901));
}

#[test]
fn a_copy_is_compact_and_whole() {
    let scratch = scratch();
    let store = open(&scratch.path().join("a"), Options::default()).unwrap();
    for round in 0..200 {
        let change = Change::Put {
            encoded: Encoded::opaque(vec![b'x'; 5000]),
            ttl: Ttl::Forever,
        };
        store
            .write(Batch::new().with(key(&format!("k{}", round % 3)), Precondition::Any, change))
            .wait()
            .unwrap();
    }
    store.compact(store.revision().unwrap()).unwrap();
    let copy = scratch.path().join("copy");
    store.copy_to(&copy).unwrap();
    assert!(
        matches!(store.copy_to(&copy), Err(Error::Io { .. })),
        "a copy overwrites nothing"
    );
    let size = |directory: &Path| fs::metadata(directory.join("data.mdb")).unwrap().len();
    assert!(size(&copy) * 4 < size(&scratch.path().join("a")));
    let copied = open(&copy, Options::default()).unwrap();
    let everything = ListRequest::new(Prefix::everything());
    assert_eq!(
        copied.list(&everything).unwrap().entries,
        store.list(&everything).unwrap().entries
    );
    assert_eq!(copied.revision().unwrap(), store.revision().unwrap());
    assert_eq!(create(&*copied, "next"), Revision(202));
}

/// The file of format 1 as it was first released. `K1S_WRITE_FORMAT_1=1` writes it anew.
#[test]
fn format_1_can_be_read() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format-1/data.mdb");
    if std::env::var_os("K1S_WRITE_FORMAT_1").is_some() {
        write_format_1(&kept);
    }
    let scratch = scratch();
    let data = scratch.path().join("data.mdb");
    drop(directory::create_private(&data, true).unwrap());
    fs::write(&data, fs::read(kept).unwrap()).unwrap();
    let store = open(
        scratch.path(),
        Options {
            clock: crate::Clock::new(|| 2_000),
            ..Options::default()
        },
    )
    .unwrap();
    assert_eq!(
        (
            store.revision().unwrap(),
            store.compacted_revision().unwrap()
        ),
        (Revision(6), Revision(2))
    );
    let list = |request: ListRequest| -> Vec<String> {
        let page = store.list(&request).unwrap();
        page.entries
            .iter()
            .map(|e| format!("{} {}", e.key, String::from_utf8_lossy(&e.value)))
            .collect()
    };
    let everything = ListRequest::new(Prefix::everything());
    assert_eq!(
        list(everything.clone()),
        [r#"pods ns/a {"v":"4"}"#, r#"pods ns/c {"v":"6"}"#]
    );
    assert_eq!(
        list(everything.at(Revision(3))),
        [r#"pods ns/a {"v":"2"}"#, r#"pods ns/b {"v":"3"}"#]
    );
    assert_eq!(store.next_expiry().unwrap(), Some(61_000));
    let side = crate::SideKey::new("t", "ips", "10.0.0.1").unwrap();
    assert_eq!(store.side(&side).unwrap().unwrap(), "a");
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    assert_eq!(create(&*store, "d"), Revision(7));
}

fn write_format_1(kept: &Path) {
    let scratch = scratch();
    let store = open(
        scratch.path(),
        Options {
            clock: crate::Clock::new(|| 1_000),
            ..Options::default()
        },
    )
    .unwrap();
    create(&*store, "a");
    create(&*store, "b");
    let encoded = Encoded::new(br#"{"v":""}"#.to_vec(), 6);
    let side = crate::Side::Create(
        crate::SideKey::new("t", "ips", "10.0.0.1").unwrap(),
        "a".into(),
    );
    store
        .write(
            Batch::new()
                .update(key("a"), Revision(2), encoded.clone())
                .side(side),
        )
        .wait()
        .unwrap();
    store
        .write(Batch::new().delete(key("b"), Revision(3)))
        .wait()
        .unwrap();
    let change = Change::Put {
        encoded,
        ttl: Ttl::For(Duration::from_secs(60)),
    };
    store
        .write(Batch::new().with(key("c"), Precondition::Absent, change))
        .wait()
        .unwrap();
    store.compact(Revision(2)).unwrap();
    let copy = scratch.path().join("copy");
    store.copy_to(&copy).unwrap();
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    fs::copy(copy.join("data.mdb"), kept).unwrap();
}
