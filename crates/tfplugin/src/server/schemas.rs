// SPDX-License-Identifier: Apache-2.0
//! Calls about schemas and the provider's own configuration.

use std::collections::HashMap;

use tonic::Status;

use super::function::describe;
use super::host::{Host, checked, decode};
use crate::diagnostic::Diagnostics;
use crate::proto::{
    ActionSchema, ConfigureProviderRequest, DiagnosticsResponse, GetFunctionsRequest,
    GetFunctionsResponse, GetMetadataRequest, GetMetadataResponse, GetProviderSchemaRequest,
    GetProviderSchemaResponse, GetResourceIdentitySchemasRequest,
    GetResourceIdentitySchemasResponse, NamedFunction, NamedType, Schema, ServerCapabilities,
    StopProviderRequest, StopProviderResponse, ValidateProviderConfigRequest,
    ValidateProviderConfigResponse,
};

/// What this crate can do for every provider.
const CAPABILITIES: ServerCapabilities = ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    move_resource_state: true,
    generate_resource_config: true,
};

fn names<'n>(names: impl Iterator<Item = &'n &'static str>) -> Vec<NamedType> {
    names
        .map(|n| NamedType {
            type_name: (*n).to_owned(),
        })
        .collect()
}

impl Host {
    pub(crate) async fn get_metadata(
        &self,
        _: GetMetadataRequest,
    ) -> Result<GetMetadataResponse, Status> {
        Ok(GetMetadataResponse {
            server_capabilities: Some(CAPABILITIES),
            resources: names(self.resources.keys()),
            data_sources: names(self.data_sources.keys()),
            ephemeral_resources: names(self.ephemeral.keys()),
            list_resources: names(self.lists.keys()),
            actions: names(self.actions.keys()),
            functions: self
                .functions
                .keys()
                .map(|n| NamedFunction {
                    name: (*n).to_owned(),
                })
                .collect(),
            ..GetMetadataResponse::default()
        })
    }

    pub(crate) async fn get_provider_schema(
        &self,
        _: GetProviderSchemaRequest,
    ) -> Result<GetProviderSchemaResponse, Status> {
        fn all<T: ?Sized>(
            parts: &std::collections::BTreeMap<&'static str, std::sync::Arc<T>>,
            schema: impl Fn(&T) -> crate::schema::Schema,
        ) -> HashMap<String, Schema> {
            parts
                .iter()
                .map(|(n, p)| ((*n).to_owned(), schema(p).to_proto()))
                .collect()
        }
        Ok(GetProviderSchemaResponse {
            provider: Some(self.provider.schema().to_proto()),
            resource_schemas: all(&self.resources, |r| r.schema()),
            data_source_schemas: all(&self.data_sources, |d| d.schema()),
            ephemeral_resource_schemas: all(&self.ephemeral, |e| e.schema()),
            list_resource_schemas: all(&self.lists, |l| l.schema()),
            action_schemas: self
                .actions
                .iter()
                .map(|(n, a)| {
                    let schema = Some(a.schema().to_proto());
                    ((*n).to_owned(), ActionSchema { schema })
                })
                .collect(),
            functions: self
                .functions
                .iter()
                .map(|(n, f)| ((*n).to_owned(), describe(&f.signature())))
                .collect(),
            server_capabilities: Some(CAPABILITIES),
            ..GetProviderSchemaResponse::default()
        })
    }

    pub(crate) async fn get_resource_identity_schemas(
        &self,
        _: GetResourceIdentitySchemasRequest,
    ) -> Result<GetResourceIdentitySchemasResponse, Status> {
        Ok(GetResourceIdentitySchemasResponse {
            identity_schemas: self
                .resources
                .iter()
                .filter_map(|(n, r)| Some(((*n).to_owned(), r.identity()?.to_proto())))
                .collect(),
            diagnostics: Vec::new(),
        })
    }

    pub(crate) async fn get_functions(
        &self,
        _: GetFunctionsRequest,
    ) -> Result<GetFunctionsResponse, Status> {
        Ok(GetFunctionsResponse {
            functions: self
                .functions
                .iter()
                .map(|(n, f)| ((*n).to_owned(), describe(&f.signature())))
                .collect(),
            diagnostics: Vec::new(),
        })
    }

    pub(crate) async fn validate_provider_config(
        &self,
        request: ValidateProviderConfigRequest,
    ) -> Result<ValidateProviderConfigResponse, Status> {
        let schema = self.provider.schema();
        let (config, mut diagnostics) = checked(request.config.as_ref(), &schema)?;
        if !diagnostics.has_errors() {
            self.provider.validate(&config, &mut diagnostics).await;
        }
        Ok(ValidateProviderConfigResponse {
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn configure_provider(
        &self,
        request: ConfigureProviderRequest,
    ) -> Result<DiagnosticsResponse, Status> {
        log::debug!(
            "configured by a host of version {}",
            request.terraform_version
        );
        let schema = self.provider.schema();
        let config = decode(request.config.as_ref(), &schema.value_type())?;
        let mut diagnostics = Diagnostics::default();
        self.provider.configure(&config, &mut diagnostics).await;
        Ok(DiagnosticsResponse {
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn stop_provider(
        &self,
        _: StopProviderRequest,
    ) -> Result<StopProviderResponse, Status> {
        log::info!("asked to stop");
        self.cancel();
        Ok(StopProviderResponse::default())
    }
}
