// SPDX-License-Identifier: Apache-2.0
//! A module behind a real `sshd`: one process of Debian's openssh-server for each connection, as inetd would start it, with the module's
//! host key and its user's keys. The forced command is a relay that carries the session back here over a socket of the file system.
//!
//! `sshd` lets accounts of this machine in, so whoever runs the simulator logs in, by key. Passwords are the other server's.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::Command;
use tokio::sync::mpsc;
use turingpi_host::{Ask, Stream};

use super::session::{self, Output, Request};
use super::{Inside, host_key};

/// What the subsystem for file transfer is called between `sshd` and the relay.
const SFTP: &str = "k1s-sftp";
/// The largest frame in bytes.
const FRAME: u32 = 1 << 20;
/// The longest first line of a relay, in bytes: a command and what is around it.
const HEAD: u64 = 2 << 20;

/// Why no `sshd` can be used.
pub(crate) fn check() -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let sshd = places
        .map(|d| d.join("sshd"))
        .find(|p| p.is_file() && p.is_absolute());
    let Some(sshd) = sshd else {
        return Err(
            "no sshd on this machine; it comes with Debian's package openssh-server".into(),
        );
    };
    if account().is_some_and(|a| a.uid == 0) {
        // what its package makes; without them it stops before a word
        let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        if !passwd.lines().any(|l| l.starts_with("sshd:")) {
            return Err("sshd run by root needs a user named sshd: useradd --system --home-dir /run/sshd --shell /usr/sbin/nologin sshd".into());
        }
        if let Err(e) = std::fs::create_dir_all("/run/sshd") {
            return Err(format!(
                "sshd run by root needs the directory /run/sshd: {e}"
            ));
        }
    }
    if account().is_none() {
        return Err("who runs this is not in /etc/passwd, so sshd lets nobody in".into());
    }
    Ok(sshd)
}

/// An account of this machine.
struct Account {
    name: String,
    uid: u32,
}

/// Who runs this.
fn account() -> Option<Account> {
    use std::os::unix::fs::MetadataExt as _;
    let uid = std::fs::metadata("/proc/self").ok()?.uid();
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })?;
    Some(Account { name, uid })
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

fn settings(dir: &Path, account: &str, relay: &[String]) -> String {
    let dir = dir.display();
    let mut command: Vec<String> = relay.iter().map(|w| quoted(w)).collect();
    command.push(quoted(&format!("{dir}/socket")));
    format!(
        "HostKey {dir}/host_key\nAuthorizedKeysFile {dir}/authorized_keys\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nAllowUsers {account}\nForceCommand exec {}\nSubsystem sftp {SFTP}\n\
         PidFile none\nPrintMotd no\nPrintLastLog no\nPermitUserRC no\nDisableForwarding yes\nUseDNS no\nLogLevel VERBOSE\n",
        command.join(" ")
    )
}

/// Takes connections for as long as the module is up.
pub(super) async fn serve(inside: Arc<Inside>, listener: TcpListener, relay: Vec<String>) {
    let prepared = prepare(&inside, &relay);
    let (sshd, account, dir, socket) = match prepared {
        Ok(prepared) => prepared,
        Err(e) => return log::warn!("slot {}: {e}", inside.slot + 1),
    };
    inside.spawn(relays(inside.clone(), socket));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        if !inside.machine().is_active("ssh") {
            continue;
        }
        // keys may have changed since the last one
        let keys = {
            let machine = inside.machine();
            machine
                .authorized_keys(&user(&machine, &account))
                .join("\n")
                + "\n"
        };
        if let Err(e) = std::fs::write(dir.path().join("authorized_keys"), keys) {
            log::warn!("{}: {e}", dir.path().display());
        }
        if let Err(e) = connection(&inside, &sshd, dir.path(), stream) {
            log::debug!("{peer}: {e}");
        }
    }
}

type Prepared = (PathBuf, String, tempfile::TempDir, UnixListener);

fn prepare(inside: &Inside, relay: &[String]) -> Result<Prepared, String> {
    let sshd = check()?;
    let account = account().ok_or("who runs this is not in /etc/passwd")?.name;
    let text = |e: io::Error| e.to_string();
    // for its owner alone, as all temporary directories of this kind
    let dir = tempfile::tempdir().map_err(text)?;
    let key = inside
        .machine()
        .file(host_key::PATH)
        .map(<[u8]>::to_vec)
        .ok_or("it has no host key")?;
    private_file::write(&dir.path().join("host_key"), &key).map_err(|e| e.to_string())?;
    std::fs::write(
        dir.path().join("sshd_config"),
        settings(dir.path(), &account, relay),
    )
    .map_err(text)?;
    let socket = UnixListener::bind(dir.path().join("socket")).map_err(text)?;
    Ok((sshd, account, dir, socket))
}

/// Who a login as an account of this machine is in the module.
fn user(machine: &turingpi_host::Machine, account: &str) -> String {
    machine
        .user(account)
        .map_or_else(|| machine.image.user.clone(), |u| u.name)
}

fn connection(inside: &Arc<Inside>, sshd: &Path, dir: &Path, stream: TcpStream) -> io::Result<()> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    let cut = stream.try_clone()?;
    let input = OwnedFd::from(stream.try_clone()?);
    let output = OwnedFd::from(stream);
    let mut child = Command::new(sshd)
        .arg("-i")
        .arg("-f")
        .arg(dir.join("sshd_config"))
        .arg("-E")
        .arg(dir.join("log"))
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(output))
        .stderr(Stdio::null())
        .spawn()?;
    let inside = inside.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = child.wait() => {}
            () = inside.until_end() => {
                // without its connection sshd ends with all that it started
                let _ = cut.shutdown(std::net::Shutdown::Both);
                let _ = child.wait().await;
            }
        }
    });
    Ok(())
}

