// SPDX-License-Identifier: Apache-2.0
//! `systemctl` and `journalctl`.

use super::Call;
use super::list::time;
use crate::machine::Machine;
use crate::units::{StartError, short};

pub(super) fn systemctl(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("now", 'N'),
        ("quiet", 'q'),
        ("no-pager", 'P'),
        ("system", 'P'),
        ("no-block", 'P'),
        ("force", 'f'),
        ("all", 'a'),
        ("full", 'l'),
        ("no-legend", 'P'),
        ("plain", 'P'),
        ("type", 't'),
        ("state", 's'),
        ("property", 'p'),
        ("value", 'v'),
    ];
    let options = match call.options("qfalvH", "tpsn", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let mut words = options.operands.iter().map(String::as_str);
    let verb = words.next().unwrap_or("list-units");
    let units: Vec<String> = words.map(|u| short(u).to_owned()).collect();
    let changes = !matches!(
        verb,
        "is-active"
            | "is-enabled"
            | "is-failed"
            | "status"
            | "show"
            | "cat"
            | "list-units"
            | "list-unit-files"
            | "is-system-running"
    );
    if changes && call.user.name != "root" {
        call.complain(&format!(
            "Failed to {verb} {}: Interactive authentication required.",
            units.first().map_or("", String::as_str)
        ));
        return 1;
    }
    let quiet = options.has('q');
    match verb {
        "daemon-reload" | "daemon-reexec" | "reset-failed" => 0,
        "reboot" => {
            machine.power = Some(crate::machine::Power::Reboot);
            0
        }
        "poweroff" | "halt" => {
            machine.power = Some(crate::machine::Power::Off);
            0
        }
        "is-system-running" => {
            call.say(if machine.failed.is_empty() {
                "running"
            } else {
                "degraded"
            });
            i32::from(!machine.failed.is_empty())
        }
        "list-units" | "list-unit-files" => list(machine, call, verb),
        _ if units.is_empty() => {
            call.complain("Too few arguments.");
            1
        }
        "is-active" => each(call, quiet, &units, 3, |u| state(machine, u)),
        "is-failed" => {
            let failed = units.iter().any(|u| machine.failed.contains_key(u));
            each(call, quiet, &units, 1, |u| state(machine, u));
            i32::from(!failed)
        }
        "is-enabled" => is_enabled(machine, call, quiet, &units),
        "status" => status(machine, call, &units),
        "show" => show(machine, call, &units, options.value('p'), options.has('v')),
        "cat" => {
            for unit in &units {
                match machine.unit(unit) {
                    Some(found) => {
                        let text = format!("# {}\n{}", found.path, machine.text(&found.path));
                        call.stdout.extend(text.into_bytes());
                    }
                    None => {
                        call.complain(&format!("No files found for {unit}.service."));
                        return 1;
                    }
                }
            }
            0
        }
        "start" | "restart" | "try-restart" | "reload" | "reload-or-restart" | "stop"
        | "enable" | "disable" | "mask" | "unmask" | "kill" => {
            let mut code = 0;
            for unit in &units {
                let now = options.has('N');
                code = code.max(change(machine, call, verb, unit, now));
            }
            code
        }
        _ => {
            call.complain(&format!("Unknown command verb '{verb}'."));
            1
        }
    }
}

fn state(machine: &Machine, unit: &str) -> &'static str {
    if machine.running.contains_key(unit) {
        "active"
    } else if machine.failed.contains_key(unit) {
        "failed"
    } else {
        "inactive"
    }
}

fn each(
    call: &mut Call<'_>,
    quiet: bool,
    units: &[String],
    bad: i32,
    state: impl Fn(&str) -> &'static str,
) -> i32 {
    let mut code = bad;
    for unit in units {
        let state = state(unit);
        if state == "active" {
            code = 0;
        }
        if !quiet {
            call.say(state);
        }
    }
    code
}

fn is_enabled(machine: &Machine, call: &mut Call<'_>, quiet: bool, units: &[String]) -> i32 {
    let enabled = machine.enabled();
    let mut code = 1;
    for unit in units {
        if machine.unit(unit).is_none() {
            call.complain(&format!(
                "Failed to get unit file state for {unit}.service: No such file or directory"
            ));
            continue;
        }
        let yes = enabled.contains(unit);
        if yes {
            code = 0;
        }
        if !quiet {
            call.say(if yes { "enabled" } else { "disabled" });
        }
    }
    code
}

fn list(machine: &Machine, call: &mut Call<'_>, verb: &str) -> i32 {
    let enabled = machine.enabled();
    for unit in machine.units() {
        let name = format!("{unit}.service");
        if verb == "list-unit-files" {
            let state = if enabled.contains(&unit) {
                "enabled"
            } else {
                "disabled"
            };
            call.say(&format!("{name:<36} {state:<8} enabled"));
        } else if machine.running.contains_key(&unit) || machine.failed.contains_key(&unit) {
            let state = state(machine, &unit);
            let sub = if state == "active" {
                "running"
            } else {
                "failed"
            };
            let about = machine
                .unit(&unit)
                .map(|u| u.description)
                .unwrap_or_default();
            call.say(&format!("  {name:<36} loaded {state} {sub} {about}"));
        }
    }
    0
}

fn not_found(call: &mut Call<'_>, verb: &str, unit: &str) -> i32 {
    call.complain(&format!(
        "Failed to {verb} {unit}.service: Unit {unit}.service not found."
    ));
    5
}

