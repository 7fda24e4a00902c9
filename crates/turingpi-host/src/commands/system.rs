// SPDX-License-Identifier: Apache-2.0
//! Commands about the system as a whole.

use super::Call;
use super::list::time;
use crate::image::is_name;
use crate::layout::KERNEL;
use crate::machine::{Machine, Power};

/// Takes what it is told and has nothing to do.
pub(super) fn nothing(_machine: &mut Machine, _call: &mut Call<'_>) -> i32 {
    0
}

pub(super) fn uname(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("all", 'a'),
        ("machine", 'm'),
        ("kernel-release", 'r'),
        ("kernel-name", 's'),
        ("nodename", 'n'),
    ];
    let options = match call.options("asnrvmpio", "", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let built = "#1 SMP Thu Mar 6 12:00:00 UTC 2025";
    let parts = [
        ('s', "Linux"),
        ('n', machine.hostname()),
        ('r', KERNEL),
        ('v', built),
        ('m', "aarch64"),
        ('o', "GNU/Linux"),
    ];
    let none = "snrvmo".chars().all(|l| !options.has(l)) && !options.has('a');
    let line: Vec<&str> = parts
        .iter()
        .filter(|(letter, _)| options.has(*letter) || options.has('a') || (none && *letter == 's'))
        .map(|(_, text)| *text)
        .collect();
    call.say(&line.join(" "));
    0
}

pub(super) fn arch(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    call.say("aarch64");
    0
}

pub(super) fn hostname(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    match call.words.first().map(String::as_str) {
        None | Some("-s" | "-f" | "--fqdn" | "--short") => {
            let name = machine.hostname().to_owned();
            call.say(&name);
        }
        Some("-I" | "-i") => {
            let address = machine.address();
            call.say(&format!("{address} "));
        }
        Some(_) if call.needs_root("you must be root to change the host name") => return 1,
        Some(name) if is_name(name) => name.clone_into(&mut machine.hostname),
        Some(_) => return call.fail("the specified hostname is invalid", 1),
    }
    0
}

pub(super) fn hostnamectl(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let words: Vec<&str> = call.words.iter().map(String::as_str).collect();
    match words[..] {
        ["set-hostname" | "hostname", name] => {
            if call
                .needs_root("Could not set static hostname: Interactive authentication required.")
            {
                return 1;
            }
            if !is_name(name) {
                return call.fail(
                    format!("Could not set static hostname: Invalid static hostname '{name}'"),
                    1,
                );
            }
            name.clone_into(&mut machine.hostname);
            match machine.install("/etc/hostname", format!("{name}\n"), 0o644, "root") {
                Ok(()) => 0,
                Err(e) => call.fail(format!("Could not set static hostname: {e}"), 1),
            }
        }
        ["hostname"] | ["--static"] => {
            let name = machine.text("/etc/hostname");
            call.say(name.trim());
            0
        }
        [] | ["status"] => {
            let id = machine.text("/etc/machine-id");
            let lines = format!(
                " Static hostname: {}\n      Machine ID: {}\nOperating System: {}\n          Kernel: Linux {KERNEL}\n    Architecture: arm64\n  Hardware Model: {}",
                machine.text("/etc/hostname").trim(),
                id.trim(),
                machine.image.os,
                machine.hardware.model
            );
            call.say(&lines);
            0
        }
        _ => call.fail(
            format!("Unknown command verb {}.", words.first().unwrap_or(&"")),
            1,
        ),
    }
}

pub(super) fn nproc(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    call.say(&machine.hardware.cores.to_string());
    0
}

pub(super) fn free(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "bkmghtw",
        "",
        &[("human", 'h'), ("mega", 'm'), ("giga", 'g'), ("bytes", 'b')],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let total = machine.hardware.memory_kib;
    let used = total / 8;
    let swap = if machine.swap { total / 2 } else { 0 };
    let show = |kib: u64| {
        if options.has('b') {
            (kib * 1024).to_string()
        } else if options.has('m') {
            (kib >> 10).to_string()
        } else if options.has('g') {
            (kib >> 20).to_string()
        } else if options.has('h') {
            size(kib << 10) + "i"
        } else {
            kib.to_string()
        }
    };
    call.say("               total        used        free      shared  buff/cache   available");
    for (name, total, used) in [("Mem:", total, used), ("Swap:", swap, 0)] {
        let mut line = format!(
            "{name:<9}{:>11} {:>11} {:>11}",
            show(total),
            show(used),
            show(total - used)
        );
        if name == "Mem:" {
            line += &format!(
                " {:>11} {:>11} {:>11}",
                show(0),
                show(0),
                show(total - used)
            );
        }
        call.say(&line);
    }
    0
}

