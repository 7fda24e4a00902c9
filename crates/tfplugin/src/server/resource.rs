// SPDX-License-Identifier: Apache-2.0
//! Calls about managed resources.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tonic::Status;

use super::data::known;
use super::host::{Host, checked, decode, encode, identity, identity_data, named};
use crate::cty::Value;
use crate::diagnostic::Diagnostics;
use crate::path::Path;
use crate::private::Private;
use crate::proto::{
    ApplyResourceChangeRequest, ApplyResourceChangeResponse, Deferred, DiagnosticsResponse,
    GenerateResourceConfigRequest, GenerateResourceConfigResponse, ImportResourceStateRequest,
    ImportResourceStateResponse, ImportedResource, MoveResourceStateRequest,
    MoveResourceStateResponse, PlanResourceChangeRequest, PlanResourceChangeResponse, RawState,
    ReadResourceRequest, ReadResourceResponse, UpgradeResourceIdentityRequest,
    UpgradeResourceIdentityResponse, UpgradeResourceStateRequest, UpgradeResourceStateResponse,
    ValidateConfigRequest,
};
use crate::provider::{Apply, Import, Move, Plan, Read, Resource};
use crate::schema::{Attribute, Block, Content, Nesting};
use crate::validator;

impl Host {
    fn resource(&self, name: &str) -> Result<std::sync::Arc<dyn Resource>, Status> {
        named(&self.resources, "resource", name)
    }

