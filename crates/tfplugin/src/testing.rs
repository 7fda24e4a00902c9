// SPDX-License-Identifier: Apache-2.0
//! A command line for tests of a provider: it plans and applies as Terraform does, and complains where Terraform complains.
//!
//! [`Core`] calls the services that a real host calls, through their messages, in the process of the test. What a provider must keep to
//! is checked at each step: a plan that is not what was configured, a result that is not what was planned, an unknown value that stays,
//! a write-only value that is stored. What it does not show is the process itself: handshake, socket, TLS.
//!
//! Configurations are JSON, with [`unknown`] for what is known only after apply:
//!
//! ```
//! # use tfplugin::testing::{Core, Instance};
//! # use tfplugin::{Block, Diagnostics, Provider, Schema, Value, async_trait};
//! # struct Empty;
//! # #[async_trait]
//! # impl Provider for Empty {
//! #     fn schema(&self) -> Schema { Schema::new(Block::new("Nothing.")) }
//! #     async fn configure(&self, _: &Value, _: &mut Diagnostics) {}
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let core = Core::new(Empty);
//! core.configure(serde_json::json!({})).await.unwrap();
//! let none = core.plan(&Instance::none("empty_box"), serde_json::json!({})).await;
//! assert!(none.unwrap_err().to_string().contains("no resource empty_box"));
//! # });
//! ```

mod outcome;
mod rules;

use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::Value as Json;

pub use outcome::{Action, Change, Failure, Instance, Listing, Told};
use outcome::{heard, instead};
pub use rules::unknown;

use crate::cty::{Type, Value};
use crate::proto::*;
use crate::provider::Provider;
use crate::schema::Schema;
use crate::server::host::{decode, encode};
use crate::server::{Host, action, list};

/// What comes of a step: something, and what was said beside it; or the errors.
pub type Outcome<T> = Result<(T, Vec<Told>), Failure>;

/// A host with one provider.
#[derive(Clone)]
pub struct Core(Arc<Host>);

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Core")
    }
}

/// What a host of today can do.
const CAPABLE: ClientCapabilities = ClientCapabilities {
    deferral_allowed: false,
    write_only_attributes_allowed: true,
};

/// What a host sends to have a change planned.
fn planning(
    instance: &Instance,
    proposed: &Value,
    config: &Value,
    of: &Type,
) -> Result<PlanResourceChangeRequest, Failure> {
    Ok(PlanResourceChangeRequest {
        type_name: instance.type_name.clone(),
        prior_state: encode(&instance.state, of)?,
        proposed_new_state: encode(proposed, of)?,
        config: encode(config, of)?,
        prior_private: instance.private.clone(),
        provider_meta: None,
        client_capabilities: Some(CAPABLE),
        prior_identity: None,
    })
}

impl Core {
    /// A host for this provider.
    pub fn new(provider: impl Provider) -> Self {
        Self(Arc::new(Host::new(provider)))
    }

    fn schema(&self, type_name: &str) -> Result<Schema, Failure> {
        let resource = self.0.resources.get(type_name);
        resource
            .map(|r| r.schema())
            .ok_or_else(|| Failure::host(format!("this provider has no resource {type_name}")))
    }

    /// Validates the configuration of the provider and gives it to it.
    ///
    /// # Errors
    /// When the provider refuses it.
    pub async fn configure(&self, config: Json) -> Result<Vec<Told>, Failure> {
        let of = self.0.provider.schema().value_type();
        let config = encode(&rules::configured(&config, &of)?, &of)?;
        let request = ValidateProviderConfigRequest {
            config: config.clone(),
        };
        let validated = self.0.validate_provider_config(request).await?;
        let mut told = heard(validated.diagnostics)?;
        let configured = self
            .0
            .configure_provider(ConfigureProviderRequest {
                terraform_version: "1.15.0".into(),
                config,
                client_capabilities: Some(CAPABLE),
            })
            .await?;
        told.extend(heard(configured.diagnostics)?);
        Ok(told)
    }

