// SPDX-License-Identifier: Apache-2.0
//! What is kept, what is made anew, and what is refused.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls_pki_types::{ServerName, UnixTime};

use super::*;

fn verifies(pki: &Pki, server: &KeyedCertificate, host: &str, at: SystemTime) -> bool {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pki.ca_der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap());
    verifier
        .verify_server_cert(&server.certificate, &[], &name, &[], at)
        .is_ok()
}

#[test]
fn the_server_is_known_by_all_its_names() {
    let now = SystemTime::now();
    let pki = Pki::in_memory(now).unwrap();
    let check = |listen: &str, host: &str, expected: bool| {
        let server = pki
            .server(listen.parse().unwrap(), Some("board-1"), now)
            .unwrap();
        assert_eq!(
            verifies(&pki, &server, host, now),
            expected,
            "{listen} {host}"
        );
    };
    check("127.0.0.1", "127.0.0.1", true);
    check("127.0.0.1", "::1", true);
    check("127.0.0.1", "localhost", true);
    check("127.0.0.1", "kubernetes.default.svc", true);
    check("127.0.0.1", "10.96.0.1", true);
    check("127.0.0.1", "192.168.1.7", false);
    check("127.0.0.1", "board-1", false);
    check("192.168.1.7", "192.168.1.7", true);
    check("192.168.1.7", "board-1", true);
    check("0.0.0.0", "board-1", true);
    check("0.0.0.0", "127.0.0.1", true);
}

#[test]
fn the_administrator_is_named_in_the_certificate() {
    let now = SystemTime::now();
    let admin = Pki::in_memory(now).unwrap().admin(now).unwrap();
    let read = x509::Certificate::parse(&admin.certificate).unwrap();
    assert_eq!(
        (read.common_name.as_str(), read.organizations),
        (ADMIN_USER, vec![ADMIN_GROUP.to_owned()])
    );
}

#[test]
fn a_directory_keeps_its_authority_and_its_signing_key() {
    let (dir, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
    let first = Pki::open(dir.path(), now).unwrap();
    let again = Pki::open(dir.path(), now).unwrap();
    assert_eq!(first.ca_pem(), again.ca_pem());
    assert_eq!(
        first.service_account_key_der(),
        again.service_account_key_der()
    );
    // a certificate issued by the second is good for a client that knows the first
    let server = again
        .server("127.0.0.1".parse().unwrap(), None, now)
        .unwrap();
    assert!(verifies(&first, &server, "localhost", now));
    let mode = |name: &str| {
        std::fs::metadata(dir.path().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(
        (mode("pki"), mode("pki/ca.key"), mode("pki/sa.key")),
        (0o700, 0o600, 0o600)
    );
}

#[test]
fn an_authority_about_to_end_is_replaced() {
    let (dir, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
    let first = Pki::open(dir.path(), now).unwrap();
    let later = now + CA_LIFE - CA_RENEWAL / 2;
    let second = Pki::open(dir.path(), later).unwrap();
    assert_ne!(first.ca_pem(), second.ca_pem());
    assert_eq!(
        first.service_account_key_der(),
        second.service_account_key_der()
    );
    let server = second
        .server("127.0.0.1".parse().unwrap(), None, later)
        .unwrap();
    assert!(verifies(
        &second,
        &server,
        "localhost",
        later + CA_LIFE - DAY
    ));
}

#[test]
fn open_or_damaged_keys_are_refused() {
    let check = |file: &str, spoil: &dyn Fn(&Path), expected: &str| {
        let (dir, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
        Pki::open(dir.path(), now).unwrap();
        spoil(&dir.path().join("pki").join(file));
        let error = Pki::open(dir.path(), now).err().expect(file);
        let text = format!(
            "{error}: {}",
            std::error::Error::source(&error)
                .map(ToString::to_string)
                .unwrap_or_default()
        );
        assert!(text.contains(expected), "{text}");
    };
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap()
    };
    let empty = |path: &Path| std::fs::write(path, "").unwrap();
    check("ca.key", &open, "may be read by others (mode 0644)");
    check("sa.key", &open, "may be read by others (mode 0644)");
    check("ca.key", &empty, "does not hold a private key");
    check("sa.key", &empty, "does not hold a private key");
    check("ca.crt", &empty, "does not hold a certificate");
}

#[test]
fn what_is_kept_can_be_read_without_opening() {
    let (dir, now) = (tempfile::tempdir().unwrap(), SystemTime::now());
    assert!(Pki::kept(dir.path()).unwrap().is_none());
    let pki = Pki::open(dir.path(), now).unwrap();
    let (kept, same) = (Pki::kept(dir.path()).unwrap().unwrap(), Kept::of(&pki));
    assert_eq!(kept.ca_pem, same.ca_pem);
    assert_eq!(kept.service_account_key_der, same.service_account_key_der);
}