    pub(crate) async fn validate_resource_config(
        &self,
        request: ValidateConfigRequest,
    ) -> Result<DiagnosticsResponse, Status> {
        let resource = self.resource(&request.type_name)?;
        let schema = resource.schema();
        let (config, mut diagnostics) = checked(request.config.as_ref(), &schema)?;
        let can_write_only = request
            .client_capabilities
            .is_some_and(|c| c.write_only_attributes_allowed);
        if !can_write_only {
            refuse_write_only(&schema.block, &config, &Path::root(), &mut diagnostics);
        }
        if !diagnostics.has_errors() {
            resource.validate(&config, &mut diagnostics).await;
        }
        Ok(DiagnosticsResponse {
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn upgrade_resource_state(
        &self,
        request: UpgradeResourceStateRequest,
    ) -> Result<UpgradeResourceStateResponse, Status> {
        let resource = self.resource(&request.type_name)?;
        let schema = resource.schema();
        let mut diagnostics = Diagnostics::default();
        if request.version > schema.version {
            diagnostics.error(
                "State of a newer provider",
                format!(
                    "The state of this {} has version {}, this provider knows versions up to {}. Use the newer provider.",
                    request.type_name, request.version, schema.version
                ),
            );
            return Ok(UpgradeResourceStateResponse {
                upgraded_state: None,
                diagnostics: diagnostics.into_proto(),
            });
        }
        let of = schema.value_type();
        let mut upgraded_state = None;
        let upgraded = raw(request.raw_state.as_ref())
            .and_then(|state| {
                if request.version == schema.version {
                    Ok(state)
                } else {
                    resource.upgrade(request.version, state)
                }
            })
            .and_then(|state| Value::from_json(&state, &of).map_err(|e| e.to_string()));
        match upgraded {
            Ok(state) => upgraded_state = encode(&state, &of)?,
            Err(why) => diagnostics.error(
                "The state cannot be read",
                format!(
                    "The stored state of this {} (version {}) does not fit: {why}.",
                    request.type_name, request.version
                ),
            ),
        }
        Ok(UpgradeResourceStateResponse {
            upgraded_state,
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn upgrade_resource_identity(
        &self,
        request: UpgradeResourceIdentityRequest,
    ) -> Result<UpgradeResourceIdentityResponse, Status> {
        let resource = self.resource(&request.type_name)?;
        let Some(schema) = resource.identity() else {
            return Err(Status::not_found("this resource has no identity"));
        };
        let mut diagnostics = Diagnostics::default();
        let of = schema.value_type();
        let upgraded = raw(request.raw_identity.as_ref())
            .and_then(|json| Value::from_json(&json, &of).map_err(|e| e.to_string()));
        let upgraded_identity = match upgraded {
            Ok(value) => identity_data(&value, &*resource)?,
            Err(why) => {
                diagnostics.error("The identity cannot be read", why);
                None
            }
        };
        Ok(UpgradeResourceIdentityResponse {
            upgraded_identity,
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn read_resource(
        &self,
        request: ReadResourceRequest,
    ) -> Result<ReadResourceResponse, Status> {
        let resource = self.resource(&request.type_name)?;
        let of = resource.schema().value_type();
        let before = decode(request.current_state.as_ref(), &of)?;
        let mut read = Read {
            state: before.clone(),
            private: Private::from_bytes(&request.private),
            identity: identity(request.current_identity.as_ref(), &*resource)?,
            diagnostics: Diagnostics::default(),
            cancel: self.cancel.clone(),
        };
        resource.read(&mut read).await;
        // what could not be read stays as it was known
        let state = if read.diagnostics.has_errors() {
            before
        } else {
            known(read.state)
        };
        let of_state = resource.identity_of(&state);
        let new_identity = if of_state.is_null() {
            &read.identity
        } else {
            &of_state
        };
        Ok(ReadResourceResponse {
            new_state: encode(&state, &of)?,
            private: read.private.to_bytes(),
            new_identity: identity_data(new_identity, &*resource)?,
            diagnostics: read.diagnostics.into_proto(),
            deferred: None,
        })
    }

    pub(crate) async fn plan_resource_change(
        &self,
        request: PlanResourceChangeRequest,
    ) -> Result<PlanResourceChangeResponse, Status> {
        let resource = self.resource(&request.type_name)?;
        let schema = resource.schema();
        let of = schema.value_type();
        let prior = decode(request.prior_state.as_ref(), &of)?;
        let proposed = decode(request.proposed_new_state.as_ref(), &of)?;
        let config = decode(request.config.as_ref(), &of)?;
        let prior_identity = identity(request.prior_identity.as_ref(), &*resource)?;
        let mut plan = Plan {
            planned: Value::Null,
            requires_replace: Vec::new(),
            private: Private::from_bytes(&request.prior_private),
            deferred: None,
            deferral_allowed: request
                .client_capabilities
                .is_some_and(|c| c.deferral_allowed),
            diagnostics: Diagnostics::default(),
            cancel: self.cancel.clone(),
            prior,
            config,
        };
        if !proposed.is_null() {
            let engine = crate::plan::plan(&schema.block, &plan.prior, proposed, &plan.config);
            plan.planned = engine.state;
            plan.requires_replace = engine.requires_replace;
        }
        resource.plan(&mut plan).await;
        Ok(PlanResourceChangeResponse {
            planned_state: encode(&plan.planned, &of)?,
            requires_replace: plan.requires_replace.iter().map(Path::to_proto).collect(),
            planned_private: plan.private.to_bytes(),
            deferred: plan.deferred.map(|r| Deferred { reason: r.into() }),
            planned_identity: identity_data(&prior_identity, &*resource)?,
            diagnostics: plan.diagnostics.into_proto(),
            legacy_type_system: false,
        })
    }

    pub(crate) async fn apply_resource_change(
        &self,
        request: ApplyResourceChangeRequest,
    ) -> Result<ApplyResourceChangeResponse, Status> {
        let resource = self.resource(&request.type_name)?;
        let of = resource.schema().value_type();
        let prior = decode(request.prior_state.as_ref(), &of)?;
        let mut apply = Apply {
            planned: decode(request.planned_state.as_ref(), &of)?,
            config: decode(request.config.as_ref(), &of)?,
            state: prior.clone(),
            private: Private::from_bytes(&request.planned_private),
            identity: identity(request.planned_identity.as_ref(), &*resource)?,
            diagnostics: Diagnostics::default(),
            cancel: self.cancel.clone(),
            prior,
        };
        if apply.planned.is_null() {
            resource.delete(&mut apply).await;
            if !apply.diagnostics.has_errors() {
                apply.state = Value::Null;
            }
        } else if apply.prior.is_null() {
            resource.create(&mut apply).await;
        } else {
            resource.update(&mut apply).await;
        }
        let state = known(apply.state);
        let of_state = resource.identity_of(&state);
        let new_identity = if of_state.is_null() {
            &apply.identity
        } else {
            &of_state
        };
        Ok(ApplyResourceChangeResponse {
            new_state: encode(&state, &of)?,
            private: apply.private.to_bytes(),
            new_identity: identity_data(new_identity, &*resource)?,
            diagnostics: apply.diagnostics.into_proto(),
            legacy_type_system: false,
        })
    }

    pub(crate) async fn import_resource_state(
        &self,
        request: ImportResourceStateRequest,
    ) -> Result<ImportResourceStateResponse, Status> {
        let resource = self.resource(&request.type_name)?;
        let of = resource.schema().value_type();
        let mut import = Import {
            identity: identity(request.identity.as_ref(), &*resource)?,
            id: request.id,
            state: Value::Null,
            private: Private::default(),
            diagnostics: Diagnostics::default(),
            cancel: self.cancel.clone(),
        };
        resource.import(&mut import).await;
        let imported_resources = if import.diagnostics.has_errors() {
            Vec::new()
        } else {
            let state = known(import.state);
            vec![ImportedResource {
                identity: identity_data(&resource.identity_of(&state), &*resource)?,
                state: encode(&state, &of)?,
                type_name: request.type_name,
                private: import.private.to_bytes(),
            }]
        };
        Ok(ImportResourceStateResponse {
            imported_resources,
            diagnostics: import.diagnostics.into_proto(),
            deferred: None,
        })
    }

    pub(crate) async fn move_resource_state(
        &self,
        request: MoveResourceStateRequest,
    ) -> Result<MoveResourceStateResponse, Status> {
        let resource = self.resource(&request.target_type_name)?;
        let of = resource.schema().value_type();
        let mut moved = Move {
            source_state: raw(request.source_state.as_ref()).map_err(Status::invalid_argument)?,
            source_provider: request.source_provider_address,
            source_type: request.source_type_name,
            source_version: request.source_schema_version,
            state: Value::Null,
            diagnostics: Diagnostics::default(),
        };
        resource.move_state(&mut moved).await;
        if moved.state.is_null() && !moved.diagnostics.has_errors() {
            moved.diagnostics.error(
                "The resource cannot be moved",
                format!(
                    "{} does not take over the state of {} of {}.",
                    request.target_type_name, moved.source_type, moved.source_provider
                ),
            );
        }
        let state = known(moved.state);
        Ok(MoveResourceStateResponse {
            target_identity: identity_data(&resource.identity_of(&state), &*resource)?,
            target_state: encode(&state, &of)?,
            target_private: Vec::new(),
            diagnostics: moved.diagnostics.into_proto(),
        })
    }

    pub(crate) async fn generate_resource_config(
        &self,
        request: GenerateResourceConfigRequest,
    ) -> Result<GenerateResourceConfigResponse, Status> {
        let schema = self.resource(&request.type_name)?.schema();
        let of = schema.value_type();
        let mut config = decode(request.state.as_ref(), &of)?;
        configurable(&schema.block, &mut config);
        Ok(GenerateResourceConfigResponse {
            config: encode(&config, &of)?,
            diagnostics: Vec::new(),
        })
    }
}

/// A stored value in JSON.
fn raw(state: Option<&RawState>) -> Result<Json, String> {
    match state {
        Some(state) if !state.json.is_empty() => {
            serde_json::from_slice(&state.json).map_err(|e| format!("it is not JSON: {e}"))
        }
        Some(state) if !state.flatmap.is_empty() => {
            Err("it was written by Terraform before 0.12; apply with 0.12 or newer first".into())
        }
        _ => Ok(Json::Null),
    }
}

/// Hosts that do not know write-only attributes would store them.
fn refuse_write_only(block: &Block, config: &Value, at: &Path, out: &mut Diagnostics) {
    for (name, attribute) in &block.attributes {
        if attribute.write_only && !config.attribute(name).is_null() {
            out.error_at(
                &at.attribute(name),
                "Write-only attributes are not supported",
                format!("{name} needs Terraform 1.11 or OpenTofu 1.11 or newer: an older one would store it."),
            );
        }
    }
    for (name, nested) in &block.blocks {
        let inside = config.attribute(name);
        for (inner, at) in validator::elements(nested.nesting, inside, &at.attribute(name)) {
            refuse_write_only(&nested.block, inner, &at, out);
        }
    }
}

/// Leaves of a state what a configuration may say.
fn configurable(block: &Block, value: &mut Value) {
    let Value::Map(object) = value else { return };
    strip(&block.attributes, object);
    for (name, nested) in &block.blocks {
        match (nested.nesting, object.get_mut(name)) {
            (Nesting::Map, Some(Value::Map(items))) => {
                items
                    .values_mut()
                    .for_each(|v| configurable(&nested.block, v));
            }
            (_, Some(Value::List(items))) => {
                items
                    .iter_mut()
                    .for_each(|v| configurable(&nested.block, v));
            }
            (_, Some(one)) => configurable(&nested.block, one),
            _ => {}
        }
    }
}

fn strip(attributes: &[(String, Attribute)], object: &mut BTreeMap<String, Value>) {
    for (name, attribute) in attributes {
        let Some(value) = object.get_mut(name) else {
            continue;
        };
        let is_default = attribute.default.as_ref() == Some(&*value);
        if !(attribute.required || attribute.optional) || is_default {
            *value = Value::Null;
        } else if let Content::Nested(_, inner) = &attribute.content {
            match value {
                Value::List(items) => items.iter_mut().for_each(|item| {
                    if let Value::Map(item) = item {
                        strip(inner, item);
                    }
                }),
                Value::Map(item) => strip(inner, item),
                _ => {}
            }
        }
    }
}
