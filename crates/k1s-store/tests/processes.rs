// SPDX-License-Identifier: Apache-2.0
//! Several processes on one store: killed while they write, counting together, watching each other,
//! growing the map under each other. The children are this very binary, told by the environment what
//! to do.
#![cfg(feature = "lmdb")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use k1s_store::{
    Batch, Change, Encoded, Entry, Error, EventKind, Key, ListRequest, Options, Precondition,
    Prefix, Revision, Ttl, Update, Updating, guaranteed_update, open, wait,
};

const ROLE: &str = "K1S_STORE_TEST_ROLE";
const DIRECTORY: &str = "K1S_STORE_TEST_DIRECTORY";
const NUMBER: &str = "K1S_STORE_TEST_NUMBER";

const COUNTERS: usize = 3;
const INCREMENTS: usize = 60;

fn spawn(role: &str, directory: &Path, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child does; a test that does nothing in the parent.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let directory = PathBuf::from(std::env::var(DIRECTORY).unwrap());
    let number = std::env::var(NUMBER).unwrap().parse().unwrap();
    match role.as_str() {
        "write until killed" => write_until_killed(&directory, number),
        "increment" => increment(&directory),
        "fill" => fill(&directory),
        other => panic!("{other}"),
    }
}

/// A place where commits are fast: a killed process loses nothing that it gave to the kernel, so no
/// disk is needed to see what a kill does.
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

fn pods() -> Prefix {
    Prefix::resource("t", "pods").unwrap()
}

fn encoded(text: &str) -> Encoded {
    Encoded::new(format!("|{text}").into_bytes(), 0)
}

fn text(entry: &Entry) -> &str {
    std::str::from_utf8(&entry.value)
        .unwrap()
        .split_once('|')
        .unwrap()
        .1
}

