// SPDX-License-Identifier: Apache-2.0
//! Every `golden/NAME.json` (an object, its events, what was looked up) is described as `golden/NAME.txt` says.
//! With `UPDATE_GOLDEN=1` in the environment the texts are written anew.

use std::path::Path;

use serde_json::Value;

use super::field::Fields;
use super::{Related, describe};

#[test]
fn objects_are_described_as_recorded() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/describe/golden");
    let mut seen = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let case: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let answer = |value: &Value| match value.text("error") {
            "" => Ok(value.clone()),
            error => Err(error.to_owned()),
        };
        let related = Related {
            now: "2026-11-21T03:05:00Z".parse().unwrap(),
            events: case["events"].as_array().cloned(),
            found: case
                .map("found")
                .iter()
                .map(|(key, value)| (key.clone(), answer(value)))
                .collect(),
        };
        let text = describe(&case["object"], &related);
        let golden = path.with_extension("txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        assert_eq!(
            text,
            std::fs::read_to_string(&golden).unwrap_or_default(),
            "{}",
            path.display()
        );
        seen += 1;
    }
    assert!(seen > 20, "only {seen} cases in {}", directory.display());
}