fn change(machine: &mut Machine, call: &mut Call<'_>, verb: &str, unit: &str, now: bool) -> i32 {
    match verb {
        "enable" => {
            let Some(found) = machine.unit(unit) else {
                call.complain(&format!(
                    "Failed to enable unit: Unit file {unit}.service does not exist."
                ));
                return 1;
            };
            if machine.enable(unit) {
                call.complain(&format!("Created symlink /etc/systemd/system/multi-user.target.wants/{unit}.service → {}.", found.path));
            }
            if now {
                start(machine, call, unit, "start")
            } else {
                0
            }
        }
        "disable" | "mask" => {
            if machine.disable(unit) {
                call.complain(&format!(
                    "Removed /etc/systemd/system/multi-user.target.wants/{unit}.service."
                ));
            } else if machine.unit(unit).is_none() {
                call.complain(&format!(
                    "Failed to disable unit: Unit file {unit}.service does not exist."
                ));
                return 1;
            }
            if now {
                machine.stop_unit(unit);
            }
            0
        }
        "stop" | "kill" => {
            if machine.stop_unit(unit) {
                0
            } else {
                not_found(call, verb, unit)
            }
        }
        "start" => start(machine, call, unit, verb),
        "unmask" => 0,
        _ => {
            let runs = machine.is_active(unit);
            if verb == "try-restart" && !runs {
                return 0;
            }
            if verb != "reload" {
                machine.stop_unit(unit);
            }
            start(machine, call, unit, verb)
        }
    }
}

fn start(machine: &mut Machine, call: &mut Call<'_>, unit: &str, verb: &str) -> i32 {
    match machine.start_unit(unit) {
        Ok(took) => {
            call.wait += took;
            0
        }
        Err(StartError::NotFound) => not_found(call, verb, unit),
        Err(StartError::Failed) => {
            call.complain(&format!(
                "Job for {unit}.service failed because the control process exited with error code.\n\
                 See \"systemctl status {unit}.service\" and \"journalctl -xeu {unit}.service\" for details."
            ));
            1
        }
    }
}

fn status(machine: &Machine, call: &mut Call<'_>, units: &[String]) -> i32 {
    let mut code = 0;
    for unit in units {
        let Some(found) = machine.unit(unit) else {
            call.complain(&format!("Unit {unit}.service could not be found."));
            code = 4;
            continue;
        };
        let enabled = if machine.enabled().contains(unit) {
            "enabled"
        } else {
            "disabled"
        };
        let since = |at: std::time::Duration| {
            time(at.as_secs(), "%a %Y-%m-%d %H:%M:%S UTC").unwrap_or_default()
        };
        let (dot, active) = match (machine.running.get(unit), machine.failed.get(unit)) {
            (Some(running), _) => (
                "●",
                format!(
                    "active (running) since {}\n   Main PID: {} ({})",
                    since(running.since),
                    running.pid,
                    crate::files::name(&found.exec)
                ),
            ),
            (None, Some(why)) => ("×", format!("failed (Result: {why})")),
            (None, None) => ("○", "inactive (dead)".to_owned()),
        };
        call.say(&format!("{dot} {unit}.service - {}\n     Loaded: loaded ({}; {enabled}; preset: enabled)\n     Active: {active}", found.description, found.path));
        let lines = journal(machine, Some(unit));
        if !lines.is_empty() {
            call.say("");
            lines[lines.len().saturating_sub(10)..]
                .iter()
                .for_each(|l| call.say(l));
        }
        if !machine.running.contains_key(unit) {
            code = 3;
        }
    }
    code
}

fn show(
    machine: &Machine,
    call: &mut Call<'_>,
    units: &[String],
    wanted: Option<&str>,
    bare: bool,
) -> i32 {
    for unit in units {
        let active = state(machine, unit);
        let sub = match active {
            "active" => "running",
            "failed" => "failed",
            _ => "dead",
        };
        let loaded = if machine.unit(unit).is_some() {
            "loaded"
        } else {
            "not-found"
        };
        let file = if machine.enabled().contains(unit) {
            "enabled"
        } else {
            "disabled"
        };
        let pid = machine.running.get(unit).map_or(0, |r| r.pid).to_string();
        for (key, value) in [
            ("LoadState", loaded),
            ("ActiveState", active),
            ("SubState", sub),
            ("UnitFileState", file),
            ("MainPID", &pid),
        ] {
            if wanted.is_none_or(|w| w.split(',').any(|w| w == key)) {
                call.say(&if bare {
                    value.to_owned()
                } else {
                    format!("{key}={value}")
                });
            }
        }
    }
    0
}

fn journal(machine: &Machine, unit: Option<&str>) -> Vec<String> {
    let host = machine.hostname();
    machine
        .journal
        .lines()
        .filter(|l| {
            unit.is_none_or(|u| {
                l.unit == u || (l.unit == "systemd" && l.text.contains(&format!("{u}.service")))
            })
        })
        .map(|l| {
            format!(
                "{} {host} {}: {}",
                time(l.at.as_secs(), "%b %d %H:%M:%S").unwrap_or_default(),
                l.unit,
                l.text
            )
        })
        .collect()
}

pub(super) fn journalctl(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    let long = [
        ("unit", 'u'),
        ("lines", 'n'),
        ("no-pager", 'P'),
        ("output", 'o'),
        ("boot", 'b'),
        ("since", 'S'),
        ("reverse", 'r'),
        ("quiet", 'q'),
    ];
    let options = match call.options("xekbqraP", "unoS", &long) {
        Ok(options) => options,
        Err(code) => return code,
    };
    let unit = if options.has('k') {
        Some("kernel")
    } else {
        options.value('u').map(short)
    };
    let mut lines = journal(machine, unit);
    if let Some(count) = options.value('n').and_then(|n| n.parse::<usize>().ok()) {
        lines.drain(..lines.len().saturating_sub(count));
    }
    if options.has('r') {
        lines.reverse();
    }
    if lines.is_empty() && !options.has('q') {
        call.say("-- No entries --");
    }
    lines.iter().for_each(|l| call.say(l));
    0
}
