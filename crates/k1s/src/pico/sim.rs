// SPDX-License-Identifier: Apache-2.0
//! `k1s pico sim`: boards that join the cluster of a kubeconfig, until Ctrl-C.

use std::io::{IsTerminal as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use k1s_cli::command::Command;
use k1s_cli::context::Context;
use k1s_cli::error::Error;
use k1s_cli::flag::{Flag, Parsed};
use k1s_server::{limits, stop};
use pico_oci::{Credentials, Registry};
use pico_sim::{Kinds, Options, SNTP_PORT, Simulation};

use super::{clients, control, reach, view};

/// More boards than this share HTTP/2 connections unless it is said otherwise.
const OWN_CONNECTIONS: usize = 64;
/// As many boards fit on a terminal.
const VIEWED: usize = 16;

/// `pico sim`.
pub(super) static COMMAND: Command = Command {
    name: "sim",
    aliases: &[],
    usage: "[--nodes N] [--kubeconfig FILE] [--board NAME] [--gpio-config NAMESPACE/NAME] [--kinds LIST] [--view]",
    about: "Join simulated boards to the cluster of a kubeconfig, until Ctrl-C.",
    examples: &[
        (
            "Two boards in the cluster of the current kubeconfig",
            "pico sim --nodes 2",
        ),
        (
            "A thousand boards, switched on within a minute",
            "pico sim --nodes 1000 --spread 1m --kubeconfig kc.yaml",
        ),
    ],
    flags: &[&[
        Flag::number("nodes", "1", "How many boards."),
        Flag::text("board", "Board: pico-w, pico-w-2g or pico2-w.").default("pico-w"),
        Flag::text("name-prefix", "What the nodes' names begin with.").default("pico-"),
        Flag::text(
            "gpio-config",
            "ConfigMap that sets pins (pin_15: HIGH, pin_16: PWM:128), as NAMESPACE/NAME.",
        ),
        Flag::text(
            "flash-dir",
            "Directory in which each board keeps its flash, as NAME.flash; without it the flash is gone with the process.",
        ),
        Flag::text(
            "trust",
            "File with public keys that sign images, besides that of the examples.",
        ),
        Flag::switch(
            "plain-http",
            "Ask registries of images that are not in flash without TLS; those on this machine are in any case.",
        ),
        Flag::text(
            "client-ca-file",
            "Authorities that sign the certificate which the API server shows to nodes (kubectl logs, exec); by default those of the cluster, as it says them, or that of the kubeconfig.",
        ),
        Flag::list(
            "client-allowed-names",
            "Names (CN) in that certificate, besides those that Kubernetes' installers give it.",
        ),
        Flag::switch(
            "open-metrics",
            "Let anybody read /metrics, /metrics/resource and /stats/summary on the boards' ports, as Prometheus does that has no certificate of the API server.",
        ),
        Flag::text(
            "registry-config",
            "File with credentials for registries, as docker login writes it, besides those of pods' imagePullSecrets.",
        ),
        Flag::text(
            "connections",
            "own: each board has its own, byte for byte; shared: all share HTTP/2. By default shared above 64 boards.",
        ),
        Flag::text(
            "kinds",
            "What the boards act upon besides Pods: any of service, ingress, gpiocontroller, ledmatrix, or none. By default all where each board has its own connections, service otherwise.",
        ),
        Flag::text(
            "time-server",
            "SNTP server that the boards ask for the time, as ADDRESS or ADDRESS:PORT.",
        ),
        Flag::duration("spread", "0s", "Over how long the boards are switched on."),
        Flag::text(
            "seed",
            "Number from which the boards' randomness and the faults of their links follow; another one in each run by default.",
        ),
        Flag::switch(
            "view",
            "Show the boards, as on a terminal, even if this is none.",
        ),
        super::SOCKET,
    ]],
    subcommands: &[],
    run: Some(|cx, flags| Box::pin(run(cx, flags))),
};

/// The registries that pods' images name, asked on the boards' behalf.
#[derive(Debug)]
struct Registries {
    plain_http: bool,
    /// Those of every board.
    credentials: Credentials,
}

impl pico_sim::Registry for Registries {
    fn pull(&self, image: &str, secrets: &[Vec<u8>]) -> std::result::Result<Vec<u8>, String> {
        let pull = || {
            let mut credentials = Credentials::default();
            for secret in secrets {
                credentials.add(secret, "an imagePullSecret of the pod")?;
            }
            credentials.append(&self.credentials);
            let mut registry = Registry::new(self.plain_http).with_credentials(credentials);
            registry.pull(&image.parse()?)
        };
        pull().map_err(|error: pico_oci::Error| format!("{:#}", anyhow::Error::from(error)))
    }
}

/// Boards as they are unless said otherwise.
pub(super) fn defaults() -> Options {
    Options {
        kinds: Kinds::ALL,
        serve: true,
        clients: Some(Arc::new(clients::ApiServer::default())),
        registry: Some(Arc::new(Registries {
            plain_http: false,
            credentials: Credentials::default(),
        })),
        ..Options::default()
    }
}

fn options(flags: &Parsed, client_authorities: Vec<u8>) -> Result<Options> {
    let nodes = usize::try_from(flags.number("nodes"))
        .ok()
        .filter(|n| (1..=100_000).contains(n))
        .context("--nodes must be between 1 and 100000")?;
    let board = flags.text("board");
    let profile = pico_board::Profile::find(board).with_context(|| {
        let known: Vec<&str> = pico_board::PROFILES.iter().map(|p| p.name).collect();
        format!("--board {board:?} is none of {}", known.join(", "))
    })?;
    let shared = match flags.text("connections") {
        "" => nodes > OWN_CONNECTIONS,
        "own" => false,
        "shared" => true,
        other => bail!("--connections {other:?} is neither own nor shared"),
    };
    let pins_map = match flags.text("gpio-config") {
        "" => None,
        text => match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
                Some((namespace.to_owned(), name.to_owned()))
            }
            _ => bail!("--gpio-config {text:?} is not NAMESPACE/NAME"),
        },
    };
    let kinds = match flags.text("kinds") {
        "" if shared => Kinds {
            service: true,
            ..Kinds::NONE
        },
        "" => Kinds::ALL,
        "none" => Kinds::NONE,
        text => kinds(text)?,
    };
    let time_server = match flags.text("time-server") {
        "" => None,
        text => Some(
            text.parse::<SocketAddr>()
                .or_else(|_| {
                    text.parse()
                        .map(|ip: IpAddr| SocketAddr::new(ip, SNTP_PORT))
                })
                .with_context(|| {
                    format!("--time-server {text:?} is not ADDRESS or ADDRESS:PORT")
                })?,
        ),
    };
    let flash_dir = match flags.text("flash-dir") {
        "" => None,
        path => {
            let path = std::path::PathBuf::from(path);
            std::fs::create_dir_all(&path)
                .with_context(|| format!("cannot make the directory {}", path.display()))?;
            Some(path)
        }
    };
    let trusted = match flags.text("trust") {
        "" => Vec::new(),
        path => pico_oci::files::public_keys(Path::new(path))
            .with_context(|| format!("--trust {path:?}"))?,
    };
    let prefix = flags.text("name-prefix");
    let fits = prefix
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    if prefix.is_empty()
        || !fits
        || !prefix.starts_with(|c: char| c.is_ascii_alphanumeric())
        || prefix.len() > 200
    {
        bail!(
            "--name-prefix {prefix:?} cannot begin the name of a node: lower-case letters, digits, - and ."
        );
    }
    Ok(Options {
        nodes,
        prefix: prefix.to_owned(),
        place: place(flags, flash_dir.as_deref())?,
        profile,
        shared,
        pins_map,
        kinds,
        time_server,
        flash_dir,
        trusted,
        spread_ms: u64::try_from(flags.duration("spread").as_millis()).unwrap_or(u64::MAX),
        client_authorities,
        clients: Some(Arc::new(clients::ApiServer::with(
            flags.list("client-allowed-names"),
        ))),
        open_metrics: flags.on("open-metrics"),
        registry: Some(Arc::new(Registries {
            plain_http: flags.on("plain-http"),
            credentials: match flags.text("registry-config") {
                "" => Credentials::default(),
                path => Credentials::read(Path::new(path)).context("--registry-config")?,
            },
        })),
        // Ten thousand ports that nobody asks are not opened.
        serve: !shared,
        seed: match flags.text("seed") {
            "" => None,
            text => Some(
                text.parse()
                    .with_context(|| format!("--seed {text:?} is not a number"))?,
            ),
        },
    })
}

