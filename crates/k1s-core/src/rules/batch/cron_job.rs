// SPDX-License-Identifier: Apache-2.0
//! CronJob.

use serde_json::{Value, json};

use super::{job, job_spec};
use crate::cron::{self, Schedule};
use crate::field::{Errors, Path};
use crate::object::{self, at, is_true, list, map_mut, text};
use crate::rules::apps::template;
use crate::rules::core::pod_template;
use crate::rules::keep::{drop_status, keep_spec, keep_status};
use crate::rules::number::not_negative;
use crate::rules::{Clock, Generation, Rules, cells, label_selector};

pub(super) static RULES: Rules = Rules {
    default,
    prepare_create: |object, _| drop_status(object),
    prepare_update: |new, old, _| keep_status(new, old),
    prepare_status: |new, old, _| keep_spec(new, old),
    validate: |object, errors| {
        validate(object, None, errors);
        if object::name(object).len() > NAME_BYTES {
            errors.invalid_text(
                Path::new("metadata").child("name"),
                object::name(object),
                crate::name::max_len(NAME_BYTES),
            );
        }
    },
    validate_update: |new, old, errors| validate(new, Some(old), errors),
    warnings,
    generation: Generation::Spec,
    cells: Some(row),
    ..Rules::NONE
};

/// A name leaves room for the eleven characters that its Jobs append.
const NAME_BYTES: usize = 52;
const POLICIES: [&str; 3] = ["Allow", "Forbid", "Replace"];

fn default(object: &mut Value) {
    let spec = map_mut(object, &["spec"]);
    object::default(spec, "concurrencyPolicy", "Allow");
    object::default_absent(spec, "suspend", false);
    object::default_absent(spec, "successfulJobsHistoryLimit", 3);
    object::default_absent(spec, "failedJobsHistoryLimit", 1);
    let job = map_mut(object, &["spec", "jobTemplate", "spec"]);
    pod_template::default_template(job.entry("template").or_insert(Value::Null));
    let rules = ["spec", "jobTemplate", "spec", "podFailurePolicy", "rules"];
    job::default_failure_policy(object, &rules);
}

fn validate(object: &Value, old: Option<&Value>, errors: &mut Errors) {
    let spec = &object["spec"];
    let old = old.map(|old| &old["spec"]);
    let path = Path::new("spec");
    validate_schedule(spec, old, &path.child("schedule"), errors);
    not_negative(spec, "startingDeadlineSeconds", &path, errors);
    if old.is_none_or(|old| old.get("timeZone") != spec.get("timeZone")) {
        validate_time_zone(spec, &path.child("timeZone"), errors);
    }
    let policy = text(spec, &["concurrencyPolicy"]);
    if policy.is_empty() {
        errors.required(path.child("concurrencyPolicy"), "");
    } else if !POLICIES.contains(&policy) {
        errors.not_supported(path.child("concurrencyPolicy"), &json!(policy), &POLICIES);
    }
    let job_path = path.child("jobTemplate");
    validate_job(
        &spec["jobTemplate"]["spec"],
        &job_path.child("spec"),
        errors,
    );
    not_negative(spec, "successfulJobsHistoryLimit", &path, errors);
    not_negative(spec, "failedJobsHistoryLimit", &path, errors);
}

fn validate_schedule(spec: &Value, old: Option<&Value>, path: &Path<'_>, errors: &mut Errors) {
    let schedule = text(spec, &["schedule"]);
    if schedule.is_empty() {
        errors.required(path, "");
        return;
    }
    if let Err(problem) = Schedule::parse(schedule) {
        errors.invalid_text(path, schedule, problem.to_string());
    }
    if !schedule.contains("TZ") {
        return;
    }
    let had_zone = old.is_some_and(|old| text(old, &["schedule"]).contains("TZ"));
    if !had_zone {
        errors.invalid_text(
            path,
            schedule,
            "cannot use TZ or CRON_TZ in schedule, use timeZone field instead",
        );
    } else if spec.get("timeZone").is_some() {
        errors.invalid_text(
            path,
            schedule,
            "cannot use both timeZone field and TZ or CRON_TZ in schedule",
        );
    }
}

fn validate_time_zone(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    let Some(zone) = spec.get("timeZone").and_then(Value::as_str) else {
        return;
    };
    if zone.is_empty() {
        errors.invalid_text(path, zone, "timeZone must be nil or non-empty string");
        return;
    }
    if zone.eq_ignore_ascii_case("local") {
        errors.invalid_text(
            path,
            zone,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        );
    }
    if !cron::zone_exists(zone) {
        errors.invalid_text(path, zone, zone_problem(zone));
    }
}

fn zone_problem(zone: &str) -> String {
    let is_path = zone.contains("..") || zone.starts_with('/') || zone.starts_with('\\');
    if is_path {
        "time: invalid location name".to_owned()
    } else {
        format!("unknown time zone {zone}")
    }
}

fn validate_job(spec: &Value, path: &Path<'_>, errors: &mut Errors) {
    job_spec::validate(spec, path, errors);
    if let Some(selector) = spec.get("selector") {
        label_selector::invalid(
            &path.child("selector"),
            Some(selector),
            "`selector` will be auto-generated",
            errors,
        );
    }
    if is_true(spec, &["manualSelector"]) {
        errors.not_supported(
            path.child("manualSelector"),
            &json!(true),
            &["nil", "false"],
        );
    }
}

fn warnings(new: &Value, old: Option<&Value>, warnings: &mut Vec<String>) {
    if old.is_none() {
        template::warn_of_pod_names(new, warnings);
    }
    job_spec::warn(&new["spec"]["jobTemplate"]["spec"], warnings);
    let template = ["spec", "jobTemplate", "spec", "template"];
    template::warn_of_template(new, old, &template, warnings);
    if text(new, &["spec", "schedule"]).contains("TZ") {
        warnings.push(
            "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see \
             https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones for more details"
                .to_owned(),
        );
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let spec = &object["spec"];
    let suspend = match spec.get("suspend").and_then(Value::as_bool) {
        Some(true) => "True",
        Some(false) => "False",
        None => cells::UNSET,
    };
    let last = text(object, &["status", "lastScheduleTime"]);
    let last = if last.is_empty() {
        cells::NONE.to_owned()
    } else {
        cells::since(last, clock)
    };
    let job = &spec["jobTemplate"]["spec"];
    let [names, images] = cells::containers(at(job, &["template", "spec"]));
    vec![
        cells::name(object),
        text(spec, &["schedule"]).into(),
        cells::or_none(text(spec, &["timeZone"])),
        suspend.into(),
        list(object, &["status", "active"]).len().into(),
        last.into(),
        cells::age(object, clock),
        names,
        images,
        cells::selector(job.get("selector")),
    ]
}
