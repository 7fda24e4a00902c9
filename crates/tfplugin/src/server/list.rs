// SPDX-License-Identifier: Apache-2.0
//! Calls about lists of existing resources.

use std::sync::Arc;

use futures_core::Stream;
use futures_util::StreamExt as _;
use tonic::Status;

use super::host::{Host, checked, decode, encode, identity_data, named};
use crate::diagnostic::Diagnostics;
use crate::proto::{
    DiagnosticsResponse, ListResourceEvent, ListResourceRequest, ValidateListResourceConfigRequest,
};

impl Host {
    pub(crate) async fn validate_list_resource_config(
        &self,
        request: ValidateListResourceConfigRequest,
    ) -> Result<DiagnosticsResponse, Status> {
        let list = named(&self.lists, "list of", &request.type_name)?;
        let schema = list.schema();
        let (config, mut diagnostics) = checked(request.config.as_ref(), &schema)?;
        if !diagnostics.has_errors() {
            list.validate(&config, &mut diagnostics).await;
        }
        Ok(DiagnosticsResponse {
            diagnostics: diagnostics.into_proto(),
        })
    }

    async fn list(&self, request: ListResourceRequest) -> Result<Vec<ListResourceEvent>, Status> {
        let list = named(&self.lists, "list of", &request.type_name)?;
        let resource = named(&self.resources, "resource", &request.type_name)?;
        let config = decode(request.config.as_ref(), &list.schema().value_type())?;
        let of = resource.schema().value_type();
        let limit = if request.limit > 0 {
            request.limit
        } else {
            i64::MAX
        };
        let mut diagnostics = Diagnostics::default();
        let with_state = request.include_resource_object;
        let found = list
            .list(&config, with_state, limit, &mut diagnostics, &self.cancel)
            .await;
        let mut events = Vec::new();
        let told = diagnostics.into_proto();
        if !told.is_empty() {
            events.push(ListResourceEvent {
                diagnostics: told,
                ..ListResourceEvent::default()
            });
        }
        for one in found
            .into_iter()
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
        {
            events.push(ListResourceEvent {
                identity: identity_data(&one.identity, &*resource)?,
                display_name: one.display_name,
                resource_object: if with_state {
                    encode(&one.state, &of)?
                } else {
                    None
                },
                diagnostics: Vec::new(),
            });
        }
        Ok(events)
    }
}

pub(crate) fn list_resource(
    host: Arc<Host>,
    request: ListResourceRequest,
) -> impl Stream<Item = Result<ListResourceEvent, Status>> + Send + 'static {
    futures_util::stream::once(async move {
        match host.list(request).await {
            Ok(events) => events.into_iter().map(Ok).collect(),
            Err(status) => vec![Err(status)],
        }
    })
    .flat_map(futures_util::stream::iter)
}
