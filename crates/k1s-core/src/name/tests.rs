// SPDX-License-Identifier: Apache-2.0
//! One line per value: what is said about it (a part of the complaint is enough).
use super::*;

fn check(rule: fn(&str) -> Complaints, value: &str, expected: &[&str]) {
    let complaints = rule(value);
    assert_eq!(
        complaints.len(),
        expected.len(),
        "{value:?}: {complaints:?}"
    );
    for (complaint, part) in complaints.iter().zip(expected) {
        assert!(
            complaint.contains(part),
            "{value:?}: {complaint:?} lacks {part:?}"
        );
    }
}
fn x(count: usize) -> String {
    "x".repeat(count)
}

#[test]
fn dns_names() {
    for good in ["a", "0", "a-b", "a--b", "abc-123"] {
        check(dns1123_label, good, &[]);
        check(dns1123_subdomain, good, &[]);
    }
    for bad in ["", "-a", "a-", "A", "a_b", "a b", "ä", "a/b", "a\n"] {
        check(dns1123_label, bad, &["a lowercase RFC 1123 label must"]);
        check(
            dns1123_subdomain,
            bad,
            &["a lowercase RFC 1123 subdomain must"],
        );
    }
    check(dns1123_label, "a.b", &["must not contain dots"]);
    check(dns1123_label, "a..b", &["a lowercase RFC 1123 label"]);
    check(dns1123_label, &x(63), &[]);
    check(
        dns1123_label,
        &x(64),
        &["must be no more than 63 characters"],
    );
    check(dns1123_subdomain, "a.b-c.0", &[]);
    check(dns1123_subdomain, ".a", &["subdomain"]);
    check(
        dns1123_subdomain,
        &x(254),
        &["must be no more than 253 characters"],
    );
    check(
        dns1123_subdomain,
        &"X".repeat(254),
        &["253", "subdomain must"],
    );
    check(dns1035_label, "a1", &[]);
    check(dns1035_label, "1a", &["a DNS-1035 label must"]);
    check(dns1035_label, "a.b", &["a DNS-1035 label must"]);
    check(dns1123_subdomain_with_underscore, "_srv.a_b.c", &[]);
    check(
        dns1123_subdomain_with_underscore,
        "__a",
        &["'_', '-' or '.'"],
    );
    check(dns1123_subdomain_caseless, "Example.com", &[]);
    check(wildcard_dns1123_subdomain, "*.a.b", &[]);
    check(
        wildcard_dns1123_subdomain,
        "a.b",
        &["a wildcard DNS-1123 subdomain"],
    );
    check(wildcard_dns1123_subdomain, "*.*.b", &["a wildcard"]);
}

