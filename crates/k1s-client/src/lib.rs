// SPDX-License-Identifier: Apache-2.0
//! kube::Client on the in-process k1s API service.
