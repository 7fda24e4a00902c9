// SPDX-License-Identifier: Apache-2.0
//! Pages and schema are written down, and the same as what the program says.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::provider::TuringPi;
use crate::write_docs;

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs")
}

/// `UPDATE_GOLDEN=1 cargo test -p terraform-provider-turingpi` writes the pages anew.
#[test]
fn the_pages_say_what_the_schemas_say() {
    let pages = tfplugin::docs::pages("turingpi", &TuringPi::default());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let _ = std::fs::remove_dir_all(docs());
        assert_eq!(write_docs(&docs()), ExitCode::SUCCESS);
    }
    for (name, text) in &pages {
        let written = std::fs::read_to_string(docs().join(name)).unwrap_or_default();
        assert_eq!(&written, text, "docs/{name} is not what the schema says");
    }
    let mut found = 0;
    for entry in std::fs::read_dir(docs()).unwrap() {
        let path = entry.unwrap().path();
        found += if path.is_dir() {
            std::fs::read_dir(path).unwrap().count()
        } else {
            1
        };
    }
    assert_eq!(found, pages.len(), "a page of something that is no more");
}

#[test]
fn every_attribute_is_described() {
    for (name, text) in tfplugin::docs::pages("turingpi", &TuringPi::default()) {
        for line in text.lines().filter(|l| l.trim_start().starts_with("- `")) {
            assert!(!line.trim_end().ends_with(')'), "{name}: {line}");
        }
    }
}

/// The schema as hosts read it, in one file: what changes in it changes states and configurations of users.
#[test]
fn the_schema_is_the_one_that_is_written_down() {
    let schema = tfplugin::docs::schema(&TuringPi::default());
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, text, "UPDATE_GOLDEN=1 writes it anew");
}

/// The table of defects names tests that there are, and leaves none out.
#[test]
fn each_defect_has_a_test() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("docs/turingpi-migration.md")).unwrap();
    let table = text.split("## Defects").nth(1).unwrap();
    let mut sources = String::new();
    for dir in [
        "crates/terraform-provider-turingpi/src/tests",
        "crates/turingpi-sim/tests/board",
    ] {
        for entry in std::fs::read_dir(root.join(dir)).unwrap() {
            sources += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
    }
    let mut named = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let numbers = cells[1].split(':').next().unwrap();
        named.extend(numbers.split(", ").map(str::to_owned));
        for test in cells[2].split(", ") {
            let test = test.trim_matches('`');
            assert!(
                sources.contains(&format!("fn {test}(")),
                "there is no test {test}"
            );
        }
    }
    for (letter, last) in [('M', 16), ('B', 19), ('P', 16)] {
        for n in 1..=last {
            let number = format!("{letter}{n}");
            let of_clusters = matches!(&number[..], "P7" | "P10" | "P11" | "P12" | "P16");
            assert!(
                named.contains(&number) || of_clusters,
                "no test for {number}"
            );
        }
    }
}
