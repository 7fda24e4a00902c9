// SPDX-License-Identifier: Apache-2.0
//! `serviceaccounts/token`: a token that expires, bound to its account and to another object if asked.

use k1s_core::field::{Errors, quote};
use k1s_core::kinds;
use k1s_core::object::{self, int, list, text};
use k1s_core::schema::Schema;
use k1s_core::status::Status;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::api::{Api, Exchange, kind_details};
use crate::clock;
use crate::content::Expected;
use crate::negotiate::Forms;
use crate::options::{WriteKind, WriteOptions};
use crate::random;
use crate::route::Target;
use crate::token;

const SHORTEST_SECONDS: i64 = 600;
const LONGEST_SECONDS: i64 = 1 << 32;
const DEFAULT_SECONDS: i64 = 3600;

/// Issues a token.
pub(super) async fn create(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::NoTable)?;
    let options = WriteOptions::parse(&exchange.query, WriteKind::Create)?;
    let schema = Schema::named("io.k8s.api.authentication.v1.TokenRequest")
        .ok_or_else(|| Status::internal("there is no schema of TokenRequest"))?;
    let expected = Expected {
        group: "authentication.k8s.io",
        version: "v1",
        kind: "TokenRequest",
        schema,
    };
    let mut request = exchange.object(&expected, options.field_validation)?;
    k1s_core::meta::fit_namespace(target.kind, &mut request, &target.namespace)?;
    api.check_namespace(target.kind, &target.namespace, &target.name)?;
    match object::name(&request) {
        "" => object::set(&mut request, &["metadata", "name"], target.name.as_str()),
        own if own != target.name => {
            let mut errors = Errors::new();
            let why = "must match the service account name if specified";
            errors.invalid_text("metadata.name", own, why);
            return Err(Status::invalid(
                expected.group,
                expected.kind,
                &target.name,
                errors,
            ));
        }
        _ => {}
    }
    let Some((account, _)) = api.load(target.kind, &target.namespace, &target.name)? else {
        return Err(Status::not_found(target.kind, &target.name));
    };
    if list(&request, &["spec", "audiences"]).is_empty() {
        object::set(
            &mut request,
            &["spec", "audiences"],
            vec![Value::from(token::ISSUER)],
        );
    }
    let seconds = int(&request, &["spec", "expirationSeconds"]).unwrap_or(DEFAULT_SECONDS);
    object::set(&mut request, &["spec", "expirationSeconds"], seconds);
    check_seconds(seconds)?;
    let mut bound = json!({
        "namespace": target.namespace,
        "serviceaccount": {"name": object::name(&account), "uid": object::uid(&account)},
    });
    bind(api, target, &request, &mut bound)?;
    let now = exchange.now_seconds;
    let claims = json!({
        "iss": token::ISSUER,
        "aud": request["spec"]["audiences"],
        "sub": format!("system:serviceaccount:{}:{}", target.namespace, target.name),
        "iat": now,
        "nbf": now,
        "exp": now + seconds,
        "jti": random::uid(),
        "kubernetes.io": bound,
    });
    let text = token::sign(api, &claims)?;
    object::set(
        &mut request,
        &["metadata", "creationTimestamp"],
        clock::rfc3339(now),
    );
    object::set(&mut request, &["metadata", "uid"], random::uid());
    request["status"] =
        json!({"token": text, "expirationTimestamp": clock::rfc3339(now + seconds)});
    Ok(Answer::Value {
        code: 201,
        value: request,
        output,
    })
}

fn check_seconds(seconds: i64) -> Result<(), Status> {
    let mut errors = Errors::new();
    if seconds < SHORTEST_SECONDS {
        errors.invalid(
            "spec.expirationSeconds",
            &Value::from(seconds),
            "may not specify a duration less than 10 minutes",
        );
    } else if seconds > LONGEST_SECONDS {
        errors.invalid(
            "spec.expirationSeconds",
            &Value::from(seconds),
            "may not specify a duration larger than 2^32 seconds",
        );
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(Status::invalid(
            "authentication.k8s.io",
            "TokenRequest",
            "",
            errors,
        ))
    }
}

/// Binds the token to the object that the request names.
fn bind(api: &Api, target: &Target, request: &Value, claims: &mut Value) -> Result<(), Status> {
    let Some(reference) = object::at(request, &["spec", "boundObjectRef"]).filter(|r| !r.is_null())
    else {
        return Ok(());
    };
    let (api_version, kind_name) = (text(reference, &["apiVersion"]), text(reference, &["kind"]));
    let (group, version) = kinds::split_api_version(api_version);
    let kind = match (group, version, kind_name) {
        ("", "v1", "Pod" | "Secret" | "Node") => kinds::of_kind("", "v1", kind_name),
        _ => None,
    };
    let Some(kind) = kind else {
        let what = if group.is_empty() {
            format!("/{version}")
        } else {
            api_version.to_owned()
        };
        return Err(Status::bad_request(format!(
            "cannot bind token to object of type {what}, Kind={kind_name}"
        )));
    };
    let name = text(reference, &["name"]);
    let namespace = if kind.namespaced {
        target.namespace.as_str()
    } else {
        ""
    };
    if name.is_empty() {
        return Err(Status::bad_request("Name parameter required."));
    }
    let Some((bound, _)) = api.load(kind, namespace, name)? else {
        return Err(Status::not_found(kind, name));
    };
    let uid = text(reference, &["uid"]);
    if !uid.is_empty() && uid != object::uid(&bound) {
        let message = format!(
            "Operation cannot be fulfilled on {} {}: the UID in the bound object reference ({uid}) does not match the UID in record. The object might have been deleted and then recreated",
            kind.kind,
            quote(name)
        );
        let details = kind_details(kind, name);
        return Err(Status::new(409, "Conflict", message).with_details(details));
    }
    if kind.kind == "Pod" {
        let account = text(&bound, &["spec", "serviceAccountName"]);
        if account != target.name {
            return Err(Status::bad_request(format!(
                "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                target.name
            )));
        }
    }
    claims[kind.singular] = json!({"name": name, "uid": object::uid(&bound)});
    Ok(())
}
