// SPDX-License-Identifier: Apache-2.0
//! What an image sets up, as its first lines tell: `os: NAME`, `user: NAME`, `password: WORD`, `authorized-key: LINE`, `hostname: NAME`.
//!
//! Real images tell nothing of this kind in their first bytes; they are taken for the usual distribution.

/// How many of its first bytes are looked at.
pub const IMAGE_HEADER: usize = 4096;
const USUAL: &str = "Armbian 25.2.1 noble";

/// What is on an eMMC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// What it calls itself: `Armbian 25.2.1 noble`.
    pub os: String,
    /// Who may log in.
    pub user: String,
    /// With which password.
    pub password: String,
    /// Lines for the user's `authorized_keys`.
    pub authorized_keys: Vec<String>,
    /// Its host name, where the image says one.
    pub hostname: Option<String>,
}

impl Image {
    /// Reads the first bytes of an eMMC: none when nothing is there to boot.
    ///
    /// Without other words an image has the user of its distribution: `ubuntu` with that password for Ubuntu, else `root` with `1234`.
    #[must_use]
    pub fn read(first: &[u8]) -> Option<Self> {
        let first = &first[..first.len().min(IMAGE_HEADER)];
        if first.iter().all(|b| *b == 0) {
            return None;
        }
        let mut image = Self {
            os: USUAL.into(),
            user: String::new(),
            password: String::new(),
            authorized_keys: Vec::new(),
            hostname: None,
        };
        for (i, line) in first.split(|b| *b == b'\n').enumerate() {
            let Some((key, value)) = std::str::from_utf8(line)
                .ok()
                .and_then(|line| line.split_once(": "))
            else {
                break;
            };
            let value = value.trim().to_owned();
            match key {
                "os" => image.os = value,
                _ if i == 0 => break,
                "user" if is_name(&value) => image.user = value,
                "password" => image.password = value,
                "authorized-key" => image.authorized_keys.push(value),
                "hostname" if is_name(&value) => image.hostname = Some(value),
                _ => break,
            }
        }
        let (user, password) = if image.os.starts_with("Ubuntu") {
            ("ubuntu", "ubuntu")
        } else {
            ("root", "1234")
        };
        if image.user.is_empty() {
            image.user = user.into();
        }
        if image.password.is_empty() {
            image.password = password.into();
        }
        Some(image)
    }

    /// Whether it has a shell inside. Talos has none.
    #[must_use]
    pub fn has_shell(&self) -> bool {
        !self.os.starts_with("Talos")
    }
}

/// Whether it may be a user's or a host's name.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_lines_tell() {
        let check = |bytes: &[u8], os: &str, user: &str, password: &str, keys: usize| {
            let image = Image::read(bytes).unwrap();
            let got = (
                &*image.os,
                &*image.user,
                &*image.password,
                image.authorized_keys.len(),
            );
            assert_eq!(got, (os, user, password, keys));
        };
        assert_eq!(Image::read(&[0; 5000]), None);
        assert_eq!(Image::read(b""), None);
        check(b"\x7fgzip or so\n", USUAL, "root", "1234", 0);
        check(b"os: Testix 1.0\n\x00\xff", "Testix 1.0", "root", "1234", 0);
        check(b"os: Ubuntu 24.04\n", "Ubuntu 24.04", "ubuntu", "ubuntu", 0);
        check(
            b"os: T\nuser: pi\npassword: p w\nauthorized-key: ssh-ed25519 AAAA a\nauthorized-key: b c\n\xff",
            "T", "pi", "p w", 2,
        );
        // a header is nothing without its first line, and a name is no path
        check(b"user: pi\n", USUAL, "root", "1234", 0);
        check(b"os: T\nuser: ../x\npassword: p\n", "T", "root", "1234", 0);
        assert!(!Image::read(b"os: Talos v1.9\n").unwrap().has_shell());
    }
}
