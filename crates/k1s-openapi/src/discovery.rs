// SPDX-License-Identifier: Apache-2.0
//! The paths of discovery documents.

use k1s_core::schema::Schema;

use crate::operation::{JSON, OBJECT, OK, Operation, Path};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";

/// `rbac.authorization.k8s.io` as `rbacAuthorization`, the core group as `core`.
pub(crate) fn group_word(group: &str) -> String {
    if group.is_empty() {
        return "core".to_owned();
    }
    let parts = group.strip_suffix(".k8s.io").unwrap_or(group).split('.');
    parts
        .enumerate()
        .map(|(i, part)| if i == 0 { part.to_owned() } else { title(part) })
        .collect()
}

pub(crate) fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}

/// A read of a discovery document.
pub(crate) fn document(
    path: String,
    id: String,
    description: &str,
    tag: String,
    answer: &str,
) -> Path {
    let produces = if path == "/version/" { JSON } else { OBJECT };
    let content = if path == "/version/" {
        "io.k8s.apimachinery.pkg.version.Info".to_owned()
    } else {
        format!("{META}.{answer}")
    };
    let operation = Operation {
        method: "get",
        id,
        description: description.to_owned(),
        tag,
        action: "",
        kind: None,
        parameters: Vec::new(),
        body: None,
        consumes: produces,
        produces,
        codes: OK,
        content: Schema::named(&content).map(|s| s.name),
    };
    Path {
        path,
        operations: vec![operation],
    }
}

/// The versions of the core group.
pub(crate) fn core_versions() -> Path {
    document(
        "/api/".into(),
        "getCoreAPIVersions".into(),
        "get available API versions",
        "core".into(),
        "APIVersions",
    )
}

/// The groups.
pub(crate) fn groups() -> Path {
    document(
        "/apis/".into(),
        "getAPIVersions".into(),
        "get available API versions",
        "apis".into(),
        "APIGroupList",
    )
}

/// One group.
pub(crate) fn group(group: &str) -> Path {
    let word = group_word(group);
    document(
        format!("/apis/{group}/"),
        format!("get{}APIGroup", title(&word)),
        "get information of a group",
        word,
        "APIGroup",
    )
}

/// The version of the server.
pub(crate) fn version() -> Path {
    document(
        "/version/".into(),
        "getCodeVersion".into(),
        "get the version information for this server",
        "version".into(),
        "",
    )
}
