// SPDX-License-Identifier: Apache-2.0
//! What an image lays out on its first boot, and what each boot begins anew.

use crate::commands::COMMANDS;
use crate::files::{Content, Entry, Tree};
use crate::machine::Machine;
use crate::units::unit_file;

/// What an executable of the system begins with; its name says what it does.
pub(crate) const PROGRAM: &[u8] = b"\x7fELF\x02\x01\x01 aarch64";
/// The kernel.
pub(crate) const KERNEL: &str = "6.1.84-vendor-rk35xx";

/// Services that are there from the start, and what they are for.
const SERVICES: [(&str, &str, &str); 3] = [
    ("ssh", "OpenBSD Secure Shell server", "/usr/sbin/sshd -D"),
    (
        "systemd-timesyncd",
        "Network Time Synchronization",
        "/usr/lib/systemd/systemd-timesyncd",
    ),
    (
        "cron",
        "Regular background program processing daemon",
        "/usr/sbin/cron -f",
    ),
];

impl Machine {
    /// Lays out the files of the image.
    pub(crate) fn lay_out(&mut self) {
        self.emmc = Tree::default();
        let now = self.seconds();
        for directory in [
            "/boot",
            "/dev",
            "/etc",
            "/home",
            "/mnt",
            "/media",
            "/opt",
            "/proc",
            "/run",
            "/srv",
            "/sys",
            "/tmp",
            "/usr/bin",
            "/usr/sbin",
            "/usr/local/bin",
            "/usr/lib/systemd/system",
            "/etc/systemd/system/multi-user.target.wants",
            "/etc/ssh",
            "/etc/sudoers.d",
            "/etc/modules-load.d",
            "/etc/sysctl.d",
            "/etc/apt/sources.list.d",
            "/var/log",
            "/var/lib",
            "/var/tmp",
        ] {
            // there is room for this much
            let entry = Entry::new(Content::Directory, 0o755, "root", now);
            let mut at = String::new();
            for part in directory.split('/').skip(1) {
                at = format!("{at}/{part}");
                if self.emmc.entry(&at).is_none() {
                    let _ = self.emmc.put(&at, entry.clone());
                }
            }
        }
        for (link, to) in [
            ("/bin", "usr/bin"),
            ("/sbin", "usr/sbin"),
            ("/lib", "usr/lib"),
        ] {
            let _ = self.install_link(link, to);
        }
        for program in crate::shell::PROGRAMS {
            self.install_program(&format!("/usr/bin/{program}"));
        }
        for command in COMMANDS {
            self.install_program(&format!("{}/{}", command.directory, command.name));
        }
        for shell in [
            "/usr/bin/sh",
            "/usr/bin/bash",
            "/usr/sbin/sshd",
            "/usr/lib/systemd/systemd-timesyncd",
            "/usr/sbin/cron",
        ] {
            self.install_program(shell);
        }
        let image = self.image.clone();
        let hostname = image
            .hostname
            .clone()
            .unwrap_or_else(|| format!("{}-{}", self.hardware.short, self.hardware.slot));
        let mut words = image.os.split_whitespace();
        let (name, version) = (words.next().unwrap_or("Linux"), words.next().unwrap_or(""));
        let machine_id = self.uuid().replace('-', "");
        let root_uuid = self.uuid();
        let files = [
            ("/etc/hostname", format!("{hostname}\n")),
            (
                "/etc/hosts",
                format!("127.0.0.1 localhost\n127.0.1.1 {hostname}\n::1 localhost ip6-localhost\n"),
            ),
            ("/etc/machine-id", format!("{machine_id}\n")),
            (
                "/etc/os-release",
                format!(
                    "PRETTY_NAME=\"{}\"\nNAME=\"{name}\"\nVERSION_ID=\"{version}\"\nID={}\nID_LIKE=debian\n",
                    image.os,
                    name.to_ascii_lowercase()
                ),
            ),
            (
                "/etc/fstab",
                format!(
                    "UUID={root_uuid} / ext4 defaults,noatime 0 1\ntmpfs /tmp tmpfs defaults 0 0\n"
                ),
            ),
            ("/etc/resolv.conf", "nameserver 10.10.88.1\n".into()),
            (
                "/etc/ssh/sshd_config",
                "PermitRootLogin yes\nPasswordAuthentication yes\n".into(),
            ),
            (
                "/boot/cmdline.txt",
                format!("root=UUID={root_uuid} rootwait rw console=ttyS9,115200\n"),
            ),
            ("/etc/passwd", String::new()),
            ("/etc/shadow", String::new()),
            ("/etc/group", "sudo:x:27:\n".into()),
        ];
        for (path, text) in files {
            let mode = if path == "/etc/shadow" { 0o640 } else { 0o644 };
            let _ = self.install(path, text, mode, "root");
        }
        self.add_user("root", "/root", "/bin/bash");
        if image.user != "root" {
            self.add_user(&image.user, &format!("/home/{}", image.user), "/bin/bash");
            self.add_to_group(&image.user, "sudo");
            let line = format!("{} ALL=(ALL) NOPASSWD:ALL\n", image.user);
            let _ = self.install(
                &format!("/etc/sudoers.d/90-{}", image.user),
                line,
                0o440,
                "root",
            );
        }
        self.set_password(&image.user, &image.password);
        if !image.authorized_keys.is_empty()
            && let Some(user) = self.user(&image.user)
        {
            let directory = format!("{}/.ssh", user.home);
            let _ = self.install_directory(&directory, &user.name, 0o700);
            let keys = image.authorized_keys.join("\n") + "\n";
            let _ = self.install(
                &format!("{directory}/authorized_keys"),
                keys,
                0o600,
                &user.name,
            );
        }
        for (name, about, program) in SERVICES {
            let _ = self.install(
                &format!("/usr/lib/systemd/system/{name}.service"),
                unit_file(about, program),
                0o644,
                "root",
            );
            self.enable(name);
        }
    }

