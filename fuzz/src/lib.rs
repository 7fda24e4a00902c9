// SPDX-License-Identifier: Apache-2.0
//! What the fuzz targets do. The tests of `k1s-api`, `pico-sim` and `turingpi-host` do the same with the corpora, without a fuzzer.

pub mod board;
pub mod chip;
pub mod targets;
