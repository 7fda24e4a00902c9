// SPDX-License-Identifier: Apache-2.0
//! The server's certificates and keys.
//!
//! Entry points: [`Pki::in_memory`] and [`Pki::open`], then [`Pki::server`] and [`Pki::admin`].
//!
//! Only what must outlive a process is kept in `<data-dir>/pki`: the certificate authority (`ca.crt`, `ca.key`) and
//! the key that signs service account tokens (`sa.key`). The server's certificate and the administrator's are issued
//! anew at each start, which takes less time than reading them would, so they always name the address that is
//! listened on and are never found expired. All keys are ECDSA P-256.

use std::fs::OpenOptions;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use thiserror::Error;

use crate::x509;

/// The user that the administrator's certificate names.
pub const ADMIN_USER: &str = "k1s-admin";
/// The group that the administrator's certificate names: it may do everything.
pub const ADMIN_GROUP: &str = "system:masters";

/// The name in the certificate that the server shows to kubelets.
const KUBELET_CLIENT: &str = "kube-apiserver-kubelet-client";

const DAY: Duration = Duration::from_secs(24 * 3600);
const CA_LIFE: Duration = Duration::from_secs(3653 * 24 * 3600);
const ADMIN_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
/// A certificate authority with less than this left is replaced at the next start.
const CA_RENEWAL: Duration = Duration::from_secs(30 * 24 * 3600);
const CA_NAME: &str = "k1s-ca";
/// The first address of the service range, where `kubernetes.default.svc` stands.
const SERVICE_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 96, 0, 1));
const SERVER_NAMES: [&str; 5] = [
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
];

