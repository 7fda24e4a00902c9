// SPDX-License-Identifier: Apache-2.0
//! A module's host key: made on the first boot of an image and kept on its eMMC, as a file of OpenSSH's form (`PROTOCOL.key`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use turingpi_host::Machine;

/// Where it is.
pub(super) const PATH: &str = "/etc/ssh/ssh_host_ed25519_key";

/// Makes a key where there is none.
pub(super) fn ensure(machine: &mut Machine) {
    if machine.file(PATH).is_some() {
        return;
    }
    let mut seed = [0; 32];
    let Some((private, public)) = getrandom::fill(&mut seed)
        .ok()
        .and_then(|()| key(&seed, machine.hostname()))
    else {
        log::warn!("no randomness: a module has no host key");
        return;
    };
    for (path, text, mode) in [
        (PATH.to_owned(), private, 0o600),
        (format!("{PATH}.pub"), public, 0o644),
    ] {
        if let Err(e) = machine.install(&path, text, mode, "root") {
            log::warn!("{path}: {e}");
        }
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A private key file and a public key line.
fn key(seed: &[u8; 32], host: &str) -> Option<(String, String)> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    let point = pair.public_key().as_ref();
    let mut public = Vec::new();
    put(&mut public, b"ssh-ed25519");
    put(&mut public, point);
    let comment = format!("root@{host}");
    let mut private = vec![0; 8];
    put(&mut private, b"ssh-ed25519");
    put(&mut private, point);
    put(&mut private, &[seed, point].concat());
    put(&mut private, comment.as_bytes());
    // filled up to whole blocks of eight bytes
    let missing = private.len().next_multiple_of(8) - private.len();
    private.extend((1..=missing).map(|n| n as u8));
    let mut file = b"openssh-key-v1\0".to_vec();
    put(&mut file, b"none");
    put(&mut file, b"none");
    put(&mut file, b"");
    file.extend(1_u32.to_be_bytes());
    put(&mut file, &public);
    put(&mut file, &private);
    let body = STANDARD.encode(file);
    let mut text = String::from("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for line in body.as_bytes().chunks(70) {
        text += &String::from_utf8_lossy(line);
        text.push('\n');
    }
    text += "-----END OPENSSH PRIVATE KEY-----\n";
    Some((
        text,
        format!("ssh-ed25519 {} {comment}\n", STANDARD.encode(public)),
    ))
}