    /// An executable of the system.
    pub(crate) fn install_program(&mut self, path: &str) {
        let _ = self.install(path, PROGRAM, 0o755, "root");
    }

    /// Ends what ran and begins anew.
    pub fn boot(&mut self) {
        self.memory = Tree::default();
        self.mounted = None;
        self.running.clear();
        self.failed.clear();
        self.journal = Default::default();
        self.modules.clear();
        self.sysctls = [
            ("net.ipv4.ip_forward", "0"),
            ("vm.swappiness", "60"),
            ("kernel.hostname", ""),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .into();
        self.swap = true;
        self.power = None;
        self.booted = self.now;
        self.boots += 1;
        self.next_pid = 400;
        let now = self.seconds();
        for (directory, mode) in [
            ("/tmp", 0o1777),
            ("/run", 0o755),
            ("/dev", 0o755),
            ("/proc", 0o555),
            ("/sys", 0o555),
        ] {
            let _ = self
                .memory
                .put(directory, Entry::new(Content::Directory, mode, "root", now));
        }
        let mut devices = vec!["null", "zero", "console", "mmcblk0", "mmcblk0p1"];
        if self.hardware.nvme_bytes > 0 {
            devices.push("nvme0n1");
            if self.nvme.partitioned {
                devices.push("nvme0n1p1");
            }
        }
        for device in devices {
            let mode = if matches!(device, "null" | "zero") {
                0o666
            } else {
                0o660
            };
            let _ = self.memory.put(
                &format!("/dev/{device}"),
                Entry::new(Content::Device, mode, "root", now),
            );
        }
        let line = self.text("/boot/cmdline.txt");
        let processors: String = (0..self.hardware.cores)
            .map(|i| format!("processor\t: {i}\nBogoMIPS\t: 48.00\n\n"))
            .collect();
        let memory = self.hardware.memory_kib;
        for (path, text) in [
            ("/proc/cmdline", line),
            ("/proc/cpuinfo", processors),
            (
                "/proc/meminfo",
                format!(
                    "MemTotal:       {memory} kB\nMemFree:        {} kB\nMemAvailable:   {} kB\n",
                    memory * 7 / 8,
                    memory * 15 / 16
                ),
            ),
            (
                "/proc/device-tree/model",
                format!("{}\0", self.hardware.model),
            ),
            ("/proc/sys/kernel/hostname", String::new()),
            (
                "/proc/version",
                format!("Linux version {KERNEL} (aarch64)\n"),
            ),
            (
                "/proc/cgroups",
                format!(
                    "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t0\t90\t{}\n",
                    u8::from(self.memory_cgroup())
                ),
            ),
        ] {
            let _ = self.install(path, text, 0o444, "root");
        }
        self.hostname = self.text("/etc/hostname").trim().to_owned();
        if self.hostname.is_empty() {
            "localhost".clone_into(&mut self.hostname);
        }
        self.log(
            "kernel",
            &format!("Booting Linux {KERNEL} on {}", self.hardware.model),
        );
        self.mount_all();
        self.load_modules();
        for unit in self.enabled() {
            // what fails is in the journal
            let _ = self.start_unit(&unit);
        }
    }

    /// Whether containers may have memory limits: a CM4 needs two words on the kernel's command line for it.
    pub(crate) fn memory_cgroup(&self) -> bool {
        let line = self.text("/boot/cmdline.txt");
        self.hardware.short != "cm4"
            || (line.contains("cgroup_memory=1") && line.contains("cgroup_enable=memory"))
    }

    /// What `/etc/modules-load.d` and `/etc/sysctl.d` say.
    fn load_modules(&mut self) {
        for file in self.names("/etc/modules-load.d") {
            let text = self.text(&format!("/etc/modules-load.d/{file}"));
            let modules = text
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty() && !l.starts_with('#'));
            self.modules.extend(modules.map(str::to_owned));
        }
        for file in self.names("/etc/sysctl.d") {
            let text = self.text(&format!("/etc/sysctl.d/{file}"));
            self.set_sysctls(&text);
        }
    }

    /// Takes lines of `name = value`; gives them as `sysctl` shows them.
    pub(crate) fn set_sysctls(&mut self, text: &str) -> Vec<String> {
        let mut set = Vec::new();
        for line in text
            .lines()
            .map(str::trim)
            .filter(|l| !l.starts_with(['#', ';']))
        {
            if let Some((name, value)) = line.split_once('=') {
                let (name, value) = (
                    name.trim().trim_start_matches('-').to_owned(),
                    value.trim().to_owned(),
                );
                set.push(format!("{name} = {value}"));
                self.sysctls.insert(name, value);
            }
        }
        set
    }

    /// Mounts what `/etc/fstab` says of the NVMe disk.
    pub(crate) fn mount_all(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        for line in self.text("/etc/fstab").lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let &[device, at, ..] = &fields[..] else {
                continue;
            };
            if at == "/"
                || device == "tmpfs"
                || device.starts_with('#')
                || fields.contains(&"swap")
                || fields.get(2) == Some(&"swap")
            {
                continue;
            }
            let noauto = fields
                .get(3)
                .is_some_and(|options| options.split(',').any(|o| o == "noauto"));
            if !noauto
                && self.mounted.as_deref() != Some(at)
                && let Err(text) = self.mount(device, at)
            {
                self.log("systemd", &format!("Failed to mount {at}: {text}"));
                wrong.push(text);
            }
        }
        wrong
    }
}
