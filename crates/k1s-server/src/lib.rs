// SPDX-License-Identifier: Apache-2.0
//! TLS and HTTP listener for the k1s API service.
