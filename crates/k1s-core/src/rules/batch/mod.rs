// SPDX-License-Identifier: Apache-2.0
//! Rules of the kinds of batch.

mod cron_job;
mod index_list;
mod job;
mod job_policy;
mod job_spec;
mod job_status;
#[cfg(test)]
mod tests;

use super::Rules;

/// The rules of a kind of this group.
pub(super) fn of(kind: &str) -> Option<&'static Rules> {
    match kind {
        "CronJob" => Some(&cron_job::RULES),
        "Job" => Some(&job::RULES),
        _ => None,
    }
}
