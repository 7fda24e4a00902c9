// SPDX-License-Identifier: Apache-2.0
//! `--sort-by`: objects in the order of a field.

use k1s_core::jsonpath::{JsonPath, relaxed};
use k1s_core::quantity::Quantity;
use k1s_core::quote::Quoted;
use serde_json::Value;

use super::Got;
use crate::error::{Error, Result};

/// Sorts whole objects; one alone is in order, whatever the path.
pub(super) fn sort_objects(path: &str, got: &mut [Got]) -> Result {
    if got.len() < 2 {
        return Ok(());
    }
    let path = Path::new(path)?;
    let mut keyed = Vec::new();
    for g in got.iter() {
        keyed.push(path.of(&g.value)?);
    }
    let order = path.order(&keyed, "*unstructured.Unstructured")?;
    rearrange(got, &order);
    Ok(())
}

/// Sorts tables as kubectl does: several of them by what the path finds in the tables themselves, and then the rows of each. A table
/// in whose rows the path finds nothing is left out.
pub(super) fn sort_tables(path: &str, got: &mut Vec<Got>) -> Result {
    sort_objects(path, got)?;
    let Ok(path) = Path::new(path) else {
        got.retain(|g| g.value["rows"].as_array().is_none_or(|rows| rows.len() < 2));
        return Ok(());
    };
    let mut sorted = Vec::new();
    for mut g in got.drain(..) {
        let outcome = match g.value["rows"].as_array_mut() {
            Some(rows) if rows.len() > 1 => sort_rows(&path, rows),
            _ => Ok(()),
        };
        match outcome {
            Ok(()) => sorted.push(g),
            Err(Error::Message(_)) => {}
            Err(other) => return Err(other),
        }
    }
    *got = sorted;
    Ok(())
}

fn sort_rows(path: &Path, rows: &mut [Value]) -> Result {
    let mut keyed = Vec::new();
    for row in rows.iter() {
        keyed.push(path.of(&row["object"])?);
    }
    let order = path.order(&keyed, "[][][]reflect.Value")?;
    rearrange(rows, &order);
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

    /// The places of the keys in their order; objects without the field come first. `holder` is what kubectl names as the thing that
    /// cannot be sorted.
    fn order(&self, keys: &[Option<Value>], holder: &str) -> Result<Vec<usize>> {
        if keys.iter().all(Option::is_none) && !keys.is_empty() {
            return Err(Error::message(format!(
                "couldn't find any field with path {} in the list of objects",
                Quoted(&self.text)
            )));
        }
        let less = |a: usize, b: usize| {
            less(keys[a].as_ref(), keys[b].as_ref()).map_err(|why| {
                Error::Text(format!(
                    "Field {} in {holder} is an unsortable type: interface, err: {why}",
                    self.text
                ))
            })
        };
        let mut order: Vec<usize> = (0..keys.len()).collect();
        sort(&mut order, &less)?;
        Ok(order)
    }
}

/// Rows up to this many are sorted by insertion, as Go does: where the order contradicts itself, as it does among objects without the
/// field, it shows.
const INSERTION: usize = 12;

fn sort(order: &mut Vec<usize>, less: &impl Fn(usize, usize) -> Result<bool>) -> Result {
    if order.len() <= INSERTION {
        for i in 1..order.len() {
            let mut j = i;
            while j > 0 && less(order[j], order[j - 1])? {
                order.swap(j, j - 1);
                j -= 1;
            }
        }
        return Ok(());
    }
    let mut right = order.split_off(order.len() / 2);
    sort(order, less)?;
    sort(&mut right, less)?;
    let left = std::mem::take(order);
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(l), Some(r)) = (left.peek(), right.peek()) {
        let next = if less(*r, *l)? {
            right.next()
        } else {
            left.next()
        };
        order.extend(next);
    }
    order.extend(left.chain(right));
    Ok(())
}

/// Whether one value goes before the other; what is missing goes before everything.
fn less(a: Option<&Value>, b: Option<&Value>) -> std::result::Result<bool, String> {
    let (a, b) = match (a, b) {
        (None, _) => return Ok(true),
        (_, None) => return Ok(false),
        (Some(a), Some(b)) => (a, b),
    };
    match (a, b) {
        (Value::Null, b) => Ok(!b.is_null()),
        (_, Value::Null) => Ok(false),
        (Value::Bool(_), _) => Err("unsortable type: bool".to_owned()),
        (Value::Object(_), _) => Err("unsortable type: map[string]interface {}".to_owned()),
        (Value::Array(_), _) => Err("unsortable type: []interface {}".to_owned()),
        (Value::String(a), Value::String(b)) => Ok(less_text(a, b)),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Ok(a < b),
            _ => Ok(a.as_f64() < b.as_f64()),
        },
        _ => Err("unsortable interface: interface".to_owned()),
    }
}

/// Quantities as quantities where both are.
fn less_text(a: &str, b: &str) -> bool {
    match (Quantity::parse(a), Quantity::parse(b)) {
        (Ok(a), Ok(b)) => a < b,
        _ => a < b,
    }
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
                less(Some(&small), Some(&large)),
                Ok(true),
                "{small} {large}"
            );
            assert_eq!(
                less(Some(&large), Some(&small)),
                Ok(false),
                "{large} {small}"
            );
        };
        check(json!("9"), json!("10"));
        check(json!("a10"), json!("a9"));
        check(json!("1Gi"), json!("2Gi"));
        check(json!("2Mi"), json!("1Gi"));
        check(json!(1), json!(2));
        check(json!(1), json!(1.5));
        check(json!("2026-01-01T00:00:00Z"), json!("2026-01-02T00:00:00Z"));
        check(json!(null), json!(1));
        assert_eq!(less(None, Some(&json!(""))), Ok(true));
        assert_eq!(
            less(Some(&json!(true)), Some(&json!(false))),
            Err("unsortable type: bool".to_owned())
        );
        assert!(less(Some(&json!("a")), Some(&json!(1))).is_err());
    }

    #[test]
    fn what_lacks_the_field_stands_before_the_rest_and_turned_around() {
        let path = Path::new(".k").unwrap();
        let order = |keys: &[Option<Value>]| path.order(keys, "").unwrap();
        assert_eq!(order(&[None, None, Some(json!("y"))]), [1, 0, 2]);
        assert_eq!(
            order(&[Some(json!("b")), None, Some(json!("a"))]),
            [1, 2, 0]
        );
        let many: Vec<Option<Value>> = (0..40).map(|n| Some(json!(n * 7 % 40))).collect();
        let sorted = order(&many);
        assert!(
            sorted
                .windows(2)
                .all(|w| many[w[0]].as_ref().unwrap().as_i64()
                    < many[w[1]].as_ref().unwrap().as_i64())
        );
    }

    #[test]
    fn places() {
        let mut items = ["a", "b", "c", "d"];
        rearrange(&mut items, &[2, 0, 3, 1]);
        assert_eq!(items, ["c", "a", "d", "b"]);
    }
}
