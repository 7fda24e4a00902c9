// SPDX-License-Identifier: Apache-2.0
//! `/scale`: the number of replicas of an object, as autoscaling/v1 has it.

use k1s_core::custom::Custom;
use k1s_core::field::Errors;
use k1s_core::kinds::{Column, Kind};
use k1s_core::object::{self, int, text};
use k1s_core::schema::Schema;
use k1s_core::selector::LabelSelector;
use k1s_core::status::Status;
use k1s_core::time;
use serde_json::{Value, json};

use crate::answer::{self, Answer, Include, named};
use crate::api::{Api, Exchange};
use crate::content::Expected;
use crate::negotiate::{Form, Forms, Output};
use crate::options::{WriteKind, WriteOptions};
use crate::route::Target;
use crate::verbs::patch::{Patch, refuse_strategic};
use crate::verbs::update::{Part, Terms, change, fit_name};

fn expected() -> Result<Expected, Status> {
    let schema = Schema::named("io.k8s.api.autoscaling.v1.Scale")
        .ok_or_else(|| Status::internal("there is no schema of Scale"))?;
    Ok(Expected {
        group: "autoscaling",
        version: "v1",
        kind: "Scale",
        schema,
    })
}

/// Reads or writes the scale.
pub(super) async fn act(
    api: &Api,
    verb: &str,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::Objects)?;
    let include = Include::parse(&exchange.query, output)?;
    let stored = match verb {
        "get" => {
            api.storage()
                .get(target.kind, &target.namespace, &target.name)?
                .ok_or_else(|| Status::not_found(target.kind, &target.name))?
                .bytes
        }
        "update" => {
            let options = WriteOptions::parse(&exchange.query, WriteKind::Update)?;
            let mut scale = exchange.object(&expected()?, options.field_validation)?;
            fit_name(&mut scale, target)?;
            check(target.kind, &scale)?;
            let terms = Terms {
                part: Part::Main,
                dry_run: options.dry_run,
                checks_version: true,
                uid_is_precondition: true,
            };
            change(api, target, exchange, terms, |old, _| {
                Ok(scaled(target.kind, old, &scale))
            })
            .await?
        }
        _ => {
            if target.kind.custom.is_some() {
                refuse_strategic(&exchange.headers)?;
            }
            let (patch, options) = Patch::read(exchange)?;
            let expected = expected()?;
            let terms = Terms {
                part: Part::Main,
                dry_run: options.dry_run,
                checks_version: true,
                uid_is_precondition: true,
            };
            change(api, target, exchange, terms, |old, exchange| {
                let mut scale = patch.apply(
                    &scale_of(target.kind, old)?,
                    &expected,
                    options.field_validation,
                    &mut exchange.warnings,
                )?;
                fit_name(&mut scale, target)?;
                check(target.kind, &scale)?;
                Ok(scaled(target.kind, old, &scale))
            })
            .await?
        }
    };
    let value = scale_of(target.kind, &named(target.kind, &stored)?)?;
    answer(value, output, include, exchange.now_seconds)
}

/// The columns of a scale's table.
const COLUMNS: [Column; 4] = [
    column("Name", "string"),
    column("Desired", "integer"),
    column("Available", "integer"),
    column("Age", "string"),
];

const fn column(name: &'static str, kind: &'static str) -> Column {
    Column {
        name,
        kind,
        format: "",
        description: "",
        priority: 0,
    }
}

fn answer(
    value: Value,
    output: Output,
    include: Include,
    now_seconds: i64,
) -> Result<Answer, Status> {
    let value = match output.form {
        Form::Whole => value,
        Form::Metadata(version) => answer::metadata_only(&value, version),
        Form::MetadataList(_) => {
            return Err(crate::negotiate::not_acceptable(Forms::Objects, true));
        }
        Form::Table(version) => {
            let since = time::parse_time(text(&value, &["metadata", "creationTimestamp"])).ok();
            let now =
                jiff::Timestamp::from_second(now_seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
            let cells = json!([
                object::name(&value),
                int(&value, &["spec", "replicas"]).unwrap_or(0),
                int(&value, &["status", "replicas"]).unwrap_or(0),
                time::age(now, since),
            ]);
            let metadata = json!({"resourceVersion": object::resource_version(&value)});
            let shown = match include {
                Include::None => Value::Null,
                Include::Metadata => answer::metadata_only(&value, version),
                Include::Object => value,
            };
            answer::table(
                &COLUMNS,
                version,
                metadata,
                vec![json!({"cells": cells, "object": shown})],
            )
        }
    };
    Ok(Answer::Value {
        code: 200,
        value,
        output,
    })
}

fn check(kind: &Kind, scale: &Value) -> Result<(), Status> {
    let mut errors = Errors::new();
    if let Some(replicas) =
        object::at(scale, &["spec", "replicas"]).filter(|r| r.as_i64().is_some_and(|n| n < 0))
    {
        // an own kind checks what its path leads to
        let (field, why) = match kind.custom.and_then(|c| c.scale.as_ref()) {
            Some(scale) => (
                format!(".{}", scale.spec_replicas.join(".")),
                "should be a non-negative integer",
            ),
            None => (
                "spec.replicas".to_owned(),
                "must be greater than or equal to 0",
            ),
        };
        errors.invalid(field, replicas, why);
    }
    if errors.is_empty() {
        Ok(())
    } else {
        let (group, name) = match kind.custom {
            Some(_) => (kind.group, kind.kind),
            None => ("autoscaling", "Scale"),
        };
        Err(Status::invalid(group, name, object::name(scale), errors))
    }
}

/// Where an object keeps what its scale tells.
struct Place<'a> {
    spec_replicas: Vec<&'a str>,
    status_replicas: Vec<&'a str>,
}

