// SPDX-License-Identifier: Apache-2.0
//! Keywords of a schema: which are taken, and with which others they go.

use serde_json::Value;

use super::{default, structural};
use crate::custom::pattern::Pattern;
use crate::field::{Errors, Fault, quote};
use crate::object::{at, is_true, list, text};

/// Schemas within schemas may be so deep.
const MOST_DEPTH: usize = 100;

/// The keywords that may stand at the root when `/status` is a subresource.
const AT_ROOT: [&str; 11] = [
    "description",
    "type",
    "format",
    "title",
    "maximum",
    "exclusiveMaximum",
    "minimum",
    "exclusiveMinimum",
    "properties",
    "required",
    "example",
];

/// Checks the schema of a version.
pub(super) fn check_root(schema: &Value, has_status: bool, path: &str, errors: &mut Errors) {
    if has_status
        && let Some(map) = schema.as_object()
        && let Some(key) = map.keys().find(|k| {
            !AT_ROOT.contains(&k.as_str())
                && !k.starts_with("x-kubernetes-")
                && !ALSO_AT_ROOT.contains(&k.as_str())
        })
    {
        errors.push(
            Fault::Invalid,
            path,
            format!(
                "Invalid value: {}: only a few fields are allowed at the root of the schema if the status subresource is enabled",
                quote(key)
            ),
        );
    }
    if is_true(schema, &["nullable"]) {
        errors.forbidden(
            format!("{path}.nullable"),
            "nullable cannot be true at the root",
        );
    }
    let mut found = Errors::new();
    let mut walk = Walk {
        errors: &mut found,
        broken: false,
    };
    walk.check(
        schema,
        path,
        Place {
            root: true,
            ..Place::default()
        },
        0,
    );
    let broken = walk.broken;
    if !broken {
        let mut own = Errors::new();
        structural::check(schema, path, &mut own);
        let right = own.is_empty();
        found.extend(own);
        if right {
            default::check(schema, path, &mut found);
        }
    }
    errors.extend(found);
}

/// What may stand at the root beside [`AT_ROOT`], for it does not concern the status.
const ALSO_AT_ROOT: [&str; 14] = [
    "pattern",
    "maxLength",
    "minLength",
    "maxItems",
    "minItems",
    "uniqueItems",
    "multipleOf",
    "enum",
    "maxProperties",
    "minProperties",
    "items",
    "externalDocs",
    "nullable",
    "default",
];

/// Where a schema stands.
#[derive(Clone, Copy, Default)]
struct Place {
    root: bool,
    /// In the metadata of the object or of an embedded resource.
    in_metadata: bool,
    /// Why there may be no default.
    no_default: Option<&'static str>,
}

struct Walk<'a> {
    errors: &'a mut Errors,
    /// Whether it is not even the beginning of a structural schema.
    broken: bool,
}

