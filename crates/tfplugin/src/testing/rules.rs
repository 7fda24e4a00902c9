// SPDX-License-Identifier: Apache-2.0
//! What a host does with values between its calls, and what it refuses.

use serde_json::{Value as Json, json};

use super::outcome::Failure;
use crate::cty::{Type, Value};
use crate::schema::{Block, Nesting};

/// A value in a configuration that is known only after apply.
#[must_use]
pub fn unknown() -> Json {
    json!({"(known after apply)": true})
}

/// A configuration as the host sends it: all attributes, null where nothing was said.
pub(super) fn configured(json: &Json, of: &Type) -> Result<Value, Failure> {
    if *json == unknown() {
        return Ok(Value::Unknown);
    }
    Ok(match (json, of) {
        (Json::Object(given), Type::Object(attributes, _)) => {
            if let Some(name) = given.keys().find(|name| !attributes.contains_key(*name)) {
                return Err(Failure::host(format!(
                    "an argument named {name:?} is not expected here"
                )));
            }
            let mut object = std::collections::BTreeMap::new();
            for (name, of) in attributes {
                let given = given.get(name).unwrap_or(&Json::Null);
                object.insert(name.clone(), configured(given, of)?);
            }
            Value::Map(object)
        }
        (Json::Object(given), Type::Map(of)) => Value::Map(
            given
                .iter()
                .map(|(name, json)| Ok((name.clone(), configured(json, of)?)))
                .collect::<Result<_, Failure>>()?,
        ),
        (Json::Array(given), Type::List(of) | Type::Set(of)) => Value::List(
            given
                .iter()
                .map(|json| configured(json, of))
                .collect::<Result<_, _>>()?,
        ),
        _ => Value::from_json(json, of).map_err(|e| Failure::host(e.to_string()))?,
    })
}

/// What the host proposes: what is configured, and what was before where the provider decides.
pub(super) fn proposed(block: &Block, prior: &Value, config: &Value) -> Value {
    if config.as_map().is_none() {
        return config.clone();
    }
    let mut proposed = config.clone();
    for (name, attribute) in &block.attributes {
        if attribute.computed && config.attribute(name).is_null() {
            proposed.set(name, prior.attribute(name).clone());
        }
    }
    for (name, nested) in &block.blocks {
        let (before, now) = (prior.attribute(name), config.attribute(name));
        let inner = match (nested.nesting, now) {
            (Nesting::Single, now) => self::proposed(&nested.block, before, now),
            (Nesting::List, Value::List(items)) => {
                let before = before.as_list().unwrap_or_default();
                let one = |(i, now)| {
                    let before = before.get(i).unwrap_or(&Value::Null);
                    self::proposed(&nested.block, before, now)
                };
                Value::List(items.iter().enumerate().map(one).collect())
            }
            (Nesting::Map, Value::Map(items)) => {
                let one = |(name, now): (&String, &Value)| {
                    let before = before.attribute(name);
                    (name.clone(), self::proposed(&nested.block, before, now))
                };
                Value::Map(items.iter().map(one).collect())
            }
            // which element of a set was which before is not known
            (_, now) => now.clone(),
        };
        proposed.set(name, inner);
    }
    proposed
}

/// What is configured must be planned as it is, and the provider decides only where it says that it does.
pub(super) fn plan_is_valid(
    block: &Block,
    prior: &Value,
    config: &Value,
    planned: &Value,
) -> Result<(), Failure> {
    for (name, attribute) in &block.attributes {
        let of = attribute.value_type();
        let (prior, config, planned) = (
            prior.attribute(name),
            config.attribute(name),
            planned.attribute(name),
        );
        let wrong = |why: &str| {
            Err(Failure::host(format!(
                "inconsistent plan: {name} is planned as {planned:?}, configured as {config:?}: {why}"
            )))
        };
        if attribute.write_only {
            if !planned.is_null() {
                return wrong("write-only values are not planned");
            }
        } else if config.is_null() {
            if !attribute.computed && !planned.is_null() {
                return wrong("it is not computed");
            }
        } else if !crate::plan::same(&of, config, planned)
            && !crate::plan::same(&of, prior, planned)
        {
            return wrong("it is neither configured so nor was so before");
        }
    }
    for (name, nested) in &block.blocks {
        if nested.nesting == Nesting::Single {
            plan_is_valid(
                &nested.block,
                prior.attribute(name),
                config.attribute(name),
                planned.attribute(name),
            )?;
        }
    }
    Ok(())
}

/// What was planned and known must have come about.
pub(super) fn result_is_valid(
    block: &Block,
    planned: &Value,
    state: &Value,
) -> Result<(), Failure> {
    wholly_known(state)?;
    if planned.is_null() != state.is_null() {
        return Err(Failure::host(
            "inconsistent result: it is there where it should be gone, or the other way",
        ));
    }
    for (name, attribute) in &block.attributes {
        let (planned, state) = (planned.attribute(name), state.attribute(name));
        if attribute.write_only && !state.is_null() {
            return Err(Failure::host(format!("{name} is write-only and is stored")));
        }
        let open = !planned.is_wholly_known();
        if !open && !crate::plan::same(&attribute.value_type(), planned, state) {
            return Err(Failure::host(format!(
                "inconsistent result: {name} was planned as {planned:?} and is {state:?}"
            )));
        }
    }
    Ok(())
}

/// Nothing is unknown after the fact.
pub(super) fn wholly_known(state: &Value) -> Result<(), Failure> {
    if state.is_wholly_known() {
        return Ok(());
    }
    Err(Failure::host("a stored value is unknown"))
}
