// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::schema::NestedBlock;

fn block() -> Block {
    Block::new("")
        .attribute("slot", Attribute::required(Type::Number).replaces())
        .attribute("on", Attribute::optional(Type::Bool).default(true))
        .attribute("id", Attribute::computed(Type::String).keeps())
        .attribute("seen", Attribute::computed(Type::String))
        .attribute("note", Attribute::optional(Type::String))
        .attribute("secret", Attribute::optional(Type::String).write_only())
        .attribute("tags", Attribute::optional(Type::set(Type::String)))
        .block(
            "timeouts",
            NestedBlock::single(
                Block::new("")
                    .attribute("create", Attribute::optional(Type::String).default("30m")),
            ),
        )
}

fn object(attributes: &[(&str, Value)]) -> Value {
    let mut all = Value::object(
        [
            "slot", "on", "id", "seen", "note", "secret", "tags", "timeouts",
        ]
        .map(|n| (n, Value::Null)),
    );
    for (name, value) in attributes {
        all.set(name, value.clone());
    }
    all
}

fn stored() -> Value {
    object(&[
        ("slot", 1.into()),
        ("on", true.into()),
        ("id", "a".into()),
        ("seen", "x".into()),
        ("tags", vec!["p", "q"].into()),
    ])
}

#[test]
fn a_creation_has_defaults_and_unknowns() {
    let config = object(&[("slot", 1.into()), ("secret", "s".into())]);
    let planned = plan(&block(), &Value::Null, config.clone(), &config);
    let expected = object(&[
        ("slot", 1.into()),
        ("on", true.into()),
        ("id", Value::Unknown),
        ("seen", Value::Unknown),
    ]);
    assert_eq!(planned.state, expected);
    assert!(planned.requires_replace.is_empty());
}

#[test]
fn nothing_changes_where_nothing_is_asked() {
    let config = object(&[("slot", 1.into()), ("tags", vec!["q", "p"].into())]);
    let mut proposed = stored();
    proposed.set("tags", vec!["q", "p"]);
    let planned = plan(&block(), &stored(), proposed.clone(), &config);
    assert_eq!(planned.state, proposed);
    assert!(planned.requires_replace.is_empty());
}

#[test]
fn an_update_keeps_what_keeps() {
    let config = object(&[("slot", 1.into()), ("note", "n".into())]);
    let mut proposed = stored();
    proposed.set("note", "n");
    let planned = plan(&block(), &stored(), proposed.clone(), &config);
    proposed.set("seen", Value::Unknown);
    assert_eq!(planned.state, proposed);
}

#[test]
fn a_removed_setting_falls_back_to_its_default() {
    let config = object(&[("slot", 1.into())]);
    let mut prior = stored();
    prior.set("on", false);
    let planned = plan(&block(), &prior, prior.clone(), &config);
    assert_eq!(planned.state.attribute("on"), &Value::from(true));
}

#[test]
fn a_change_that_replaces_names_its_path() {
    let config = object(&[("slot", 2.into())]);
    let mut proposed = stored();
    proposed.set("slot", 2);
    let planned = plan(&block(), &stored(), proposed, &config);
    assert_eq!(planned.requires_replace, [Path::of("slot")]);
    let unknown = object(&[("slot", Value::Unknown)]);
    let planned = plan(&block(), &stored(), unknown.clone(), &unknown);
    assert_eq!(planned.requires_replace, [Path::of("slot")]);
}

#[test]
fn defaults_reach_into_blocks() {
    let mut config = object(&[("slot", 1.into())]);
    config.set("timeouts", Value::object([("create", Value::Null)]));
    let planned = plan(&block(), &Value::Null, config.clone(), &config);
    assert_eq!(
        planned.state.attribute("timeouts").attribute("create"),
        &Value::from("30m")
    );
}