    /// Validates the configuration of a resource. `modern` says whether the host knows write-only attributes.
    ///
    /// # Errors
    /// When the provider refuses it.
    pub async fn validate(
        &self,
        type_name: &str,
        config: Json,
        modern: bool,
    ) -> Result<Vec<Told>, Failure> {
        let of = self.schema(type_name)?.value_type();
        let request = ValidateConfigRequest {
            type_name: type_name.to_owned(),
            config: encode(&rules::configured(&config, &of)?, &of)?,
            client_capabilities: Some(ClientCapabilities {
                write_only_attributes_allowed: modern,
                ..CAPABLE
            }),
        };
        heard(self.0.validate_resource_config(request).await?.diagnostics)
    }

    /// Plans what becomes of an instance under a configuration. It is not refreshed before; see [`Core::refresh`].
    ///
    /// # Errors
    /// When the configuration is refused, the plan fails, or a host would not take it.
    pub async fn plan(&self, instance: &Instance, config: Json) -> Result<Change, Failure> {
        let schema = self.schema(&instance.type_name)?;
        let mut told = self
            .validate(&instance.type_name, config.clone(), true)
            .await?;
        let config = rules::configured(&config, &schema.value_type())?;
        let mut change = self.plan_once(&schema, instance, &config).await?;
        if change.action == Action::Replace {
            // the new one is planned as if there had been none
            let none = Instance::none(&instance.type_name);
            let create = self.plan_once(&schema, &none, &config).await?;
            change.planned = create.planned;
            change.private = create.private;
        }
        told.append(&mut change.told);
        change.told = told;
        Ok(change)
    }

    async fn plan_once(
        &self,
        schema: &Schema,
        instance: &Instance,
        config: &Value,
    ) -> Result<Change, Failure> {
        let of = schema.value_type();
        let proposed = rules::proposed(&schema.block, &instance.state, config);
        let request = planning(instance, &proposed, config, &of)?;
        let response = self.0.plan_resource_change(request).await?;
        let told = heard(response.diagnostics)?;
        let planned = decode(response.planned_state.as_ref(), &of)?;
        rules::plan_is_valid(&schema.block, &instance.state, config, &planned)?;
        let replaces = outcome::paths(&response.requires_replace);
        let action = if instance.state.is_null() {
            Action::Create
        } else if crate::plan::same(&of, &instance.state, &planned) {
            Action::Nothing
        } else if replaces.is_empty() {
            Action::Update
        } else {
            Action::Replace
        };
        Ok(Change {
            action,
            before: instance.clone(),
            config: config.clone(),
            planned,
            replaces,
            private: response.planned_private,
            told,
        })
    }

    /// Plans the end of an instance.
    ///
    /// # Errors
    /// When the provider refuses it.
    pub async fn plan_destroy(&self, instance: &Instance) -> Result<Change, Failure> {
        let of = self.schema(&instance.type_name)?.value_type();
        let request = planning(instance, &Value::Null, &Value::Null, &of)?;
        let response = self.0.plan_resource_change(request).await?;
        let told = heard(response.diagnostics)?;
        if !decode(response.planned_state.as_ref(), &of)?.is_null() {
            return Err(Failure::host("a deletion was planned as something else"));
        }
        Ok(Change {
            action: Action::Delete,
            before: instance.clone(),
            config: Value::Null,
            planned: Value::Null,
            replaces: Vec::new(),
            private: response.planned_private,
            told,
        })
    }

