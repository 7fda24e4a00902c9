// SPDX-License-Identifier: Apache-2.0
//! The commands of a module: a table of functions. A command gets its words, its input and the module, and leaves what it wrote and how
//! long it took.

mod disks;
mod files;
mod find;
mod kubectl;
mod list;
mod network;
mod options;
mod packages;
mod sed;
mod services;
mod system;
mod text;
mod users;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::machine::Machine;
use crate::users::User;

/// When a command reads its standard input.
pub(crate) enum Input {
    /// Never.
    None,
    /// Always.
    All,
    /// When fewer files than this are named, or `-` is; options of these letters take a word.
    Without(usize, &'static str),
}

/// A command.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    /// Where its program is.
    pub(crate) directory: &'static str,
    pub(crate) input: Input,
    pub(crate) run: fn(&mut Machine, &mut Call<'_>) -> i32,
}

const BIN: &str = "/usr/bin";
const SBIN: &str = "/usr/sbin";

const fn command(
    name: &'static str,
    directory: &'static str,
    input: Input,
    run: fn(&mut Machine, &mut Call<'_>) -> i32,
) -> Command {
    Command {
        name,
        directory,
        input,
        run,
    }
}

/// All of them, but for those that only a shell can do.
pub(crate) static COMMANDS: &[Command] = &[
    command("cat", BIN, Input::Without(1, ""), files::cat),
    command("ls", BIN, Input::None, list::ls),
    command("stat", BIN, Input::None, list::stat),
    command("mkdir", BIN, Input::None, files::mkdir),
    command("rmdir", BIN, Input::None, files::rmdir),
    command("rm", BIN, Input::None, files::rm),
    command("mv", BIN, Input::None, files::mv),
    command("cp", BIN, Input::None, files::cp),
    command("ln", BIN, Input::None, files::ln),
    command("install", BIN, Input::None, files::install),
    command("chmod", BIN, Input::None, files::chmod),
    command("chown", BIN, Input::None, files::chown),
    command("touch", BIN, Input::None, files::touch),
    command("tee", BIN, Input::All, files::tee),
    command("readlink", BIN, Input::None, files::readlink),
    command("realpath", BIN, Input::None, files::readlink),
    command("mktemp", BIN, Input::None, files::mktemp),
    command("find", BIN, Input::None, find::find),
    command("dirname", BIN, Input::None, text::dirname),
    command("basename", BIN, Input::None, text::basename),
    command("grep", BIN, Input::Without(2, "mABC"), text::grep),
    command("sed", BIN, Input::Without(2, ""), sed::sed),
    command("head", BIN, Input::Without(1, "nc"), text::head),
    command("tail", BIN, Input::Without(1, "nc"), text::tail),
    command("wc", BIN, Input::Without(1, ""), text::wc),
    command("sort", BIN, Input::Without(1, "tk"), text::sort),
    command("uniq", BIN, Input::Without(1, ""), text::uniq),
    command("cut", BIN, Input::Without(1, "dfc"), text::cut),
    command("tr", BIN, Input::All, text::tr),
    command("sha256sum", BIN, Input::Without(1, ""), text::sha256sum),
    command("base64", BIN, Input::Without(1, "w"), text::base64),
    command("seq", BIN, Input::None, text::seq),
    command("yes", BIN, Input::None, text::yes),
    command("uname", BIN, Input::None, system::uname),
    command("arch", BIN, Input::None, system::arch),
    command("hostname", BIN, Input::None, system::hostname),
    command("hostnamectl", BIN, Input::None, system::hostnamectl),
    command("nproc", BIN, Input::None, system::nproc),
    command("free", BIN, Input::None, system::free),
    command("uptime", BIN, Input::None, system::uptime),
    command("date", BIN, Input::None, system::date),
    command("dmesg", BIN, Input::None, system::dmesg),
    command("sync", BIN, Input::None, system::nothing),
    command("udevadm", BIN, Input::None, system::nothing),
    command("partprobe", SBIN, Input::None, system::nothing),
    command("timedatectl", BIN, Input::None, system::timedatectl),
    command("cloud-init", BIN, Input::None, system::cloud_init),
    command("reboot", SBIN, Input::None, system::reboot),
    command("poweroff", SBIN, Input::None, system::poweroff),
    command("halt", SBIN, Input::None, system::poweroff),
    command("shutdown", SBIN, Input::None, system::shutdown),
    command("modprobe", SBIN, Input::None, system::modprobe),
    command("lsmod", SBIN, Input::None, system::lsmod),
    command("sysctl", SBIN, Input::None, system::sysctl),
    command("swapoff", SBIN, Input::None, system::swapoff),
    command("swapon", SBIN, Input::None, system::swapon),
    command("id", BIN, Input::None, users::id),
    command("whoami", BIN, Input::None, users::whoami),
    command("groups", BIN, Input::None, users::groups),
    command("getent", BIN, Input::None, users::getent),
    command("useradd", SBIN, Input::None, users::useradd),
    command("usermod", SBIN, Input::None, users::usermod),
    command("chpasswd", SBIN, Input::All, users::chpasswd),
    command("systemctl", BIN, Input::None, services::systemctl),
    command("journalctl", BIN, Input::None, services::journalctl),
    command("lsblk", BIN, Input::None, disks::lsblk),
    command("blkid", SBIN, Input::None, disks::blkid),
    command("mkfs.ext4", SBIN, Input::None, disks::mkfs),
    command("mkfs.xfs", SBIN, Input::None, disks::mkfs),
    command("wipefs", SBIN, Input::None, disks::wipefs),
    command("parted", SBIN, Input::None, disks::parted),
    command("mount", BIN, Input::None, disks::mount),
    command("umount", BIN, Input::None, disks::umount),
    command("mountpoint", BIN, Input::None, disks::mountpoint),
    command("df", BIN, Input::None, disks::df),
    command("ip", SBIN, Input::None, network::ip),
    command("ping", BIN, Input::None, network::ping),
    command("curl", BIN, Input::None, network::curl),
    command("wget", BIN, Input::None, network::wget),
    command("apt-get", BIN, Input::None, packages::apt),
    command("apt", BIN, Input::None, packages::apt),
    command("dpkg", BIN, Input::None, packages::dpkg),
    command(
        "k3s-install",
        "/usr/lib/k3s",
        Input::None,
        crate::installer::run,
    ),
];

/// What is K3s by the name of its program or of a link to it.
static K3S: Command = command("k3s", BIN, Input::None, kubectl::k3s);
/// What is installed later.
static LATER: &[Command] = &[
    command("iscsid", SBIN, Input::None, system::nothing),
    command("iscsiadm", SBIN, Input::None, system::nothing),
];

/// The command of a name.
pub(crate) fn find_command(name: &str) -> Option<&'static Command> {
    if matches!(name, "k3s" | "kubectl" | "crictl" | "ctr") {
        return Some(&K3S);
    }
    COMMANDS.iter().chain(LATER).find(|c| c.name == name)
}

impl Command {
    /// Whether it reads its standard input when it is called with these words.
    pub(crate) fn reads(&self, words: &[String]) -> bool {
        let Input::Without(least, with_value) = self.input else {
            return matches!(self.input, Input::All);
        };
        let mut files = 0;
        let mut words = words.iter();
        // an expression of its own takes the place of the first file
        let mut expression = false;
        while let Some(word) = words.next() {
            match word.strip_prefix('-') {
                Some("") => return true,
                Some("-") => files += words.by_ref().count(),
                Some(option) => {
                    if matches!(option, "e" | "f" | "-expression" | "-file") && least == 2 {
                        expression = true;
                        words.next();
                    } else if !option.starts_with('-')
                        && option.ends_with(|c| with_value.contains(c))
                    {
                        words.next();
                    }
                }
                None => files += 1,
            }
        }
        files + usize::from(expression) < least
    }
}

/// A command as it is called.
pub(crate) struct Call<'a> {
    pub(crate) name: &'a str,
    pub(crate) words: &'a [String],
    pub(crate) stdin: &'a [u8],
    pub(crate) user: &'a User,
    pub(crate) cwd: &'a str,
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) umask: u16,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// How long it takes.
    pub(crate) wait: Duration,
}