/// Where the boards stand: in their directory, or where they are asked; a seed is a place of its own, for its runs are to be the same.
fn place(flags: &Parsed, flash_dir: Option<&Path>) -> Result<String> {
    let socket = super::socket(flags)?;
    let place = match flags.text("seed") {
        "" => std::path::absolute(flash_dir.unwrap_or(&socket))
            .context("cannot say where the boards stand")?,
        _ => return Ok(String::new()),
    };
    Ok(place.display().to_string())
}

fn kinds(text: &str) -> Result<Kinds> {
    let mut kinds = Kinds::NONE;
    for word in text.split(',').map(str::trim) {
        match word {
            "service" => kinds.service = true,
            "ingress" => kinds.ingress = true,
            "gpiocontroller" => kinds.gpio_controller = true,
            "ledmatrix" => kinds.led_matrix = true,
            _ => bail!(
                "--kinds: {word:?} is none of service, ingress, gpiocontroller, ledmatrix, none"
            ),
        }
    }
    Ok(kinds)
}

async fn run(cx: &Context, flags: &Parsed) -> k1s_cli::error::Result {
    crate::server::without_arguments(flags)?;
    let access = cx.kubeconfig()?.access(cx.globals())?;
    if access.insecure && access.server.starts_with("https:") {
        cx.talk("Warning: the server's certificate is not checked (insecure-skip-tls-verify)");
    }
    let client_authorities = match flags.text("client-ca-file") {
        "" => clients::authorities(&access).await,
        path => std::fs::read(path)
            .map_err(|e| Error::message(format!("--client-ca-file {path:?}: {e}")))?,
    };
    let start = || -> Result<_> {
        let options = options(flags, client_authorities)?;
        let api = reach::api(&access)?;
        check_open_files(&options, limits::raise_open_files())?;
        let simulation = Simulation::start(api, &options).context("cannot start the boards")?;
        let control = control::Control::open(&super::socket(flags)?, simulation.handle())?;
        Ok((options, simulation, control))
    };
    let begun = Instant::now();
    let (options, simulation, _control) = start().map_err(|e| Error::message(format!("{e:#}")))?;
    let signal =
        stop::signalled().map_err(|e| Error::message(format!("cannot listen for signals: {e}")))?;
    let handle = simulation.handle();
    let images = pico_sim::images();
    cx.line(format_args!(
        "{} of {} at {}\nimages in flash: {}",
        count(options.nodes),
        options.profile.model,
        access.server,
        images.join(" ")
    ))?;
    cx.flush()?;
    tokio::pin!(signal);
    tokio::spawn(tell_troubles(handle.clone()));
    let ready = tokio::select! {
        () = handle.all_ready() => true,
        () = &mut signal => false,
    };
    if ready {
        let names = handle.names();
        let named = match names {
            [one] => one.clone(),
            [first, .., last] => format!("{first} to {last}"),
            [] => String::new(),
        };
        cx.line(format_args!(
            "Ready after {:.1} s: {named}",
            begun.elapsed().as_secs_f64()
        ))?;
        cx.flush()?;
        let wants_view = flags.on("view") || std::io::stdout().is_terminal();
        if wants_view && options.nodes <= VIEWED {
            tokio::select! {
                () = view::show(&handle) => {}
                () = &mut signal => {}
            }
        } else {
            signal.await;
        }
    }
    let mut out = std::io::stdout();
    // Whoever read this may have gone; the boards are switched off all the same.
    let _ = out.flush();
    simulation.stop();
    Ok(())
}

/// Says what goes wrong with the machine, beside what is shown.
async fn tell_troubles(handle: pico_sim::Handle) {
    let mut told = 0;
    loop {
        for text in handle.troubles(told).await {
            eprintln!("Warning: {text}");
            told += 1;
        }
    }
}

/// Refuses boards for which the process may not have enough files open.
fn check_open_files(options: &Options, limit: Option<u64>) -> Result<()> {
    let Some(limit) = limit else {
        return Ok(());
    };
    let of_a_board = if options.shared {
        0
    } else {
        // Requests and one or two watches, the kubelet's port and one who asks there.
        4 + u64::from(options.pins_map.is_some())
    } + u64::from(options.flash_dir.is_some());
    let needed = 64 + options.nodes as u64 * of_a_board;
    if needed <= limit {
        return Ok(());
    }
    let way_out = if options.shared {
        ""
    } else {
        ", or let the boards share connections (--connections shared)"
    };
    bail!(
        "{} may need {needed} open files, and this process may have {limit}: raise the limit (ulimit -n {needed}), simulate fewer{way_out}",
        count(options.nodes)
    )
}

fn count(n: usize) -> String {
    if n == 1 {
        "1 board".to_owned()
    } else {
        format!("{n} boards")
    }
}
