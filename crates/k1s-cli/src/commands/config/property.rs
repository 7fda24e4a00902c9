// SPDX-License-Identifier: Apache-2.0
//! Single fields by their paths: `set`, `unset`.

use k1s_core::quote::Quoted;

use super::files::Files;
use super::unexpected;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::Parsed;

/// `config set`.
pub(super) async fn set(cx: &Context, flags: &Parsed) -> Result {
    let [path, value] = flags.args.as_slice() else {
        return Err(unexpected(cx, flags));
    };
    if value.is_empty() {
        return Err(Error::message("you cannot use set to unset a property"));
    }
    if path.is_empty() {
        return Err(Error::message("you must specify a property"));
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    config
        .set(path, value, flags.on("set-raw-bytes"))
        .map_err(|error| Error::message(error.to_string()))?;
    files.save(&config)?;
    cx.line(format_args!("Property {} set.", Quoted(path)))
}

/// `config unset`.
pub(super) async fn unset(cx: &Context, flags: &Parsed) -> Result {
    let [path] = flags.args.as_slice() else {
        return Err(unexpected(cx, flags));
    };
    if path.is_empty() {
        return Err(Error::message("you must specify a property"));
    }
    let files = Files::load(cx)?;
    let mut config = files.merged();
    config
        .unset(path)
        .map_err(|error| Error::message(error.to_string()))?;
    files.save(&config)?;
    cx.line(format_args!("Property {} unset.", Quoted(path)))
}
