// SPDX-License-Identifier: Apache-2.0
//! Measures the engines: `cargo run --release -p k1s-store --example bench [DIRECTORY]`.
//!
//! The directory is where the durable parts write; it decides what disk is measured. Beside the
//! durable writes stands a plain loop of write and fdatasync on the same disk.
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::fs::File;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use k1s_store::{Batch, Encoded, Key, ListRequest, Options, Prefix, Store};

const OBJECTS: usize = 10_000;

fn main() {
    let scratch = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = tempfile::tempdir_in(scratch).unwrap();

    resident();
    let memory = k1s_store::memory(Options::default());
    reads_and_writes("memory", &memory);

    let disk = plain_disk(directory.path().join("plain"));
    let lmdb = k1s_store::open(&directory.path().join("inline"), Options::default()).unwrap();
    let alone = durable("lmdb create, 1 caller, inline", &lmdb, 1, 2_000);
    println!("{:<44} {:>12.2}", "  of the plain loop", alone / disk);
    reads_and_writes("lmdb", &lmdb);
    drop(lmdb);

    let options = Options {
        group_commit: true,
        ..Options::default()
    };
    let group = k1s_store::open(&directory.path().join("group"), options).unwrap();
    durable("lmdb create, 1 caller, group commit", &group, 1, 2_000);
    durable("lmdb create, 64 callers, group commit", &group, 64, 50_000);
    watching("lmdb", &group);
    drop(group);
    opening(&directory.path().join("group"));
}

/// What the objects of the project's load test take in memory.
fn resident() {
    let resident = || -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse().ok())
            .unwrap_or(0)
    };
    let before = resident();
    let store = k1s_store::memory(Options::default());
    let mut bytes = 0;
    for (prefix, count, size) in [("c", 11_000, 1_000), ("p", 10_000, 2_500)] {
        for number in 0..count {
            let encoded = Encoded::opaque(vec![b'x'; size]);
            bytes += size;
            store
                .write(Batch::new().create(key(prefix, number), encoded))
                .wait()
                .unwrap();
        }
    }
    let grown = (resident() - before) as f64 / 1024.0;
    let payload = bytes as f64 / 1024.0 / 1024.0;
    println!(
        "{:<44} {grown:>12.1} MiB for {payload:.1} MiB",
        "memory, 11 000 ConfigMaps and 10 000 Pods"
    );
}

fn key(prefix: &str, number: usize) -> Key {
    Key::new(
        "default",
        "configmaps",
        Some("bench"),
        &format!("{prefix}-{number:08}"),
    )
    .unwrap()
}

/// A document of about 1 KB.
fn document() -> Encoded {
    let front =
        r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"bench","resourceVersion":""#;
    let bytes = format!(r#"{front}"}},"data":{{"text":"{}"}}}}"#, "x".repeat(900)).into_bytes();
    Encoded::new(bytes, front.len())
}

fn report(what: &str, count: usize, took: Duration) -> f64 {
    let rate = count as f64 / took.as_secs_f64();
    println!("{what:<44} {rate:>12.0}/s");
    rate
}

/// Runs `work` with numbers from 0 to `count` in some threads.
fn in_threads(threads: usize, count: usize, work: impl Fn(usize) + Sync) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    work(number);
                }
            });
        }
    });
    start.elapsed()
}

fn plain_disk(path: PathBuf) -> f64 {
    let mut file = File::create(path).unwrap();
    let block = document().bytes;
    let start = Instant::now();
    for _ in 0..2_000 {
        file.write_all(&block).unwrap();
        file.sync_data().unwrap();
    }
    report("plain write + fdatasync of 1 KB", 2_000, start.elapsed())
}

fn durable(what: &str, store: &Arc<dyn Store>, callers: usize, count: usize) -> f64 {
    let document = document();
    let took = in_threads(callers, count, |number| {
        let batch = Batch::new().create(key(&format!("d{callers}"), number), document.clone());
        store.write(batch).wait().unwrap();
    });
    report(what, count, took)
}

fn reads_and_writes(name: &str, store: &Arc<dyn Store>) {
    let document = document();
    // One batch, so that disks do not matter.
    let mut batch = Batch::new();
    for number in 0..OBJECTS {
        batch = batch.create(key("r", number), document.clone());
    }
    store.write(batch).wait().unwrap();
    let keys: Vec<Key> = (0..OBJECTS).map(|number| key("r", number)).collect();
    let gets = 200 * OBJECTS;
    for threads in [1, 2] {
        let took = in_threads(threads, gets, |number| {
            // A step that visits all keys in no order.
            let entry = store.get(&keys[number * 7_919 % OBJECTS]).unwrap().unwrap();
            assert!(entry.value.len() > 900);
        });
        report(
            &format!("{name} get of {OBJECTS}, {threads} callers"),
            gets,
            took,
        );
    }
    let request =
        ListRequest::new(Prefix::resource("default", "configmaps").unwrap()).from("bench/r-");
    let start = Instant::now();
    let mut bytes = 0;
    let mut count = 0;
    store
        .scan(&request, &mut |entry| {
            bytes += entry.unwrap().value().len();
            count += 1;
            if count == OBJECTS {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
        .unwrap();
    let took = start.elapsed();
    println!(
        "{:<44} {:>12.2} ms, {bytes} bytes",
        format!("{name} scan of {count}"),
        took.as_secs_f64() * 1e3
    );
    if name == "memory" {
        let creates = 10 * OBJECTS;
        for threads in [1, 2] {
            let took = in_threads(threads, creates, |number| {
                let batch =
                    Batch::new().create(key(&format!("w{threads}"), number), document.clone());
                store.write(batch).wait().unwrap();
            });
            report(&format!("{name} create, {threads} callers"), creates, took);
        }
    }
}

fn watching(name: &str, store: &Arc<dyn Store>) {
    let prefix = Prefix::resource("default", "configmaps").unwrap();
    let start_at = k1s_store::Revision(store.revision().unwrap().0 - OBJECTS as u64);
    let start = Instant::now();
    let mut watcher = store.watch(&prefix, start_at).unwrap();
    for _ in 0..OBJECTS {
        watcher
            .next_timeout(Duration::from_secs(10))
            .unwrap()
            .unwrap();
    }
    println!(
        "{:<44} {:>12.2} ms",
        format!("{name} replay of {OBJECTS} events"),
        start.elapsed().as_secs_f64() * 1e3
    );

    for watchers in [1, 100] {
        let mut all: Vec<_> = (0..watchers)
            .map(|_| store.watch(&prefix, store.revision().unwrap()).unwrap())
            .collect();
        let mut delays = Vec::new();
        for number in 0..500 {
            let batch = Batch::new().create(key(&format!("l{watchers}"), number), document());
            store.write(batch).wait().unwrap();
            let start = Instant::now();
            for watcher in &mut all {
                watcher
                    .next_timeout(Duration::from_secs(10))
                    .unwrap()
                    .unwrap();
            }
            delays.push(start.elapsed());
        }
        delays.sort();
        let p99 = delays[delays.len() * 99 / 100].as_secs_f64() * 1e3;
        println!(
            "{:<44} {p99:>12.3} ms",
            format!("{name} write to event, {watchers} watchers, p99")
        );
    }
}

fn opening(directory: &std::path::Path) {
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let start = Instant::now();
            let store = k1s_store::open(directory, Options::default()).unwrap();
            store.get(&key("d64", 4_711)).unwrap().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "{:<44} {:>12.3} ms",
        "lmdb open + get, median",
        times[100].as_secs_f64() * 1e3
    );
}
