// SPDX-License-Identifier: Apache-2.0
//! `apt-get` and `dpkg`: packages that provisioning asks for, kept in `/var/lib/dpkg/status`.

use std::time::Duration;

use super::Call;
use crate::machine::Machine;
use crate::units::unit_file;

const STATUS: &str = "/var/lib/dpkg/status";
/// What there is, and which service comes with it.
const PACKAGES: [(&str, Option<(&str, &str)>); 16] = [
    ("open-iscsi", Some(("iscsid", "/usr/sbin/iscsid"))),
    ("nfs-common", None),
    ("curl", None),
    ("wget", None),
    ("jq", None),
    ("git", None),
    ("ca-certificates", None),
    ("nvme-cli", None),
    ("parted", None),
    ("e2fsprogs", None),
    ("xfsprogs", None),
    ("cryptsetup", None),
    ("iptables", None),
    ("chrony", None),
    ("unattended-upgrades", None),
    ("apparmor", None),
];

fn installed(machine: &Machine) -> Vec<String> {
    let status = machine.text(STATUS);
    status
        .lines()
        .filter_map(|l| l.strip_prefix("Package: ").map(str::to_owned))
        .collect()
}

fn record(machine: &mut Machine, packages: &[String]) -> bool {
    let text: String = packages
        .iter()
        .map(|p| format!("Package: {p}\nStatus: install ok installed\n\n"))
        .collect();
    machine.install(STATUS, text, 0o644, "root").is_ok()
}

pub(super) fn apt(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "yqfdm",
        "oqt",
        &[
            ("yes", 'y'),
            ("quiet", 'q'),
            ("no-install-recommends", 'R'),
            ("assume-yes", 'y'),
            ("purge", 'P'),
            ("allow-downgrades", 'y'),
        ],
    ) {
        Ok(options) => options,
        Err(_) => return 100,
    };
    let Some((verb, packages)) = options.operands.split_first() else {
        call.complain("E: a command is needed: update, install, remove");
        return 100;
    };
    if call.user.name != "root" {
        call.complain("E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?");
        return 100;
    }
    let mut have = installed(machine);
    match verb.as_str() {
        "update" => {
            call.wait = Duration::from_secs(5);
            call.say("Hit:1 http://ports.ubuntu.com/ubuntu-ports noble InRelease\nReading package lists...");
        }
        "upgrade" | "dist-upgrade" | "full-upgrade" | "autoremove" | "clean" => {
            call.say("Reading package lists...\n0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.");
        }
        "install" => {
            if let Some(unknown) = packages
                .iter()
                .find(|p| !PACKAGES.iter().any(|(n, _)| n == p))
            {
                call.complain(&format!("E: Unable to locate package {unknown}"));
                return 100;
            }
            let new: Vec<&String> = packages.iter().filter(|p| !have.contains(p)).collect();
            call.say(&format!("Reading package lists...\n0 upgraded, {} newly installed, 0 to remove and 0 not upgraded.", new.len()));
            for package in new {
                call.wait += Duration::from_secs(4);
                call.say(&format!("Setting up {package} ..."));
                have.push(package.clone());
                let service = PACKAGES
                    .iter()
                    .find(|(n, _)| n == package)
                    .and_then(|(_, s)| *s);
                if let Some((name, program)) = service {
                    machine.install_program(program);
                    let path = format!("/usr/lib/systemd/system/{name}.service");
                    let _ = machine.install(&path, unit_file(package, program), 0o644, "root");
                    machine.enable(name);
                    let _ = machine.start_unit(name);
                }
            }
            if !record(machine, &have) {
                call.complain("E: Write error - write (28: No space left on device)");
                return 100;
            }
        }
        "remove" | "purge" => {
            have.retain(|p| !packages.contains(p));
            record(machine, &have);
            call.say("Reading package lists...");
        }
        other => {
            call.complain(&format!("E: Invalid operation {other}"));
            return 100;
        }
    }
    0
}

pub(super) fn dpkg(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let have = installed(machine);
    match call.words.first().map(String::as_str) {
        Some("--print-architecture") => {
            call.say("arm64");
            0
        }
        Some("-s" | "--status") => {
            let package = call.words.get(1).cloned().unwrap_or_default();
            if have.contains(&package) {
                call.say(&format!("Package: {package}\nStatus: install ok installed"));
                return 0;
            }
            call.fail(
                format!("package '{package}' is not installed and no information is available"),
                1,
            )
        }
        Some("-l" | "--list") => {
            have.iter().for_each(|p| call.say(&format!("ii  {p}")));
            0
        }
        _ => call.fail("-s, -l and --print-architecture are what there is", 2),
    }
}
