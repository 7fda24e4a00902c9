// SPDX-License-Identifier: Apache-2.0
//! Users as `/etc/passwd`, `/etc/shadow`, `/etc/group` and `authorized_keys` tell them.

use sha2::{Digest as _, Sha256};

use crate::machine::{Machine, hex};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Home directory.
    pub home: String,
    /// Shell.
    pub shell: String,
}

/// What `sudo` asks of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sudo {
    Free,
    Password,
    Never,
}

/// A password as `/etc/shadow` keeps it here: salted and hashed, in a form of its own.
pub(crate) fn shadow(salt: &str, password: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(password);
    format!("$k1s${salt}${}", hex(&hash.finalize()))
}

impl Machine {
    /// A user by name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<User> {
        let passwd = self.text("/etc/passwd");
        passwd.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            if fields.len() != 7 || fields[0] != name {
                return None;
            }
            Some(User {
                name: name.to_owned(),
                uid: fields[2].parse().ok()?,
                gid: fields[3].parse().ok()?,
                home: fields[5].to_owned(),
                shell: fields[6].to_owned(),
            })
        })
    }

    /// All users' names.
    #[must_use]
    pub fn user_names(&self) -> Vec<String> {
        self.text("/etc/passwd")
            .lines()
            .filter_map(|line| line.split(':').next().map(str::to_owned))
            .collect()
    }

    /// The groups that a user is in beside the one of its own.
    pub(crate) fn groups(&self, name: &str) -> Vec<String> {
        let groups = self.text("/etc/group");
        groups
            .lines()
            .filter_map(|line| {
                let (group, members) = (line.split(':').next()?, line.rsplit(':').next()?);
                let member = members.split(',').any(|m| m == name);
                member.then(|| group.to_owned())
            })
            .collect()
    }

    /// Whether this is a user's password.
    #[must_use]
    pub fn password_is(&self, name: &str, password: &str) -> bool {
        let file = self.text("/etc/shadow");
        let Some(kept) = file.lines().find_map(|line| {
            line.strip_prefix(name)?
                .strip_prefix(':')?
                .split(':')
                .next()
        }) else {
            return false;
        };
        let salt = kept
            .strip_prefix("$k1s$")
            .and_then(|rest| rest.split('$').next());
        salt.is_some_and(|salt| shadow(salt, password) == kept)
    }

    /// Sets a user's password.
    pub(crate) fn set_password(&mut self, name: &str, password: &str) -> bool {
        let salt = hex(&self.random()[..8]);
        let mut found = false;
        let lines: String = self
            .text("/etc/shadow")
            .lines()
            .map(|line| {
                match line
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix(':'))
                {
                    Some(rest) => {
                        found = true;
                        let rest = rest.split_once(':').map_or("", |(_, rest)| rest);
                        format!("{name}:{}:{rest}\n", shadow(&salt, password))
                    }
                    None => format!("{line}\n"),
                }
            })
            .collect();
        found && self.install("/etc/shadow", lines, 0o640, "root").is_ok()
    }

    /// The lines of a user's `authorized_keys`.
    #[must_use]
    pub fn authorized_keys(&self, name: &str) -> Vec<String> {
        let Some(user) = self.user(name) else {
            return Vec::new();
        };
        self.text(&format!("{}/.ssh/authorized_keys", user.home))
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    }

    /// What `sudo` asks of a user.
    pub(crate) fn sudo(&self, name: &str) -> Sudo {
        if name == "root" {
            return Sudo::Free;
        }
        let mut free = false;
        for file in self.names("/etc/sudoers.d") {
            let text = self.text(&format!("/etc/sudoers.d/{file}"));
            free |= text.lines().any(|line| {
                line.split_whitespace().next() == Some(name) && line.contains("NOPASSWD")
            });
        }
        if free {
            Sudo::Free
        } else if self.groups(name).iter().any(|g| g == "sudo") {
            Sudo::Password
        } else {
            Sudo::Never
        }
    }

    /// Adds a user with a home directory and a locked password; false when there is one of that name.
    pub(crate) fn add_user(&mut self, name: &str, home: &str, shell: &str) -> bool {
        if self.user(name).is_some() {
            return false;
        }
        let passwd = self.text("/etc/passwd");
        let highest = passwd
            .lines()
            .filter_map(|line| line.split(':').nth(2)?.parse::<u32>().ok())
            .filter(|uid| (1000..60_000).contains(uid))
            .max();
        let uid = if name == "root" {
            0
        } else {
            highest.map_or(1000, |uid| uid + 1)
        };
        let added = |text: String, line: String| format!("{text}{line}\n");
        let shadow = added(
            self.text("/etc/shadow"),
            format!("{name}:!:20000:0:99999:7:::"),
        );
        let group = added(self.text("/etc/group"), format!("{name}:x:{uid}:"));
        let passwd = added(passwd, format!("{name}:x:{uid}:{uid}::{home}:{shell}"));
        let files = [
            ("/etc/passwd", passwd, 0o644),
            ("/etc/shadow", shadow, 0o640),
            ("/etc/group", group, 0o644),
        ];
        for (path, text, mode) in files {
            if self.install(path, text, mode, "root").is_err() {
                return false;
            }
        }
        self.install_directory(home, name, if name == "root" { 0o700 } else { 0o755 })
            .is_ok()
    }

    /// Puts a user into a group, which is made when it is not there.
    pub(crate) fn add_to_group(&mut self, name: &str, group: &str) {
        let mut found = false;
        let mut lines: String = self
            .text("/etc/group")
            .lines()
            .map(|line| {
                if line.split(':').next() == Some(group) {
                    found = true;
                    let comma = if line.ends_with(':') { "" } else { "," };
                    format!("{line}{comma}{name}\n")
                } else {
                    format!("{line}\n")
                }
            })
            .collect();
        if !found {
            lines += &format!("{group}:x:{}:{name}\n", 100 + lines.lines().count());
        }
        let _ = self.install("/etc/group", lines, 0o644, "root");
    }
}
