// SPDX-License-Identifier: Apache-2.0
//! The controller at work on an API in memory.

use std::time::Duration;

use inventory::{Category, CategorySpec, CategoryStatus, Item, ItemSpec};
use k1s_api::Options;
use kube::api::{DeleteParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, ResourceExt as _};

/// The bound of every wait here; what is waited for takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: not after {PATIENCE:?}"),
    }
}

#[tokio::test]
async fn items_are_counted_and_a_category_in_use_stays() {
    let options = Options {
        background: true,
        definitions: inventory::definitions(),
        ..Options::default()
    };
    let store = k1s_store::memory(k1s_store::Options::default());
    let api = k1s_api::Api::open(store, options).unwrap();
    let client = k1s_client::client(api.clone(), "default");
    tokio::spawn(async move { api.background().await });
    tokio::spawn(inventory_controller::run(client.clone()));

    let categories: Api<Category> = Api::default_namespaced(client.clone());
    let items: Api<Item> = Api::default_namespaced(client);
    let create = PostParams::default();
    let tools = Category::new(
        "tools",
        CategorySpec {
            about: "to work with".into(),
        },
    );
    let uid = categories
        .create(&create, &tools)
        .await
        .unwrap()
        .uid()
        .unwrap();
    let counted = |n: i64| {
        move |c: Option<&Category>| {
            c.and_then(|c| c.status.clone()) == Some(CategoryStatus { items: n })
        }
    };
    soon(
        "no items",
        await_condition(categories.clone(), "tools", counted(0)),
    )
    .await
    .unwrap();

    let hammer = Item::new(
        "hammer",
        ItemSpec {
            category: "tools".into(),
            quantity: 3,
            shelf: None,
        },
    );
    items.create(&create, &hammer).await.unwrap();
    soon(
        "one item",
        await_condition(categories.clone(), "tools", counted(1)),
    )
    .await
    .unwrap();

    categories
        .delete("tools", &DeleteParams::default())
        .await
        .unwrap();
    let held = categories.get("tools").await.unwrap();
    assert!(held.metadata.deletion_timestamp.is_some() && held.finalizers().len() == 1);

    items
        .delete("hammer", &DeleteParams::default())
        .await
        .unwrap();
    let gone = await_condition(categories, "tools", conditions::is_deleted(&uid));
    soon("the category goes", gone).await.unwrap();
}
