// SPDX-License-Identifier: Apache-2.0
//! What becomes of an object that a command made: it is sent, or only shown.

use http::Method;
use k1s_core::object::text;
use serde_json::Value;

use crate::client::Call;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::go_order;
use crate::print::{self, DryRun, Outcome};
use crate::writing::{LAST_APPLIED, VALIDATE, Writer};

/// The flags of commands that make an object, beside those of [`crate::print`].
pub(in crate::commands) const MAKING: &[Flag] = &[
    Flag::text("field-manager", "Who is named as the owner of the fields.")
        .default("kubectl-create"),
    Flag::switch(
        "save-config",
        "Keep the configuration in an annotation, for apply.",
    ),
    VALIDATE,
];

/// An object that a command made.
pub(in crate::commands) struct Made<'a> {
    /// The object.
    pub object: Value,
    /// The path of its collection, with the namespace.
    pub path: String,
    /// `deployment.apps`, the kind before the name in messages.
    pub kind: &'a str,
    /// What happened to it: `created`.
    pub done: &'a str,
    /// Before the words of the API when it refuses, `failed to create deployment: `; nothing to show the refusal as it is.
    pub refused: &'a str,
}

/// The kinds of which kubectl itself asks that they have a name; for the others the API does.
const NAMED: [&str; 9] = [
    "ClusterRole",
    "ConfigMap",
    "Namespace",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "ServiceAccount",
];

/// Sends the object, unless it is only to be shown, and prints the outcome.
pub(in crate::commands) async fn finish(cx: &Context, flags: &Parsed, made: Made<'_>) -> Result {
    let mut outcome = Outcome::new(flags)?;
    let (kind, done) = (made.kind, made.done);
    let object = send(cx, flags, made).await?;
    show(cx, flags, &mut outcome, &object, kind, done)
}

/// Sends the object, unless it is only to be shown, and gives what became of it.
pub(in crate::commands) async fn send(
    cx: &Context,
    flags: &Parsed,
    made: Made<'_>,
) -> Result<Value> {
    let Made {
        mut object,
        path,
        refused,
        ..
    } = made;
    let writer = Writer::new(flags)?;
    let name = k1s_core::object::name(&object);
    let kind = text(&object, &["kind"]);
    if name.is_empty() && NAMED.contains(&kind) {
        return Err(Error::message("name must be specified"));
    }
    if flags.on("save-config") {
        // As the types write it: these objects were never sorted.
        let configuration = format!("{}\n", go_order::compact(&object));
        object["metadata"]["annotations"][LAST_APPLIED] = configuration.into();
    }
    if writer.dry_run == DryRun::Client {
        return Ok(object);
    }
    let call = Call::with_json(Method::POST, path, &object)
        .query("dryRun", writer.dry_run.query())
        .query("fieldManager", writer.manager.as_str())
        .query("fieldValidation", writer.validation_query());
    match cx.json(&call).await {
        Err(error) if !refused.is_empty() => Err(Error::Message(format!("{refused}{error}"))),
        answer => answer,
    }
}

/// Prints what was done to an object of a built-in type, or the object in the form that was asked for.
pub(in crate::commands) fn show(
    cx: &Context,
    flags: &Parsed,
    outcome: &mut Outcome,
    object: &Value,
    kind: &str,
    done: &str,
) -> Result {
    if flags.text("output") == "json" {
        let stripped = print::without_managed_fields(object);
        return cx.print(go_order::object(if flags.on("show-managed-fields") {
            object
        } else {
            &stripped
        }));
    }
    if outcome.has_form() {
        return outcome.print(cx, object);
    }
    let name = k1s_core::object::name(object);
    cx.line(format_args!(
        "{kind}/{name} {done}{}",
        outcome.dry_run.suffix()
    ))
}
