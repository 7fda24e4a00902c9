// SPDX-License-Identifier: Apache-2.0
//! A small HTTP server with images, as somebody has one in the same network.

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// What is at a path.
#[derive(Clone)]
pub(crate) enum Answer {
    Bytes(Vec<u8>),
    /// The length of these bytes is not told.
    NoLength(Vec<u8>),
    /// The connection closes in the middle.
    Half(Vec<u8>),
    To(String),
}

/// Starts it; gives its address. It ends with the test's runtime.
pub(crate) async fn start(paths: Vec<(&'static str, Answer)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let paths = paths.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut first = String::new();
                let mut line = String::new();
                while stream.read_line(&mut line).await.is_ok_and(|n| n > 2) {
                    if first.is_empty() {
                        first.clone_from(&line);
                    }
                    line.clear();
                }
                let path = first.split(' ').nth(1).unwrap_or_default();
                let found = paths.into_iter().find(|(p, _)| *p == path);
                let (head, body) = match found.map(|(_, answer)| answer) {
                    Some(Answer::Bytes(b)) => (format!("200 OK\r\nContent-Length: {}", b.len()), b),
                    Some(Answer::Half(b)) => {
                        (format!("200 OK\r\nContent-Length: {}", 2 * b.len()), b)
                    }
                    Some(Answer::NoLength(b)) => ("200 OK".to_owned(), b),
                    Some(Answer::To(to)) => (
                        format!("302 Found\r\nContent-Length: 0\r\nLocation: {to}"),
                        Vec::new(),
                    ),
                    None => ("404 Not Found\r\nContent-Length: 0".to_owned(), Vec::new()),
                };
                let head = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n");
                // a client that has heard enough hangs up
                let _ = stream.get_mut().write_all(head.as_bytes()).await;
                let _ = stream.get_mut().write_all(&body).await;
            });
        }
    });
    format!("http://{address}")
}
