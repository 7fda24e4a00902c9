// SPDX-License-Identifier: Apache-2.0
//! CSIDriver.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::field::{Errors, Path};
use crate::object::{self, at, int, is_true, list, map_mut, text};
use crate::rules::keep::{immutable, immutable_at, same};
use crate::rules::{Clock, Rules, cells};

pub(super) static RULES: Rules = Rules {
    default,
    validate,
    validate_update: |new, old, errors| {
        validate(new, errors);
        let (new, old) = (&new["spec"], &old["spec"]);
        // the field has another name where it is refused
        let path = Path::new("spec");
        immutable_at(
            new,
            old,
            "attachRequired",
            path.child("attachedRequired"),
            errors,
        );
        immutable(new, old, "volumeLifecycleModes", &path, errors);
    },
    warnings: |new, old, warnings| {
        let (spec, tokens) = (&new["spec"], ["spec", "tokenRequests"]);
        let changed = old.is_none_or(|old| !same(at(new, &tokens), at(old, &tokens)));
        if changed
            && !list(spec, &["tokenRequests"]).is_empty()
            && spec.get(TOKEN_IN_SECRETS).is_none()
        {
            warnings.push("spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes".into());
        }
    },
    unconditional_update: false,
    cells: Some(row),
    ..Rules::NONE
};

const GROUP_POLICIES: [&str; 3] = ["File", "None", "ReadWriteOnceWithFSType"];
const MODES: [&str; 2] = ["Persistent", "Ephemeral"];
const TOKEN_IN_SECRETS: &str = "serviceAccountTokenInSecrets";
const LEAST_UPDATE_SECONDS: i64 = 10;
const LEAST_TOKEN_SECONDS: i64 = 600;
const MOST_TOKEN_SECONDS: i64 = 1 << 32;

fn default(object: &mut Value) {
    let spec = map_mut(object, &["spec"]);
    object::default_absent(spec, "attachRequired", true);
    for key in [
        "podInfoOnMount",
        "storageCapacity",
        "requiresRepublish",
        "seLinuxMount",
    ] {
        object::default_absent(spec, key, false);
    }
    object::default_absent(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    object::default(spec, "volumeLifecycleModes", json!(["Persistent"]));
}

fn validate(object: &Value, errors: &mut Errors) {
    let spec = &object["spec"];
    let path = Path::new("spec");
    let policy = text(spec, &["fsGroupPolicy"]);
    if !GROUP_POLICIES.contains(&policy) {
        errors.not_supported(path.child("fsGroupPolicy"), &json!(policy), &GROUP_POLICIES);
    }
    let tokens = path.child("tokenRequests");
    let mut audiences = BTreeSet::new();
    for (index, token) in list(spec, &["tokenRequests"]).iter().enumerate() {
        let path = tokens.index(index);
        let audience = text(token, &["audience"]);
        if !audiences.insert(audience) {
            errors.duplicate(path.child("audience"), &json!(audience));
            continue;
        }
        let Some(seconds) = int(token, &["expirationSeconds"]) else {
            continue;
        };
        let path = path.child("expirationSeconds");
        if seconds < LEAST_TOKEN_SECONDS {
            let detail = "may not specify a duration less than 10 minutes";
            errors.invalid(path, &json!(seconds), detail);
        }
        if seconds > MOST_TOKEN_SECONDS {
            let detail = "may not specify a duration larger than 2^32 seconds";
            errors.invalid(path, &json!(seconds), detail);
        }
    }
    for mode in list(spec, &["volumeLifecycleModes"]) {
        if !mode.as_str().is_some_and(|mode| MODES.contains(&mode)) {
            errors.not_supported(path.child("volumeLifecycleModes"), mode, &MODES);
        }
    }
    let period = "nodeAllocatableUpdatePeriodSeconds";
    if let Some(seconds) = int(spec, &[period]).filter(|s| *s < LEAST_UPDATE_SECONDS) {
        let detail = "must be greater than or equal to 10 seconds";
        errors.invalid(path.child(period), &json!(seconds), detail);
    }
    if let Some(set) = spec.get(TOKEN_IN_SECRETS)
        && list(spec, &["tokenRequests"]).is_empty()
    {
        let detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified";
        errors.invalid(path.child(TOKEN_IN_SECRETS), set, detail);
    }
}

fn row(object: &Value, clock: &Clock) -> Vec<Value> {
    let spec = &object["spec"];
    let tokens: Vec<&str> = list(spec, &["tokenRequests"])
        .iter()
        .map(|token| text(token, &["audience"]))
        .collect();
    let modes: Vec<&str> = list(spec, &["volumeLifecycleModes"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    vec![
        cells::name(object),
        is_true(spec, &["attachRequired"]).into(),
        is_true(spec, &["podInfoOnMount"]).into(),
        is_true(spec, &["storageCapacity"]).into(),
        if tokens.is_empty() {
            cells::UNSET.into()
        } else {
            tokens.join(",").into()
        },
        is_true(spec, &["requiresRepublish"]).into(),
        cells::or_none(modes.join(",")),
        cells::age(object, clock),
    ]
}
