// SPDX-License-Identifier: Apache-2.0
//! The binary as scripts use it: how it starts, what it prints, how it ends, what it refuses.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn k1s(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_k1s"));
    command
        .args(arguments)
        .env("HOME", home)
        .env_remove("XDG_DATA_HOME")
        .env_remove("KUBECONFIG");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

struct Server {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    first: String,
}

impl Server {
    fn start(home: &Path, arguments: &[&str]) -> Self {
        let mut child = k1s(home, arguments).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        stdout.read_line(&mut first).unwrap();
        Self {
            child,
            stdout,
            first,
        }
    }

    fn port(&self) -> &str {
        self.first.trim_end().rsplit(':').next().unwrap()
    }

    /// Asks it to end, and returns whether it ended well and what else it printed.
    fn end(&mut self, signal: Signal) -> (bool, String) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut rest)
            .unwrap();
        (self.child.wait().unwrap().success(), rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failure(home: &Path, arguments: &[&str]) -> String {
    let output = k1s(home, arguments).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    assert!(output.stdout.is_empty(), "stdout is data");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn serve_prints_one_line_and_ends_on_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = TempDir::new().unwrap();
        let mut server = Server::start(
            home.path(),
            &["serve", "--memory", "--listen", "127.0.0.1:0"],
        );
        assert!(
            server
                .first
                .starts_with("k1s serving on https://127.0.0.1:"),
            "{}",
            server.first
        );
        assert_eq!(
            std::fs::read_dir(home.path()).unwrap().count(),
            0,
            "--memory leaves nothing"
        );
        assert_eq!(server.end(signal), (true, String::new()));
    }
}

#[test]
fn one_address_is_served_once() {
    let home = TempDir::new().unwrap();
    let server = Server::start(
        home.path(),
        &["serve", "--memory", "--listen", "127.0.0.1:0"],
    );
    let address = format!("127.0.0.1:{}", server.port());
    let error = failure(home.path(), &["serve", "--memory", "--listen", &address]);
    assert!(
        error.starts_with("error: ") && error.contains(&format!("{address} is in use")),
        "{error}"
    );
}

#[test]
fn a_store_serves_twice_at_once_and_keeps_its_authority() {
    let home = TempDir::new().unwrap();
    let arguments = [
        "--data-dir",
        "d",
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--write-kubeconfig",
    ];
    let kubeconfig = |file: &str| {
        let path = home.path().join(file);
        let mut all = arguments.to_vec();
        let data = home.path().join("d");
        all[1] = data.to_str().unwrap();
        all.push(path.to_str().unwrap());
        let server = Server::start(home.path(), &all);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        (server, std::fs::read_to_string(path).unwrap())
    };
    let ((first, one), (second, two)) = (kubeconfig("one"), kubeconfig("two"));
    let authority = |text: &str| {
        text.lines()
            .find(|l| l.contains("certificate-authority-data"))
            .unwrap()
            .to_owned()
    };
    assert_eq!(authority(&one), authority(&two));
    drop((first, second));
}

#[test]
fn up_explains_itself_and_merges_only_when_asked() {
    let home = TempDir::new().unwrap();
    let mut server = Server::start(home.path(), &["up", "--listen", "127.0.0.1:0"]);
    let mut line = String::new();
    while !line.contains("Ctrl-C") {
        line.clear();
        assert_ne!(server.stdout.read_line(&mut line).unwrap(), 0);
        server.first.push_str(&line);
    }
    for expected in [
        "https://127.0.0.1:",
        "~/.local/share/k1s/kubeconfig",
        "k1s get configmaps",
        "kubectl --kubeconfig",
    ] {
        assert!(
            server.first.contains(expected),
            "{expected} is not in\n{}",
            server.first
        );
    }
    assert!(home.path().join(".local/share/k1s/kubeconfig").exists());
    assert!(!home.path().join(".kube").exists());
    drop(server);
    let _server = Server::start(
        home.path(),
        &[
            "up",
            "--listen",
            "127.0.0.1:0",
            "--merge-kubeconfig",
            "--memory",
        ],
    );
    assert!(
        std::fs::read_to_string(home.path().join(".kube/config"))
            .unwrap()
            .contains("current-context: k1s")
    );
}

#[test]
fn what_cannot_be_served_is_said() {
    let home = TempDir::new().unwrap();
    let data = home.path().join("d");
    let data = data.to_str().unwrap();
    drop(Server::start(
        home.path(),
        &["serve", "--data-dir", data, "--listen", "127.0.0.1:0"],
    ));
    let key = home.path().join("d/pki/ca.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = failure(
        home.path(),
        &["serve", "--data-dir", data, "--listen", "127.0.0.1:0"],
    );
    assert!(
        error.contains("may be read by others (mode 0640)") && error.contains("chmod 600"),
        "{error}"
    );
    let error = failure(home.path(), &["serve", "--memory", "--data-dir", data]);
    assert!(error.contains("exclude each other"), "{error}");
    let error = failure(
        home.path(),
        &["serve", "--memory", "--listen", "203.0.113.7:0"],
    );
    assert!(error.contains("cannot listen on 203.0.113.7:0"), "{error}");
    let error = failure(home.path(), &["serve", "--memory", "--tenant", "No/Tenant"]);
    assert!(error.contains("tenant"), "{error}");
}
