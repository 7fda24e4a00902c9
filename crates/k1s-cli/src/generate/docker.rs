// SPDX-License-Identifier: Apache-2.0
//! The credentials of a container registry, as Docker keeps them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use k1s_core::json::print;

/// The content of `.dockerconfigjson` for one registry.
pub fn docker_config(server: &str, username: &str, password: &str, email: &str) -> String {
    let auth = STANDARD.encode(format!("{username}:{password}"));
    let fields = [
        ("username", username),
        ("password", password),
        ("email", email),
        ("auth", &auth),
    ];
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let fields: Vec<String> = fields
        .map(|(name, value)| format!("\"{name}\":{}", print(&(*value).into())))
        .collect();
    format!(
        "{{\"auths\":{{{}:{{{}}}}}}}",
        print(&server.into()),
        fields.join(",")
    )
}