impl<'a> Place<'a> {
    fn of(kind: &'a Kind) -> Self {
        let keys = |keys: &'a [String]| keys.iter().map(String::as_str).collect();
        match kind.custom.and_then(|c| c.scale.as_ref()) {
            Some(scale) => Self {
                spec_replicas: keys(&scale.spec_replicas),
                status_replicas: keys(&scale.status_replicas),
            },
            None => Self {
                spec_replicas: vec!["spec", "replicas"],
                status_replicas: vec!["status", "replicas"],
            },
        }
    }
}

/// The object with the replicas, the version and the uid of the scale.
fn scaled(kind: &Kind, old: &Value, scale: &Value) -> Value {
    let mut new = old.clone();
    object::set(
        &mut new,
        &Place::of(kind).spec_replicas,
        int(scale, &["spec", "replicas"]).unwrap_or(0),
    );
    for key in ["resourceVersion", "uid"] {
        let value = text(scale, &["metadata", key]);
        if !value.is_empty() {
            object::set(&mut new, &["metadata", key], value);
        }
    }
    new
}

/// The scale of an object.
///
/// # Errors
/// When an object of an own kind does not say how many replicas it wants.
fn scale_of(kind: &Kind, of: &Value) -> Result<Value, Status> {
    let place = Place::of(kind);
    let mut metadata = json!({});
    for key in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "creationTimestamp",
    ] {
        if let Some(value) = object::at(of, &["metadata", key]) {
            metadata[key] = value.clone();
        }
    }
    let mut spec = json!({});
    let wanted = int(of, &place.spec_replicas);
    if kind.custom.is_some() && wanted.is_none() {
        return Err(Status::internal(format!(
            "the spec replicas field \".{}\" does not exist",
            place.spec_replicas.join(".")
        )));
    }
    if let Some(replicas) = wanted.filter(|r| *r != 0) {
        spec["replicas"] = replicas.into();
    }
    let mut status = json!({"replicas": int(of, &place.status_replicas).unwrap_or(0)});
    let selector = match kind.custom {
        Some(custom) => own_selector(custom, of),
        None => selector(of),
    };
    if !selector.is_empty() {
        status["selector"] = selector.into();
    }
    Ok(
        json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec, "status": status}),
    )
}

fn own_selector(custom: &Custom, of: &Value) -> String {
    let Some(scale) = custom.scale.as_ref().filter(|s| !s.selector.is_empty()) else {
        return String::new();
    };
    let keys: Vec<&str> = scale.selector.iter().map(String::as_str).collect();
    text(of, &keys).to_owned()
}

fn selector(of: &Value) -> String {
    let Some(selector) = object::at(of, &["spec", "selector"]) else {
        return String::new();
    };
    // a ReplicationController has plain labels
    if text(of, &["kind"]) == "ReplicationController" {
        return selector
            .as_object()
            .map(|map| LabelSelector::from_map(map).to_string())
            .unwrap_or_default();
    }
    LabelSelector::from_object(Some(selector))
        .map(|s| s.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_an_object() {
        let object = json!({
            "kind": "Deployment",
            "metadata": {"name": "d", "uid": "u", "labels": {"x": "y"}},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "d"}}},
            "status": {"replicas": 1},
        });
        let kind = k1s_core::kinds::of_kind("apps", "v1", "Deployment").unwrap();
        let scale = scale_of(kind, &object).unwrap();
        assert_eq!(scale["metadata"], json!({"name": "d", "uid": "u"}));
        assert_eq!(scale["spec"], json!({"replicas": 2}));
        assert_eq!(scale["status"], json!({"replicas": 1, "selector": "app=d"}));
        assert_eq!(
            scaled(kind, &object, &json!({"spec": {}}))["spec"]["replicas"],
            0
        );
    }
}
