// SPDX-License-Identifier: Apache-2.0
//! SubjectAccessReview and its like: whether somebody may do one thing.

use std::collections::BTreeMap;

use k1s_core::field::Errors;
use k1s_core::object::{self, list, text};
use k1s_core::status::Status;
use serde_json::{Map, Value, json};

use super::invalid;
use crate::authorization::{Attempt, allows};
use crate::identity::Identity;

/// Writes the status: about the asker if there is one, else about the user in the question. `namespace` is that of the path.
pub(super) fn answer(
    review: &mut Value,
    asker: Option<&Identity>,
    namespace: &str,
) -> Result<(), Status> {
    let errors = check(review, asker.is_none(), namespace);
    if !errors.is_empty() {
        return Err(invalid(errors));
    }
    let spec = &review["spec"];
    let told = match asker {
        Some(asker) => asker.clone(),
        None => subject(spec),
    };
    let attributes = &spec["resourceAttributes"];
    let resource = match (
        text(attributes, &["resource"]),
        text(attributes, &["subresource"]),
    ) {
        (resource, "") => resource.to_owned(),
        (resource, sub) => format!("{resource}/{sub}"),
    };
    let attempt = if attributes.is_object() {
        Attempt {
            verb: text(attributes, &["verb"]),
            group: text(attributes, &["group"]),
            resource: &resource,
            namespace: text(attributes, &["namespace"]),
            name: text(attributes, &["name"]),
            path: "",
        }
    } else {
        let path = &spec["nonResourceAttributes"];
        Attempt::on_path(text(path, &["verb"]), text(path, &["path"]))
    };
    let allowed = allows(&told, &attempt);
    review["status"] = json!({"allowed": allowed});
    Ok(())
}

/// The user in a question; groups are not made up.
fn subject(spec: &Value) -> Identity {
    let texts = |values: &[Value]| -> Vec<String> {
        let texts = values.iter().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    };
    Identity {
        user: text(spec, &["user"]).to_owned(),
        groups: texts(list(spec, &["groups"])),
        uid: text(spec, &["uid"]).to_owned(),
        extra: BTreeMap::new(),
    }
}

fn check(review: &Value, with_subject: bool, namespace: &str) -> Errors {
    let mut errors = Errors::new();
    let spec = &review["spec"];
    let resource = spec["resourceAttributes"].as_object();
    let path = spec["nonResourceAttributes"].as_object();
    match (resource, path) {
        (Some(_), Some(path)) => errors.invalid(
            "spec.nonResourceAttributes",
            &shown(path),
            "cannot be specified in combination with resourceAttributes",
        ),
        (None, None) => errors.invalid(
            "spec.resourceAttributes",
            &Value::Null,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        _ => {}
    }
    if with_subject && text(spec, &["user"]).is_empty() && list(spec, &["groups"]).is_empty() {
        errors.invalid_text(
            "spec.user",
            "",
            "at least one of user or group must be specified",
        );
    }
    for selector in ["fieldSelector", "labelSelector"] {
        if let Some(selector_value) = resource
            .and_then(|r| r.get(selector))
            .filter(|s| s.is_object())
        {
            let field = format!("spec.resourceAttributes.{selector}");
            check_selector(&field, selector_value, &mut errors);
        }
    }
    let mut metadata = review["metadata"].as_object().cloned().unwrap_or_default();
    metadata.remove("managedFields");
    metadata.retain(|_, value| !value.is_null());
    if !namespace.is_empty() {
        metadata.remove("namespace");
    }
    if !metadata.is_empty() {
        errors.invalid("metadata", &Value::Object(metadata), "must be empty");
    }
    if !namespace.is_empty() {
        if let Some(resource) = resource
            && resource
                .get("namespace")
                .and_then(Value::as_str)
                .unwrap_or_default()
                != namespace
        {
            let own = text(&spec["resourceAttributes"], &["namespace"]);
            errors.invalid_text(
                "spec.resourceAttributes.namespace",
                own,
                "must match metadata.namespace",
            );
        }
        if let Some(path) = path {
            errors.invalid(
                "spec.nonResourceAttributes",
                &shown(path),
                "disallowed on this kind of request",
            );
        }
    }
    errors
}

/// Attributes as a refusal shows them: with the names of the structure in Go.
fn shown(path: &Map<String, Value>) -> Value {
    let value = Value::Object(path.clone());
    json!({"Path": text(&value, &["path"]), "Verb": text(&value, &["verb"])})
}

fn check_selector(field: &str, selector: &Value, errors: &mut Errors) {
    let raw = text(selector, &["rawSelector"]);
    let requirements = list(selector, &["requirements"]);
    match (raw.is_empty(), requirements.is_empty()) {
        (false, false) => errors.invalid_text(
            format!("{field}.rawSelector"),
            raw,
            "may not specified at the same time as requirements",
        ),
        (true, true) => errors.required(
            format!("{field}.requirements"),
            &format!("when {field} is specified, requirements or rawSelector is required"),
        ),
        _ => {}
    }
    for (index, requirement) in requirements.iter().enumerate() {
        let field = format!("{field}.requirements[{index}]");
        let values = format!("{field}.values");
        let has_values = !list(requirement, &["values"]).is_empty();
        if object::is_unset(requirement.get("key")) {
            errors.required(format!("{field}.key"), "must be specified");
        }
        match text(requirement, &["operator"]) {
            "In" | "NotIn" if !has_values => errors.required(
                values,
                "must be specified when `operator` is 'In' or 'NotIn'",
            ),
            "Exists" | "DoesNotExist" if has_values => errors.forbidden(
                values,
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
            _ => {}
        }
    }
}
