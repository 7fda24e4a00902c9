// SPDX-License-Identifier: Apache-2.0
//! A host that shows a certificate on P-521, as Terraform does.

use p521::ecdsa::SigningKey;
use p521::ecdsa::signature::Signer as _;
use p521::pkcs8::DecodePrivateKey as _;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureAlgorithm};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;

const CERTIFICATE: &str = include_str!("../../testdata/host-p521.crt");
const KEY: &str = include_str!("../../testdata/host-p521.key");

/// Signs with a key on P-521, which ring cannot do either.
struct P521Key(Arc<SigningKey>);

impl std::fmt::Debug for P521Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("P521Key")
    }
}

impl rustls::sign::SigningKey for P521Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn rustls::sign::Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP521_SHA512)
            .then(|| Box::new(Self(self.0.clone())) as _)
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl rustls::sign::Signer for P521Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature: p521::ecdsa::Signature = self.0.sign(message);
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP521_SHA512
    }
}

/// Shows this certificate, whatever is asked for.
#[derive(Debug)]
struct Shows(Option<Arc<CertifiedKey>>);

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.is_some()
    }
}

fn host_key() -> Arc<CertifiedKey> {
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = SigningKey::from_pkcs8_pem(KEY).unwrap();
    Arc::new(CertifiedKey::new(
        vec![certificate],
        Arc::new(P521Key(Arc::new(key))),
    ))
}

fn other_key() -> Arc<CertifiedKey> {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let der = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = rustls::crypto::ring::sign::any_supported_type(&der).unwrap();
    Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key))
}

/// Trusts one certificate, though it is an authority's, as hosts do.
#[derive(Debug)]
struct Trusts(CertificateDer<'static>, WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Trusts {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        assert_eq!(*end_entity, self.0);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.1)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.1)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.supported_schemes()
    }
}

/// Whether a host that shows this gets a byte through.
async fn connects(
    shows: Option<Arc<CertifiedKey>>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> bool {
    let (der, server) = server(CERTIFICATE).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let trusts = Trusts(der.into(), provider.signature_verification_algorithms);
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trusts))
        .with_client_cert_resolver(Arc::new(Shows(shows)));
    let (near, far) = tokio::io::duplex(1 << 14);
    let serving = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = TlsAcceptor::from(server).accept(far).await?;
        stream.write_all(b"x").await?;
        stream.shutdown().await
    });
    let connecting = async {
        use tokio::io::AsyncReadExt as _;
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(client))
            .connect(name, near)
            .await?;
        stream.read_u8().await
    };
    let read = connecting.await.is_ok();
    serving.await.unwrap().is_ok() && read
}

#[tokio::test]
async fn only_the_pinned_host_gets_in() {
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        assert!(connects(Some(host_key()), versions).await);
        assert!(!connects(Some(other_key()), versions).await);
        assert!(!connects(None, versions).await);
        // the certificate is no secret: without its key it is worth nothing
        let stolen = CertifiedKey::new(host_key().cert.clone(), other_key().key.clone());
        assert!(!connects(Some(Arc::new(stolen)), versions).await);
    }
}

#[test]
fn a_host_certificate_that_is_none_is_an_error() {
    assert!(matches!(server("x"), Err(ServeError::ClientCertificate)));
}
