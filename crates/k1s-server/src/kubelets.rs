// SPDX-License-Identifier: Apache-2.0
//! The way out, to the kubelets of nodes: HTTP/1.1 over TLS, a connection for each request. A connection that goes over to another
//! protocol is handed on with the answer, as hyper has it in the answer's extensions.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use k1s_api::{Body, BodyError, Kubelet, KubeletAnswer, Kubelets, NodeAccess, Trust};
use ring::digest;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::pki::KeyedCertificate;

/// How long a kubelet may take to accept a connection, and then to begin its answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Kubelets are reached over the network, and shown the certificate that this gives, which is asked for with each request; or the
/// request fails with why there is none. A runtime with timers and sockets must run where the API is called.
#[must_use]
pub fn over_network(
    certificate: impl Fn() -> Result<Arc<KeyedCertificate>, String> + Send + Sync + 'static,
) -> NodeAccess {
    NodeAccess::new(Arc::new(OverNetwork(Box::new(certificate))))
}

struct OverNetwork(Box<dyn Fn() -> Result<Arc<KeyedCertificate>, String> + Send + Sync>);

impl Kubelets for OverNetwork {
    fn send(&self, kubelet: Kubelet, request: Request<Bytes>) -> KubeletAnswer {
        let own = (self.0)();
        Box::pin(async move {
            match timeout(PATIENCE, answer(&kubelet, &*own?, request)).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
            }
        })
    }
}

async fn answer(
    kubelet: &Kubelet,
    own: &KeyedCertificate,
    request: Request<Bytes>,
) -> Result<Response<Body>, String> {
    let stream = TcpStream::connect((kubelet.host.as_str(), kubelet.port))
        .await
        .map_err(|e| format!("dial tcp {}:{}: {e}", kubelet.host, kubelet.port))?;
    let name = ServerName::try_from(kubelet.host.clone())
        .map_err(|_| format!("{:?} is no host", kubelet.host))?;
    let stream = TlsConnector::from(Arc::new(client(kubelet.trust, own)?))
        .connect(name, stream)
        .await
        .map_err(|e| format!("tls: {e}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| e.to_string())?;
    // How it ends is told to whoever waits for the answer or reads its body.
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    let mut request = request.map(Full::new);
    let host = format!("{}:{}", kubelet.host, kubelet.port);
    let headers = request.headers_mut();
    headers.insert(
        HOST,
        HeaderValue::from_str(&host).map_err(|_| format!("{host:?} is no host"))?,
    );
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("k1s/", env!("CARGO_PKG_VERSION"))),
    );
    let answer = sender
        .send_request(request)
        .await
        .map_err(|e| e.to_string())?;
    Ok(answer.map(|body| {
        Body::stream(
            body.map_err(|e| BodyError(e.to_string()))
                .into_data_stream(),
        )
    }))
}

fn client(trust: Trust, own: &KeyedCertificate) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { trust, provider }))
        .with_client_auth_cert(vec![own.certificate.clone()], own.key.clone_key())
        .map_err(|e| e.to_string())
}

/// Compares the certificate with what the Node says; that the other side has its key is checked as ever.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.trust {
            Trust::Any => Ok(ServerCertVerified::assertion()),
            Trust::Certificate(expected)
                if digest::digest(&digest::SHA256, end_entity).as_ref() == expected =>
            {
                Ok(ServerCertVerified::assertion())
            }
            Trust::Certificate(_) => Err(rustls::Error::General(
                "the kubelet has another certificate than its node says".into(),
            )),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
