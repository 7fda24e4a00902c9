// SPDX-License-Identifier: Apache-2.0
//! Terraform and OpenTofu provider for Turing Pi boards.
//!
//! Schemas and the mapping between them and `turingpi-bmc` and `turingpi-ssh`; the protocol is `tfplugin`'s. Nothing is contacted before something is read or
//! changed, so a plan is possible while a board is down.

mod action;
mod attribute;
mod boot;
mod data;
mod ephemeral;
mod function;
mod image;
mod kubeconfig;
mod list;
mod provider;
mod report;
mod resource;
mod session;
mod ssh;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        None => {}
        Some(flag) if flag == "--version" => {
            println!("terraform-provider-turingpi {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        Some(word) if word == "docs" => {
            let Some(dir) = arguments.next() else {
                eprintln!("error: docs needs the directory into which the pages are written");
                return ExitCode::FAILURE;
            };
            return write_docs(std::path::Path::new(&dir));
        }
        Some(_) => {
            eprintln!(
                "error: this program is started by terraform or tofu; by hand it knows --version and docs DIR"
            );
            return ExitCode::FAILURE;
        }
    }
    match tfplugin::serve("turingpi", provider::TuringPi::default()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            let mut cause = std::error::Error::source(&e);
            while let Some(e) = cause {
                eprintln!("  because: {e}");
                cause = e.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// Writes the pages of the registry, made from the schemas.
fn write_docs(dir: &std::path::Path) -> ExitCode {
    let pages = tfplugin::docs::pages("turingpi", &provider::TuringPi::default());
    for (name, text) in pages {
        let path = dir.join(name);
        let written = path
            .parent()
            .map_or(Ok(()), std::fs::create_dir_all)
            .and_then(|()| std::fs::write(&path, text));
        if let Err(e) = written {
            eprintln!("error: cannot write {}: {e}", path.display());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests;
