// SPDX-License-Identifier: Apache-2.0
//! Create, get, delete, expiry, statistics, keys.

use std::cell::Cell;

use crate::conformance::{Pod, Rig, SOON, conformance, pods};
use crate::{
    Batch, Change, Deletion, Error, EventKind, Key, Operation, Precondition, Prefix, Revision,
    Side, SideKey, Stats, Ttl, delete, wait,
};

conformance!(
    create,
    create_with_ttl,
    create_with_key_exist,
    get,
    unconditional_delete,
    conditional_delete,
    delete_with_suggestion,
    delete_with_suggestion_and_conflict,
    delete_with_conflict,
    delete_with_suggestion_of_deleted_object,
    validate_deletion_with_suggestion,
    validate_deletion_with_only_suggestion_valid,
    preconditional_delete_with_suggestion,
    preconditional_delete_with_only_suggestion_pass,
    delete_with_conflict_and_missing_expected_transform_or_decode_error,
    delete_expected_transform_or_decode_error,
    delete_with_suggestion_and_missing_expected_transform_or_decode_error,
    transformation_failure,
    stats,
    key_schema,
    batches_are_all_or_nothing,
    side_records,
    revisions_have_no_gaps,
    history_is_bounded,
);

/// What the callbacks of these cases refuse with.
#[derive(Debug)]
enum Refusal {
    Store(Error),
    InvalidObject,
    Validation,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

fn create(rig: &Rig) {
    let pod = Pod::new("ns", "a").note("content");
    assert!(rig.get(&pod).unwrap().is_none());
    let before = rig.revision();
    let created = rig.create(&pod).unwrap();
    assert_eq!(created.revision, before.0 + 1);
    assert_eq!(created.content(), pod);
    assert_eq!(rig.get(&pod).unwrap().unwrap(), created);
}

fn create_with_ttl(rig: &Rig) {
    let pod = Pod::new("ns", "a");
    assert!(rig.store.is_empty(&pods()).unwrap());
    let created = rig.put_for(&pod, Ttl::For(SOON));
    assert!(!rig.store.is_empty(&pods()).unwrap());
    assert!(!rig.store.is_empty(&Prefix::object(&pod.key())).unwrap());
    assert!(
        rig.store
            .is_empty(&Prefix::object(&Pod::new("ns", "b").key()))
            .unwrap()
    );
    let mut watcher = rig
        .store
        .watch(&pods(), Revision(created.revision))
        .unwrap();
    assert_eq!(rig.store.sweep().unwrap(), 0);
    assert!(rig.get(&pod).unwrap().is_some());
    assert!(rig.store.next_expiry().unwrap().is_some());
    rig.pass(11);
    assert!(rig.get(&pod).unwrap().is_none());
    assert!(rig.store.is_empty(&pods()).unwrap());
    assert_eq!(rig.store.stats(&pods()).unwrap(), Stats::default());
    assert_eq!(rig.store.sweep().unwrap(), 1);
    let event = watcher.next_timeout(SOON).unwrap().unwrap();
    assert_eq!(
        (event.kind, event.revision.0),
        (EventKind::Deleted, created.revision + 1)
    );
    assert_eq!(rig.store.next_expiry().unwrap(), None);
    // Any write sweeps, and a create of the same key is one.
    let again = rig.put_for(&pod, Ttl::For(SOON));
    rig.pass(11);
    let anew = rig.create(&pod).unwrap();
    assert_eq!(anew.revision, again.revision + 2);
    let kinds: Vec<_> = (0..3)
        .map(|_| watcher.next_timeout(SOON).unwrap().unwrap().kind)
        .collect();
    assert_eq!(
        kinds,
        [EventKind::Created, EventKind::Deleted, EventKind::Created]
    );
    rig.put_for(&Pod::new("ns", "b"), Ttl::For(SOON));
    rig.pass(11);
    rig.unrelated();
    assert_eq!(
        watcher.next_timeout(SOON).unwrap().unwrap().kind,
        EventKind::Created
    );
    assert_eq!(
        watcher.next_timeout(SOON).unwrap().unwrap().kind,
        EventKind::Deleted
    );
    assert_eq!(rig.store.check().unwrap().problems, Vec::<String>::new());
}

fn create_with_key_exist(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let again = rig.create(&Pod::new("ns", "a").note("other"));
    let Err(Error::Exists { key, current }) = again else {
        panic!("{again:?}")
    };
    assert_eq!((key, current.0), (created.key(), created.revision));
    assert_eq!(rig.get(&created).unwrap().unwrap(), created);
}

/// What `resourceVersion` asks of a get is that the store has reached it.
fn get(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "foo")).unwrap();
    let updated = rig.put(&Pod::new("ns", "foo").note("updated"));
    let later = rig.unrelated();
    assert!(created.revision < updated.revision && updated.revision < later.0);
    assert_eq!(rig.revision(), later);
    assert_eq!(rig.get(&created).unwrap(), Some(updated));
    assert_eq!(rig.get(&Pod::new("ns", "missing")).unwrap(), None);
    let future = rig.store.watch(&pods(), Revision(u64::MAX >> 1));
    assert!(matches!(future, Err(Error::FutureRevision { current, .. }) if current == later));
}

