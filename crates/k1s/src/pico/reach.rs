// SPDX-License-Identifier: Apache-2.0
//! A kubeconfig's server and credentials as the simulation takes them.

use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use http::Uri;
use k1s_cli::kubeconfig::Access;
use k1s_cli::transport::tls;
use pico_sim::{Api, Wire};

/// An error of the command line library in one line.
pub(super) fn plain(error: k1s_cli::error::Error) -> anyhow::Error {
    let text = error.render();
    let text = text.trim_end();
    anyhow!("{}", text.strip_prefix("error: ").unwrap_or(text))
}

/// How boards reach the server.
pub(super) fn api(access: &Access) -> Result<Api> {
    let refuse = |why: &str| anyhow!("the server's address {:?} {why}", access.server);
    let uri: Uri = access.server.parse().map_err(|_| refuse("is not a URL"))?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => bail!(refuse("is neither http nor https")),
    };
    let host = uri.host().ok_or_else(|| refuse("has no host"))?;
    let bare = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let tls = if secure {
        let name = if access.tls_server_name.is_empty() {
            bare.clone()
        } else {
            access.tls_server_name.clone()
        };
        let name = tls::server_name(name).map_err(plain)?;
        Some((Arc::new(tls::client(access).map_err(plain)?), name))
    } else {
        None
    };
    Ok(Api {
        wire: Wire::Tcp(
            bare,
            uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
        ),
        authority: uri.authority().map_or(host, |a| a.as_str()).to_owned(),
        base: uri.path().trim_end_matches('/').to_owned(),
        tls,
        authorization: access.authorization.clone().unwrap_or_default(),
    })
}
