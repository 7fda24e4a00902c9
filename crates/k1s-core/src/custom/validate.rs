// SPDX-License-Identifier: Apache-2.0
//! Checks values against a structural schema, in the words of Kubernetes' validator.
//!
//! A value that is as it was before is not checked again, so that an object which was right under an earlier schema can still
//! be changed elsewhere (ratcheting).

use serde_json::{Number, Value};

use super::decode::key_of;
use super::format;
use super::structural::{Additional, Checks, List, Structural};
use crate::field::{Errors, Fault, quote, show};

/// What stands in front of all paths of a value that is checked: the value itself may be a part of an object.
pub(super) struct Checker<'a> {
    /// Path of the value in its object; empty for the object itself.
    pub(super) base: &'a str,
}

/// `path.key`, or the key alone.
pub(super) fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

impl Checker<'_> {
    fn field(&self, path: &str) -> String {
        match (self.base, path) {
            ("", path) => path.to_owned(),
            (base, "") => base.to_owned(),
            (base, path) => format!("{base}.{path}"),
        }
    }

    /// Checks a value; `old` is what stood in its place.
    pub(super) fn check(
        &self,
        schema: &Structural,
        value: &Value,
        old: Option<&Value>,
        path: &str,
        errors: &mut Errors,
    ) {
        if old.is_some_and(|old| old == value) {
            return;
        }
        let typed = self.check_type(schema, value, path, errors);
        let checks = &schema.checks;
        self.check_values(checks, value, path, errors);
        if value.is_null() || !typed {
            return;
        }
        match value {
            Value::String(text) => {
                self.check_text(checks, text, value, path, errors);
                self.check_format(checks, text, value, path, errors);
            }
            Value::Number(number) => self.check_number(checks, number, value, path, errors),
            Value::Array(items) => {
                self.check_count(
                    "items",
                    (checks.min_items, checks.max_items),
                    items.len(),
                    path,
                    errors,
                );
                if let Some(of) = &schema.items {
                    for (i, item) in items.iter().enumerate() {
                        let old = correlated(&schema.list, item, old);
                        self.check(of, item, old, &format!("{path}[{i}]"), errors);
                    }
                }
            }
            Value::Object(map) => {
                self.check_count(
                    "properties",
                    (checks.min_properties, checks.max_properties),
                    map.len(),
                    path,
                    errors,
                );
                for name in &checks.required {
                    if !map.contains_key(name) {
                        errors.required(self.field(&below(path, name)), "");
                    }
                }
                for (key, inner) in map {
                    let path = below(path, key);
                    match schema.property(key) {
                        Some(of) => {
                            let old = old.and_then(|old| old.get(key));
                            self.check(of, inner, old, &path, errors);
                        }
                        None if matches!(schema.additional, Some(Additional::Any(false))) => {
                            errors.push(
                                Fault::Invalid,
                                self.field(&path),
                                format!(
                                    "Invalid value: \"\": {path} in body is a forbidden property"
                                ),
                            );
                        }
                        None => {}
                    }
                }
            }
            Value::Bool(_) | Value::Null => {}
        }
        self.check_junctors(checks, value, old, path, errors);
    }

    /// Whether the value is of the type of the schema.
    fn check_type(
        &self,
        schema: &Structural,
        value: &Value,
        path: &str,
        errors: &mut Errors,
    ) -> bool {
        let found = type_name(value);
        let wanted = if schema.int_or_string {
            "integer,string"
        } else {
            schema.kind.as_str()
        };
        let fits = wanted.is_empty()
            || value.is_null() && schema.nullable
            || wanted.split(',').any(|w| w == found)
            || wanted == "number" && found == "integer";
        if !fits {
            errors.push(
                Fault::TypeInvalid,
                self.field(path),
                format!(
                    "Invalid value: {}: {path} in body must be of type {wanted}: {}",
                    quote(found),
                    quote(found)
                ),
            );
        }
        fits
    }

    fn check_values(&self, checks: &Checks, value: &Value, path: &str, errors: &mut Errors) {
        if checks.values.is_empty() || checks.values.iter().any(|v| same(v, value)) {
            return;
        }
        let all: Vec<String> = checks.values.iter().map(shown).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        errors.not_supported(self.field(path), value, &all);
    }

    /// Checks length and pattern; the first fault is told.
    fn check_text(
        &self,
        checks: &Checks,
        text: &str,
        value: &Value,
        path: &str,
        errors: &mut Errors,
    ) {
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(most) = checks.max_length.filter(|most| length > *most) {
            let unit = if most == 1 { "byte" } else { "bytes" };
            errors.push(
                Fault::TooLong,
                self.field(path),
                format!("Too long: may not be more than {most} {unit}"),
            );
            return;
        }
        if let Some(least) = checks.min_length.filter(|least| length < *least) {
            let why = format!("{path} in body should be at least {least} chars long");
            errors.invalid(self.field(path), value, why);
            return;
        }
        if let Some(pattern) = checks.pattern.as_ref().filter(|p| !p.matches(text)) {
            let why = format!("{path} in body should match '{}'", pattern.text);
            errors.invalid(self.field(path), value, why);
        }
    }

    fn check_format(
        &self,
        checks: &Checks,
        text: &str,
        value: &Value,
        path: &str,
        errors: &mut Errors,
    ) {
        if !format::is_valid(&checks.format, text) {
            errors.push(
                Fault::TypeInvalid,
                self.field(path),
                format!(
                    "Invalid value: {}: {path} in body must be of type {}: {}",
                    show(value),
                    checks.format,
                    show(value)
                ),
            );
        }
    }

    fn check_number(
        &self,
        checks: &Checks,
        number: &Number,
        value: &Value,
        path: &str,
        errors: &mut Errors,
    ) {
        let mut refuse = |why: String| errors.invalid(self.field(path), value, why);
        if let Some(most) = &checks.maximum {
            let order = compare(number, most);
            if checks.exclusive_maximum && order.is_ge() {
                refuse(format!(
                    "{path} in body should be less than {}",
                    plain(most)
                ));
            } else if order.is_gt() {
                refuse(format!(
                    "{path} in body should be less than or equal to {}",
                    plain(most)
                ));
            }
        }
        if let Some(least) = &checks.minimum {
            let order = compare(number, least);
            if checks.exclusive_minimum && order.is_le() {
                refuse(format!(
                    "{path} in body should be greater than {}",
                    plain(least)
                ));
            } else if order.is_lt() {
                refuse(format!(
                    "{path} in body should be greater than or equal to {}",
                    plain(least)
                ));
            }
        }
        if let Some(factor) = checks
            .multiple_of
            .as_ref()
            .filter(|f| !is_multiple(number, f))
        {
            refuse(format!(
                "{path} in body should be a multiple of {}",
                plain(factor)
            ));
        }
    }

    fn check_count(
        &self,
        what: &str,
        (least, most): (Option<i64>, Option<i64>),
        count: usize,
        path: &str,
        errors: &mut Errors,
    ) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(most) = most.filter(|most| count > *most) {
            errors.push(
                Fault::TooMany,
                self.field(path),
                format!("Too many: {count}: must have at most {most} items"),
            );
        }
        if let Some(least) = least.filter(|least| count < *least) {
            let why = format!("{path} in body should have at least {least} {what}");
            errors.invalid(self.field(path), &count.into(), why);
        }
    }

    fn check_junctors(
        &self,
        checks: &Checks,
        value: &Value,
        old: Option<&Value>,
        path: &str,
        errors: &mut Errors,
    ) {
        let of = |schema: &Structural| {
            let mut errors = Errors::new();
            self.check(schema, value, old, path, &mut errors);
            errors
        };
        let told = |errors: &mut Errors, words: String| {
            errors.push(
                Fault::Invalid,
                "<nil>",
                format!("Invalid value: \"\": {} {words}", quote(path)),
            );
        };
        if !checks.any_of.is_empty() {
            let mut all: Vec<Errors> = checks.any_of.iter().map(of).collect();
            if !all.iter().any(Errors::is_empty) {
                told(errors, "must validate at least one schema (anyOf)".into());
                errors.extend(all.swap_remove(0));
            }
        }
        if !checks.one_of.is_empty() {
            let mut all: Vec<Errors> = checks.one_of.iter().map(of).collect();
            match all.iter().filter(|e| e.is_empty()).count() {
                1 => {}
                0 => {
                    told(
                        errors,
                        "must validate one and only one schema (oneOf). Found none valid".into(),
                    );
                    errors.extend(all.swap_remove(0));
                }
                n => told(
                    errors,
                    format!(
                        "must validate one and only one schema (oneOf). Found {n} valid alternatives"
                    ),
                ),
            }
        }
        let failed: Vec<Errors> = checks
            .all_of
            .iter()
            .map(of)
            .filter(|e| !e.is_empty())
            .collect();
        if !failed.is_empty() {
            failed.into_iter().for_each(|e| errors.extend(e));
            told(errors, "must validate all the schemas (allOf)".into());
        }
        if let Some(not) = &checks.not
            && of(not).is_empty()
        {
            told(errors, "must not validate the schema (not)".into());
        }
    }
}

