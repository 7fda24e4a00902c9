// SPDX-License-Identifier: Apache-2.0
//! The tables tell back what kube-apiserver publishes.

use sha2::{Digest, Sha256};

use super::*;

fn published(name: &str, dialect: Dialect) -> Value {
    schema(
        Schema::named(name).unwrap(),
        dialect,
        &mut Descriptions::default(),
    )
}

/// Takes the descriptions out, and an `allOf` that held one beside a reference.
fn without_words(value: &mut Value, in_properties: bool) {
    match value {
        Value::Object(map) => {
            if !in_properties {
                map.remove("description");
                if map.len() == 1
                    && let Some(reference) =
                        map.get("allOf").and_then(|all| all[0].as_object()).cloned()
                {
                    *map = reference;
                }
            }
            for (key, value) in map.iter_mut() {
                without_words(value, !in_properties && key == "properties");
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|v| without_words(v, false)),
        _ => {}
    }
}

/// SHA-256 of all schemas that kube-apiserver 1.35.4 publishes in version 3, without descriptions, as compact JSON with sorted keys.
const FACTS: &str = "1714ce05f2680ee4819dbc109ab176146e9b6aa31a417afa959bb7c494dfa777";

#[test]
fn the_tables_tell_back_every_schema() {
    let mut texts = Descriptions::default();
    let all: Map<String, Value> = k1s_core::schema::all()
        .iter()
        .map(|s| {
            let mut told = schema(s, Dialect::V3, &mut texts);
            without_words(&mut told, false);
            (s.name.to_owned(), told)
        })
        .collect();
    let hash: String = Sha256::digest(Value::from(all).to_string())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hash, FACTS);
}

#[test]
fn a_field_with_words() {
    let told = published("io.k8s.api.core.v1.Container", Dialect::V3);
    let policy = &told["properties"]["imagePullPolicy"];
    assert_eq!(policy["enum"], json!(["Always", "IfNotPresent", "Never"]));
    assert!(policy["description"].as_str().unwrap().ends_with(
        "\n\nPossible enum values:\n - `\"Always\"`\n - `\"IfNotPresent\"`\n - `\"Never\"`"
    ));
    let lifecycle = &told["properties"]["lifecycle"];
    assert_eq!(
        lifecycle["allOf"],
        json!([{"$ref": "#/components/schemas/io.k8s.api.core.v1.Lifecycle"}])
    );
}

#[test]
fn version_2_has_no_defaults() {
    let told = published("io.k8s.api.core.v1.ContainerPort", Dialect::V2);
    assert_eq!(told["properties"]["protocol"]["default"], Value::Null);
    let told = published("io.k8s.api.core.v1.Pod", Dialect::V2);
    assert_eq!(
        told["properties"]["spec"]["$ref"],
        "#/definitions/io.k8s.api.core.v1.PodSpec"
    );
    assert_eq!(
        published("io.k8s.apimachinery.pkg.api.resource.Quantity", Dialect::V2)["type"],
        "string"
    );
}

#[test]
fn every_type_has_words() {
    let mut texts = Descriptions::default();
    for s in k1s_core::schema::all() {
        assert!(
            schema(s, Dialect::V3, &mut texts)["description"].is_string(),
            "{}",
            s.name
        );
    }
}
