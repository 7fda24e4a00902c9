// SPDX-License-Identifier: Apache-2.0
//! What fuzzing begins with and what it has found, without a fuzzer.

#[path = "../../../fuzz/src/corpus.rs"]
#[expect(unreachable_pub, reason = "it is in the fuzz targets' package")]
mod corpus;
#[path = "../../../fuzz/src/targets.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are in another package")]
mod targets;

use corpus::replay;

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
