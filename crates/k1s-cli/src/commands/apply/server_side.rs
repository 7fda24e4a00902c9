// SPDX-License-Identifier: Apache-2.0
//! `apply --server-side`: the API merges by who owns which field.

use http::Method;
use k1s_core::object::{annotation, text};
use serde_json::{Value, json};

use super::Run;
use crate::client::Call;
use crate::error::{Error, Result};
use crate::print::DryRun;
use crate::selection::Target;
use crate::writing::{LAST_APPLIED, PatchType};

/// The manager of the annotation, where there was one from a client-side apply.
const LAST_APPLIED_MANAGER: &str = "kubectl-last-applied";

impl Run<'_> {
    /// Applies one object on the server's side.
    pub(super) async fn on_server(&mut self, target: Target) -> Result {
        let generate = text(&target.value, &["metadata", "generateName"]);
        if target.name.is_empty() && !generate.is_empty() {
            return Err(Error::message(format!(
                "from {generate}: cannot use generate name with apply"
            )));
        }
        let force = self.args.on("force-conflicts");
        let mut answer = self
            .send(
                &target,
                target.value.to_string(),
                &self.writer.manager,
                force,
            )
            .await
            .map_err(|e| in_words(e, &target))?;
        if self.writer.dry_run == DryRun::None
            && let Some(annotated) = self.renew_annotation(&target, &answer).await?
        {
            answer = annotated;
        }
        self.note(&answer, &target);
        self.tell(&target.resource, answer, "serverside-applied")
    }

    async fn send(
        &self,
        target: &Target,
        body: String,
        manager: &str,
        force: bool,
    ) -> Result<Value> {
        let path = target.resource.path(
            &target.namespace,
            &target.name,
            self.args.text("subresource"),
        );
        let call = Call::new(Method::PATCH, path)
            .body(PatchType::Apply.content(), body)
            .query("dryRun", self.writer.dry_run.query())
            .query("fieldManager", manager)
            .query("fieldValidation", self.writer.validation_query())
            .query("force", if force { "true" } else { "false" });
        self.cx.json(&call).await
    }

    /// Keeps the annotation of an earlier client-side apply true to the file, so that one can go back to it.
    async fn renew_annotation(&self, target: &Target, answer: &Value) -> Result<Option<Value>> {
        if annotation(answer, LAST_APPLIED).is_none() {
            return Ok(None);
        }
        let last = crate::writing::server_side_configuration(&target.value);
        let mut metadata = json!({"name": target.name, "annotations": {LAST_APPLIED: last}});
        if !target.namespace.is_empty() {
            metadata["namespace"] = target.namespace.as_str().into();
        }
        let body = json!({
            "apiVersion": target.value["apiVersion"],
            "kind": target.value["kind"],
            "metadata": metadata,
        });
        self.send(target, body.to_string(), LAST_APPLIED_MANAGER, true)
            .await
            .map(Some)
    }
}

/// A conflict with other managers, with what can be done about it.
fn in_words(error: Error, target: &Target) -> Error {
    match error.refusal() {
        Some(refusal) if refusal.reason == "Conflict" => Error::message(format!(
            "{}\nPlease review the fields above--they currently have other managers. Here\n\
             are the ways you can resolve this warning:\n\
             * If you intend to manage all of these fields, please re-run the apply\n  \
             command with the `--force-conflicts` flag.\n\
             * If you do not intend to manage all of the fields, please edit your\n  \
             manifest to remove references to the fields that should keep their\n  \
             current managers.\n\
             * You may co-own fields by updating your manifest to match the existing\n  \
             value; in this case, you'll become the manager if the other manager(s)\n  \
             stop managing the field (remove it from their configuration).\n\
             See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts",
            refusal.message
        )),
        Some(refusal) if refusal.reason != "Invalid" => {
            error.with_source("applying", &target.source)
        }
        _ => error,
    }
}
