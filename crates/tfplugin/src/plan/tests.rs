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

/// A disk, with something of each kind.
fn disk() -> Vec<(&'static str, Attribute)> {
    vec![
        ("name", Attribute::required(Type::String).replaces()),
        ("size", Attribute::optional(Type::Number).default(8)),
        ("label", Attribute::optional_computed(Type::String)),
        ("serial", Attribute::computed(Type::String)),
    ]
}

fn a_disk(name: &str, size: impl Into<Value>, label: impl Into<Value>, serial: Value) -> Value {
    Value::object([
        ("name", name.into()),
        ("size", size.into()),
        ("label", label.into()),
        ("serial", serial),
    ])
}

/// Disks as a nested attribute and as a block.
fn with_disks(nesting: Nesting) -> [Block; 2] {
    let block = disk()
        .into_iter()
        .fold(Block::new(""), |block, (name, attribute)| {
            block.attribute(name, attribute)
        });
    let block = match nesting {
        Nesting::Single => NestedBlock::single(block),
        Nesting::List => NestedBlock::list(block),
        Nesting::Set => NestedBlock::set(block),
        Nesting::Map => NestedBlock::map(block),
    };
    [
        Block::new("").attribute("disks", Attribute::optional_objects(nesting, disk())),
        Block::new("").block("disks", block),
    ]
}

fn disks(nesting: Nesting, all: Vec<Value>) -> Value {
    let inner = match nesting {
        Nesting::Single => all.into_iter().next().unwrap(),
        Nesting::List | Nesting::Set => Value::List(all),
        Nesting::Map => Value::Map(
            all.into_iter()
                .enumerate()
                .map(|(i, disk)| (format!("d{i}"), disk))
                .collect(),
        ),
    };
    Value::object([("disks", inner)])
}

const NESTINGS: [Nesting; 4] = [Nesting::Single, Nesting::List, Nesting::Set, Nesting::Map];

/// Found in sets: once a default had been filled in, what was configured beside it was not found any more, and became unknown.
#[test]
fn what_is_configured_in_a_nested_object_is_planned() {
    for nesting in NESTINGS {
        for block in with_disks(nesting) {
            let config = disks(
                nesting,
                vec![
                    a_disk("a", Value::Null, "boot", Value::Null),
                    a_disk("b", 9, Value::Null, Value::Null),
                    a_disk("b", 9, "data", Value::Null),
                ],
            );
            let planned = plan(&block, &Value::Null, config.clone(), &config).state;
            let expected = disks(
                nesting,
                vec![
                    a_disk("a", 8, "boot", Value::Unknown),
                    a_disk("b", 9, Value::Unknown, Value::Unknown),
                    a_disk("b", 9, "data", Value::Unknown),
                ],
            );
            assert_eq!(planned, expected, "{nesting:?}");
        }
    }
}

#[test]
fn what_replaces_is_found_in_nested_objects() {
    for nesting in NESTINGS {
        for block in with_disks(nesting) {
            let prior = disks(
                nesting,
                vec![
                    a_disk("a", 8, "x", "s1".into()),
                    a_disk("b", 8, "y", "s2".into()),
                ],
            );
            let changed = |name: &str, size: i64| {
                let mut all = vec![a_disk(name, size, "x", "s1".into())];
                if nesting != Nesting::Single {
                    all.push(a_disk("b", 8, "y", "s2".into()));
                }
                disks(nesting, all)
            };
            let paths = |to: Value| {
                let prior = match nesting {
                    Nesting::Single => disks(nesting, vec![a_disk("a", 8, "x", "s1".into())]),
                    _ => prior.clone(),
                };
                let all = plan(&block, &prior, to.clone(), &to).requires_replace;
                all.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            assert!(paths(changed("a", 9)).is_empty(), "{nesting:?}");
            let expected = match nesting {
                Nesting::Single => "disks.name",
                // hosts know no path into a set
                Nesting::Set => "disks",
                Nesting::List => "disks[0].name",
                Nesting::Map => "disks[\"d0\"].name",
            };
            assert_eq!(paths(changed("c", 8)), [expected], "{nesting:?}");
        }
    }
}
