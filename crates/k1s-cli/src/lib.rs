// SPDX-License-Identifier: Apache-2.0
//! kubectl-compatible command line over any Kubernetes API.
//!
//! The library knows neither the store nor the API's rules: a [`transport::Transport`] carries HTTP requests to a server or straight
//! into a service in this process. Entry points: [`app::App`] for a whole program, with commands of its own before those of the
//! library; [`run::run`] for a tree of commands and streams of one's own. A command is a [`command::Command`] whose function gets
//! a [`context::Context`] and its [`flag::Parsed`] words.

pub mod app;
mod channels;
pub mod client;
pub mod command;
pub mod commands;
pub mod config_file;
pub mod context;
pub mod deletion;
pub mod describe;
mod document;
mod editor;
pub mod error;
pub mod explain;
pub mod flag;
mod forwarding;
pub mod generate;
pub mod go_order;
mod help;
pub mod kubeconfig;
pub mod mapping;
mod patching;
pub mod print;
mod program;
pub mod run;
pub mod selection;
pub mod source;
pub mod tabwriter;
pub mod terminal;
pub mod transport;
pub mod watch;
pub mod writing;

pub use program::{PROGRAM, Program};
