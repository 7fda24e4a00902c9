// SPDX-License-Identifier: Apache-2.0
//! How objects of one version become those of another.

use serde_json::Value;

use crate::field::{Errors, quote};
use crate::object::{at, list, text};

/// Checks `spec.conversion`.
pub(super) fn check(spec: &Value, errors: &mut Errors) {
    let conversion = &spec["conversion"];
    let config = at(conversion, &["webhook", "clientConfig"]).filter(|c| !c.is_null());
    let reviews = list(conversion, &["webhook", "conversionReviewVersions"]);
    let path = "spec.conversion";
    let (config_at, reviews_at) = (
        format!("{path}.webhookClientConfig"),
        format!("{path}.conversionReviewVersions"),
    );
    match text(conversion, &["strategy"]) {
        "Webhook" => {
            match config {
                None => errors.required(&config_at, "required when strategy is set to Webhook"),
                Some(config) => check_client(config, &config_at, errors),
            }
            if reviews.is_empty() {
                errors.required(&reviews_at, "");
            }
        }
        strategy => {
            if !matches!(strategy, "" | "None") {
                errors.not_supported(
                    format!("{path}.strategy"),
                    &strategy.into(),
                    &["None", "Webhook"],
                );
            }
            let why = "should not be set when strategy is not set to Webhook";
            if config.is_some() {
                errors.forbidden(&config_at, why);
            }
            if !reviews.is_empty() {
                errors.forbidden(&reviews_at, why);
            }
        }
    }
}

fn check_client(config: &Value, path: &str, errors: &mut Errors) {
    let url = config.get("url").and_then(Value::as_str);
    let service = config.get("service").filter(|s| !s.is_null());
    match (url, service) {
        (None, None) | (Some(_), Some(_)) => {
            errors.required(path, "exactly one of url or service is required");
        }
        (Some(url), None) => {
            let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
            if scheme != "https" {
                errors.push(
                    crate::field::Fault::Invalid,
                    format!("{path}.url"),
                    format!(
                        "Invalid value: {}: 'https' is the only allowed URL scheme; desired format: https://host[/path]",
                        quote(scheme)
                    ),
                );
            }
        }
        (None, Some(service)) => {
            for key in ["name", "namespace"] {
                if text(service, &[key]).is_empty() {
                    errors.required(
                        format!("{path}.service.{key}"),
                        &format!("service {key} is required"),
                    );
                }
            }
        }
    }
}