    /// Applies a change: what the host stores afterwards, and how it went. A failure leaves a state as well.
    pub async fn apply(&self, change: Change) -> (Instance, Result<Vec<Told>, Failure>) {
        let mut told = Vec::new();
        let mut before = change.before.clone();
        if change.action == Action::Nothing {
            return (before, Ok(told));
        }
        if matches!(change.action, Action::Replace) {
            let end = Change {
                action: Action::Delete,
                planned: Value::Null,
                config: Value::Null,
                private: before.private.clone(),
                ..change.clone()
            };
            let (left, result) = self.apply_once(&before, &end).await;
            match result {
                Ok(more) => told.extend(more),
                Err(failure) => return (left, Err(failure)),
            }
            before = left;
        }
        let (after, result) = self.apply_once(&before, &change).await;
        match result {
            Ok(more) => {
                told.extend(more);
                (after, Ok(told))
            }
            Err(failure) => (after, Err(failure)),
        }
    }

    async fn apply_once(
        &self,
        before: &Instance,
        change: &Change,
    ) -> (Instance, Result<Vec<Told>, Failure>) {
        let called = async {
            let schema = self.schema(&before.type_name)?;
            let of = schema.value_type();
            let response = self
                .0
                .apply_resource_change(ApplyResourceChangeRequest {
                    type_name: before.type_name.clone(),
                    prior_state: encode(&before.state, &of)?,
                    planned_state: encode(&change.planned, &of)?,
                    config: encode(&change.config, &of)?,
                    planned_private: change.private.clone(),
                    provider_meta: None,
                    planned_identity: None,
                })
                .await?;
            let state = decode(response.new_state.as_ref(), &of)?;
            Ok::<_, Failure>((schema, state, response))
        };
        let (schema, state, response) = match called.await {
            Ok(done) => done,
            Err(failure) => return (before.clone(), Err(failure)),
        };
        let after = Instance {
            state,
            private: response.private,
            ..before.clone()
        };
        let result = heard(response.diagnostics).and_then(|told| {
            rules::result_is_valid(&schema.block, &change.planned, &after.state)?;
            Ok(told)
        });
        (after, result)
    }

    /// Plans and applies: for steps of a test that are not what it is about.
    ///
    /// # Errors
    /// When either fails.
    pub async fn settle(&self, instance: &Instance, config: Json) -> Result<Instance, Failure> {
        let change = self.plan(instance, config).await?;
        let (after, result) = self.apply(change).await;
        result.map(|_| after)
    }

    /// Ends an instance.
    ///
    /// # Errors
    /// When the provider cannot.
    pub async fn destroy(&self, instance: &Instance) -> Result<(), Failure> {
        let change = self.plan_destroy(instance).await?;
        self.apply(change).await.1.map(drop)
    }