fn delete_plainly(rig: &Rig, pod: &Pod) -> Result<Pod, Refusal> {
    let deleted = wait(delete::<Refusal>(
        &*rig.store,
        &pod.key(),
        Deletion::default(),
        |_| Ok(Batch::new()),
    ));
    deleted.map(|entry| Pod::of(&entry))
}

fn unconditional_delete(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a").note("content")).unwrap();
    let deleted = delete_plainly(rig, &created).unwrap();
    assert_eq!(deleted.content(), created.content());
    assert!(deleted.revision > created.revision);
    assert!(rig.get(&created).unwrap().is_none());
    let missing = delete_plainly(rig, &created);
    assert!(matches!(
        missing,
        Err(Refusal::Store(Error::NotFound { .. }))
    ));
}

/// Deletes with a uid precondition, a suggestion and a validation; gives how often that was called.
fn delete_with(
    rig: &Rig,
    pod: &Pod,
    suggestion: Option<&Pod>,
    uid: Option<&str>,
    mut validate: impl FnMut(&Pod) -> bool,
) -> (Result<Pod, Refusal>, u32) {
    let calls = Cell::new(0);
    let precondition = |entry: &crate::Entry| {
        let fits = uid.is_none_or(|uid| Pod::of(entry).uid == uid);
        if fits {
            Ok(())
        } else {
            Err(Refusal::InvalidObject)
        }
    };
    // A suggestion is the state that was stored at its revision.
    let suggestion = suggestion.map(|pod| {
        let request =
            crate::ListRequest::new(Prefix::object(&pod.key())).at(Revision(pod.revision));
        rig.store.list(&request).unwrap().entries.remove(0)
    });
    let how = Deletion {
        suggestion,
        precondition: Some(&precondition),
    };
    let deleted = wait(delete(&*rig.store, &pod.key(), how, |entry| {
        calls.set(calls.get() + 1);
        if validate(&Pod::of(entry)) {
            Ok(Batch::new())
        } else {
            Err(Refusal::Validation)
        }
    }));
    (deleted.map(|entry| Pod::of(&entry)), calls.get())
}

fn conditional_delete(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a").uid("A")).unwrap();
    let (refused, _) = delete_with(rig, &created, None, Some("B"), |_| true);
    assert!(matches!(refused, Err(Refusal::InvalidObject)));
    assert!(rig.get(&created).unwrap().is_some());
    let (deleted, _) = delete_with(rig, &created, None, Some("A"), |_| true);
    assert!(deleted.unwrap().revision > created.revision);
    assert!(rig.get(&created).unwrap().is_none());
}

fn delete_with_suggestion(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let (deleted, calls) = delete_with(rig, &created, Some(&created), None, |_| true);
    assert_eq!((deleted.unwrap().content(), calls), (created.content(), 1));
    assert!(rig.get(&created).unwrap().is_none());
}

