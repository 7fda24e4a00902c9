// SPDX-License-Identifier: Apache-2.0
//! The gRPC services: which call goes where.

pub(crate) mod action;
mod data;
mod function;
pub(crate) mod host;
pub(crate) mod list;
mod resource;
mod schemas;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_core::Stream;
use futures_util::{FutureExt as _, StreamExt as _};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

pub(crate) use action::Progress;
pub(crate) use host::Host;

use crate::proto;

/// The largest request that is read: 64 MiB, as hosts do with schemas.
const MAX_REQUEST: usize = 64 << 20;

/// Answers one call.
pub(crate) async fn answer(
    host: Arc<Host>,
    request: http::Request<Incoming>,
) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    log::trace!("{path}");
    let Some((service, method)) = path.trim_start_matches('/').split_once('/') else {
        return unimplemented();
    };
    match (service, method) {
        ("tfplugin6.Provider", method) => provider(host, method, request).await,
        ("plugin.GRPCController", "Shutdown") => {
            unary(request, move |_: proto::Empty| {
                host.stop();
                async { Ok(proto::Empty {}) }
            })
            .await
        }
        ("plugin.GRPCStdio", "StreamStdio") => {
            // nothing is written to stdout; the stream stays open until the end
            streaming(request, move |_: proto::Empty| {
                silence::<proto::StdioData>(host.clone())
            })
            .await
        }
        ("plugin.GRPCBroker", "StartStream") => {
            let open = tower::service_fn(move |_: Request<tonic::Streaming<proto::ConnInfo>>| {
                let host = host.clone();
                async move { Ok::<_, Status>(Response::new(silence::<proto::ConnInfo>(host))) }
            });
            grpc().streaming(open, request).await
        }
        ("grpc.health.v1.Health", "Check") => {
            unary(request, |q: proto::HealthCheckRequest| async move {
                match q.service.as_str() {
                    "" | "plugin" => Ok(proto::HealthCheckResponse { status: 1 }),
                    other => Err(Status::not_found(format!("unknown service {other}"))),
                }
            })
            .await
        }
        ("grpc.health.v1.Health", "Watch") => {
            streaming(request, move |_: proto::HealthCheckRequest| {
                let serving = Ok(proto::HealthCheckResponse { status: 1 });
                futures_util::stream::once(async { serving }).chain(silence(host.clone()))
            })
            .await
        }
        _ => unimplemented(),
    }
}

/// A stream on which nothing comes until the host is done.
fn silence<T: Send + 'static>(
    host: Arc<Host>,
) -> impl Stream<Item = Result<T, Status>> + Send + 'static {
    futures_util::stream::once(async move { host.stopped().await }).filter_map(|()| async { None })
}

fn unimplemented() -> http::Response<Body> {
    Status::unimplemented("this provider does not serve this call").into_http()
}

fn grpc<Q, R>() -> Grpc<ProstCodec<R, Q>>
where
    Q: prost::Message + Default + Send + 'static,
    R: prost::Message + Default + Send + 'static,
{
    Grpc::new(ProstCodec::default()).max_decoding_message_size(MAX_REQUEST)
}

async fn unary<Q, R, F>(
    request: http::Request<Incoming>,
    call: impl Fn(Q) -> F + Send,
) -> http::Response<Body>
where
    Q: prost::Message + Default + Send + 'static,
    R: prost::Message + Default + Send + 'static,
    F: Future<Output = Result<R, Status>> + Send,
{
    let service = tower::service_fn(|request: Request<Q>| {
        let done = AssertUnwindSafe(call(request.into_inner())).catch_unwind();
        async move {
            match done.await {
                Ok(result) => result.map(Response::new),
                Err(_) => Err(Status::internal(
                    "the provider has a defect and gave up this call; its stderr has the place",
                )),
            }
        }
    });
    grpc().unary(service, request).await
}

async fn streaming<Q, R, S>(
    request: http::Request<Incoming>,
    call: impl Fn(Q) -> S + Send,
) -> http::Response<Body>
where
    Q: prost::Message + Default + Send + 'static,
    R: prost::Message + Default + Send + 'static,
    S: Stream<Item = Result<R, Status>> + Send + 'static,
{
    let service = tower::service_fn(|request: Request<Q>| {
        let stream = call(request.into_inner());
        async move { Ok::<_, Status>(Response::new(stream)) }
    });
    grpc().server_streaming(service, request).await
}

/// Calls a method of the host for a unary call.
macro_rules! call {
    ($host:expr, $request:expr, $method:ident) => {{
        let host = $host;
        unary($request, move |q| {
            let host = host.clone();
            async move { host.$method(q).await }
        })
        .await
    }};
}

async fn provider(
    host: Arc<Host>,
    method: &str,
    request: http::Request<Incoming>,
) -> http::Response<Body> {
    match method {
        "GetMetadata" => call!(host, request, get_metadata),
        "GetProviderSchema" => call!(host, request, get_provider_schema),
        "GetResourceIdentitySchemas" => call!(host, request, get_resource_identity_schemas),
        "GetFunctions" => call!(host, request, get_functions),
        "ValidateProviderConfig" => call!(host, request, validate_provider_config),
        "ValidateResourceConfig" => call!(host, request, validate_resource_config),
        "ValidateDataResourceConfig" => call!(host, request, validate_data_resource_config),
        "ValidateEphemeralResourceConfig" => {
            call!(host, request, validate_ephemeral_resource_config)
        }
        "ValidateListResourceConfig" => call!(host, request, validate_list_resource_config),
        "ValidateActionConfig" => call!(host, request, validate_action_config),
        "ConfigureProvider" => call!(host, request, configure_provider),
        "StopProvider" => call!(host, request, stop_provider),
        "UpgradeResourceState" => call!(host, request, upgrade_resource_state),
        "UpgradeResourceIdentity" => call!(host, request, upgrade_resource_identity),
        "ReadResource" => call!(host, request, read_resource),
        "PlanResourceChange" => call!(host, request, plan_resource_change),
        "ApplyResourceChange" => call!(host, request, apply_resource_change),
        "ImportResourceState" => call!(host, request, import_resource_state),
        "MoveResourceState" => call!(host, request, move_resource_state),
        "GenerateResourceConfig" => call!(host, request, generate_resource_config),
        "ReadDataSource" => call!(host, request, read_data_source),
        "OpenEphemeralResource" => call!(host, request, open_ephemeral_resource),
        "RenewEphemeralResource" => call!(host, request, renew_ephemeral_resource),
        "CloseEphemeralResource" => call!(host, request, close_ephemeral_resource),
        "CallFunction" => call!(host, request, call_function),
        "PlanAction" => call!(host, request, plan_action),
        "ListResource" => streaming(request, move |q| list::list_resource(host.clone(), q)).await,
        "InvokeAction" => streaming(request, move |q| action::invoke_action(host.clone(), q)).await,
        _ => unimplemented(),
    }
}

#[cfg(test)]
mod tests;
