// SPDX-License-Identifier: Apache-2.0
//! Attributes that several schemas have, and how they are read.

use std::time::Duration;

use tfplugin::{Attribute, Block, Identity, Import, NestedBlock, Type, Value, validator};
use turingpi_bmc::Slot;

/// The longest that anything is waited for, in seconds: a day.
pub(crate) const LONGEST: i64 = 86_400;

/// The slot.
pub(crate) fn node() -> Attribute {
    Attribute::required(Type::Number)
        .describe("Slot of the module, 1 to 4, as printed on the board.")
        .check(validator::between(1, 4))
}

/// The ID of the state.
pub(crate) fn id(form: &str) -> Attribute {
    Attribute::computed(Type::String)
        .describe(&format!("`{form}`."))
        .keeps()
}

/// What makes it happen again.
pub(crate) fn triggers() -> Attribute {
    Attribute::optional(Type::map(Type::String))
        .describe("Any values; a change of one makes it happen again.")
}

/// A moment that is set when it happens.
pub(crate) fn moment(what: &str) -> Attribute {
    Attribute::computed(Type::String).describe(&format!("When {what}, RFC 3339."))
}

/// The `timeouts` block, with the name of each operation and its usual limit.
pub(crate) fn timeouts(operations: &[(&str, &str)]) -> NestedBlock {
    let duration = validator::matches(
        "([0-9]+(\\.[0-9]+)?(ms|s|m|h))+",
        "a duration such as 90s, 30m or 1h30m",
    );
    let block = operations.iter().fold(
        Block::new("How long operations may take."),
        |block, (name, usual)| {
            let text = format!("How long it may take to {name} it; {usual} if not set.");
            let attribute = Attribute::optional(Type::String)
                .describe(&text)
                .check(duration.clone());
            block.attribute(name, attribute)
        },
    );
    NestedBlock::single(block)
}

/// The limit of an operation.
pub(crate) fn timeout(value: &Value, operation: &str, usual: Duration) -> Duration {
    value
        .attribute("timeouts")
        .attribute(operation)
        .as_str()
        .and_then(duration)
        .unwrap_or(usual)
}

/// Reads `1h30m`, `90s`, `1.5h`.
fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, length) = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        total = total.checked_add(Duration::try_from_secs_f64(number * length).ok()?)?;
    }
    Some(total)
}

/// The slot of a value that passed its schema.
pub(crate) fn slot(value: &Value) -> Option<Slot> {
    Slot::new(value.attribute("node").as_i64()?).ok()
}

/// An identity that is the slot alone.
pub(crate) fn slot_identity() -> Identity {
    Identity {
        version: 0,
        attributes: vec![("node", Type::Number, true, "Slot of the module, 1 to 4.")],
    }
}

/// The slot identity of a state.
pub(crate) fn slot_identity_of(state: &Value) -> Value {
    match state.attribute("node") {
        Value::Number(n) => Value::object([("node", Value::Number(n.clone()))]),
        _ => Value::Null,
    }
}

/// The slot of an import: by identity, by number, or by a state's ID such as `power-node-3`.
pub(crate) fn imported_slot(import: &mut Import, prefixes: &[&str]) -> Option<Slot> {
    if let Some(number) = import.identity.attribute("node").as_i64() {
        return Slot::new(number)
            .map_err(|e| import.diagnostics.error("No such slot", format!("{e}.")))
            .ok();
    }
    let id = import.id.trim();
    let number = prefixes.iter().find_map(|prefix| id.strip_prefix(prefix));
    match number.unwrap_or(id).parse() {
        Ok(slot) => Some(slot),
        Err(_) => {
            import.diagnostics.error(
                "No such slot",
                format!("{id:?} is no ID for this resource: give the slot, 1 to 4, or an ID such as {}1.", prefixes[0]),
            );
            None
        }
    }
}

/// A slot as a value.
pub(crate) fn number(slot: Slot) -> Value {
    Value::from(i64::from(slot.number()))
}

/// Now, RFC 3339.
pub(crate) fn now() -> String {
    jiff::Timestamp::now()
        .round(jiff::Unit::Second)
        .map_or_else(
            |_| jiff::Timestamp::now().to_string(),
            |now| now.to_string(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, seconds: Option<f64>| {
            assert_eq!(duration(text).map(|d| d.as_secs_f64()), seconds, "{text}");
        };
        check("90s", Some(90.0));
        check("1h30m", Some(5400.0));
        check("1.5h", Some(5400.0));
        check("250ms", Some(0.25));
        check("5", None);
        check("m", None);
        check("5x", None);
    }
}
