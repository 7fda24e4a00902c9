// SPDX-License-Identifier: Apache-2.0
//! The listener as clients see it, well-behaved and other.

#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper_util::rt::{TokioExecutor, TokioIo};
use k1s_api::Identity;
use k1s_server::RequestBody;
use k1s_server::limits::Limits;
use k1s_server::listener::{Error, Listener};
use k1s_server::pki::{KeyedCertificate, Pki};
use k1s_server::stop::{self, Switch};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// `/who` tells the client's certificate, `/echo` the body, `/watch` never ends, `/slow` answers when it is told to.
#[derive(Clone)]
struct Probe {
    slow: Arc<Notify>,
}

impl tower::Service<Request<RequestBody>> for Probe {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let slow = self.slow.clone();
        Box::pin(async move {
            let client = request.extensions().get::<Identity>().cloned();
            let text = |text: String| Response::new(Full::from(text).boxed());
            Ok(match request.uri().path() {
                "/who" => {
                    text(client.map_or("nobody".into(), |c| format!("{} {:?}", c.user, c.groups)))
                }
                "/echo" => match request.into_body().collect().await {
                    Ok(body) => Response::new(Full::from(body.to_bytes()).boxed()),
                    Err(e) => text(e.to_string()),
                },
                "/watch" => {
                    let mut first = Some(http_body::Frame::data(Bytes::from_static(b"event\n")));
                    let events = futures_util::stream::poll_fn(move |_| match first.take() {
                        Some(frame) => Poll::Ready(Some(Ok(frame))),
                        None => Poll::Pending,
                    });
                    Response::new(BodyExt::boxed(StreamBody::new(events)))
                }
                _ => {
                    slow.notified().await;
                    text("at last".into())
                }
            })
        })
    }
}

struct Server {
    address: SocketAddr,
    pki: Pki,
    slow: Arc<Notify>,
    switch: Switch,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let now = SystemTime::now();
        let pki = Pki::in_memory(now).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let certificate = pki.server(any.ip(), None, now).unwrap();
        let listener = Listener::bind(any, &certificate, pki.ca_der(), limits)
            .await
            .unwrap();
        let (address, slow) = (listener.address(), Arc::new(Notify::new()));
        assert_eq!(listener.url(), format!("https://{address}"));
        let (switch, stop) = stop::channel();
        let serving = tokio::spawn(listener.serve(Probe { slow: slow.clone() }, stop));
        Self {
            address,
            pki,
            slow,
            switch,
            serving,
        }
    }

    fn admin(&self) -> KeyedCertificate {
        self.pki.admin(SystemTime::now()).unwrap()
    }

    async fn connect(
        &self,
        alpn: &[u8],
        client: Option<KeyedCertificate>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.pki.ca_der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match client {
            Some(c) => builder
                .with_client_auth_cert(vec![c.certificate], c.key)
                .unwrap(),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![alpn.to_vec()];
        let tcp = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), tcp)
            .await
    }

    async fn http1(
        &self,
        client: Option<KeyedCertificate>,
    ) -> hyper::client::conn::http1::SendRequest<Full<Bytes>> {
        let tls = self.connect(b"http/1.1", client).await.unwrap();
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(tls))
            .await
            .unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn http2(
        &self,
        client: Option<KeyedCertificate>,
    ) -> hyper::client::conn::http2::SendRequest<Full<Bytes>> {
        let tls = self.connect(b"h2", client).await.unwrap();
        let builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(TokioIo::new(tls)).await.unwrap();
        tokio::spawn(connection);
        sender
    }
}

fn get(path: &str) -> Request<Full<Bytes>> {
    post(path, "")
}

fn post(path: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::builder()
        .uri(format!("https://localhost{path}"))
        .header("host", "localhost")
        .body(Full::from(body))
        .unwrap()
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    String::from_utf8(
        response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec(),
    )
    .unwrap()
}

#[tokio::test]
async fn both_protocols_tell_who_the_client_is() {
    let server = Server::start(Limits::default()).await;
    let admin = r#"k1s-admin ["system:masters"]"#;
    let mut one = server.http1(Some(server.admin())).await;
    assert_eq!(
        text(one.send_request(get("/who")).await.unwrap()).await,
        admin
    );
    let mut two = server.http2(Some(server.admin())).await;
    assert_eq!(
        text(two.send_request(get("/who")).await.unwrap()).await,
        admin
    );
    let mut one = server.http1(None).await;
    assert_eq!(
        text(one.send_request(get("/who")).await.unwrap()).await,
        "nobody"
    );
    let mut two = server.http2(None).await;
    assert_eq!(
        text(two.send_request(get("/who")).await.unwrap()).await,
        "nobody"
    );
    assert_eq!(
        text(two.send_request(post("/echo", "a body")).await.unwrap()).await,
        "a body"
    );
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let server = Server::start(Limits::default()).await;
    let now = SystemTime::now();
    let stranger = Pki::in_memory(now).unwrap().admin(now).unwrap();
    let mut tls = match server.connect(b"http/1.1", Some(stranger)).await {
        Ok(tls) => tls,
        Err(_) => return,
    };
    // In TLS 1.3 the client learns of it with its first read.
    let _ = tls
        .write_all(b"GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await;
    let error = tls
        .read_to_end(&mut Vec::new())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("UnknownCA") || error.contains("DecryptError") || error.contains("reset"),
        "{error}"
    );
}

