// SPDX-License-Identifier: Apache-2.0
//! What fuzzing begins with and what it has found, without a fuzzer.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/src/targets.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are in another package")]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut inputs = 0;
    for entry in fs::read_dir(corpus.join(target)).expect("a corpus for each target") {
        let path = entry.expect("a directory that can be read").path();
        println!("{}", path.display());
        run(&fs::read(&path).expect("a file that can be read"));
        inputs += 1;
    }
    assert!(inputs > 0, "the corpus of {target} is empty");
}

#[test]
fn selectors() {
    replay("selectors", targets::selectors);
}

#[test]
fn patches() {
    replay("patches", targets::patches);
}

#[test]
fn documents() {
    replay("documents", targets::documents);
}

#[test]
fn expressions() {
    replay("expressions", targets::expressions);
}

#[test]
fn continue_tokens() {
    replay("continue_tokens", targets::continue_tokens);
}

#[test]
fn paths() {
    replay("paths", targets::paths);
}
