// SPDX-License-Identifier: Apache-2.0
//! What fuzzing the chip's parsers begins with and what it has found, without a fuzzer.

#[path = "../../../fuzz/src/chip.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are in another package")]
mod chip;
#[path = "../../../fuzz/src/corpus.rs"]
#[expect(unreachable_pub, reason = "it is in the fuzz targets' package")]
mod corpus;

use corpus::replay;

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

#[test]
fn spdy() {
    replay("spdy", chip::spdy);
}
