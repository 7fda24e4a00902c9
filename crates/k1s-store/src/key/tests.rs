// SPDX-License-Identifier: Apache-2.0
use super::*;

fn check(tenant: &str, resource: &str, namespace: Option<&str>, name: &str, expected: &str) {
    let found = match Key::new(tenant, resource, namespace, name) {
        Ok(key) => {
            assert_eq!(
                (key.tenant(), key.namespace(), key.name()),
                (tenant, namespace, name),
                "{key:?}"
            );
            key.as_str().to_owned()
        }
        Err(Error::InvalidKey { reason, .. }) => reason.to_owned(),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(found, expected);
}

#[test]
fn keys() {
    check("t", "pods", Some("ns"), "a", "t//pods/ns/a");
    check("t", "/pods", Some("ns"), "a", "t//pods/ns/a");
    check(
        "t",
        "apps/deployments",
        Some("ns"),
        "a",
        "t/apps/deployments/ns/a",
    );
    check("t", "namespaces", None, "default", "t//namespaces//default");
    check(
        "t",
        "rbac.authorization.k8s.io/clusterroles",
        None,
        "system:node",
        "t/rbac.authorization.k8s.io/clusterroles//system:node",
    );
    check("", "pods", None, "a", "a part of it is empty");
    check("t", "", None, "a", "a part of it is empty");
    check("t", "pods", Some(""), "a", "a part of it is empty");
    check("t", "pods", None, "", "a part of it is empty");
    check("t", "pods", None, ".", "a part of it is \".\" or \"..\"");
    check(
        "t",
        "pods",
        Some(".."),
        "a",
        "a part of it is \".\" or \"..\"",
    );
    check(
        "..",
        "pods",
        Some("a"),
        "a",
        "a part of it is \".\" or \"..\"",
    );
    check(
        "t",
        "pods",
        Some("a/b"),
        "a",
        "a part of it holds a slash or a control character",
    );
    check(
        "t",
        "pods",
        None,
        "a/b",
        "a part of it holds a slash or a control character",
    );
    check(
        "t/u",
        "pods",
        None,
        "a",
        "a part of it holds a slash or a control character",
    );
    check(
        "t",
        "a/b/c",
        None,
        "a",
        "a part of it holds a slash or a control character",
    );
    check(
        "t",
        "pods",
        None,
        "a\0",
        "a part of it holds a slash or a control character",
    );
    check(
        "t",
        "pods",
        None,
        &"a".repeat(254),
        "a part of it is longer than 253 bytes",
    );
    let long = "a".repeat(253);
    let key = Key::new(&long, &format!("{long}/{long}"), Some(&long), &long);
    assert!(matches!(
        key,
        Err(Error::InvalidKey {
            reason: "it is longer than 1024 bytes",
            ..
        })
    ));
}

#[test]
fn a_prefix_holds_its_own_keys_only() {
    let key =
        |tenant, resource, namespace, name| Key::new(tenant, resource, namespace, name).unwrap();
    let pods = Prefix::resource("t", "pods").unwrap();
    let cases = [
        (Prefix::everything(), key("t", "pods", Some("a"), "x"), true),
        (
            Prefix::tenant("t").unwrap(),
            key("t", "pods", Some("a"), "x"),
            true,
        ),
        (
            Prefix::tenant("t").unwrap(),
            key("tt", "pods", Some("a"), "x"),
            false,
        ),
        (pods.clone(), key("t", "pods", Some("a"), "x"), true),
        (pods.clone(), key("t", "pods", None, "x"), true),
        (pods.clone(), key("t", "podsx", Some("a"), "x"), false),
        (pods.clone(), key("t", "apps/pods", Some("a"), "x"), false),
        (
            Prefix::namespace("t", "pods", "a").unwrap(),
            key("t", "pods", Some("a"), "x"),
            true,
        ),
        (
            Prefix::namespace("t", "pods", "a").unwrap(),
            key("t", "pods", Some("aa"), "x"),
            false,
        ),
        (
            Prefix::object(&key("t", "pods", Some("a"), "x")),
            key("t", "pods", Some("a"), "x"),
            true,
        ),
        (
            Prefix::object(&key("t", "pods", Some("a"), "x")),
            key("t", "pods", Some("a"), "xy"),
            false,
        ),
    ];
    for (prefix, key, expected) in cases {
        assert_eq!(prefix.contains(&key), expected, "{prefix:?} {key:?}");
        let (from, to) = prefix.bounds();
        let within = from.as_slice() <= key.as_bytes() && key.as_bytes() < to.as_slice();
        assert_eq!(within, expected, "{prefix:?} {key:?}");
    }
}
