// SPDX-License-Identifier: Apache-2.0
//! The whole interface once, on every engine.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use k1s_store::*;

fn document(text: &str) -> Encoded {
    let bytes = format!(r#"{{"v":"","d":"{text}"}}"#).into_bytes();
    Encoded::new(bytes, 6)
}

#[test]
fn in_memory() {
    smoke(&*memory(Options::default()));
}

#[cfg(feature = "lmdb")]
#[test]
fn on_disk() {
    for group_commit in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let options = || Options {
            group_commit,
            ..Options::default()
        };
        smoke(&*open(directory.path(), options()).unwrap());
        let again = open(directory.path(), options()).unwrap();
        assert_eq!(again.revision().unwrap(), Revision(6));
        assert_eq!(again.stats(&Prefix::everything()).unwrap().objects, 2);
        again.copy_to(&directory.path().join("copy")).unwrap();
        let copy = open(&directory.path().join("copy"), options()).unwrap();
        assert_eq!(copy.check().unwrap().problems, Vec::<String>::new());
        assert_eq!(copy.revision().unwrap(), Revision(6));
    }
}

fn smoke(store: &dyn Store) {
    let key = |name: &str| Key::new("t", "pods", Some("ns"), name).unwrap();
    let all = Prefix::resource("t", "pods").unwrap();
    let start = store.revision().unwrap();
    let mut watcher = store.watch(&all, start).unwrap();
    for name in ["b", "a", "c"] {
        store
            .write(Batch::new().create(key(name), document(name)))
            .wait()
            .unwrap();
    }
    let error = store
        .write(Batch::new().create(key("a"), document("x")))
        .wait();
    assert!(matches!(error, Err(Error::Exists { .. })));
    let a = store.get(&key("a")).unwrap().unwrap();
    assert_eq!(&a.value[..], br#"{"v":"3","d":"a"}"#);
    store
        .write(
            Batch::new()
                .update(key("a"), a.revision, document("a2"))
                .delete(key("b"), Revision(2)),
        )
        .wait()
        .unwrap();
    let names = |page: Page| {
        page.entries
            .iter()
            .map(|e| format!("{}@{}", e.key.name(), e.revision))
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        names(store.list(&ListRequest::new(all.clone())).unwrap()),
        "a@5 c@4"
    );
    assert_eq!(
        names(
            store
                .list(&ListRequest::new(all.clone()).at(Revision(4)))
                .unwrap()
        ),
        "a@3 b@2 c@4"
    );
    assert_eq!(
        names(
            store
                .list(
                    &ListRequest::new(all.clone())
                        .at(Revision(4))
                        .after(&key("a"))
                )
                .unwrap()
        ),
        "b@2 c@4"
    );
    assert_eq!(
        names(
            store
                .list(&ListRequest::new(all.clone()).at(Revision(2)))
                .unwrap()
        ),
        "b@2"
    );
    let mut seen = String::new();
    while let Some(event) = watcher.next_timeout(Duration::from_millis(1)) {
        let event = event.unwrap();
        seen += &format!(
            "{:?} {} {}\n",
            event.kind,
            event.key.name(),
            String::from_utf8_lossy(&event.value)
        );
    }
    assert_eq!(
        seen,
        "Created b {\"v\":\"2\",\"d\":\"b\"}\nCreated a {\"v\":\"3\",\"d\":\"a\"}\nCreated c {\"v\":\"4\",\"d\":\"c\"}\nUpdated a {\"v\":\"5\",\"d\":\"a2\"}\nDeleted b {\"v\":\"6\",\"d\":\"b\"}\n"
    );
    assert_eq!(watcher.progress(), Revision(6));
    let mut again = store.watch(&all, start).unwrap();
    let mut replayed = String::new();
    while let Some(event) = again.next_timeout(Duration::from_millis(1)) {
        let event = event.unwrap();
        replayed += &format!(
            "{:?} {} {}\n",
            event.kind,
            event.key.name(),
            String::from_utf8_lossy(&event.value)
        );
    }
    assert_eq!(seen, replayed);
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
    assert_eq!(store.compact(Revision(6)).unwrap(), Revision(6));
    assert_eq!(store.revision().unwrap(), Revision(6));
    assert_eq!(store.check().unwrap().problems, Vec::<String>::new());
}
