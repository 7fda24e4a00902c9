// SPDX-License-Identifier: Apache-2.0
//! What fuzzing begins with and what it has found, for tests without a fuzzer.

use std::fs;
use std::path::Path;

/// Gives each file of a target's corpus to it.
pub fn replay(target: &str, run: fn(&[u8])) {
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
