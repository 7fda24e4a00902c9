// SPDX-License-Identifier: Apache-2.0
//! Changes of a kubeconfig, and views of it.

use serde_json::{Value, json};

use super::{ConfigFile, Mismatch, PathError, minify, redact};

fn kitchen() -> ConfigFile {
    ConfigFile::from_value(&json!({
        "apiVersion": "v1", "kind": "Config",
        "clusters": [{"name": "two", "cluster": {"server": "https://two", "certificate-authority-data": "Y2E="}}, {"name": "one", "cluster": {"server": "https://one"}}],
        "users": [{"name": "jane", "user": {"token": "s3cret"}}],
        "contexts": [{"name": "home", "context": {"cluster": "one", "user": "jane", "namespace": "kitchen"}}, {"name": "lost", "context": {"cluster": "none"}}],
        "current-context": "home"
    }))
}

#[test]
fn files_are_written_sorted_and_without_empty_fields() {
    let written = kitchen().to_value();
    assert_eq!(written["clusters"][0]["name"], "one");
    assert_eq!(
        written["contexts"][1],
        json!({"name": "lost", "context": {"cluster": "none", "user": ""}})
    );
    assert_eq!(
        ConfigFile::from_value(&written),
        ConfigFile::from_value(&ConfigFile::from_value(&written).to_value())
    );
    assert_eq!(
        ConfigFile::default().to_value(),
        json!({"apiVersion": "v1", "kind": "Config", "clusters": null, "contexts": null, "users": null, "current-context": ""})
    );
}

#[test]
fn paths_set_and_unset() {
    let check = |path: &str, value: Option<&str>, expected: Result<(&str, Value), PathError>| {
        let mut config = kitchen();
        let done = match value {
            Some(value) => config.set(path, value, false),
            None => config.unset(path),
        };
        let found = expected.as_ref().ok().map(|(pointer, _)| {
            config
                .to_value()
                .pointer(pointer)
                .cloned()
                .unwrap_or(Value::Null)
        });
        assert_eq!(
            done.map(|()| found.unwrap_or(Value::Null)),
            expected.map(|(_, value)| value),
            "{path}"
        );
    };
    check(
        "contexts.home.namespace",
        Some("hall"),
        Ok(("/contexts/0/context/namespace", json!("hall"))),
    );
    check(
        "contexts.a.b.namespace",
        Some("x"),
        Ok((
            "/contexts/0",
            json!({"name": "a.b", "context": {"cluster": "", "user": "", "namespace": "x"}}),
        )),
    );
    check(
        "clusters.one.insecure-skip-tls-verify",
        Some("true"),
        Ok(("/clusters/0/cluster/insecure-skip-tls-verify", json!(true))),
    );
    check(
        "clusters.one.insecure-skip-tls-verify",
        Some("yes"),
        Err(PathError::NotBoolean("yes".into())),
    );
    check(
        "clusters.one",
        Some("{}"),
        Err(PathError::Map("one two".into())),
    );
    check(
        "users.jane.client-key-data",
        Some("abc"),
        Err(PathError::NotBase64(0)),
    );
    check("current-context", None, Ok(("/current-context", json!(""))));
    check(
        "contexts.home",
        None,
        Ok(("/contexts/0/name", json!("lost"))),
    );
    check(
        "contexts.zzz",
        None,
        Ok(("/contexts/0/name", json!("home"))),
    );
    check(
        "contexts.zzz.namespace",
        None,
        Err(PathError::NoEntry("zzz".into())),
    );
    check("users", None, Ok(("/users", Value::Null)));
    check(
        "no.such.path",
        Some("x"),
        Err(PathError::NoSection("no.such.path".into())),
    );
}

#[test]
fn views() {
    let mut config = kitchen();
    redact(&mut config);
    assert_eq!(config.users["jane"]["token"], "REDACTED");
    assert_eq!(
        config.clusters["two"]["certificate-authority-data"],
        "DATA+OMITTED"
    );
    assert_eq!(minify(&mut config), Ok(()));
    assert_eq!(config.clusters.keys().collect::<Vec<_>>(), ["one"]);
    let check = |context: &str, expected: Mismatch| {
        let mut config = kitchen();
        config.current_context = context.to_owned();
        assert_eq!(minify(&mut config), Err(expected));
    };
    check("", Mismatch::NoCurrentContext);
    check("nowhere", Mismatch::NoContext("nowhere".into()));
    check("lost", Mismatch::NoCluster("none".into()));
}
