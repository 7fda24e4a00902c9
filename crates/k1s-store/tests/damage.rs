// SPDX-License-Identifier: Apache-2.0
//! A process that meets a damaged page ends with an error; other faults are what they were. The children are this very
//! binary, told by the environment what to do.
#![cfg(all(feature = "lmdb", unix))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::OpenOptions;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use k1s_store::{Batch, Encoded, Key, ListRequest, Options, Prefix, exit_on_damage, open};

const ROLE: &str = "K1S_STORE_TEST_ROLE";
const DIRECTORY: &str = "K1S_STORE_TEST_DIRECTORY";

fn run(role: &str, directory: &Path) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(ROLE, role)
        .env(DIRECTORY, directory)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What a child does; a test that does nothing in the parent.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let directory = PathBuf::from(std::env::var(DIRECTORY).unwrap());
    exit_on_damage();
    // a second time changes nothing
    exit_on_damage();
    match role.as_str() {
        "cut short" => read_what_is_gone(&directory),
        "overflow" => {
            black_box(overflow(1));
        }
        "overflow in a transaction" => {
            let store = open(&directory, Options::default()).unwrap();
            let small = Encoded::new(b"x".to_vec(), 0);
            store
                .write(Batch::new().create(key(), small))
                .wait()
                .unwrap();
            let _ = store.scan(&ListRequest::new(prefix()), &mut |_| {
                black_box(overflow(1));
                ControlFlow::Continue(())
            });
        }
        "abort" => std::process::abort(),
        other => panic!("{other}"),
    }
}

fn key() -> Key {
    Key::new("t", "pods", Some("ns"), "large").unwrap()
}

fn prefix() -> Prefix {
    Prefix::resource("t", "pods").unwrap()
}

fn read_what_is_gone(directory: &Path) {
    let store = open(directory, Options::default()).unwrap();
    let key = key();
    let large = Encoded::new(vec![b'x'; 200_000], 0);
    store
        .write(Batch::new().create(key.clone(), large))
        .wait()
        .unwrap();
    let file = OpenOptions::new()
        .write(true)
        .open(directory.join("data.mdb"))
        .unwrap();
    file.set_len(8192).unwrap();
    let read = store.get(&key);
    panic!(
        "{:?} was read from a file without it",
        read.map(|e| e.is_some())
    );
}

#[expect(unconditional_recursion, reason = "the stack shall overflow")]
fn overflow(depth: u64) -> u64 {
    let frame = [depth; 64];
    black_box(&frame);
    overflow(depth + 1) + frame[3]
}

#[test]
fn a_file_cut_short_while_it_is_open_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let ended = run("cut short", directory.path());
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    let expected = format!(
        "error: the store in {} is damaged: a page of data.mdb is garbled, or the file was cut short\n\
         hint: `k1s store check` says where; restore it from a backup\n",
        directory.path().canonicalize().unwrap().display()
    );
    assert_eq!(said, expected);
}

/// Whatever has nothing to do with the file ends the process as if there were no handler.
#[test]
fn other_ends_are_what_they_were() {
    let check = |role: &str, words: &str| {
        let directory = tempfile::tempdir().unwrap();
        let ended = run(role, directory.path());
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(
            said.contains(words) && !said.contains("damaged"),
            "{role}: {said}"
        );
        assert!(
            ended.status.signal().is_some(),
            "{role}: {:?}",
            ended.status
        );
    };
    check("overflow", "has overflowed its stack");
    check("overflow in a transaction", "has overflowed its stack");
    check("abort", "");
}