fn delete_with_suggestion_and_conflict(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let updated = rig.put(&created.content().note("updated"));
    let (deleted, _) = delete_with(rig, &created, Some(&created), None, |_| true);
    assert_eq!(deleted.unwrap().content(), updated.content());
}

fn delete_with_conflict(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let updated = created.content().note("updated");
    let mut first = true;
    let (deleted, calls) = delete_with(rig, &created, None, None, |_| {
        if std::mem::take(&mut first) {
            rig.put(&updated);
        }
        true
    });
    assert_eq!((deleted.unwrap().content(), calls), (updated.clone(), 2));
    assert!(rig.get(&created).unwrap().is_none());
}

fn delete_with_suggestion_of_deleted_object(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    rig.delete(&created);
    let (missing, _) = delete_with(rig, &created, Some(&created), None, |_| true);
    assert!(matches!(
        missing,
        Err(Refusal::Store(Error::NotFound { .. }))
    ));
}

fn validate_deletion_with_suggestion(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let (refused, calls) = delete_with(rig, &created, Some(&created), None, |_| false);
    assert!(matches!(refused, Err(Refusal::Validation)));
    assert_eq!(calls, 1);
    let updated = rig.put(&created.content().note("valid"));
    let (deleted, calls) = delete_with(rig, &created, Some(&created), None, |pod| {
        pod.note == "valid"
    });
    assert_eq!(deleted.unwrap().content(), updated.content());
    assert!(calls <= 2);
}

fn validate_deletion_with_only_suggestion_valid(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a").note("valid")).unwrap();
    let updated = rig.put(&created.content().note("other"));
    let (refused, calls) = delete_with(rig, &created, Some(&created), None, |pod| {
        pod.note == "valid"
    });
    assert!(matches!(refused, Err(Refusal::Validation)));
    assert!(calls <= 2);
    assert_eq!(rig.get(&created).unwrap().unwrap(), updated);
}

fn preconditional_delete_with_suggestion(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a").uid("A")).unwrap();
    rig.put(&created.content().uid("B"));
    let (deleted, _) = delete_with(rig, &created, Some(&created), Some("B"), |_| true);
    assert_eq!(deleted.unwrap().uid, "B");
    assert!(rig.get(&created).unwrap().is_none());
}

fn preconditional_delete_with_only_suggestion_pass(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a").uid("A")).unwrap();
    let updated = rig.put(&created.content().uid("B"));
    let (refused, _) = delete_with(rig, &created, Some(&created), Some("A"), |_| true);
    assert!(matches!(refused, Err(Refusal::InvalidObject)));
    assert_eq!(rig.get(&created).unwrap().unwrap(), updated);
}

fn delete_corrupt(rig: &Rig, pod: &Pod) -> crate::Result<crate::Written> {
    rig.store
        .write(Batch::new().with(pod.key(), Precondition::Any, Change::DeleteCorrupt))
        .wait()
}

fn delete_with_conflict_and_missing_expected_transform_or_decode_error(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let stored = rig.store.get(&created.key()).unwrap().unwrap();
    rig.damage(&created.key());
    assert!(matches!(rig.get(&created), Err(Error::Corrupt { .. })));
    // It becomes readable before the delete gets through.
    let record = crate::record::build(&created.encoded(), stored.revision, None, true);
    (rig.damage)(&created.key(), &record);
    assert!(matches!(
        delete_corrupt(rig, &created),
        Err(Error::NotCorrupt { .. })
    ));
    assert_eq!(rig.get(&created).unwrap().unwrap(), created);
}

fn delete_expected_transform_or_decode_error(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    rig.damage(&created.key());
    delete_corrupt(rig, &created).unwrap();
    assert!(rig.get(&created).unwrap().is_none());
    assert!(matches!(
        delete_corrupt(rig, &created),
        Err(Error::NotFound { .. })
    ));
}

fn delete_with_suggestion_and_missing_expected_transform_or_decode_error(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    assert!(matches!(
        delete_corrupt(rig, &created),
        Err(Error::NotCorrupt { .. })
    ));
    assert!(rig.get(&created).unwrap().is_some());
}

