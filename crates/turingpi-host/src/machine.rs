// SPDX-License-Identifier: Apache-2.0
//! A module from the inside: its volumes, what is mounted, what runs. What is on the eMMC and on the NVMe disk lasts; the rest begins
//! anew with each boot.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::cluster::Cluster;
use crate::files::{Bytes, Content, Entry, Errno, Tree, join};
use crate::image::Image;
use crate::journal::Journal;
use crate::units::Running;

/// What a module is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// `Turing Machines RK1`, as the device tree says.
    pub model: String,
    /// What its host name begins with: `rk1`.
    pub short: String,
    /// Slot, 1 to 4.
    pub slot: u8,
    /// Processor cores.
    pub cores: u32,
    /// Memory in KiB.
    pub memory_kib: u64,
    /// Size of the eMMC in bytes.
    pub emmc_bytes: u64,
    /// Size of the NVMe disk in bytes; none is there when zero.
    pub nvme_bytes: u64,
}

/// What the disk in the module's NVMe slot holds; a flash of the eMMC does not touch it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nvme {
    /// Whether it has a partition table, with one partition.
    pub partitioned: bool,
    /// Its file system, if it was made.
    pub filesystem: Option<Filesystem>,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// `ext4`.
    pub kind: String,
    /// Its UUID.
    pub uuid: String,
    /// Its label; empty without one.
    pub label: String,
    /// What is in it.
    pub tree: Tree,
}

/// What asks for the end of this boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Start again.
    Reboot,
    /// Stop; the slot keeps its power.
    Off,
}

/// Which volume a path is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volume {
    Emmc,
    /// /tmp, /run, /dev, /proc and /sys: gone with the power.
    Memory,
    Nvme,
}

/// What is in memory alone.
const IN_MEMORY: [&str; 5] = ["/tmp", "/run", "/dev", "/proc", "/sys"];

/// A module from the inside.
pub struct Machine {
    /// What it is made of.
    pub hardware: Hardware,
    /// What its image set up.
    pub image: Image,
    /// What K3s in it is a part of.
    pub cluster: Box<dyn Cluster>,
    /// The eMMC.
    pub emmc: Tree,
    /// The NVMe disk.
    pub nvme: Nvme,
    /// Time since 1970.
    pub now: Duration,
    /// What asks for the end of this boot.
    pub power: Option<Power>,
    pub(crate) memory: Tree,
    /// Where the NVMe disk's file system is mounted.
    pub(crate) mounted: Option<String>,
    pub(crate) booted: Duration,
    pub(crate) boots: u32,
    pub(crate) hostname: String,
    pub(crate) running: BTreeMap<String, Running>,
    pub(crate) failed: BTreeMap<String, String>,
    pub(crate) journal: Journal,
    pub(crate) modules: Vec<String>,
    pub(crate) sysctls: BTreeMap<String, String>,
    pub(crate) swap: bool,
    pub(crate) next_pid: u32,
    seed: [u8; 32],
    drawn: u64,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Machine({} in slot {})",
            self.hardware.model, self.hardware.slot
        )
    }
}

/// What [`Machine::new`] puts together.
#[derive(Debug)]
pub struct Parts {
    /// What it is made of.
    pub hardware: Hardware,
    /// What its image sets up.
    pub image: Image,
    /// What its eMMC holds; none before its first boot.
    pub emmc: Option<Tree>,
    /// What its NVMe disk holds.
    pub nvme: Nvme,
    /// What its random values come from.
    pub seed: [u8; 32],
    /// Time since 1970.
    pub now: Duration,
}

impl Machine {
    /// A module that has just been switched on. On its first boot the image's files are laid out.
    #[must_use]
    pub fn new(parts: Parts, cluster: Box<dyn Cluster>) -> Self {
        let first = parts.emmc.is_none();
        let mut machine = Self {
            hardware: parts.hardware,
            image: parts.image,
            cluster,
            emmc: parts.emmc.unwrap_or_default(),
            nvme: parts.nvme,
            now: parts.now,
            power: None,
            memory: Tree::default(),
            mounted: None,
            booted: parts.now,
            boots: 0,
            hostname: String::new(),
            running: BTreeMap::new(),
            failed: BTreeMap::new(),
            journal: Journal::default(),
            modules: Vec::new(),
            sysctls: BTreeMap::new(),
            swap: false,
            next_pid: 400,
            seed: parts.seed,
            drawn: 0,
        };
        machine.emmc.recount();
        if let Some(filesystem) = &mut machine.nvme.filesystem {
            filesystem.tree.recount();
        }
        if first {
            machine.lay_out();
        }
        machine.boot();
        machine
    }

