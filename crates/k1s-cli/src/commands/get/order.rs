// SPDX-License-Identifier: Apache-2.0
//! `--sort-by`: objects in the order of a field.

use std::cmp::Ordering;

use k1s_core::jsonpath::{JsonPath, relaxed};
use k1s_core::quote::Quoted;
use serde_json::Value;

use super::Got;
use crate::error::{Error, Result};

/// Sorts whole objects.
pub(super) fn sort_objects(path: &str, got: &mut [Got]) -> Result {
    let path = Path::new(path)?;
    let mut keyed = Vec::new();
    for g in got.iter() {
        keyed.push(path.of(&g.value)?);
    }
    let order = path.order(keyed)?;
    rearrange(got, &order);
    Ok(())
}

/// Sorts the rows of tables, all of a kind together.
pub(super) fn sort_tables(path: &str, got: &mut Vec<Got>) -> Result {
    let path = Path::new(path)?;
    // The pages of a list are one table.
    let mut merged: Vec<Got> = Vec::new();
    for g in got.drain(..) {
        match merged.last_mut() {
            Some(last) if last.resource == g.resource && g.value["rows"].is_array() => {
                if let (Some(into), Some(rows)) = (
                    last.value["rows"].as_array_mut(),
                    g.value["rows"].as_array(),
                ) {
                    into.extend(rows.iter().cloned());
                }
            }
            _ => merged.push(g),
        }
    }
    for g in &mut merged {
        let Some(rows) = g.value["rows"].as_array_mut().filter(|r| !r.is_empty()) else {
            continue;
        };
        let mut keyed = Vec::new();
        for row in rows.iter() {
            keyed.push(path.of(&row["object"])?);
        }
        let order = path.order(keyed)?;
        rearrange(rows, &order);
    }
    *got = merged;
    Ok(())
}

struct Path {
    text: String,
    path: JsonPath,
}

impl Path {
    fn new(text: &str) -> Result<Self> {
        let text = relaxed(text).map_err(|e| Error::message(e.to_string()))?;
        let path = JsonPath::parse(&text).map_err(|e| Error::message(e.to_string()))?;
        Ok(Self {
            text,
            path: path.allow_missing_keys(true),
        })
    }

    /// The field of an object, if it has it.
    fn of(&self, object: &Value) -> Result<Option<Value>> {
        let found = self
            .path
            .values(object)
            .map_err(|e| Error::message(e.to_string()))?;
        Ok(found.into_iter().flatten().next().map(|v| v.into_owned()))
    }

    /// The places of the keys in their order; objects without the field come first.
    fn order(&self, keys: Vec<Option<Value>>) -> Result<Vec<usize>> {
        if keys.iter().all(Option::is_none) && !keys.is_empty() {
            return Err(Error::message(format!(
                "couldn't find any field with path {} in the list of objects",
                Quoted(&self.text)
            )));
        }
        if keys.len() > 1
            && let Some(kind) = keys.iter().flatten().find_map(unsortable)
        {
            return Err(Error::Text(format!(
                "Field {} in [][][]reflect.Value is an unsortable type: interface, err: unsortable type: {kind}",
                self.text
            )));
        }
        let mut order: Vec<usize> = (0..keys.len()).collect();
        order.sort_by(|a, b| compare(keys[*a].as_ref(), keys[*b].as_ref()));
        Ok(order)
    }
}

fn unsortable(value: &Value) -> Option<&'static str> {
    match value {
        Value::Object(_) => Some("map[string]interface {}"),
        Value::Array(_) => Some("[]interface {}"),
        _ => None,
    }
}

fn compare(a: Option<&Value>, b: Option<&Value>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(Value::String(a)), Some(Value::String(b))) => compare_text(a, b),
        (Some(Value::Bool(a)), Some(Value::Bool(b))) => a.cmp(b),
        (Some(a), Some(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a
                .as_f64()
                .zip(b.as_f64())
                .and_then(|(a, b)| a.partial_cmp(&b))
                .unwrap_or_else(|| rank(a).cmp(&rank(b))),
        },
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

/// Times as times and quantities as quantities where both are, else with numbers inside the text as numbers.
fn compare_text(a: &str, b: &str) -> Ordering {
    if let (Ok(a), Ok(b)) = (k1s_core::time::parse_time(a), k1s_core::time::parse_time(b)) {
        return a.cmp(&b);
    }
    if let (Ok(a), Ok(b)) = (
        a.parse::<k1s_core::quantity::Quantity>(),
        b.parse::<k1s_core::quantity::Quantity>(),
    ) {
        return a.cmp(&b);
    }
    natural(a.as_bytes(), b.as_bytes())
}

fn natural(mut a: &[u8], mut b: &[u8]) -> Ordering {
    while let (Some(x), Some(y)) = (a.first(), b.first()) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (na, ra) = digits(a);
            let (nb, rb) = digits(b);
            let order = na.len().cmp(&nb.len()).then_with(|| na.cmp(nb));
            if order != Ordering::Equal {
                return order;
            }
            (a, b) = (ra, rb);
        } else if x == y {
            (a, b) = (&a[1..], &b[1..]);
        } else {
            return x.cmp(y);
        }
    }
    a.len().cmp(&b.len())
}

/// A number's digits without zeros before them, and what follows.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let zeros = text[..end].iter().take_while(|b| **b == b'0').count();
    (&text[zeros..end], &text[end..])
}

fn rearrange<T>(items: &mut [T], order: &[usize]) {
    let mut place = vec![0; order.len()];
    for (to, from) in order.iter().enumerate() {
        place[*from] = to;
    }
    for i in 0..place.len() {
        while place[i] != i {
            let to = place[i];
            items.swap(i, to);
            place.swap(i, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_in_order() {
        let check = |small: Value, large: Value| {
            assert_eq!(
                compare(Some(&small), Some(&large)),
                Ordering::Less,
                "{small} {large}"
            );
            assert_eq!(
                compare(Some(&large), Some(&small)),
                Ordering::Greater,
                "{small} {large}"
            );
        };
        check(json!("9"), json!("10"));
        check(json!("a9"), json!("a10"));
        check(json!("1Gi"), json!("2Gi"));
        check(json!("2Mi"), json!("1Gi"));
        check(json!(1), json!(2));
        check(json!(1), json!(1.5));
        check(json!(false), json!(true));
        check(json!("2026-01-01T00:00:00Z"), json!("2026-01-02T00:00:00Z"));
        assert_eq!(compare(None, Some(&json!(""))), Ordering::Less);
    }

    #[test]
    fn places() {
        let mut items = ["a", "b", "c", "d"];
        rearrange(&mut items, &[2, 0, 3, 1]);
        assert_eq!(items, ["c", "a", "d", "b"]);
    }
}
