// SPDX-License-Identifier: Apache-2.0
//! Questions that are asked by creating an object, of which nothing is stored: who somebody is (`authentication.k8s.io`), and
//! what somebody may (`authorization.k8s.io`). The answers are what the service itself goes by: [`crate::authorization`].
//!
//! Entry point: [`answer`].

mod access;
mod rules;
mod token;

use k1s_core::field::Errors;
use k1s_core::kinds::Kind;
use k1s_core::object;
use k1s_core::status::Status;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::api::{Api, Exchange};
use crate::clock;
use crate::identity::Identity;
use crate::negotiate::Forms;
use crate::options::{WriteKind, WriteOptions};
use crate::route::Target;

/// Whether objects of a kind are questions.
pub(crate) fn is_review(kind: &Kind) -> bool {
    ["authentication.k8s.io", "authorization.k8s.io"].contains(&kind.group)
}

/// Answers the question in the body.
pub(crate) fn answer(
    api: &Api,
    target: &Target,
    exchange: &mut Exchange,
) -> Result<Answer, Status> {
    let output = exchange.output(Forms::NoTable)?;
    let options = WriteOptions::parse(&exchange.query, WriteKind::Create)?;
    let mut review = exchange.object(&target.kind.into(), options.field_validation)?;
    match object::namespace(&review) {
        own if own.is_empty() || own == target.namespace => {}
        _ => {
            return Err(Status::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
    }
    if !target.namespace.is_empty() {
        object::set(
            &mut review,
            &["metadata", "namespace"],
            target.namespace.as_str(),
        );
    }
    let identity = &exchange.identity;
    match target.kind.kind {
        "SelfSubjectReview" => {
            let created = clock::rfc3339(exchange.now_seconds);
            review["metadata"] = json!({"creationTimestamp": created});
            review["status"] = json!({"userInfo": user(identity)});
        }
        "TokenReview" => token::answer(api, &mut review, exchange.now_seconds)?,
        "SelfSubjectRulesReview" => rules::answer(&mut review, identity)?,
        "SelfSubjectAccessReview" => access::answer(&mut review, Some(identity), "")?,
        _ => access::answer(&mut review, None, &target.namespace)?,
    }
    Ok(Answer::Value {
        code: 201,
        value: review,
        output,
    })
}

/// A user as `authentication.k8s.io` tells of one.
fn user(identity: &Identity) -> Value {
    let mut user = Map::new();
    user.insert("username".into(), identity.user.as_str().into());
    if !identity.uid.is_empty() {
        user.insert("uid".into(), identity.uid.as_str().into());
    }
    if !identity.groups.is_empty() {
        user.insert("groups".into(), identity.groups.clone().into());
    }
    if !identity.extra.is_empty() {
        user.insert("extra".into(), json!(identity.extra));
    }
    Value::Object(user)
}

/// The refusal of a question of `authorization.k8s.io`, which has no name.
fn invalid(errors: Errors) -> Status {
    Status::invalid("authorization.k8s.io", "", "", errors)
}