/// Certificates or keys that could not be read or made.
#[derive(Debug, Error)]
pub enum Error {
    /// A file could not be read or written, or may be read by others.
    #[error("the certificates cannot be used")]
    File(#[from] private_file::Error),
    /// A file does not hold what its name says.
    #[error(
        "{path} does not hold a {what}; remove the directory it is in to have new certificates made"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// A certificate could not be made.
    #[error("cannot issue a certificate")]
    Issue(#[from] rcgen::Error),
    /// The lock of the certificate directory could not be taken.
    #[error("cannot lock {path}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// A certificate and its private key.
pub struct KeyedCertificate {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// The private key in PEM (PKCS #8).
    pub key_pem: String,
    /// The certificate in DER.
    pub certificate: CertificateDer<'static>,
    /// The private key in DER (PKCS #8).
    pub key: PrivateKeyDer<'static>,
}

/// What a data directory keeps, as far as a command without a listener needs it.
pub struct Kept {
    /// The certificate authority's certificate in PEM.
    pub ca_pem: String,
    /// The private key that signs service account tokens with ES256, in DER (PKCS #8).
    pub service_account_key_der: Vec<u8>,
}

impl Kept {
    /// The same of certificates that are open already.
    pub fn of(pki: &Pki) -> Self {
        Self {
            ca_pem: pki.ca_pem.clone(),
            service_account_key_der: pki.service_account_key_der(),
        }
    }
}

/// The certificate authority and the signing key for service account tokens.
pub struct Pki {
    ca_pem: String,
    ca_der: CertificateDer<'static>,
    ca_end: SystemTime,
    issuer: Issuer<'static, KeyPair>,
    service_account_key: KeyPair,
}

impl Pki {
    /// Makes everything new; it is gone with the process.
    ///
    /// # Errors
    /// [`Error::Issue`] if there is no randomness to be had.
    pub fn in_memory(now: SystemTime) -> Result<Self, Error> {
        Self::assemble(
            &Authority::generate(now)?,
            KeyPair::generate()?,
            Path::new("memory"),
        )
    }

    /// Takes what is in `<data_dir>/pki` and makes what is missing or about to expire.
    ///
    /// # Errors
    /// [`Error::File`] if a key may be read by others or the directory cannot be used; [`Error::Content`] if a file
    /// is damaged.
    pub fn open(data_dir: &Path, now: SystemTime) -> Result<Self, Error> {
        let dir = data_dir.join("pki");
        private_file::directory(&dir)?;
        // Two processes that start at once on a new directory must agree on one authority.
        let lock_path = dir.join(".lock");
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path);
        let lock = lock.and_then(|file| file.lock().map(|()| file));
        let _lock = lock.map_err(|source| Error::Lock {
            path: lock_path,
            source,
        })?;

        let (certificate_path, key_path) = (dir.join("ca.crt"), dir.join("ca.key"));
        let key = private_file::read(&key_path)?;
        // The certificate itself is public: whatever its mode, it is read.
        let certificate = std::fs::read_to_string(&certificate_path).ok();
        let kept = match (certificate, key) {
            (Some(certificate_pem), Some(key)) => {
                let key = read_key(&key, &key_path)?;
                let authority = Authority {
                    certificate_pem,
                    key,
                };
                (authority.end(&certificate_path)? > now + CA_RENEWAL).then_some(authority)
            }
            _ => None,
        };
        let authority = match kept {
            Some(authority) => authority,
            None => {
                let authority = Authority::generate(now)?;
                private_file::write(&key_path, authority.key.serialize_pem().as_bytes())?;
                private_file::write(&certificate_path, authority.certificate_pem.as_bytes())?;
                authority
            }
        };

        let service_account_path = dir.join("sa.key");
        let service_account_key = match private_file::read(&service_account_path)? {
            Some(key) => read_key(&key, &service_account_path)?,
            None => {
                let key = KeyPair::generate()?;
                private_file::write(&service_account_path, key.serialize_pem().as_bytes())?;
                key
            }
        };
        Self::assemble(&authority, service_account_key, &certificate_path)
    }

    /// Reads what is in `<data_dir>/pki` without making or verifying anything, which takes a fraction of the time of
    /// [`Pki::open`]; `None` if something is missing.
    ///
    /// # Errors
    /// [`Error::File`] if a key may be read by others or cannot be read; [`Error::Content`] if it is damaged.
    pub fn kept(data_dir: &Path) -> Result<Option<Kept>, Error> {
        let dir = data_dir.join("pki");
        let key_path = dir.join("sa.key");
        let Some(key) = private_file::read(&key_path)? else {
            return Ok(None);
        };
        let Ok(ca_pem) = std::fs::read_to_string(dir.join("ca.crt")) else {
            return Ok(None);
        };
        let key = PrivatePkcs8KeyDer::from_pem_slice(&key).map_err(|_| Error::Content {
            path: key_path,
            what: "private key",
        })?;
        Ok(Some(Kept {
            ca_pem,
            service_account_key_der: key.secret_pkcs8_der().to_vec(),
        }))
    }

    fn assemble(
        authority: &Authority,
        service_account_key: KeyPair,
        path: &Path,
    ) -> Result<Self, Error> {
        let content = || Error::Content {
            path: path.to_owned(),
            what: "certificate",
        };
        let key_der = PrivatePkcs8KeyDer::from(authority.key.serialize_der());
        Ok(Self {
            ca_der: CertificateDer::from_pem_slice(authority.certificate_pem.as_bytes())
                .map_err(|_| content())?,
            ca_end: authority.end(path)?,
            ca_pem: authority.certificate_pem.clone(),
            issuer: Issuer::new(authority_params(), KeyPair::try_from(&key_der)?),
            service_account_key,
        })
    }

    /// The certificate authority's certificate in PEM.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The certificate authority's certificate in DER.
    pub fn ca_der(&self) -> &CertificateDer<'static> {
        &self.ca_der
    }

    /// The private key that signs service account tokens with ES256, in DER (PKCS #8).
    pub fn service_account_key_der(&self) -> Vec<u8> {
        self.service_account_key.serialize_der()
    }

    /// The private key that signs service account tokens with ES256, in PEM (PKCS #8).
    pub fn service_account_key_pem(&self) -> String {
        self.service_account_key.serialize_pem()
    }

    /// Issues the server's certificate for this machine's loopback names, the API's service name and address, and
    /// `listen`.
    ///
    /// # Errors
    /// [`Error::Issue`] if there is no randomness to be had.
    pub fn server(
        &self,
        listen: IpAddr,
        host_name: Option<&str>,
        now: SystemTime,
    ) -> Result<KeyedCertificate, Error> {
        let mut params = CertificateParams::new(SERVER_NAMES.map(str::to_owned))?;
        let mut addresses = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::LOCALHOST),
            SERVICE_ADDRESS,
        ];
        if !addresses.contains(&listen) && !listen.is_unspecified() {
            addresses.push(listen);
        }
        params
            .subject_alt_names
            .extend(addresses.into_iter().map(SanType::IpAddress));
        // Listening on all addresses is meant for others: they know this machine by its name.
        if let Some(Ok(name)) = host_name
            .filter(|_| !listen.is_loopback())
            .map(TryInto::try_into)
        {
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.distinguished_name = name("k1s", None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params, now, self.ca_end)
    }