/// Writes pairs of objects and tells of each that is acknowledged.
fn write_until_killed(directory: &Path, round: usize) {
    let options = Options {
        group_commit: round.is_multiple_of(2),
        ..Options::default()
    };
    let store = open(directory, options).unwrap();
    thread::scope(|scope| {
        for writer in 0..3 {
            let store = &store;
            scope.spawn(move || {
                for count in 0.. {
                    let text = format!("{round}-{count}-{}", "x".repeat(count % 7 * 300));
                    let put = |half: &str| {
                        (
                            key(&format!("{half}-{writer}")),
                            Change::Put {
                                encoded: encoded(&text),
                                ttl: Ttl::Forever,
                            },
                        )
                    };
                    let mut batch = Batch::new();
                    for (key, change) in [put("left"), put("right")] {
                        batch = batch.with(key, Precondition::Any, change);
                    }
                    if count % 5 == 4 {
                        batch = batch.with(
                            key(&format!("brief-{writer}-{}", count % 3)),
                            Precondition::Any,
                            Change::Put {
                                encoded: encoded("x"),
                                ttl: Ttl::For(Duration::from_millis(3)),
                            },
                        );
                    }
                    let written = store.write(batch).wait().unwrap();
                    // One call, so that a kill cannot leave half a line.
                    let line = format!(
                        "\nwrote {writer} {} {count} {round} end\n",
                        written.revision
                    );
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let directory = scratch();
    let mut last_revision = 0;
    for round in 0..25 {
        let mut child = spawn("write until killed", directory.path(), round);
        let output = BufReader::new(child.stdout.take().unwrap());
        // It is killed after some number of acknowledgements, another one each time.
        let (enough, wait) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut acknowledged = HashMap::new();
            let mut left = 1 + round * 37 % 100;
            for line in output.lines().map_while(Result::ok) {
                let words: Vec<&str> = line.split(' ').collect();
                if let ["wrote", writer, revision, count, _, "end"] = words[..] {
                    let number = |word: &str| word.parse::<u64>().unwrap();
                    acknowledged.insert(number(writer), (number(revision), number(count)));
                    left = left.saturating_sub(1);
                    if left == 0 {
                        // Nobody listens after the first time.
                        let _ = enough.send(());
                    }
                }
            }
            acknowledged
        });
        wait.recv_timeout(Duration::from_secs(60))
            .expect("a child that writes");
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = reader.join().unwrap();

        let store = open(directory.path(), Options::default()).unwrap();
        assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
        let revision = store.revision().unwrap().0;
        assert!(revision >= last_revision);
        for (writer, (acknowledged, count)) in acknowledged {
            assert!(revision >= acknowledged);
            let left = store.get(&key(&format!("left-{writer}"))).unwrap().unwrap();
            let right = store
                .get(&key(&format!("right-{writer}")))
                .unwrap()
                .unwrap();
            assert_eq!(text(&left), text(&right), "half of a batch");
            let words: Vec<&str> = text(&left).split('-').collect();
            let (found_round, found) = (
                words[0].parse::<usize>().unwrap(),
                words[1].parse::<u64>().unwrap(),
            );
            assert_eq!(found_round, round);
            // At most the one write that was under way is there without having been acknowledged.
            assert!(
                found == count || found == count + 1,
                "{found} after {count}"
            );
        }
        last_revision = store
            .write(Batch::new().with(
                key("parent"),
                Precondition::Any,
                Change::Put {
                    encoded: encoded("x"),
                    ttl: Ttl::Forever,
                },
            ))
            .wait()
            .unwrap()
            .revision
            .0;
        assert!(last_revision > revision);
    }
}

fn increment(directory: &Path) {
    let store = open(directory, Options::default()).unwrap();
    for round in 0..INCREMENTS {
        let how = Updating {
            create: true,
            ..Updating::default()
        };
        let counter = key(&format!("counter-{}", round % COUNTERS));
        let updated = guaranteed_update::<Error>(&*store, &counter, how, |entry| {
            let count = entry.map_or(0, |entry| text(entry).parse::<u64>().unwrap());
            Ok(Update::to(encoded(&(count + 1).to_string())))
        });
        wait(updated).unwrap();
    }
}

#[test]
fn processes_count_together_and_are_watched() {
    const PROCESSES: usize = 4;
    let directory = scratch();
    let store = open(
        directory.path(),
        Options {
            watch_buffer: 10,
            ..Options::default()
        },
    )
    .unwrap();
    let start = store.revision().unwrap();
    let mut watcher = store.watch(&pods(), start).unwrap();
    let children: Vec<Child> = (0..PROCESSES)
        .map(|number| spawn("increment", directory.path(), number))
        .collect();

    let mut counts = [0_u64; COUNTERS];
    for expected in 1..=(PROCESSES * INCREMENTS) as u64 {
        let event = watcher
            .next_timeout(Duration::from_secs(60))
            .expect("an event of another process")
            .unwrap();
        assert_eq!(
            event.revision.0,
            start.0 + expected,
            "revisions without gaps, each once, in order"
        );
        let counter: usize = event
            .key
            .name()
            .rsplit('-')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        counts[counter] += 1;
        let value = std::str::from_utf8(&event.value).unwrap();
        assert_eq!(value, format!("{}|{}", event.revision, counts[counter]));
        assert_eq!(event.kind == EventKind::Created, counts[counter] == 1);
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert!(watcher.next_timeout(Duration::from_millis(20)).is_none());
    assert_eq!(watcher.progress(), store.revision().unwrap());
    assert_eq!(counts.iter().sum::<u64>(), (PROCESSES * INCREMENTS) as u64);
    let page = store.list(&ListRequest::new(pods())).unwrap();
    let stored: Vec<u64> = page
        .entries
        .iter()
        .map(|entry| text(entry).parse().unwrap())
        .collect();
    assert_eq!(stored, counts);
    // The history can be read back as well as it was seen.
    let mut replayed = store.watch(&pods(), start).unwrap();
    for expected in 1..=(PROCESSES * INCREMENTS) as u64 {
        assert_eq!(
            replayed
                .next_timeout(Duration::from_secs(1))
                .unwrap()
                .unwrap()
                .revision
                .0,
            start.0 + expected
        );
    }
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}

fn fill(directory: &Path) {
    let store = open(directory, Options::default()).unwrap();
    for number in 0..40 {
        store
            .write(Batch::new().create(
                key(&format!("child-{number}")),
                encoded(&"x".repeat(100_000)),
            ))
            .wait()
            .unwrap();
    }
}

#[test]
fn the_map_grows_here_and_there() {
    let directory = scratch();
    let options = Options {
        map_size: Some(1 << 20),
        ..Options::default()
    };
    let store = open(directory.path(), options).unwrap();
    let mut watcher = store.watch(&pods(), Revision::FIRST).unwrap();
    // Here: 4 MB into a map of 1.
    for number in 0..40 {
        store
            .write(Batch::new().create(
                key(&format!("parent-{number}")),
                encoded(&"x".repeat(100_000)),
            ))
            .wait()
            .unwrap();
    }
    // There: the other process has a larger map, this one has to follow.
    assert!(spawn("fill", directory.path(), 0).wait().unwrap().success());
    assert!(store.get(&key("child-39")).unwrap().is_some());
    store
        .write(Batch::new().create(key("last"), encoded("x")))
        .wait()
        .unwrap();
    for _ in 0..81 {
        watcher
            .next_timeout(Duration::from_secs(60))
            .unwrap()
            .unwrap();
    }
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}
