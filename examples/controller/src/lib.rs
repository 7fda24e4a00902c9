// SPDX-License-Identifier: Apache-2.0
//! A controller that counts the items of each category into its status, and keeps a category that is in use from being deleted.
//!
//! It is written for any cluster: that its API is in the same process is `main`'s matter.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use inventory::{Category, Item};
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::controller::Action;
use kube::runtime::finalizer::{Event, finalizer};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::{Controller, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;

const FINALIZER: &str = "inventory.example.com/in-use";

/// Why a category could not be seen to; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API refused.
    #[error("the API refused")]
    Api(#[from] kube::Error),
    /// It is to be deleted, and items are in it.
    #[error("{0} items are still in it")]
    InUse(usize),
}

/// Looks after all categories until the process ends.
pub async fn run(client: Client) {
    let categories: Api<Category> = Api::all(client.clone());
    let items: Api<Item> = Api::all(client.clone());
    Controller::new(categories, watcher::Config::default())
        .watches(items, watcher::Config::default(), |item| {
            let namespace = item.namespace()?;
            Some(ObjectRef::new(&item.spec.category).within(&namespace))
        })
        .run(
            reconcile,
            |_, _, _| Action::requeue(Duration::from_secs(5)),
            Arc::new(client),
        )
        .for_each(|_| std::future::ready(()))
        .await;
}

async fn reconcile(
    category: Arc<Category>,
    client: Arc<Client>,
) -> Result<Action, kube::runtime::finalizer::Error<Error>> {
    let namespace = category.namespace().unwrap_or_default();
    let categories: Api<Category> = Api::namespaced((*client).clone(), &namespace);
    let items: Api<Item> = Api::namespaced((*client).clone(), &namespace);
    finalizer(&categories, FINALIZER, category, |event| async {
        match event {
            Event::Apply(category) => {
                let status = json!({"status": {"items": count(&items, &category).await?}});
                let (name, how) = (category.name_any(), PatchParams::default());
                categories
                    .patch_status(&name, &how, &Patch::Merge(&status))
                    .await?;
                Ok(Action::await_change())
            }
            Event::Cleanup(category) => match count(&items, &category).await? {
                0 => Ok(Action::await_change()),
                used => Err(Error::InUse(used)),
            },
        }
    })
    .await
}

async fn count(items: &Api<Item>, category: &Category) -> Result<usize, Error> {
    let all = items.list(&ListParams::default()).await?;
    let name = category.name_any();
    Ok(all.iter().filter(|item| item.spec.category == name).count())
}
