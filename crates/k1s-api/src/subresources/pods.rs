// SPDX-License-Identifier: Apache-2.0
//! `pods/binding`.

use k1s_core::meta;
use k1s_core::object::{self, list, text};
use k1s_core::schema::Schema;
use k1s_core::status::{Details, Status};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::clock;
use crate::content::Expected;
use crate::negotiate::Forms;
use crate::options::{WriteKind, WriteOptions};
use crate::route::Target;
use crate::verbs::update::{Part, Terms, change};

/// Reads what is posted to a subresource of the target, which has no other namespace than that.
pub(super) fn read(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
    group: &'static str,
    kind: &'static str,
    schema: &str,
) -> Result<(Value, WriteOptions), Status> {
    let schema = Schema::named(schema)
        .ok_or_else(|| Status::internal(format!("there is no schema of {kind}")))?;
    let options = WriteOptions::parse(&exchange.query, WriteKind::Create)?;
    let expected = Expected {
        group,
        version: "v1",
        kind,
        schema,
    };
    let mut value = exchange.object(&expected, options.field_validation)?;
    meta::fit_namespace(target.kind, &mut value, &target.namespace)?;
    api.check_namespace(target.kind, &target.namespace, &target.name)?;
    Ok((value, options))
}

pub(super) fn success() -> Value {
    json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success", "code": 201})
}

/// Puts a pod on a node. Without a name in the path the Binding says which pod.
pub(super) async fn bind(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::NoTable)?;
    let (binding, options) = read(
        api,
        target,
        exchange,
        "",
        "Binding",
        "io.k8s.api.core.v1.Binding",
    )?;
    let mut named = target.clone();
    if named.name.is_empty() {
        named.name = object::name(&binding).to_owned();
    }
    let target = &named;
    if object::name(&binding) != target.name {
        return Err(Status::bad_request(
            "name in URL does not match name in Binding object",
        ));
    }
    let node = text(&binding, &["target", "name"]).to_owned();
    let kind = text(&binding, &["target", "kind"]);
    let mut errors = k1s_core::field::Errors::new();
    if !kind.is_empty() && kind != "Node" {
        errors.not_supported("target.kind", &Value::from(kind), &["Node", "<empty>"]);
    }
    if node.is_empty() {
        errors.required("target.name", "");
    }
    if !errors.is_empty() {
        // no 422: Kubernetes tells it as a fault of its own
        let all: Vec<String> = errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect();
        let message = match all.as_slice() {
            [one] => one.clone(),
            all => format!("[{}]", all.join(", ")),
        };
        return Err(Status::new(500, "", message));
    }
    if target.name.is_empty() {
        return Err(Status::bad_request("Name parameter required."));
    }
    let conflict = |why: String| {
        let mut status = Status::conflict(target.kind, &target.name, &why);
        status.message = format!(
            "Operation cannot be fulfilled on pods/binding {}: {why}",
            k1s_core::field::quote(&target.name)
        );
        status.details = Some(Box::new(Details {
            name: target.name.clone(),
            kind: "pods/binding".into(),
            ..Details::default()
        }));
        status
    };
    let terms = Terms {
        part: Part::Binding,
        dry_run: options.dry_run,
        checks_version: false,
        uid_is_precondition: false,
    };
    let labels = crate::admission::pods::labels_of_node(api, &node)?;
    change(api, target, exchange, terms, |old, exchange| {
        check_preconditions(target, &binding, old)?;
        if object::is_deleting(old) {
            return Err(conflict(format!("pod {} is being deleted, cannot be assigned to a host", target.name)));
        }
        let present = text(old, &["spec", "nodeName"]);
        if !present.is_empty() {
            return Err(conflict(format!("pod {} is already assigned to node {}", target.name, k1s_core::field::quote(present))));
        }
        if !list(old, &["spec", "schedulingGates"]).is_empty() {
            return Err(conflict(format!("pod {} has non-empty .spec.schedulingGates", target.name)));
        }
        let mut new = old.clone();
        object::set(&mut new, &["spec", "nodeName"], node.as_str());
        for (key, value) in &labels {
            if object::label(old, key).is_none() {
                object::set(&mut new, &["metadata", "labels", key], value.as_str());
            }
        }
        for part in ["labels", "annotations"] {
            for (key, value) in object::map(&binding, &["metadata", part]).into_iter().flatten() {
                object::set(&mut new, &["metadata", part, key], value.clone());
            }
        }
        // it has come to where it was to come
        object::remove(&mut new, &["status", "nominatedNodeName"]);
        let condition = json!({"type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": clock::rfc3339(exchange.now_seconds)});
        let mut conditions: Vec<Value> = list(old, &["status", "conditions"]).iter().filter(|c| text(c, &["type"]) != "PodScheduled").cloned().collect();
        conditions.push(condition);
        object::set(&mut new, &["status", "conditions"], conditions);
        // it waits for no node any more
        object::remove(&mut new, &["status", "nominatedNodeName"]);
        Ok(new)
    })
    .await?;
    Ok(Answer::Value {
        code: 201,
        value: success(),
        output,
    })
}

/// A Binding may say which pod it means by uid and by version.
fn check_preconditions(target: &Target, binding: &Value, pod: &Value) -> Result<(), Status> {
    for (what, asked, found) in [
        ("UID", object::uid(binding), object::uid(pod)),
        (
            "ResourceVersion",
            object::resource_version(binding),
            object::resource_version(pod),
        ),
    ] {
        if !asked.is_empty() && asked != found {
            return Err(Status::conflict(
                target.kind,
                &target.name,
                &format!(
                    "StorageError: invalid object, Code: 4, Key: /registry/pods/{}/{}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: {what} in precondition: {asked}, {what} in object meta: {found}",
                    target.namespace, target.name
                ),
            ));
        }
    }
    Ok(())
}
