// SPDX-License-Identifier: Apache-2.0
//! Calls about actions.

use std::sync::Arc;

use futures_core::Stream;
use tokio::sync::mpsc;
use tonic::Status;

use super::host::{Host, checked, decode, named};
use crate::diagnostic::Diagnostics;
use crate::proto::{
    ActionEvent, DiagnosticsResponse, InvokeActionCompleted, InvokeActionEvent,
    InvokeActionProgress, InvokeActionRequest, PlanActionRequest, PlanActionResponse,
    ValidateConfigRequest,
};
use crate::provider::Invocation;

impl Host {
    pub(crate) async fn validate_action_config(
        &self,
        request: ValidateConfigRequest,
    ) -> Result<DiagnosticsResponse, Status> {
        let action = named(&self.actions, "action", &request.type_name)?;
        let schema = action.schema();
        let (config, mut diagnostics) = checked(request.config.as_ref(), &schema)?;
        if !diagnostics.has_errors() {
            action.validate(&config, &mut diagnostics).await;
        }
        Ok(DiagnosticsResponse {
            diagnostics: diagnostics.into_proto(),
        })
    }

    pub(crate) async fn plan_action(
        &self,
        request: PlanActionRequest,
    ) -> Result<PlanActionResponse, Status> {
        let action = named(&self.actions, "action", &request.action_type)?;
        let schema = action.schema();
        let (_, diagnostics) = checked(request.config.as_ref(), &schema)?;
        Ok(PlanActionResponse {
            diagnostics: diagnostics.into_proto(),
            deferred: None,
        })
    }

    async fn invoke(
        &self,
        request: InvokeActionRequest,
        progress: mpsc::UnboundedSender<Event>,
    ) -> Result<InvokeActionCompleted, Status> {
        let action = named(&self.actions, "action", &request.action_type)?;
        let schema = action.schema();
        let config = decode(request.config.as_ref(), &schema.value_type())?;
        let config = crate::plan::plan(&schema.block, &config, config.clone(), &config).state;
        let mut invocation = Invocation {
            config,
            diagnostics: Diagnostics::default(),
            cancel: self.cancel.clone(),
            progress: Progress(progress),
        };
        action.invoke(&mut invocation).await;
        Ok(InvokeActionCompleted {
            diagnostics: invocation.diagnostics.into_proto(),
        })
    }
}

type Event = Result<InvokeActionEvent, Status>;

/// Where an action says how far it is.
#[derive(Debug)]
pub(crate) struct Progress(mpsc::UnboundedSender<Event>);

impl Progress {
    pub(crate) fn say(&self, message: String) {
        let event = Some(ActionEvent::Progress(InvokeActionProgress { message }));
        // nobody listens any more: the host has given up the call
        let _ = self.0.send(Ok(InvokeActionEvent { event }));
    }
}

/// Progress as it comes, then the end. The action runs on when the host gives up the call: it is asked to end by `StopProvider`.
pub(crate) fn invoke_action(
    host: Arc<Host>,
    request: InvokeActionRequest,
) -> impl Stream<Item = Event> + Send + 'static {
    let (events, mut stream) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let completed = host.invoke(request, events.clone()).await;
        let _ = events.send(completed.map(|completed| InvokeActionEvent {
            event: Some(ActionEvent::Completed(completed)),
        }));
    });
    futures_util::stream::poll_fn(move |context| stream.poll_recv(context))
}
