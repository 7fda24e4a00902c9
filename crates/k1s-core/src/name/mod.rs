// SPDX-License-Identifier: Apache-2.0
//! What Kubernetes accepts as a name, a label, a key, a port or an address.
//!
//! Every check takes a value and gives the list of complaints, in the words and in the order of
//! Kubernetes; an empty list means that the value is fine and costs no allocation. The checks know
//! nothing of fields: the caller puts `metadata.name: Invalid value: "…": ` in front.
//!
//! Start at [`NameRule`] for object names, [`label_key`] and [`label_value`] for labels,
//! [`ip`] and [`cidr`] for addresses.

mod address;
mod dns;
mod domain;
mod key;
mod label;
mod rule;
#[cfg(test)]
mod tests;

pub use address::{
    cidr, cidr_legacy, cidr_warnings, interface_address, ip, ip_legacy, ip_warnings, parse_cidr,
    parse_ip,
};
pub use dns::{
    dns1035_label, dns1123_label, dns1123_subdomain, dns1123_subdomain_caseless,
    dns1123_subdomain_with_underscore, wildcard_dns1123_subdomain,
};
pub use domain::{
    DomainProblem, domain_prefixed_key, domain_prefixed_path, fully_qualified_domain_name,
    fully_qualified_name,
};
pub use key::{
    c_identifier, config_map_key, env_var_name, http_header_name, in_range, percent, port_name,
    port_number, relaxed_env_var_name, user_or_group_id,
};
pub use label::{annotation_key, finalizer_name, label_key, label_value, standard_finalizer};
pub use rule::{NameRule, path_segment_name};

/// Complaints about one value, in the order Kubernetes gives them; empty when the value is valid.
pub type Complaints = Vec<String>;

/// The complaint about a value of more than `limit` bytes, as most checks word it.
pub fn max_len(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

/// The complaint about a value of more than `limit` bytes, as label keys and values word it.
pub fn max_bytes(limit: usize) -> String {
    format!("must be no more than {limit} bytes")
}

/// The complaint about a number outside `low..=high`.
pub fn inclusive_range(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// The complaint about a value that does not match `pattern`; `message` says what is expected.
pub fn regex_mismatch(message: &str, pattern: &str, examples: &[&str]) -> String {
    let mut text = String::with_capacity(message.len() + pattern.len() + 64);
    text.push_str(message);
    text.push_str(if examples.is_empty() { " (" } else { " (e.g. " });
    for (index, example) in examples.iter().enumerate() {
        if index > 0 {
            text.push_str(" or ");
        }
        text.push('\'');
        text.push_str(example);
        text.push_str("', ");
    }
    text.push_str("regex used for validation is '");
    text.push_str(pattern);
    text.push_str("')");
    text
}
