// SPDX-License-Identifier: Apache-2.0
//! Calls about data sources and ephemeral resources.

use std::time::{SystemTime, UNIX_EPOCH};

use tonic::Status;

use super::host::{Host, checked, decode, encode, named};
use crate::cty::Value;
use crate::diagnostic::Diagnostics;
use crate::private::Private;
use crate::proto::{
    CloseEphemeralResourceRequest, Deferred, DiagnosticsResponse, OpenEphemeralResourceRequest,
    OpenEphemeralResourceResponse, ReadDataSourceRequest, ReadDataSourceResponse,
    RenewEphemeralResourceRequest, RenewEphemeralResourceResponse, Timestamp,
    ValidateConfigRequest,
};
use crate::provider::{DataRead, Ephemeral};

impl Host {
    pub(crate) async fn validate_data_resource_config(
        &self,
        request: ValidateConfigRequest,
    ) -> Result<DiagnosticsResponse, Status> {
        let source = named(&self.data_sources, "data source", &request.type_name)?;
        let schema = source.schema();
        let (config, mut diagnostics) = checked(request.config.as_ref(), &schema)?;
        if !diagnostics.has_errors() {
            source.validate(&config, &mut diagnostics).await;
        }
        Ok(DiagnosticsResponse {
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn read_data_source(
        &self,
        request: ReadDataSourceRequest,
    ) -> Result<ReadDataSourceResponse, Status> {
        let source = named(&self.data_sources, "data source", &request.type_name)?;
        let schema = source.schema();
        let of = schema.value_type();
        let config = decode(request.config.as_ref(), &of)?;
        // the plan engine fills in defaults; nothing of a data source is planned
        let filled = crate::plan::plan(&schema.block, &config, config.clone(), &config).state;
        let mut read = DataRead {
            state: filled,
            config,
            deferred: None,
            deferral_allowed: request
                .client_capabilities
                .is_some_and(|c| c.deferral_allowed),
            diagnostics: Diagnostics::default(),
            cancel: self.cancel.clone(),
        };
        source.read(&mut read).await;
        let state = if read.diagnostics.has_errors() || read.deferred.is_some() {
            None
        } else {
            encode(&known(read.state), &of)?
        };
        Ok(ReadDataSourceResponse {
            state,
            diagnostics: read.diagnostics.into_proto(),
            deferred: read.deferred.map(|r| Deferred { reason: r.into() }),
        })
    }

    pub(crate) async fn validate_ephemeral_resource_config(
        &self,
        request: ValidateConfigRequest,
    ) -> Result<DiagnosticsResponse, Status> {
        let resource = named(&self.ephemeral, "ephemeral resource", &request.type_name)?;
        let schema = resource.schema();
        let (config, mut diagnostics) = checked(request.config.as_ref(), &schema)?;
        if !diagnostics.has_errors() {
            resource.validate(&config, &mut diagnostics).await;
        }
        Ok(DiagnosticsResponse {
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn open_ephemeral_resource(
        &self,
        request: OpenEphemeralResourceRequest,
    ) -> Result<OpenEphemeralResourceResponse, Status> {
        let resource = named(&self.ephemeral, "ephemeral resource", &request.type_name)?;
        let schema = resource.schema();
        let of = schema.value_type();
        let config = decode(request.config.as_ref(), &of)?;
        let filled = crate::plan::plan(&schema.block, &config, config.clone(), &config).state;
        let mut ephemeral = self.ephemeral(config, filled, &[]);
        resource.open(&mut ephemeral).await;
        let result = if ephemeral.diagnostics.has_errors() {
            None
        } else {
            encode(&known(ephemeral.result), &of)?
        };
        Ok(OpenEphemeralResourceResponse {
            result,
            renew_at: ephemeral.renew_at.map(timestamp),
            private: ephemeral.private.to_bytes(),
            diagnostics: ephemeral.diagnostics.into_proto(),
            deferred: None,
        })
    }

    pub(crate) async fn renew_ephemeral_resource(
        &self,
        request: RenewEphemeralResourceRequest,
    ) -> Result<RenewEphemeralResourceResponse, Status> {
        let resource = named(&self.ephemeral, "ephemeral resource", &request.type_name)?;
        let mut ephemeral = self.ephemeral(Value::Null, Value::Null, &request.private);
        resource.renew(&mut ephemeral).await;
        Ok(RenewEphemeralResourceResponse {
            renew_at: ephemeral.renew_at.map(timestamp),
            private: ephemeral.private.to_bytes(),
            diagnostics: ephemeral.diagnostics.into_proto(),
        })
    }

    pub(crate) async fn close_ephemeral_resource(
        &self,
        request: CloseEphemeralResourceRequest,
    ) -> Result<DiagnosticsResponse, Status> {
        let resource = named(&self.ephemeral, "ephemeral resource", &request.type_name)?;
        let mut ephemeral = self.ephemeral(Value::Null, Value::Null, &request.private);
        resource.close(&mut ephemeral).await;
        Ok(DiagnosticsResponse {
            diagnostics: ephemeral.diagnostics.into_proto(),
        })
    }

    fn ephemeral(&self, config: Value, result: Value, private: &[u8]) -> Ephemeral {
        Ephemeral {
            config,
            result,
            private: Private::from_bytes(private),
            renew_at: None,
            diagnostics: Diagnostics::default(),
            cancel: self.cancel.clone(),
        }
    }
}

/// The value with null for what is still unknown: hosts take no unknown value after the fact.
pub(crate) fn known(value: Value) -> Value {
    match value {
        Value::Unknown | Value::UnknownNotNull => Value::Null,
        Value::List(items) => Value::List(items.into_iter().map(known).collect()),
        Value::Map(items) => Value::Map(items.into_iter().map(|(n, v)| (n, known(v))).collect()),
        other => other,
    }
}

fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(since.subsec_nanos()).unwrap_or_default(),
    }
}
