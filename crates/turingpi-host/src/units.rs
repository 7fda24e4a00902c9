// SPDX-License-Identifier: Apache-2.0
//! Services: unit files in the tree, what is enabled as links in it, what runs in memory.

use std::time::Duration;

use crate::files::name;
use crate::k3s;
use crate::machine::Machine;
use crate::paths::Access;

const DIRECTORIES: [&str; 2] = ["/etc/systemd/system", "/usr/lib/systemd/system"];
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

/// A service that runs.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) pid: u32,
    pub(crate) since: Duration,
}

/// What a unit file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) path: String,
    pub(crate) description: String,
    pub(crate) exec: String,
    pub(crate) oneshot: bool,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) environment_files: Vec<String>,
}

/// A unit file for a program.
pub(crate) fn unit_file(description: &str, exec: &str) -> String {
    format!(
        "[Unit]\nDescription={description}\n\n[Service]\nExecStart={exec}\nRestart=on-failure\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}

/// The name of a service without its ending.
pub(crate) fn short(unit: &str) -> &str {
    let unit = unit.strip_suffix(".service").unwrap_or(unit);
    if unit == "sshd" { "ssh" } else { unit }
}

/// Why a service does not start, in the words of `systemctl`.
pub(crate) enum StartError {
    NotFound,
    Failed,
}

impl Machine {
    /// What a unit's file says.
    pub(crate) fn unit(&self, unit: &str) -> Option<Unit> {
        let file = format!("{}.service", short(unit));
        let path = DIRECTORIES
            .iter()
            .map(|d| format!("{d}/{file}"))
            .find(|path| self.file(path).is_some())?;
        let mut unit = Unit {
            path: path.clone(),
            ..Unit::default()
        };
        // a line that ends in a backslash goes on in the next one
        let text = self.text(&path).replace("\\\n", " ");
        for line in text.lines().map(str::trim) {
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            let value = value.trim();
            match key.trim() {
                "Description" => value.clone_into(&mut unit.description),
                "ExecStart" => value.clone_into(&mut unit.exec),
                "Type" => unit.oneshot = value == "oneshot",
                "EnvironmentFile" => unit
                    .environment_files
                    .push(value.trim_start_matches('-').to_owned()),
                "Environment" => {
                    for one in value.split_whitespace() {
                        if let Some((k, v)) = one.trim_matches('"').split_once('=') {
                            unit.environment.push((k.to_owned(), v.to_owned()));
                        }
                    }
                }
                _ => {}
            }
        }
        Some(unit)
    }

    /// All units that have a file.
    pub(crate) fn units(&self) -> Vec<String> {
        let mut names: Vec<String> = DIRECTORIES
            .iter()
            .flat_map(|d| self.names(d))
            .filter_map(|n| n.strip_suffix(".service").map(str::to_owned))
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn enabled(&self) -> Vec<String> {
        let names = self.names(WANTS);
        names.iter().map(|n| short(n).to_owned()).collect()
    }

    /// Enables a service; false when it was before.
    pub(crate) fn enable(&mut self, unit: &str) -> bool {
        let link = format!("{WANTS}/{}.service", short(unit));
        if self
            .resolve("root", "/", &link, false)
            .is_ok_and(|p| self.entry(&p).is_some())
        {
            return false;
        }
        let to = self.unit(unit).map(|u| u.path).unwrap_or_default();
        self.install_link(&link, &to).is_ok()
    }

    pub(crate) fn disable(&mut self, unit: &str) -> bool {
        let link = format!("{WANTS}/{}.service", short(unit));
        let was = self.entry(&link).is_some();
        self.uninstall(&link);
        was
    }

    /// Starts a service and says how long that takes; one that runs goes on.
    pub(crate) fn start_unit(&mut self, unit: &str) -> Result<Duration, StartError> {
        let unit_name = short(unit).to_owned();
        if self.running.contains_key(&unit_name) {
            return Ok(Duration::ZERO);
        }
        let Some(unit) = self.unit(&unit_name) else {
            return Err(StartError::NotFound);
        };
        self.failed.remove(&unit_name);
        self.log(
            "systemd",
            &format!("Starting {unit_name}.service - {}...", unit.description),
        );
        let program = unit
            .exec
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .trim_start_matches(['-', '@', '+', '!'])
            .to_owned();
        let executable = self
            .stat("root", "/", &program, true)
            .is_ok_and(|(_, e)| !e.is_directory() && self.may("root", e, Access::Execute));
        let started = if !executable {
            self.log(
                &unit_name,
                &format!("Failed to locate executable {program}: No such file or directory"),
            );
            Err("exit-code, status=203/EXEC".to_owned())
        } else if name(&program) == "k3s" {
            k3s::start(self, &unit_name, &unit, &program)
        } else {
            Ok(Duration::from_millis(200))
        };
        match started {
            Ok(took) => {
                let pid = self.pid();
                let since = self.now + took;
                self.running
                    .insert(unit_name.clone(), Running { pid, since });
                self.log(
                    "systemd",
                    &format!("Started {unit_name}.service - {}.", unit.description),
                );
                Ok(took)
            }
            Err(why) => {
                self.log(
                    "systemd",
                    &format!("{unit_name}.service: Failed with result '{why}'."),
                );
                self.failed.insert(unit_name, why);
                Err(StartError::Failed)
            }
        }
    }

    /// Stops a service; false when there is none of that name.
    pub(crate) fn stop_unit(&mut self, unit: &str) -> bool {
        let unit = short(unit).to_owned();
        self.failed.remove(&unit);
        if self.running.remove(&unit).is_some() {
            self.log("systemd", &format!("Stopped {unit}.service."));
            self.cluster.stopped(&unit);
            return true;
        }
        self.unit(&unit).is_some()
    }
}
