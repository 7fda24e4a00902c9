// SPDX-License-Identifier: Apache-2.0
//! The scheduler: which node a pod goes to.
