// SPDX-License-Identifier: Apache-2.0
//! Reading and changing objects as `serde_json::Value`: paths of keys, and the metadata that all objects have.

use serde_json::{Map, Value};

/// The value at a path of keys, if there is one.
#[must_use]
pub fn at<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(value, |v, key| v.get(key))
}

/// The text at a path of keys; empty where there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

/// The list at a path of keys; empty where there is none.
#[must_use]
pub fn list<'a>(value: &'a Value, path: &[&str]) -> &'a [Value] {
    at(value, path)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The value at a path of keys, to change, if there is one.
pub fn at_mut<'a>(value: &'a mut Value, path: &[&str]) -> Option<&'a mut Value> {
    path.iter().try_fold(value, |v, key| v.get_mut(key))
}

/// The list at a path of keys, to change; empty where there is none.
pub fn list_mut<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut [Value] {
    at_mut(value, path)
        .and_then(Value::as_array_mut)
        .map_or(&mut [], Vec::as_mut_slice)
}

/// The whole number at a path of keys.
#[must_use]
pub fn int(value: &Value, path: &[&str]) -> Option<i64> {
    at(value, path).and_then(Value::as_i64)
}

/// Whether there is `true` at a path of keys.
#[must_use]
pub fn is_true(value: &Value, path: &[&str]) -> bool {
    at(value, path) == Some(&Value::Bool(true))
}

/// The map at a path of keys.
#[must_use]
pub fn map<'a>(value: &'a Value, path: &[&str]) -> Option<&'a Map<String, Value>> {
    at(value, path).and_then(Value::as_object)
}

/// Whether nothing is there that says something: absent, null, zero, empty.
#[must_use]
pub fn is_unset(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => true,
        Some(Value::String(s)) => s.is_empty(),
        Some(Value::Array(a)) => a.is_empty(),
        Some(Value::Object(o)) => o.is_empty(),
        Some(Value::Number(n)) => n.as_f64() == Some(0.0),
        Some(Value::Bool(true)) => false,
    }
}

/// The value as a map; what is no map becomes an empty one.
pub fn make_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was made a map"),
    }
}

/// The map at a path of keys, made where it is missing.
pub fn map_mut<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut here = value;
    for key in path {
        here = make_map(here).entry(*key).or_insert(Value::Null);
    }
    make_map(here)
}

/// Sets the value at a path of keys, making maps on the way.
///
/// # Panics
/// When the path is empty.
pub fn set(value: &mut Value, path: &[&str], to: impl Into<Value>) {
    let Some((last, parents)) = path.split_last() else {
        panic!("a path has at least one key")
    };
    map_mut(value, parents).insert((*last).to_owned(), to.into());
}

/// Takes out the value at a path of keys.
pub fn remove(value: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut here = value;
    for key in parents {
        here = here.get_mut(key)?;
    }
    here.as_object_mut()?.remove(*last)
}

/// Sets the value at a key of a map where [`is_unset`] holds of it.
pub fn default(map: &mut Map<String, Value>, key: &str, to: impl Into<Value>) {
    if is_unset(map.get(key)) {
        map.insert(key.to_owned(), to.into());
    }
}

/// Sets the value at a key of a map where there is none; zero, false and empty text count as given.
pub fn default_absent(map: &mut Map<String, Value>, key: &str, to: impl Into<Value>) {
    if matches!(map.get(key), None | Some(Value::Null)) {
        map.insert(key.to_owned(), to.into());
    }
}

/// `metadata.name`
#[must_use]
pub fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

/// `metadata.namespace`, empty where there is none.
#[must_use]
pub fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// `metadata.uid`
#[must_use]
pub fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// `metadata.resourceVersion`
#[must_use]
pub fn resource_version(object: &Value) -> &str {
    text(object, &["metadata", "resourceVersion"])
}

/// Whether `metadata.deletionTimestamp` is set.
#[must_use]
pub fn is_deleting(object: &Value) -> bool {
    at(object, &["metadata", "deletionTimestamp"]).is_some_and(|v| !v.is_null())
}

/// `metadata.finalizers`
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    list(object, &["metadata", "finalizers"])
        .iter()
        .filter_map(Value::as_str)
}

/// `metadata.labels[key]`
#[must_use]
pub fn label<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    at(object, &["metadata", "labels", key]).and_then(Value::as_str)
}

/// `metadata.annotations[key]`
#[must_use]
pub fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    at(object, &["metadata", "annotations", key]).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn set_makes_its_way() {
        let mut value = json!({"a": 1});
        set(&mut value, &["b", "c"], 2);
        set(&mut value, &["a", "x"], "y");
        assert_eq!(value, json!({"a": {"x": "y"}, "b": {"c": 2}}));
        assert_eq!(remove(&mut value, &["b", "c"]), Some(json!(2)));
        assert_eq!(remove(&mut value, &["n", "c"]), None);
        assert_eq!(int(&value, &["b", "c"]), None);
    }

    #[test]
    fn defaults_fill_what_is_unset() {
        let mut value = json!({"zero": 0, "empty": "", "set": "x"});
        let map = make_map(&mut value);
        default(map, "zero", 5);
        default(map, "empty", "e");
        default(map, "set", "y");
        default_absent(map, "new", false);
        assert_eq!(
            value,
            json!({"zero": 5, "empty": "e", "set": "x", "new": false})
        );
    }
}