impl Call<'_> {
    /// A line of output.
    pub(crate) fn say(&mut self, line: &str) {
        self.stdout.extend_from_slice(line.as_bytes());
        self.stdout.push(b'\n');
    }

    /// A line of errors.
    pub(crate) fn complain(&mut self, line: &str) {
        self.stderr.extend_from_slice(line.as_bytes());
        self.stderr.push(b'\n');
    }

    /// An error of this command, and the exit code.
    pub(crate) fn fail(&mut self, text: impl std::fmt::Display, code: i32) -> i32 {
        let line = format!("{}: {text}", self.name);
        self.complain(&line);
        code
    }

    pub(crate) fn arguments(&self) -> &[String] {
        self.words
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    pub(crate) fn environment(&self) -> &BTreeMap<String, String> {
        self.environment
    }

    /// Says no to who is not root.
    pub(crate) fn needs_root(&mut self, text: &str) -> bool {
        if self.user.name == "root" {
            return false;
        }
        let text = if text.is_empty() {
            "Operation not permitted"
        } else {
            text
        };
        self.fail(text, 1);
        true
    }

    /// What each named file holds, standard input for none and for `-`. A file that cannot be read is told of.
    pub(crate) fn inputs(
        &mut self,
        machine: &Machine,
        files: &[String],
    ) -> (Vec<(String, Vec<u8>)>, bool) {
        if files.is_empty() {
            return (vec![("-".into(), self.stdin.to_vec())], true);
        }
        let mut inputs = Vec::new();
        let mut all = true;
        for file in files {
            if file == "-" {
                inputs.push((file.clone(), self.stdin.to_vec()));
                continue;
            }
            match machine.read(&self.user.name, self.cwd, file) {
                Ok(bytes) => inputs.push((file.clone(), bytes)),
                Err(e) => {
                    self.fail(format!("{file}: {e}"), 1);
                    all = false;
                }
            }
        }
        (inputs, all)
    }
}
