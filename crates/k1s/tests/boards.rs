// SPDX-License-Identifier: Apache-2.0
//! `k1s pico sim` as a command: what it refuses.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::process::{Command, Stdio};

const KUBECONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "c",
"clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
"contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}], "users": [{"name": "u", "user": {}}]}"#;

/// Runs `k1s pico sim` with so many descriptors; it must refuse. Returns why.
fn refused(descriptors: u32, flags: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("kc"), KUBECONFIG).unwrap();
    let line = format!(
        "ulimit -n {descriptors} && exec \"$0\" pico sim --kubeconfig kc --socket sim.sock {flags}"
    );
    let done = Command::new("sh")
        .args(["-c", &line, env!("CARGO_BIN_EXE_k1s")])
        .current_dir(home.path())
        .env("HOME", home.path())
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(done.stdout.is_empty(), "{done:?}");
    String::from_utf8(done.stderr).unwrap()
}

#[test]
fn more_boards_than_open_files() {
    let check = |descriptors, flags, expected: &str| {
        assert_eq!(
            refused(descriptors, flags),
            format!("error: {expected}\n"),
            "{flags}"
        );
    };
    check(
        128,
        "--nodes 100 --connections own",
        "100 boards may need 464 open files, and this process may have 128: raise the limit (ulimit -n 464), simulate \
         fewer, or let the boards share connections (--connections shared)",
    );
    check(
        128,
        "--nodes 10000 --connections shared --flash-dir flash",
        "10000 boards may need 10064 open files, and this process may have 128: raise the limit (ulimit -n 10064), simulate fewer",
    );
}

#[test]
fn flags_that_cannot_be_meant() {
    assert!(refused(256, "--seed x").starts_with("error: --seed \"x\" is not a number"));
    assert!(refused(256, "--nodes 0").starts_with("error: --nodes must be between 1 and 100000"));
    assert!(refused(256, "--board esp32").contains("--board \"esp32\" is none of pico-w"));
}
