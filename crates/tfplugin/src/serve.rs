// SPDX-License-Identifier: Apache-2.0
//! A provider as a process: handshake, socket, TLS, and the end.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::handshake::{HandshakeError, Request};
use crate::provider::Provider;
use crate::server::Host;

/// How long calls under way may take after the host has said that it is done.
const DRAIN: Duration = Duration::from_secs(2);
/// How often it is looked whether the host still lives.
const PARENT_CHECK: Duration = Duration::from_secs(2);

/// Why a provider does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no host that could be served.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The host's certificate cannot be read.
    #[error("PLUGIN_CLIENT_CERT holds no certificate in PEM")]
    ClientCertificate,
    /// No certificate could be made.
    #[error("cannot make a certificate")]
    Certificate(#[source] rcgen::Error),
    /// TLS does not take the certificate.
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    /// There is no socket.
    #[error("cannot listen on {path}")]
    Socket {
        /// Where it should be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The runtime does not start, or the host does not read.
    #[error("cannot start")]
    Start(#[source] std::io::Error),
}

/// Serves a provider to the host that started the process, until the host is done. `name` is that of the provider: `turingpi`.
///
/// All runs on the calling thread: nothing may block it.
///
/// # Errors
/// When the process was started by hand, or there is no socket or certificate to be had.
pub fn serve(name: &'static str, provider: impl Provider) -> Result<(), ServeError> {
    let request = Request::read(|variable| std::env::var(variable).ok())?;
    crate::log::start(name);
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServeError::Start)?
        .block_on(run(&request, Arc::new(Host::new(provider))))
}

async fn run(request: &Request, host: Arc<Host>) -> Result<(), ServeError> {
    // Ctrl-C reaches the whole process group; the host tells by a call what it makes of it
    let mut interrupts = signal(SignalKind::interrupt()).map_err(ServeError::Start)?;
    let mut terminations = signal(SignalKind::terminate()).map_err(ServeError::Start)?;
    let parent = request
        .socket_dir
        .clone()
        .unwrap_or_else(std::env::temp_dir);
    let socket_error = |path: &std::path::Path| {
        let path = path.to_owned();
        move |source| ServeError::Socket { path, source }
    };
    let dir = tempfile::Builder::new()
        .prefix("tfplugin")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in(&parent)
        .map_err(socket_error(&parent))?;
    let path = dir.path().join("socket");
    let listener = UnixListener::bind(&path).map_err(socket_error(&path))?;
    let tls = request
        .client_certificate
        .as_deref()
        .map(crate::tls::server)
        .transpose()?;
    let line = request.line(&path, tls.as_ref().map(|(der, _)| &der[..]));
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(line.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(ServeError::Start)?;
    drop(stdout);
    let acceptor = tls.map(|(_, config)| tokio_rustls::TlsAcceptor::from(config));
    let started_by = rustix::process::getppid();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let (host, acceptor) = (host.clone(), acceptor.clone());
                connections.spawn(async move {
                    match acceptor {
                        None => connection(stream, host).await,
                        Some(acceptor) => match acceptor.accept(stream).await {
                            Ok(stream) => connection(stream, host).await,
                            Err(e) => log::warn!("a connection was refused: {e}"),
                        },
                    }
                });
            }
            Some(_) = connections.join_next() => {}
            _ = interrupts.recv() => log::debug!("interrupted; waiting for the host's word"),
            _ = terminations.recv() => break,
            () = host.stopped() => break,
            () = tokio::time::sleep(PARENT_CHECK) => {
                if rustix::process::getppid() != started_by {
                    log::warn!("the host is gone");
                    break;
                }
            }
        }
    }
    host.cancel();
    let drained = async { while connections.join_next().await.is_some() {} };
    // the host closes its connection when it is done; one that does not is not waited for
    let _ = tokio::time::timeout(DRAIN, drained).await;
    Ok(())
}

/// Serves one connection until the peer closes it or the host is done.
pub(crate) async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: Arc<Host>,
) {
    let service = {
        let host = host.clone();
        hyper::service::service_fn(move |request| {
            let host = host.clone();
            async move { Ok::<_, std::convert::Infallible>(crate::server::answer(host, request).await) }
        })
    };
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        result = &mut connection => {
            if let Err(e) = result {
                log::debug!("a connection ended: {e}");
            }
            return;
        }
        () = host.stopped() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}
