// SPDX-License-Identifier: Apache-2.0
//! kubectl-compatible command line over any Kubernetes API.
//!
//! The library knows neither the store nor the API's rules: a [`transport::Transport`] carries HTTP requests to a server or straight
//! into a service in this process. Entry points: [`run::run`] with the tree [`commands::ROOT`], or a tree of one's own that holds
//! [`commands::COMMANDS`]; a command is a [`command::Command`] whose function gets a [`context::Context`] and its [`flag::Parsed`]
//! words.

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
pub mod generate;
pub mod go_order;
mod help;
pub mod kubeconfig;
pub mod mapping;
mod patching;
pub mod print;
pub mod run;
pub mod selection;
pub mod source;
pub mod tabwriter;
pub mod transport;
pub mod watch;
pub mod writing;

/// The name of the program in its own messages.
pub const PROGRAM: &str = "k1s";
