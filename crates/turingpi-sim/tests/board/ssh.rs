// SPDX-License-Identifier: Apache-2.0
//! Modules as SSH hosts: from power to the end of it, on the board's clock.

use std::sync::{Arc, Mutex};

use russh::ChannelMsg;
use russh::client::{self, Handle};
use russh::keys::PublicKeyOrCertificate;
use turingpi_bmc::Slot;
use turingpi_bmc::flash::{Flash, Source, never};
use turingpi_sim::{Board, Options as Simulated, Profile, Ssh};

use super::{board, client as bmc, until};

/// A client that remembers the host's key.
struct Client(Arc<Mutex<String>>);

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            return Ok(false);
        };
        *self.0.lock().unwrap() = key.to_openssh().unwrap_or_default();
        Ok(true)
    }
}

/// A login with a password: none when it is refused.
async fn login(
    board: &Board,
    slot: u8,
    user: &str,
    password: &str,
) -> Result<Option<(Handle<Client>, String)>, russh::Error> {
    let key = Arc::new(Mutex::new(String::new()));
    let at = board.ssh_address(slot).unwrap();
    let mut session = client::connect(Arc::default(), at, Client(key.clone())).await?;
    let right = session
        .authenticate_password(user, password)
        .await?
        .success();
    let key = key.lock().unwrap().clone();
    Ok(right.then_some((session, key)))
}

/// Runs a command; its exit code and what it wrote.
async fn run(session: &Handle<Client>, command: &str) -> (Option<u32>, String) {
    let mut channel = session.channel_open_session().await.unwrap();
    channel.exec(true, command).await.unwrap();
    channel.eof().await.unwrap();
    let (mut code, mut text) = (None, Vec::new());
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => {
                text.extend_from_slice(&data)
            }
            ChannelMsg::ExitStatus { exit_status } => code = Some(exit_status),
            _ => {}
        }
    }
    (code, String::from_utf8_lossy(&text).into_owned())
}

/// Whether a module refuses connections.
async fn refuses(board: &Board, slot: u8) -> bool {
    let at = board.ssh_address(slot).unwrap();
    let connected = tokio::net::TcpStream::connect(at).await;
    connected.is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused)
}

fn write(board: &Board, slot: u8, image: &str) {
    std::fs::write(board.emmc(slot), image).unwrap();
}

async fn up(board: &Board, slot: u8) {
    until(async || !refuses(board, slot).await).await;
}

#[tokio::test]
async fn a_module_answers_when_it_has_booted_an_image() {
    let (board, _dir) = board(Profile::V2_3_7, |o| {
        o.modules = ["rk1", "cm4", "jetson", "empty"].map(|k| k.parse().unwrap());
        o.faults = vec!["never-boots=2".parse().unwrap()];
    })
    .await;
    assert_eq!(board.ssh_address(4), None);
    assert_eq!(board.ssh_address(0), None);
    for slot in 1..=3 {
        assert!(refuses(&board, slot).await, "{slot} is off");
        board.set_power(slot, true);
    }
    // slot 1 has nothing to boot, slot 2 never does, slot 3 is a Talos without a shell
    board.set_power(3, false);
    write(&board, 3, "os: Talos v1.9\n");
    write(&board, 2, "os: Testix 1.0\n");
    board.set_power(2, false);
    board.set_power(2, true);
    board.set_power(3, true);
    let client = bmc(&board);
    let said = async |slot: usize, text: &str| {
        let uart = client
            .uart(Slot::ALL[slot - 1], "utf8".parse().unwrap())
            .await
            .unwrap();
        uart.contains(text)
    };
    until(async || {
        said(1, "No bootable device").await
            && said(2, "Kernel panic").await
            && said(3, "login: ").await
    })
    .await;
    for slot in 1..=3 {
        assert!(refuses(&board, slot).await, "{slot} has no shell");
    }
    board.set_power(1, false);
    write(&board, 1, "os: Testix 1.0\nuser: pi\npassword: p\n");
    board.set_power(1, true);
    up(&board, 1).await;
    assert!(login(&board, 1, "pi", "wrong").await.unwrap().is_none());
    assert!(login(&board, 1, "root", "1234").await.unwrap().is_none());
    let (session, _) = login(&board, 1, "pi", "p").await.unwrap().unwrap();
    assert_eq!(
        run(&session, "whoami; exit 3").await,
        (Some(3), "pi\n".into())
    );
}

