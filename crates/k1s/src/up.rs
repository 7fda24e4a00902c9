// SPDX-License-Identifier: Apache-2.0
//! `k1s up`: the API for a person, who is told where it is and what to try.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use k1s_cli::command::Command;
use k1s_cli::error::Error;
use k1s_cli::flag::{Flag, Parsed};

use crate::place::short;
use crate::server::Ready;
use crate::{controllers, pico, place, server};

/// What `--merge-kubeconfig` holds when it is given without a file.
const USERS_OWN: &str = "~";

/// As many boards are a person's; more are a test's.
const MAX_BOARDS: usize = 64;

/// `up`.
pub(crate) static COMMAND: Command = Command {
    name: "up",
    aliases: &[],
    usage: "[--data-dir DIR | --memory] [--listen ADDRESS:PORT] [--merge-kubeconfig[=FILE]] [--controllers all|LIST] [--hollow-nodes N] [--pico N] [--tenant NAME]",
    about: "Serve the API over TLS, and say how to reach it and what to try.",
    examples: &[
        ("Serve the default store, and say how to reach it", "up"),
        ("Two simulated Pico W boards join as nodes", "up --memory --pico 2"),
        ("Nothing is kept, and kubectl finds it as context k1s", "up --memory --merge-kubeconfig"),
    ],
    flags: &[&[
        place::MEMORY,
        server::LISTEN,
        controllers::ON,
        controllers::HOLLOW_NODES,
        Flag::number("pico", "0", "Simulated Pico W boards to join as nodes."),
        Flag::text(
            "merge-kubeconfig",
            "Also add the context k1s to this kubeconfig ($KUBECONFIG or ~/.kube/config), keeping what is there.",
        )
        .bare(USERS_OWN),
    ]],
    subcommands: &[],
    run: Some(|_, flags| Box::pin(std::future::ready(run(flags)))),
};

fn run(flags: &Parsed) -> k1s_cli::error::Result {
    let mut flags = flags.clone();
    let files = files(&mut flags).map_err(|e| Error::message(format!("{e:#}")))?;
    server::without_arguments(&flags)?;
    let boards = usize::try_from(flags.number("pico"))
        .ok()
        .filter(|n| *n <= MAX_BOARDS)
        .ok_or_else(|| {
            Error::message(format!(
                "--pico must be between 0 and {MAX_BOARDS}; `k1s pico sim` takes more"
            ))
        })?;
    let mut switched_on = None;
    server::run(&flags, |ready| {
        if let Some(parent) = files.kubeconfig.parent() {
            private_file::directory(parent)?;
        }
        ready.kubeconfig.write(&files.kubeconfig)?;
        if let Some(path) = &files.merged {
            ready.kubeconfig.merge_into(path)?;
        }
        let mut stdout = std::io::stdout().lock();
        let _ = stdout
            .write_all(words(&files, ready, &flags).as_bytes())
            .and_then(|()| stdout.flush());
        if boards > 0 {
            switched_on = Some(pico::Boards::start(boards, &files.kubeconfig)?);
        }
        Ok(())
    })
}

struct Files {
    data: Option<PathBuf>,
    kubeconfig: PathBuf,
    merged: Option<PathBuf>,
}

fn files(flags: &mut Parsed) -> Result<Files> {
    let data = place::directory(flags)?;
    let kubeconfig = match &data {
        Some(directory) => directory.join("kubeconfig"),
        // That of the store on disk, if there is one, stays good.
        None => place::default_directory()?.join("kubeconfig-memory"),
    };
    let merged = match flags.text("merge-kubeconfig") {
        "" => None,
        // `--merge-kubeconfig FILE`: a flag that may stand alone leaves the next word to the arguments.
        USERS_OWN if flags.args.len() == 1 => flags.args.pop().map(PathBuf::from),
        USERS_OWN => Some(place::users_kubeconfig()?),
        path => Some(path.into()),
    };
    Ok(Files {
        data,
        kubeconfig,
        merged,
    })
}

fn words(files: &Files, ready: &Ready, flags: &Parsed) -> String {
    let kubeconfig = short(&files.kubeconfig);
    let objects = match &files.data {
        Some(directory) => format!(
            "kept in {}, which other k1s processes may use at the same time",
            short(directory)
        ),
        None => "in memory, gone when this process ends".to_owned(),
    };
    let (kubectl, context) = match &files.merged {
        Some(path) => (
            "kubectl --context k1s".to_owned(),
            format!("\n              context k1s in {}", short(path)),
        ),
        None => (format!("kubectl --kubeconfig {kubeconfig}"), String::new()),
    };
    // Without a server `k1s` means the default store, and that is the one served.
    let is_default = |path: &Path| place::default_directory().is_ok_and(|default| default == path);
    let k1s = if files.data.as_deref().is_some_and(is_default) && flags.text("tenant").is_empty() {
        "k1s".to_owned()
    } else {
        format!("k1s --kubeconfig {kubeconfig}")
    };
    format!(
        "k1s is up.\n\n  API         {}\n  objects     {objects}\n  kubeconfig  {kubeconfig}{context}\n\n\
         Try, in another terminal:\n\n  {k1s} create configmap hello --from-literal=who=world\n  \
         {k1s} get configmaps\n  {kubectl} get namespaces\n\nCtrl-C stops it.\n",
        ready.url
    )
}
