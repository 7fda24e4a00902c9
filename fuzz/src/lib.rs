// SPDX-License-Identifier: Apache-2.0
//! What the fuzz targets do. The tests of `k1s-api` and `pico-sim` do the same with the corpora, without a fuzzer.

pub mod chip;
pub mod targets;
