// SPDX-License-Identifier: Apache-2.0
//! A module's SSH server: passwords and keys of its users, commands, shells and file transfer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey, decode_secret_key};
use russh::server::{Auth, Config, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{
    Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, MethodKind, MethodSet, Pty,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use turingpi_host::{Ask, Stream};

use super::session::{self, Output, Request};
use super::{Inside, host_key};

/// Channels that one connection may have open.
const CHANNELS: usize = 10;
/// How many connections may be open at a time.
const CONNECTIONS: usize = 64;

/// Takes connections for as long as the module is up.
pub(super) async fn serve(inside: Arc<Inside>, listener: TcpListener) {
    let key = inside
        .machine()
        .file(host_key::PATH)
        .map(|k| String::from_utf8_lossy(k).into_owned());
    let key = match key.as_deref().map(|k| decode_secret_key(k, None)) {
        Some(Ok(key)) => key,
        Some(Err(e)) => {
            return log::warn!(
                "the host key of slot {} cannot be read: {e}",
                inside.slot + 1
            );
        }
        None => return log::warn!("slot {} has no host key", inside.slot + 1),
    };
    let config = Arc::new(config(key));
    let open = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
    loop {
        let Ok((stream, peer)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (Ok(permit), true) = (
            open.clone().try_acquire_owned(),
            inside.machine().is_active("ssh"),
        ) else {
            continue;
        };
        let (config, guest) = (
            config.clone(),
            Guest {
                inside: inside.clone(),
                user: None,
                channels: HashMap::new(),
            },
        );
        // not as a part of the module's life: the end of it is said to the socket
        tokio::spawn(async move {
            if let Err(e) = connection(config, guest, stream).await {
                log::debug!("{peer}: {e}");
            }
            drop(permit);
        });
    }
}

fn config(key: PrivateKey) -> Config {
    Config {
        keys: vec![key],
        methods: MethodSet::from(&[MethodKind::PublicKey, MethodKind::Password][..]),
        // no real host is guarded here: a wrong password need not cost a second
        auth_rejection_time: Duration::from_millis(20),
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: 6,
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    }
}

async fn connection(
    config: Arc<Config>,
    guest: Guest,
    stream: TcpStream,
) -> Result<(), russh::Error> {
    stream.set_nodelay(true)?;
    // a second hold on the socket, to cut it
    let stream = stream.into_std()?;
    let cut = stream.try_clone()?;
    let stream = TcpStream::from_std(stream)?;
    let inside = guest.inside.clone();
    let serving = async {
        russh::server::run_stream(config, stream, guest)
            .await?
            .await
    };
    tokio::select! {
        result = serving => result,
        () = inside.until_end() => {
            // the other side may have closed it
            let _ = cut.shutdown(std::net::Shutdown::Both);
            Ok(())
        }
    }
}

/// A channel that has not been asked for anything yet.
struct Waiting {
    channel: Channel<Msg>,
    terminal: bool,
}

struct Guest {
    inside: Arc<Inside>,
    user: Option<String>,
    channels: HashMap<ChannelId, Waiting>,
}

impl Guest {
    /// Whether a user's `authorized_keys` has a key.
    fn knows(&self, user: &str, key: &PublicKey) -> bool {
        let lines = self.inside.machine().authorized_keys(user);
        lines.iter().any(|line| {
            // options may stand before the key
            let from = line
                .find("ssh-")
                .or_else(|| line.find("ecdsa-"))
                .unwrap_or(0);
            PublicKey::from_openssh(&line[from..])
                .is_ok_and(|known| known.key_data() == key.key_data())
        })
    }

    fn begin(
        &mut self,
        id: ChannelId,
        session: &mut Session,
        ask: impl FnOnce(bool) -> Request,
    ) -> Result<(), russh::Error> {
        let (Some(waiting), Some(user)) = (self.channels.remove(&id), self.user.clone()) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let inside = self.inside.clone();
        let request = ask(waiting.terminal);
        self.inside
            .spawn(talk(inside, user, request, waiting.channel));
        Ok(())
    }
}

/// A channel to write to.
struct Writes<'a>(&'a ChannelWriteHalf<Msg>);

impl session::Sink for Writes<'_> {
    async fn write(&mut self, Output { stream, bytes }: Output) -> bool {
        match stream {
            Stream::Output => self.0.data_bytes(bytes).await.is_ok(),
            Stream::Error => self.0.extended_data_bytes(1, bytes).await.is_ok(),
        }
    }
}

/// Carries bytes between a channel and a session.
async fn talk(inside: Arc<Inside>, user: String, request: Request, channel: Channel<Msg>) {
    let (reads, writes) = channel.split();
    let (typed, input) = mpsc::channel(16);
    let sink = Writes(&writes);
    let code = tokio::select! {
        code = session::carry(inside, user, request, input, sink) => code,
        // the client closed the channel
        () = read(reads, typed) => return,
    };
    // a client that is gone is told nothing
    let _ = writes.exit_status(code).await;
    let _ = writes.eof().await;
    let _ = writes.close().await;
}

/// Passes on what the client sends; ends when the channel does.
async fn read(mut reads: ChannelReadHalf, typed: mpsc::Sender<Vec<u8>>) {
    let mut typed = Some(typed);
    while let Some(message) = reads.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(sender) = &typed {
                    // a session that has ended reads no more
                    let _ = sender.send(data.to_vec()).await;
                }
            }
            ChannelMsg::Eof => typed = None,
            ChannelMsg::Close => return,
            _ => {}
        }
    }
}

impl Handler for Guest {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        if !self.inside.machine().password_is(user, password) {
            return Ok(Auth::reject());
        }
        self.user = Some(user.to_owned());
        Ok(Auth::Accept)
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(if self.knows(user, offer.public_key) {
            Auth::Accept
        } else {
            Auth::reject()
        })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        if !self.knows(user, key.public_key) {
            return Ok(Auth::reject());
        }
        self.user = Some(user.to_owned());
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: russh::server::ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.channels.len() < CHANNELS {
            let terminal = false;
            self.channels
                .insert(channel.id(), Waiting { channel, terminal });
            reply.accept().await;
        }
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        match self.channels.get_mut(&channel) {
            Some(waiting) => {
                waiting.terminal = true;
                session.channel_success(channel)
            }
            None => session.channel_failure(channel),
        }
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        // as a server whose AcceptEnv is empty
        session.channel_failure(channel)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.begin(channel, session, |terminal| {
            Request::Run(Ask::Shell { terminal }, terminal)
        })
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(data).into_owned();
        self.begin(channel, session, |terminal| {
            Request::Run(Ask::Command(command), terminal)
        })
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "sftp" {
            return self.begin(channel, session, |_| Request::Sftp);
        }
        session.channel_failure(channel)
    }
}
