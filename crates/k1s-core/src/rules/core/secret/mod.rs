// SPDX-License-Identifier: Apache-2.0
//! Secret.

mod key_pair;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::config_map::{DATA_MAX_BYTES, decoded, validate_bytes, validate_immutable};
use crate::field::{Errors, Path};
use crate::object::{annotation, default, make_map, map, remove, set, text};
use crate::rules::{Clock, Rules, UnknownField, cells};

const OPAQUE: &str = "Opaque";
const ACCOUNT_TOKEN: &str = "kubernetes.io/service-account-token";
const ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";
const TLS: &str = "kubernetes.io/tls";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
/// Types whose one key holds a JSON map.
const DOCKER: [(&str, &str); 2] = [
    ("kubernetes.io/dockercfg", ".dockercfg"),
    ("kubernetes.io/dockerconfigjson", ".dockerconfigjson"),
];

pub(super) static RULES: Rules = Rules {
    default: fill,
    validate,
    validate_update,
    warnings,
    fields: &["type"],
    field: |secret, _| text(secret, &["type"]).to_owned(),
    unknown_field: UnknownField::NotSupported,
    cells: Some(cells),
    ..Rules::NONE
};

/// `stringData` goes into `data`, and wins there.
fn fill(secret: &mut Value) {
    default(make_map(secret), "type", OPAQUE);
    let plain = remove(secret, &["stringData"]);
    for (key, value) in plain
        .as_ref()
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let value = STANDARD.encode(value.as_str().unwrap_or_default());
        set(secret, &["data", key], value);
    }
}

fn validate(secret: &Value, errors: &mut Errors) {
    let path = Path::new("data");
    if validate_bytes(secret, "data", errors) > DATA_MAX_BYTES {
        errors.too_long(path, DATA_MAX_BYTES);
    }
    let data = |key: &str| map(secret, &["data"]).and_then(|d| d.get(key));
    let kind = text(secret, &["type"]);
    match kind {
        ACCOUNT_TOKEN
            if annotation(secret, ACCOUNT_NAME)
                .unwrap_or_default()
                .is_empty() =>
        {
            let metadata = Path::new("metadata");
            errors.required(metadata.child("annotations").key(ACCOUNT_NAME), "");
        }
        "kubernetes.io/basic-auth" => {
            let keys = ["username", "password"];
            if keys.iter().all(|key| data(key).is_none()) {
                for key in keys {
                    errors.required(path.key(key), "");
                }
            }
        }
        "kubernetes.io/ssh-auth" if data("ssh-privatekey").is_none_or(|v| v == "") => {
            errors.required(path.key("ssh-privatekey"), "");
        }
        TLS => {
            for key in [CERTIFICATE, KEY]
                .into_iter()
                .filter(|key| data(key).is_none())
            {
                errors.required(path.key(key), "");
            }
        }
        _ => {}
    }
    if let Some((_, key)) = DOCKER.iter().find(|(docker, _)| *docker == kind) {
        match data(key) {
            None => errors.required(path.key(key), ""),
            Some(value) => {
                if let Some(complaint) = json_complaint(&decoded(value)) {
                    errors.invalid_text(path.key(key), "<secret contents redacted>", complaint);
                }
            }
        }
    }
}

/// What is wrong with bytes that should be a JSON map.
fn json_complaint(bytes: &[u8]) -> Option<String> {
    match crate::json::read(bytes) {
        Ok(Value::Object(_) | Value::Null) => None,
        Ok(other) => Some(format!(
            "json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            crate::json::type_name(&other)
        )),
        Err(error) => Some(error.to_string()),
    }
}

fn validate_update(new: &Value, old: &Value, errors: &mut Errors) {
    if text(new, &["type"]) != text(old, &["type"]) {
        errors.invalid_text("type", text(new, &["type"]), "field is immutable");
    }
    validate_immutable(new, old, &["data"], errors);
    validate(new, errors);
}

fn warnings(secret: &Value, _: Option<&Value>, warnings: &mut Vec<String>) {
    if text(secret, &["type"]) == TLS {
        let [certificate, key] = [CERTIFICATE, KEY].map(|k| decoded(&secret["data"][k]));
        warnings.extend(key_pair::complaint(&certificate, &key));
    }
}

fn cells(secret: &Value, clock: &Clock) -> Vec<Value> {
    vec![
        cells::name(secret),
        text(secret, &["type"]).into(),
        map(secret, &["data"]).map_or(0, |d| d.len()).into(),
        cells::age(secret, clock),
    ]
}
