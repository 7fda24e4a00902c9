// SPDX-License-Identifier: Apache-2.0
//! TokenReview: whose a token is.

use k1s_core::object::{list, text};
use k1s_core::status::Status;
use serde_json::{Value, json};

use super::user;
use crate::api::Api;
use crate::token::{self, ISSUER};

/// Writes the status.
pub(super) fn answer(api: &Api, review: &mut Value, now_seconds: i64) -> Result<(), Status> {
    let given = text(review, &["spec", "token"]);
    if given.is_empty() {
        return Err(Status::bad_request(
            "token is required for TokenReview in authentication",
        ));
    }
    let asked: Vec<&str> = list(review, &["spec", "audiences"])
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let audiences = if asked.is_empty() {
        vec![ISSUER]
    } else {
        asked
    };
    let status = match token::verify(api, given, &audiences, now_seconds) {
        Some(good) => json!({
            "authenticated": true,
            "user": user(&good.identity),
            "audiences": good.audiences,
        }),
        None => json!({"user": {}, "error": "invalid bearer token"}),
    };
    review["status"] = status;
    Ok(())
}
