// SPDX-License-Identifier: Apache-2.0
//! Measures the service in process: `cargo run --release -p k1s-api --example bench_service [DIRECTORY]`.
//!
//! No socket, no TLS, no client: each thread builds requests, calls the service and reads the bodies
//! of the answers. Beside it stands the store alone, so that the difference is what the service
//! costs. The directory is where the durable part writes; beside its writes stands a plain loop of
//! write and fdatasync on the same disk.
//!
//! `… --example bench_service fill DIRECTORY COUNT` makes a store of that many ConfigMaps of 1 KB, named
//! `bench-00000000` and so on, for measurements of a large one. The directory is that of a store,
//! which the program keeps in `store` in its data directory.
//!
//! `… --example bench_service disk DIRECTORY` does nothing but that loop, and prints its rate.
//!
//! `… --example bench_service only get|create COUNT [THREADS]` does nothing but that, on the memory engine: for a
//! profiler, or to count instructions (`valgrind --tool=callgrind`).
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that fails has nothing to say"
)]

use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use k1s_api::{Api, Identity, Options};
use k1s_store::{Batch, Encoded, Key};

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const OBJECTS: usize = 10_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, directory, count] = &arguments[..]
        && verb == "fill"
    {
        return fill(Path::new(directory), count.parse().unwrap());
    }
    if let [verb, directory] = &arguments[..]
        && verb == "disk"
    {
        let path = Path::new(directory).join(format!("k1s-disk-{}", std::process::id()));
        println!("{:.0}", write_and_sync(&path));
        return std::fs::remove_file(path).unwrap();
    }
    if let [verb, what, count, threads @ ..] = &arguments[..]
        && verb == "only"
    {
        let threads = threads
            .first()
            .map_or(1, |threads| threads.parse().unwrap());
        return only(what, count.parse().unwrap(), threads);
    }
    let scratch = arguments
        .first()
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let directory = scratch.join(format!("k1s-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();

    println!("memory engine, objects of 1 KB");
    for threads in [1, 2] {
        memory(threads);
    }

    println!("LMDB, durable");
    let loops = || write_and_sync(&directory.join("plain"));
    let before = loops();
    let own = durable(&directory.join("own"), false, 1, 2_000);
    let alone = durable(&directory.join("alone"), true, 1, 2_000);
    let disk = (before + loops()) / 2.0;
    show("plain write + fdatasync, 1 at a time", disk);
    println!("{:<44} {:>12.2}", "  create, of the plain loop", own / disk);
    let title = "  create, group commit, of the plain loop";
    println!("{title:<44} {:>12.2}", alone / disk);
    durable(&directory.join("group"), true, 64, 40_000);
    std::fs::remove_dir_all(directory).unwrap();
}

/// Creates objects, many at a time, so that commits are few.
fn fill(directory: &Path, count: usize) {
    let options = k1s_store::Options {
        group_commit: true,
        ..k1s_store::Options::default()
    };
    let api = Api::open(
        k1s_store::open(directory, options).unwrap(),
        Options::default(),
    )
    .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let next = std::cell::Cell::new(0);
    runtime.block_on(futures_util::future::join_all((0..500).map(|_| async {
        loop {
            let number = next.get();
            if number >= count {
                break;
            }
            next.set(number + 1);
            create(&api, number).await;
        }
    })));
}

/// One thing many times, on a store of as many objects.
fn only(what: &str, count: usize, threads: usize) {
    let store = k1s_store::memory(k1s_store::Options::default());
    let api = Api::open(store, Options::default()).unwrap();
    let took = in_threads(threads, count, |number| create(&api, number));
    match what {
        "create" => report("create, service", threads, count, took),
        "get" => {
            let paths: Vec<String> = (0..count).map(|n| format!("{MAPS}/{}", name(n))).collect();
            let took = in_threads(threads, 10 * count, |number| {
                get(&api, &paths[number % count])
            });
            report("get, service", threads, 10 * count, took)
        }
        _ => panic!("only get or create"),
    };
}

fn memory(threads: usize) {
    let store = k1s_store::memory(k1s_store::Options::default());
    let took = in_threads(threads, 20 * OBJECTS, |number| {
        let batch = Batch::new().create(key("s", number), Encoded::opaque(vec![b'x'; 1_000]));
        async { drop(store.write(batch).await.unwrap()) }
    });
    report("create, store alone", threads, 20 * OBJECTS, took);
    let keys: Vec<Key> = (0..OBJECTS).map(|number| key("s", number)).collect();
    let took = in_threads(threads, 100 * OBJECTS, |number| {
        let found = store.get(&keys[number * 7_919 % OBJECTS]).unwrap();
        assert!(found.is_some());
        std::future::ready(())
    });
    report("get, store alone", threads, 100 * OBJECTS, took);

    let api = Api::open(
        k1s_store::memory(k1s_store::Options::default()),
        Options::default(),
    )
    .unwrap();
    let took = in_threads(threads, 10 * OBJECTS, |number| create(&api, number));
    report("create, service", threads, 10 * OBJECTS, took);
    let paths: Vec<String> = (0..OBJECTS)
        .map(|n| format!("{MAPS}/{}", name(n)))
        .collect();
    let took = in_threads(threads, 40 * OBJECTS, |number| {
        get(&api, &paths[number * 7_919 % OBJECTS])
    });
    report("get, service", threads, 40 * OBJECTS, took);
    let lists = 20;
    let took = in_threads(threads, lists, |_| get(&api, MAPS));
    let each = took.as_secs_f64() * 1e3 * threads as f64 / lists as f64;
    println!(
        "{:<44} {each:>12.1} ms",
        format!("list of {} objects, {threads} at a time", 10 * OBJECTS)
    );
}

fn durable(directory: &Path, group_commit: bool, callers: usize, count: usize) -> f64 {
    let options = k1s_store::Options {
        group_commit,
        ..k1s_store::Options::default()
    };
    let store = k1s_store::open(directory, options).unwrap();
    let api = Api::open(store, Options::default()).unwrap();
    let took = in_threads(callers, count, |number| create(&api, number));
    let what = if group_commit {
        "create, service, group commit"
    } else {
        "create, service"
    };
    report(what, callers, count, took)
}

async fn create(api: &Api, number: usize) {
    let body = format!(
        r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}"}},"data":{{"text":"{}"}}}}"#,
        name(number),
        "x".repeat(900)
    );
    let answer = api.answer(request(Method::POST, MAPS, body.into())).await;
    assert_eq!(answer.status(), 201);
    answer.into_body().collect().await.unwrap();
}

