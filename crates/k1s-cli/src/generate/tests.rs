// SPDX-License-Identifier: Apache-2.0
//! Objects that command lines make, and what is refused.

use serde_json::{Value, json};

use super::*;

const A: Identity<'static> = Identity {
    name: "a",
    namespace: None,
};

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn entries(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()))
        .collect()
}

#[test]
fn config_maps_and_hashes() {
    let check = |name: &str, pairs: &[(&str, &str)], expected: Result<&str, &str>| {
        let data = Data {
            entries: entries(pairs),
            append_hash: true,
        };
        let made = config_map(
            Identity {
                name,
                namespace: None,
            },
            &data,
        );
        let made = made
            .as_ref()
            .map(|map| map["metadata"]["name"].as_str().unwrap())
            .map_err(|mistake| mistake.0.as_str());
        assert_eq!(made, expected);
    };
    check("c", &[("a", "1")], Ok("c-9dtcmmmm5t"));
    check("c", &[("b", "1")], Ok("c-kg9d9gt45b"));
    check(
        "c",
        &[("a", "1"), ("a", "2")],
        Err(
            "cannot add key \"a\", another key by that name already exists in Data for ConfigMap \"c\"",
        ),
    );
    check(
        "c",
        &[("bad key", "1")],
        Err(
            "\"bad key\" is not a valid key name for a ConfigMap: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
    );
    let binary = Data {
        entries: vec![("b".to_owned(), vec![0, 1, 254, 255, 0])],
        append_hash: false,
    };
    assert_eq!(
        config_map(A, &binary).unwrap()["binaryData"],
        json!({ "b": "AAH+/wA=" })
    );
}

#[test]
fn docker_credentials() {
    assert_eq!(
        docker_config("https://index.docker.io/v1/", "jane", "x", ""),
        r#"{"auths":{"https://index.docker.io/v1/":{"username":"jane","password":"x","auth":"amFuZTp4"}}}"#
    );
}

#[test]
fn roles() {
    let resources = [
        ("".to_owned(), "pods".to_owned()),
        ("apps".to_owned(), "deployments".to_owned()),
        ("".to_owned(), "pods".to_owned()),
    ];
    let made = role("Role", A, &words("get list get"), &resources, &[], &[]);
    assert_eq!(
        made["rules"],
        json!([{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}, {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}])
    );
    let parsed = split_resource(&words("pods deployments.apps/scale"));
    assert_eq!(
        parsed[1],
        ResourceArgument {
            resource: "deployments".into(),
            group: "apps".into(),
            subresource: "scale".into()
        }
    );
    let binding = Binding {
        role_kind: "Role",
        role: "r",
        service_accounts: &words("robot"),
        ..Binding::default()
    };
    assert_eq!(
        role_binding("RoleBinding", A, &binding),
        Err(Mistake::new("serviceaccount must be <namespace>:<name>"))
    );
}

#[test]
fn ingresses() {
    let check = |rules: &str, expected: Result<Value, &str>| {
        let made = ingress(
            A,
            &Ingress {
                rules: &words(rules),
                ..Ingress::default()
            },
        );
        assert_eq!(
            made.map(|made| made["spec"].clone())
                .map_err(|mistake| mistake.0),
            expected.map_err(str::to_owned),
            "{rules}"
        );
    };
    let path = |path: &str, kind: &str, service: &str, port: Value| json!({"path": path, "pathType": kind, "backend": {"service": {"name": service, "port": port}}});
    check(
        "/*=web:80",
        Ok(
            json!({"rules": [{"http": {"paths": [path("/", "Prefix", "web", json!({"number": 80}))]}}]}),
        ),
    );
    check(
        "h/a=s:http,tls=x h/b=t:1,tls=x",
        Ok(
            json!({"rules": [{"host": "h", "http": {"paths": [path("/a", "Exact", "s", json!({"name": "http"})), path("/b", "Exact", "t", json!({"number": 1}))]}}], "tls": [{"hosts": ["h"], "secretName": "x"}]}),
        ),
    );
    check(
        "h=s:1",
        Err(
            "rule h=s:1 is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]",
        ),
    );
    check(
        "",
        Err(
            "not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)",
        ),
    );
}

#[test]
fn quotas_and_budgets() {
    let check = |hard: &str, scopes: &str, expected: Result<Value, &str>| {
        let made = resource_quota(A, hard, scopes).map(|made| made["spec"].clone());
        assert_eq!(
            made.map_err(|mistake| mistake.0),
            expected.map_err(str::to_owned)
        );
    };
    check(
        "cpu=1,memory=1G",
        "BestEffort",
        Ok(json!({"hard": {"cpu": "1", "memory": "1G"}, "scopes": ["BestEffort"]})),
    );
    check("cpu=0.5", "", Ok(json!({"hard": {"cpu": "500m"}})));
    check("", "", Ok(json!({})));
    check(
        "pods",
        "",
        Err("Invalid argument syntax pods, expected <resource>=<value>"),
    );
    check(
        "pods=many",
        "",
        Err(
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
    );
    let check = |selector, min_available, max_unavailable, expected: Result<Value, &str>| {
        let made = disruption_budget(
            A,
            &Budget {
                selector,
                min_available,
                max_unavailable,
            },
        )
        .map(|made| made["spec"].clone());
        assert_eq!(
            made.map_err(|mistake| mistake.0),
            expected.map_err(str::to_owned)
        );
    };
    check(
        "a=b",
        "50%",
        "",
        Ok(json!({"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}})),
    );
    check(
        "a in (b,c)",
        "",
        "1",
        Ok(
            json!({"maxUnavailable": 1, "selector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "c"]}]}}),
        ),
    );
    check(
        "a!=b",
        "1",
        "",
        Err("\"!=\" is not a valid label selector operator"),
    );
    check(
        "a=b",
        "1Gi",
        "",
        Err("invalid format specified for min-available"),
    );
}

#[test]
fn services() {
    let check = |tcp: &str, expected: Result<Value, &str>| {
        let made = service(
            A,
            &Service {
                kind: "ClusterIP",
                tcp: &words(tcp),
                ..Service::default()
            },
        );
        assert_eq!(
            made.map(|made| made["spec"]["ports"].clone())
                .map_err(|mistake| mistake.0),
            expected.map_err(str::to_owned)
        );
    };
    check(
        "80:8080",
        Ok(json!([{"name": "80-8080", "port": 80, "protocol": "TCP", "targetPort": 8080}])),
    );
    check(
        "80:http",
        Ok(json!([{"name": "80-http", "port": 80, "protocol": "TCP", "targetPort": "http"}])),
    );
    check(
        "abc",
        Err("strconv.ParseUint: parsing \"abc\": invalid syntax"),
    );
    check(
        "70000",
        Err("strconv.ParseUint: parsing \"70000\": value out of range"),
    );
    check("", Err("at least one tcp port specifier must be provided"));
    let deployment = json!({"kind": "Deployment", "metadata": {"labels": {"x": "y"}}, "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": [{"ports": [{"containerPort": 53, "protocol": "UDP"}]}]}}}});
    let made = expose(A, &deployment, &Expose::default()).unwrap();
    assert_eq!(
        made["spec"],
        json!({"ports": [{"port": 53, "protocol": "UDP", "targetPort": 53}], "selector": {"app": "web"}})
    );
    assert_eq!(made["metadata"]["labels"], json!({"x": "y"}));
    assert_eq!(
        expose(A, &json!({"kind": "ConfigMap"}), &Expose::default()),
        Err(Mistake::new("cannot expose a ConfigMap"))
    );
}

#[test]
fn workloads() {
    let images = words("nginx:1.27 registry.example.com/a/b_c:1");
    let made = deployment(
        A,
        &Deployment {
            images: &images,
            replicas: 2,
            port: Some(80),
            command: &[],
        },
        || "xxxxx".to_owned(),
    )
    .unwrap();
    assert_eq!(
        made["spec"]["template"]["spec"]["containers"],
        json!([{"name": "nginx", "image": "nginx:1.27", "resources": {}, "ports": [{"containerPort": 80}]}, {"name": "b-c-xxxxx", "image": "registry.example.com/a/b_c:1", "resources": {}}])
    );
    let made = run(
        A,
        &Run {
            image: "i",
            restart: "Always",
            env: &words("A=1"),
            labels: "x=y",
            port: "80",
            ..Run::default()
        },
    )
    .unwrap();
    assert_eq!(
        made["spec"],
        json!({"containers": [{"name": "a", "image": "i", "resources": {}, "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80}]}], "dnsPolicy": "ClusterFirst", "restartPolicy": "Always"})
    );
    let cron = json!({"metadata": {"name": "cj", "uid": "u"}, "spec": {"jobTemplate": {"spec": {"x": 1}}}});
    let made = job_from_cron_job(A, &cron);
    assert_eq!(
        (
            &made["metadata"]["ownerReferences"][0]["kind"],
            &made["spec"]
        ),
        (&json!("CronJob"), &json!({"x": 1}))
    );
}
