// SPDX-License-Identifier: Apache-2.0
//! What fuzzing the chip's parsers begins with and what it has found, without a fuzzer.

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/src/chip.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are in another package")]
mod chip;

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
fn http() {
    replay("http", chip::http);
}

#[test]
fn node_json() {
    replay("node_json", chip::node_json);
}

#[test]
fn eci() {
    replay("eci", chip::eci);
}

#[test]
fn flash() {
    replay("flash", chip::flash);
}
