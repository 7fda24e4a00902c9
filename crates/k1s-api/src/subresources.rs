// SPDX-License-Identifier: Apache-2.0
//! Subresources: the status and the scale of objects, and what only pods, namespaces, accounts and signing requests have.

mod eviction;
mod exec;
mod kubelet;
mod log;
mod pods;
mod port_forward;
mod proxy;
mod scale;
mod token_request;

use http::Method;
use k1s_core::kinds;
use k1s_core::status::{Details, Status};

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::route::Target;
use crate::verbs::get;
use crate::verbs::patch::patch_part;
use crate::verbs::update::{Part, update_part};

/// Does what the request wants with a subresource.
pub(crate) async fn act(
    api: &Api,
    method: &Method,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let Some(subresource) = target.kind.subresource(&target.subresource) else {
        return Err(Status::no_such_resource());
    };
    let verb = match method.as_str() {
        "GET" => "get",
        "PUT" => "update",
        "PATCH" => "patch",
        "POST" => "create",
        "DELETE" => "delete",
        "HEAD" | "OPTIONS" if subresource.name == "proxy" => "get",
        _ => "",
    };
    if !subresource.verbs.contains(&verb) {
        return Err(Status::method_not_allowed());
    }
    match (subresource.name, verb) {
        ("scale", _) => scale::act(api, verb, target, exchange).await,
        ("token", _) => token_request::create(api, target, exchange).await,
        ("binding", _) => pods::bind(api, target, exchange).await,
        ("eviction", _) => eviction::create(api, target, exchange).await,
        ("log", _) => log::get(api, target, exchange).await,
        ("exec" | "attach", _) => exec::connect(api, method, target, exchange).await,
        ("proxy", _) => proxy::forward(api, method, target, exchange).await,
        ("portforward", _) => port_forward::connect(api, method, target, exchange).await,
        (_, "get") => get::get(api, target, exchange),
        (name, "update") => update_part(api, target, exchange, part(name)).await,
        (name, "patch") => patch_part(api, target, exchange, part(name)).await,
        _ => Err(Status::method_not_allowed()),
    }
}

/// Does what `pods/NAME/binding` does for the pod that the Binding in the body is named after.
pub(crate) async fn bind(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let Some(pods) = kinds::of_kind("", "v1", "Pod") else {
        return Err(Status::no_such_resource());
    };
    let pod = Target {
        kind: pods,
        name: String::new(),
        ..target.clone()
    };
    pods::bind(api, &pod, exchange).await
}

fn part(subresource: &str) -> Part {
    match subresource {
        "status" => Part::Status,
        "finalize" => Part::Finalize,
        "approval" => Part::Approval,
        "resize" => Part::Resize,
        _ => Part::EphemeralContainers,
    }
}

/// What only a pod's node could answer, where none is asked.
fn no_kubelet(target: &Target) -> Status {
    let message = format!(
        "{}/{} of {} {:?}: this server does not ask kubelets for it",
        target.kind.plural, target.subresource, target.kind.singular, target.name
    );
    Status::new(501, "NotImplemented", message).with_details(Details {
        name: target.name.clone(),
        kind: target.kind.plural.into(),
        ..Details::default()
    })
}
