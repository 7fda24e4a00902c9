// SPDX-License-Identifier: Apache-2.0
//! What kubectl said once, torn anywhere, and what no peer may say.

use alloc::format;
use alloc::string::String;
use alloc::vec;

use super::*;
use crate::{LONGEST_BLOCK, Writer};

/// `kubectl exec -i it -- sh`, with a line of input and its end.
const EXEC: &[u8] = include_bytes!("recorded/kubectl-exec.bin");
/// `kubectl port-forward pod/it :8080`, with twelve requests one after another.
const PORT_FORWARD: &[u8] = include_bytes!("recorded/kubectl-port-forward.bin");

/// What bytes come to, in pieces that end at these places; pieces of data are put together.
fn outcome(input: &[u8], cuts: &[usize], mut frames: Frames) -> String {
    let mut said = String::new();
    let mut within = None;
    let mut from = 0;
    for cut in cuts.iter().copied().chain([input.len()]) {
        let cut = cut.clamp(from, input.len());
        let mut piece = &input[from..cut];
        from = cut;
        while !piece.is_empty() {
            let (used, event) = match frames.push(piece) {
                Ok(found) => found,
                Err(fault) => return format!("{said}{fault:?}\n"),
            };
            piece = &piece[used..];
            let Some(event) = event else {
                assert!(piece.is_empty(), "all is used");
                continue;
            };
            if let Event::Data {
                stream,
                bytes,
                ends,
            } = event
            {
                if within != Some(stream) {
                    said.push_str(&format!("{stream}: "));
                }
                said.extend(bytes.escape_ascii().map(char::from));
                within = (!ends).then_some(stream);
                said.push_str(if ends { " end\n" } else { "" });
            } else {
                said.push_str(&format!("{event:?}\n"));
                within = None;
            }
        }
    }
    said
}

fn whole(input: &[u8]) -> String {
    outcome(input, &[], Frames::of_client())
}

#[test]
fn a_command_of_kubectl() {
    let said = whole(EXEC);
    let streams = ["error", "stdin", "stdout", "stderr"];
    let mut lines = said.lines();
    for (n, kind) in streams.iter().enumerate() {
        let stream = 2 * n + 1;
        let line = format!(
            "Opened {{ stream: {stream}, headers: Headers([(\"streamtype\", \"{kind}\")]), ends: false }}"
        );
        assert_eq!(lines.next(), Some(&*line));
    }
    assert_eq!(lines.next(), Some("3: echo hi\\n end"));
    assert_eq!(lines.next_back(), Some("GoAway"));
    assert!(lines.all(|line| line.starts_with("Reset ")), "{said}");
}

#[test]
fn ports_of_kubectl() {
    let said = whole(PORT_FORWARD);
    for n in 0..12 {
        for kind in ["error", "data"] {
            let headers = [
                ("requestid", &*format!("{n}")),
                ("streamtype", kind),
                ("port", "8080"),
            ];
            let has_all = |line: &str| {
                let mut all = headers.iter();
                all.all(|header| line.contains(&format!("{header:?}")))
            };
            assert!(said.lines().any(has_all), "{n} {kind}: {said}");
        }
        assert!(said.contains(&format!("GET /{n} HTTP/1.1\\r\\n")));
    }
}

#[test]
fn where_it_is_torn_makes_no_difference() {
    for recorded in [EXEC, PORT_FORWARD] {
        let expected = whole(recorded);
        for cut in 0..recorded.len() {
            let got = outcome(recorded, &[cut], Frames::of_client());
            assert_eq!(got, expected, "cut at {cut}");
        }
        let everywhere: Vec<usize> = (0..recorded.len()).collect();
        assert_eq!(
            outcome(recorded, &everywhere, Frames::of_client()),
            expected
        );
    }
}

/// A control frame.
fn control(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut out = vec![0x80, 3];
    out.extend_from_slice(&kind.to_be_bytes());
    out.push(0);
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(payload);
    out
}

/// The first `SYN_STREAM`, with this header block.
fn syn(block: &[u8]) -> Vec<u8> {
    control(
        SYN_STREAM,
        &[&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0], block].concat(),
    )
}

/// A zlib stream of a stored block.
fn stored(block: &[u8]) -> Vec<u8> {
    let length = u16::try_from(block.len()).unwrap();
    let [a, b] = length.to_le_bytes();
    [
        &[0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2, 0, a, b, !a, !b],
        block,
    ]
    .concat()
}

