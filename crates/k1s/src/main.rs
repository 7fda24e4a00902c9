// SPDX-License-Identifier: Apache-2.0
//! The `k1s` binary.

fn main() {}
