// SPDX-License-Identifier: Apache-2.0
//! IP addresses and CIDR blocks, with the strictness of Kubernetes 1.35.
//!
//! Old API fields accept what Go's early parsers accepted (leading zeros, IPv4-mapped IPv6), and
//! such a value stays valid once stored; new fields want the canonical form. Hence a lenient parser
//! here, and strict checks that compare with what the standard library accepts.

use super::Complaints;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A parsed block: the address as written, and the length of its prefix.
///
/// IPv4-mapped IPv6 addresses stay IPv6 here, so `prefix` may be up to 128 for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address before the slash, host bits included.
    pub address: IpAddr,
    /// Number of leading bits that name the network.
    pub prefix: u8,
}

impl Cidr {
    /// The first address of the block: all host bits are zero.
    pub fn network(&self) -> IpAddr {
        match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        }
    }

    /// `network/prefix` in canonical form; an IPv4-mapped block is written as IPv4 when it is one.
    pub fn canonical(&self) -> String {
        let network = self.network();
        match (unmapped(network), network) {
            (IpAddr::V4(v4), IpAddr::V6(_)) if self.prefix >= 96 => {
                format!("{v4}/{}", self.prefix - 96)
            }
            (IpAddr::V4(v4), IpAddr::V6(_)) => format!("{v4}/0"),
            _ => format!("{network}/{}", self.prefix),
        }
    }

    /// Whether `address` lies in the block; families never mix.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same_family = matches!(
            (self.address, address),
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_))
        );
        same_family
            && Self {
                address,
                prefix: self.prefix,
            }
            .network()
                == self.network()
    }
}

/// An IPv4-mapped IPv6 address becomes IPv4, any other stays.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

/// The digits of a small decimal number; leading zeros are fine.
fn lenient_number(text: &str, high: u32) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = text.trim_start_matches('0');
    let value = if digits.is_empty() {
        0
    } else {
        digits.parse().ok()?
    };
    (value <= high).then_some(value)
}

fn lenient_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0_u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(lenient_number(parts.next()?, 255)?).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

fn lenient_ipv6(text: &str) -> Option<Ipv6Addr> {
    let mut plain = String::with_capacity(text.len());
    for (index, group) in text.split(':').enumerate() {
        if index > 0 {
            plain.push(':');
        }
        if group.contains('.') {
            plain.push_str(&lenient_ipv4(group)?.to_string());
        } else if !group.is_empty() {
            let digits = group.trim_start_matches('0');
            plain.push_str(if digits.is_empty() { "0" } else { digits });
        }
    }
    plain.parse().ok()
}

/// Reads an address as Kubernetes' old fields do: leading zeros are decimal, zones are refused.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    match text.bytes().find(|byte| matches!(byte, b'.' | b':'))? {
        b'.' => lenient_ipv4(text).map(IpAddr::V4),
        _ => lenient_ipv6(text).map(IpAddr::V6),
    }
}

/// Reads `address/prefix` as leniently as [`parse_ip`].
pub fn parse_cidr(text: &str) -> Option<Cidr> {
    let (address, prefix) = text.split_once('/')?;
    let address = lenient_ipv4(address)
        .map(IpAddr::V4)
        .or_else(|| lenient_ipv6(address).map(IpAddr::V6))?;
    let prefix = lenient_number(prefix, if address.is_ipv4() { 32 } else { 128 })?;
    Some(Cidr {
        address,
        prefix: u8::try_from(prefix).ok()?,
    })
}

fn strict_cidr(text: &str) -> Option<Cidr> {
    let (address, prefix) = text.split_once('/')?;
    if prefix.len() > 1 && prefix.starts_with('0') {
        return None;
    }
    let address: IpAddr = address.parse().ok()?;
    let prefix = lenient_number(prefix, if address.is_ipv4() { 32 } else { 128 })?;
    Some(Cidr {
        address,
        prefix: u8::try_from(prefix).ok()?,
    })
}

fn is_mapped(address: IpAddr) -> bool {
    unmapped(address) != address
}

/// An address in an old field: with `strict` false whatever [`parse_ip`] reads.
///
/// A value that the stored object already has should not be checked again.
pub fn ip_legacy(value: &str, strict: bool) -> Complaints {
    if parse_ip(value).is_none() {
        return vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".to_owned()];
    }
    match value.parse::<IpAddr>() {
        Err(_) if strict => vec!["must not have leading 0s".to_owned()],
        Ok(address) if strict && is_mapped(address) => {
            vec!["must not be an IPv4-mapped IPv6 address".to_owned()]
        }
        _ => Complaints::new(),
    }
}

