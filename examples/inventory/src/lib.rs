// SPDX-License-Identifier: Apache-2.0
//! The kinds of an inventory: items, and categories that they are in.

use k1s_api::Definitions;
use kube::{CustomResource, CustomResourceExt as _};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that is kept in stock.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "inventory.example.com",
    version = "v1",
    kind = "Item",
    namespaced,
    shortname = "it",
    category = "inventory",
    printcolumn = r#"{"name": "Category", "type": "string", "jsonPath": ".spec.category"}"#,
    printcolumn = r#"{"name": "Quantity", "type": "integer", "jsonPath": ".spec.quantity"}"#,
    printcolumn = r#"{"name": "Shelf", "type": "string", "jsonPath": ".spec.shelf", "priority": 1}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ItemSpec {
    /// Name of its category.
    pub category: String,
    /// How many there are.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 10_000))]
    pub quantity: i32,
    /// Where it lies: a letter and two digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Z][0-9]{2}$"))]
    pub shelf: Option<String>,
}

fn one() -> i32 {
    1
}

/// What items have in common.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "inventory.example.com",
    version = "v1",
    kind = "Category",
    plural = "categories",
    namespaced,
    status = "CategoryStatus",
    shortname = "cat",
    category = "inventory",
    printcolumn = r#"{"name": "Items", "type": "integer", "jsonPath": ".status.items"}"#,
    printcolumn = r#"{"name": "About", "type": "string", "jsonPath": ".spec.about"}"#
)]
pub struct CategorySpec {
    /// What is in it, in one line.
    pub about: String,
}

/// What the controller knows of a category.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CategoryStatus {
    /// How many items name it.
    pub items: i64,
}

/// The definitions of both, for [`k1s_api::Options`].
#[must_use]
pub fn definitions() -> Definitions {
    Definitions::new(|| [Item::crd(), Category::crd()])
}
