// SPDX-License-Identifier: Apache-2.0
//! Jobs and CronJobs.

use serde_json::Value;

use super::field::Fields;
use super::page::{Page, or, put};
use super::time::{between, full};
use super::workload::selector_text;
use super::{Related, event, pod};

/// How much of a list of completed indexes is shown, in bytes.
const INDEXES_BYTES: usize = 50;

/// A Job.
pub(crate) fn job(page: &mut Page, job: &Value, related: &Related) {
    let (spec, status) = (job.at("spec"), job.at("status"));
    put!(page, 0, "Name:\t{}", job.text("metadata.name"));
    put!(page, 0, "Namespace:\t{}", job.text("metadata.namespace"));
    put!(page, 0, "Selector:\t{}", selector_text(spec.at("selector")));
    page.marks(job);
    pod::controller(page, job);
    if spec.has("parallelism") {
        put!(page, 0, "Parallelism:\t{}", spec.int("parallelism"));
    }
    put!(
        page,
        0,
        "Completions:\t{}",
        or(spec.shown("completions"), "<unset>")
    );
    for (title, field) in [
        ("Completion Mode", "completionMode"),
        ("Suspend", "suspend"),
        ("Backoff Limit", "backoffLimit"),
        ("TTL Seconds After Finished", "ttlSecondsAfterFinished"),
    ] {
        if spec.has(field) {
            put!(page, 0, "{title}:\t{}", spec.shown(field));
        }
    }
    for (title, field) in [
        ("Start Time", "startTime"),
        ("Completed At", "completionTime"),
    ] {
        if status.has(field) {
            put!(page, 0, "{title}:\t{}", full(status.text(field)));
        }
    }
    if let Some(time) = status
        .text("completionTime")
        .parse()
        .ok()
        .and_then(|end| between(status.text("startTime"), end))
    {
        put!(page, 0, "Duration:\t{time}");
    }
    deadline(page, spec);
    let ready = if status.has("ready") {
        format!(" ({} Ready)", status.int("ready"))
    } else {
        String::new()
    };
    let (active, succeeded, failed) = (
        status.int("active"),
        status.int("succeeded"),
        status.int("failed"),
    );
    put!(
        page,
        0,
        "Pods Statuses:\t{active} Active{ready} / {succeeded} Succeeded / {failed} Failed"
    );
    if spec.text("completionMode") == "Indexed" {
        put!(
            page,
            0,
            "Completed Indexes:\t{}",
            indexes(status.text("completedIndexes"))
        );
    }
    pod::template(page, spec.at("template"));
    event::section(page, related);
}

/// A CronJob.
pub(crate) fn cron_job(page: &mut Page, cron: &Value, related: &Related) {
    let spec = cron.at("spec");
    page.metadata(cron);
    put!(page, 0, "Schedule:\t{}", spec.text("schedule"));
    put!(
        page,
        0,
        "Concurrency Policy:\t{}",
        spec.text("concurrencyPolicy")
    );
    put!(
        page,
        0,
        "Suspend:\t{}",
        boolean_or_unset(spec.at("suspend"))
    );
    put!(
        page,
        0,
        "Successful Job History Limit:\t{}",
        or(spec.shown("successfulJobsHistoryLimit"), "<unset>")
    );
    put!(
        page,
        0,
        "Failed Job History Limit:\t{}",
        or(spec.shown("failedJobsHistoryLimit"), "<unset>")
    );
    let seconds = if spec.has("startingDeadlineSeconds") {
        "s"
    } else {
        ""
    };
    put!(
        page,
        0,
        "Starting Deadline Seconds:\t{}{seconds}",
        or(spec.shown("startingDeadlineSeconds"), "<unset>")
    );
    let template = spec.at("jobTemplate.spec");
    let selector = if template.has("selector") {
        selector_text(template.at("selector"))
    } else {
        "<unset>".to_owned()
    };
    put!(page, 0, "Selector:\t{selector}");
    put!(
        page,
        0,
        "Parallelism:\t{}",
        or(template.shown("parallelism"), "<unset>")
    );
    put!(
        page,
        0,
        "Completions:\t{}",
        or(template.shown("completions"), "<unset>")
    );
    deadline(page, template);
    pod::template(page, template.at("template"));
    let last = cron.text("status.lastScheduleTime");
    put!(
        page,
        0,
        "Last Schedule Time:\t{}",
        if last.is_empty() {
            "<unset>".to_owned()
        } else {
            full(last)
        }
    );
    let active: Vec<_> = cron
        .list("status.active")
        .iter()
        .map(|job| job.text("name"))
        .collect();
    put!(page, 0, "Active Jobs:\t{}", or(active.join(", "), "<none>"));
    event::section(page, related);
}

/// `True`, `False` or `<unset>`.
pub(super) fn boolean_or_unset(value: &Value) -> &'static str {
    match value.as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    }
}

fn deadline(page: &mut Page, spec: &Value) {
    if spec.has("activeDeadlineSeconds") {
        put!(
            page,
            0,
            "Active Deadline Seconds:\t{}s",
            spec.int("activeDeadlineSeconds")
        );
    }
}

/// A list of indexes, cut at the comma after the limit.
fn indexes(list: &str) -> String {
    match list.get(INDEXES_BYTES..).and_then(|rest| rest.find(',')) {
        Some(comma) => format!("{}...", &list[..INDEXES_BYTES + comma + 1]),
        None => or(list, "<none>"),
    }
}