/// A size as `df -h` and `lsblk` show it.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = 0;
    let mut tenths = bytes.saturating_mul(10);
    while tenths >= 10_240 && unit < 5 {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    let letter = ["B", "K", "M", "G", "T", "P"][unit];
    if tenths.is_multiple_of(10) || tenths >= 1000 {
        format!("{}{letter}", tenths / 10)
    } else {
        format!("{}.{}{letter}", tenths / 10, tenths % 10)
    }
}

pub(super) fn uptime(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let seconds = machine.uptime().as_secs();
    let line = if call.words.first().is_some_and(|w| w == "-s") {
        time(machine.booted.as_secs(), "%Y-%m-%d %H:%M:%S").unwrap_or_default()
    } else if call.words.first().is_some_and(|w| w == "-p") {
        format!("up {} minutes", seconds / 60)
    } else {
        let now = time(machine.seconds(), "%H:%M:%S").unwrap_or_default();
        format!(
            " {now} up {} min,  1 user,  load average: 0.00, 0.00, 0.00",
            seconds / 60
        )
    };
    call.say(&line);
    0
}

pub(super) fn date(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("utc", 'u'),
        ("date", 'd'),
        ("set", 's'),
        ("iso-8601", 'I'),
        ("rfc-3339", 'R'),
    ];
    let options = match call.options("uIR", "ds", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    if options.has('s') {
        return call.fail("cannot set date: the clock is the simulator's", 1);
    }
    let seconds = match options.value('d') {
        None | Some("now") => machine.seconds(),
        Some(text) => match text.strip_prefix('@').and_then(|t| t.parse().ok()) {
            Some(seconds) => seconds,
            None => return call.fail(format!("invalid date ‘{text}’"), 1),
        },
    };
    let format = match options.operands.first() {
        Some(format) => match format.strip_prefix('+') {
            Some(format) => format.replace("%N", "000000000"),
            None => return call.fail(format!("invalid date ‘{format}’"), 1),
        },
        None if options.has('I') => "%Y-%m-%dT%H:%M:%S+00:00".into(),
        None => "%a %b %e %H:%M:%S UTC %Y".into(),
    };
    match time(seconds, &format) {
        Some(line) => {
            call.say(&line);
            0
        }
        None => call.fail(format!("invalid format ‘{format}’"), 1),
    }
}

pub(super) fn dmesg(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let booted = machine.booted;
    let lines: Vec<String> = machine
        .journal
        .lines()
        .filter(|l| l.unit == "kernel")
        .map(|l| {
            format!(
                "[{:>12.6}] {}",
                l.at.saturating_sub(booted).as_secs_f64(),
                l.text
            )
        })
        .collect();
    lines.iter().for_each(|l| call.say(l));
    0
}

pub(super) fn timedatectl(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let now = time(machine.seconds(), "%a %Y-%m-%d %H:%M:%S UTC").unwrap_or_default();
    let synchronized = if machine.is_active("systemd-timesyncd") {
        "yes"
    } else {
        "no"
    };
    call.say(&format!("               Local time: {now}\n           Universal time: {now}\n                Time zone: Etc/UTC (UTC, +0000)\nSystem clock synchronized: {synchronized}"));
    0
}

pub(super) fn cloud_init(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    match call.words.first().map(String::as_str) {
        Some("status") => {
            call.say("status: done");
            0
        }
        Some("--version") => {
            call.say("/usr/bin/cloud-init 24.4");
            0
        }
        _ => call.fail("argument subcommand: status is what there is", 2),
    }
}

fn power(machine: &mut Machine, call: &mut Call<'_>, power: Power) -> i32 {
    if call.needs_root("Call to Reboot failed: Interactive authentication required.") {
        return 1;
    }
    machine.power = Some(power);
    0
}

