// SPDX-License-Identifier: Apache-2.0
//! Boards in a process that may have few files open: those that find no descriptor wait, and one is told why.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::net::TcpListener;
use std::process::{Command, Stdio};

use pico_sim::{Api, Options, Simulation, Wire};

/// Where the other side listens; set in the process with few descriptors alone.
const SERVER: &str = "PICO_SIM_TEST_SERVER";

#[test]
fn a_process_with_few_descriptors() {
    match std::env::var(SERVER) {
        Ok(server) => in_a_process_with_few(&server),
        Err(_) => start_one(),
    }
}

/// The server is in this process, so that its ends of the connections are not counted there.
fn start_one() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        // It takes what comes and never answers.
        let _kept: Vec<_> = listener.incoming().collect();
    });
    let done = Command::new("sh")
        .args([
            "-c",
            r#"ulimit -n 48 && exec "$0" --exact a_process_with_few_descriptors --nocapture"#,
        ])
        .arg(std::env::current_exe().unwrap())
        .env(SERVER, server)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let told = said
        .lines()
        .filter(|line| line.contains("too many open files"))
        .count();
    assert_eq!(told, 1, "{said}");
}

fn in_a_process_with_few(server: &str) {
    let (host, port) = server.rsplit_once(':').unwrap();
    let api = Api {
        wire: Wire::Tcp(host.to_owned(), port.parse().unwrap()),
        authority: server.to_owned(),
        base: String::new(),
        tls: None,
        authorization: String::new(),
    };
    let options = Options {
        nodes: 200,
        seed: Some(1),
        ..Options::default()
    };
    // before the boards: they leave no descriptor for it
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let simulation = Simulation::start(api, &options).unwrap();
    let handle = simulation.handle();
    for text in runtime.block_on(handle.troubles(0)) {
        println!("{text}");
    }
    // They can still be asked, and switched off.
    assert!(
        runtime
            .block_on(handle.look("pico-199"))
            .is_some_and(|seen| !seen.is_ready)
    );
    simulation.stop();
}
