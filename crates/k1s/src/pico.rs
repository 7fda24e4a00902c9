// SPDX-License-Identifier: Apache-2.0
//! `k1s pico`: simulated boards as nodes of any cluster, what is seen and done at their pins, and the images that they run.

mod clients;
mod control;
mod eci;
mod pins;
mod reach;
mod sim;
mod view;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k1s_cli::command::Command;
use k1s_cli::flag::{Flag, Parsed};
use pico_sim::{Options, Simulation};

use crate::place;

/// `pico`.
pub(crate) static COMMAND: Command = Command {
    name: "pico",
    aliases: &[],
    usage: "COMMAND",
    about: "Simulate Raspberry Pi Pico W boards as nodes of any cluster, and make images for them.",
    examples: &[
        (
            "Two boards beside the API of the current kubeconfig",
            "pico sim --nodes 2",
        ),
        (
            "An image for them",
            "pico eci build blink.json blink.wat --key eci.key -f blink.eci",
        ),
    ],
    flags: &[],
    subcommands: &[&sim::COMMAND, &pins::COMMAND, &eci::COMMAND],
    run: None,
};

/// Where a simulation can be asked.
const SOCKET: Flag = Flag::text(
    "socket",
    "Unix socket at which the boards are seen and set; pico.sock in the data directory unless said otherwise.",
);

fn socket(flags: &Parsed) -> Result<PathBuf> {
    match flags.text("socket") {
        "" => {
            let directory = place::default_directory()?;
            private_file::directory(&directory)?;
            Ok(directory.join("pico.sock"))
        }
        path => Ok(path.into()),
    }
}

/// Boards beside a server, as `k1s up --pico` has them. They are switched off when this is dropped.
pub(crate) struct Boards {
    _simulation: Simulation,
    _control: control::Control,
}

impl Boards {
    /// Switches `nodes` boards on that know the API from this kubeconfig.
    pub(crate) fn start(nodes: usize, kubeconfig: &Path) -> Result<Self> {
        let loaded =
            k1s_cli::kubeconfig::load(&kubeconfig.display().to_string()).map_err(reach::plain)?;
        let flags = Parsed::parse(vec![k1s_cli::context::FLAGS], &[])?;
        let access = loaded.access(&flags).map_err(reach::plain)?;
        let directory = place::default_directory()?;
        private_file::directory(&directory)?;
        let socket = directory.join("pico.sock");
        let simulation = Simulation::start(
            reach::api(&access)?,
            &Options {
                nodes,
                place: socket.display().to_string(),
                client_authorities: access.authority.clone(),
                ..sim::defaults()
            },
        )
        .context("cannot start threads for the boards")?;
        let control = control::Control::open(&socket, simulation.handle())?;
        Ok(Self {
            _simulation: simulation,
            _control: control,
        })
    }
}