#[tokio::test]
async fn plain_http_is_told_so() {
    let server = Server::start(Limits::default()).await;
    let mut tcp = TcpStream::connect(server.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.contains("400") && answer.contains("HTTP request to an HTTPS server"),
        "{answer}"
    );
}

#[tokio::test]
async fn heads_are_bounded() {
    let server = Server::start(Limits {
        head_bytes: 8192,
        ..Limits::default()
    })
    .await;
    let mut request = get("/who");
    request
        .headers_mut()
        .insert("x-long", "x".repeat(9000).parse().unwrap());
    let status = server
        .http1(None)
        .await
        .send_request(request.clone())
        .await
        .unwrap()
        .status();
    assert_eq!(status, 431);
    match server.http2(None).await.send_request(request).await {
        Ok(response) => assert_eq!(response.status(), 431),
        Err(error) => assert!(
            error.is_user() || error.to_string().contains("http2"),
            "{error}"
        ),
    }
}

#[tokio::test]
async fn slow_clients_are_cut_off() {
    let short = Duration::from_millis(50);
    let limits = Limits {
        handshake: short,
        head: short,
        body_pause: short,
        ..Limits::default()
    };
    let server = Server::start(limits).await;

    let mut silent = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0, "no handshake");

    let mut head = server.connect(b"http/1.1", None).await.unwrap();
    head.write_all(b"GET /who HT").await.unwrap();
    let mut answer = Vec::new();
    let _ = head.read_to_end(&mut answer).await;
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 408"),
        "half a head"
    );

    let mut body = server.connect(b"http/1.1", None).await.unwrap();
    body.write_all(b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = body.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.contains("sent nothing for"), "{answer}");
}

#[tokio::test]
async fn stopping_ends_watches_and_finishes_requests() {
    let server = Server::start(Limits::default()).await;
    let mut one = server.http1(None).await;
    let mut two = server.http2(None).await;
    let mut slow = server.http2(None).await;
    let idle = server.http1(None).await;
    let mut watch_one = one.send_request(get("/watch")).await.unwrap().into_body();
    let mut watch_two = two.send_request(get("/watch")).await.unwrap().into_body();
    for watch in [&mut watch_one, &mut watch_two] {
        assert_eq!(
            watch.frame().await.unwrap().unwrap().into_data().unwrap(),
            "event\n"
        );
    }
    let answer = tokio::spawn(slow.send_request(get("/slow")));
    tokio::time::sleep(Duration::from_millis(50)).await; // the request is under way
    server.switch.stop();
    for watch in [&mut watch_one, &mut watch_two] {
        let rest = watch.collect().await.map(|rest| rest.to_bytes());
        assert!(
            rest.as_ref().is_ok_and(Bytes::is_empty),
            "it ends as if all were said: {rest:?}"
        );
    }
    server.slow.notify_one();
    assert_eq!(text(answer.await.unwrap().unwrap()).await, "at last");
    server.serving.await.unwrap();
    drop(idle);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_request_that_does_not_end_is_cut_when_its_grace_is_over() {
    let server = Server::start(Limits {
        grace: Duration::from_millis(50),
        ..Limits::default()
    })
    .await;
    let mut slow = server.http1(None).await;
    let answer = tokio::spawn(slow.send_request(get("/slow")));
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.switch.stop();
    server.serving.await.unwrap();
    assert!(answer.await.unwrap().is_err());
}

#[tokio::test]
async fn one_address_serves_once() {
    let server = Server::start(Limits::default()).await;
    let now = SystemTime::now();
    let certificate = server.pki.server(server.address.ip(), None, now).unwrap();
    let again = Listener::bind(
        server.address,
        &certificate,
        server.pki.ca_der(),
        Limits::default(),
    )
    .await;
    let Err(error) = again else {
        panic!("bound twice")
    };
    assert!(matches!(error, Error::InUse(address) if address == server.address));
    assert!(error.to_string().contains("is in use"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_watches_may_be_open() {
    k1s_server::limits::raise_open_files();
    let server = Server::start(Limits::default()).await;
    let mut watches = Vec::new();
    for _ in 0..10 {
        let mut connection = server.http2(None).await;
        for _ in 0..1000 {
            let mut watch = connection
                .send_request(get("/watch"))
                .await
                .unwrap()
                .into_body();
            assert_eq!(
                watch.frame().await.unwrap().unwrap().into_data().unwrap(),
                "event\n"
            );
            watches.push((connection.clone(), watch));
        }
    }
    let mut other = server.http1(None).await;
    assert_eq!(
        text(other.send_request(get("/who")).await.unwrap()).await,
        "nobody"
    );
    server.switch.stop();
    for (_, watch) in &mut watches {
        assert!(watch.collect().await.unwrap().to_bytes().is_empty());
    }
    server.serving.await.unwrap();
}
