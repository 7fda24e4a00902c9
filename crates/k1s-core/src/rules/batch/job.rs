// SPDX-License-Identifier: Apache-2.0
//! Job.

use serde_json::{Map, Value, json};

use super::{job_spec, job_status};
use crate::field::{Errors, Path, quote};
use crate::name;
use crate::object::{self, at, int, is_true, list, map, map_mut, text};
use crate::rules::apps::template;
use crate::rules::keep::{drop_status, immutable, keep, keep_spec, keep_status};
use crate::rules::label_selector;
use crate::rules::number::number;
use crate::rules::{Clock, Generation, Request, Rules, UnknownField, cells};
use crate::selector::LabelSelector;

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create,
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| {
        keep_spec(new, old);
        label_as_template(new);
    },
    canonicalize: label_as_template,
    validate,
    validate_update: |new, old, errors| {
        validate(new, errors);
        validate_change(new, old, errors);
    },
    validate_status: job_status::validate,
    warnings: |new, old, warnings| {
        if old.is_none() {
            template::warn_of_pod_names(new, warnings);
        }
        job_spec::warn(&new["spec"], warnings);
        template::warn_of_template(new, old, &["spec", "template"], warnings);
    },
    generation: Generation::Spec,
    fields: &["status.successful"],
    field: |object, _| number(&object["status"], "succeeded").to_string(),
    unknown_field: UnknownField::NotSupportedFor,
    cells: Some(row),
    orphans_by_default: true,
    ..Rules::NONE
};

/// Labels that tie a pod to its Job, the older ones first, with whether they hold the uid or the name.
const TIES: [(&str, bool); 4] = [
    ("controller-uid", true),
    ("job-name", false),
    (CONTROLLER_UID, true),
    ("batch.kubernetes.io/job-name", false),
];
const CONTROLLER_UID: &str = "batch.kubernetes.io/controller-uid";

fn default(object: &mut Value) {
    let spec = map_mut(object, &["spec"]);
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        spec.insert("completions".to_owned(), json!(1));
    }
    object::default_absent(spec, "parallelism", 1);
    let backoff = if spec.contains_key("backoffLimitPerIndex") {
        i32::MAX
    } else {
        6
    };
    object::default_absent(spec, "backoffLimit", backoff);
    object::default_absent(spec, "completionMode", "NonIndexed");
    object::default_absent(spec, "suspend", false);
    object::default_absent(spec, "manualSelector", false);
    let replacement = if spec.contains_key("podFailurePolicy") {
        "Failed"
    } else {
        "TerminatingOrFailed"
    };
    object::default_absent(spec, "podReplacementPolicy", replacement);
    default_failure_policy(object, &["spec", "podFailurePolicy", "rules"]);
    template::default_template(object);
    label_as_template(object);
}

/// A pod condition of a failure policy is met when it is true, if nothing else is said.
pub(super) fn default_failure_policy(object: &mut Value, path: &[&str]) {
    let rules = path
        .iter()
        .try_fold(object, |value, key| value.get_mut(*key));
    for rule in rules.and_then(Value::as_array_mut).into_iter().flatten() {
        let conditions = rule
            .get_mut("onPodConditions")
            .and_then(Value::as_array_mut);
        for condition in conditions.into_iter().flatten() {
            object::default(object::make_map(condition), "status", "True");
        }
    }
}

/// A Job without labels takes those of its template.
fn label_as_template(object: &mut Value) {
    let labels = |value: &Value, path: &[&str]| map(value, path).cloned().unwrap_or_default();
    let template = labels(object, &["spec", "template", "metadata", "labels"]);
    if labels(object, &["metadata", "labels"]).is_empty() && !template.is_empty() {
        object::set(object, &["metadata", "labels"], template);
    }
}

fn prepare_create(object: &mut Value, _: &Request<'_>) {
    drop_status(object);
    if is_true(object, &["spec", "manualSelector"]) {
        return;
    }
    const LABELS: [&str; 4] = ["spec", "template", "metadata", "labels"];
    let own = at(object, &["metadata", "labels"]);
    let shared = own.is_some() && own == at(object, &LABELS);
    let (uid, name) = (
        object::uid(object).to_owned(),
        object::name(object).to_owned(),
    );
    let labels = map_mut(object, &LABELS);
    for (key, is_uid) in TIES {
        let value = if is_uid { &uid } else { &name };
        labels.entry(key).or_insert_with(|| value.as_str().into());
    }
    map_mut(object, &["spec", "selector", "matchLabels"])
        .entry(CONTROLLER_UID)
        .or_insert_with(|| uid.into());
    if shared {
        object::remove(object, &["metadata", "labels"]);
        label_as_template(object);
    }
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    validate_generated_selector(object, errors);
    job_spec::validate_with_selector(spec, &Path::new("spec"), errors);
    let completions = number(spec, "completions");
    if text(spec, &["completionMode"]) == "Indexed" && completions > 0 {
        let last = format!("{}-{}", object::name(object), completions - 1);
        if !name::dns1123_label(&last).is_empty() {
            errors.invalid_text(
                Path::new("metadata").child("name"),
                object::name(object),
                format!("will not able to create pod with invalid DNS label: {last}"),
            );
        }
    }
}

