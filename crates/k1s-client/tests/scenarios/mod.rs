// SPDX-License-Identifier: Apache-2.0
//! What kube-rs programs do, written as one would against any cluster: nothing here knows of k1s.
//!
//! Each scenario works in a namespace of its own. [`test_each`] makes tests of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, pin_mut};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::api::events::v1::Event as ClusterEvent;
use kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::core::DynamicObject;
use kube::runtime::controller::Action;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::runtime::finalizer::{Event as Finalizer, finalizer};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher::{self, InitialListStrategy};
use kube::runtime::{Controller, WatchStreamExt};
use kube::{Api, Client, Discovery, Resource, ResourceExt};
use serde_json::json;

/// The bound of every wait here. What is waited for takes milliseconds; a hang must not take the whole run.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes a test of each scenario; `$start` is an async function that gives a client of an API that is new, and what
/// must live as long as the test.
macro_rules! test_each {
    ($start:path) => {
        $crate::scenarios::test_each!($start; crud conflicts patches subresources metadata_only paged_lists watch
            watcher_sees_all_by_listing watcher_sees_all_by_streaming reflector_holds_the_state finalizers_run
            controller_reconciles events_are_recorded discovery);
    };
    ($start:path; $($scenario:ident)*) => {$(
        #[tokio::test]
        async fn $scenario() {
            let (client, _running) = $start().await;
            scenarios::$scenario(client).await;
        }
    )*};
}
pub(crate) use test_each;

async fn namespace(client: &Client, name: &str) {
    let namespace: Namespace = object(json!({"metadata": {"name": name}}));
    Api::all(client.clone())
        .create(&PostParams::default(), &namespace)
        .await
        .unwrap();
}

fn object<K: serde::de::DeserializeOwned>(value: serde_json::Value) -> K {
    serde_json::from_value(value).unwrap()
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    object(
        json!({"metadata": {"name": name, "labels": {"app": "kube-rs"}}, "data": {"key": value}}),
    )
}

fn code(error: &kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("not a Status: {other}"),
    }
}

/// Fails loudly instead of hanging.
async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what}: nothing after {PATIENCE:?}"),
    }
}

pub(crate) async fn crud(client: Client) {
    namespace(&client, "rs-crud").await;
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), "rs-crud");
    let made = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    assert!(
        made.uid().is_some()
            && made.resource_version().is_some()
            && made.creation_timestamp().is_some()
    );

    let mut read = api.get("a").await.unwrap();
    assert_eq!(read, made);
    assert!(api.get_opt("none").await.unwrap().is_none());
    read.data
        .get_or_insert_default()
        .insert("more".into(), "2".into());
    let replaced = api
        .replace("a", &PostParams::default(), &read)
        .await
        .unwrap();
    assert_ne!(replaced.resource_version(), made.resource_version());

    let dry = api
        .create(
            &PostParams {
                dry_run: true,
                ..PostParams::default()
            },
            &config_map("dry", "1"),
        )
        .await
        .unwrap();
    assert_eq!(dry.name_any(), "dry");
    assert!(api.get_opt("dry").await.unwrap().is_none());

    let generated: ConfigMap = object(json!({"metadata": {"generateName": "gen-"}}));
    let generated = api
        .create(&PostParams::default(), &generated)
        .await
        .unwrap();
    assert!(
        generated.name_any().len() > "gen-".len(),
        "{}",
        generated.name_any()
    );

    let listed = api
        .list(&ListParams::default().labels("app=kube-rs"))
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 1);
    assert!(listed.metadata.resource_version.is_some());

    api.delete("a", &DeleteParams::default())
        .await
        .unwrap()
        .map_right(|status| assert!(status.is_success()));
    assert!(api.get_opt("a").await.unwrap().is_none());
    api.delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .unwrap();

    // what every namespace has from the start
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "rs-crud");
    assert_eq!(accounts.get("default").await.unwrap().name_any(), "default");

    let namespaces: Api<Namespace> = Api::all(client);
    namespaces
        .delete("rs-crud", &DeleteParams::default())
        .await
        .unwrap();
    let gone = await_condition(namespaces, "rs-crud", |n: Option<&Namespace>| n.is_none());
    soon("the namespace is gone", gone).await.unwrap();
}