    /// Issues the administrator's client certificate: [`ADMIN_USER`] of [`ADMIN_GROUP`], valid for a year.
    ///
    /// # Errors
    /// [`Error::Issue`] if there is no randomness to be had.
    pub fn admin(&self, now: SystemTime) -> Result<KeyedCertificate, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(ADMIN_USER, Some(ADMIN_GROUP));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, now, self.ca_end.min(now + ADMIN_LIFE))
    }

    /// Issues the certificate that the server shows to kubelets, valid for a year. It has no groups: to the API it is nobody.
    ///
    /// # Errors
    /// [`Error::Issue`] if there is no randomness to be had.
    pub fn kubelet_client(&self, now: SystemTime) -> Result<KeyedCertificate, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = name(KUBELET_CLIENT, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, now, self.ca_end.min(now + ADMIN_LIFE))
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        now: SystemTime,
        end: SystemTime,
    ) -> Result<KeyedCertificate, Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.not_before = (now - DAY).into(); // clocks of other machines
        params.not_after = end.into();
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(KeyedCertificate {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }
}

/// A certificate authority as it is kept in files.
struct Authority {
    certificate_pem: String,
    key: KeyPair,
}

impl Authority {
    fn generate(now: SystemTime) -> Result<Self, Error> {
        let mut params = authority_params();
        params.not_before = (now - DAY).into();
        params.not_after = (now + CA_LIFE).into();
        let key = KeyPair::generate()?;
        Ok(Self {
            certificate_pem: params.self_signed(&key)?.pem(),
            key,
        })
    }

    fn end(&self, path: &Path) -> Result<SystemTime, Error> {
        let content = || Error::Content {
            path: path.to_owned(),
            what: "certificate",
        };
        let der = CertificateDer::from_pem_slice(self.certificate_pem.as_bytes())
            .map_err(|_| content())?;
        let seconds = x509::Certificate::parse(&der)
            .map_err(|_| content())?
            .not_after;
        Ok(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }
}

/// What every authority has in common; with its key, it is all that signing needs.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = name(CA_NAME, None);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn name(common_name: &str, organization: Option<&str>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(organization) = organization {
        name.push(DnType::OrganizationName, organization);
    }
    name.push(DnType::CommonName, common_name);
    name
}

fn read_key(pem: &[u8], path: &Path) -> Result<KeyPair, Error> {
    let text = std::str::from_utf8(pem).ok();
    text.and_then(|pem| KeyPair::from_pem(pem).ok())
        .ok_or_else(|| Error::Content {
            path: path.to_owned(),
            what: "private key",
        })
}

#[cfg(test)]
mod tests;
