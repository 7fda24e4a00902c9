// SPDX-License-Identifier: Apache-2.0
//! The same for what runs on a chip: HTTP and JSON as they come over the air, images, and what a flash may hold.

use pico_board::PinSet;
use pico_eci::build::{Parts, SigningKey, build, sign};
use pico_eci::examples::{EXAMPLES, key};
use pico_eci::scripted::ScriptedHost;
use pico_eci::{Blob, Bundle, Config, Digest, Engine as _, Grant, Limits, Manifest, Verifier};
use pico_flash::{SimFlash, Storage};
use pico_node::http::{Event, RequestParser, ResponseParser};
use pico_node::json::{Limits as JsonLimits, Reader, Shape, Taken};
use pico_wasm::Wasm;
use spdy::{Event as SpdyEvent, Frames};

/// The input in pieces, as long as its first byte says, and whole.
fn cut(data: &[u8]) -> Option<(usize, &[u8])> {
    let (first, rest) = data.split_first()?;
    Some((usize::from(*first % 16) + 1, rest))
}

/// Responses of a server and requests to the node: where the link cuts them makes no difference.
pub fn http(data: &[u8]) {
    let Some((step, bytes)) = cut(data) else {
        return;
    };
    assert_eq!(responses(bytes, step), responses(bytes, bytes.len().max(1)));
    assert_eq!(requests(bytes, step), requests(bytes, bytes.len().max(1)));
}

/// What was understood, one thing after another: heads, bodies, ends, and why it went no further.
fn responses(bytes: &[u8], step: usize) -> Vec<String> {
    let mut parser = ResponseParser::default();
    let mut seen = Vec::new();
    let mut body = Vec::new();
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        loop {
            let (used, event) = match parser.push(rest) {
                Ok(found) => found,
                Err(error) => {
                    seen.push(format!("{body:?} {error:?}"));
                    return seen;
                }
            };
            rest = &rest[used..];
            match event {
                Event::More => {
                    assert!(rest.is_empty(), "more is asked for than was used");
                    break;
                }
                Event::Head(head) => seen.push(format!("{head:?}")),
                Event::Data(data) => body.extend_from_slice(data),
                Event::End => seen.push(format!("{:?}", std::mem::take(&mut body))),
            }
        }
    }
    seen.push(format!("{body:?} {:?}", parser.finish()));
    seen
}

fn requests(bytes: &[u8], step: usize) -> Vec<String> {
    let mut parser = RequestParser::default();
    let mut seen = Vec::new();
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            match parser.push(rest) {
                Ok((used, request)) => {
                    rest = &rest[used..];
                    match request {
                        Some(request) => {
                            assert!(request.body.len() <= 4096);
                            seen.push(format!("{request:?}"));
                        }
                        None => assert!(rest.is_empty(), "more is asked for than was used"),
                    }
                }
                Err(error) => {
                    seen.push(format!("{error:?}"));
                    return seen;
                }
            }
        }
    }
    seen
}

/// Frames of SPDY of a client and of a server: where the link cuts them makes no difference.
pub fn spdy(data: &[u8]) {
    let Some((step, bytes)) = cut(data) else {
        return;
    };
    for make in [Frames::of_client, Frames::of_server] {
        let whole = frames(make(), bytes, bytes.len().max(1));
        assert_eq!(frames(make(), bytes, step), whole);
    }
}

/// What was understood, with the pieces of data put together.
fn frames(mut frames: Frames, bytes: &[u8], step: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let mut within: Option<(u32, Vec<u8>)> = None;
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            let (used, event) = match frames.push(rest) {
                Ok(found) => found,
                Err(fault) => {
                    seen.push(format!("{within:?} {fault:?}"));
                    return seen;
                }
            };
            rest = &rest[used..];
            match event {
                Some(SpdyEvent::Data {
                    stream,
                    bytes,
                    ends,
                }) => {
                    let data = within.take_if(|(known, _)| *known == stream);
                    let mut data = data.map(|(_, data)| data).unwrap_or_default();
                    data.extend_from_slice(bytes);
                    if ends {
                        seen.push(format!("{stream} {data:?} ends"));
                    } else {
                        seen.extend(within.replace((stream, data)).map(|w| format!("{w:?}")));
                    }
                }
                Some(event) => seen.push(format!("{within:?} {event:?}")),
                None => assert!(rest.is_empty(), "more is asked for than was used"),
            }
        }
    }
    seen.push(format!("{within:?}"));
    seen
}

const SHAPE: Shape = Shape::Keys(&[
    ("metadata", Shape::All),
    ("spec", Shape::Keys(&[("containers", Shape::All)])),
    ("type", Shape::All),
]);

/// JSON as the node reads it: pieces make no difference, and what a strict parser takes is taken.
pub fn node_json(data: &[u8]) {
    let Some((step, bytes)) = cut(data) else {
        return;
    };
    let small = JsonLimits {
        depth: 16,
        token: 64,
        kept: 512,
    };
    for make in [
        || Reader::new(Shape::All, JsonLimits::default()),
        || Reader::new(SHAPE, JsonLimits::default()).of_items(SHAPE),
    ] {
        assert_eq!(
            read(make(), bytes, step),
            read(make(), bytes, bytes.len().max(1))
        );
    }
    assert_eq!(
        read(Reader::new(SHAPE, small), bytes, step),
        read(Reader::new(SHAPE, small), bytes, bytes.len().max(1))
    );
    // Beyond its own limits a document is cut, but it is no error: only depth is.
    if let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes)
        && depth(&value) < 60
    {
        let (taken, error) = read(Reader::new(Shape::All, JsonLimits::default()), bytes, step);
        assert!(
            error.is_none() && taken.len() == 1,
            "{value}: {taken:?} {error:?}"
        );
    }
}