    /// Random bytes of its own, the same for the same seed.
    pub(crate) fn random(&mut self) -> [u8; 32] {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.drawn.to_le_bytes());
        hash.finalize().into()
    }

    /// A new UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let mut b = self.random();
        b[6] = b[6] & 0x0f | 0x40;
        b[8] = b[8] & 0x3f | 0x80;
        let hex = hex(&b[..16]);
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    /// Seconds since 1970.
    pub(crate) fn seconds(&self) -> u64 {
        self.now.as_secs()
    }

    /// Time since the boot.
    pub(crate) fn uptime(&self) -> Duration {
        self.now.saturating_sub(self.booted)
    }

    pub(crate) fn pid(&mut self) -> u32 {
        self.next_pid += 1;
        self.next_pid
    }

    /// Its host name.
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.hostname
    }

    /// Whether a service runs.
    #[must_use]
    pub fn is_active(&self, unit: &str) -> bool {
        self.running.contains_key(unit)
    }

    /// A line in the journal.
    pub(crate) fn log(&mut self, unit: &str, text: &str) {
        let at = self.now;
        self.journal.add(at, unit, text);
    }

    /// Which volume a clean path is on, and its path there.
    pub(crate) fn place<'a>(&self, path: &'a str) -> (Volume, &'a str) {
        if let Some(mounted) = &self.mounted
            && let Some(rest) = path.strip_prefix(mounted.as_str())
            && (rest.is_empty() || rest.starts_with('/'))
        {
            return (Volume::Nvme, if rest.is_empty() { "/" } else { rest });
        }
        let in_memory = IN_MEMORY.iter().any(|at| {
            path.strip_prefix(at)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        let volume = if in_memory {
            Volume::Memory
        } else {
            Volume::Emmc
        };
        (volume, path)
    }

    pub(crate) fn tree(&self, volume: Volume) -> &Tree {
        match (volume, &self.nvme.filesystem) {
            (Volume::Emmc, _) => &self.emmc,
            (Volume::Nvme, Some(filesystem)) => &filesystem.tree,
            (Volume::Memory | Volume::Nvme, _) => &self.memory,
        }
    }

    pub(crate) fn tree_mut(&mut self, volume: Volume) -> &mut Tree {
        match (volume, &mut self.nvme.filesystem) {
            (Volume::Emmc, _) => &mut self.emmc,
            (Volume::Nvme, Some(filesystem)) => &mut filesystem.tree,
            (Volume::Memory | Volume::Nvme, _) => &mut self.memory,
        }
    }

    /// What a clean path stands for.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let (volume, inner) = self.place(path);
        self.tree(volume).entry(inner)
    }

    /// The names in a directory.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let (volume, inner) = self.place(directory);
        self.tree(volume).names(inner).map(str::to_owned).collect()
    }

    /// The bytes of a file, by its path from the root, with no regard to who asks.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        let path = self.resolve("root", "/", path, true).ok()?;
        match &self.entry(&path)?.content {
            Content::File(bytes) => Some(&bytes.0),
            _ => None,
        }
    }

    /// The text of a file; empty when there is none.
    pub(crate) fn text(&self, path: &str) -> String {
        self.file(path)
            .map_or_else(String::new, |b| String::from_utf8_lossy(b).into_owned())
    }

    /// Puts a file where the system wants it, with the directories above it.
    ///
    /// # Errors
    /// When there is no room.
    pub fn install(
        &mut self,
        path: &str,
        bytes: impl Into<Vec<u8>>,
        mode: u16,
        owner: &str,
    ) -> Result<(), Errno> {
        self.install_directory(crate::files::parent(path), "root", 0o755)?;
        let path = self.resolve("root", "/", path, true)?;
        let entry = Entry::new(
            Content::File(Bytes(bytes.into())),
            mode,
            owner,
            self.seconds(),
        );
        let (volume, inner) = self.place(&path);
        let inner = inner.to_owned();
        self.tree_mut(volume).put(&inner, entry)
    }

    /// Makes a directory and those above it; what is there stays as it is.
    pub(crate) fn install_directory(
        &mut self,
        path: &str,
        owner: &str,
        mode: u16,
    ) -> Result<(), Errno> {
        let mut at = String::from("/");
        for part in path.split('/').filter(|p| !p.is_empty()) {
            let next = join(&at, part);
            at = self.resolve("root", "/", &next, true)?;
            if self.entry(&at).is_none() {
                let entry = Entry::new(Content::Directory, mode, owner, self.seconds());
                let (volume, inner) = self.place(&at);
                let inner = inner.to_owned();
                self.tree_mut(volume).put(&inner, entry)?;
            }
        }
        Ok(())
    }

    /// Makes a symbolic link in place of what was there.
    pub(crate) fn install_link(&mut self, path: &str, to: &str) -> Result<(), Errno> {
        self.install_directory(crate::files::parent(path), "root", 0o755)?;
        let path = self.resolve("root", "/", path, false)?;
        let entry = Entry::new(Content::Link(to.into()), 0o777, "root", self.seconds());
        let (volume, inner) = self.place(&path);
        let inner = inner.to_owned();
        self.tree_mut(volume).put(&inner, entry)
    }

    /// Takes away a path with all below it, with no regard to who asks.
    pub(crate) fn uninstall(&mut self, path: &str) {
        if let Ok(path) = self.resolve("root", "/", path, false) {
            let (volume, inner) = self.place(&path);
            let inner = inner.to_owned();
            self.tree_mut(volume).remove(&inner);
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}
