// SPDX-License-Identifier: Apache-2.0
//! `k1s board sim`: a board with no board.

use std::io::Write as _;
use std::path::PathBuf;

use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::{Error, Result};
use k1s_cli::flag::{Flag, Parsed};
use turingpi_sim::{Board, Options, Script, Ssh};

use super::access::{chain, no_arguments, own};

/// `board sim`.
pub(super) static COMMAND: Command = Command {
    name: "sim",
    aliases: &[],
    usage: "[--listen ADDRESS:PORT] [--firmware VERSION] [--speed N] [--fault FAULT]… [--ssh own|openssh|off]",
    about: "Simulate a board: its BMC over HTTPS, its serial ports, modules that boot what is written to them and answer SSH. User root, password turing.",
    examples: &[
        (
            "Four RK1 at sixty times the speed",
            "board sim --listen 127.0.0.1:4443 --speed 60",
        ),
        (
            "An old firmware, a Jetson in slot 2, nothing in slot 4",
            "board sim --firmware 2.0.5 --modules rk1,jetson,rk1,empty",
        ),
        (
            "Log in to slot 1 with a key of one's own, once it has booted an image",
            "board sim --authorized-keys ~/.ssh/id_ed25519.pub --ssh-listen 127.0.0.1:2201",
        ),
        (
            "A daemon that restarts in the middle",
            "board sim --fault restart-at=100000000",
        ),
        (
            "A bad night, the same again as often as you like",
            "board sim --seed 7 --speed 60",
        ),
    ],
    flags: &[&[
        Flag::text(
            "ssh",
            "What answers SSH in a module that is up: own, with the users of its image; openssh, this machine's sshd, for whoever runs this and by key; off.",
        )
        .default(SSH),
        Flag::text(
            "ssh-listen",
            "Where the module in slot 1 answers SSH; the others have the ports after it. Port 0 is any.",
        )
        .default("127.0.0.1:0"),
        Flag::text(
            "authorized-keys",
            "File of public keys that the user of each image gets on its first boot.",
        ),
        Flag::text("listen", "Where it listens; port 0 is any.").default("127.0.0.1:4443"),
        Flag::text("firmware", "1.1, 2.0.5, 2.1.0 or 2.3.7.").default("2.3.7"),
        Flag::text(
            "modules",
            "What is in the four slots: rk1, cm4, jetson or empty.",
        )
        .default("rk1,rk1,rk1,rk1"),
        Flag::text("speed", "How many times faster than real its time goes.").default("1"),
        Flag::text(
            "dir",
            "Directory of what its modules have on their eMMC; a new one if not set.",
        ),
        Flag::number(
            "emmc-mib-per-second",
            "30",
            "How fast an eMMC is written; 0 is as fast as it goes.",
        ),
        Flag::text("certificate-file", "File to write its certificate to, PEM."),
        Flag::each("fault", FAULTS),
        Flag::text(
            "fault-script",
            "File of what goes wrong when, in the board's time since its start. A line each: TIME FAULT, TIME end FAULT, TIME restart (of the daemon), TIME power-cycle, or TIME drop (of connections), as in 90s silent.",
        ),
        Flag::text(
            "seed",
            "A number from which faults are drawn, the same each time; they are printed. A client that goes on gets over all of them.",
        ),
        Flag::text(
            "listen-plain",
            "Where plain HTTP is sent to HTTPS, and tells what a board tells without a login.",
        ),
        Flag::switch(
            "loopback-exempt",
            "Ask clients of this machine for no login, as a real board does with its own.",
        ),
        Flag::number("emmc-mib", "32768", "Size of an eMMC."),
    ]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(sim(cx, flags))),
};

fn parse<T: std::str::FromStr>(flags: &Parsed, name: &str) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    let text = flags.text(name);
    text.parse()
        .map_err(|e| Error::message(format!("--{name}: {text:?}: {e}")))
}

/// All faults, for the help.
const FAULTS: &str = "What goes wrong; may be repeated. At byte N of a transfer: lose-tokens-at=N, restart-at=N (the daemon), drop-upload-at=N, \
     stuck-at=N, stuck-verify-at=N. crc-mismatch: what is read back is not what was written. out-of-memory-after=N transfers. power-unknown. \
     no-sd-card. garbage: answers that are no JSON. silent: no answers. web-socket-hangs: no live console. never-boots=SLOT. \
     lingers: a daemon that does not end. settings-lost by the next restart.";

/// What answers SSH unless something else is asked for.
const SSH: &str = if cfg!(feature = "board-ssh") {
    "own"
} else {
    "off"
};

/// What answers SSH.
fn ssh(text: &str) -> Result<Ssh> {
    match text {
        "off" => Ok(Ssh::Off),
        #[cfg(feature = "board-ssh")]
        "own" => Ok(Ssh::Own),
        #[cfg(not(feature = "board-ssh"))]
        "own" => Err(Error::message(
            "--ssh own: this k1s was built without the feature board-ssh; openssh and off are there",
        )),
        "openssh" => {
            let program = std::env::current_exe()
                .map_err(|e| Error::message(format!("--ssh: this program is not found: {e}")))?;
            let words = [&program.to_string_lossy(), "board", super::relay::NAME];
            Ok(Ssh::OpenSsh {
                relay: words.map(str::to_owned).to_vec(),
            })
        }
        _ => Err(Error::message(format!(
            "--ssh: {text:?}: own, openssh and off are"
        ))),
    }
}