/// What a relay says first.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    user: String,
    command: Option<String>,
    terminal: bool,
}

async fn relays(inside: Arc<Inside>, socket: UnixListener) {
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            return;
        };
        let session = relayed(inside.clone(), stream);
        inside.spawn(async move {
            if let Err(e) = session.await {
                log::debug!("a relay: {e}");
            }
        });
    }
}

/// A relay to write to.
struct Writes<'a>(&'a mut OwnedWriteHalf);

impl session::Sink for Writes<'_> {
    async fn write(&mut self, Output { stream, bytes }: Output) -> bool {
        let kind = if stream == Stream::Output { 1 } else { 2 };
        put(self.0, kind, &bytes).await.is_ok()
    }
}

async fn relayed(inside: Arc<Inside>, stream: UnixStream) -> io::Result<()> {
    let (reads, mut writes) = stream.into_split();
    let mut reads = BufReader::new(reads);
    let mut line = Vec::new();
    (&mut reads).take(HEAD).read_until(b'\n', &mut line).await?;
    let head: Head = serde_json::from_slice(&line)?;
    let request = match head.command {
        Some(command) if command == SFTP => Request::Sftp,
        Some(command) => Request::Run(Ask::Command(command), head.terminal),
        None => Request::Run(
            Ask::Shell {
                terminal: head.terminal,
            },
            head.terminal,
        ),
    };
    let user = user(&inside.machine(), &head.user);
    let (typed, input) = mpsc::channel(16);
    let reading = async move {
        let mut typed = Some(typed);
        while let Ok((_, bytes)) = frame(&mut reads).await {
            if bytes.is_empty() {
                typed = None;
            } else if let Some(sender) = &typed {
                // a session that has ended reads no more
                let _ = sender.send(bytes).await;
            }
        }
    };
    let code = tokio::select! {
        code = session::carry(inside, user, request, input, Writes(&mut writes)) => code,
        () = reading => return Ok(()),
    };
    put(&mut writes, 3, &code.to_be_bytes()).await?;
    writes.shutdown().await
}

/// A kind and its bytes.
async fn frame(reads: &mut (impl AsyncRead + Unpin)) -> io::Result<(u8, Vec<u8>)> {
    let kind = reads.read_u8().await?;
    let length = reads.read_u32().await?;
    if length > FRAME {
        return Err(io::Error::other(format!("a frame of {length} bytes")));
    }
    let mut bytes = vec![0; length as usize];
    reads.read_exact(&mut bytes).await?;
    Ok((kind, bytes))
}

async fn put(writes: &mut (impl AsyncWrite + Unpin), kind: u8, bytes: &[u8]) -> io::Result<()> {
    // nothing is a frame of its own: the end of the input
    let pieces = bytes
        .chunks(FRAME as usize)
        .chain(bytes.is_empty().then_some(&[][..]));
    for piece in pieces {
        writes.write_u8(kind).await?;
        writes
            .write_u32(u32::try_from(piece.len()).map_err(io::Error::other)?)
            .await?;
        writes.write_all(piece).await?;
    }
    writes.flush().await
}

/// A session that `sshd` hands to its forced command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// Who logged in: `USER`.
    pub user: String,
    /// What the client asked for: `SSH_ORIGINAL_COMMAND`; a shell when there is none.
    pub command: Option<String>,
    /// Whether `sshd` gave it a terminal.
    pub terminal: bool,
}

/// Why a session could not be carried to its module.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Nobody is at the socket.
    #[error("no simulated module at {0}")]
    Connect(PathBuf, #[source] io::Error),
    /// The module lost its power, or its simulator ended.
    #[error("the module is gone")]
    Gone(#[source] io::Error),
}

/// Carries a session of `sshd` to the module behind a socket, and gives the session's exit code.
///
/// # Errors
/// When nobody is there, or the module goes down before the session ends.
pub async fn relay(
    socket: &Path,
    relay: &Relay,
    mut stdin: impl AsyncRead + Unpin,
    mut stdout: impl AsyncWrite + Unpin,
    mut stderr: impl AsyncWrite + Unpin,
) -> Result<u8, RelayError> {
    let stream = UnixStream::connect(socket)
        .await
        .map_err(|e| RelayError::Connect(socket.to_owned(), e))?;
    let (mut reads, mut writes) = stream.into_split();
    let head = Head {
        user: relay.user.clone(),
        command: relay.command.clone(),
        terminal: relay.terminal,
    };
    let mut line = serde_json::to_vec(&head).map_err(|e| RelayError::Gone(e.into()))?;
    line.push(b'\n');
    writes.write_all(&line).await.map_err(RelayError::Gone)?;
    let sending = async {
        let mut bytes = vec![0; 32 << 10];
        loop {
            let read = stdin.read(&mut bytes).await.unwrap_or(0);
            if put(&mut writes, 0, &bytes[..read]).await.is_err() || read == 0 {
                // the output goes on
                return std::future::pending::<()>().await;
            }
        }
    };
    let receiving = async {
        loop {
            match frame(&mut reads).await? {
                (3, code) => return Ok(code.last().copied().unwrap_or(0)),
                (2, bytes) => {
                    stderr.write_all(&bytes).await?;
                    stderr.flush().await?;
                }
                (_, bytes) => {
                    stdout.write_all(&bytes).await?;
                    stdout.flush().await?;
                }
            }
        }
    };
    tokio::select! {
        code = receiving => code.map_err(RelayError::Gone),
        () = sending => Ok(0),
    }
}