fn read(mut reader: Reader, bytes: &[u8], step: usize) -> (Vec<Taken>, Option<String>) {
    let mut all = Vec::new();
    for piece in bytes.chunks(step) {
        let mut rest = piece;
        while !rest.is_empty() {
            match reader.push(rest) {
                Ok((used, taken)) => {
                    assert!(used > 0 || taken.is_some(), "it does not go on");
                    rest = &rest[used..];
                    all.extend(taken);
                }
                Err(error) => return (all, Some(error.to_string())),
            }
        }
    }
    match reader.finish() {
        Ok(taken) => {
            all.extend(taken);
            (all, None)
        }
        Err(error) => (all, Some(error.to_string())),
    }
}

fn depth(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(all) => 1 + all.iter().map(depth).max().unwrap_or(0),
        serde_json::Value::Object(all) => 1 + all.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Images: a bundle is never taken for a signed one, and a module of a trusted signer stays in its sandbox.
pub fn eci(data: &[u8]) {
    let _ = Manifest::parse(data);
    let _ = Config::parse(data);
    if let Some(trusted) = key()
        && Verifier::new(&[trusted]).verify(data).is_ok()
    {
        assert!(
            EXAMPLES.iter().any(|example| example.bundle == data),
            "a forgery"
        );
    }
    let module = Parts::of(data).map_or_else(|_| data.to_vec(), |parts| parts.module);
    let config = br#"{"name": "own/x", "version": "v1", "capabilities": {"led": true}}"#;
    let (Ok(bundle), Ok(signer)) = (build(config, &module), SigningKey::from_seed([9; 32])) else {
        return;
    };
    let bundle = sign(&bundle, &signer).expect("it was built just now");
    let trusted = [signer.public()];
    let mut bytes = bundle.as_slice();
    let blob: &mut dyn Blob = &mut bytes;
    let mut image = Verifier::new(&trusted)
        .verify(blob)
        .expect("it was signed just now");
    let grant = Grant {
        pins: PinSet::EMPTY,
        pwm: PinSet::EMPTY,
        adc: PinSet::EMPTY,
        led: true,
        temperature: false,
        http: false,
        storage_bytes: 64,
    };
    let limits = Limits {
        memory_bytes: 16 * 1024,
    };
    let Ok(mut container) = Wasm.start(&mut image, grant, limits) else {
        return;
    };
    let mut host = ScriptedHost::default();
    for _ in 0..3 {
        if container.run(2_000, &mut host).progress.is_final() {
            break;
        }
        host.now_ms += 1_000;
    }
    assert!(container.usage().memory_peak_bytes <= limits.memory_bytes);
}

/// A flash that something else has written to: it is opened or refused, what is read of it is bounded, and what is written
/// to it afterwards is there.
pub fn flash(data: &[u8]) {
    const BYTES: u32 = 2 * 1024 * 1024;
    let mut storage = Storage::open(SimFlash::new(BYTES, 1)).expect("a blank flash");
    let example = &EXAMPLES[0];
    let digest = Digest::of(
        &Bundle::open(example.bundle)
            .and_then(|mut bundle| bundle.manifest().map_err(Into::into))
            .expect("an example"),
    );
    storage
        .put_image(digest, example.reference, &mut &*example.bundle)
        .expect("there is room");
    storage
        .write_data("uid", b"key", b"value", 1000)
        .expect("there is room");
    storage.save_manifest("pod", b"{}").expect("there is room");
    storage
        .append_log("uid", 1, b"line")
        .expect("there is room");
    let mut chip = storage.into_flash();
    // Three bytes say where, one how much; that much is written over what is there, without an erase.
    let mut rest = data;
    while let [a, b, c, n, more @ ..] = rest {
        let at = u32::from_le_bytes([*a, *b, *c, 0]) % (BYTES - 256);
        let n = usize::from(*n).min(more.len());
        let (bytes, after) = more.split_at(n);
        // Half of them where something is: the first sectors of each area.
        let at = if a % 2 == 0 { at } else { at / 4096 * 4096 };
        for (address, byte) in (at..).zip(bytes) {
            for bit in 0..8 {
                if byte & (1 << bit) != 0 {
                    chip.flip(address, bit);
                }
            }
        }
        rest = after;
    }
    let Ok(mut storage) = Storage::open(chip) else {
        return;
    };
    for image in storage.images().unwrap_or_default() {
        if let Ok(mut reader) = storage.open_image(&image)
            && let Some(trusted) = key()
            && Verifier::new(&[trusted])
                .verify(&mut reader as &mut dyn Blob)
                .is_ok()
        {
            assert_eq!(reader.len() as usize, example.bundle.len());
        }
    }
    for owner in storage.data_owners().unwrap_or_default() {
        let _ = storage.read_data(&owner, b"key");
        let _ = storage.data_used(&owner);
    }
    for manifest in storage.manifests().unwrap_or_default() {
        let _ = storage.load_manifest(&manifest);
    }
    let mut lines = 0;
    let _ = storage.read_log("uid", |_| lines += 1);
    assert!(lines < 100_000);
    let _ = storage.boot_state();
    let _ = storage.usage();
    if storage
        .write_data("uid", b"after", b"it is there", 10_000)
        .is_ok()
    {
        let mut again = Storage::open(storage.into_flash()).expect("it was open just now");
        assert_eq!(
            again.read_data("uid", b"after").as_deref(),
            Ok(&b"it is there"[..])
        );
        let _ = again.remove_owner("uid");
        let _ = Storage::open(again.into_flash());
    }
}
