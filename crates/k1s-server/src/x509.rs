// SPDX-License-Identifier: Apache-2.0
//! The two facts the server needs from an X.509 certificate: who its subject is, and when it ends.
//!
//! Entry point: [`Certificate::parse`]. The signature is not looked at here: rustls has verified a client's
//! certificate before it is read, and our own come from our own files. So this is a reader of the fixed outer
//! structure of RFC 5280 section 4.1 and no more; it never allocates more than the input is long.

use thiserror::Error;

/// What a certificate says about its subject and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The subject's common name (`CN`), the user name in Kubernetes; empty if there is none.
    pub common_name: String,
    /// The subject's organizations (`O`), the groups in Kubernetes, in the certificate's order.
    pub organizations: Vec<String>,
    /// The last moment at which it is valid, in seconds since 1970.
    pub not_after: i64,
}

/// The certificate is not DER of the shape that RFC 5280 gives.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the certificate is malformed: {0}")]
pub struct Malformed(&'static str);

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const VERSION: u8 = 0xa0;
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

impl Certificate {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`Malformed`] if it is not a certificate; asking again cannot help.
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let mut outer = Reader(der);
        let mut certificate = Reader(outer.expect(SEQUENCE)?);
        let mut tbs = Reader(certificate.expect(SEQUENCE)?);
        tbs.skip_if(VERSION)?;
        tbs.expect(INTEGER)?; // serial number
        tbs.expect(SEQUENCE)?; // signature algorithm
        tbs.expect(SEQUENCE)?; // issuer
        let mut validity = Reader(tbs.expect(SEQUENCE)?);
        validity.next()?; // not before
        let (tag, not_after) = validity.next()?;
        let not_after = unix_seconds(tag, not_after)?;
        let mut subject = Reader(tbs.expect(SEQUENCE)?);
        let (mut common_name, mut organizations) = (String::new(), Vec::new());
        while !subject.0.is_empty() {
            let mut set = Reader(subject.expect(SET)?);
            while !set.0.is_empty() {
                let mut attribute = Reader(set.expect(SEQUENCE)?);
                let oid = attribute.expect(OID)?;
                let (_, value) = attribute.next()?;
                if oid == COMMON_NAME {
                    common_name = text(value)?;
                } else if oid == ORGANIZATION {
                    organizations.push(text(value)?);
                }
            }
        }
        Ok(Self {
            common_name,
            organizations,
            not_after,
        })
    }
}

/// What is left of a run of DER elements.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The tag and the content of the next element.
    fn next(&mut self) -> Result<(u8, &'a [u8]), Malformed> {
        let short = Malformed("it ends early");
        let [tag, first, rest @ ..] = self.0 else {
            return Err(short);
        };
        let (length, rest) = match *first {
            n @ 0..=0x7f => (usize::from(n), rest),
            n @ 0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(n & 0x7f)).ok_or(short)?;
                (
                    digits
                        .iter()
                        .fold(0usize, |sum, d| sum << 8 | usize::from(*d)),
                    rest,
                )
            }
            _ => return Err(Malformed("a length is not DER")),
        };
        let (content, rest) = rest
            .split_at_checked(length)
            .ok_or(Malformed("it ends early"))?;
        self.0 = rest;
        Ok((*tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Result<&'a [u8], Malformed> {
        match self.next()? {
            (tag, content) if tag == wanted => Ok(content),
            _ => Err(Malformed("an element has another type than expected")),
        }
    }

    fn skip_if(&mut self, tag: u8) -> Result<(), Malformed> {
        if self.0.first() == Some(&tag) {
            self.next()?;
        }
        Ok(())
    }
}

fn text(value: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(value)
        .map(str::to_owned)
        .map_err(|_| Malformed("a name is not UTF-8"))
}

/// `YYMMDDhhmmssZ` (years 1950 to 2049) or `YYYYMMDDhhmmssZ`.
fn unix_seconds(tag: u8, value: &[u8]) -> Result<i64, Malformed> {
    let wrong = || Malformed("a time cannot be read");
    let number = |part: &[u8]| -> Result<i64, Malformed> {
        std::str::from_utf8(part)
            .ok()
            .and_then(|s| s.parse().ok())
            .ok_or_else(wrong)
    };
    let (year, rest) = match tag {
        UTC_TIME if value.len() == 13 => {
            let short = number(&value[..2])?;
            (
                if short < 50 {
                    2000 + short
                } else {
                    1900 + short
                },
                &value[2..],
            )
        }
        GENERALIZED_TIME if value.len() == 15 => (number(&value[..4])?, &value[4..]),
        _ => return Err(wrong()),
    };
    let (month, day) = (number(&rest[..2])?, number(&rest[2..4])?);
    let (hour, minute, second) = (
        number(&rest[4..6])?,
        number(&rest[6..8])?,
        number(&rest[8..10])?,
    );
    let month = u8::try_from(month)
        .ok()
        .and_then(|m| time::Month::try_from(m).ok())
        .ok_or_else(wrong)?;
    let year = i32::try_from(year).map_err(|_| wrong())?;
    let date = time::Date::from_calendar_date(year, month, u8::try_from(day).map_err(|_| wrong())?)
        .map_err(|_| wrong())?;
    Ok(date.midnight().assume_utc().unix_timestamp() + hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(common_name: &str, organizations: &[&str], not_after: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        for (n, organization) in organizations.iter().enumerate() {
            // rcgen keeps one value per type; the others are written with the same OID spelt as a custom type
            let kind = if n == 0 {
                DnType::OrganizationName
            } else {
                DnType::CustomDnType(vec![2, 5, 4, 10])
            };
            params.distinguished_name.push(kind, *organization);
        }
        params.not_after = rcgen::date_time_ymd(not_after.0, not_after.1, not_after.2);
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn subject_and_end() {
        let check = |name: &str, groups: &[&str], not_after, seconds| {
            let read = Certificate::parse(&certificate(name, groups, not_after)).unwrap();
            assert_eq!((read.common_name.as_str(), read.not_after), (name, seconds));
            assert_eq!(read.organizations, groups);
        };
        check(
            "k1s-admin",
            &["system:masters"],
            (2030, 1, 1),
            1_893_456_000,
        );
        check("Jürgen", &["a", "b"], (2049, 12, 31), 2_524_521_600);
        check("", &[], (2100, 2, 28), 4_107_456_000);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = certificate("n", &["o"], (2030, 1, 1));
        for length in 0..whole.len() {
            assert!(Certificate::parse(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn changed_bytes_never_panic() {
        let whole = certificate("n", &["o"], (2030, 1, 1));
        for at in 0..whole.len() {
            for byte in [0x00, 0x30, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = byte;
                let _ = Certificate::parse(&changed);
            }
        }
    }
}
