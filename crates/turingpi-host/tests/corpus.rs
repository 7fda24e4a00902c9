// SPDX-License-Identifier: Apache-2.0
//! What fuzzing a module's shell and file transfer begins with and what it has found, without a fuzzer.

#[path = "../../../fuzz/src/board.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets are in another package")]
mod board;
#[path = "../../../fuzz/src/corpus.rs"]
#[expect(unreachable_pub, reason = "it is in the fuzz targets' package")]
mod corpus;

use corpus::replay;

#[test]
fn shell() {
    replay("shell", board::shell);
}

#[test]
fn sftp() {
    replay("sftp", board::sftp);
}
