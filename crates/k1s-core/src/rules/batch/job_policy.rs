// SPDX-License-Identifier: Apache-2.0
//! Pod failure policy and success policy of a Job.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{index_list, job};
use crate::field::{Errors, Fault, Path};
use crate::name;
use crate::object::{int, list, text};
use crate::rules::number::{at_least_zero, number};

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];
const MOST_RULES: usize = 20;
const MOST_CONDITIONS: usize = 20;
const MOST_EXIT_CODES: usize = 255;
const INDEX_LIST_BYTES: usize = 64 * 1024;

/// Checks `podFailurePolicy`.
pub(super) fn validate_failure(spec: &Value, policy: &Value, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("rules");
    let rules = list(policy, &["rules"]);
    if rules.len() > MOST_RULES {
        errors.too_many(path, rules.len(), MOST_RULES);
    }
    for (index, rule) in rules.iter().enumerate() {
        validate_rule(spec, rule, &path.index(index), errors);
    }
}

fn validate_rule(spec: &Value, rule: &Value, path: &Path<'_>, errors: &mut Errors) {
    let action = text(rule, &["action"]);
    let action_path = path.child("action");
    if action.is_empty() {
        errors.required(action_path, &job::valid_values(&ACTIONS));
    } else if action == "FailIndex" {
        if spec.get("backoffLimitPerIndex").is_none() {
            errors.invalid_text(
                action_path,
                action,
                "requires the backoffLimitPerIndex to be set",
            );
        }
    } else if !ACTIONS.contains(&action) {
        errors.not_supported(action_path, &json!(action), &ACTIONS);
    }
    let exit_codes = rule.get("onExitCodes");
    if let Some(requirement) = exit_codes {
        validate_exit_codes(spec, requirement, &path.child("onExitCodes"), errors);
    }
    let conditions = list(rule, &["onPodConditions"]);
    validate_conditions(conditions, &path.child("onPodConditions"), errors);
    let problem = match (exit_codes.is_some(), !conditions.is_empty()) {
        (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(Fault::Invalid, path, format!("Invalid value: {problem}"));
}

fn validate_exit_codes(spec: &Value, codes: &Value, path: &Path<'_>, errors: &mut Errors) {
    let operator = text(codes, &["operator"]);
    if operator.is_empty() {
        errors.required(path.child("operator"), &job::valid_values(&OPERATORS));
    } else if !OPERATORS.contains(&operator) {
        errors.not_supported(path.child("operator"), &json!(operator), &OPERATORS);
    }
    if let Some(container) = codes.get("containerName").and_then(Value::as_str)
        && !has_container(spec, container)
    {
        errors.invalid_text(
            path.child("containerName"),
            container,
            "must be one of the container or initContainer names in the pod template",
        );
    }
    let path = path.child("values");
    let values: Vec<i64> = list(codes, &["values"])
        .iter()
        .filter_map(Value::as_i64)
        .collect();
    if values.is_empty() {
        errors.invalid(path, &json!(values), "at least one value is required");
    } else if values.len() > MOST_EXIT_CODES {
        errors.too_many(path, values.len(), MOST_EXIT_CODES);
    }
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate() {
        if operator == "In" && *value == 0 {
            errors.invalid(
                path.index(index),
                &json!(0),
                "must not be 0 for the In operator",
            );
        }
        if !seen.insert(*value) {
            errors.duplicate(path.index(index), &json!(value));
        }
    }
    if !values.is_sorted() {
        errors.invalid(path, &json!(values), "must be ordered");
    }
}

fn has_container(spec: &Value, container: &str) -> bool {
    ["containers", "initContainers"].iter().any(|key| {
        list(spec, &["template", "spec", key])
            .iter()
            .any(|c| text(c, &["name"]) == container)
    })
}

fn validate_conditions(conditions: &[Value], path: &Path<'_>, errors: &mut Errors) {
    if conditions.len() > MOST_CONDITIONS {
        errors.too_many(path, conditions.len(), MOST_CONDITIONS);
    }
    for (index, condition) in conditions.iter().enumerate() {
        let path = path.index(index);
        let kind = text(condition, &["type"]);
        for complaint in name::label_key(kind) {
            errors.invalid_text(path.child("type"), kind, complaint);
        }
        let status = text(condition, &["status"]);
        if status.is_empty() {
            errors.required(path.child("status"), &job::valid_values(&STATUSES));
        } else if !STATUSES.contains(&status) {
            errors.not_supported(path.child("status"), &json!(status), &STATUSES);
        }
    }
}

/// Checks `successPolicy`.
pub(super) fn validate_success(spec: &Value, policy: &Value, path: &Path<'_>, errors: &mut Errors) {
    if text(spec, &["completionMode"]) != "Indexed" {
        errors.invalid(path, policy, "requires indexed completion mode");
        return;
    }
    let path = path.child("rules");
    let rules = list(policy, &["rules"]);
    if rules.is_empty() {
        errors.required(
            path,
            "at least one rules must be specified when the successPolicy is specified",
        );
    }
    if rules.len() > MOST_RULES {
        errors.too_many(path, rules.len(), MOST_RULES);
    }
    let completions = number(spec, "completions");
    for (index, rule) in rules.iter().enumerate() {
        validate_success_rule(rule, completions, &path.index(index), errors);
    }
}

fn validate_success_rule(rule: &Value, completions: i64, path: &Path<'_>, errors: &mut Errors) {
    let count = int(rule, &["succeededCount"]);
    let indexes = rule.get("succeededIndexes").and_then(Value::as_str);
    if count.is_none() && indexes.is_none() {
        errors.required(
            path,
            "at least one of succeededCount or succeededIndexes must be specified",
        );
    }
    let mut total = 0;
    if let Some(indexes) = indexes {
        let path = path.child("succeededIndexes");
        if indexes.len() > INDEX_LIST_BYTES {
            errors.too_long(path, INDEX_LIST_BYTES);
        }
        match index_list::count(indexes, completions) {
            Ok(count) => total = count,
            Err(problem) => errors.invalid_text(
                path,
                indexes,
                format!("error parsing succeededIndexes: {problem}"),
            ),
        }
    }
    let Some(count) = count else { return };
    let path = path.child("succeededCount");
    at_least_zero(count, path, errors);
    if count > completions {
        errors.invalid(
            path,
            &json!(count),
            format!(
                "must be less than or equal to {completions} (the number of specified completions)"
            ),
        );
    }
    if indexes.is_some() && count > total {
        errors.invalid(
            path,
            &json!(count),
            format!(
                "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
            ),
        );
    }
}