impl Walk<'_> {
    fn refuse(&mut self, path: &str, key: &str, why: &str) {
        self.errors.forbidden(format!("{path}.{key}"), why);
    }

    fn check(&mut self, schema: &Value, path: &str, place: Place, depth: usize) {
        if depth > MOST_DEPTH {
            self.errors.forbidden(path, "schemas are nested too deep");
            self.broken = true;
            return;
        }
        let kind = text(schema, &["type"]);
        if !kind.is_empty()
            && !["array", "boolean", "integer", "number", "object", "string"].contains(&kind)
        {
            self.errors.not_supported(
                format!("{path}.type"),
                &kind.into(),
                &["array", "boolean", "integer", "number", "object", "string"],
            );
        }
        self.standard(schema, kind, path, place);
        self.additional(schema, path, place, depth);
        for (name, property) in schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let own = ["metadata", "apiVersion", "kind"].contains(&name.as_str());
            let mut below = Place {
                root: false,
                ..place
            };
            if own && (place.root || is_true(schema, &["x-kubernetes-embedded-resource"])) {
                below.in_metadata = name == "metadata";
                if place.root {
                    below.no_default = Some(match name.as_str() {
                        "metadata" => "in top-level metadata",
                        "apiVersion" => "in top-level apiVersion",
                        _ => "in top-level kind",
                    });
                }
            }
            self.check(
                property,
                &format!("{path}.properties[{name}]"),
                below,
                depth + 1,
            );
        }
        let inner = Place {
            root: false,
            ..place
        };
        for key in ["allOf", "anyOf", "oneOf"] {
            for (i, one) in list(schema, &[key]).iter().enumerate() {
                self.check(one, &format!("{path}.{key}[{i}]"), inner, depth + 1);
            }
        }
        for key in ["not", "items"] {
            if let Some(one) = schema.get(key).filter(|s| s.is_object()) {
                self.check(one, &format!("{path}.{key}"), inner, depth + 1);
            }
        }
        self.pattern(schema, path);
        self.extensions(schema, kind, path);
    }

    /// Keywords that OpenAPI knows and that are not taken.
    fn standard(&mut self, schema: &Value, kind: &str, path: &str, place: Place) {
        if let (Some(why), Some(_)) = (
            place.no_default,
            schema.get("default").filter(|d| !d.is_null()),
        ) {
            self.refuse(path, "default", &format!("must not be set {why}"));
        }
        for key in [
            "id",
            "additionalItems",
            "patternProperties",
            "definitions",
            "dependencies",
            "$ref",
        ] {
            let given = schema.get(key).is_some_and(|v| {
                !crate::object::is_unset(Some(v)) || key == "additionalItems" && !v.is_null()
            });
            if given {
                self.broken = true;
                self.refuse(path, key, &format!("{key} is not supported"));
            }
        }
        if kind == "null" {
            self.refuse(
                path,
                "type",
                "type cannot be set to null, use nullable as an alternative",
            );
        }
        if schema.get("items").is_some_and(Value::is_array) {
            self.broken = true;
            self.refuse(
                path,
                "items",
                "items must be a schema object and not an array",
            );
        }
        if place.in_metadata && is_true(schema, &["x-kubernetes-embedded-resource"]) {
            self.refuse(
                path,
                "x-kubernetes-embedded-resource",
                "must not be used inside of resource meta",
            );
        }
        if is_true(schema, &["uniqueItems"]) {
            self.refuse(
                path,
                "uniqueItems",
                "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
            );
        }
    }

    fn additional(&mut self, schema: &Value, path: &str, place: Place, depth: usize) {
        let Some(additional) = schema.get("additionalProperties").filter(|a| !a.is_null()) else {
            return;
        };
        let has_properties = at(schema, &["properties"])
            .and_then(Value::as_object)
            .is_some_and(|p| !p.is_empty());
        if has_properties && additional != &Value::Bool(true) {
            self.refuse(
                path,
                "additionalProperties",
                "additionalProperties and properties are mutual exclusive",
            );
        }
        if additional.is_object() {
            let mut below = Place {
                root: false,
                ..place
            };
            if place.in_metadata {
                below.no_default = Some("inside additionalProperties applying to object metadata");
            }
            self.check(
                additional,
                &format!("{path}.additionalProperties"),
                below,
                depth + 1,
            );
        }
    }

    fn pattern(&mut self, schema: &Value, path: &str) {
        let pattern = text(schema, &["pattern"]);
        if let Err(why) = Pattern::parse(pattern) {
            let why = if why.contains("unclosed group") {
                format!("error parsing regexp: missing closing ): `{pattern}`")
            } else {
                format!("error parsing regexp: {why}: `{pattern}`")
            };
            self.errors.invalid_text(
                format!("{path}.pattern"),
                pattern,
                format!("must be a valid regular expression, but isn't: {why}"),
            );
        }
    }

    fn extensions(&mut self, schema: &Value, kind: &str, path: &str) {
        let errors = &mut *self.errors;
        if schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(false)) {
            errors.invalid(
                format!("{path}.x-kubernetes-preserve-unknown-fields"),
                &Value::Bool(false),
                "must be true or undefined",
            );
        }
        if !list(schema, &["x-kubernetes-validations"]).is_empty() {
            errors.forbidden(
                format!("{path}.x-kubernetes-validations"),
                "rules in CEL are not evaluated by this server; take them out to have the definition served without them",
            );
        }
        let mut wrong_type = |wanted: &str, because: &str| {
            let why = format!("must be {wanted} if {because} is specified");
            if kind.is_empty() {
                errors.required(format!("{path}.type"), &why);
            } else {
                errors.invalid_text(format!("{path}.type"), kind, why);
            }
        };
        let map_type = text(schema, &["x-kubernetes-map-type"]);
        if !map_type.is_empty() && kind != "object" {
            wrong_type("object", "x-kubernetes-map-type");
        }
        let list_type = text(schema, &["x-kubernetes-list-type"]);
        if !list_type.is_empty() && kind != "array" {
            wrong_type("array", "x-kubernetes-list-type");
        }
        if !matches!(map_type, "" | "atomic" | "granular") {
            errors.not_supported(
                format!("{path}.x-kubernetes-map-type"),
                &map_type.into(),
                &["atomic", "granular"],
            );
        }
        if kind == "array" || list_type.is_empty() {
            self.list_type(schema, list_type, path);
        }
    }

    fn list_type(&mut self, schema: &Value, list_type: &str, path: &str) {
        let errors = &mut *self.errors;
        let keys = list(schema, &["x-kubernetes-list-map-keys"]);
        if !matches!(list_type, "" | "atomic" | "set" | "map") {
            errors.not_supported(
                format!("{path}.x-kubernetes-list-type"),
                &list_type.into(),
                &["atomic", "set", "map"],
            );
            return;
        }
        if !keys.is_empty() && list_type != "map" {
            let why = "must be map if x-kubernetes-list-map-keys is non-empty";
            let at = format!("{path}.x-kubernetes-list-type");
            if list_type.is_empty() {
                errors.required(at, why);
            } else {
                errors.invalid_text(at, list_type, why);
            }
        }
        let items = schema.get("items").filter(|i| i.is_object());
        let item = items.unwrap_or(&Value::Null);
        let item_type = text(item, &["type"]);
        if matches!(list_type, "set" | "map") && is_true(item, &["nullable"]) {
            errors.forbidden(
                format!("{path}.items.nullable"),
                format!("cannot be nullable when x-kubernetes-list-type is {list_type}"),
            );
        }
        if list_type == "set" {
            const ATOMIC: &str = "must be atomic as item of a list with x-kubernetes-list-type=set";
            let (key, allowed): (_, &[&str]) = match item_type {
                "object" => ("x-kubernetes-map-type", &["atomic"]),
                "array" => ("x-kubernetes-list-type", &["atomic", ""]),
                _ => return,
            };
            let own = item.get(key).unwrap_or(&Value::Null);
            if !allowed.contains(&own.as_str().unwrap_or_default()) {
                errors.invalid(format!("{path}.items.{key}"), own, ATOMIC);
            }
        }
        if list_type != "map" {
            return;
        }
        if keys.is_empty() {
            errors.required(
                format!("{path}.x-kubernetes-list-map-keys"),
                "must not be empty if x-kubernetes-list-type is map",
            );
        }
        if items.is_none() {
            errors.required(
                format!("{path}.items"),
                "must have a schema if x-kubernetes-list-type is map",
            );
        } else if item_type != "object" {
            errors.invalid_text(
                format!("{path}.items.type"),
                item_type,
                "must be object if parent array's x-kubernetes-list-type is map",
            );
        } else {
            map_keys(item, keys, path, errors);
        }
    }
}

fn map_keys(item: &Value, keys: &[Value], path: &str, errors: &mut Errors) {
    let required = list(item, &["required"]);
    for (i, key) in keys.iter().enumerate() {
        let name = key.as_str().unwrap_or_default();
        let at = format!("{path}.x-kubernetes-list-map-keys");
        match item.get("properties").and_then(|p| p.get(name)) {
            None => errors.invalid(
                &at,
                &Value::from(keys),
                "entries must all be names of item properties",
            ),
            Some(property) => {
                let kind = text(property, &["type"]);
                let place = format!("{path}.items.properties[{name}]");
                if matches!(kind, "array" | "object") {
                    errors.invalid_text(
                        format!("{place}.type"),
                        kind,
                        "must be a scalar type if parent array's x-kubernetes-list-type is map",
                    );
                }
                let has_default = property.get("default").is_some_and(|d| !d.is_null());
                if !has_default && !required.contains(key) {
                    errors.required(
                        format!("{place}.default"),
                        "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
                    );
                }
            }
        }
        if keys[..i].contains(key) {
            errors.invalid(
                &at,
                &Value::from(keys),
                "must not contain duplicate entries",
            );
        }
    }
}