pub(crate) async fn conflicts(client: Client) {
    namespace(&client, "rs-conflicts").await;
    let api: Api<ConfigMap> = Api::namespaced(client, "rs-conflicts");
    let made = api
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let check = |result: Result<ConfigMap, kube::Error>, expected: (u16, &str)| {
        assert_eq!(
            code(&result.unwrap_err()),
            (expected.0, expected.1.to_owned())
        );
    };
    check(
        api.create(&PostParams::default(), &config_map("a", "1"))
            .await,
        (409, "AlreadyExists"),
    );
    check(
        api.create(&PostParams::default(), &config_map("A_b", "1"))
            .await,
        (422, "Invalid"),
    );
    check(api.get("none").await, (404, "NotFound"));
    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    api.patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    check(
        api.replace("a", &PostParams::default(), &made).await,
        (409, "Conflict"),
    );
    let preconditions = kube::api::Preconditions {
        uid: Some("other".into()),
        resource_version: None,
    };
    let deleted = api
        .delete(
            "a",
            &DeleteParams {
                preconditions: Some(preconditions),
                ..DeleteParams::default()
            },
        )
        .await;
    assert_eq!(code(&deleted.unwrap_err()).0, 409);

    let mut entry = api.entry("a").await.unwrap().and_modify(|map| {
        map.data
            .get_or_insert_default()
            .insert("entry".into(), "3".into());
    });
    let kube::api::entry::Entry::Occupied(ref mut occupied) = entry else {
        panic!("a is there")
    };
    occupied.commit(&PostParams::default()).await.unwrap();
    assert_eq!(api.get("a").await.unwrap().data.unwrap()["entry"], "3");
}

pub(crate) async fn patches(client: Client) {
    namespace(&client, "rs-patches").await;
    let api: Api<Deployment> = Api::namespaced(client, "rs-patches");
    let deployment: Deployment = object(json!({
        "metadata": {"name": "d"},
        "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": {
            "metadata": {"labels": {"app": "d"}},
            "spec": {"containers": [{"name": "one", "image": "i:1"}, {"name": "two", "image": "i:2"}]}}},
    }));
    let made = api
        .create(&PostParams::default(), &deployment)
        .await
        .unwrap();
    assert_eq!(made.spec.as_ref().unwrap().replicas, Some(1), "the default");
    let images = |d: &Deployment| -> BTreeMap<String, String> {
        let pod = d.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
        pod.containers
            .iter()
            .map(|c| (c.name.clone(), c.image.clone().unwrap()))
            .collect()
    };
    let expect = |one: &str, two: &str| {
        BTreeMap::from([
            ("one".to_owned(), one.to_owned()),
            ("two".to_owned(), two.to_owned()),
        ])
    };

    let strategic =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "two", "image": "i:3"}]}}}});
    let patched = api
        .patch("d", &PatchParams::default(), &Patch::Strategic(strategic))
        .await
        .unwrap();
    assert_eq!(images(&patched), expect("i:1", "i:3"));
    assert_eq!(patched.metadata.generation, Some(2));

    let merge = json!({"spec": {"replicas": 3}, "metadata": {"annotations": {"a": "b"}}});
    let patched = api
        .patch("d", &PatchParams::default(), &Patch::Merge(merge))
        .await
        .unwrap();
    assert_eq!(
        (patched.spec.unwrap().replicas, patched.metadata.generation),
        (Some(3), Some(3))
    );
    let labels = json!({"metadata": {"labels": {"seen": "yes"}}});
    let patched = api
        .patch_metadata("d", &PatchParams::default(), &Patch::Merge(labels))
        .await
        .unwrap();
    assert_eq!(patched.labels()["seen"], "yes");
}

