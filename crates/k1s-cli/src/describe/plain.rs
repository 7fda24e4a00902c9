// SPDX-License-Identifier: Apache-2.0
//! Kinds that only hold data: ConfigMap, Secret, ServiceAccount, Namespace.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::field::{Fields, shown};
use super::page::{Page, put, sorted};
use super::time::full;
use super::{Related, event, policy};

/// A ConfigMap.
pub(crate) fn config_map(page: &mut Page, map: &Value, related: &Related) {
    page.metadata(map);
    put!(page, 0, "\nData\n====");
    for (name, value) in sorted(map.map("data")) {
        put!(page, 0, "{name}:\n----\n{}\n", shown(value));
    }
    put!(page, 0, "\nBinaryData\n====");
    for (name, value) in sorted(map.map("binaryData")) {
        put!(page, 0, "{name}: {} bytes", decoded(value).len());
    }
    put!(page, 0, "");
    event::section(page, related);
}

/// A Secret, of whose values only the size is shown; the token of a service account is shown whole.
pub(crate) fn secret(page: &mut Page, secret: &Value, _related: &Related) {
    page.metadata(secret);
    put!(page, 0, "\nType:\t{}", secret.text("type"));
    put!(page, 0, "\nData\n====");
    for (name, value) in sorted(secret.map("data")) {
        let value = decoded(value);
        if name == "token" && secret.text("type") == "kubernetes.io/service-account-token" {
            put!(page, 0, "{name}:\t{}", String::from_utf8_lossy(&value));
        } else {
            put!(page, 0, "{name}:\t{} bytes", value.len());
        }
    }
}

/// A ServiceAccount.
pub(crate) fn service_account(page: &mut Page, account: &Value, related: &Related) {
    page.metadata(account);
    let mut title = "Image pull secrets:";
    for secret in account.list("imagePullSecrets") {
        put!(page, 0, "{title}\t{}", secret.text("name"));
        title = "                   ";
    }
    if account.list("imagePullSecrets").is_empty() {
        put!(page, 0, "{title}\t<none>");
    }
    event::section(page, related);
}

/// A Namespace with its quotas and limits.
pub(crate) fn namespace(page: &mut Page, namespace: &Value, related: &Related) {
    put!(page, 0, "Name:\t{}", namespace.text("metadata.name"));
    page.marks(namespace);
    put!(page, 0, "Status:\t{}", namespace.text("status.phase"));
    if !namespace.list("status.conditions").is_empty() {
        put!(page, 0, "Conditions:");
        put!(page, 1, "Type\tStatus\tLastTransitionTime\tReason\tMessage");
        put!(page, 1, "----\t------\t------------------\t------\t-------");
        for condition in namespace.list("status.conditions") {
            let (time, reason) = (
                full(condition.text("lastTransitionTime")),
                condition.text("reason"),
            );
            put!(
                page,
                1,
                "{}\t{}\t{time}\t{reason}\t{}",
                condition.text("type"),
                condition.text("status"),
                condition.text("message")
            );
        }
    }
    policy::quotas_of_namespace(page, related.list("resourcequotas").unwrap_or_default());
    policy::limit_ranges_of_namespace(page, related.list("limitranges").unwrap_or_default());
}

fn decoded(value: &Value) -> Vec<u8> {
    STANDARD
        .decode(value.as_str().unwrap_or_default())
        .unwrap_or_default()
}