/// An address in a new field: strict, and in canonical form.
pub fn ip(value: &str) -> Complaints {
    let complaints = ip_legacy(value, true);
    match value.parse::<IpAddr>() {
        Ok(address) if complaints.is_empty() && address.to_string() != value => {
            vec![format!("must be in canonical form (\"{address}\")")]
        }
        _ => complaints,
    }
}

/// A block in an old field: with `strict` false whatever [`parse_cidr`] reads.
pub fn cidr_legacy(value: &str, strict: bool) -> Complaints {
    if parse_cidr(value).is_none() {
        return vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".to_owned()];
    }
    if !strict {
        return Complaints::new();
    }
    let complaint = match strict_cidr(value) {
        None => "must not have leading 0s in IP or prefix length",
        Some(block) if is_mapped(block.address) => "must not have an IPv4-mapped IPv6 address",
        Some(block) if block.network() != block.address => {
            "must not have bits set beyond the prefix length"
        }
        Some(_) => return Complaints::new(),
    };
    vec![complaint.to_owned()]
}

/// A block in a new field: strict, and in canonical form.
pub fn cidr(value: &str) -> Complaints {
    let complaints = cidr_legacy(value, true);
    match parse_cidr(value).map(|block| block.canonical()) {
        Some(canonical) if complaints.is_empty() && canonical != value => {
            vec![format!("must be in canonical form (\"{canonical}\")")]
        }
        _ => complaints,
    }
}

/// An address with the length of its network's prefix, in canonical form; host bits are welcome.
pub fn interface_address(value: &str) -> Complaints {
    let Some(block) = parse_cidr(value) else {
        return vec![
            "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)".to_owned(),
        ];
    };
    let address = unmapped(block.address);
    // The prefix of a mapped block counts from the IPv4 part on.
    let prefix = if is_mapped(block.address) && block.prefix > 32 {
        i32::from(block.prefix) - 96
    } else {
        i32::from(block.prefix)
    };
    let canonical = format!("{address}/{prefix}");
    if canonical == value {
        Complaints::new()
    } else {
        vec![format!("must be in canonical form (\"{canonical}\")")]
    }
}

/// Warnings about an address that [`ip_legacy`] accepts; `field` is the path to show.
pub fn ip_warnings(field: &str, value: &str) -> Vec<String> {
    let Some(lenient) = parse_ip(value) else {
        return Vec::new();
    };
    match value.parse::<IpAddr>() {
        Ok(address) if !is_mapped(address) => {
            if address.is_ipv6() && address.to_string() != value {
                vec![format!(
                    "{field}: IPv6 address \"{value}\" should be in RFC 5952 canonical format (\"{address}\")"
                )]
            } else {
                Vec::new()
            }
        }
        _ => vec![format!(
            "{field}: non-standard IP address \"{value}\" will be considered invalid in a future Kubernetes release: use \"{}\"",
            unmapped(lenient)
        )],
    }
}

/// Warnings about a block that [`cidr_legacy`] accepts; `field` is the path to show.
pub fn cidr_warnings(field: &str, value: &str) -> Vec<String> {
    let Some(block) = parse_cidr(value) else {
        return Vec::new();
    };
    let canonical = block.canonical();
    let mut warnings = Vec::new();
    if block.network() != block.address {
        warnings.push(format!(
            "{field}: CIDR value \"{value}\" is ambiguous in this context (should be \"{canonical}\" or \"{}/{}\"?)",
            unmapped(block.address),
            if block.address.is_ipv4() { 32 } else { 128 }
        ));
    }
    match strict_cidr(value) {
        Some(strict) if !is_mapped(strict.address) => {
            let written = format!("{}/{}", strict.address, strict.prefix);
            if warnings.is_empty() && strict.address.is_ipv6() && written != value {
                warnings.push(format!(
                    "{field}: IPv6 CIDR value \"{value}\" should be in RFC 5952 canonical format (\"{written}\")"
                ));
            }
        }
        _ => warnings.push(format!(
            "{field}: non-standard CIDR value \"{value}\" will be considered invalid in a future Kubernetes release: use \"{canonical}\""
        )),
    }
    warnings
}