    /// Reads an instance again, as each plan does first. A null state says that it is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn refresh(&self, instance: &Instance) -> Outcome<Instance> {
        let of = self.schema(&instance.type_name)?.value_type();
        let response = self
            .0
            .read_resource(ReadResourceRequest {
                type_name: instance.type_name.clone(),
                current_state: encode(&instance.state, &of)?,
                private: instance.private.clone(),
                provider_meta: None,
                client_capabilities: Some(CAPABLE),
                current_identity: None,
            })
            .await?;
        let told = heard(response.diagnostics)?;
        let state = decode(response.new_state.as_ref(), &of)?;
        rules::wholly_known(&state)?;
        let after = Instance {
            state,
            private: response.private,
            ..instance.clone()
        };
        Ok((after, told))
    }

    /// Imports by ID, and reads what was imported, as hosts do.
    ///
    /// # Errors
    /// When there is no such thing.
    pub async fn import(&self, type_name: &str, id: &str) -> Outcome<Instance> {
        let of = self.schema(type_name)?.value_type();
        let response = self
            .0
            .import_resource_state(ImportResourceStateRequest {
                type_name: type_name.to_owned(),
                id: id.to_owned(),
                client_capabilities: Some(CAPABLE),
                identity: None,
            })
            .await?;
        let mut told = heard(response.diagnostics)?;
        let [one] = &response.imported_resources[..] else {
            return Err(Failure::host("an import gave not one resource"));
        };
        let imported = Instance {
            type_name: type_name.to_owned(),
            state: decode(one.state.as_ref(), &of)?,
            private: one.private.clone(),
        };
        let (read, more) = self.refresh(&imported).await?;
        if read.state.is_null() {
            return Err(Failure::host("what was imported is not there"));
        }
        told.extend(more);
        Ok((read, told))
    }

    /// Takes a stored state as a host does that finds it in a state file: brought forward from the version that wrote it.
    ///
    /// # Errors
    /// When it does not fit.
    pub async fn stored(
        &self,
        type_name: &str,
        version: i64,
        state: &Json,
    ) -> Result<Instance, Failure> {
        let of = self.schema(type_name)?.value_type();
        let response = self
            .0
            .upgrade_resource_state(UpgradeResourceStateRequest {
                type_name: type_name.to_owned(),
                version,
                raw_state: Some(RawState {
                    json: state.to_string().into_bytes(),
                    flatmap: std::collections::HashMap::new(),
                }),
            })
            .await?;
        heard(response.diagnostics)?;
        Ok(Instance {
            type_name: type_name.to_owned(),
            state: decode(response.upgraded_state.as_ref(), &of)?,
            private: Vec::new(),
        })
    }

    /// Moves the state of another provider's resource here.
    ///
    /// # Errors
    /// When it is not taken over.
    pub async fn moved(
        &self,
        provider: &str,
        source_type: &str,
        state: &Json,
        type_name: &str,
    ) -> Outcome<Instance> {
        let of = self.schema(type_name)?.value_type();
        let response = self
            .0
            .move_resource_state(MoveResourceStateRequest {
                source_provider_address: provider.to_owned(),
                source_type_name: source_type.to_owned(),
                source_schema_version: 0,
                source_state: Some(RawState {
                    json: state.to_string().into_bytes(),
                    flatmap: std::collections::HashMap::new(),
                }),
                target_type_name: type_name.to_owned(),
                ..MoveResourceStateRequest::default()
            })
            .await?;
        let told = heard(response.diagnostics)?;
        let moved = Instance {
            type_name: type_name.to_owned(),
            state: decode(response.target_state.as_ref(), &of)?,
            private: response.target_private,
        };
        Ok((moved, told))
    }

    /// Reads a data source.
    ///
    /// # Errors
    /// When it cannot be read, or there is none of this name.
    pub async fn data(&self, type_name: &str, config: Json) -> Outcome<Value> {
        let source = self.0.data_sources.get(type_name);
        let source = source.ok_or_else(|| instead("data source", type_name))?;
        let of = source.schema().value_type();
        let config = encode(&rules::configured(&config, &of)?, &of)?;
        let request = ValidateConfigRequest {
            type_name: type_name.to_owned(),
            config: config.clone(),
            client_capabilities: Some(CAPABLE),
        };
        let validated = self.0.validate_data_resource_config(request).await?;
        heard(validated.diagnostics)?;
        let response = self
            .0
            .read_data_source(ReadDataSourceRequest {
                type_name: type_name.to_owned(),
                config,
                provider_meta: None,
                client_capabilities: Some(CAPABLE),
            })
            .await?;
        let told = heard(response.diagnostics)?;
        let state = decode(response.state.as_ref(), &of)?;
        rules::wholly_known(&state)?;
        Ok((state, told))
    }

    /// Validates a configuration of an ephemeral resource and opens it.
    ///
    /// # Errors
    /// When it cannot be opened, or there is none of this name.
    pub async fn open(&self, type_name: &str, config: Json) -> Outcome<Value> {
        let resource = self.0.ephemeral.get(type_name);
        let resource = resource.ok_or_else(|| instead("ephemeral resource", type_name))?;
        let of = resource.schema().value_type();
        let config = encode(&rules::configured(&config, &of)?, &of)?;
        let request = ValidateConfigRequest {
            type_name: type_name.to_owned(),
            config: config.clone(),
            client_capabilities: Some(CAPABLE),
        };
        let validated = self.0.validate_ephemeral_resource_config(request).await?;
        heard(validated.diagnostics)?;
        let response = self
            .0
            .open_ephemeral_resource(OpenEphemeralResourceRequest {
                type_name: type_name.to_owned(),
                config,
                client_capabilities: Some(CAPABLE),
            })
            .await?;
        let told = heard(response.diagnostics)?;
        let result = decode(response.result.as_ref(), &of)?;
        rules::wholly_known(&result)?;
        Ok((result, told))
    }

    /// Invokes an action: its progress, in order.
    ///
    /// # Errors
    /// When it fails, or there is none of this name.
    pub async fn invoke(&self, type_name: &str, config: Json) -> Outcome<Vec<String>> {
        let part = self.0.actions.get(type_name);
        let of = part
            .ok_or_else(|| instead("action", type_name))?
            .schema()
            .value_type();
        let config = encode(&rules::configured(&config, &of)?, &of)?;
        let request = ValidateConfigRequest {
            type_name: type_name.to_owned(),
            config: config.clone(),
            client_capabilities: Some(CAPABLE),
        };
        heard(self.0.validate_action_config(request).await?.diagnostics)?;
        let request = InvokeActionRequest {
            action_type: type_name.to_owned(),
            config,
            client_capabilities: Some(CAPABLE),
        };
        let mut progress = Vec::new();
        let mut events = std::pin::pin!(action::invoke_action(self.0.clone(), request));
        while let Some(event) = events.next().await {
            match event?.event {
                Some(ActionEvent::Progress(p)) => progress.push(p.message),
                Some(ActionEvent::Completed(c)) => return Ok((progress, heard(c.diagnostics)?)),
                None => {}
            }
        }
        Err(Failure::host("an action ended without an end"))
    }

    /// Lists the resources of a type that there are, with their states.
    ///
    /// # Errors
    /// When they cannot be found, or there is no list of this name.
    pub async fn list(
        &self,
        type_name: &str,
        config: Json,
        limit: i64,
    ) -> Result<Vec<Listing>, Failure> {
        let part = self.0.lists.get(type_name);
        let part = part.ok_or_else(|| instead("list of", type_name))?;
        let of_config = part.schema().value_type();
        let of = self.schema(type_name)?.value_type();
        let request = ListResourceRequest {
            type_name: type_name.to_owned(),
            config: encode(&rules::configured(&config, &of_config)?, &of_config)?,
            include_resource_object: true,
            limit,
        };
        let mut found = Vec::new();
        let mut events = std::pin::pin!(list::list_resource(self.0.clone(), request));
        while let Some(event) = events.next().await {
            let event = event?;
            heard(event.diagnostics)?;
            if event.identity.is_some() {
                found.push(Listing {
                    display_name: event.display_name,
                    state: decode(event.resource_object.as_ref(), &of)?,
                });
            }
        }
        Ok(found)
    }

    /// Calls a function with known arguments.
    ///
    /// # Errors
    /// When it has no result for them, or there is none of this name.
    pub async fn call(&self, name: &str, arguments: &[Value]) -> Result<Value, Failure> {
        let function = self.0.functions.get(name);
        let signature = function
            .ok_or_else(|| instead("function", name))?
            .signature();
        let of = |i: usize| -> Type {
            let parameter = signature.parameters.get(i).or(signature.variadic.as_ref());
            parameter.map_or(Type::Dynamic, |p| p.of.clone())
        };
        let mut sent = Vec::new();
        for (i, argument) in arguments.iter().enumerate() {
            sent.extend(encode(argument, &of(i))?);
        }
        let request = CallFunctionRequest {
            name: name.to_owned(),
            arguments: sent,
        };
        let response = self.0.call_function(request).await?;
        if let Some(error) = response.error {
            return Err(Failure::host(error.text));
        }
        Ok(decode(response.result.as_ref(), &signature.returns)?)
    }

    /// Asks what is under way to end, as a host does on Ctrl-C.
    pub fn interrupt(&self) {
        self.0.cancel();
    }
}

#[cfg(test)]
mod tests;
