// SPDX-License-Identifier: Apache-2.0
//! Commands about users.

use super::Call;
use crate::image::is_name;
use crate::machine::Machine;

pub(super) fn whoami(_machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let name = call.user.name.clone();
    call.say(&name);
    0
}

pub(super) fn id(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let options = match call.options("ungGr", "", &[("user", 'u'), ("name", 'n'), ("group", 'g')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let user = match options.operands.first() {
        None => call.user.clone(),
        Some(name) => match machine.user(name) {
            Some(user) => user,
            None => return call.fail(format!("‘{name}’: no such user"), 1),
        },
    };
    let by_name = options.has('n');
    let mut groups = vec![user.name.clone()];
    groups.extend(machine.groups(&user.name));
    let line = if options.has('G') {
        groups.join(" ")
    } else if options.has('u') || options.has('g') {
        match (by_name, options.has('u')) {
            (true, _) => user.name.clone(),
            (false, true) => user.uid.to_string(),
            (false, false) => user.gid.to_string(),
        }
    } else {
        let more: String = groups[1..].iter().map(|g| format!(",27({g})")).collect();
        format!(
            "uid={0}({1}) gid={2}({1}) groups={2}({1}){more}",
            user.uid, user.name, user.gid
        )
    };
    call.say(&line);
    0
}

pub(super) fn groups(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let mut groups = vec![call.user.name.clone()];
    groups.extend(machine.groups(&call.user.name));
    call.say(&groups.join(" "));
    0
}

pub(super) fn getent(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let Some(base @ ("passwd" | "group" | "hosts")) = call.words.first().map(String::as_str) else {
        return call.fail("Unknown database", 1);
    };
    let text = machine.text(&format!("/etc/{base}"));
    let mut found = false;
    for line in text.lines() {
        let name = line.split([':', ' ', '\t']).next();
        if call.words.get(1).is_none_or(|key| {
            name == Some(key.as_str())
                || (base == "hosts" && line.split_whitespace().any(|w| w == key))
        }) {
            call.say(line);
            found = true;
        }
    }
    if found { 0 } else { 2 }
}

pub(super) fn useradd(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.needs_root("Permission denied.") {
        return 1;
    }
    let long = [
        ("create-home", 'm'),
        ("system", 'r'),
        ("shell", 's'),
        ("groups", 'G'),
        ("home-dir", 'd'),
        ("gid", 'g'),
    ];
    let options = match call.options("mrUM", "sGdgucp", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some(name) = options.operands.first().filter(|n| is_name(n)) else {
        return call.fail("a valid user name is needed", 2);
    };
    let home = options
        .value('d')
        .map_or_else(|| format!("/home/{name}"), str::to_owned);
    if !machine.add_user(name, &home, options.value('s').unwrap_or("/bin/bash")) {
        return call.fail(format!("user '{name}' already exists"), 9);
    }
    join_groups(machine, name, options.value('G'));
    0
}

/// `-G ONE,TWO`.
fn join_groups(machine: &mut Machine, name: &str, groups: Option<&str>) {
    let groups = groups.unwrap_or_default().split(',');
    for group in groups.filter(|g| !g.is_empty()) {
        machine.add_to_group(name, group);
    }
}

pub(super) fn usermod(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.needs_root("Permission denied.") {
        return 1;
    }
    let options = match call.options("aLU", "Gspd", &[("append", 'a'), ("groups", 'G')]) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let Some(name) = options
        .operands
        .first()
        .filter(|n| machine.user(n).is_some())
    else {
        let name = options.operands.first().cloned().unwrap_or_default();
        return call.fail(format!("user '{name}' does not exist"), 6);
    };
    join_groups(machine, name, options.value('G'));
    0
}

/// `name:password`, one a line.
pub(super) fn chpasswd(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.needs_root("cannot lock /etc/passwd; try again later.") {
        return 1;
    }
    let text = String::from_utf8_lossy(call.stdin).into_owned();
    for (i, line) in text.lines().enumerate() {
        let changed = line
            .split_once(':')
            .is_some_and(|(name, password)| machine.set_password(name, password));
        if !changed {
            return call.fail(format!("(line {}) password not changed", i + 1), 1);
        }
    }
    0
}
