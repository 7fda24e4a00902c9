// SPDX-License-Identifier: Apache-2.0
//! Push and pull against a registry of a hundred lines on a socket of its own: what goes over the wire, and a registry
//! that lies. The real one is asked in `.ci/run eci`.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pico_eci::Digest;
use pico_eci::examples::EXAMPLES;
use pico_oci::{Credentials, Error, Reference, Registry};

#[derive(Default)]
struct Store {
    blobs: HashMap<String, Vec<u8>>,
    manifests: HashMap<String, Vec<u8>>,
    requests: Vec<String>,
    /// Turns good bytes into others.
    lie: bool,
    /// Wants a token with every request.
    token: Option<&'static str>,
    /// Wants this in the header `Authorization`, for every request or for the token.
    basic: Option<&'static str>,
}

type Shared = Arc<Mutex<Store>>;

fn serve(store: Shared) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let own = address.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = answer(&stream, &store, &own);
        }
    });
    address
}

fn answer(stream: &TcpStream, store: &Shared, address: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let (method, path) = (
        words.next().unwrap_or_default().to_owned(),
        words.next().unwrap_or_default().to_owned(),
    );
    let (mut length, mut authorization) = (0, String::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.trim().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap()
            }
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                authorization = value.into()
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut store = store.lock().unwrap();
    store.requests.push(format!("{method} {path}"));
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let wants = store
        .token
        .filter(|token| !path.starts_with("/token") && authorization != format!("Bearer {token}"));
    let wants_basic = store.basic.filter(|basic| {
        (store.token.is_none() || path.starts_with("/token")) && authorization != *basic
    });
    let (status, extra, mut bytes) = if wants_basic.is_some() {
        let challenge = "www-authenticate: Basic realm=\"r\"\r\n".to_owned();
        ("401 Unauthorized", challenge, Vec::new())
    } else if wants.is_some() {
        let challenge = format!(
            "www-authenticate: Bearer realm=\"http://{address}/token\",service=\"r\",scope=\"pull\"\r\n"
        );
        ("401 Unauthorized", challenge, Vec::new())
    } else if path.starts_with("/token") {
        (
            "200 OK",
            String::new(),
            format!("{{\"token\":\"{}\"}}", store.token.unwrap_or_default()).into_bytes(),
        )
    } else if method == "POST" {
        (
            "202 Accepted",
            "location: /upload/1?state=x\r\n".into(),
            Vec::new(),
        )
    } else if method == "PUT" && path.starts_with("/upload/") {
        let digest = path.split("digest=").nth(1).unwrap_or_default().to_owned();
        assert_eq!(Digest::of(&body).to_string(), digest);
        store.blobs.insert(digest, body);
        ("201 Created", String::new(), Vec::new())
    } else if method == "PUT" {
        store
            .manifests
            .insert(Digest::of(&body).to_string(), body.clone());
        store.manifests.insert(last, body);
        ("201 Created", String::new(), Vec::new())
    } else {
        let found = if path.contains("/manifests/") {
            store.manifests.get(&last)
        } else {
            store.blobs.get(&last)
        };
        match found {
            Some(bytes) => ("200 OK", String::new(), bytes.clone()),
            None => (
                "404 Not Found",
                String::new(),
                br#"{"errors":[{"code":"UNKNOWN","message":"not known"}]}"#.to_vec(),
            ),
        }
    };
    if store.lie && path.contains("/blobs/") && !bytes.is_empty() {
        bytes[0] ^= 1;
    }
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{extra}content-length: {}\r\nconnection: close\r\n\r\n",
        bytes.len()
    )?;
    if method != "HEAD" {
        stream.write_all(&bytes)?;
    }
    Ok(())
}

#[test]
fn what_is_pushed_is_what_is_pulled() {
    let store = Shared::default();
    let address = serve(Arc::clone(&store));
    let mut registry = Registry::default();
    for example in EXAMPLES {
        let reference: Reference = format!("{address}/{}", example.reference).parse().unwrap();
        let digest = registry.push(&reference, example.bundle).unwrap();
        assert_eq!(registry.pull(&reference).unwrap(), example.bundle);
        let by_digest: Reference = format!("{address}/pico/x@{digest}").parse().unwrap();
        assert_eq!(registry.pull(&by_digest).unwrap(), example.bundle);
        let uploads = |store: &Shared| {
            store
                .lock()
                .unwrap()
                .requests
                .iter()
                .filter(|request| request.starts_with("POST"))
                .count()
        };
        let before = uploads(&store);
        registry.push(&reference, example.bundle).unwrap();
        assert_eq!(uploads(&store), before, "what is there is not sent again");
    }
}

