// SPDX-License-Identifier: Apache-2.0
//! The installer of K3s, as far as a host sees it: the program, its links, scripts to take it away, an environment file and a unit.

use std::time::Duration;

use crate::commands::Call;
use crate::k3s;
use crate::machine::Machine;
use crate::units::StartError;

/// What `https://get.k3s.io` serves here: a script that the module knows by its last line.
pub(crate) const SCRIPT: &str = "#!/bin/sh\n# The installer of K3s, as the simulated network offers it: INSTALL_K3S_* and K3S_* say what to do.\nset -e\n/usr/lib/k3s/k3s-install \"$@\"\n";
/// How long the program takes to come over the network.
const DOWNLOAD: Duration = Duration::from_secs(6);

/// Whether a script is K3s' own installer: whoever brings the real one means the same.
pub(crate) fn is_script(text: &str) -> bool {
    text.contains("INSTALL_K3S_EXEC") && text.contains("get.k3s.io") && text.contains("K3S_URL")
}

/// The installer.
pub(crate) fn run(machine: &mut Machine, call: &mut Call<'_>) -> i32 {
    if call.user.name != "root" {
        call.complain("[ERROR]  This script needs root, or sudo without a password");
        return 1;
    }
    match install(machine, call) {
        Ok(()) => 0,
        Err(text) => {
            call.complain(&format!("[ERROR]  {text}"));
            1
        }
    }
}

fn install(machine: &mut Machine, call: &mut Call<'_>) -> Result<(), String> {
    let environment = call.environment;
    let variable = |name: &str| environment.get(name).cloned().unwrap_or_default();
    let mut words: Vec<String> = crate::shell::split(&variable("INSTALL_K3S_EXEC"))
        .map_err(|e| format!("INSTALL_K3S_EXEC: {e}"))?;
    words.extend(call.arguments().iter().cloned());
    let joins = !variable("K3S_URL").is_empty();
    if words.first().is_none_or(|w| w.starts_with('-')) {
        words.insert(0, if joins { "agent" } else { "server" }.into());
    }
    let agent = words[0] == "agent";
    if agent
        && variable("K3S_TOKEN").is_empty()
        && variable("K3S_TOKEN_FILE").is_empty()
        && !words.iter().any(|w| w.starts_with("--token"))
        && joins
    {
        return Err("Defaulted k3s exec command to 'agent' because K3S_URL is defined, but K3S_TOKEN or K3S_TOKEN_FILE is not defined.".into());
    }
    let name = match variable("INSTALL_K3S_NAME") {
        name if !name.is_empty() => format!("k3s-{name}"),
        _ if agent => "k3s-agent".into(),
        _ => "k3s".into(),
    };
    let directory = Some(variable("INSTALL_K3S_BIN_DIR"))
        .filter(|d| !d.is_empty())
        .unwrap_or_else(|| "/usr/local/bin".into());
    let units = Some(variable("INSTALL_K3S_SYSTEMD_DIR"))
        .filter(|d| !d.is_empty())
        .unwrap_or_else(|| "/etc/systemd/system".into());
    let program = format!("{directory}/k3s");
    let skip = variable("INSTALL_K3S_SKIP_DOWNLOAD");
    if matches!(skip.as_str(), "true" | "binary") {
        call.say("[INFO]  Skipping k3s download and verify");
        if machine.file(&program).is_none() {
            return Err(format!("Executable k3s binary not found at {program}"));
        }
    } else {
        let version = match variable("INSTALL_K3S_VERSION") {
            version if version.is_empty() => {
                let channel = Some(variable("INSTALL_K3S_CHANNEL"))
                    .filter(|c| !c.is_empty())
                    .unwrap_or_else(|| "stable".into());
                call.say(&format!("[INFO]  Finding release for channel {channel}"));
                k3s::channel(&channel).ok_or("Download failed")?
            }
            version => version,
        };
        call.say(&format!("[INFO]  Using {version} as release"));
        let base = format!(
            "https://github.com/k3s-io/k3s/releases/download/{}",
            version.replace('+', "%2B")
        );
        call.say(&format!(
            "[INFO]  Downloading hash {base}/sha256sum-arm64.txt"
        ));
        if !k3s::is_version(&version) {
            return Err("Download failed".into());
        }
        let bytes = k3s::binary(&version);
        if machine.file(&program) == Some(&bytes[..]) {
            call.say("[INFO]  Skipping binary downloaded, installed k3s matches hash");
        } else {
            call.say(&format!("[INFO]  Downloading binary {base}/k3s-arm64"));
            call.wait += DOWNLOAD;
            call.say("[INFO]  Verifying binary download");
            call.say(&format!("[INFO]  Installing k3s to {program}"));
            machine
                .install(&program, bytes, 0o755, "root")
                .map_err(|e| format!("{program}: {e}"))?;
        }
    }
    let unit = format!("{units}/{name}.service");
    write(machine, call, &name, &directory, &unit, &words)?;
    if variable("INSTALL_K3S_SKIP_ENABLE") == "true" {
        return Ok(());
    }
    call.say(&format!("[INFO]  systemd: Enabling {name} unit"));
    if machine.enable(&name) {
        call.complain(&format!(
            "Created symlink /etc/systemd/system/multi-user.target.wants/{name}.service → {unit}."
        ));
    }
    if variable("INSTALL_K3S_SKIP_START") == "true" {
        return Ok(());
    }
    call.say(&format!("[INFO]  systemd: Starting {name}"));
    machine.stop_unit(&name);
    match machine.start_unit(&name) {
        Ok(took) => call.wait += took,
        Err(StartError::NotFound) => return Err(format!("Unit {name}.service not found.")),
        Err(StartError::Failed) => {
            return Err(format!(
                "Job for {name}.service failed because the control process exited with error code. See \"journalctl -xeu {name}.service\" for details."
            ));
        }
    }
    Ok(())
}

