// SPDX-License-Identifier: Apache-2.0
//! The built binary looks after stores: what is in one, a copy of it, and what its log holds.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn k1s(data_dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_k1s"))
        .arg("--data-dir")
        .arg(data_dir)
        .args(arguments)
        .output()
        .unwrap()
}

/// Standard output of a command that succeeds.
fn output(data_dir: &Path, arguments: &[&str]) -> String {
    let output = k1s(data_dir, arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

/// Standard error of a command that fails.
fn refusal(data_dir: &Path, arguments: &[&str]) -> String {
    let output = k1s(data_dir, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeds");
    String::from_utf8(output.stderr).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_backup_is_a_data_directory_and_becomes_one() {
    let scratch = tempfile::tempdir().unwrap();
    let [data, copy, other] = ["data", "copy", "other"].map(|name| scratch.path().join(name));
    let copy_words = copy.to_str().unwrap();

    assert!(refusal(&data, &["store", "backup", copy_words]).contains("there is no store in"));
    output(&data, &["create", "cm", "a", "--from-literal=k=1"]);
    let told = json(&output(
        &data,
        &["store", "backup", copy_words, "-o", "json"],
    ));
    output(&data, &["delete", "cm", "a"]);

    let value = ["get", "cm", "a", "-o", "jsonpath={.data.k}"];
    assert_eq!(output(&copy, &value), "1");
    assert!(refusal(&data, &["store", "backup", copy_words]).contains("there is a store in"));

    let back = json(&output(
        &other,
        &["store", "restore", copy_words, "-o", "json"],
    ));
    assert_eq!(back["revision"], told["revision"]);
    assert_eq!(output(&other, &value), "1");
    assert!(refusal(&other, &["store", "restore", copy_words]).contains("there is a store in"));
    let ca = |dir: &Path| std::fs::read(dir.join("pki/ca.crt")).unwrap();
    assert_eq!(ca(&data), ca(&other));
}

#[test]
fn comments_in_files_are_no_content() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("map.yaml");
    let text = "# of all\n---\n# first\napiVersion: v1 # v\nkind: ConfigMap\n# name\nmetadata:\n  # deep\n  name: a\ndata:\n  k: v # tail\n# end\n";
    std::fs::write(&file, text).unwrap();
    let data_dir = dir.path().join("data");
    let applied = output(&data_dir, &["apply", "-f", file.to_str().unwrap()]);
    assert_eq!(applied, "configmap/a created\n");
    let read = output(
        &data_dir,
        &["get", "configmap", "a", "-o", "jsonpath={.data.k}"],
    );
    assert_eq!(read, "v");
}

#[test]
fn figures_and_forgetting() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path();
    output(data, &["create", "cm", "a"]);
    let stats = json(&output(data, &["store", "stats", "-o", "json"]));
    assert!(stats["objects"].as_u64().unwrap() > 1, "{stats}");
    assert!(stats["diskBytes"].as_u64().unwrap() > 0, "{stats}");
    let check = json(&output(data, &["store", "check", "-o", "json"]));
    assert_eq!(
        (&check["sound"], &check["objects"]),
        (&true.into(), &stats["objects"])
    );
    assert!(refusal(data, &["store", "compact", "--before=soon"]).contains("is not a revision"));
    let kept = json(&output(data, &["store", "compact", "-o", "json"]));
    assert_eq!(kept["oldestRevision"], stats["revision"]);
    let gone = refusal(data, &["watch", "cm", "--since=1", "--count=1"]);
    assert!(gone.contains("too old resource version"), "{gone}");
}

#[test]
fn the_log_is_replayed() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path();
    output(data, &["create", "cm", "a"]);
    output(data, &["label", "cm", "a", "k=v"]);
    output(data, &["delete", "cm", "a"]);
    let lines = output(
        data,
        &["watch", "cm/a", "--since=1", "--count=3", "-o", "json"],
    );
    let events: Vec<Value> = lines.lines().map(json).collect();
    let types: Vec<&str> = events.iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["ADDED", "MODIFIED", "DELETED"]);
    let after = events[0]["object"]["metadata"]["resourceVersion"]
        .as_str()
        .unwrap();
    let table = output(data, &["watch", "cm", "--since", after, "--count=1"]);
    let words: Vec<&str> = table.split_whitespace().collect();
    assert_eq!(
        &words[..6],
        ["EVENT", "NAME", "DATA", "AGE", "MODIFIED", "a"]
    );
    assert!(refusal(data, &["watch", "cm", "--since=soon"]).contains("is not a revision"));
}

#[test]
fn own_commands_have_examples() {
    let scratch = tempfile::tempdir().unwrap();
    for command in [
        &["up"][..],
        &["serve"],
        &["watch"],
        &["store", "backup"],
        &["store", "check"],
        &["store", "compact"],
        &["store", "restore"],
        &["store", "stats"],
    ] {
        let help = output(scratch.path(), &[command, &["--help"]].concat());
        assert!(help.contains("\nExamples:\n  # "), "{help}");
    }
}

#[test]
fn a_bench_measures_every_operation_and_leaves_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path();
    let bench = ["bench", "--count=20", "-c", "4", "--size=10", "-o", "json"];
    let figures = json(&output(data, &bench));
    let operations: Vec<&str> = figures["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["operation"].as_str().unwrap())
        .collect();
    assert_eq!(operations, ["create", "get", "patch", "list", "delete"]);
    let names = output(data, &["get", "namespaces", "-o", "name"]);
    assert!(!names.contains("k1s-bench-"), "{names}");
    assert!(output(data, &["bench", "--count=2"]).starts_with("OPERATION"));
    assert!(refusal(data, &["bench", "--count=0"]).contains("is not between 1 and"));
}