pub(super) fn reboot(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    power(machine, call, Power::Reboot)
}

pub(super) fn poweroff(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    power(machine, call, Power::Off)
}

/// `shutdown -r now`, `shutdown -h +1`: after the time that is named.
pub(super) fn shutdown(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let again = call
        .words
        .iter()
        .any(|w| matches!(w.as_str(), "-r" | "--reboot"));
    if call.words.iter().any(|w| w == "-c") {
        return 0;
    }
    let when = call
        .words
        .iter()
        .find(|w| !w.starts_with('-'))
        .map_or("+1", String::as_str);
    let minutes = match when {
        "now" => 0,
        other => match other.trim_start_matches('+').parse::<u64>() {
            Ok(minutes) if minutes < 1440 => minutes,
            _ => return call.fail(format!("Failed to parse time specification: {other}"), 1),
        },
    };
    call.wait = std::time::Duration::from_secs(minutes * 60);
    power(
        machine,
        call,
        if again { Power::Reboot } else { Power::Off },
    )
}

pub(super) fn modprobe(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.needs_root("ERROR: could not insert module: Operation not permitted") {
        return 1;
    }
    let known = [
        "br_netfilter",
        "overlay",
        "iscsi_tcp",
        "nf_conntrack",
        "ip_tables",
        "ip_vs",
        "vxlan",
        "dm_crypt",
        "nfs",
        "wireguard",
        "xt_comment",
    ];
    let remove = call.words.iter().any(|w| w == "-r");
    let mut code = 0;
    for word in call.words.iter().filter(|w| !w.starts_with('-')) {
        if remove {
            machine.modules.retain(|m| m != word);
        } else if !known.contains(&word.as_str()) {
            code = call.fail(
                format!("FATAL: Module {word} not found in directory /lib/modules/{KERNEL}"),
                1,
            );
        } else if !machine.modules.contains(word) {
            machine.modules.push(word.clone());
        }
    }
    code
}

pub(super) fn lsmod(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    call.say("Module                  Size  Used by");
    machine
        .modules
        .iter()
        .for_each(|m| call.say(&format!("{m:<20} 16384  0")));
    0
}

pub(super) fn sysctl(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("wnqae", "p", &[("system", 's'), ("load", 'p')]) {
        Ok(options) => options,
        Err(code) if call.words.iter().any(|w| w == "-p") => {
            // `-p` alone means the usual file
            call.stderr.clear();
            let _ = code;
            let text = machine.text("/etc/sysctl.conf");
            machine.set_sysctls(&text).iter().for_each(|l| call.say(l));
            return 0;
        }
        Err(code) => return code,
    };
    let sets = options.has('w')
        || options.has('p')
        || options.has('s')
        || options.operands.iter().any(|o| o.contains('='));
    if sets && call.needs_root("permission denied on key") {
        return 1;
    }
    let mut text = options
        .value('p')
        .map(|p| machine.text(p))
        .unwrap_or_default();
    if options.has('s') {
        for file in machine.names("/etc/sysctl.d") {
            text += &machine.text(&format!("/etc/sysctl.d/{file}"));
        }
    }
    let mut code = 0;
    for operand in &options.operands {
        if operand.contains('=') {
            text += &format!("{operand}\n");
        } else if let Some(value) = machine.sysctls.get(operand) {
            let line = if options.has('n') {
                value.clone()
            } else {
                format!("{operand} = {value}")
            };
            call.say(&line);
        } else {
            let path = operand.replace('.', "/");
            code = call.fail(
                format!("cannot stat /proc/sys/{path}: No such file or directory"),
                1,
            );
        }
    }
    let set = machine.set_sysctls(&text);
    if !options.has('q') {
        set.iter().for_each(|l| call.say(l));
    }
    code
}

pub(super) fn swapoff(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.needs_root("Not superuser.") {
        return 1;
    }
    machine.swap = false;
    0
}

pub(super) fn swapon(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.words.iter().any(|w| w == "--show" || w == "-s") {
        if machine.swap {
            call.say("NAME       TYPE      SIZE USED PRIO\n/dev/zram0 partition   8G   0B    5");
        }
        return 0;
    }
    if call.needs_root("Not superuser.") {
        return 1;
    }
    machine.swap = true;
    0
}
