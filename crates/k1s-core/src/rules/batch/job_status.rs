// SPDX-License-Identifier: Apache-2.0
//! Validation of a Job's status: what must hold when it changes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::index_list;
use super::job::has_condition;
use crate::field::{Errors, Fault, Path};
use crate::object::{at, int, list, text};
use crate::rules::cells::seconds;
use crate::rules::number::{all_not_negative, number};

/// Checks a change of the status.
pub(super) fn validate(new: &Value, old: &Value, errors: &mut Errors) {
    const COUNTS: [&str; 5] = ["active", "succeeded", "failed", "ready", "terminating"];
    let status = &new["status"];
    let path = Path::new("status");
    all_not_negative(status, &COUNTS, &path, errors);
    validate_uncounted(status, &path, errors);
    let change = Change { new, old };
    change.validate_completion(errors);
    change.validate_conditions(errors);
    change.validate_finished(errors);
    change.validate_indexes(errors);
    change.validate_numbers(errors);
    change.validate_success(errors);
    change.validate_lasting(errors);
}

fn validate_uncounted(status: &Value, path: &Path<'_>, errors: &mut Errors) {
    let path = path.child("uncountedTerminatedPods");
    let mut seen = BTreeSet::new();
    for key in ["succeeded", "failed"] {
        let path = path.child(key);
        let uids = list(status, &["uncountedTerminatedPods", key]);
        for (index, uid) in uids.iter().enumerate() {
            let uid = uid.as_str().unwrap_or_default();
            if uid.is_empty() {
                errors.invalid_text(path.index(index), uid, "must not be empty");
            } else if !seen.insert(uid) {
                errors.duplicate(path.index(index), &json!(uid));
            }
        }
    }
}

/// What cannot be said of the conditions.
fn conditions(detail: &str, errors: &mut Errors) {
    errors.push(
        Fault::Invalid,
        "status.conditions",
        format!("Invalid value: {detail}"),
    );
}

/// A status and the one before: what was wrong already is left alone.
struct Change<'a> {
    new: &'a Value,
    old: &'a Value,
}

impl<'a> Change<'a> {
    fn is(&self, kind: &str) -> bool {
        has_condition(self.new, kind)
    }

    fn becomes(&self, kind: &str) -> bool {
        self.is(kind) && !has_condition(self.old, kind)
    }

    fn is_finished(&self) -> bool {
        self.is("Complete") || self.is("Failed")
    }

    fn finishes(&self) -> bool {
        self.becomes("Complete") || self.becomes("Failed")
    }

