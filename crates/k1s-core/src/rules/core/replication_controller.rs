// SPDX-License-Identifier: Apache-2.0
//! ReplicationController.

use serde_json::{Value, json};

use super::pod_template::check::given;
use super::pod_template::{default_template, validate_template, warning};
use crate::field::{Errors, Path};
use crate::name::{self, NameRule};
use crate::object::{self, at, at_mut, int, is_unset, map, map_mut, set, text};
use crate::rules::keep::{keep_spec, keep_status};
use crate::rules::number::{all_not_negative, number};
use crate::rules::{Clock, Generation, Request, Rules, UnknownField, cells};

const COUNTS: [&str; 5] = [
    "replicas",
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "observedGeneration",
];
const OF_REPLICAS: [&str; 3] = ["fullyLabeledReplicas", "readyReplicas", "availableReplicas"];

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create,
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate,
    validate_update: |new, _, errors| validate(new, errors),
    validate_status,
    warnings,
    name: NameRule::Dns1123SubdomainAsMade,
    generation: Generation::Spec,
    fields: &["status.replicas"],
    field: |controller, _| {
        int(controller, &["status", "replicas"])
            .unwrap_or_default()
            .to_string()
    },
    unknown_field: UnknownField::NotSupported,
    cells: Some(cells),
    orphans_by_default: true,
    ..Rules::NONE
};

/// Selector and labels come from the template, where there are none.
fn default(controller: &mut Value) {
    object::default_absent(map_mut(controller, &["spec"]), "replicas", 1);
    if let Some(template) = at_mut(controller, &["spec", "template"]).filter(|t| !t.is_null()) {
        default_template(template);
    }
    let labels = at(controller, &["spec", "template", "metadata", "labels"]).cloned();
    let Some(labels) = labels.filter(|l| !is_unset(Some(l))) else {
        return;
    };
    for path in [["spec", "selector"], ["metadata", "labels"]] {
        if is_unset(at(controller, &path)) {
            set(controller, &path, labels.clone());
        }
    }
}

fn prepare_create(controller: &mut Value, _: &Request<'_>) {
    set(controller, &["status"], json!({"replicas": 0}));
}

fn validate(controller: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let spec = controller.get("spec").unwrap_or(&Value::Null);
    all_not_negative(spec, &["minReadySeconds"], &path, errors);
    let selector = map(spec, &["selector"]).filter(|s| !s.is_empty());
    if selector.is_none() {
        errors.required(path.child("selector"), "");
    }
    all_not_negative(spec, &["replicas"], &path, errors);
    let at_template = path.child("template");
    let Some(template) = spec.get("template").filter(|t| !t.is_null()) else {
        errors.required(at_template, "");
        return;
    };
    let labels = at(template, &["metadata", "labels"]);
    let selected = selector
        .into_iter()
        .flatten()
        .all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value));
    if !selected {
        errors.invalid(
            at_template.child("metadata").child("labels"),
            labels.unwrap_or(&Value::Null),
            "`selector` does not match template `labels`",
        );
    }
    validate_template(template, &at_template, errors);
    let at_spec = at_template.child("spec");
    let policy = text(template, &["spec", "restartPolicy"]);
    if policy != "Always" {
        errors.not_supported(at_spec.child("restartPolicy"), &json!(policy), &["Always"]);
    }
    if given(&template["spec"], "activeDeadlineSeconds") {
        errors.forbidden(
            at_spec.child("activeDeadlineSeconds"),
            "activeDeadlineSeconds in ReplicationController is not Supported",
        );
    }
}

fn validate_status(new: &Value, _: &Value, errors: &mut Errors) {
    let path = Path::new("status");
    let status = new.get("status").unwrap_or(&Value::Null);
    all_not_negative(status, &COUNTS, &path, errors);
    for key in OF_REPLICAS {
        let count = number(status, key);
        if count > number(status, "replicas") {
            errors.invalid(
                path.child(key),
                &json!(count),
                "cannot be greater than status.replicas",
            );
        }
    }
    let available = number(status, "availableReplicas");
    if available > number(status, "readyReplicas") {
        errors.invalid(
            path.child("availableReplicas"),
            &json!(available),
            "cannot be greater than readyReplicas",
        );
    }
}

fn warnings(controller: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    let complaints = name::dns1123_label(object::name(controller));
    if old.is_none() && !complaints.is_empty() {
        warnings.push(format!(
            "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [{}]",
            complaints.join(" ")
        ));
    }
    let changed = old.is_none_or(|old| old.get("spec") != controller.get("spec"));
    // of a changed one the template is told that was
    let told = old.unwrap_or(controller);
    if let Some(template) = at(told, &["spec", "template"]).filter(|_| changed) {
        warning::of_template(template, &Path::new("spec").child("template"), warnings);
    }
}

/// Name, Desired, Current, Ready, Age, Containers, Images, Selector.
fn cells(controller: &Value, clock: &Clock) -> Vec<Value> {
    let count = |path: &[&str]| Value::from(int(controller, path).unwrap_or_default());
    let [names, images] = cells::containers(at(controller, &["spec", "template", "spec"]));
    vec![
        cells::name(controller),
        count(&["spec", "replicas"]),
        count(&["status", "replicas"]),
        count(&["status", "readyReplicas"]),
        cells::age(controller, clock),
        names,
        images,
        cells::labels(at(controller, &["spec", "selector"])),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(spec: Value, expected: &[&str]) {
        let mut controller = json!({ "spec": spec });
        default(&mut controller);
        let mut errors = Errors::new();
        validate(&controller, &mut errors);
        let found: Vec<String> = errors
            .iter()
            .map(|e| format!("{}: {}", e.field, e.message))
            .collect();
        assert_eq!(found, expected, "{controller}");
    }

    #[test]
    fn specs() {
        let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
        check(json!({ "template": template }), &[]);
        check(
            json!({"selector": {"a": "c"}, "template": template}),
            &[
                r#"spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`"#,
            ],
        );
        check(
            json!({"replicas": -1}),
            &[
                "spec.selector: Required value",
                "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
                "spec.template: Required value",
            ],
        );
    }

    #[test]
    fn labels_come_from_the_template() {
        let mut controller = json!({"spec": {"template": {"metadata": {"labels": {"a": "b"}}}}});
        default(&mut controller);
        assert_eq!(controller["spec"]["selector"], json!({"a": "b"}));
        assert_eq!(controller["metadata"]["labels"], json!({"a": "b"}));
        assert_eq!(controller["spec"]["replicas"], 1);
    }
}
