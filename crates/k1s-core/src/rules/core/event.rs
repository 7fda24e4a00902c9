// SPDX-License-Identifier: Apache-2.0
//! Event, as the core group and as `events.k8s.io` see it. Both are stored as the core group's, and checked as such.

use serde_json::{Value, json};

use super::internal_form;
use super::pod_template::check::{complain, dns_subdomain, given};
use crate::field::{Errors, Fault, Path};
use crate::name::{self, NameRule};
use crate::object::{int, text};
use crate::rules::keep::same;
use crate::rules::{Clock, Rules, UnknownField, cells};

const WORD_MAX_BYTES: usize = 128;
const MESSAGE_MAX_BYTES: usize = 1024;
const WITHOUT_NAMESPACE: &str = "default";
/// What `events.k8s.io` never lets change, in the order in which it looks.
const IMMUTABLE: [&str; 14] = [
    "involvedObject",
    "reason",
    "message",
    "source",
    "firstTimestamp",
    "lastTimestamp",
    "count",
    "reason",
    "type",
    "eventTime",
    "action",
    "related",
    "reportingComponent",
    "reportingInstance",
];

/// Event of the core group.
pub(super) static RULES: Rules = Rules {
    name: NameRule::PathSegment,
    metadata_last: true,
    plain_finalizers: true,
    validate: |event, errors| validate_common(event, "reportingComponent", errors),
    validate_update: |new, _, errors| validate_common(new, "reportingComponent", errors),
    fields: &[
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ],
    ..BASE
};

/// Event of `events.k8s.io`.
pub(in crate::rules) static EVENTS_RULES: Rules = Rules {
    validate: validate_new,
    validate_update,
    fields: &[
        "regarding.kind",
        "regarding.namespace",
        "regarding.name",
        "regarding.uid",
        "regarding.apiVersion",
        "regarding.resourceVersion",
        "regarding.fieldPath",
        "reason",
        "reportingController",
        "type",
    ],
    ..BASE
};

const BASE: Rules = Rules {
    create_on_update: true,
    field,
    unknown_field: UnknownField::NotSupported,
    cells: Some(cells),
    ..Rules::NONE
};

/// The value of a field by either name.
fn field(event: &Value, name: &str) -> String {
    let value = match name.split_once('.') {
        Some((_, key)) => text(part(event, "involvedObject"), &[key]),
        None => match name {
            "reportingController" | "reportingComponent" => controller(event),
            "source" => match text(part(event, "source"), &["component"]) {
                "" => controller(event),
                component => component,
            },
            _ => text(event, &[name]),
        },
    };
    value.to_owned()
}

/// A part by its core name, wherever it stands.
fn part<'a>(event: &'a Value, core: &str) -> &'a Value {
    let view = match core {
        "involvedObject" => "regarding",
        "source" => "deprecatedSource",
        "message" => "note",
        "firstTimestamp" => "deprecatedFirstTimestamp",
        "lastTimestamp" => "deprecatedLastTimestamp",
        "count" => "deprecatedCount",
        "reportingComponent" => "reportingController",
        same => same,
    };
    event
        .get(core)
        .or_else(|| event.get(view))
        .unwrap_or(&Value::Null)
}

fn controller(event: &Value) -> &str {
    part(event, "reportingComponent")
        .as_str()
        .unwrap_or_default()
}

/// What both groups want; `controller_field` is what the reporting controller is called.
fn validate_common(event: &Value, controller_field: &str, errors: &mut Errors) {
    let namespace = text(event, &["metadata", "namespace"]);
    let about = text(event, &["involvedObject", "namespace"]);
    let has_time = given(event, "eventTime");
    let fits = match (has_time, about) {
        (false, "") => ["", WITHOUT_NAMESPACE].contains(&namespace),
        (false, about) => namespace == about,
        (true, "") => [WITHOUT_NAMESPACE, "kube-system"].contains(&namespace),
        (true, _) => true,
    };
    if !fits {
        errors.invalid_text(
            Path::new("involvedObject").child("namespace"),
            about,
            "does not match event.namespace",
        );
    }
    if has_time {
        validate_words(event, controller_field, errors);
    }
    dns_subdomain(namespace, &Path::new("namespace"), errors);
}

fn validate_words(event: &Value, controller_field: &str, errors: &mut Errors) {
    let controller = text(event, &["reportingComponent"]);
    let path = Path::new(controller_field);
    if controller.is_empty() {
        errors.required(path, "");
    }
    complain(name::label_key(controller), controller, &path, errors);
    for key in ["reportingInstance", "action", "reason"] {
        let word = text(event, &[key]);
        if word.is_empty() {
            errors.required(key, "");
        }
        too_long(word, key, WORD_MAX_BYTES, errors);
    }
    too_long(
        text(event, &["message"]),
        "message",
        MESSAGE_MAX_BYTES,
        errors,
    );
}