#[test]
fn the_whole_wording() {
    assert_eq!(
        dns1123_subdomain("Not_Good"),
        [
            r"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ]
    );
    assert_eq!(
        dns1035_label("A"),
        [
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
        ]
    );
    assert_eq!(
        label_key("a/b/c"),
        [
            "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    );
}

#[test]
fn labels() {
    for good in ["a", "A.b_c-d", "example.com/a", "a/B", "0"] {
        check(label_key, good, &[]);
    }
    check(
        label_key,
        "",
        &["name part must be non-empty", "name part must consist"],
    );
    check(label_key, "/k", &["prefix part must be non-empty"]);
    check(
        label_key,
        "k/",
        &["name part must be non-empty", "name part must consist"],
    );
    check(
        label_key,
        "A/k",
        &["prefix part a lowercase RFC 1123 subdomain"],
    );
    check(label_key, "-bad", &["name part must consist"]);
    check(label_key, "bad key!", &["name part must consist"]);
    check(
        label_key,
        &x(64),
        &["name part must be no more than 63 bytes"],
    );
    check(
        label_key,
        &format!("{}/a", x(254)),
        &["prefix part must be no more than 253 bytes"],
    );
    check(label_value, "", &[]);
    check(label_value, "A.b_c-d", &[]);
    check(
        label_value,
        "-x",
        &["a valid label must be an empty string"],
    );
    check(label_value, &x(64), &["must be no more than 63 bytes"]);
    check(annotation_key, "EXAMPLE.com/Key", &[]);
    check(annotation_key, "-bad", &["name part must consist"]);
    check(finalizer_name, "orphan", &[]);
    check(finalizer_name, "example.com/f", &[]);
    check(
        finalizer_name,
        "noslash",
        &["neither a standard finalizer name"],
    );
    check(
        finalizer_name,
        "a b",
        &["name is neither a standard finalizer"],
    );
}

#[test]
fn object_names() {
    let check = |rule: NameRule, prefix: bool, value: &str, expected: &[&str]| {
        let complaints = if prefix {
            rule.generate_name(value)
        } else {
            rule.name(value)
        };
        assert_eq!(
            complaints.len(),
            expected.len(),
            "{value:?}: {complaints:?}"
        );
        for (complaint, part) in complaints.iter().zip(expected) {
            assert!(complaint.contains(part), "{value:?}: {complaint:?}");
        }
    };
    check(NameRule::Dns1123Subdomain, true, "a-", &[]);
    check(NameRule::Dns1123Subdomain, true, "a--", &[]);
    check(NameRule::Dns1123Subdomain, true, "-", &["subdomain"]);
    check(NameRule::Dns1123Subdomain, true, "ä-", &["subdomain"]);
    check(NameRule::Dns1123Subdomain, false, "a-", &["subdomain"]);
    check(
        NameRule::Dns1123Label,
        false,
        "a.b",
        &["must not contain dots"],
    );
    check(NameRule::PathSegment, false, "..", &["may not be '..'"]);
    check(NameRule::PathSegment, true, "..", &[]);
    check(
        NameRule::PathSegment,
        false,
        "a/b%",
        &["may not contain '/'", "may not contain '%'"],
    );
    check(NameRule::PathSegment, false, "system:node", &[]);
}

#[test]
fn keys() {
    check(c_identifier, "_a1", &[]);
    check(c_identifier, "1a", &["a valid C identifier"]);
    check(env_var_name, "my.env-NAME", &[]);
    check(env_var_name, "1a", &["must not start with a digit"]);
    check(env_var_name, "..", &["must not be '..'"]);
    check(relaxed_env_var_name, "1 a:b", &[]);
    check(relaxed_env_var_name, "a=b", &["other than '='"]);
    check(
        relaxed_env_var_name,
        "",
        &["environment variable name must be non-empty"],
    );
    check(config_map_key, "..", &["must not be '..'"]);
    check(config_map_key, "..a", &["must not start with '..'"]);
    check(config_map_key, ".a", &[]);
    check(config_map_key, "", &["a valid config key"]);
    check(
        config_map_key,
        &x(254),
        &["must be no more than 253 characters"],
    );
    check(port_name, "http", &[]);
    check(
        port_name,
        "-A--1-23456789012",
        &[
            "15",
            "only alpha-numeric",
            "at least one letter",
            "consecutive",
            "begin or end",
        ],
    );
    check(
        port_name,
        "",
        &["only alpha-numeric", "at least one letter"],
    );
    check(percent, "25%", &[]);
    check(percent, "%", &["a valid percent string"]);
    check(http_header_name, "X-A", &[]);
    check(http_header_name, "a b", &["a valid HTTP header"]);
    assert_eq!(port_number(0), ["must be between 1 and 65535, inclusive"]);
    assert!(user_or_group_id(0).is_empty());
}

#[test]
fn addresses() {
    const NOT_IP: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    for good in ["1.2.3.4", "::", "2001:db8::1"] {
        check(ip, good, &[]);
    }
    for bad in [
        "",
        "300.1.1.1",
        "1.2.3",
        "fe80::1%eth0",
        "nope",
        "1.2.3.4.5",
        ":::",
        "1:2",
    ] {
        check(ip, bad, &[NOT_IP]);
        check(|v| ip_legacy(v, false), bad, &[NOT_IP]);
    }
    check(|v| ip_legacy(v, false), "010.0.0.1", &[]);
    check(ip, "010.0.0.1", &["must not have leading 0s"]);
    check(ip, "::ffff:1.2.3.4", &["must not be an IPv4-mapped"]);
    check(
        ip,
        "2001:DB8::1",
        &[r#"must be in canonical form ("2001:db8::1")"#],
    );
    check(cidr, "10.0.0.0/8", &[]);
    check(cidr, "10.0.0.1/8", &["must not have bits set beyond"]);
    check(
        cidr,
        "10.0.0.0/08",
        &["must not have leading 0s in IP or prefix"],
    );
    check(cidr, "10.0.0.0/33", &["must be a valid CIDR value"]);
    check(
        cidr,
        "2001:DB8::/32",
        &[r#"canonical form ("2001:db8::/32")"#],
    );
    check(
        cidr,
        "::ffff:1.2.3.0/120",
        &["must not have an IPv4-mapped"],
    );
    check(interface_address, "10.9.8.7/24", &[]);
    check(
        |v| ip_warnings("f", v),
        "010.0.0.1",
        &[r#"f: non-standard IP address "010.0.0.1""#],
    );
    check(
        |v| ip_warnings("f", v),
        "2001:DB8::1",
        &["should be in RFC 5952"],
    );
    check(
        |v| cidr_warnings("f", v),
        "10.0.0.1/8",
        &[r#"(should be "10.0.0.0/8" or "10.0.0.1/32"?)"#],
    );
}

#[test]
fn domains() {
    let invalid = |problem: Option<DomainProblem>| match problem {
        Some(DomainProblem::Invalid { value, complaint }) => format!("{value}: {complaint}"),
        Some(DomainProblem::Required) => "required".to_owned(),
        None => String::new(),
    };
    assert_eq!(invalid(fully_qualified_name("a.b.c")), "");
    assert_eq!(invalid(fully_qualified_name("")), "required");
    assert_eq!(
        invalid(fully_qualified_name("a.b")),
        "a.b: should be a domain with at least three segments separated by dots"
    );
    assert_eq!(invalid(fully_qualified_domain_name("a.b.")), "");
    assert_eq!(
        invalid(fully_qualified_domain_name("a")),
        "a: should be a domain with at least two segments separated by dots"
    );
    assert!(domain_prefixed_path("example.com/a/b").is_empty());
    assert_eq!(
        invalid(domain_prefixed_path("a").pop()),
        r#"a: must be a domain-prefixed path (such as "acme.io/foo")"#
    );
    assert_eq!(
        invalid(domain_prefixed_path("a/b c").pop()),
        r"b c: Invalid path (regex used for validation is '[A-Za-z0-9/\-._~%!$&'()*+,;=:]+')"
    );
    assert_eq!(
        invalid(domain_prefixed_key("a").pop()),
        r#"a: must be a domain-prefixed key (such as "acme.io/foo")"#
    );
}
