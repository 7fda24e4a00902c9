// SPDX-License-Identifier: Apache-2.0
//! `create KIND NAME`: the commands that make an object from flags.

mod access;
mod data;
mod finish;
mod policy;
mod service;
mod token;
mod workload;

pub(super) use finish::{MAKING, Made, finish, send, show};

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{FlagError, Parsed};
use crate::generate::Identity;

/// The generators, in the order of the help.
pub(super) const GENERATORS: &[&Command] = &[
    &access::CLUSTER_ROLE,
    &access::CLUSTER_ROLE_BINDING,
    &data::CONFIG_MAP,
    &workload::CRON_JOB,
    &workload::DEPLOYMENT,
    &service::INGRESS,
    &workload::JOB,
    &policy::NAMESPACE,
    &policy::DISRUPTION_BUDGET,
    &policy::PRIORITY_CLASS,
    &policy::QUOTA,
    &access::ROLE,
    &access::ROLE_BINDING,
    &data::SECRET,
    &service::SERVICE,
    &access::SERVICE_ACCOUNT,
    &token::TOKEN,
];

/// The only argument before `--`.
pub(super) fn name(flags: &Parsed) -> Result<&str> {
    let before = flags.dash.unwrap_or(flags.args.len()).min(flags.args.len());
    // What follows the dashes counts only where a command takes words of its own.
    match &flags.args[..before] {
        [name] => Ok(name),
        args => Err(Error::Usage {
            message: format!("exactly one NAME is required, got {}", args.len()),
            path: flags.path.clone(),
        }),
    }
}

/// The words after `--`, or after the name.
pub(super) fn words(flags: &Parsed) -> &[String] {
    flags.args.get(1..).unwrap_or_default()
}

/// Name and namespace of a namespaced object; the namespace only where a flag says it.
pub(super) fn identity<'a>(name: &'a str, namespace: &'a (String, bool)) -> Identity<'a> {
    Identity {
        name,
        namespace: namespace.1.then_some(namespace.0.as_str()),
    }
}

/// A flag's number, of 32 bits.
pub(super) fn small(flags: &Parsed, name: &str) -> Result<i32> {
    i32::try_from(flags.number(name)).map_err(|_| {
        let value = flags.text(name).to_owned();
        let why = format!(
            "strconv.ParseInt: parsing {}: value out of range",
            k1s_core::quote::Quoted(&value)
        );
        let source = FlagError::Invalid {
            value,
            flag: format!("--{name}"),
            why,
        };
        Error::Flag {
            source,
            path: flags.path.clone(),
        }
    })
}

/// A group without a subcommand: its help on standard error, and a failure.
pub(super) async fn group(_cx: &Context, flags: &Parsed, command: &Command) -> Result {
    if !flags.args.is_empty() {
        return Err(Error::Usage {
            message: format!("unknown command \"{}\"", flags.args.join(" ")),
            path: flags.path.clone(),
        });
    }
    Err(Error::Text(crate::help::of(command, &flags.path)))
}

impl From<crate::generate::Mistake> for Error {
    fn from(mistake: crate::generate::Mistake) -> Self {
        Error::Message(mistake.0)
    }
}