pub(crate) async fn subresources(client: Client) {
    namespace(&client, "rs-subresources").await;
    let api: Api<Deployment> = Api::namespaced(client, "rs-subresources");
    let deployment: Deployment = object(json!({
        "metadata": {"name": "d"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "d"}}, "template": {
            "metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}},
    }));
    api.create(&PostParams::default(), &deployment)
        .await
        .unwrap();
    let status =
        json!({"status": {"replicas": 2, "observedGeneration": 1}, "spec": {"replicas": 9}});
    let patched = api
        .patch_status("d", &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
    assert_eq!(patched.status.unwrap().replicas, Some(2));
    assert_eq!(
        patched.spec.unwrap().replicas,
        Some(2),
        "a status write leaves the spec"
    );
    assert_eq!(
        api.get_scale("d").await.unwrap().spec.unwrap().replicas,
        Some(2)
    );
    let scale = Patch::Merge(json!({"spec": {"replicas": 5}}));
    api.patch_scale("d", &PatchParams::default(), &scale)
        .await
        .unwrap();
    assert_eq!(api.get("d").await.unwrap().spec.unwrap().replicas, Some(5));
}

pub(crate) async fn metadata_only(client: Client) {
    namespace(&client, "rs-metadata").await;
    let api: Api<ConfigMap> = Api::namespaced(client, "rs-metadata");
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let one = api.get_metadata("a").await.unwrap();
    assert_eq!(
        (one.name_any(), one.labels()["app"].as_str()),
        ("a".into(), "kube-rs")
    );
    let all = api
        .list_metadata(&ListParams::default().labels("app"))
        .await
        .unwrap();
    assert_eq!(all.items.len(), 1);
}

pub(crate) async fn paged_lists(client: Client) {
    namespace(&client, "rs-pages").await;
    let api: Api<ConfigMap> = Api::namespaced(client, "rs-pages");
    for n in 0..7 {
        api.create(
            &PostParams::default(),
            &config_map(&format!("page-{n}"), "1"),
        )
        .await
        .unwrap();
    }
    let (mut seen, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let mut params = ListParams::default().labels("app=kube-rs").limit(3);
        params.continue_token = token;
        let page = api.list(&params).await.unwrap();
        pages += 1;
        seen.extend(page.items.iter().map(ResourceExt::name_any));
        token = page.metadata.continue_.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    assert_eq!(
        (pages, seen),
        (3, (0..7).map(|n| format!("page-{n}")).collect())
    );
}

pub(crate) async fn watch(client: Client) {
    namespace(&client, "rs-watch").await;
    let api: Api<ConfigMap> = Api::namespaced(client, "rs-watch");
    let version = api
        .list(&ListParams::default())
        .await
        .unwrap()
        .metadata
        .resource_version
        .unwrap();
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    api.patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let events = api
        .watch(
            &WatchParams::default().labels("app=kube-rs").timeout(20),
            &version,
        )
        .await
        .unwrap();
    pin_mut!(events);
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(
            match soon("an event", events.try_next())
                .await
                .unwrap()
                .expect("the watch goes on")
            {
                WatchEvent::Added(o) => format!("added {}", o.name_any()),
                WatchEvent::Modified(o) => format!("modified {}", o.name_any()),
                WatchEvent::Deleted(o) => format!("deleted {}", o.name_any()),
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(e) => panic!("{e}"),
            },
        );
    }
    assert_eq!(seen, ["added a", "modified a", "deleted a"]);
}

pub(crate) async fn watcher_sees_all_by_listing(client: Client) {
    watcher_sees_all(client, InitialListStrategy::ListWatch).await;
}

pub(crate) async fn watcher_sees_all_by_streaming(client: Client) {
    watcher_sees_all(client, InitialListStrategy::StreamingList).await;
}

async fn watcher_sees_all(client: Client, strategy: InitialListStrategy) {
    namespace(&client, "rs-watcher").await;
    let api: Api<ConfigMap> = Api::namespaced(client, "rs-watcher");
    api.create(&PostParams::default(), &config_map("before", "1"))
        .await
        .unwrap();
    let config = watcher::Config {
        initial_list_strategy: strategy,
        ..watcher::Config::default()
    }
    .labels("app=kube-rs");
    let events = watcher::watcher(api.clone(), config);
    pin_mut!(events);
    let mut seen = Vec::new();
    loop {
        match soon("a watcher event", events.try_next())
            .await
            .unwrap()
            .expect("a watcher does not end")
        {
            watcher::Event::Init => seen.push("init".to_owned()),
            watcher::Event::InitApply(o) => seen.push(format!("init {}", o.name_any())),
            watcher::Event::InitDone => {
                seen.push("done".to_owned());
                api.create(&PostParams::default(), &config_map("after", "1"))
                    .await
                    .unwrap();
                api.delete("before", &DeleteParams::default())
                    .await
                    .unwrap();
            }
            watcher::Event::Apply(o) => seen.push(format!("apply {}", o.name_any())),
            watcher::Event::Delete(o) => {
                seen.push(format!("delete {}", o.name_any()));
                break;
            }
        }
    }
    assert_eq!(
        seen,
        [
            "init",
            "init before",
            "done",
            "apply after",
            "delete before"
        ]
    );
}

pub(crate) async fn reflector_holds_the_state(client: Client) {
    namespace(&client, "rs-reflector").await;
    let api: Api<ConfigMap> = Api::namespaced(client, "rs-reflector");
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let (reader, writer) = reflector::store();
    let stream = watcher::watcher(
        api.clone(),
        watcher::Config::default().labels("app=kube-rs"),
    );
    let stream = stream.default_backoff().reflect(writer).applied_objects();
    let running = tokio::spawn(stream.for_each(|_| std::future::ready(())));
    soon("the store is ready", reader.wait_until_ready())
        .await
        .unwrap();
    assert_eq!(reader.len(), 1);
    api.create(&PostParams::default(), &config_map("b", "1"))
        .await
        .unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let reference = |name: &str| ObjectRef::new(name).within("rs-reflector");
    soon("the store follows", async {
        while reader.get(&reference("b")).is_none() || reader.get(&reference("a")).is_some() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    running.abort();
}

pub(crate) async fn finalizers_run(client: Client) {
    namespace(&client, "rs-finalizers").await;
    let api: Api<ConfigMap> = Api::namespaced(client, "rs-finalizers");
    api.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let run = || async {
        let current = Arc::new(api.get("a").await.unwrap());
        let seen = Arc::new(std::sync::Mutex::new(""));
        let note = seen.clone();
        finalizer(&api, "k1s.dev/test", current, |event| async move {
            *note.lock().unwrap() = match event {
                Finalizer::Apply(_) => "apply",
                Finalizer::Cleanup(_) => "cleanup",
            };
            Ok::<_, std::convert::Infallible>(Action::await_change())
        })
        .await
        .unwrap();
        *seen.lock().unwrap()
    };
    assert_eq!(run().await, "", "the first round adds the finalizer");
    assert_eq!(api.get("a").await.unwrap().finalizers(), ["k1s.dev/test"]);
    assert_eq!(run().await, "apply");
    let pending = api.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(
        pending
            .left()
            .is_some_and(|o| o.metadata.deletion_timestamp.is_some()),
        "it waits for its finalizer"
    );
    assert_eq!(run().await, "cleanup");
    assert!(api.get_opt("a").await.unwrap().is_none());
}

/// A controller makes a Secret for each ConfigMap; deleting the ConfigMap takes the Secret with it.
pub(crate) async fn controller_reconciles(client: Client) {
    namespace(&client, "rs-controller").await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "rs-controller");
    let secrets: Api<Secret> = Api::namespaced(client.clone(), "rs-controller");
    async fn reconcile(
        map: Arc<ConfigMap>,
        secrets: Arc<Api<Secret>>,
    ) -> Result<Action, kube::Error> {
        let owner = map.controller_owner_ref(&()).expect("it is stored");
        let secret: Secret = object(json!({
            "metadata": {"name": map.name_any(), "ownerReferences": [owner]},
            "stringData": {"copy": map.data.as_ref().map(|d| d["key"].clone())},
        }));
        match secrets.create(&PostParams::default(), &secret).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {
                let patch = Patch::Merge(json!({"stringData": secret.string_data}));
                secrets
                    .patch(&map.name_any(), &PatchParams::default(), &patch)
                    .await?;
            }
            other => drop(other?),
        }
        Ok(Action::await_change())
    }
    let controller = Controller::new(
        maps.clone(),
        watcher::Config::default().labels("app=kube-rs"),
    )
    .owns(secrets.clone(), watcher::Config::default())
    .run(
        reconcile,
        |_, error, _| panic!("{error}"),
        Arc::new(secrets.clone()),
    )
    .for_each(|_| std::future::ready(()));
    let running = tokio::spawn(controller);

    let holds = |value: &'static [u8]| {
        move |secret: Option<&Secret>| {
            secret
                .and_then(|s| s.data.as_ref())
                .and_then(|d| d.get("copy"))
                .is_some_and(|v| v.0 == value)
        }
    };
    maps.create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    soon(
        "the copy",
        await_condition(secrets.clone(), "a", holds(b"1")),
    )
    .await
    .unwrap();
    let patch = Patch::Merge(json!({"data": {"key": "2"}}));
    maps.patch("a", &PatchParams::default(), &patch)
        .await
        .unwrap();
    soon(
        "the new copy",
        await_condition(secrets.clone(), "a", holds(b"2")),
    )
    .await
    .unwrap();
    let first = secrets.get("a").await.unwrap().uid().unwrap();
    secrets.delete("a", &DeleteParams::default()).await.unwrap();
    let deleted = await_condition(secrets.clone(), "a", conditions::is_deleted(&first));
    soon("the deletion", deleted).await.unwrap();
    soon(
        "a deleted copy comes back",
        await_condition(secrets.clone(), "a", holds(b"2")),
    )
    .await
    .unwrap();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let gone = await_condition(secrets, "a", |s: Option<&Secret>| s.is_none());
    soon("the copy goes with its owner", gone).await.unwrap();
    running.abort();
}