    fn field(&self, key: &str) -> Option<&'a Value> {
        at(self.new, &["status", key])
    }

    fn changes(&self, key: &str) -> bool {
        self.field(key) != at(self.old, &["status", key])
    }

    fn moment(&self, key: &str) -> Option<i64> {
        self.field(key).and_then(Value::as_str).and_then(seconds)
    }

    fn invalid(&self, key: &str, detail: &str, errors: &mut Errors) {
        let value = self.field(key).unwrap_or(&Value::Null);
        errors.invalid(Path::new("status").child(key), value, detail);
    }

    fn validate_completion(&self, errors: &mut Errors) {
        const KEY: &str = "completionTime";
        let complete = self.is("Complete");
        let changed = self.becomes("Complete") || self.changes(KEY);
        if self.becomes("Complete") && self.is("Failed") || self.becomes("Failed") && complete {
            conditions(
                "cannot set Complete=True and Failed=true conditions",
                errors,
            );
        }
        if complete
            && self.is("FailureTarget")
            && (self.becomes("Complete") || self.becomes("FailureTarget"))
        {
            conditions(
                "cannot set Complete=True and FailureTarget=true conditions",
                errors,
            );
        }
        match self.moment(KEY) {
            Some(_) if changed && !complete => self.invalid(
                KEY,
                "cannot set completionTime when there is no Complete=True condition",
                errors,
            ),
            None if changed && complete => errors.required(
                "status.completionTime",
                "completionTime is required for Complete jobs",
            ),
            _ => {}
        }
        if let (Some(end), Some(start)) = (self.moment(KEY), self.moment("startTime"))
            && (self.changes(KEY) || self.changes("startTime"))
            && end < start
        {
            self.invalid(KEY, "completionTime cannot be set before startTime", errors);
        }
    }

    fn validate_conditions(&self, errors: &mut Errors) {
        if self.becomes("Failed") && !self.is("FailureTarget") {
            conditions(
                "cannot set Failed=True condition without the FailureTarget=true condition",
                errors,
            );
        }
        if self.becomes("Complete") && !self.is("SuccessCriteriaMet") {
            conditions(
                "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
                errors,
            );
        }
    }

    /// What the condition of success goes with.
    fn validate_success(&self, errors: &mut Errors) {
        const MET: &str = "SuccessCriteriaMet";
        for other in ["Failed", "FailureTarget"] {
            if self.is(MET) && self.is(other) {
                let detail = format!("cannot set {MET}=True and {other}=true conditions");
                conditions(&detail, errors);
            }
        }
        let has_policy = at(self.new, &["spec", "successPolicy"]).is_some();
        if has_policy && !self.is(MET) && self.is("Complete") {
            conditions(
                "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True",
                errors,
            );
        }
    }

    fn validate_finished(&self, errors: &mut Errors) {
        if !self.is_finished() {
            return;
        }
        let positive = |key| number(&self.new["status"], key) > 0;
        if positive("active") && (self.finishes() || self.changes("active")) {
            self.invalid("active", "active>0 is invalid for finished job", errors);
        }
        if self.field("startTime").is_none() && (self.finishes() || self.changes("startTime")) {
            errors.required("status.startTime", "startTime is required for finished job");
        }
        let uncounted =
            |key| !list(self.new, &["status", "uncountedTerminatedPods", key]).is_empty();
        if (uncounted("succeeded") || uncounted("failed"))
            && (self.finishes() || self.changes("uncountedTerminatedPods"))
        {
            self.invalid(
                "uncountedTerminatedPods",
                "uncountedTerminatedPods needs to be empty for finished job",
                errors,
            );
        }
    }

    fn validate_indexes(&self, errors: &mut Errors) {
        let spec = &self.new["spec"];
        let completions = int(spec, &["completions"]);
        let indexed = text(spec, &["completionMode"]) == "Indexed";
        let per_index = spec.get("backoffLimitPerIndex").is_some();
        for key in ["completedIndexes", "failedIndexes"] {
            let Some(indexes) = self.field(key).and_then(Value::as_str) else {
                continue;
            };
            if !self.changes(key) {
                continue;
            }
            if let (Some(completions), true) = (completions, indexed)
                && let Err(problem) = index_list::count(indexes, completions)
            {
                self.invalid(key, &format!("error parsing {key}: {problem}"), errors);
            }
            if key == "completedIndexes" && !indexed && !indexes.is_empty() {
                self.invalid(
                    key,
                    "cannot set non-empty completedIndexes when non-indexed completion mode",
                    errors,
                );
            }
            if key == "failedIndexes" && !per_index {
                self.invalid(
                    key,
                    "cannot set non-null failedIndexes when backoffLimitPerIndex is null",
                    errors,
                );
            }
        }
    }

    fn validate_numbers(&self, errors: &mut Errors) {
        let status = &self.new["status"];
        if self.is_finished()
            && number(status, "terminating") > 0
            && (self.finishes() || self.changes("terminating"))
        {
            self.invalid(
                "terminating",
                "terminating>0 is invalid for finished job",
                errors,
            );
        }
        let ready = int(status, &["ready"]);
        if ready.is_some_and(|ready| ready > number(status, "active"))
            && (self.changes("ready") || self.changes("active"))
        {
            self.invalid("ready", "cannot set more ready pods than active", errors);
        }
    }

    fn validate_lasting(&self, errors: &mut Errors) {
        for kind in ["Failed", "Complete", "FailureTarget"] {
            if has_condition(self.old, kind) && !self.is(kind) {
                conditions(
                    &format!("cannot disable the terminal {kind}=True condition"),
                    errors,
                );
            }
        }
        for key in ["failed", "succeeded"] {
            if number(&self.new["status"], key) < number(&self.old["status"], key) {
                let detail = format!("cannot decrease the {key} counter");
                let value = json!(number(&self.new["status"], key));
                errors.invalid(Path::new("status").child(key), &value, detail);
            }
        }
        let before = |key| at(self.old, &["status", key]).is_some();
        if before("completionTime")
            && self.moment("completionTime").is_some()
            && self.changes("completionTime")
        {
            self.invalid("completionTime", "completionTime cannot be mutated", errors);
        }
        let running = !crate::object::is_true(self.new, &["spec", "suspend"]);
        // Resuming a Job gives it another start.
        if running && before("startTime") && self.field("startTime").is_none() {
            errors.required(
                "status.startTime",
                "startTime cannot be removed for unsuspended job",
            );
        }
        const MET: &str = "SuccessCriteriaMet";
        let was_met = has_condition(self.old, MET);
        if was_met && !self.is(MET) {
            conditions(
                "cannot disable the SuccessCriteriaMet=True condition",
                errors,
            );
        }
        if has_condition(self.old, "Complete") && !was_met && self.is(MET) {
            conditions(
                "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions",
                errors,
            );
        }
    }
}