/// What an element of a list was before: known only where elements have keys.
fn correlated<'a>(list: &List, item: &Value, old: Option<&'a Value>) -> Option<&'a Value> {
    if !matches!(list, List::Map(_)) {
        return None;
    }
    let key = key_of(list, item);
    old?.as_array()?.iter().find(|o| key_of(list, o) == key)
}

/// Whether a number has no fraction and fits 64 bits.
fn is_whole(number: &Number) -> bool {
    number.is_i64()
        || number
            .as_f64()
            .is_some_and(|f| !number.is_u64() && f.fract() == 0.0 && f.abs() < 9.2e18)
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if is_whole(n) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A bound without the fraction that it does not have.
fn plain(number: &Number) -> String {
    match number.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is whole and far below the limit of 64 bits"
        )]
        Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => (whole as i64).to_string(),
        _ => number.to_string(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Whether two values are the same, numbers by their size.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => compare(a, b).is_eq(),
        _ => a == b,
    }
}

fn compare(a: &Number, b: &Number) -> std::cmp::Ordering {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a
            .as_f64()
            .unwrap_or(f64::NAN)
            .total_cmp(&b.as_f64().unwrap_or(f64::NAN)),
    }
}

fn is_multiple(number: &Number, factor: &Number) -> bool {
    match (number.as_i64(), factor.as_i64()) {
        (Some(n), Some(f)) if f != 0 => n % f == 0,
        _ => {
            let quotient =
                number.as_f64().unwrap_or(f64::NAN) / factor.as_f64().unwrap_or(f64::NAN);
            (quotient - quotient.round()).abs() < 1e-9
        }
    }
}
