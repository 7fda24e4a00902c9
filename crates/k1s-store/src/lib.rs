// SPDX-License-Identifier: Apache-2.0
//! Embedded, versioned, watchable object store with the semantics of Kubernetes storage.
