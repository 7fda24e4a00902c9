// SPDX-License-Identifier: Apache-2.0
//! Objects from command lines: what `create KIND NAME`, `run`, `expose` and `autoscale` make.
//!
//! Every function takes plain arguments and gives the object as JSON; nothing here talks to a server. Only [`source`]
//! reads files.

mod access;
mod data;
mod docker;
mod ingress;
mod key_pair;
mod policy;
mod service;
pub mod source;
mod workload;

use serde_json::{Map, Value, json};

pub use access::{
    Binding, ResourceArgument, cluster_role_aggregated, role, role_binding, service_account,
    split_resource, token_request,
};
pub use data::{Data, config_map, secret};
pub use docker::docker_config;
pub use ingress::{Ingress, ingress};
pub use key_pair::key_pair;
pub use policy::{
    Autoscaler, Budget, PriorityClass, autoscaler, disruption_budget, namespace, priority_class,
    resource_quota,
};
pub use service::{Expose, Service, expose, service};
pub use workload::{CronJob, Deployment, Run, cron_job, deployment, job, job_from_cron_job, run};

/// Why a command line makes no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);

impl Mistake {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Name of a new object, and its namespace where the command line says one.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// `metadata.name`.
    pub name: &'a str,
    /// `metadata.namespace`, only where it was asked for.
    pub namespace: Option<&'a str>,
}

impl Identity<'_> {
    fn metadata(&self) -> Value {
        let mut metadata = json!({ "name": self.name });
        if let Some(namespace) = self.namespace {
            metadata["namespace"] = namespace.into();
        }
        metadata
    }

    fn labelled(&self, labels: Value) -> Value {
        let mut metadata = self.metadata();
        metadata["labels"] = labels;
        metadata
    }
}

/// An object with its version, kind and metadata.
fn object(api_version: &str, kind: &str, metadata: Value) -> Value {
    json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata })
}

/// A number where the text is one, else the text.
fn number_or_text(text: &str) -> Value {
    text.parse::<i32>()
        .map_or_else(|_| text.into(), Value::from)
}

/// A label selector of the command line as a label selector of an object.
pub(crate) fn label_selector(text: &str) -> Result<Value, Mistake> {
    use k1s_core::selector::{LabelSelector, Operator};
    let selector = LabelSelector::parse(text).map_err(|error| {
        Mistake(format!(
            "couldn't parse the selector string \"{text}\": {error}"
        ))
    })?;
    let (mut labels, mut expressions) = (Map::new(), Vec::new());
    for requirement in selector.requirements() {
        let (key, values) = (requirement.key(), requirement.values());
        let operator = match requirement.operator() {
            Operator::Equals | Operator::DoubleEquals => {
                labels.insert(
                    key.to_owned(),
                    values.first().cloned().unwrap_or_default().into(),
                );
                continue;
            }
            Operator::In => "In",
            Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
            Operator::NotEquals => {
                return Err(Mistake::new(
                    "\"!=\" is not a valid label selector operator",
                ));
            }
            Operator::GreaterThan => {
                return Err(Mistake::new(
                    "\"gt\" is not a valid label selector operator",
                ));
            }
            Operator::LessThan => {
                return Err(Mistake::new(
                    "\"lt\" is not a valid label selector operator",
                ));
            }
        };
        let mut expression = json!({ "key": key, "operator": operator });
        if !values.is_empty() {
            expression["values"] = values.into();
        }
        expressions.push(expression);
    }
    let mut selector = json!({});
    if !labels.is_empty() {
        selector["matchLabels"] = labels.into();
    }
    if !expressions.is_empty() {
        selector["matchExpressions"] = expressions.into();
    }
    Ok(selector)
}

#[cfg(test)]
mod tests;
