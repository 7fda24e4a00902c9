// SPDX-License-Identifier: Apache-2.0
//! A provider that breaks the rules, and the host that notices.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::diagnostic::Diagnostics;
use crate::provider::{Apply, Plan, Read, Resource};
use crate::schema::{Attribute, Block};

struct Rogue;

#[crate::async_trait]
impl Provider for Rogue {
    fn schema(&self) -> Schema {
        Schema::new(Block::new("A provider that breaks rules."))
    }

    async fn configure(&self, _: &Value, _: &mut Diagnostics) {}

    fn resources(&self) -> Vec<(&'static str, Arc<dyn Resource>)> {
        vec![("rogue_thing", Arc::new(Self))]
    }
}

#[crate::async_trait]
impl Resource for Rogue {
    fn schema(&self) -> Schema {
        Schema::new(
            Block::new("A thing.")
                .attribute("how", Attribute::required(Type::String))
                .attribute("note", Attribute::optional(Type::String))
                .attribute("size", Attribute::optional(Type::Number).default(1))
                .attribute("secret", Attribute::optional(Type::String).write_only()),
        )
    }

    async fn plan(&self, plan: &mut Plan) {
        match plan.config.attribute("how").as_str() {
            Some("changes what is configured") => plan.planned.set("how", "otherwise"),
            Some("sets what it does not compute") => plan.planned.set("note", "mine"),
            Some("plans a secret") => plan.planned.set("secret", "s"),
            _ => {}
        }
    }

    async fn create(&self, apply: &mut Apply) {
        apply.state = apply.planned.clone();
        match apply.config.attribute("how").as_str() {
            Some("makes another one") => apply.state.set("size", 2),
            Some("makes none") => apply.state = Value::Null,
            Some("stores a secret") => apply.state.set("secret", "s"),
            _ => {}
        }
    }

    async fn read(&self, _: &mut Read) {}

    async fn update(&self, _: &mut Apply) {}

    async fn delete(&self, _: &mut Apply) {}
}

#[tokio::test]
async fn who_breaks_the_rules_is_told() {
    let core = Core::new(Rogue);
    for (how, text) in [
        ("keeps to them", ""),
        ("changes what is configured", "inconsistent plan: how"),
        ("sets what it does not compute", "inconsistent plan: note"),
        ("plans a secret", "inconsistent plan: secret"),
        ("makes another one", "inconsistent result: size"),
        ("makes none", "inconsistent result"),
        ("stores a secret", "secret is write-only"),
    ] {
        let none = Instance::none("rogue_thing");
        let settled = core.settle(&none, json!({"how": how})).await;
        match settled {
            Ok(_) => assert_eq!(text, "", "{how}"),
            Err(failure) => assert!(
                !text.is_empty() && failure.to_string().contains(text),
                "{how}: {failure}"
            ),
        }
    }
    let unexpected = core
        .plan(&Instance::none("rogue_thing"), json!({"hwo": "x"}))
        .await;
    assert!(unexpected.unwrap_err().to_string().contains("hwo"));
}

/// Found by `node = null`: hosts see to it that a required argument is written, not that it is something.
#[tokio::test]
async fn what_is_required_is_not_null() {
    let core = Core::new(Rogue);
    for config in [json!({"how": null}), json!({})] {
        let plan = core.plan(&Instance::none("rogue_thing"), config).await;
        let error = plan.unwrap_err().to_string();
        assert!(error.contains("how must be set"), "{error}");
    }
    let unknown = json!({"how": unknown()});
    core.plan(&Instance::none("rogue_thing"), unknown)
        .await
        .unwrap();
}