#[test]
fn refusals() {
    let store = Shared::default();
    let address = serve(Arc::clone(&store));
    let mut registry = Registry::default();
    let reference: Reference = format!("{address}/pico/blink:v1").parse().unwrap();
    let error = registry.pull(&reference).unwrap_err().to_string();
    assert!(
        error.ends_with("the registry says 404: not known"),
        "{error}"
    );
    registry.push(&reference, EXAMPLES[0].bundle).unwrap();
    store.lock().unwrap().lie = true;
    assert!(matches!(
        registry.pull(&reference),
        Err(Error::Digest { .. })
    ));
    store.lock().unwrap().lie = false;
    // a tag of a Linux image
    let manifest = br#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"x","size":1},"layers":[]}"#;
    store
        .lock()
        .unwrap()
        .manifests
        .insert("linux".into(), manifest.to_vec());
    let linux: Reference = format!("{address}/pico/blink:linux").parse().unwrap();
    assert!(matches!(registry.pull(&linux), Err(Error::Manifest { .. })));
    store
        .lock()
        .unwrap()
        .manifests
        .insert("huge".into(), vec![b' '; 100_000]);
    let huge: Reference = format!("{address}/pico/blink:huge").parse().unwrap();
    assert!(
        registry
            .pull(&huge)
            .unwrap_err()
            .to_string()
            .contains("more than 4096 bytes")
    );
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody: Reference = format!("{nobody}/pico/blink:v1").parse().unwrap();
    assert!(matches!(
        registry.pull(&nobody),
        Err(Error::Registry { .. })
    ));
}

#[test]
fn who_asks_is_told_to_the_registry_alone() {
    for token in [None, Some("t0ken")] {
        let store = Shared::default();
        store.lock().unwrap().token = token;
        // me:hunter2
        store.lock().unwrap().basic = Some("Basic bWU6aHVudGVyMg==");
        let address = serve(Arc::clone(&store));
        let reference: Reference = format!("{address}/own/blink:v1").parse().unwrap();
        let pull = |places: &[(&str, &str)]| {
            let mut credentials = Credentials::default();
            for (place, pair) in places {
                let document = format!(r#"{{"auths": {{"{place}": {{"auth": "{pair}"}}}}}}"#);
                credentials.add(document.as_bytes(), "the test").unwrap();
            }
            let mut registry = Registry::default().with_credentials(credentials);
            if store.lock().unwrap().manifests.is_empty() {
                registry.push(&reference, EXAMPLES[0].bundle)?;
            }
            registry.pull(&reference)
        };
        let refused = |places: &[(&str, &str)]| {
            let error = pull(places).unwrap_err();
            assert!(
                matches!(error, Error::Refused { status: 401, .. }),
                "{error}"
            );
            assert!(!error.to_string().contains("hunter2"), "{error}");
        };
        refused(&[]);
        let me = (address.as_str(), "bWU6aHVudGVyMg==");
        let stranger = (address.as_str(), "bWU6d3Jvbmc=");
        refused(&[stranger]);
        refused(&[("127.0.0.1:1", me.1)]);
        assert_eq!(pull(&[me]).unwrap(), EXAMPLES[0].bundle);
        assert_eq!(pull(&[stranger, me]).unwrap(), EXAMPLES[0].bundle);
        assert_eq!(
            pull(&[("127.0.0.1:1", stranger.1), me]).unwrap(),
            EXAMPLES[0].bundle
        );
    }
}

#[test]
fn a_token_is_fetched_when_it_is_wanted() {
    let store = Shared::default();
    store.lock().unwrap().token = Some("t0ken");
    let address = serve(Arc::clone(&store));
    let mut registry = Registry::default();
    let reference: Reference = format!("{address}/pico/blink:v1").parse().unwrap();
    registry.push(&reference, EXAMPLES[0].bundle).unwrap();
    assert_eq!(registry.pull(&reference).unwrap(), EXAMPLES[0].bundle);
    let tokens = store
        .lock()
        .unwrap()
        .requests
        .iter()
        .filter(|request| request.contains("/token?service=r&scope=pull"))
        .count();
    assert_eq!(tokens, 1, "once is enough");
}
