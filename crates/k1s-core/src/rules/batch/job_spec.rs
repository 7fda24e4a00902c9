// SPDX-License-Identifier: Apache-2.0
//! Validation of a Job's spec, also of the one inside a CronJob.

use serde_json::{Value, json};

use super::job_policy;
use crate::field::{Errors, Path};
use crate::name::domain_prefixed_path;
use crate::object::{at, int, text};
use crate::rules::apps::template;
use crate::rules::core::pod_template;
use crate::rules::domain;
use crate::rules::label_selector;
use crate::rules::number::{all_not_negative, number};
use crate::selector::LabelSelector;

const MODES: [&str; 2] = ["NonIndexed", "Indexed"];
const RESTARTS: [&str; 2] = ["OnFailure", "Never"];
const MOST_PARALLEL_INDEXED: i64 = 100_000;
const MOST_FAILED_INDEXES: i64 = 100_000;
/// From so many completions on, a limit per index is only for Jobs that stay small in other ways.
const MANY_COMPLETIONS: i64 = 100_000;
const FEW_OF_MANY: i64 = 10_000;
const MANAGED_BY_BYTES: usize = 63;

/// Checks the spec of a Job with its selector.
pub(super) fn validate_with_selector(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    validate(spec, path, errors);
    let selector = spec.get("selector");
    if selector.is_none() {
        errors.required(path.child("selector"), "");
    }
    label_selector::validate(selector, &path.child("selector"), errors);
    let pods = &spec["template"];
    if LabelSelector::from_object(selector).is_ok_and(|s| !template::selects(&s, pods)) {
        template::mismatch(pods, &path.child("template"), errors);
    }
}

/// Checks the spec of a Job but for its selector.
pub(super) fn validate(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    const NUMBERS: [&str; 7] = [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ];
    all_not_negative(spec, &NUMBERS, path, errors);
    validate_managed_by(spec, path, errors);
    validate_mode(spec, path, errors);
    if let Some(policy) = spec.get("podFailurePolicy") {
        job_policy::validate_failure(spec, policy, &path.child("podFailurePolicy"), errors);
    }
    if let Some(policy) = spec.get("successPolicy") {
        job_policy::validate_success(spec, policy, &path.child("successPolicy"), errors);
    }
    validate_replacement(spec, path, errors);
    let template_path = path.child("template");
    pod_template::validate_template(&spec["template"], &template_path, errors);
    validate_restart(spec, &template_path, errors);
}

fn validate_managed_by(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(manager) = at(spec, &["managedBy"]).and_then(Value::as_str) else {
        return;
    };
    let path = path.child("managedBy");
    domain::report(domain_prefixed_path(manager), &path, errors);
    if manager.len() > MANAGED_BY_BYTES {
        errors.too_long(path, MANAGED_BY_BYTES);
    }
}

fn validate_mode(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let mode = text(spec, &["completionMode"]);
    if !mode.is_empty() && !MODES.contains(&mode) {
        errors.not_supported(path.child("completionMode"), &json!(mode), &MODES);
    }
    if mode == "Indexed" {
        validate_indexed(spec, path, errors);
    } else if mode.is_empty() || mode == "NonIndexed" {
        for key in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(value) = spec.get(key) {
                errors.invalid(path.child(key), value, "requires indexed completion mode");
            }
        }
    }
    if spec.get("maxFailedIndexes").is_some() && spec.get("backoffLimitPerIndex").is_none() {
        errors.required(
            path.child("backoffLimitPerIndex"),
            "when maxFailedIndexes is specified",
        );
    }
}

fn validate_indexed(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let parallelism = number(spec, "parallelism");
    let parallelism_path = path.child("parallelism");
    let completions = int(spec, &["completions"]);
    let failed = int(spec, &["maxFailedIndexes"]);
    let failed_path = path.child("maxFailedIndexes");
    if completions.is_none() {
        errors.required(path.child("completions"), "when completion mode is Indexed");
    }
    if parallelism > MOST_PARALLEL_INDEXED {
        errors.invalid(
            parallelism_path,
            &json!(parallelism),
            format!(
                "must be less than or equal to {MOST_PARALLEL_INDEXED} when completion mode is Indexed"
            ),
        );
    }
    if let (Some(failed), Some(completions)) = (failed, completions)
        && failed > completions
    {
        errors.invalid(
            failed_path,
            &json!(failed),
            "must be less than or equal to completions",
        );
    }
    if let Some(failed) = failed.filter(|failed| *failed > MOST_FAILED_INDEXES) {
        errors.invalid(
            failed_path,
            &json!(failed),
            format!("must be less than or equal to {MOST_FAILED_INDEXES}"),
        );
    }
    if completions.is_some_and(|completions| completions > MANY_COMPLETIONS)
        && spec.get("backoffLimitPerIndex").is_some()
    {
        let detail = format!(
            "must be less than or equal to {FEW_OF_MANY} when completions are above {MANY_COMPLETIONS} and used with backoff limit per index"
        );
        if failed.is_none() {
            errors.required(
                failed_path,
                &format!("must be specified when completions is above {MANY_COMPLETIONS}"),
            );
        }
        if parallelism > FEW_OF_MANY {
            errors.invalid(parallelism_path, &json!(parallelism), &detail);
        }
        if let Some(failed) = failed.filter(|failed| *failed > FEW_OF_MANY) {
            errors.invalid(failed_path, &json!(failed), &detail);
        }
    }
}

fn validate_replacement(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(policy) = spec.get("podReplacementPolicy") else {
        return;
    };
    let supported: &[&str] = if spec.get("podFailurePolicy").is_some() {
        &["Failed"]
    } else {
        &["Failed", "TerminatingOrFailed"]
    };
    if !policy.as_str().is_some_and(|p| supported.contains(&p)) {
        errors.not_supported(path.child("podReplacementPolicy"), policy, supported);
    }
}

fn validate_restart(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let policy = text(spec, &["template", "spec", "restartPolicy"]);
    let path = path.child("spec");
    let path = path.child("restartPolicy");
    match policy {
        "" | "Always" => errors.required(path, "valid values: \"OnFailure\", \"Never\""),
        "Never" => {}
        "OnFailure" if spec.get("podFailurePolicy").is_none() => {}
        "OnFailure" => errors.invalid_text(
            path,
            policy,
            "only \"Never\" is supported when podFailurePolicy is specified",
        ),
        other => errors.not_supported(path, &json!(other), &RESTARTS),
    }
}

/// Warns of a Job whose bookkeeping may grow too large.
pub(super) fn warn(spec: &Value, warnings: &mut Vec<String>) {
    if text(spec, &["completionMode"]) == "Indexed"
        && number(spec, "completions") > MANY_COMPLETIONS
        && number(spec, "parallelism") > FEW_OF_MANY
    {
        warnings.push(
            "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might \
             not be able to track completedIndexes when a big number of indexes fail"
                .to_owned(),
        );
    }
}
