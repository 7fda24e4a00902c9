// SPDX-License-Identifier: Apache-2.0
//! A CertificateSigningRequest, with what its request (PKCS #10, RFC 2986) asks for.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde_json::Value;

use super::field::Fields;
use super::page::{Page, labels_in_line, put};
use super::time::full;
use super::{Related, event};

/// A CertificateSigningRequest.
pub(crate) fn signing_request(page: &mut Page, request: &Value, related: &Related) {
    let has = |kind: &str| {
        let mut conditions = request.list("status.conditions").iter();
        conditions.any(|c| c.text("type") == kind)
    };
    let mut status = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (_, true) => "Approved",
        _ => "Pending",
    }
    .to_owned();
    if has("Failed") {
        status += ",Failed";
    }
    if !request.text("status.certificate").is_empty() {
        status += ",Issued";
    }
    put!(page, 0, "Name:\t{}", request.text("metadata.name"));
    let marks = |field: &str| labels_in_line(request.map(field));
    put!(page, 0, "Labels:\t{}", marks("metadata.labels"));
    put!(page, 0, "Annotations:\t{}", marks("metadata.annotations"));
    let created = full(request.text("metadata.creationTimestamp"));
    put!(page, 0, "CreationTimestamp:\t{created}");
    put!(
        page,
        0,
        "Requesting User:\t{}",
        request.text("spec.username")
    );
    put!(page, 0, "Signer:\t{}", request.text("spec.signerName"));
    if request.has("spec.expirationSeconds") {
        let asked = SignedDuration::from_secs(request.int("spec.expirationSeconds"));
        let asked = k1s_core::time::human_duration(asked);
        put!(page, 0, "Requested Duration:\t{asked}");
    }
    put!(page, 0, "Status:\t{status}");
    match Wanted::of_field(request.text("spec.request")) {
        Some(wanted) => wanted.show(page),
        None => put!(page, 0, "Subject:\t<the request cannot be read>"),
    }
    event::section(page, related);
}

/// What a request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted {
    common_name: String,
    serial_number: String,
    /// The other parts of the subject, in the order of [`PARTS`].
    parts: [Vec<String>; PARTS.len()],
    /// Subject alternative names, in the order of [`NAMES`].
    names: [Vec<String>; NAMES.len()],
}

/// Attributes of a subject: the last byte of the object identifier 2.5.4.N, and the title.
const PARTS: [(u8, &str); 7] = [
    (10, "Organization"),
    (11, "Organizational Unit"),
    (6, "Country"),
    (7, "Locality"),
    (8, "Province"),
    (9, "StreetAddress"),
    (17, "PostalCode"),
];
const COMMON_NAME: u8 = 3;
const SERIAL_NUMBER: u8 = 5;

/// Kinds of alternative names: the tag within GeneralName, and the title.
const NAMES: [(u8, &str); 4] = [
    (0x82, "DNS Names"),
    (0x81, "Email Addresses"),
    (0x86, "URIs"),
    (0x87, "IP Addresses"),
];

const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const ATTRIBUTES: u8 = 0xa0;
/// 1.2.840.113549.1.9.14, extensionRequest.
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
/// 2.5.29.17, subjectAltName.
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

impl Wanted {
    /// Reads the PEM text in a base64 field.
    fn of_field(field: &str) -> Option<Self> {
        let pem = String::from_utf8(STANDARD.decode(field).ok()?).ok()?;
        let (_, rest) = pem.split_once("-----BEGIN CERTIFICATE REQUEST-----")?;
        let (body, _) = rest.split_once("-----END")?;
        let body: String = body.split_whitespace().collect();
        Self::of_der(&STANDARD.decode(body).ok()?)
    }

    fn of_der(der: &[u8]) -> Option<Self> {
        let mut wanted = Self::default();
        let mut request = Der(Der(der).take(SEQUENCE)?);
        let mut info = Der(request.take(SEQUENCE)?);
        info.take(INTEGER)?;
        let mut subject = Der(info.take(SEQUENCE)?);
        while let Some(set) = subject.take(SET) {
            let mut set = Der(set);
            while let Some(attribute) = set.take(SEQUENCE) {
                wanted.part(Der(attribute));
            }
        }
        info.take(SEQUENCE)?; // the public key
        let mut attributes = Der(info.take(ATTRIBUTES).unwrap_or_default());
        while let Some(attribute) = attributes.take(SEQUENCE) {
            let mut attribute = Der(attribute);
            if attribute.take(OID)? == EXTENSION_REQUEST {
                let mut values = Der(attribute.take(SET)?);
                let mut extensions = Der(values.take(SEQUENCE)?);
                while let Some(extension) = extensions.take(SEQUENCE) {
                    wanted.extension(Der(extension));
                }
            }
        }
        Some(wanted)
    }

    fn part(&mut self, mut attribute: Der<'_>) {
        let Some([0x55, 0x04, kind]) = attribute.take(OID) else {
            return;
        };
        let Some((_, value)) = attribute.next() else {
            return;
        };
        let value = String::from_utf8_lossy(value).into_owned();
        match *kind {
            COMMON_NAME => self.common_name = value,
            SERIAL_NUMBER => self.serial_number = value,
            kind => {
                if let Some(at) = PARTS.iter().position(|(number, _)| *number == kind) {
                    self.parts[at].push(value);
                }
            }
        }
    }