async fn get(api: &Api, path: &str) {
    let answer = api.answer(request(Method::GET, path, Bytes::new())).await;
    assert_eq!(answer.status(), 200);
    answer.into_body().collect().await.unwrap();
}

fn request(method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(http::header::CONTENT_TYPE, "application/json")
        .extension(Identity::admin())
        .body(Full::new(body))
        .unwrap()
}

fn name(number: usize) -> String {
    format!("bench-{number:08}")
}

fn key(prefix: &str, number: usize) -> Key {
    let name = format!("{prefix}-{number:08}");
    Key::new("default", "configmaps", Some("bench"), &name).unwrap()
}

/// Runs `work` with numbers from 0 to `count` in some threads, each with a runtime of its own.
fn in_threads<F: Future<Output = ()>>(
    threads: usize,
    count: usize,
    work: impl Fn(usize) -> F + Sync,
) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_time()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            break;
                        }
                        work(number).await;
                    }
                });
            });
        }
    });
    start.elapsed()
}

/// Writes with fdatasync a second, of 1.1 KB each, at the end of a file.
fn write_and_sync(path: &Path) -> f64 {
    const WRITES: u32 = 2_000;
    let mut file = File::create(path).unwrap();
    let start = Instant::now();
    for _ in 0..WRITES {
        file.write_all(&[b'x'; 1_100]).unwrap();
        file.sync_data().unwrap();
    }
    f64::from(WRITES) / start.elapsed().as_secs_f64()
}

fn report(what: &str, threads: usize, count: usize, took: Duration) -> f64 {
    let rate = count as f64 / took.as_secs_f64();
    show(&format!("{what}, {threads} at a time"), rate);
    rate
}

fn show(what: &str, rate: f64) {
    println!("{what:<44} {rate:>12.0}/s");
}