/// Links, scripts, the environment and the unit.
fn write(
    machine: &mut Machine,
    call: &mut Call<'_>,
    name: &str,
    directory: &str,
    unit: &str,
    words: &[String],
) -> Result<(), String> {
    let no_room = |e: crate::files::Errno| e.to_string();
    let program = format!("{directory}/k3s");
    for link in ["kubectl", "crictl", "ctr"] {
        let path = format!("{directory}/{link}");
        if machine
            .resolve("root", "/", &path, false)
            .is_ok_and(|p| machine.entry(&p).is_some())
        {
            call.say(&format!(
                "[INFO]  Skipping {path} symlink to k3s, already exists"
            ));
        } else {
            call.say(&format!("[INFO]  Creating {path} symlink to k3s"));
            machine.install_link(&path, "k3s").map_err(no_room)?;
        }
    }
    call.say(&format!(
        "[INFO]  Creating killall script {directory}/k3s-killall.sh"
    ));
    let killall = format!("#!/bin/sh\nsystemctl stop {name}\nrm -rf /run/k3s\n");
    machine
        .install(
            &format!("{directory}/k3s-killall.sh"),
            killall,
            0o755,
            "root",
        )
        .map_err(no_room)?;
    let uninstall = if name == "k3s" {
        "k3s-uninstall.sh".to_owned()
    } else {
        format!("{name}-uninstall.sh")
    };
    call.say(&format!(
        "[INFO]  Creating uninstall script {directory}/{uninstall}"
    ));
    let text = format!(
        "#!/bin/sh\n[ $(id -u) -eq 0 ] || exec sudo $0 \"$@\"\n{directory}/k3s-killall.sh\nsystemctl disable {name}\nrm -f {unit} {unit}.env\nsystemctl daemon-reload\n\
         for link in kubectl crictl ctr; do [ -L {directory}/$link ] && rm -f {directory}/$link; done\n\
         rm -rf /etc/rancher/k3s /etc/rancher/node /run/k3s /run/flannel /var/lib/rancher/k3s /var/lib/kubelet\nrm -f {program} {directory}/k3s-killall.sh {directory}/{uninstall}\n"
    );
    machine
        .install(&format!("{directory}/{uninstall}"), text, 0o755, "root")
        .map_err(no_room)?;
    call.say(&format!(
        "[INFO]  env: Creating environment file {unit}.env"
    ));
    let mut environment = String::new();
    for (name, value) in call.environment() {
        let wanted = name.starts_with("K3S_")
            || name.starts_with("CONTAINERD_")
            || name.to_ascii_lowercase().ends_with("_proxy");
        if wanted {
            environment += &format!("{name}='{value}'\n");
        }
    }
    machine
        .install(&format!("{unit}.env"), environment, 0o600, "root")
        .map_err(no_room)?;
    call.say(&format!("[INFO]  systemd: Creating service file {unit}"));
    let kind = if words[0] == "agent" {
        "exec"
    } else {
        "notify"
    };
    let command: String = words.iter().map(|w| format!("    '{w}' \\\n")).collect();
    let text = format!(
        "[Unit]\nDescription=Lightweight Kubernetes\nDocumentation=https://k3s.io\nWants=network-online.target\nAfter=network-online.target\n\n\
         [Install]\nWantedBy=multi-user.target\n\n[Service]\nType={kind}\nEnvironmentFile=-/etc/default/%N\nEnvironmentFile=-/etc/sysconfig/%N\n\
         EnvironmentFile=-{unit}.env\nKillMode=process\nDelegate=yes\nLimitNOFILE=1048576\nLimitNPROC=infinity\nLimitCORE=infinity\nTasksMax=infinity\n\
         TimeoutStartSec=0\nRestart=always\nRestartSec=5s\nExecStartPre=-/sbin/modprobe br_netfilter\nExecStartPre=-/sbin/modprobe overlay\n\
         ExecStart={program} \\\n{command}\n"
    );
    machine.install(unit, text, 0o644, "root").map_err(no_room)
}
