// SPDX-License-Identifier: Apache-2.0
//! `/version`: which Kubernetes this server speaks.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::{Request, encode, restful};

/// The minor version of Kubernetes whose API is served.
const MINOR: &str = "35";

/// The version of Kubernetes, and that of this server.
pub(super) const GIT_VERSION: &str = concat!("v1.35.4+k1s", env!("CARGO_PKG_VERSION"));

pub(super) fn answer(request: &Request<'_>) -> Response<Bytes> {
    if let Some(refused) = restful::refused(request, &["application/json"]) {
        return refused;
    }
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let info = json!({
        "major": "1",
        "minor": MINOR,
        "emulationMajor": "1",
        "emulationMinor": MINOR,
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "34",
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "rustc",
        "platform": format!("{system}/{architecture}"),
    });
    encode::raw_json(StatusCode::OK, &info)
}
