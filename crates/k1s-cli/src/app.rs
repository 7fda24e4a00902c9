// SPDX-License-Identifier: Apache-2.0
//! A program with this command line: its name, its own commands before those of the library, and the way to its API.
//!
//! Entry point: [`App`]. Nothing is opened or started that the command does not need.

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use crate::PROGRAM;
use crate::command::Command;
use crate::commands::COMMANDS;
use crate::context::Host;
use crate::error::{Error, Result};
use crate::flag::Parsed;
use crate::run;
use crate::transport::Transport;

/// A program on the library.
///
/// # Examples
/// A program whose API is a server's alone:
/// ```no_run
/// use k1s_cli::app::App;
/// use k1s_cli::error::Error;
///
/// fn main() -> std::process::ExitCode {
///     App::new("shop", "Looks after the shop's cluster.")
///         .main(|_| Err(Error::message("say which cluster with --context")))
/// }
/// ```
pub struct App {
    name: &'static str,
    about: &'static str,
    commands: Vec<&'static Command>,
}

impl App {
    /// A program with all commands of the library; `about` is the first line of its help.
    #[must_use]
    pub fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            commands: Vec::new(),
        }
    }

    /// The program with a command of its own, which stands before the library's and is found before one of the same name.
    #[must_use]
    pub fn command(mut self, command: &'static Command) -> Self {
        self.commands.push(command);
        self
    }

    /// Runs the command that the words of the process ask for, and gives its exit code. `embedded` makes the way to the API of
    /// this program, from the flags of every command (`data-dir`, `tenant`); it is not called when a server is asked for.
    pub fn main(
        mut self,
        embedded: impl Fn(&Parsed) -> Result<Rc<dyn Transport>> + 'static,
    ) -> ExitCode {
        PROGRAM.name(self.name);
        let mut words = Vec::new();
        for word in std::env::args_os().skip(1) {
            match word.into_string() {
                Ok(word) => words.push(word),
                Err(word) => {
                    eprintln!("error: {} is not UTF-8", word.display());
                    return ExitCode::FAILURE;
                }
            }
        }
        self.commands.extend(COMMANDS);
        // the tree lives as long as the process
        let root: &'static Command = Box::leak(Box::new(Command {
            name: "",
            aliases: &[],
            usage: "COMMAND [OPTIONS]",
            about: self.about,
            examples: &[],
            flags: &[],
            subcommands: Box::leak(self.commands.into_boxed_slice()),
            run: None,
        }));
        let host = Host {
            out: Box::new(BufWriter::new(io::stdout())),
            err: Box::new(io::stderr()),
            input: Box::new(io::stdin()),
            embedded: Box::new(embedded),
        };
        // One thread is enough for a command.
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("error: the system lets us wait for nothing: {error}");
                return ExitCode::FAILURE;
            }
        };
        let code = runtime.block_on(run::run(root, host, &words));
        ExitCode::from(u8::try_from(code).unwrap_or(1))
    }
}

/// The directory of a program's data, made where it is missing, for the user alone: what `--data-dir` names, or
/// `$XDG_DATA_HOME/NAME`, or `~/.local/share/NAME`.
///
/// # Errors
/// When there is neither a flag nor a home directory, or the directory cannot be made.
pub fn data_directory(flags: &Parsed, name: &str) -> Result<PathBuf> {
    let given = flags.text("data-dir");
    let directory = if given.is_empty() {
        let xdg = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
        xdg.filter(|dir| dir.is_absolute())
            .or_else(|| home.map(|home| PathBuf::from(home).join(".local/share")))
            .map(|dir| dir.join(name))
            .ok_or_else(|| {
                Error::message("HOME is not set: say where to keep data with --data-dir")
            })?
    } else {
        given.into()
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(&directory)
        .map_err(|e| Error::message(format!("cannot make {}: {e}", directory.display())))?;
    Ok(directory)
}
