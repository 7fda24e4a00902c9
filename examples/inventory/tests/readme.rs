// SPDX-License-Identifier: Apache-2.0
//! Follows the document of the examples word for word: each command of its console block is run, and prints what stands there.

use std::path::Path;
use std::process::Command;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");

/// The commands of the console blocks, each with what it prints.
fn steps(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line.strip_prefix("$ ")) {
            (false, _) => inside = line == "```console",
            (true, _) if line == "```" => inside = false,
            (true, Some(command)) => out.push((command.to_owned(), String::new())),
            (true, None) => {
                if let Some((_, printed)) = out.last_mut() {
                    printed.push_str(line);
                    printed.push('\n');
                }
            }
        }
    }
    out
}

/// Columns by one space, so that the width of an age does not matter; ages and uids and times are all alike.
fn alike(text: &str) -> String {
    let words = |line: &str| {
        let words: Vec<&str> = line
            .split_whitespace()
            .map(|word| {
                let age = word.len() <= 3
                    && word.ends_with('s')
                    && word[..word.len() - 1].bytes().all(|b| b.is_ascii_digit())
                    && word.len() > 1;
                let time = word.len() == 20 && word.starts_with("20") && word.ends_with('Z');
                let uid = word.len() == 36 && word.matches('-').count() == 4;
                match () {
                    () if age => "<age>",
                    () if time => "<time>",
                    () if uid => "<uid>",
                    () => word,
                }
            })
            .collect();
        words.join(" ")
    };
    text.trim_end()
        .lines()
        .map(words)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_document_says_what_the_program_does() {
    let home = tempfile::tempdir().unwrap();
    let bin = Path::new(env!("CARGO_BIN_EXE_inventory")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let text = std::fs::read_to_string(DOCUMENT).unwrap();
    let steps = steps(&text);
    assert!(steps.len() > 5, "the document shows commands");
    for (command, expected) in steps {
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
            .env_clear()
            .env("PATH", &path)
            .env("HOME", home.path())
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(alike(&printed), alike(&expected), "$ {command}\n{printed}");
    }
}
