// SPDX-License-Identifier: Apache-2.0
//! Commands about block devices and what is mounted.

use serde_json::{Value, json};

use super::Call;
use super::system::size;
use crate::disks::Block;
use crate::machine::Machine;

pub(super) fn lsblk(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("json", 'J'),
        ("output", 'o'),
        ("noheadings", 'n'),
        ("fs", 'f'),
        ("bytes", 'b'),
        ("nodeps", 'd'),
        ("paths", 'p'),
        ("list", 'l'),
        ("raw", 'r'),
    ];
    let options = match call.options("Jnfbdplra", "oeI", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let default = if options.has('f') {
        "NAME,FSTYPE,LABEL,UUID,MOUNTPOINTS"
    } else {
        "NAME,SIZE,TYPE,MOUNTPOINTS"
    };
    let columns: Vec<String> = options
        .value('o')
        .unwrap_or(default)
        .split(',')
        .map(|c| c.trim().to_ascii_uppercase())
        .collect();
    let mut blocks = machine.blocks();
    if let Some(missing) = options.operands.iter().find(|o| machine.block(o).is_none()) {
        return call.fail(format!("{missing}: not a block device"), 32);
    }
    if !options.operands.is_empty() {
        let wanted: Vec<String> = options
            .operands
            .iter()
            .filter_map(|o| machine.block(o))
            .map(|b| b.name.to_owned())
            .collect();
        blocks.retain(|b| wanted.iter().any(|w| b.name.starts_with(w.as_str())));
    }
    if options.has('d') {
        blocks.retain(|b| b.kind == "disk");
    }
    let (by_bytes, paths) = (options.has('b'), options.has('p'));
    let tree = !(options.has('l') || options.has('r') || options.has('J') || options.has('d'));
    let value = |b: &Block, column: &str| match column {
        "NAME" => {
            let path = if paths { "/dev/" } else { "" };
            let branch = if tree && b.kind == "part" {
                "└─"
            } else {
                ""
            };
            Some(format!("{branch}{path}{}", b.name))
        }
        "KNAME" => Some(b.name.to_owned()),
        "PATH" => Some(format!("/dev/{}", b.name)),
        "SIZE" => Some(if by_bytes {
            b.bytes.to_string()
        } else {
            size(b.bytes)
        }),
        "TYPE" => Some(b.kind.to_owned()),
        "FSTYPE" => Some(b.filesystem.clone()),
        "LABEL" => Some(b.label.clone()),
        "UUID" => Some(b.uuid.clone()),
        "MOUNTPOINT" | "MOUNTPOINTS" => Some(b.mounted.clone()),
        "RO" | "RM" | "ROTA" => Some("0".into()),
        "MODEL" | "SERIAL" | "PKNAME" | "PARTUUID" => Some(String::new()),
        _ => None,
    };
    if let Some(unknown) = columns
        .iter()
        .find(|c| blocks.first().is_some_and(|b| value(b, c).is_none()))
    {
        return call.fail(format!("unknown column: {unknown}"), 1);
    }
    let rows: Vec<Vec<String>> = blocks
        .iter()
        .map(|b| {
            columns
                .iter()
                .map(|c| value(b, c).unwrap_or_default())
                .collect()
        })
        .collect();
    if options.has('J') {
        json(call, &columns, &rows);
        return 0;
    }
    let width = |i: usize| {
        rows.iter()
            .map(|r| r[i].chars().count())
            .chain([columns[i].len()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let head = (!options.has('n')).then_some(&columns);
    for row in head.into_iter().chain(&rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .zip(&columns)
            .map(|((cell, width), column)| {
                if column == "SIZE" {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        let line = if options.has('r') {
            row.join(" ")
        } else {
            cells.join(" ")
        };
        call.say(line.trim_end());
    }
    0
}

fn json(call: &mut Call<'_>, columns: &[String], rows: &[Vec<String>]) {
    let devices: Vec<Value> = rows
        .iter()
        .map(|row| {
            let fields = columns.iter().zip(row).map(|(column, value)| {
                let value = if value.is_empty() {
                    Value::Null
                } else {
                    json!(value)
                };
                let value = if column == "MOUNTPOINTS" {
                    json!([value])
                } else {
                    value
                };
                (column.to_ascii_lowercase(), value)
            });
            Value::Object(fields.collect())
        })
        .collect();
    call.say(&format!("{:#}", json!({"blockdevices": devices})));
}

pub(super) fn blkid(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("pc", "so", &[("match-tag", 's'), ("output", 'o')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut found = false;
    for block in machine.blocks() {
        let path = format!("/dev/{}", block.name);
        if block.filesystem.is_empty()
            || !(options.operands.is_empty() || options.operands.contains(&path))
        {
            continue;
        }
        found = true;
        let tags: Vec<(&str, &String)> = [
            ("LABEL", &block.label),
            ("UUID", &block.uuid),
            ("TYPE", &block.filesystem),
        ]
        .into_iter()
        .filter(|(tag, value)| !value.is_empty() && options.value('s').is_none_or(|s| s == *tag))
        .collect();
        match options.value('o') {
            Some("value") => tags.iter().for_each(|(_, v)| call.say(v)),
            Some("export") => tags.iter().for_each(|(t, v)| call.say(&format!("{t}={v}"))),
            _ => {
                let line: Vec<String> = tags.iter().map(|(t, v)| format!("{t}=\"{v}\"")).collect();
                call.say(&format!("{path}: {}", line.join(" ")));
            }
        }
    }
    if found { 0 } else { 2 }
}

pub(super) fn mkfs(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.needs_root("Permission denied while trying to determine filesystem size") {
        return 1;
    }
    let options = match call.options("Fqvf", "LmTEbUO", &[]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some(device) = options.operands.first() else {
        return call.fail("no device specified", 1);
    };
    let kind = call.name.trim_start_matches("mkfs.").to_owned();
    match machine.make_filesystem(device, &kind, options.value('L').unwrap_or_default()) {
        Ok(uuid) => {
            call.wait = std::time::Duration::from_secs(3);
            if !options.has('q') {
                call.say(&format!("Creating filesystem on {device}\nFilesystem UUID: {uuid}\nWriting superblocks and filesystem accounting information: done"));
            }
            0
        }
        Err(e) => call.fail(e, 1),
    }
}

pub(super) fn wipefs(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("afqn", "t", &[("all", 'a'), ("force", 'f')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some(device) = options.operands.first() else {
        return call.fail("no device specified", 1);
    };
    if options.has('a') {
        if call.needs_root(&format!(
            "error: {device}: probing initialization failed: Permission denied"
        )) {
            return 1;
        }
        return match machine.partition(device, false) {
            Ok(()) => 0,
            Err(e) => call.fail(format!("error: {e}"), 1),
        };
    }
    match machine.block(device) {
        Some(block) if !block.filesystem.is_empty() => {
            call.say(&format!(
                "DEVICE    OFFSET TYPE UUID\n{:<9} 0x438  {} {}",
                block.name, block.filesystem, block.uuid
            ));
            0
        }
        Some(_) => 0,
        None => call.fail(
            format!("error: {device}: probing initialization failed: No such file or directory"),
            1,
        ),
    }
}

/// `parted -s DEVICE mklabel gpt mkpart …`: one partition over the whole disk.
pub(super) fn parted(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let words: Vec<&String> = call.words.iter().filter(|w| !w.starts_with('-')).collect();
    let Some(device) = words.first() else {
        return call.fail("no device specified", 1);
    };
    if call.needs_root("Permission denied") {
        return 1;
    }
    let does = |verb: &str| {
        words
            .iter()
            .any(|w| w.split_whitespace().any(|w| w == verb))
    };
    if !does("mklabel") && !does("mkpart") {
        return if machine.block(device).is_some() {
            0
        } else {
            call.fail(format!("Could not stat device {device}"), 1)
        };
    }
    match machine.partition(device, does("mkpart")) {
        Ok(()) => 0,
        Err(e) => call.fail(e, 1),
    }
}

pub(super) fn mount(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options(
        "avrw",
        "tolULB",
        &[("all", 'a'), ("types", 't'), ("options", 'o')],
    ) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut operands = options.operands.clone();
    if let Some(uuid) = options.value('U') {
        operands.insert(0, format!("UUID={uuid}"));
    }
    if operands.is_empty() && !options.has('a') {
        call.say("/dev/mmcblk0p1 on / type ext4 (rw,noatime)");
        for block in machine
            .blocks()
            .iter()
            .filter(|b| !b.mounted.is_empty() && b.mounted != "/")
        {
            call.say(&format!(
                "/dev/{} on {} type {} (rw)",
                block.name, block.mounted, block.filesystem
            ));
        }
        return 0;
    }
    if call.needs_root("only root can do that") {
        return 1;
    }
    if options.has('a') {
        let wrong = machine.mount_all();
        wrong.iter().for_each(|w| call.complain(w));
        return if wrong.is_empty() { 0 } else { 32 };
    }
    let (device, at) = match &operands[..] {
        [device, at] => (device.clone(), at.clone()),
        // one of the two is looked up in the table
        [one] => {
            let table = machine.text("/etc/fstab");
            let line = table
                .lines()
                .map(|l| l.split_whitespace().collect::<Vec<_>>())
                .find(|f| f.len() > 1 && (f[0] == one || f[1] == one));
            match line {
                Some(fields) => (fields[0].to_owned(), fields[1].to_owned()),
                None => return call.fail(format!("{one}: can't find in /etc/fstab."), 1),
            }
        }
        _ => return call.fail("bad usage", 1),
    };
    match machine
        .resolve(&call.user.name, call.cwd, &at, true)
        .map_err(|e| format!("mount: {at}: {e}"))
        .and_then(|at| machine.mount(&device, &at))
    {
        Ok(()) => 0,
        Err(text) => {
            call.complain(&text);
            32
        }
    }
}

pub(super) fn umount(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.needs_root("only root can do that") {
        return 1;
    }
    for at in call.words.iter().filter(|w| !w.starts_with('-')) {
        let path = machine
            .resolve("root", call.cwd, at, true)
            .unwrap_or_default();
        let device = machine
            .block(at)
            .is_some_and(|b| !b.mounted.is_empty() && b.mounted != "/");
        if machine.mounted.as_deref() == Some(&path) || device {
            machine.mounted = None;
        } else {
            return call.fail(format!("{at}: not mounted."), 32);
        }
    }
    0
}

pub(super) fn mountpoint(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let quiet = call.words.iter().any(|w| w == "-q");
    let Some(at) = call.words.iter().find(|w| !w.starts_with('-')) else {
        return call.fail("bad usage", 1);
    };
    let path = machine
        .resolve(&call.user.name, call.cwd, at, true)
        .unwrap_or_default();
    let yes = path == "/" || machine.mounted.as_deref() == Some(&path);
    if !quiet {
        call.say(&format!(
            "{at} is {}a mountpoint",
            if yes { "" } else { "not " }
        ));
    }
    if yes { 0 } else { 32 }
}

pub(super) fn df(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("human-readable", 'h'),
        ("output", 'o'),
        ("block-size", 'B'),
    ];
    let options = match call.options("hTPkmil", "tB", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut rows = vec![(
        "/dev/mmcblk0p1".to_owned(),
        machine.hardware.emmc_bytes,
        machine.emmc.bytes() + (2 << 30),
        "/".to_owned(),
    )];
    if let (Some(mounted), Some(filesystem)) = (&machine.mounted, &machine.nvme.filesystem) {
        let device = if machine.nvme.partitioned {
            "/dev/nvme0n1p1"
        } else {
            "/dev/nvme0n1"
        };
        rows.push((
            device.into(),
            machine.hardware.nvme_bytes,
            filesystem.tree.bytes(),
            mounted.clone(),
        ));
    }
    rows.push((
        "tmpfs".into(),
        machine.hardware.memory_kib << 9,
        machine.memory.bytes(),
        "/tmp".into(),
    ));
    if let Some(path) = options.operands.first() {
        let clean = match machine.stat(&call.user.name, call.cwd, path, true) {
            Ok((clean, _)) => clean,
            Err(e) => return call.fail(format!("{path}: {e}"), 1),
        };
        let (volume, _) = machine.place(&clean);
        rows.retain(|(_, _, _, at)| match volume {
            crate::machine::Volume::Emmc => at == "/",
            crate::machine::Volume::Memory => at == "/tmp",
            crate::machine::Volume::Nvme => Some(at) == machine.mounted.as_ref(),
        });
    }
    let human = options.has('h');
    call.say(if human {
        "Filesystem      Size  Used Avail Use% Mounted on"
    } else {
        "Filesystem     1K-blocks    Used Available Use% Mounted on"
    });
    for (device, total, used, at) in rows {
        let percent = used * 100 / total.max(1);
        let free = total.saturating_sub(used);
        let line = if human {
            format!(
                "{device:<15} {:>4} {:>5} {:>5} {percent:>3}% {at}",
                size(total),
                size(used),
                size(free)
            )
        } else {
            format!(
                "{device:<14} {:>9} {:>7} {:>9} {percent:>3}% {at}",
                total >> 10,
                used >> 10,
                free >> 10
            )
        };
        call.say(&line);
    }
    0
}
