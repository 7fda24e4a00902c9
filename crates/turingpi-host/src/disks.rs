// SPDX-License-Identifier: Apache-2.0
//! Block devices: the eMMC that the system runs from, and an NVMe disk that may hold one file system.

use crate::files::Tree;
use crate::machine::{Filesystem, Machine};

/// A block device as `lsblk` tells it.
pub(crate) struct Block {
    pub(crate) name: &'static str,
    pub(crate) bytes: u64,
    pub(crate) kind: &'static str,
    pub(crate) filesystem: String,
    pub(crate) uuid: String,
    pub(crate) label: String,
    pub(crate) mounted: String,
}

impl Machine {
    /// The device that the NVMe disk's file system is on, or would be.
    fn nvme_device(&self) -> &'static str {
        if self.nvme.partitioned {
            "nvme0n1p1"
        } else {
            "nvme0n1"
        }
    }

    /// UUID of the root file system.
    fn root_uuid(&self) -> String {
        let table = self.text("/etc/fstab");
        let first = table
            .lines()
            .find(|l| l.split_whitespace().nth(1) == Some("/"));
        first
            .and_then(|l| {
                l.split_whitespace()
                    .next()?
                    .strip_prefix("UUID=")
                    .map(str::to_owned)
            })
            .unwrap_or_default()
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let block = |name, bytes, kind| Block {
            name,
            bytes,
            kind,
            filesystem: String::new(),
            uuid: String::new(),
            label: String::new(),
            mounted: String::new(),
        };
        let mut root = block("mmcblk0p1", self.hardware.emmc_bytes - (16 << 20), "part");
        root.filesystem = "ext4".into();
        root.uuid = self.root_uuid();
        root.mounted = "/".into();
        let mut blocks = vec![block("mmcblk0", self.hardware.emmc_bytes, "disk"), root];
        if self.hardware.nvme_bytes == 0 {
            return blocks;
        }
        blocks.push(block("nvme0n1", self.hardware.nvme_bytes, "disk"));
        if self.nvme.partitioned {
            blocks.push(block(
                "nvme0n1p1",
                self.hardware.nvme_bytes - (2 << 20),
                "part",
            ));
        }
        if let (Some(filesystem), Some(last)) = (&self.nvme.filesystem, blocks.last_mut()) {
            last.filesystem.clone_from(&filesystem.kind);
            last.uuid.clone_from(&filesystem.uuid);
            last.label.clone_from(&filesystem.label);
            last.mounted = self.mounted.clone().unwrap_or_default();
        }
        blocks
    }

    /// The device that a path, `UUID=` or `LABEL=` means.
    pub(crate) fn block(&self, device: &str) -> Option<Block> {
        self.blocks().into_iter().find(|b| {
            device.strip_prefix("/dev/") == Some(b.name)
                || device
                    .strip_prefix("UUID=")
                    .is_some_and(|u| u.trim_matches('"') == b.uuid && !u.is_empty())
                || device
                    .strip_prefix("LABEL=")
                    .is_some_and(|l| l.trim_matches('"') == b.label && !l.is_empty())
                || device
                    .strip_prefix("/dev/disk/by-uuid/")
                    .is_some_and(|u| u == b.uuid)
        })
    }

    /// Mounts the NVMe disk's file system.
    pub(crate) fn mount(&mut self, device: &str, at: &str) -> Result<(), String> {
        let Ok(path) = self.resolve("root", "/", at, true) else {
            return Err(format!("mount: {at}: mount point does not exist."));
        };
        if !self
            .entry(&path)
            .is_some_and(crate::files::Entry::is_directory)
        {
            return Err(format!("mount: {at}: mount point does not exist."));
        }
        let Some(block) = self.block(device) else {
            return Err(if device.starts_with('/') {
                format!("mount: {at}: special device {device} does not exist.")
            } else {
                format!("mount: {at}: can't find {device}.")
            });
        };
        if block.name != self.nvme_device() || block.filesystem.is_empty() {
            let bad = "wrong fs type, bad option, bad superblock on";
            return Err(format!(
                "mount: {at}: {bad} /dev/{}, missing codepage or helper program, or other error.",
                block.name
            ));
        }
        if let Some(mounted) = &self.mounted {
            return Err(format!(
                "mount: {at}: /dev/{} already mounted on {mounted}.",
                block.name
            ));
        }
        self.mounted = Some(path);
        Ok(())
    }

    /// Makes a file system on a device, in place of what was there.
    pub(crate) fn make_filesystem(
        &mut self,
        device: &str,
        kind: &str,
        label: &str,
    ) -> Result<String, String> {
        let Some(block) = self.block(device) else {
            return Err(format!(
                "The file {device} does not exist and no size was specified."
            ));
        };
        if !block.mounted.is_empty() {
            return Err(format!(
                "{device} is mounted; will not make a filesystem here!"
            ));
        }
        if block.name != self.nvme_device() {
            return Err(format!(
                "{device} is apparently in use by the system; will not make a filesystem here!"
            ));
        }
        let uuid = self.uuid();
        self.nvme.filesystem = Some(Filesystem {
            kind: kind.into(),
            uuid: uuid.clone(),
            label: label.into(),
            tree: Tree::default(),
        });
        Ok(uuid)
    }

    /// Gives the NVMe disk a partition table with one partition, or takes all signatures from it.
    pub(crate) fn partition(&mut self, device: &str, partitioned: bool) -> Result<(), String> {
        let Some(block) = self.block(device) else {
            return Err(format!("{device}: No such file or directory"));
        };
        if block.name.starts_with("mmc") || self.mounted.is_some() {
            return Err(format!("{device}: Device or resource busy"));
        }
        let whole = block.name == "nvme0n1";
        self.nvme.filesystem = None;
        if whole {
            self.nvme.partitioned = partitioned;
            let path = "/dev/nvme0n1p1";
            if partitioned {
                let entry = crate::files::Entry::new(
                    crate::files::Content::Device,
                    0o660,
                    "root",
                    self.seconds(),
                );
                let _ = self.memory.put(path, entry);
            } else {
                self.memory.remove(path);
            }
        }
        Ok(())
    }
}
