// SPDX-License-Identifier: Apache-2.0
//! The ephemeral kubeconfig, from modules of a simulated board.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tfplugin::testing::{Core, Told};
use turingpi_sim::Board;
use turingpi_ssh::{Address, Client, Command, Login, Method, Options, Secret, Trust};

use super::board;
use crate::provider::TuringPi;

const TYPE: &str = "turingpi_kubeconfig";
const INSTALL: &str = "curl -sfL https://get.k3s.io | sudo K3S_TOKEN=hidden-token sh -";

/// The first module, booted from an image with the user `pi` and the password `secret-word`.
async fn module() -> (Board, tempfile::TempDir) {
    let (board, dir) = board().await;
    let image = "os: Testix 1.0\nuser: pi\npassword: secret-word\n";
    std::fs::write(board.emmc(1), image).unwrap();
    switch(&board, true).await;
    (board, dir)
}

/// Switches the module, until it answers or refuses connections.
async fn switch(board: &Board, on: bool) {
    board.set_power(1, on);
    let at = board.ssh_address(1).unwrap();
    let begun = std::time::Instant::now();
    while tokio::net::TcpStream::connect(at).await.is_ok() != on {
        assert!(
            begun.elapsed().as_secs() < 300,
            "the module does not come to that"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a command on the module.
async fn run(board: &Board, line: &str) -> String {
    let at = board.ssh_address(1).unwrap();
    let login = Login {
        user: "pi".into(),
        methods: vec![Method::Password(Secret::new("secret-word"))],
    };
    let address = Address::new("127.0.0.1", at.port()).unwrap();
    let client = Client::connect(&Options::new(address, Trust::Insecure, login))
        .await
        .unwrap();
    let output = client.run(&Command::new("a test", line)).await.unwrap();
    assert!(output.success(), "{line}: {}", output.why());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A configuration that lets in, with some of it another way; null takes something out.
fn config(board: &Board, change: Json) -> Json {
    let mut config = json!({
        "host": "127.0.0.1",
        "ssh_port": board.ssh_address(1).unwrap().port(),
        "ssh_user": "pi",
        "ssh_password": "secret-word",
        "ssh_insecure": true,
    });
    for (name, value) in change.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// The provider without a board: none is needed.
fn provider() -> Core {
    Core::new(TuringPi::default())
}

async fn failure(board: &Board, change: Json) -> Told {
    let failure = provider()
        .open(TYPE, config(board, change))
        .await
        .unwrap_err();
    let told = failure.0.into_iter().find(|told| told.is_error).unwrap();
    let said = format!("{told} {told:?}");
    for secret in ["secret-word", "hunter2", "hidden-token", "PRIVATE KEY-----"] {
        assert!(!said.contains(secret), "{said}");
    }
    told
}

#[tokio::test]
async fn a_kubeconfig_in_parts() {
    let (board, dir) = module().await;
    run(&board, INSTALL).await;
    let mode = run(&board, "stat -c '%a %U' /etc/rancher/k3s/k3s.yaml").await;
    assert_eq!(mode, "600 root\n", "or the test shows nothing of sudo");
    let key = run(&board, "cat /etc/ssh/ssh_host_ed25519_key.pub").await;
    let known = dir.path().join("known_hosts");
    let trusts = [
        json!({"ssh_insecure": null, "ssh_host_keys": ["SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", key]}),
        json!({"ssh_insecure": null, "ssh_known_hosts_file": known, "ssh_trust_on_first_use": true}),
        json!({"ssh_insecure": null, "ssh_known_hosts_file": known}),
    ];
    for trust in trusts {
        let (value, told) = provider().open(TYPE, config(&board, trust)).await.unwrap();
        assert!(told.is_empty(), "{told:?}");
        let text = |name: &str| {
            value
                .attribute(name)
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        assert_eq!(text("api_endpoint"), "https://127.0.0.1:6443");
        assert_eq!(
            (&*text("context"), &*text("path")),
            ("127.0.0.1", "/etc/rancher/k3s/k3s.yaml")
        );
        assert!(text("client_key").starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(text("client_certificate").starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(value.attribute("token").is_null());
        // what the function makes of the text is the same
        let parts = provider()
            .call("parse_kubeconfig", &[text("kubeconfig").into()])
            .await
            .unwrap();
        for (part, attribute) in [
            ("host", "api_endpoint"),
            ("context", "context"),
            ("client_key", "client_key"),
        ] {
            assert_eq!(parts.attribute(part).as_str(), Some(&*text(attribute)));
        }
        assert_eq!(
            parts.attribute("cluster_ca_certificate").as_str(),
            Some(&*text("cluster_ca_certificate"))
        );
    }
    let change = json!({"server": "https://[fd00::5]:6443", "context": "home"});
    let (value, told) = provider().open(TYPE, config(&board, change)).await.unwrap();
    assert!(told[0].summary.contains("Any host key"), "{told:?}");
    let text = value.attribute("kubeconfig").as_str().unwrap().to_owned();
    assert!(
        text.contains("server: https://[fd00::5]:6443") && text.contains("current-context: home")
    );
    assert!(!text.contains("default"));
}

#[tokio::test]
async fn what_each_failure_says() {
    let (board, dir) = module().await;
    let check = async |change: Json, at: &str, words: &[&str]| {
        let told = failure(&board, change.clone()).await;
        assert_eq!(told.at, at, "{change}: {told}");
        let said = format!("{}\n{}", told.summary, told.detail);
        for word in words {
            assert!(said.contains(word), "{change}: {word} is not in {said}");
        }
    };
    let address = board.ssh_address(1).unwrap().to_string();
    check(
        json!({}),
        "path",
        &[
            "no file /etc/rancher/k3s/k3s.yaml",
            "not installed",
            "wait = true",
            &address,
        ],
    )
    .await;
    // what it was that was missing last depends on how fast the module is
    let waited = failure(&board, json!({"wait": true, "timeout": 2})).await;
    assert!(waited.summary.contains("within 2 s"), "{waited}");
    check(
        json!({"ssh_password": "hunter2"}),
        "",
        &["does not let pi in", "the password", "it takes publickey"],
    )
    .await;
    check(
        json!({"ssh_user": "nobody-there"}),
        "",
        &["does not let nobody-there in"],
    )
    .await;
    check(
        json!({"ssh_password": null, "ssh_key": "~/.ssh/id"}),
        "ssh_key",
        &["name of a file"],
    )
    .await;
    check(
        json!({"ssh_password": null, "ssh_agent": false}),
        "",
        &["Nothing to log in with"],
    )
    .await;
    let pinned = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    check(
        json!({"ssh_insecure": null, "ssh_host_keys": [pinned]}),
        "ssh_host_keys",
        &["not trusted", "ssh-ed25519 SHA256:", "none of the 1"],
    )
    .await;
    let known = dir.path().join("known_hosts");
    let trusting = |first: bool| json!({"ssh_insecure": null, "ssh_known_hosts_file": known, "ssh_trust_on_first_use": first});
    check(
        trusting(false),
        "",
        &["has no key of this host", "ssh-keygen -lf"],
    )
    .await;
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    let port = board.ssh_address(1).unwrap().port();
    std::fs::write(&known, format!("[127.0.0.1]:{port} {other}\n")).unwrap();
    for first in [false, true] {
        check(
            trusting(first),
            "",
            &["known_hosts:1 has another key", "ssh-keygen -R"],
        )
        .await;
    }
    for (text, why) in [
        ("token: hunter2\\n  x: [", "line 2"),
        ("hunter2", "no current-context"),
        (
            "current-context: c\\ncontexts: [{name: c, context: {cluster: k}}]\\nclusters: [{name: k, cluster: {x: hunter2}}]",
            "no server",
        ),
    ] {
        run(&board, &format!("printf '{text}\\n' > /tmp/k")).await;
        check(json!({"path": "/tmp/k"}), "path", &["/tmp/k on", why]).await;
    }
    run(&board, INSTALL).await;
    run(&board, "sudo rm /etc/sudoers.d/90-pi; sudo -n true || true").await;
    // the password is at hand for sudo
    provider()
        .open(TYPE, config(&board, json!({})))
        .await
        .unwrap();
    run(
        &board,
        "echo secret-word | sudo -S sh -c 'sed -i s/^sudo:.*/sudo:x:27:/ /etc/group'",
    )
    .await;
    check(
        json!({}),
        "",
        &["may not be read by pi", "sudoers", "Log in as root"],
    )
    .await;
    switch(&board, false).await;
    check(
        json!({}),
        "host",
        &["cannot be reached", &address, "whether the module is on"],
    )
    .await;
}

#[tokio::test]
async fn what_can_be_said_before_anything_is_asked() {
    let (board, _dir) = board().await;
    let check = async |change: Json, at: &str, words: &str| {
        let told = failure(&board, change.clone()).await;
        assert_eq!(told.at, at, "{change}: {told}");
        assert!(told.to_string().contains(words), "{change}: {told}");
    };
    check(json!({"host": "pi@cp1"}), "host", "without user and port").await;
    check(json!({"host": ""}), "host", "not be empty").await;
    check(json!({"ssh_port": 0}), "ssh_port", "between 1 and 65535").await;
    check(
        json!({"ssh_host_keys": ["x"]}),
        "ssh_host_keys[0]",
        "SHA256:",
    )
    .await;
    check(json!({"ssh_host_keys": []}), "ssh_host_keys", "empty").await;
    check(json!({"path": "k3s.yaml"}), "path", "an absolute path").await;
    for server in [
        "10.0.0.5",
        "http://10.0.0.5:6443",
        "https://u:p@h",
        "https://",
    ] {
        check(json!({"server": server}), "server", "https://10.0.0.5:6443").await;
    }
    check(
        json!({"ssh_trust_on_first_use": true}),
        "ssh_trust_on_first_use",
        "together",
    )
    .await;
    check(
        json!({"ssh_host_keys": ["SHA256:x"], "ssh_known_hosts_file": "f"}),
        "ssh_known_hosts_file",
        "Only one of",
    )
    .await;
}

#[tokio::test]
async fn k3s_is_waited_for() {
    let (board, _dir) = module().await;
    switch(&board, false).await;
    let waiting = async || {
        provider()
            .open(TYPE, config(&board, json!({"wait": true, "timeout": 300})))
            .await
    };
    let (opened, ()) = tokio::join!(waiting(), async {
        switch(&board, true).await;
        run(&board, INSTALL).await;
    });
    let (value, _) = opened.unwrap();
    assert!(value.attribute("client_key").as_str().is_some());
    // Ctrl-C ends it
    run(&board, "sudo rm /etc/rancher/k3s/k3s.yaml").await;
    let core = provider();
    let (stopped, ()) = tokio::join!(
        core.open(TYPE, config(&board, json!({"wait": true}))),
        async {
            tokio::task::yield_now().await;
            core.interrupt();
        }
    );
    let stopped = stopped.unwrap_err();
    assert!(
        stopped.0.iter().any(|told| told.detail.contains("Stopped")),
        "{stopped:?}"
    );
}