/// The lines of a file of public keys.
fn keys(file: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::message(format!("cannot read {file}: {e}")))?;
    if text.contains("PRIVATE KEY") {
        return Err(Error::message(format!(
            "{file} is a private key; --authorized-keys takes public ones, as in {file}.pub"
        )));
    }
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

/// What goes wrong later: as a file says, or as is drawn from a number.
fn script(flags: &Parsed) -> Result<Script> {
    let (file, seed) = (flags.text("fault-script"), flags.text("seed"));
    match (file, seed) {
        ("", "") => Ok(Script::default()),
        (file, "") => {
            let text = std::fs::read_to_string(file)
                .map_err(|e| Error::message(format!("cannot read {file}: {e}")))?;
            text.parse()
                .map_err(|e| Error::message(format!("{file}: {e}")))
        }
        ("", _) => Ok(Script::by_seed(parse(flags, "seed")?)),
        _ => Err(Error::usage(
            "--fault-script and --seed exclude each other",
            flags,
        )),
    }
}

async fn sim(cx: &Context, flags: &Parsed) -> Result {
    no_arguments(flags)?;
    let temporary = match flags.text("dir") {
        "" => Some(
            tempfile::tempdir()
                .map_err(|e| Error::message(format!("no directory for the modules: {e}")))?,
        ),
        _ => None,
    };
    let dir = temporary
        .as_ref()
        .map_or_else(|| PathBuf::from(flags.text("dir")), |d| d.path().to_owned());
    let mut options = Options::new(dir);
    options.listen = parse(flags, "listen")?;
    options.profile = parse(flags, "firmware")?;
    options.speed = parse(flags, "speed")?;
    let rate = u64::try_from(flags.number("emmc-mib-per-second")).unwrap_or(0);
    options.emmc_rate = rate << 20;
    let modules = flags
        .text("modules")
        .split(',')
        .map(|m| m.trim().parse())
        .collect::<std::result::Result<Vec<_>, turingpi_sim::KindError>>()
        .map_err(|e| Error::message(e.to_string()))?;
    options.modules = modules
        .try_into()
        .map_err(|_| Error::message("--modules needs four, separated by commas"))?;
    for fault in flags.list("fault") {
        options
            .faults
            .push(fault.parse().map_err(|e| Error::message(format!("{e}")))?);
    }
    options.script = script(flags)?;
    if flags.given("listen-plain") {
        options.listen_plain = Some(parse(flags, "listen-plain")?);
    }
    options.loopback_exempt = flags.on("loopback-exempt");
    let mib = u64::try_from(flags.number("emmc-mib")).unwrap_or(0);
    options.emmc_bytes = mib.saturating_mul(1 << 20);
    // the same board at each start, as far as its clients can tell
    options.identity = match flags.text("dir") {
        "" => own("XDG_DATA_HOME", ".local/share").map(|dir| dir.join("board-sim.pem")),
        dir => Some(PathBuf::from(dir).join("bmc.pem")),
    };
    options.ssh = ssh(flags.text("ssh"))?;
    options.ssh_listen = parse(flags, "ssh-listen")?;
    let file = flags.text("authorized-keys");
    if !file.is_empty() {
        options.authorized_keys = keys(file)?;
    }
    let modules = options.modules;
    let script = options.script.clone();
    let board = Board::start(options)
        .await
        .map_err(|e| Error::message(chain(&e)))?;
    if let (file, Some(pem)) = (flags.text("certificate-file"), board.certificate())
        && !file.is_empty()
    {
        std::fs::write(file, pem)
            .map_err(|e| Error::message(format!("cannot write {file}: {e}")))?;
    }
    let mut out = std::io::stdout().lock();
    // whoever started this may have closed its end; that is no reason not to simulate
    let _ = writeln!(out, "board simulated on {}", board.url()).and_then(|()| out.flush());
    for (slot, kind) in (1..).zip(modules) {
        if let Some(at) = board.ssh_address(slot) {
            let (host, port) = (at.ip(), at.port());
            let _ = writeln!(out, "slot {slot} ({kind}): ssh -p {port} USER@{host}")
                .and_then(|()| out.flush());
        }
    }
    drop(out);
    if !script.is_empty() {
        cx.talk(format_args!("what goes wrong:\n{script}"));
    }
    if let Some(at) = board.plain_address() {
        cx.talk(format_args!("plain HTTP on http://{at}"));
    }
    cx.talk(format_args!(
        "try: TPI_PASSWORD=turing k1s board info --host {}",
        board.url()
    ));
    let mut terminate =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|e| Error::message(format!("signals cannot be waited for: {e}")))?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    board.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_each_fault() {
        let error = "x".parse::<turingpi_sim::Fault>().unwrap_err().to_string();
        let (_, list) = error.split_once("no fault: ").unwrap();
        let list = list.trim_end_matches(" are").replace(" and ", ", ");
        for form in list.split(", ") {
            assert!(FAULTS.contains(form), "{form}");
        }
    }
}
