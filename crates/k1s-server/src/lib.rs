// SPDX-License-Identifier: Apache-2.0
//! The k1s listener.
pub mod pki;
pub mod private_file;
pub mod x509;
