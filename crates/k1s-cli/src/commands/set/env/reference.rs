// SPDX-License-Identifier: Apache-2.0
//! Where a variable's value comes from: in words, and what it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k1s_core::object::text;
use k1s_core::quantity::Quantity;
use k1s_core::quote::Quoted;
use serde_json::Value;

use crate::client::{Call, escape};
use crate::context::Context;

/// `secret login, key password`.
pub(super) fn words(from: &Value) -> String {
    let part = |of: &str, key: &str| text(from, &[of, key]).to_owned();
    for (of, word) in [("configMapKeyRef", "configmap"), ("secretKeyRef", "secret")] {
        if from[of].is_object() {
            return format!("{word} {}, key {}", part(of, "name"), part(of, "key"));
        }
    }
    if from["fieldRef"].is_object() {
        return format!("field path {}", part("fieldRef", "fieldPath"));
    }
    if from["resourceFieldRef"].is_object() {
        let container = match part("resourceFieldRef", "containerName") {
            name if name.is_empty() => name,
            name => format!("{name}/"),
        };
        return format!(
            "resource field {container}{}",
            part("resourceFieldRef", "resource")
        );
    }
    "invalid valueFrom".to_owned()
}

/// What a reference leads to, in a namespace, an object and a container; or why nowhere.
pub(super) async fn value(
    cx: &Context,
    from: &Value,
    (namespace, object, container): (&str, &Value, &Value),
) -> Result<String, String> {
    for (of, plural, word) in [
        ("secretKeyRef", "secrets", "secret"),
        ("configMapKeyRef", "configmaps", "config map"),
    ] {
        if !from[of].is_object() {
            continue;
        }
        let (name, key) = (text(from, &[of, "name"]), text(from, &[of, "key"]));
        let path = format!(
            "/api/v1/namespaces/{}/{plural}/{}",
            escape(namespace),
            escape(name)
        );
        let there = cx.json(&Call::get(path)).await.map_err(|e| e.to_string())?;
        let Some(value) = there["data"][key].as_str() else {
            return Err(format!("key {key} not found in {word} {name}"));
        };
        if of == "configMapKeyRef" {
            return Ok(value.to_owned());
        }
        let bytes = STANDARD.decode(value).map_err(|e| e.to_string())?;
        return Ok(String::from_utf8_lossy(&bytes).into_owned());
    }
    if from["fieldRef"].is_object() {
        return field(object, text(from, &["fieldRef", "fieldPath"]));
    }
    if from["resourceFieldRef"].is_object() {
        return amount(container, &from["resourceFieldRef"]);
    }
    Err("invalid valueFrom".to_owned())
}

/// A field of the object itself.
fn field(object: &Value, path: &str) -> Result<String, String> {
    let metadata = &object["metadata"];
    if let Some((map, key)) = path.strip_suffix("']").and_then(|p| p.split_once("['")) {
        return match map {
            "metadata.annotations" => Ok(text(metadata, &["annotations", key]).to_owned()),
            "metadata.labels" => Ok(text(metadata, &["labels", key]).to_owned()),
            _ => Err(format!(
                "fieldPath {} does not support subscript",
                Quoted(path)
            )),
        };
    }
    match path.strip_prefix("metadata.") {
        Some(map @ ("annotations" | "labels")) => {
            let lines: Vec<String> = metadata[map]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| format!("{key}={}", Quoted(value.as_str().unwrap_or_default())))
                .collect();
            Ok(lines.join("\n"))
        }
        Some(key @ ("name" | "namespace" | "uid")) => Ok(text(metadata, &[key]).to_owned()),
        _ => Err(format!("unsupported fieldPath: {path}")),
    }
}

/// What the container may use or asks for, in units of the divisor, rounded up.
fn amount(container: &Value, of: &Value) -> Result<String, String> {
    let resource = text(of, &["resource"]);
    let known = ["cpu", "memory", "ephemeral-storage"];
    let (list, name) = resource
        .split_once('.')
        .filter(|(list, name)| {
            ["limits", "requests"].contains(list)
                && (known.contains(name) || name.starts_with("hugepages-"))
        })
        .ok_or_else(|| format!("Unsupported container resource : {resource}"))?;
    let milli = |text: &str, default: &str| -> Result<i64, String> {
        let text = if text.is_empty() { default } else { text };
        let quantity = Quantity::parse(text).map_err(|e| e.to_string())?;
        Ok(quantity.milli_value())
    };
    let there = milli(text(container, &["resources", list, name]), "0")?;
    let divisor = match milli(text(of, &["divisor"]), "1")? {
        0 => 1000,
        divisor => divisor,
    };
    let whole = there / divisor;
    Ok((whole + i64::from(there % divisor > 0)).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_in_words() {
        let check = |from: Value, wanted: &str| assert_eq!(words(&from), wanted);
        check(
            json!({"secretKeyRef": {"name": "s", "key": "k"}}),
            "secret s, key k",
        );
        check(
            json!({"configMapKeyRef": {"name": "c", "key": "k"}}),
            "configmap c, key k",
        );
        check(
            json!({"fieldRef": {"fieldPath": "metadata.name"}}),
            "field path metadata.name",
        );
        check(
            json!({"resourceFieldRef": {"containerName": "c", "resource": "limits.cpu"}}),
            "resource field c/limits.cpu",
        );
        check(json!({}), "invalid valueFrom");
    }

    #[test]
    fn fields_and_amounts() {
        let object = json!({"metadata": {"name": "p", "labels": {"a": "b"}}});
        assert_eq!(field(&object, "metadata.name").unwrap(), "p");
        assert_eq!(field(&object, "metadata.labels['a']").unwrap(), "b");
        assert_eq!(field(&object, "metadata.labels").unwrap(), "a=\"b\"");
        assert!(field(&object, "spec.nodeName").is_err());
        let container = json!({"resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}}});
        let check = |of: Value, wanted: &str| assert_eq!(amount(&container, &of).unwrap(), wanted);
        check(json!({"resource": "limits.cpu"}), "2");
        check(json!({"resource": "limits.cpu", "divisor": "1m"}), "1500");
        check(
            json!({"resource": "limits.memory", "divisor": "1Mi"}),
            "1024",
        );
        check(json!({"resource": "requests.cpu"}), "0");
    }
}
