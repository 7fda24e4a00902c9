// SPDX-License-Identifier: Apache-2.0
//! Documents in files: YAML or JSON, one or several.

use serde_json::Value;

/// One YAML (or JSON) document as a value; an empty one is null.
pub(crate) fn yaml(bytes: &[u8]) -> Result<Value, String> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| "yaml: invalid Unicode character".to_owned())?;
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_saphyr::from_str(text).map_err(|e| format!("yaml: {e}"))
}

/// A value as one YAML document.
pub(crate) fn print_yaml(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}
