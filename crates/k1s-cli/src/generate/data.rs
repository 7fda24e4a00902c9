// SPDX-License-Identifier: Apache-2.0
//! ConfigMaps and Secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k1s_core::name::config_map_key;
use k1s_core::quote::Quoted;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::source::Entry;
use super::{Identity, Mistake, object};

/// What a ConfigMap or a Secret is made of.
#[derive(Debug, Default)]
pub struct Data {
    /// Keys and values, in the order in which they are added.
    pub entries: Vec<Entry>,
    /// Whether a hash of the content becomes part of the name.
    pub append_hash: bool,
}

/// A ConfigMap; values that are not UTF-8 go to `binaryData`.
pub fn config_map(identity: Identity<'_>, data: &Data) -> Result<Value, Mistake> {
    let (mut text, mut binary) = (Map::new(), Map::new());
    for (key, value) in &data.entries {
        let complaints = config_map_key(key);
        if !complaints.is_empty() {
            return Err(Mistake(format!(
                "{} is not a valid key name for a ConfigMap: {}",
                Quoted(key),
                complaints.join(",")
            )));
        }
        for (map, field) in [(&text, "Data"), (&binary, "BinaryData")] {
            if map.contains_key(key) {
                let name = Quoted(identity.name);
                return Err(Mistake(format!(
                    "cannot add key {}, another key by that name already exists in {field} for ConfigMap {name}",
                    Quoted(key)
                )));
            }
        }
        match std::str::from_utf8(value) {
            Ok(value) => text.insert(key.clone(), value.into()),
            Err(_) => binary.insert(key.clone(), STANDARD.encode(value).into()),
        };
    }
    let mut map = object("v1", "ConfigMap", identity.metadata());
    if data.append_hash {
        let mut hashed = json!({ "kind": "ConfigMap", "name": identity.name, "data": text });
        if !binary.is_empty() {
            hashed["binaryData"] = Value::Object(binary.clone());
        }
        map["metadata"]["name"] = format!("{}-{}", identity.name, hash(&hashed)).into();
    }
    for (field, values) in [("data", text), ("binaryData", binary)] {
        if !values.is_empty() {
            map[field] = values.into();
        }
    }
    Ok(map)
}

/// A Secret; an empty type is left to the server.
pub fn secret(identity: Identity<'_>, kind: &str, data: &Data) -> Result<Value, Mistake> {
    let mut values = Map::new();
    for (key, value) in &data.entries {
        let complaints = config_map_key(key);
        if !complaints.is_empty() {
            return Err(Mistake(format!(
                "{} is not valid key name for a Secret {}",
                Quoted(key),
                complaints.join(";")
            )));
        }
        if values
            .insert(key.clone(), STANDARD.encode(value).into())
            .is_some()
        {
            return Err(Mistake(format!(
                "cannot add key {key}, another key by that name already exists"
            )));
        }
    }
    let mut secret = object("v1", "Secret", identity.metadata());
    if data.append_hash {
        let hashed =
            json!({ "kind": "Secret", "type": kind, "name": identity.name, "data": values });
        secret["metadata"]["name"] = format!("{}-{}", identity.name, hash(&hashed)).into();
    }
    if !values.is_empty() {
        secret["data"] = values.into();
    }
    if !kind.is_empty() {
        secret["type"] = kind.into();
    }
    Ok(secret)
}

/// The first ten digits of the content's SHA-256, in letters that do not make words.
fn hash(content: &Value) -> String {
    let digest = Sha256::digest(k1s_core::json::print(content));
    let digits = digest
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .take(10);
    digits
        .filter_map(|digit| "gh2k456789mbcdtf".chars().nth(digit.into()))
        .collect()
}