    fn extension(&mut self, mut extension: Der<'_>) {
        if extension.take(OID) != Some(ALTERNATIVE_NAME) {
            return;
        }
        // whether it is critical may stand before it
        while let Some((tag, value)) = extension.next() {
            if tag != OCTETS {
                continue;
            }
            let mut names = Der(Der(value).take(SEQUENCE).unwrap_or_default());
            while let Some((tag, name)) = names.next() {
                if let Some(at) = NAMES.iter().position(|(number, _)| *number == tag) {
                    self.names[at].push(shown_name(tag, name));
                }
            }
        }
    }

    fn show(&self, page: &mut Page) {
        put!(page, 0, "Subject:");
        put!(page, 0, "\tCommon Name:\t{}", self.common_name);
        put!(page, 0, "\tSerial Number:\t{}", self.serial_number);
        for ((_, title), values) in PARTS.iter().zip(&self.parts) {
            list(page, title, values);
        }
        if self.names.iter().any(|names| !names.is_empty()) {
            put!(page, 0, "Subject Alternative Names:");
            for ((_, title), names) in NAMES.iter().zip(&self.names) {
                list(page, title, names);
            }
        }
    }
}

fn list(page: &mut Page, title: &str, values: &[String]) {
    if !values.is_empty() {
        put!(page, 0, "\t{title}:\t{}", values.join("\n\t\t"));
    }
}

fn shown_name(tag: u8, name: &[u8]) -> String {
    if tag == 0x87 {
        if let Ok(four) = <[u8; 4]>::try_from(name) {
            return Ipv4Addr::from(four).to_string();
        }
        if let Ok(sixteen) = <[u8; 16]>::try_from(name) {
            return Ipv6Addr::from(sixteen).to_string();
        }
    }
    String::from_utf8_lossy(name).into_owned()
}

/// What is left of a run of DER elements.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, if it has this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.next().map(|(_, content)| content)
    }

    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            short @ 0..=0x7f => (usize::from(*short), rest),
            long @ 0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                let length = digits
                    .iter()
                    .fold(0, |n, digit| n << 8 | usize::from(*digit));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `openssl req -subj '/CN=jane/O=dev/O=ops/OU=unit/C=DE/L=Bonn/ST=NRW/serialNumber=7' -addext subjectAltName=…`
    const REQUEST: &str = "-----BEGIN CERTIFICATE REQUEST-----\n\
MIIBnzCCAUQCAQAwcDENMAsGA1UEAwwEamFuZTEMMAoGA1UECgwDZGV2MQwwCgYD\n\
VQQKDANvcHMxDTALBgNVBAsMBHVuaXQxCzAJBgNVBAYTAkRFMQ0wCwYDVQQHDARC\n\
b25uMQwwCgYDVQQIDANOUlcxCjAIBgNVBAUTATcwWTATBgcqhkjOPQIBBggqhkjO\n\
PQMBBwNCAAQ0l09k0r+3SdR/O6VTXVEMiwboK/A/1Zv+RIpjlB4/MiaV50o5amTH\n\
vccVmWQWgsoYAGs1ctbsXhownClN67yToHIwcAYJKoZIhvcNAQkOMWMwYTBfBgNV\n\
HREEWDBWgg1hLmV4YW1wbGUuY29tgg1iLmV4YW1wbGUuY29tgRBqYW5lQGV4YW1w\n\
bGUuY29thgxzcGlmZmU6Ly94L3mHBAoAAAGHEP0AAAAAAAAAAAAAAAAAAAEwCgYI\n\
KoZIzj0EAwIDSQAwRgIhAOxFz/xtzni9fKXt9OhHLkzMcCmQLq+PQ4UjYdne51Vb\n\
AiEAkNFy6zVeKCDi7QmS7hBllaC5r09lZignMwX4Nu76IJs=\n\
-----END CERTIFICATE REQUEST-----\n";

    #[test]
    fn what_a_request_asks_for() {
        let wanted = Wanted::of_field(&STANDARD.encode(REQUEST)).unwrap();
        let texts = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            wanted,
            Wanted {
                common_name: "jane".into(),
                serial_number: "7".into(),
                parts: [
                    texts(&["dev", "ops"]),
                    texts(&["unit"]),
                    texts(&["DE"]),
                    texts(&["Bonn"]),
                    texts(&["NRW"]),
                    vec![],
                    vec![],
                ],
                names: [
                    texts(&["a.example.com", "b.example.com"]),
                    texts(&["jane@example.com"]),
                    texts(&["spiffe://x/y"]),
                    texts(&["10.0.0.1", "fd00::1"]),
                ],
            }
        );
    }

    #[test]
    fn what_is_no_request_is_none() {
        let der = STANDARD
            .decode(
                REQUEST
                    .lines()
                    .filter(|line| !line.contains('-'))
                    .collect::<String>(),
            )
            .unwrap();
        for end in 0..der.len() {
            // whatever is cut off, it ends well
            let _ = Wanted::of_der(&der[..end]);
        }
        assert_eq!(Wanted::of_der(b""), None);
        assert_eq!(Wanted::of_field("bm90aGluZw=="), None);
    }
}
