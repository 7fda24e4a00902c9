// SPDX-License-Identifier: Apache-2.0
//! An image that the board fetches itself. Plain HTTP: a simulator has no clock and no authorities to check a certificate with.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How often it is sent on to another address.
const REDIRECTS: usize = 10;
/// The longest time until the head of the answer.
const HEAD: Duration = Duration::from_secs(30);

/// Asks for an image; gives its length and its bytes to come.
pub(crate) async fn open(url: &str) -> Result<(u64, Incoming), String> {
    let mut at: Uri = url.parse().map_err(|e| told(url, &e))?;
    for _ in 0..=REDIRECTS {
        let response = tokio::time::timeout(HEAD, ask(&at))
            .await
            .map_err(|_| told(url, &"operation timed out"))?
            .map_err(|e| told(url, &e))?;
        let status = response.status();
        if status.is_redirection() {
            let to = response.headers().get(header::LOCATION);
            let to = to.and_then(|v| v.to_str().ok()).unwrap_or_default();
            at = if to.starts_with('/') {
                let host = at.authority().map_or("", |a| a.as_str());
                format!("http://{host}{to}").parse()
            } else {
                to.parse()
            }
            .map_err(|e| told(url, &e))?;
            continue;
        }
        if !status.is_success() {
            return Err(told(url, &format!("HTTP status {status}")));
        }
        let length = response.headers().get(header::CONTENT_LENGTH);
        let length = length.and_then(|v| v.to_str().ok()?.parse().ok());
        let length = length.ok_or_else(|| told(url, &"the answer has no Content-Length"))?;
        return Ok((length, response.into_body()));
    }
    Err(told(url, &"too many redirects"))
}

fn told(url: &str, why: &dyn std::fmt::Display) -> String {
    format!("error sending request for url ({url}): {why}")
}

async fn ask(
    at: &Uri,
) -> Result<http::Response<Incoming>, Box<dyn std::error::Error + Send + Sync>> {
    if at.scheme_str() != Some("http") {
        return Err("this board fetches over http only".into());
    }
    let authority = at.authority().ok_or("no host")?;
    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(async move {
        if let Err(e) = connection.await {
            log::debug!("fetching: {e}");
        }
    });
    let path = at.path_and_query().map_or("/", |p| p.as_str());
    let request = Request::get(path)
        .header(header::HOST, authority.as_str())
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?)
}