fn transformation_failure(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let suggestion = rig.store.get(&created.key()).unwrap();
    rig.damage(&created.key());
    let corrupt = |error: &Refusal| matches!(error, Refusal::Store(Error::Corrupt { .. }));
    assert!(matches!(rig.get(&created), Err(Error::Corrupt { .. })));
    assert!(corrupt(&delete_plainly(rig, &created).unwrap_err()));
    for suggestion in [None, suggestion] {
        let how = crate::Updating {
            suggestion,
            ..crate::Updating::default()
        };
        let updated = wait(crate::guaranteed_update::<Refusal>(
            &*rig.store,
            &created.key(),
            how,
            |_| Ok(crate::Update::to(created.content().note("x").encoded())),
        ));
        assert!(corrupt(&updated.unwrap_err()));
    }
    assert!(matches!(rig.get(&created), Err(Error::Corrupt { .. })));
    assert_eq!(rig.store.check().unwrap().problem_count, 1);
}

fn stats(rig: &Rig) {
    let size = |pod: &Pod| pod.encoded().bytes.len() as u64;
    let check =
        |objects, bytes| assert_eq!(rig.store.stats(&pods()).unwrap(), Stats { objects, bytes });
    check(0, 0);
    let a = Pod::new("ns", "a").note("content");
    rig.create(&a).unwrap();
    check(1, size(&a));
    assert!(rig.create(&a).is_err());
    check(1, size(&a));
    let longer = a.clone().note("more content");
    rig.put(&longer);
    check(1, size(&longer));
    let b = Pod::new("ns2", "b");
    rig.create(&b).unwrap();
    check(2, size(&longer) + size(&b));
    let (refused, _) = delete_with(rig, &a, None, Some("no"), |_| true);
    assert!(refused.is_err());
    check(2, size(&longer) + size(&b));
    rig.delete(&a);
    check(1, size(&b));
}

fn key_schema(rig: &Rig) {
    // A key that is one can be used with every verb; what is none cannot be made.
    for (namespace, name) in [(Some("ns"), "name"), (None, "name"), (Some("a.b"), "c-d:e")] {
        let key = Key::new("t", "pods", namespace, name).unwrap();
        let pod = Pod::new("x", "y");
        rig.store
            .write(Batch::new().create(key.clone(), pod.encoded()))
            .wait()
            .unwrap();
        let entry = rig.store.get(&key).unwrap().unwrap();
        rig.store
            .write(Batch::new().update(key.clone(), entry.revision, pod.encoded()))
            .wait()
            .unwrap();
        rig.store
            .write(Batch::new().with(key, Precondition::Present, Change::Delete))
            .wait()
            .unwrap();
    }
    for name in ["", "/", ".", "..", "a/b", "\0"] {
        assert!(
            matches!(
                Key::new("t", "pods", Some("ns"), name),
                Err(Error::InvalidKey { .. })
            ),
            "{name}"
        );
        assert!(
            matches!(
                Key::new("t", "pods", Some(name), "name"),
                Err(Error::InvalidKey { .. })
            ),
            "{name}"
        );
        assert!(
            matches!(
                Prefix::namespace("t", "pods", name),
                Err(Error::InvalidKey { .. })
            ),
            "{name}"
        );
        assert!(
            matches!(Prefix::tenant(name), Err(Error::InvalidKey { .. })),
            "{name}"
        );
        assert!(
            matches!(
                SideKey::new("t", "ips", name),
                Err(Error::InvalidKey { .. })
            ),
            "{name}"
        );
    }
}

