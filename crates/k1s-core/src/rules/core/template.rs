// SPDX-License-Identifier: Apache-2.0
//! PodTemplate: a template that stands by itself.

use serde_json::Value;

use super::pod_template::{default_template, validate_template, warning};
use crate::field::{Errors, Path};
use crate::object::{at, make_map};
use crate::rules::{Clock, Generation, Rules, cells};

pub(super) static RULES: Rules = Rules {
    default: |object| {
        default_template(make_map(object).entry("template").or_insert(Value::Null));
    },
    validate,
    validate_update: |new, _, errors| validate(new, errors),
    warnings,
    generation: Generation::Content,
    cells: Some(cells),
    ..Rules::NONE
};

fn validate(object: &Value, errors: &mut Errors) {
    let template = object.get("template").unwrap_or(&Value::Null);
    validate_template(template, &Path::new("template"), errors);
}

fn warnings(object: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    let changed = old.is_none_or(|old| old.get("template") != object.get("template"));
    if let Some(template) = object.get("template").filter(|_| changed) {
        warning::of_template(template, &Path::new("template"), warnings);
    }
}

/// Name, Containers, Images, Pod Labels.
fn cells(object: &Value, _: &Clock) -> Vec<Value> {
    let [names, images] = cells::containers(at(object, &["template", "spec"]));
    vec![
        cells::name(object),
        names,
        images,
        cells::labels(at(object, &["template", "metadata", "labels"])),
    ]
}
