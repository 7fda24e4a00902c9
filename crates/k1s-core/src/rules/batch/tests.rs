// SPDX-License-Identifier: Apache-2.0
//! What is refused of Jobs beyond the recorded cases.

use serde_json::{Value, json};

use super::job::RULES;
use crate::field::Errors;
use crate::object;
use crate::rules::Request;

/// Fields of the errors of a new Job with these fields in its spec.
fn check(spec: Value, expected: &[&str]) {
    let mut job = json!({
        "metadata": {"name": "a", "uid": "u"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}},
    });
    for (key, value) in spec.as_object().unwrap() {
        object::set(&mut job, &["spec", key], value.clone());
    }
    let request = Request {
        now_seconds: 0,
        user: "",
        groups: &[],
    };
    (RULES.default)(&mut job);
    (RULES.prepare_create)(&mut job, &request);
    let mut errors = Errors::new();
    (RULES.validate)(&job, &mut errors);
    let found: Vec<String> = errors
        .iter()
        .map(|error| format!("{}: {}", error.field, error.message))
        .collect();
    assert_eq!(found, expected, "{spec}");
}

#[test]
fn limits_per_index_are_for_indexed_jobs() {
    check(
        json!({"backoffLimitPerIndex": 1}),
        &["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"],
    );
    check(
        json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2, "maxFailedIndexes": 3}),
        &[
            "spec.maxFailedIndexes: Invalid value: 3: must be less than or equal to completions",
            "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified",
        ],
    );
}

#[test]
fn success_policies() {
    check(
        json!({"successPolicy": {"rules": [{"succeededCount": 1}]}}),
        &[
            "spec.successPolicy: Invalid value: {\"rules\":[{\"succeededCount\":1}]}: requires indexed completion mode",
        ],
    );
    check(
        json!({"completionMode": "Indexed", "completions": 3, "parallelism": 1, "successPolicy": {"rules": [{}, {"succeededIndexes": "0-1", "succeededCount": 3}]}}),
        &[
            "spec.successPolicy.rules[0]: Required value: at least one of succeededCount or succeededIndexes must be specified",
            "spec.successPolicy.rules[1].succeededCount: Invalid value: 3: must be less than or equal to 2 (the number of indexes in the specified succeededIndexes field)",
        ],
    );
}

#[test]
fn names_and_managers() {
    check(
        json!({"managedBy": "me"}),
        &[
            "spec.managedBy: Invalid value: \"me\": must be a domain-prefixed path (such as \"acme.io/foo\")",
        ],
    );
    check(
        json!({"podReplacementPolicy": "Never"}),
        &[
            "spec.podReplacementPolicy: Unsupported value: \"Never\": supported values: \"Failed\", \"TerminatingOrFailed\"",
        ],
    );
}
