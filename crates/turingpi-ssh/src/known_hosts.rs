// SPDX-License-Identifier: Apache-2.0
//! Files in the form of OpenSSH's `known_hosts` (`sshd(8)`): names, patterns, hashed names, `@revoked`. A line that cannot be read is
//! passed over, as OpenSSH does.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use ring::hmac;
use russh::keys::ssh_key::known_hosts::HostPatterns;
use russh::keys::{Algorithm, PublicKey};

use crate::address::Address;
use crate::error::{Error, Result};

/// The longest file in bytes.
const FILE_BYTES: u64 = 16 << 20;

/// What a file says of a host's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It is this host's.
    Yes,
    /// Nothing is known of the host.
    No,
    /// The host has another one, in this line.
    Another(usize),
    /// This line revokes it.
    Revoked(usize),
}

fn in_words(file: &Path) -> impl Fn(io::Error) -> Error {
    move |source| Error::KnownHosts {
        file: file.to_owned(),
        source,
    }
}

fn text_of(open: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    open.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(io::Error::other(format!(
            "it is longer than {FILE_BYTES} bytes"
        )));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of a file; none where there is no file.
pub(crate) fn read(file: &Path) -> Result<String> {
    match File::open(file) {
        Ok(open) => text_of(&open).map_err(in_words(file)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(e) => Err(in_words(file)(e)),
    }
}

/// A line that is about a host.
struct Line {
    number: usize,
    revoked: bool,
    key: PublicKey,
}

/// The lines about a host.
fn lines(text: &str, address: &Address) -> impl Iterator<Item = Line> {
    let name = address.in_known_hosts();
    text.lines().enumerate().filter_map(move |(at, line)| {
        let mut words = line.split_whitespace().peekable();
        let marker = words.next_if(|word| word.starts_with('@'));
        // an authority's key is not the host's
        if marker.is_some_and(|m| m != "@revoked") {
            return None;
        }
        let hosts = words.next().filter(|hosts| !hosts.starts_with('#'))?;
        // a revoked key is so for the hosts that the line names, too
        if !names(hosts, &name) {
            return None;
        }
        let key = PublicKey::from_openssh(&format!("{} {}", words.next()?, words.next()?)).ok()?;
        Some(Line {
            number: at + 1,
            revoked: marker.is_some(),
            key,
        })
    })
}

/// Whether the first field of a line is about a host.
fn names(field: &str, name: &str) -> bool {
    match field.parse::<HostPatterns>() {
        Ok(HostPatterns::HashedName { salt, hash }) => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
            hmac::verify(&key, name.as_bytes(), &hash).is_ok()
        }
        Ok(HostPatterns::Patterns(patterns)) => {
            let mut named = false;
            for pattern in patterns {
                let pattern = pattern.to_lowercase();
                match pattern.strip_prefix('!') {
                    Some(not) if matches(not, name) => return false,
                    Some(_) => {}
                    None => named |= matches(&pattern, name),
                }
            }
            named
        }
        Err(_) => false,
    }
}

/// Whether a text matches a pattern with `*` and `?`.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // where the last star is, and what it stands for so far
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => match star {
                Some((at, end)) => {
                    star = Some((at, end + 1));
                    (p, t) = (at + 1, end + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// The types of the keys of a host.
pub(crate) fn types(text: &str, address: &Address) -> Vec<Algorithm> {
    lines(text, address)
        .filter(|line| !line.revoked)
        .map(|line| line.key.algorithm())
        .collect()
}

/// What a file's text says of a key. One of another type is another key: a host that is known shows the key that is known.
pub(crate) fn look_up(text: &str, address: &Address, shown: &PublicKey) -> Known {
    let mut known = Known::No;
    for line in lines(text, address) {
        match (line.revoked, line.key.key_data() == shown.key_data()) {
            (true, true) => return Known::Revoked(line.number),
            (true, false) => {}
            (false, true) => known = Known::Yes,
            (false, false) if known == Known::No => known = Known::Another(line.number),
            (false, false) => {}
        }
    }
    known
}

/// Looks a key up, and adds it where nothing is known of the host. Read and written under a lock on the file, for other processes meet
/// the same host for the first time, too.
pub(crate) fn remember(file: &Path, address: &Address, shown: &PublicKey) -> Result<Known> {
    let known = look_up(&read(file)?, address, shown);
    if known != Known::No {
        return Ok(known);
    }
    let add = || {
        if let Some(dir) = file.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let mut open = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(file)?;
        open.lock()?;
        let text = text_of(&open)?;
        let known = look_up(&text, address, shown);
        if known != Known::No {
            return Ok(known);
        }
        let key = shown.to_openssh().map_err(io::Error::other)?;
        let fresh = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        open.write_all(format!("{fresh}{} {key}\n", address.in_known_hosts()).as_bytes())?;
        open.sync_all()?;
        log::warn!(
            "{address} is trusted from now on: {} has its key",
            file.display()
        );
        Ok(Known::Yes)
    };
    add().map_err(in_words(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB9dG4kjRhQTtWTVzd2t27+t0DEHBPW7iOD23TUiYLio";

    fn at(host: &str, port: u16) -> Address {
        Address::new(host, port).unwrap()
    }

    #[test]
    fn what_a_line_says() {
        let key = PublicKey::from_openssh(ONE).unwrap();
        let check = |text: &str, host: &str, port: u16, known: Known| {
            assert_eq!(look_up(text, &at(host, port), &key), known, "{text}");
        };
        check(ONE, "cp1", 22, Known::No);
        check(&format!("cp1 {ONE}"), "cp1", 22, Known::Yes);
        check(
            &format!("# cp1\n\n\tcp1\t{ONE} comment"),
            "CP1",
            22,
            Known::Yes,
        );
        check(&format!("a,cp1,b {ONE}"), "cp1", 22, Known::Yes);
        check(&format!("cp1 {ONE}"), "cp1", 2222, Known::No);
        check(&format!("[cp1]:2222 {ONE}"), "cp1", 2222, Known::Yes);
        check(
            &format!("[fd00::1]:2222 {ONE}"),
            "fd00::1",
            2222,
            Known::Yes,
        );
        check(&format!("10.0.0.* {ONE}"), "10.0.0.7", 22, Known::Yes);
        check(&format!("cp? {ONE}"), "cp1", 22, Known::Yes);
        check(&format!("*,!cp1 {ONE}"), "cp1", 22, Known::No);
        check(&format!("cp1 {TWO}"), "cp1", 22, Known::Another(1));
        check(&format!("cp1 {TWO}\ncp1 {ONE}"), "cp1", 22, Known::Yes);
        check(
            &format!("cp1 {ONE}\n@revoked * {ONE}"),
            "cp1",
            22,
            Known::Revoked(2),
        );
        check(&format!("@revoked * {TWO}"), "cp1", 22, Known::No);
        check(&format!("@cert-authority * {ONE}"), "cp1", 22, Known::No);
        check(
            &format!("cp1 ssh-rsa broken\ncp1 {ONE}"),
            "cp1",
            22,
            Known::Yes,
        );
        // as `ssh-keygen -H` writes it
        let hashed = "|1|AAECAwQFBgcICQoLDA0ODxAREhM=|";
        let salt: Vec<u8> = (0..20).collect();
        let mac = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt),
            b"cp1",
        );
        let hash: [u8; 20] = mac.as_ref().try_into().unwrap();
        let name = HostPatterns::HashedName { salt, hash }.to_string();
        assert!(name.starts_with(hashed), "{name}");
        check(&format!("{name} {ONE}"), "cp1", 22, Known::Yes);
        check(&format!("{name} {ONE}"), "cp2", 22, Known::No);
    }

    #[test]
    fn what_was_shown_first_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a/known_hosts");
        let (one, two) = (
            PublicKey::from_openssh(ONE).unwrap(),
            PublicKey::from_openssh(TWO).unwrap(),
        );
        assert_eq!(remember(&file, &at("cp1", 22), &one).unwrap(), Known::Yes);
        assert_eq!(remember(&file, &at("cp1", 22), &one).unwrap(), Known::Yes);
        assert_eq!(
            remember(&file, &at("cp1", 22), &two).unwrap(),
            Known::Another(1)
        );
        // a file of one's own may end without a line's end
        std::fs::write(&file, format!("cp1 {ONE}")).unwrap();
        assert_eq!(remember(&file, &at("cp2", 23), &two).unwrap(), Known::Yes);
        assert_eq!(read(&file).unwrap(), format!("cp1 {ONE}\n[cp2]:23 {TWO}\n"));
        assert!(matches!(read(dir.path()), Err(Error::KnownHosts { .. })));
    }

    #[test]
    fn several_meet_a_host_for_the_first_time() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        let key = PublicKey::from_openssh(ONE).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    assert_eq!(remember(&file, &at("cp1", 22), &key).unwrap(), Known::Yes)
                });
            }
        });
        assert_eq!(read(&file).unwrap().lines().count(), 1);
    }
}
