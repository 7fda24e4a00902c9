// SPDX-License-Identifier: Apache-2.0
//! What the calls share: the provider, its parts by name, values on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::Status;

use crate::cancel::Cancel;
use crate::cty::{Type, Value};
use crate::diagnostic::Diagnostics;
use crate::path::Path;
use crate::proto::{DynamicValue, ResourceIdentityData};
use crate::provider::{
    Action, DataSource, EphemeralResource, Function, ListResource, Provider, Resource,
};
use crate::schema::Schema;
use crate::validator;

/// A provider and its parts, under the names that configurations use.
pub(crate) struct Host {
    pub(crate) provider: Box<dyn Provider>,
    pub(crate) resources: BTreeMap<&'static str, Arc<dyn Resource>>,
    pub(crate) data_sources: BTreeMap<&'static str, Arc<dyn DataSource>>,
    pub(crate) ephemeral: BTreeMap<&'static str, Arc<dyn EphemeralResource>>,
    pub(crate) functions: BTreeMap<&'static str, Arc<dyn Function>>,
    pub(crate) lists: BTreeMap<&'static str, Arc<dyn ListResource>>,
    pub(crate) actions: BTreeMap<&'static str, Arc<dyn Action>>,
    pub(super) cancel: Cancel,
    stop: Cancel,
}

impl Host {
    pub(crate) fn new(provider: impl Provider) -> Self {
        Self {
            resources: provider.resources().into_iter().collect(),
            data_sources: provider.data_sources().into_iter().collect(),
            ephemeral: provider.ephemeral_resources().into_iter().collect(),
            functions: provider.functions().into_iter().collect(),
            lists: provider.lists().into_iter().collect(),
            actions: provider.actions().into_iter().collect(),
            provider: Box::new(provider),
            cancel: Cancel::default(),
            stop: Cancel::default(),
        }
    }

    /// Asks operations under way to end.
    pub(crate) fn cancel(&self) {
        self.cancel.cancel();
    }

    /// The host is done: the process ends.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until the host is done.
    pub(crate) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

/// The part of this name.
pub(crate) fn named<T: Clone>(
    parts: &BTreeMap<&'static str, T>,
    what: &str,
    name: &str,
) -> Result<T, Status> {
    parts
        .get(name)
        .cloned()
        .ok_or_else(|| Status::not_found(format!("this provider has no {what} {name}")))
}

/// A value that the host sent; what it left out is null.
pub(crate) fn decode(value: Option<&DynamicValue>, of: &Type) -> Result<Value, Status> {
    let Some(value) = value else {
        return Ok(Value::Null);
    };
    let decoded = if !value.msgpack.is_empty() {
        Value::from_msgpack(&value.msgpack, of)
    } else if !value.json.is_empty() {
        let json = serde_json::from_slice(&value.json)
            .map_err(|e| Status::invalid_argument(format!("a value is not JSON: {e}")))?;
        Value::from_json(&json, of)
    } else {
        Ok(Value::Null)
    };
    decoded.map_err(|e| Status::invalid_argument(format!("a value does not fit the schema: {e}")))
}

/// A configuration that the host sent, and what is wrong with it by its schema.
pub(crate) fn checked(
    config: Option<&DynamicValue>,
    schema: &Schema,
) -> Result<(Value, Diagnostics), Status> {
    let config = decode(config, &schema.value_type())?;
    let mut diagnostics = Diagnostics::default();
    validator::validate(&schema.block, &config, &Path::root(), &mut diagnostics);
    Ok((config, diagnostics))
}

/// A value for the host.
pub(crate) fn encode(value: &Value, of: &Type) -> Result<Option<DynamicValue>, Status> {
    let msgpack = value.to_msgpack(of).map_err(|e| {
        Status::internal(format!(
            "the provider made a value that does not fit its schema: {e}"
        ))
    })?;
    Ok(Some(DynamicValue {
        msgpack,
        json: Vec::new(),
    }))
}

/// An identity that the host sent.
pub(crate) fn identity(
    data: Option<&ResourceIdentityData>,
    resource: &dyn Resource,
) -> Result<Value, Status> {
    match (resource.identity(), data) {
        (Some(identity), Some(data)) => decode(data.identity_data.as_ref(), &identity.value_type()),
        _ => Ok(Value::Null),
    }
}

/// The identity of a state, for the host; none where nothing is or the resource has none.
pub(crate) fn identity_data(
    value: &Value,
    resource: &dyn Resource,
) -> Result<Option<ResourceIdentityData>, Status> {
    match resource.identity() {
        Some(identity) if !value.is_null() => Ok(Some(ResourceIdentityData {
            identity_data: encode(value, &identity.value_type())?,
        })),
        _ => Ok(None),
    }
}