#[tokio::test]
async fn what_lasts_and_what_does_not() {
    let (board, dir) = board(Profile::V2_3_7, |_| {}).await;
    let image = super::image(dir.path(), "image.raw", 5000);
    write(
        &board,
        1,
        &String::from_utf8_lossy(&std::fs::read(&image).unwrap()),
    );
    board.set_power(1, true);
    up(&board, 1).await;
    let (session, key) = login(&board, 1, "root", "1234").await.unwrap().unwrap();
    let made = "mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt && echo n > /mnt/n; echo e > /root/e; echo t > /tmp/t";
    assert_eq!(run(&session, made).await, (Some(0), String::new()));
    // a reboot from inside ends sessions, and the module comes up by itself
    run(&session, "reboot").await;
    until(async || session.is_closed()).await;
    up(&board, 1).await;
    let (session, again) = login(&board, 1, "root", "1234").await.unwrap().unwrap();
    assert_eq!(again, key);
    let (_, seen) = run(
        &session,
        "cat /root/e; ls /tmp; mount /dev/nvme0n1 /mnt; cat /mnt/n",
    )
    .await;
    assert_eq!(seen, "e\nn\n");
    // the plug ends a command in its middle
    let mut channel = session.channel_open_session().await.unwrap();
    channel
        .exec(true, "echo here; sleep 1000000")
        .await
        .unwrap();
    until(async || matches!(channel.wait().await, Some(ChannelMsg::Data { .. }))).await;
    board.set_power(1, false);
    until(async || session.is_closed()).await;
    assert!(refuses(&board, 1).await);
    board.set_power(1, true);
    up(&board, 1).await;
    // a flash takes the eMMC's files and the host key, and leaves the NVMe disk's
    let flash = Flash::new(Slot::ALL[0], Source::File(image));
    let (_switch, mut cancel) = never();
    bmc(&board)
        .flash(&flash, |_| {}, &mut cancel)
        .await
        .unwrap();
    assert!(refuses(&board, 1).await);
    board.set_power(1, true);
    up(&board, 1).await;
    let (session, new) = login(&board, 1, "root", "1234").await.unwrap().unwrap();
    assert_ne!(new, key);
    let (_, seen) = run(&session, "ls /root; mount /dev/nvme0n1 /mnt; cat /mnt/n").await;
    assert_eq!(seen, "n\n");
    // a halt leaves the slot with power and the module down
    run(&session, "echo new > /root/new; poweroff").await;
    until(async || refuses(&board, 1).await).await;
    assert!(board.has_power(1));
    // and all of it is there when the simulator is started again in the same directory
    board.stop().await;
    let mut options = Simulated::new(dir.path().to_owned());
    options.speed = 100.0;
    let board = Board::start(options).await.unwrap();
    board.set_power(1, true);
    up(&board, 1).await;
    let (session, kept) = login(&board, 1, "root", "1234").await.unwrap().unwrap();
    assert_eq!(kept, new);
    assert_eq!(
        run(
            &session,
            "cat /root/new; mount /dev/nvme0n1 /mnt; cat /mnt/n"
        )
        .await
        .1,
        "new\nn\n"
    );
}

#[tokio::test]
async fn an_agent_joins_the_server_of_another_module() {
    let (board, _dir) = board(Profile::V2_3_7, |_| {}).await;
    let install = "curl -sfL https://get.k3s.io | ";
    let mut sessions = Vec::new();
    for slot in 1..=2 {
        write(&board, slot, "os: Testix 1.0\n");
        board.set_power(slot, true);
        up(&board, slot).await;
        sessions.push(
            login(&board, slot, "root", "1234")
                .await
                .unwrap()
                .unwrap()
                .0,
        );
    }
    let agent = |token: &str| {
        format!(
            "{install} K3S_URL=https://10.10.88.73:6443 K3S_TOKEN={token} sh - >/dev/null 2>&1; systemctl is-active k3s-agent"
        )
    };
    assert_eq!(run(&sessions[1], &agent("t")).await.1, "failed\n");
    assert_eq!(
        run(
            &sessions[0],
            &format!("{install} K3S_TOKEN=t sh - > /dev/null 2>&1; systemctl is-active k3s")
        )
        .await
        .1,
        "active\n"
    );
    assert_eq!(run(&sessions[1], &agent("other")).await.1, "failed\n");
    assert_eq!(run(&sessions[1], &agent("t")).await.1, "active\n");
    let nodes = "kubectl get nodes --no-headers | tr -s ' ' | cut -d' ' -f1,2";
    let ready = "until [ $(kubectl get nodes | grep -cw Ready) = 2 ]; do sleep 1; done; ";
    assert_eq!(
        run(&sessions[0], &format!("{ready}{nodes}")).await.1,
        "rk1-1 Ready\nrk1-2 Ready\n"
    );
    board.set_power(2, false);
    assert_eq!(
        run(&sessions[0], nodes).await.1,
        "rk1-1 Ready\nrk1-2 NotReady\n"
    );
}

#[tokio::test]
async fn floods_and_silence_end_nothing_but_themselves() {
    let (board, _dir) = board(Profile::V2_3_7, |o| o.ssh = Ssh::Own).await;
    write(&board, 1, "os: Testix 1.0\n");
    board.set_power(1, true);
    up(&board, 1).await;
    use tokio::io::AsyncWriteExt as _;
    // what is no SSH, and who says nothing
    let at = board.ssh_address(1).unwrap();
    let mut garbage = tokio::net::TcpStream::connect(at).await.unwrap();
    garbage
        .write_all(&[0xff; 100_000])
        .await
        .unwrap_or_default();
    let _silent = tokio::net::TcpStream::connect(at).await.unwrap();
    let (session, _) = login(&board, 1, "root", "1234").await.unwrap().unwrap();
    // a client that sends and never reads what it asked for, beside one that works
    let flooded = session.channel_open_session().await.unwrap();
    flooded.exec(true, "sleep 100000000").await.unwrap();
    let killed = run(&session, "while :; do :; done").await;
    assert_eq!(killed.0, Some(137));
    assert!(killed.1.contains("Killed"), "{}", killed.1);
    assert_eq!(
        run(&session, "echo works").await,
        (Some(0), "works\n".into())
    );
    drop(flooded);
}
