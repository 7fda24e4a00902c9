// SPDX-License-Identifier: Apache-2.0
//! Validation of probes, of life cycle hooks, and of what both do.

use serde_json::{Value, json};

use super::check::{complain, given, port, required, required_one_of};
use crate::field::{Errors, Path};
use crate::name;
use crate::object::{list, text};
use crate::rules::number::{all_not_negative, number, positive_if_given};

const NOT_NEGATIVE: [&str; 5] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];
const PROBE_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "grpc"];
const HOOK_HANDLERS: [&str; 4] = ["exec", "httpGet", "tcpSocket", "sleep"];
const SCHEMES: [&str; 2] = ["HTTP", "HTTPS"];

/// Checks the three probes of a container.
pub(super) fn validate_probes(container: &Value, path: &Path<'_>, errors: &mut Errors) {
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.get(key).filter(|v| !v.is_null()) else {
            continue;
        };
        let at = path.child(key);
        validate_handler(probe, &PROBE_HANDLERS, None, &at, errors);
        all_not_negative(probe, &NOT_NEGATIVE, &at, errors);
        positive_if_given(probe, "terminationGracePeriodSeconds", &at, errors);
        if key == "readinessProbe" {
            if let Some(seconds) = probe
                .get("terminationGracePeriodSeconds")
                .filter(|v| !v.is_null())
            {
                errors.invalid(
                    at.child("terminationGracePeriodSeconds"),
                    seconds,
                    "must not be set for readinessProbes",
                );
            }
        } else if number(probe, "successThreshold") != 1 {
            let threshold = number(probe, "successThreshold");
            errors.invalid(at.child("successThreshold"), &json!(threshold), "must be 1");
        }
    }
}

/// Checks the hooks of a container, which has this long to end.
pub(super) fn validate_lifecycle(
    container: &Value,
    grace_seconds: Option<i64>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let at = path.child("lifecycle");
    for key in ["postStart", "preStop"] {
        if let Some(hook) = container
            .get("lifecycle")
            .and_then(|l| l.get(key))
            .filter(|v| !v.is_null())
        {
            validate_handler(hook, &HOOK_HANDLERS, grace_seconds, &at.child(key), errors);
        }
    }
}

fn validate_handler(
    parent: &Value,
    kinds: &[&str],
    grace_seconds: Option<i64>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let mut count = 0;
    for kind in kinds.iter().filter(|kind| given(parent, kind)) {
        let at = path.child(kind);
        let action = &parent[*kind];
        if count > 0 {
            errors.forbidden(at, "may not specify more than 1 handler type");
            continue;
        }
        count += 1;
        match *kind {
            "exec" if list(action, &["command"]).is_empty() => {
                errors.required(at.child("command"), "");
            }
            "httpGet" => validate_http_get(action, &at, errors),
            "tcpSocket" | "grpc" => port(action.get("port"), &at.child("port"), errors),
            "sleep" => validate_sleep(action, grace_seconds, &at, errors),
            _ => {}
        }
    }
    if count == 0 {
        errors.required(path, "must specify a handler type");
    }
}

fn validate_http_get(action: &Value, path: &Path<'_>, errors: &mut Errors) {
    required(action, "path", path, errors);
    port(action.get("port"), &path.child("port"), errors);
    required_one_of(action, "scheme", &SCHEMES, path, errors);
    for header in list(action, &["httpHeaders"]) {
        let name = text(header, &["name"]);
        complain(
            name::http_header_name(name),
            name,
            &path.child("httpHeaders"),
            errors,
        );
    }
}

fn validate_sleep(
    action: &Value,
    grace_seconds: Option<i64>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let seconds = number(action, "seconds");
    if let Some(grace) = grace_seconds
        && !(0..=grace).contains(&seconds)
    {
        errors.invalid(
            path,
            &json!(seconds),
            format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})"),
        );
    }
}
