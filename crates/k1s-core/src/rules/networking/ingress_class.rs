// SPDX-License-Identifier: Apache-2.0
//! IngressClass.

use serde_json::{Value, json};

use super::typed_reference;
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{self, at, text};
use crate::rules::address::report;
use crate::rules::keep::immutable;
use crate::rules::{Clock, Generation, Rules, cells, domain};

pub(super) static RULES: Rules = Rules {
    default: |object| {
        if at(object, &["spec", "parameters"]).is_some() {
            let parameters = object::map_mut(object, &["spec", "parameters"]);
            object::default_absent(parameters, "scope", "Cluster");
        }
    },
    validate: |object, errors| validate(object, errors),
    validate_update: |new, old, errors| {
        let (spec, old) = (&new["spec"], &old["spec"]);
        immutable(spec, old, "controller", &Path::new("spec"), errors);
        validate(new, errors);
    },
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

const CONTROLLER_BYTES: usize = 250;
const SCOPES: [&str; 2] = ["Cluster", "Namespace"];

fn validate(object: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let controller = text(object, &["spec", "controller"]);
    let controller_path = path.child("controller");
    if controller.len() > CONTROLLER_BYTES {
        errors.too_long(controller_path, CONTROLLER_BYTES);
    }
    let problems = name::domain_prefixed_path(controller);
    domain::report(problems, &controller_path, errors);
    if let Some(parameters) = at(object, &["spec", "parameters"]) {
        validate_parameters(parameters, &path.child("parameters"), errors);
    }
}

fn validate_parameters(parameters: &Value, path: &Path<'_>, errors: &mut Errors) {
    typed_reference::validate(parameters, path, errors);
    let namespace = parameters.get("namespace").and_then(Value::as_str);
    let namespace_path = path.child("namespace");
    match (text(parameters, &["scope"]), namespace) {
        ("Namespace", None) => {
            errors.required(namespace_path, "`parameters.scope` is set to 'Namespace'");
        }
        ("Namespace", Some(namespace)) => {
            let complaints = name::dns1123_label(namespace);
            report(complaints, namespace, &namespace_path, errors);
        }
        ("Cluster", Some(_)) => {
            errors.forbidden(namespace_path, "`parameters.scope` is set to 'Cluster'");
        }
        ("Cluster", None) => {}
        (other, _) => errors.not_supported(path.child("scope"), &json!(other), &SCOPES),
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let parameters = at(object, &["spec", "parameters"]).map(|parameters| {
        let group = match text(parameters, &["apiGroup"]) {
            "" => String::new(),
            group => format!(".{group}"),
        };
        let (kind, name) = (text(parameters, &["kind"]), text(parameters, &["name"]));
        format!("{kind}{group}/{name}")
    });
    vec![
        cells::name(object),
        text(object, &["spec", "controller"]).into(),
        cells::or_none(parameters.unwrap_or_default()),
        cells::age(object, clock),
    ]
}
