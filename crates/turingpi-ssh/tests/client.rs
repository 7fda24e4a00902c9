// SPDX-License-Identifier: Apache-2.0
//! The client and the modules of a simulated board: who gets in, what is read, and what each failure says.

#![expect(clippy::unwrap_used, reason = "a test ends where it cannot go on")]

use std::time::{Duration, Instant};

use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::ssh_key::{Cipher, Kdf, LineEnding};
use russh::keys::{HashAlg, PrivateKey, PublicKey};
use russh::{MethodKind, server};
use tokio::io::AsyncWriteExt as _;
use turingpi_sim::{Board, Options as Simulated};
use turingpi_ssh::{
    Address, Client, Command, Error, HostKeyProblem, Login, Method, Options, Secret, Status, Trust,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A key that is the same each time.
fn key(seed: u8) -> PrivateKey {
    let pair = Ed25519Keypair::from_seed(&[seed; 32]);
    PrivateKey::new(KeypairData::from(pair), "test").unwrap()
}

fn text(key: &PrivateKey) -> Secret {
    Secret::new(key.to_openssh(LineEnding::LF).unwrap().as_str())
}

/// A board whose first module has booted an image with this user; the password is `secret`.
async fn module(user: &str) -> (Board, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Simulated::new(dir.path().to_owned());
    (options.speed, options.emmc_rate) = (100.0, 0);
    options.authorized_keys = vec![key(1).public_key().to_openssh().unwrap()];
    let board = Board::start(options).await.unwrap();
    boot(&board, user).await;
    (board, dir)
}

async fn boot(board: &Board, user: &str) {
    let image = format!("os: Testix 1.0\nuser: {user}\npassword: secret\n");
    std::fs::write(board.emmc(1), image).unwrap();
    switch(board, true).await;
}

/// Switches the module, until it answers or refuses connections.
async fn switch(board: &Board, on: bool) {
    board.set_power(1, on);
    let at = board.ssh_address(1).unwrap();
    let begun = Instant::now();
    while tokio::net::TcpStream::connect(at).await.is_ok() != on {
        assert!(
            begun.elapsed() < 300 * SECOND,
            "the module does not come to that"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn password(text: &str) -> Method {
    Method::Password(Secret::new(text))
}

fn options(board: &Board, user: &str, methods: Vec<Method>) -> Options {
    let at = board.ssh_address(1).unwrap();
    let login = Login {
        user: user.into(),
        methods,
    };
    Options::new(
        Address::new(&at.ip().to_string(), at.port()).unwrap(),
        Trust::Insecure,
        login,
    )
}

async fn client(board: &Board, user: &str) -> Client {
    Client::connect(&options(board, user, vec![password("secret")]))
        .await
        .unwrap()
}

/// How a connection fails.
async fn failure(options: &Options) -> Error {
    Client::connect(options).await.unwrap_err()
}

async fn run(client: &Client, line: &str) -> (Status, String) {
    let output = client.run(&Command::new("a test", line)).await.unwrap();
    (
        output.status,
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

#[tokio::test]
async fn who_gets_in() {
    let (board, dir) = module("pi").await;
    let enter = async |methods: Vec<Method>| {
        let client = Client::connect(&options(&board, "pi", methods)).await?;
        assert_eq!(
            run(&client, "whoami").await,
            (Status::Exit(0), "pi\n".into())
        );
        client.close().await;
        Ok::<_, Error>(())
    };
    let of = |key: &PrivateKey, passphrase: Option<&str>| Method::Key {
        text: text(key),
        passphrase: passphrase.map(Secret::new),
    };
    let kdf = || Kdf::Bcrypt {
        salt: vec![7; 16],
        rounds: 1,
    };
    let locked = key(1)
        .encrypt_with(Cipher::Aes256Ctr, kdf(), 1, "open sesame")
        .unwrap();
    enter(vec![of(&key(1), None)]).await.unwrap();
    enter(vec![of(&locked, Some("open sesame"))]).await.unwrap();
    enter(vec![password("secret")]).await.unwrap();
    // the next way is gone when one leads nowhere
    enter(vec![of(&key(2), None), password("secret")])
        .await
        .unwrap();
    let refused = enter(vec![of(&key(2), None), password("hunter2")])
        .await
        .unwrap_err();
    let said = format!("{refused} {refused:?}");
    assert!(matches!(refused, Error::Refused { .. }), "{said}");
    assert!(
        said.contains("the password") && said.contains("SHA256:") && !said.contains("hunter2"),
        "{said}"
    );
    let nothing = enter(vec![]).await.unwrap_err();
    assert!(matches!(nothing, Error::Refused { .. }), "{nothing}");
    for (method, why) in [
        (of(&locked, None), "has a passphrase"),
        (of(&locked, Some("close sesame")), "passphrase is wrong"),
        (
            Method::Key {
                text: Secret::new("~/.ssh/id_ed25519"),
                passphrase: None,
            },
            "name of a file",
        ),
        (
            Method::Key {
                text: Secret::new(key(1).public_key().to_openssh().unwrap()),
                passphrase: None,
            },
            "public key",
        ),
        (
            Method::Key {
                text: Secret::new(
                    "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
                ),
                passphrase: None,
            },
            "RSA",
        ),
        (Method::Agent(dir.path().join("no-agent")), "no-agent"),
    ] {
        let e = enter(vec![method]).await.unwrap_err();
        assert!(matches!(e, Error::Key(_) | Error::Agent(_)), "{e}");
        assert!(e.to_string().contains(why) && e.hint().is_some(), "{e}");
    }
}

#[tokio::test]
async fn the_agent_signs() {
    use russh::keys::agent::client::AgentClient;
    let (board, dir) = module("pi").await;
    let socket = dir.path().join("agent");
    let listener = tokio::net::UnixListener::bind(&socket).unwrap();
    let connections = futures_util::stream::unfold(listener, async |listener| {
        let stream = listener.accept().await.map(|(stream, _)| stream);
        Some((stream, listener))
    });
    tokio::spawn(russh::keys::agent::server::serve(Box::pin(connections), ()));
    let by_agent = || options(&board, "pi", vec![Method::Agent(socket.clone())]);
    let empty = failure(&by_agent()).await;
    assert!(
        matches!(&empty, Error::Agent(why) if why.contains("no keys")),
        "{empty}"
    );
    let mut agent = AgentClient::connect_uds(&socket).await.unwrap();
    agent.add_identity(&key(2), &[]).await.unwrap();
    assert!(matches!(failure(&by_agent()).await, Error::Refused { .. }));
    agent.add_identity(&key(1), &[]).await.unwrap();
    Client::connect(&by_agent()).await.unwrap();
}

#[tokio::test]
async fn a_host_key_is_checked_before_anything_is_said() {
    let (board, dir) = module("pi").await;
    let trusting = |trust: Trust| Options {
        trust,
        ..options(&board, "pi", vec![password("secret")])
    };
    let file = dir.path().join("known_hosts");
    let unknown = failure(&trusting(Trust::KnownHosts(file.clone()))).await;
    let shown = match &unknown {
        Error::HostKey {
            shown,
            problem: HostKeyProblem::Unknown(at),
            ..
        } if *at == file => shown.clone(),
        e => panic!("{e}"),
    };
    let fingerprint = shown.split(' ').nth(1).unwrap();
    Client::connect(&trusting(Trust::FirstUse(file.clone())))
        .await
        .unwrap();
    Client::connect(&trusting(Trust::FirstUse(file.clone())))
        .await
        .unwrap();
    Client::connect(&trusting(Trust::KnownHosts(file.clone())))
        .await
        .unwrap();
    let line = std::fs::read_to_string(&file).unwrap();
    for pin in [fingerprint, &line] {
        Client::connect(&trusting(Trust::Pinned(vec![pin.parse().unwrap()])))
            .await
            .unwrap();
    }
    let other: PublicKey = key(9).public_key().clone();
    let pins = vec![
        other
            .fingerprint(HashAlg::Sha256)
            .to_string()
            .parse()
            .unwrap(),
    ];
    let wrong = failure(&trusting(Trust::Pinned(pins))).await;
    assert!(
        matches!(
            &wrong,
            Error::HostKey {
                problem: HostKeyProblem::NotPinned(1),
                ..
            }
        ),
        "{wrong}"
    );
    assert!(wrong.to_string().contains(fingerprint), "{wrong}");
    // the module gets another key, as by a new image
    let (removed, _) = run(
        &client(&board, "pi").await,
        "sudo rm /etc/ssh/ssh_host_ed25519_key",
    )
    .await;
    assert_eq!(removed, Status::Exit(0));
    switch(&board, false).await;
    switch(&board, true).await;
    for trust in [
        Trust::KnownHosts(file.clone()),
        Trust::FirstUse(file.clone()),
    ] {
        let changed = failure(&trusting(trust)).await;
        assert!(
            matches!(&changed, Error::HostKey { problem: HostKeyProblem::Changed(at, 1), .. } if *at == file),
            "{changed}"
        );
        assert!(changed.hint().unwrap().contains("ssh-keygen -R"));
    }
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        line,
        "nothing is written over"
    );
}

#[tokio::test]
async fn commands() {
    let (board, _dir) = module("pi").await;
    let client = client(&board, "pi").await;
    let mut command = Command::new("a test", "cat; echo bad >&2; exit 3");
    command.stdin = vec![b'x'; 500_000].into();
    let output = client.run(&command).await.unwrap();
    assert_eq!(
        (&output.status, output.stdout.len()),
        (&Status::Exit(3), 500_000)
    );
    assert_eq!(
        (output.success(), &*output.why()),
        (false, "bad (exit code 3)")
    );
    assert!(!format!("{output:?} {command:?} {client:?}").contains("xx"));
    // a command that does not read what it gets
    command.line = "true".into();
    assert!(client.run(&command).await.unwrap().success());
    // too much, and the connection goes on
    let mut flood = Command::new("a flood", "while :; do echo 0123456789; done");
    flood.limit = 1000;
    let e = client.run(&flood).await.unwrap_err();
    assert!(matches!(e, Error::TooLong { limit: 1000, .. }), "{e}");
    let mut slow = Command::new("a wait", "sleep 1000000");
    slow.timeout = SECOND;
    let e = client.run(&slow).await.unwrap_err();
    assert!(matches!(e, Error::Timeout { within: SECOND, .. }), "{e}");
    assert_eq!(
        run(&client, "echo on").await,
        (Status::Exit(0), "on\n".into())
    );
    // the plug
    let endless = Command::new("a wait", "sleep 1000000");
    let (e, ()) = tokio::join!(client.run(&endless), async {
        assert_eq!(run(&client, "echo up").await.1, "up\n");
        switch(&board, false).await;
    });
    let e = e.unwrap_err();
    assert!(matches!(e, Error::Lost { .. }) && e.is_unreachable(), "{e}");
    let e = failure(&options(&board, "pi", vec![password("secret")])).await;
    assert!(matches!(e, Error::Unreachable { .. }), "{e}");
}

#[tokio::test]
async fn files_that_only_root_may_read() {
    let (board, _dir) = module("pi").await;
    let with = async |methods| {
        Client::connect(&options(&board, "pi", methods))
            .await
            .unwrap()
    };
    let key = || Method::Key {
        text: text(&key(1)),
        passphrase: None,
    };
    let (by_key, by_password) = (
        with(vec![key()]).await,
        with(vec![key(), password("secret")]).await,
    );
    let wrong = with(vec![key(), password("hunter2")]).await;
    let made = "echo mine > 'it is'; umask 077; echo hidden | sudo tee /etc/hidden > /dev/null; sudo chmod 600 /etc/hidden; \
                sudo mkdir -m 700 /etc/deep; echo deep | sudo tee /etc/deep/f > /dev/null";
    assert_eq!(run(&by_key, made).await, (Status::Exit(0), String::new()));
    let read = async |client: &Client, path: &str| {
        let bytes = client.read_file(path, 1000, MINUTE).await?;
        Ok::<_, Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    assert_eq!(read(&by_key, "it is").await.unwrap(), "mine\n");
    assert_eq!(read(&by_key, "/etc/hidden").await.unwrap(), "hidden\n");
    assert_eq!(read(&by_key, "/etc/deep/f").await.unwrap(), "deep\n");
    for none in ["/etc/none", "/etc/deep/none", "/etc/$(reboot)", "-n"] {
        let e = read(&by_key, none).await.unwrap_err();
        assert!(
            matches!(&e, Error::NoFile { path, .. } if path == none),
            "{e}"
        );
    }
    let e = read(&by_key, "/etc").await.unwrap_err();
    assert!(
        matches!(&e, Error::Failed { why, .. } if why.contains("directory")),
        "{e}"
    );
    let e = by_key
        .read_file("/etc/hidden", 3, MINUTE)
        .await
        .unwrap_err();
    assert!(matches!(e, Error::TooLong { limit: 3, .. }), "{e}");
    // sudo asks for a password now
    assert_eq!(
        run(&by_key, "sudo rm /etc/sudoers.d/90-pi").await.0,
        Status::Exit(0)
    );
    assert_eq!(read(&by_password, "/etc/hidden").await.unwrap(), "hidden\n");
    for client in [&by_key, &wrong] {
        let e = read(client, "/etc/hidden").await.unwrap_err();
        let said = format!("{e} {e:?}");
        assert!(
            matches!(e, Error::Denied { .. })
                && said.contains("password")
                && !said.contains("hunter2"),
            "{said}"
        );
        assert!(e.hint().unwrap().contains("root"));
    }
}

#[tokio::test]
async fn what_is_no_ssh_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let login = Login {
        user: "pi".into(),
        methods: vec![password("secret")],
    };
    let mut options = Options::new(
        Address::new("127.0.0.1", at.port()).unwrap(),
        Trust::Insecure,
        login,
    );
    options.connect_timeout = SECOND;
    // it takes connections and says nothing
    let (silent, _held) = tokio::join!(failure(&options), listener.accept());
    assert!(
        matches!(silent, Error::Timeout { .. }) && silent.is_unreachable(),
        "{silent}"
    );
    options.connect_timeout = MINUTE;
    let all = [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b"",
        &[0xff; 70_000],
        b"SSH-2.0-x\r\n\xff\xff\xff\xff",
    ];
    for said in all {
        let (e, ()) = tokio::join!(failure(&options), async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // a client that has enough of it closes
            let _ = stream.write_all(said).await;
            let _ = stream.shutdown().await;
        });
        assert!(
            matches!(e, Error::Protocol { .. } | Error::Lost { .. }),
            "{e}"
        );
    }
}

/// A server that asks for the password in a question of its own, as many do that let PAM decide.
struct Asks;

impl server::Handler for Asks {
    type Error = russh::Error;

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<server::Response<'a>>,
    ) -> Result<server::Auth, Self::Error> {
        let answers: Option<Vec<_>> = response.map(Iterator::collect);
        Ok(match answers.as_deref() {
            // what is shown while it is typed is no password
            Some([shown, hidden]) if shown.is_empty() && &hidden[..] == b"secret" => {
                server::Auth::Accept
            }
            Some(_) => server::Auth::reject(),
            None => server::Auth::Partial {
                name: "".into(),
                instructions: "".into(),
                prompts: vec![("Colour: ".into(), true), ("Password: ".into(), false)].into(),
            },
        })
    }
}

#[tokio::test]
async fn a_password_as_an_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let config = std::sync::Arc::new(server::Config {
        keys: vec![key(3)],
        methods: (&[MethodKind::KeyboardInteractive][..]).into(),
        auth_rejection_time: Duration::ZERO,
        ..server::Config::default()
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let running = server::run_stream(config.clone(), stream, Asks).await;
            tokio::spawn(async move { running.unwrap().await });
        }
    });
    let with = async |text: &str| {
        let login = Login {
            user: "pi".into(),
            methods: vec![password(text)],
        };
        let address = Address::new("127.0.0.1", at.port()).unwrap();
        let pin = key(3).public_key().to_openssh().unwrap().parse().unwrap();
        Client::connect(&Options::new(address, Trust::Pinned(vec![pin]), login)).await
    };
    with("secret").await.unwrap();
    let e = with("hunter2").await.unwrap_err();
    assert!(
        matches!(&e, Error::Refused { tried, .. } if tried == "the password"),
        "{e}"
    );
}