/// A selector that was to be made by the server is the one that the server makes.
fn validate_generated_selector(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let selector = spec.get("selector");
    if is_true(spec, &["manualSelector"]) || selector.is_none() {
        return;
    }
    let metadata = Path::new("spec");
    let metadata = metadata.child("template");
    let metadata = metadata.child("metadata");
    let path = metadata.child("labels");
    let labels = map(spec, &["template", "metadata", "labels"]);
    let mut expected = Map::new();
    for (key, is_uid) in TIES {
        let value = if is_uid {
            object::uid(object)
        } else {
            object::name(object)
        };
        expected.insert(key.to_owned(), value.into());
        let must = format!("must be '{value}'");
        match labels.and_then(|labels| labels.get(key)) {
            None => errors.required(path.key(key), &must),
            Some(found) if found.as_str() != Some(value) => {
                let all = labels.cloned().map_or(Value::Null, Value::Object);
                errors.invalid(path.key(key), &all, must);
            }
            Some(_) => {}
        }
    }
    if LabelSelector::from_object(selector).is_ok_and(|selector| !selector.matches(&expected)) {
        label_selector::invalid(
            &Path::new("spec").child("selector"),
            selector,
            "`selector` not auto-generated",
            errors,
        );
    }
}

fn validate_change(new: &Value, old: &Value, errors: &mut Errors) {
    let path = Path::new("spec");
    let (spec, old_spec) = (&new["spec"], &old["spec"]);
    job_spec::validate_with_selector(spec, &path, errors);
    validate_completions(spec, old_spec, &path, errors);
    immutable(spec, old_spec, "selector", &path, errors);
    let mut before = old_spec.clone();
    if is_true(old_spec, &["suspend"]) && at(old, &["status", "startTime"]).is_none() {
        for what in SCHEDULING {
            let mut template_path = vec!["template"];
            template_path.extend(what);
            keep(&mut before, spec, &template_path);
        }
        const AFFINITY: [&str; 3] = ["template", "spec", "affinity"];
        let emptied = object::map(&before, &AFFINITY).is_some_and(Map::is_empty);
        if emptied && at(spec, &AFFINITY).is_none() {
            object::remove(&mut before, &AFFINITY);
        }
    }
    immutable(spec, &before, "template", &path, errors);
    for key in [
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        immutable(spec, old_spec, key, &path, errors);
    }
}

/// What of the template may change while a suspended Job has not started.
const SCHEDULING: [&[&str]; 6] = [
    &["spec", "affinity", "nodeAffinity"],
    &["spec", "nodeSelector"],
    &["spec", "tolerations"],
    &["spec", "schedulingGates"],
    &["metadata", "annotations"],
    &["metadata", "labels"],
];

fn validate_completions(spec: &Value, old: &Value, path: &Path<'_>, errors: &mut Errors) {
    let completions = spec.get("completions");
    if completions == old.get("completions") {
        return;
    }
    if text(spec, &["completionMode"]) != "Indexed" {
        immutable(spec, old, "completions", path, errors);
    } else if completions.is_none() || completions != spec.get("parallelism") {
        errors.invalid(
            path.child("completions"),
            completions.unwrap_or(&Value::Null),
            format!(
                "can only be modified in tandem with {}",
                path.child("parallelism")
            ),
        );
    }
}

/// Whether the status has a true condition of this type.
pub(super) fn has_condition(object: &Value, kind: &str) -> bool {
    list(object, &["status", "conditions"])
        .iter()
        .any(|c| text(c, &["type"]) == kind && text(c, &["status"]) == "True")
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let pods = at(object, &["spec", "template", "spec"]);
    let [names, images] = cells::containers(pods);
    vec![
        cells::name(object),
        state(object).into(),
        completions(object).into(),
        duration(object, clock).into(),
        cells::age(object, clock),
        names,
        images,
        cells::selector(at(object, &["spec", "selector"])),
    ]
}

fn state(object: &Value) -> &'static str {
    if has_condition(object, "Complete") {
        "Complete"
    } else if has_condition(object, "Failed") {
        "Failed"
    } else if object::is_deleting(object) {
        "Terminating"
    } else if has_condition(object, "Suspended") {
        "Suspended"
    } else if has_condition(object, "FailureTarget") {
        "FailureTarget"
    } else if has_condition(object, "SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(object: &Value) -> String {
    let succeeded = number(&object["status"], "succeeded");
    match int(object, &["spec", "completions"]) {
        Some(completions) => format!("{succeeded}/{completions}"),
        None => match number(&object["spec"], "parallelism") {
            parallelism @ 2.. => format!("{succeeded}/1 of {parallelism}"),
            _ => format!("{succeeded}/1"),
        },
    }
}

fn duration(object: &Value, clock: &Clock) -> String {
    let moment = |key| cells::seconds(text(object, &["status", key]));
    let end = moment("completionTime").unwrap_or(clock.now_seconds);
    moment("startTime").map_or(String::new(), |start| cells::duration(end - start))
}

/// `valid values: ["A" "B"]`, as a missing word of a policy is named.
pub(super) fn valid_values(values: &[&str]) -> String {
    let all: Vec<String> = values.iter().map(|value| quote(value)).collect();
    format!("valid values: [{}]", all.join(" "))
}