pub(crate) async fn events_are_recorded(client: Client) {
    namespace(&client, "rs-events").await;
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "rs-events");
    let map = maps
        .create(&PostParams::default(), &config_map("a", "1"))
        .await
        .unwrap();
    let recorder = Recorder::new(client.clone(), Reporter::from("kube-rs-test"));
    let event = Event {
        type_: EventType::Normal,
        reason: "Tested".into(),
        note: Some("it was looked at".into()),
        action: "Testing".into(),
        secondary: None,
    };
    recorder
        .publish(&event, &map.object_ref(&()))
        .await
        .unwrap();
    recorder
        .publish(&event, &map.object_ref(&()))
        .await
        .unwrap();
    let events: Api<ClusterEvent> = Api::namespaced(client.clone(), "rs-events");
    let events = events.list(&ListParams::default()).await.unwrap().items;
    assert_eq!(events.len(), 1, "the second is counted, not stored");
    assert_eq!(events[0].series.as_ref().unwrap().count, 2);
    // the same object under its older name
    let core: Api<k8s_openapi::api::core::v1::Event> = Api::namespaced(client, "rs-events");
    let core = core
        .list(&ListParams::default().fields("involvedObject.name=a"))
        .await
        .unwrap()
        .items;
    assert_eq!(core[0].message.as_deref(), Some("it was looked at"));
}

pub(crate) async fn discovery(client: Client) {
    let legacy = Discovery::new(client.clone()).run().await.unwrap();
    let aggregated = Discovery::new(client.clone())
        .run_aggregated()
        .await
        .unwrap();
    for discovery in [legacy, aggregated] {
        let apps = discovery.get("apps").expect("apps is served");
        let (resource, capabilities) = apps
            .recommended_kind("Deployment")
            .expect("Deployment is served");
        assert_eq!(
            (resource.plural.as_str(), resource.version.as_str()),
            ("deployments", "v1")
        );
        assert!(capabilities.supports_operation(kube::discovery::verbs::WATCH));
        let api: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
        api.list(&ListParams::default()).await.unwrap();
    }
    let version = client.apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
}