fn too_long(value: &str, field: &str, most: usize, errors: &mut Errors) {
    if value.len() > most {
        errors.invalid_text(field, "", format!("can have at most {most} characters"));
    }
}

/// A new event of `events.k8s.io`.
fn validate_new(event: &Value, errors: &mut Errors) {
    validate_common(event, "reportingController", errors);
    validate_series(event, errors);
    if !given(event, "eventTime") {
        errors.required("eventTime", "");
    }
    let kind = text(event, &["type"]);
    if !["Normal", "Warning"].contains(&kind) {
        errors.invalid_text("type", "", format!("has invalid value: {kind}"));
    }
    let set = [
        ("firstTimestamp", given(event, "firstTimestamp")),
        ("lastTimestamp", given(event, "lastTimestamp")),
        ("count", int(event, &["count"]).is_some_and(|c| c != 0)),
        (
            "source",
            ["component", "host"]
                .iter()
                .any(|k| !text(event, &["source", k]).is_empty()),
        ),
    ];
    for (key, _) in set.into_iter().filter(|(_, set)| *set) {
        errors.invalid_text(key, "", "needs to be unset");
    }
}

fn validate_series(event: &Value, errors: &mut Errors) {
    let Some(series) = event.get("series").filter(|v| !v.is_null()) else {
        return;
    };
    if int(series, &["count"]).unwrap_or_default() < 2 {
        errors.invalid_text("series.count", "", "should be at least 2");
    }
    if !given(series, "lastObservedTime") {
        errors.required("series.lastObservedTime", "");
    }
}

/// Of an event of `events.k8s.io` the series may change.
fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    validate_common(new, "reportingController", errors);
    if !same(new.get("series"), old.get("series")) {
        validate_series(new, errors);
    }
    for key in IMMUTABLE {
        if same(new.get(key), old.get(key)) {
            continue;
        }
        let shown = match key {
            "reportingComponent" => "reportingController",
            other => other,
        };
        let value = new.get(key).unwrap_or(&Value::Null);
        match key {
            "involvedObject" | "related" if value.is_object() => {
                let words = internal_form::object_reference(value);
                errors.push(
                    Fault::Invalid,
                    shown,
                    format!("Invalid value: {words}: field is immutable"),
                );
            }
            "action" | "type" | "reason" | "message" | "reportingComponent"
            | "reportingInstance" => {
                errors.invalid_text(
                    shown,
                    value.as_str().unwrap_or_default(),
                    "field is immutable",
                );
            }
            "count" if value.is_null() => errors.invalid(shown, &json!(0), "field is immutable"),
            _ => errors.invalid(shown, value, "field is immutable"),
        }
    }
}

/// Last Seen, Type, Reason, Object, Subobject, Source, Message, First Seen, Count, Name.
fn cells(event: &Value, clock: &Clock) -> Vec<Value> {
    let word = |core: &str| part(event, core).as_str().unwrap_or_default();
    let since = |time: &str| cells::since(time, clock);
    let first = match word("firstTimestamp") {
        "" => since(text(event, &["eventTime"])),
        time => since(time),
    };
    let series = event.get("series").filter(|v| v.is_object());
    let (last, count) = match (series, word("lastTimestamp")) {
        (Some(series), _) => (
            since(text(series, &["lastObservedTime"])),
            int(series, &["count"]).unwrap_or_default(),
        ),
        (None, time) => (
            if time.is_empty() {
                first.clone()
            } else {
                since(time)
            },
            part(event, "count")
                .as_i64()
                .filter(|c| *c != 0)
                .unwrap_or(1),
        ),
    };
    let about = part(event, "involvedObject");
    let kind = text(about, &["kind"]).to_lowercase();
    let target = match text(about, &["name"]) {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        last.into(),
        text(event, &["type"]).into(),
        text(event, &["reason"]).into(),
        target.into(),
        text(about, &["fieldPath"]).into(),
        source(event).into(),
        word("message").trim().into(),
        first.into(),
        count.into(),
        cells::name(event),
    ]
}

fn source(event: &Value) -> String {
    let own = part(event, "source");
    let or = |own: &str, other: &str| {
        if own.is_empty() {
            other.to_owned()
        } else {
            own.to_owned()
        }
    };
    let component = or(text(own, &["component"]), controller(event));
    let instance = or(text(own, &["host"]), text(event, &["reportingInstance"]));
    if instance.is_empty() {
        component
    } else {
        format!("{component}, {instance}")
    }
}
