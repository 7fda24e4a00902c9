// SPDX-License-Identifier: Apache-2.0
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Everything that a connection says, in words: `200 body=… end`.
fn read(pieces: &[&[u8]], close: bool) -> String {
    let mut parser = ResponseParser::default();
    let mut said = String::new();
    let mut body = Vec::new();
    let fail = |said: &mut String, error: Error| said.push_str(&format!("{error:?}"));
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match parser.push(rest) {
                Ok((used, event)) => {
                    rest = &rest[used..];
                    match event {
                        Event::More => break,
                        Event::Head(head) => said.push_str(&format!(
                            "{}{} ",
                            head.status,
                            if head.keep_alive { "" } else { "!" }
                        )),
                        Event::Data(data) => body.extend_from_slice(data),
                        Event::End => {
                            said.push_str(&format!("{:?} ", String::from_utf8_lossy(&body)));
                            body.clear();
                        }
                    }
                }
                Err(error) => {
                    fail(&mut said, error);
                    return said;
                }
            }
        }
    }
    if close {
        match parser.finish() {
            Ok(()) if !body.is_empty() => {
                said.push_str(&format!("{:?} ", String::from_utf8_lossy(&body)));
            }
            Ok(()) => {}
            Err(error) => fail(&mut said, error),
        }
    }
    said
}

fn check(input: &str, expected: &str) {
    assert_eq!(
        read(&[input.as_bytes()], true).trim_end(),
        expected,
        "{input:?}"
    );
    let bytes: Vec<&[u8]> = input.as_bytes().chunks(1).collect();
    assert_eq!(
        read(&bytes, true).trim_end(),
        expected,
        "byte by byte: {input:?}"
    );
}

#[test]
fn framing() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n",
        "200 \"ok\" 404 \"\"",
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1 \r\n!\r\n0\r\nTrailer: 1\r\n\r\n",
        "200 \"hello!\"",
    );
    check("HTTP/1.1 200\nContent-Length: 2\n\nok", "200 \"ok\"");
    check(
        "HTTP/1.1 200 OK\r\n\r\nall there is",
        "200! \"all there is\"",
    );
    check(
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "200! \"x\"",
    );
    check(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 0\r\n\r\n",
        "200! \"\"",
    );
    check(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        "204 \"\" 201 \"\"",
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok",
        "200 \"ok\"",
    );
}

#[test]
fn tricks() {
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "BadLength",
    );
    check(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        "BadLength",
    );
    check("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "BadLength");
    check("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", "BadLength");
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        "UnknownCoding",
    );
    check("HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\n", "BadHeader");
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        "200 BadChunk",
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "200 BadChunk",
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "200 BadChunk",
    );
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        "200 BadChunk",
    );
    check("HTTP/2 200\r\n\r\n", "NotHttp");
    check("HTTP/1.1 2000 OK\r\n\r\n", "NotHttp");
    check("<html>\r\n", "NotHttp");
    check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "200 Cut");
    check(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "200 Cut",
    );
    check("HTTP/1.1 200 O", "Cut");
    let long = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(3000));
    assert_eq!(read(&[long.as_bytes()], true), "HeadTooLarge");
    let many = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(3000));
    assert_eq!(read(&[many.as_bytes()], true), "HeadTooLarge");
    let trailers = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}",
        "X: y\r\n".repeat(3000)
    );
    assert_eq!(read(&[trailers.as_bytes()], true), "200 HeadTooLarge");
    // A watch is one response of many chunks: what bounds a head does not bound them.
    let chunks = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
        "1\r\nx\r\n".repeat(30_000)
    );
    assert!(read(&[chunks.as_bytes()], true).ends_with("xx\" "));
}

#[test]
fn time_and_retry() {
    let mut parser = ResponseParser::default();
    let (_, event) = parser
        .push(b"HTTP/1.1 429 Too Many\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nRetry-After: 7\r\n\r\n")
        .unwrap();
    let Event::Head(head) = event else {
        panic!("{event:?}")
    };
    assert_eq!(head.date.unwrap().unix_ms(), 784_887_151_000);
    assert_eq!(head.retry_after, Some(7));
}

proptest! {
    #[test]
    fn any_segmentation_gives_the_same(
        bodies in prop::collection::vec((any::<bool>(), prop::collection::vec("[a-z\\r\\n0-9]{1,30}", 0..5)), 1..4),
        cuts in prop::collection::vec(1usize..30, 1..30),
    ) {
        let mut wire = String::new();
        for (chunked, pieces) in &bodies {
            if *chunked {
                wire.push_str("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                for piece in pieces {
                    wire.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
                }
                wire.push_str("0\r\n\r\n");
            } else {
                let all = pieces.concat();
                wire.push_str(&format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{all}", all.len()));
            }
        }
        let expected: String = bodies.iter().map(|(_, pieces)| format!("200 {:?} ", pieces.concat())).collect();
        let mut rest = wire.as_bytes();
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(read(&pieces, true), expected);
    }

    #[test]
    fn garbage_never_panics(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..10), start in any::<bool>()) {
        let mut all: Vec<&[u8]> = Vec::new();
        if start {
            all.push(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        }
        all.extend(pieces.iter().map(Vec::as_slice));
        let _ = read(&all, true);
    }
}