#[test]
fn what_no_peer_may_say() {
    let check = |input: &[u8], expected: &str| {
        let everywhere: Vec<usize> = (0..input.len()).collect();
        for cuts in [&[][..], &everywhere] {
            let said = outcome(input, cuts, Frames::of_client());
            let last = said.lines().last();
            assert_eq!(last, Some(expected), "{}", input.escape_ascii());
        }
    };
    check(&[0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1], "BadVersion");
    check(&[0x80, 3, 0, 1, 0, 0, 0x10, 1], "TooLong");
    check(&[0x80, 3, 0, 99, 0, 0xff, 0xff, 0xff], "TooLong");
    check(&control(PING, &[0]), "TooShort");
    check(&control(SYN_STREAM, &[0; 9]), "TooShort");
    check(&control(GOAWAY, &[0; 7]), "TooShort");
    check(&syn(&[]), "BadBlock");
    // No dictionary, another one, a checksum that is wrong, and no deflate.
    check(&syn(&[0x78, 0x9c, 0, 0, 0, 0, 0]), "BadDictionary");
    check(
        &syn(&[0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc3, 0]),
        "BadDictionary",
    );
    check(
        &syn(&[0x78, 0xba, 0xe3, 0xc6, 0xa7, 0xc2, 0]),
        "BadDictionary",
    );
    check(
        &syn(&[0x77, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2, 0]),
        "BadDictionary",
    );
    // A kind of block that there is not, and the end of the stream.
    check(&syn(&[0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2, 7]), "BadBlock");
    let mut last = stored(&[0; 4]);
    last[6] = 1;
    check(&syn(&last), "BadBlock");
    // More headers than there are, and more than is said.
    check(&syn(&stored(&[0xff; 4])), "BadBlock");
    check(
        &syn(&stored(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff])),
        "BadBlock",
    );
    check(&syn(&stored(&[0, 0, 0, 0, 0])), "BadBlock");
    check(
        &syn(&stored(&[0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0, 0, 0, 0])),
        "BadBlock",
    );
    // A few bytes that inflate to very many.
    let bomb = [
        &[0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2][..],
        &miniz_oxide::deflate::compress_to_vec(&vec![0; 100_000], 9),
    ]
    .concat();
    assert!(bomb.len() < LONGEST_BLOCK);
    check(&syn(&bomb), "TooLong");
}

#[test]
fn what_does_not_matter_is_passed_over() {
    let settings = control(4, &[0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9]);
    let update = control(9, &[0, 0, 0, 1, 0, 0, 1, 0]);
    let mut out = [settings, update, control(77, b"what?")].concat();
    Writer::default().ping(7, &mut out);
    assert_eq!(whole(&out), "Ping(7)\n");
}

#[test]
fn what_is_written_is_understood() {
    let mut writer = Writer::default();
    let mut out = Vec::new();
    writer.open(1, &[("streamType", "error"), ("port", "80")], &mut out);
    writer.open(3, &[("streamType", "data")], &mut out);
    writer.data(3, b"hello", false, &mut out);
    writer.data(3, b"", false, &mut out);
    writer.data(3, b"", true, &mut out);
    writer.reset(1, 5, &mut out);
    writer.go_away(0, 0, &mut out);
    assert_eq!(
        whole(&out),
        "Opened { stream: 1, headers: Headers([(\"streamtype\", \"error\"), (\"port\", \"80\")]), ends: false }\n\
         Opened { stream: 3, headers: Headers([(\"streamtype\", \"data\")]), ends: false }\n\
         3: hello end\nReset { stream: 1 }\nGoAway\n"
    );
    let mut out = Vec::new();
    let mut writer = Writer::default();
    writer.reply(1, &mut out);
    writer.reply(3, &mut out);
    let expected = "Replied { stream: 1, ends: false }\nReplied { stream: 3, ends: false }\n";
    assert_eq!(outcome(&out, &[], Frames::of_server()), expected);
    // Who reads headers reads these, too.
    assert_eq!(whole(&out), expected);
}

/// Blocks refer to those before them, as far back as deflate has it.
#[test]
fn thousands_of_streams() {
    let mut frames = Frames::of_client();
    let mut writer = Writer::default();
    for n in 0..5000u32 {
        let mut out = Vec::new();
        writer.open(2 * n + 1, &[("requestid", &format!("{n}"))], &mut out);
        let (_, event) = frames.push(&out).unwrap();
        let Some(Event::Opened { headers, .. }) = event else {
            panic!("{event:?}");
        };
        assert_eq!(headers.get("requestid"), format!("{n}"));
    }
    let inflater = frames.inflater.unwrap();
    assert!(size_of::<miniz_oxide::inflate::core::DecompressorOxide>() <= 11 * 1024);
    assert!(inflater.kept() <= 32 * 1024 + LONGEST_BLOCK);
}

proptest::proptest! {
    /// Nothing panics, and the pieces in which bytes come make no difference.
    #[test]
    fn any_bytes_in_any_pieces(
        frames in proptest::collection::vec((0u16..12, proptest::collection::vec(0u8..=255, 0..40)), 0..6),
        at in 0usize..400, byte in 0u8..=255, cuts in proptest::collection::vec(0usize..300, 0..4),
    ) {
        let mut input = EXEC.to_vec();
        input.extend(frames.iter().flat_map(|(kind, payload)| control(*kind, payload)));
        if let Some(changed) = input.get_mut(at) {
            *changed = byte;
        }
        let mut cuts = cuts;
        cuts.sort_unstable();
        proptest::prop_assert_eq!(outcome(&input, &cuts, Frames::of_client()), whole(&input));
    }
}
