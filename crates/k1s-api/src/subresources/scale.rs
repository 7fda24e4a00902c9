// SPDX-License-Identifier: Apache-2.0
//! `/scale`: the number of replicas of an object, as autoscaling/v1 has it.

use k1s_core::field::Errors;
use k1s_core::kinds::Column;
use k1s_core::object::{self, int, text};
use k1s_core::schema::Schema;
use k1s_core::selector::LabelSelector;
use k1s_core::status::Status;
use k1s_core::time;
use serde_json::{Value, json};

use crate::answer::{self, Answer, Include, named};
use crate::api::{Api, Exchange};
use crate::content::{self, Expected};
use crate::negotiate::{Form, Forms, Output};
use crate::options::{WriteKind, WriteOptions};
use crate::route::Target;
use crate::verbs::patch::Patch;
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
            let mut warnings = Vec::new();
            let mut scale = content::object(
                &expected()?,
                &exchange.headers,
                &exchange.body,
                options.field_validation,
                &mut warnings,
            )?;
            exchange.warnings.append(&mut warnings);
            fit_name(&mut scale, target)?;
            check(&scale)?;
            let terms = Terms {
                part: Part::Main,
                dry_run: options.dry_run,
                checks_version: true,
                uid_is_precondition: true,
            };
            change(api, target, exchange, terms, |old, _| {
                Ok(scaled(old, &scale))
            })
            .await?
        }
        _ => {
            let patch = Patch::read(&exchange.headers, &exchange.body)?;
            let options = WriteOptions::parse(&exchange.query, WriteKind::Patch)?;
            let expected = expected()?;
            let terms = Terms {
                part: Part::Main,
                dry_run: options.dry_run,
                checks_version: true,
                uid_is_precondition: true,
            };
            change(api, target, exchange, terms, |old, exchange| {
                let mut scale = patch.apply(
                    &scale_of(old),
                    &expected,
                    options.field_validation,
                    &mut exchange.warnings,
                )?;
                fit_name(&mut scale, target)?;
                check(&scale)?;
                Ok(scaled(old, &scale))
            })
            .await?
        }
    };
    let value = scale_of(&named(target.kind, &stored)?);
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

fn check(scale: &Value) -> Result<(), Status> {
    let mut errors = Errors::new();
    if let Some(replicas) =
        object::at(scale, &["spec", "replicas"]).filter(|r| r.as_i64().is_some_and(|n| n < 0))
    {
        errors.invalid(
            "spec.replicas",
            replicas,
            "must be greater than or equal to 0",
        );
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(
            "autoscaling",
            "Scale",
            object::name(scale),
            errors,
        ))
    }
}

/// The object with the replicas, the version and the uid of the scale.
fn scaled(old: &Value, scale: &Value) -> Value {
    let mut new = old.clone();
    object::set(
        &mut new,
        &["spec", "replicas"],
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
fn scale_of(of: &Value) -> Value {
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
    if let Some(replicas) = int(of, &["spec", "replicas"]).filter(|r| *r != 0) {
        spec["replicas"] = replicas.into();
    }
    let mut status = json!({"replicas": int(of, &["status", "replicas"]).unwrap_or(0)});
    let selector = selector(of);
    if !selector.is_empty() {
        status["selector"] = selector.into();
    }
    json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec, "status": status})
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
        let scale = scale_of(&object);
        assert_eq!(scale["metadata"], json!({"name": "d", "uid": "u"}));
        assert_eq!(scale["spec"], json!({"replicas": 2}));
        assert_eq!(scale["status"], json!({"replicas": 1, "selector": "app=d"}));
        assert_eq!(scaled(&object, &json!({"spec": {}}))["spec"]["replicas"], 0);
    }
}