fn batches_are_all_or_nothing(rig: &Rig) {
    let a = rig.create(&Pod::new("ns", "a")).unwrap();
    let before = rig.revision();
    let side = SideKey::new("t", "ips", "10.0.0.1").unwrap();
    let b = Pod::new("ns", "b");
    let batch = |precondition| {
        Batch::new()
            .side(Side::Create(side.clone(), "a".into()))
            .create(b.key(), b.encoded())
            .with(a.key(), precondition, Change::Delete)
    };
    let refused = [
        (Precondition::Absent, "exists"),
        (
            Precondition::Revision(Revision(a.revision + 1)),
            "is at revision",
        ),
    ];
    for (precondition, reason) in refused {
        let error = rig
            .store
            .write(batch(precondition))
            .wait()
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
    let twice = batch(Precondition::Any).create(b.key(), b.encoded());
    assert!(matches!(
        rig.store.write(twice).wait(),
        Err(Error::InvalidKey { .. })
    ));
    let missing = Pod::new("ns", "missing").key();
    for change in [Change::Check, Change::Delete] {
        let operation = Operation {
            key: missing.clone(),
            precondition: Precondition::Present,
            change,
        };
        let mut refused = batch(Precondition::Any);
        refused.operations.push(operation);
        assert!(matches!(
            rig.store.write(refused).wait(),
            Err(Error::NotFound { .. })
        ));
    }
    assert_eq!(rig.revision(), before);
    assert!(rig.get(&b).unwrap().is_none());
    assert_eq!(rig.store.side(&side).unwrap(), None);
    let written = rig
        .store
        .write(batch(Precondition::Present))
        .wait()
        .unwrap();
    assert_eq!(written.revision.0, before.0 + 2);
    let revisions: Vec<_> = written
        .entries
        .iter()
        .flatten()
        .map(|entry| entry.revision.0)
        .collect();
    assert_eq!(revisions, [before.0 + 1, before.0 + 2]);
    // A failed batch leaves no trace behind, whatever came before its failure.
    assert_eq!(rig.store.check().unwrap().problems, Vec::<String>::new());
}

fn side_records(rig: &Rig) {
    let side = |name: &str| SideKey::new("t", "ips", name).unwrap();
    let before = rig.revision();
    let create = |name: &str, owner: &'static str| {
        rig.store
            .write(Batch::new().side(Side::Create(side(name), owner.into())))
            .wait()
    };
    create("10.0.0.2", "b").unwrap();
    create("10.0.0.1", "a").unwrap();
    let Err(Error::SideExists { value, .. }) = create("10.0.0.1", "c") else {
        panic!()
    };
    assert_eq!(value, "a");
    assert_eq!(rig.store.side(&side("10.0.0.2")).unwrap().unwrap(), "b");
    let names = |space| -> Vec<String> {
        rig.store
            .sides("t", space)
            .unwrap()
            .iter()
            .map(|(key, _)| key.name().to_owned())
            .collect()
    };
    assert_eq!(names("ips"), ["10.0.0.1", "10.0.0.2"]);
    assert!(names("ip").is_empty());
    let moved = Batch::new()
        .side(Side::Create(side("10.0.0.1"), "c".into()))
        .side(Side::Delete(side("10.0.0.1")));
    rig.store.write(moved).wait().unwrap();
    assert_eq!(rig.store.side(&side("10.0.0.1")).unwrap().unwrap(), "c");
    rig.store
        .write(Batch::new().side(Side::Delete(side("10.0.0.1"))))
        .wait()
        .unwrap();
    assert_eq!(names("ips"), ["10.0.0.2"]);
    assert_eq!(rig.revision(), before);
}

fn revisions_have_no_gaps(rig: &Rig) {
    let mut expected = rig.revision().0;
    for round in 0..20 {
        let pod = Pod::new("ns", &format!("p{}", round % 3));
        expected += 1;
        assert_eq!(rig.put(&pod).revision, expected);
        let _ = rig.create(&pod).unwrap_err();
    }
}

fn history_is_bounded(rig: &Rig) {
    // The bounds of the rig are the default ones; only the one of age can be reached with a clock.
    for round in 0..10 {
        rig.put(&Pod::new("ns", &format!("p{round}")));
    }
    let before = rig.store.compacted_revision().unwrap();
    rig.pass(3601);
    let last = rig.put(&Pod::new("ns", "last")).revision;
    assert!(rig.store.compacted_revision().unwrap() > before);
    assert_eq!(rig.store.compacted_revision().unwrap(), Revision(last - 1));
    let report = rig.store.check().unwrap();
    assert_eq!(
        (report.problems, report.objects, report.log_entries),
        (vec![], 11, 1)
    );
}
