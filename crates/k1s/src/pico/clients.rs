// SPDX-License-Identifier: Apache-2.0
//! Which client of a board's own port is the API server.
//!
//! The authority that signs its certificate signs those of users and of nodes too, so the name in it decides. A kubelet asks the
//! API what each client may do; boards let the API server alone do everything, and nobody else anything.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use k1s_cli::kubeconfig::Access;
use k1s_cli::transport::Transport as _;
use k1s_cli::transport::remote::Remote;
use k1s_server::x509;
use serde_json::Value;

/// Groups (O) that may do everything in a cluster, and with which the API server is signed for.
const GROUPS: [&str; 2] = ["system:masters", "kubeadm:cluster-admins"];
/// Names (CN) that installers give to the API server as a client of nodes.
const NAMES: [&str; 5] = [
    "kube-apiserver-kubelet-client",
    "kube-apiserver",
    "system:apiserver",
    "system:kube-apiserver",
    "kubelet-api",
];

/// Where an API server says whose client certificates it trusts, for those that stand behind it.
const AUTHENTICATION: &str =
    "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication";
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The API server, known by the name in its certificate.
#[derive(Debug, Default)]
pub(super) struct ApiServer {
    /// Names besides [`NAMES`].
    names: Vec<String>,
}

impl ApiServer {
    pub(super) fn with(names: Vec<String>) -> Self {
        Self { names }
    }

    fn is_named(&self, subject: &x509::Certificate) -> bool {
        let name = subject.common_name.as_str();
        let in_group = |group: &String| GROUPS.contains(&group.as_str());
        NAMES.contains(&name)
            || self.names.iter().any(|known| known == name)
            || subject.organizations.iter().any(in_group)
    }
}

impl pico_sim::Clients for ApiServer {
    fn speaks_for_api(&self, certificate: &[u8]) -> bool {
        x509::Certificate::parse(certificate).is_ok_and(|subject| self.is_named(&subject))
    }
}

/// The authorities of the API server's own client certificate: those of the cluster's clients, as it says them, or that of the
/// kubeconfig where it says none.
pub(super) async fn authorities(access: &Access) -> Vec<u8> {
    let said = tokio::time::timeout(PATIENCE, said(access)).await;
    said.ok()
        .flatten()
        .unwrap_or_else(|| access.authority.clone())
}

async fn said(access: &Access) -> Option<Vec<u8>> {
    let request = Request::get(AUTHENTICATION).body(Bytes::new()).ok()?;
    let answer = Remote::new(access.clone()).ok()?.send(request).await.ok()?;
    if !answer.status().is_success() {
        return None;
    }
    let body = answer.into_body().collect().await.ok()?.to_bytes();
    let map: Value = serde_json::from_slice(&body).ok()?;
    let text = map["data"]["client-ca-file"].as_str()?;
    (!text.trim().is_empty()).then(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_api_server_is_known_by_its_name() {
        for (name, groups, expected) in [
            ("kube-apiserver-kubelet-client", &[][..], true),
            ("system:apiserver", &[], true),
            ("kubernetes-admin", &["system:masters"], true),
            ("kubernetes-admin", &["kubeadm:cluster-admins"], true),
            ("own-apiserver", &["own"], true),
            ("system:node:pico-0", &["system:nodes"], false),
            ("jane", &["developers", "system:authenticated"], false),
            ("", &[], false),
        ] {
            let subject = x509::Certificate {
                common_name: name.to_owned(),
                organizations: groups.iter().map(|&group| group.to_owned()).collect(),
                not_after: 0,
            };
            let server = ApiServer::with(vec!["own-apiserver".to_owned()]);
            assert_eq!(server.is_named(&subject), expected, "{name} {groups:?}");
        }
    }
}
