// SPDX-License-Identifier: Apache-2.0
//! GuaranteedUpdate.

use crate::conformance::{Pod, Rig, SOON, conformance, pods};
use crate::{
    Batch, Entry, Error, EventKind, Revision, Ttl, Update, Updating, guaranteed_update, wait,
};

conformance!(
    guaranteed_update_table,
    guaranteed_update_with_ttl,
    guaranteed_update_checks_stored_data,
    guaranteed_update_with_conflict,
    guaranteed_update_with_suggestion_and_conflict,
    guaranteed_update_of_what_goes_away,
);

#[derive(Debug)]
enum Refusal {
    Store(Error),
    InvalidObject,
    Conflict,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

fn update(
    rig: &Rig,
    pod: &Pod,
    create: bool,
    suggestion: Option<Entry>,
    mut change: impl FnMut(Option<Pod>) -> Result<Pod, Refusal>,
) -> Result<Pod, Refusal> {
    let how = Updating {
        create,
        suggestion,
        precondition: None,
    };
    let updated = wait(guaranteed_update(&*rig.store, &pod.key(), how, |entry| {
        Ok(Update::to(change(entry.map(Pod::of))?.encoded()))
    }));
    updated.map(|entry| Pod::of(&entry))
}

fn guaranteed_update_table(rig: &Rig) {
    let pod = Pod::new("ns", "a").uid("A");
    let missing = update(rig, &pod, false, None, |_| Ok(pod.clone()));
    assert!(matches!(
        missing,
        Err(Refusal::Store(Error::NotFound { .. }))
    ));
    let created = update(rig, &pod, true, None, |current| {
        assert_eq!(current, None);
        Ok(pod.clone())
    })
    .unwrap();
    assert_eq!(created.content(), pod);

    // `uid | note | whether the revision moves`; none is a refusal.
    let cases = [
        ("A", "", Some(false)),
        ("A", "changed", Some(true)),
        ("A", "changed", Some(false)),
        ("B", "other", None),
    ];
    for (uid, note, moves) in cases {
        let before = rig.get(&pod).unwrap().unwrap();
        let precondition = |entry: &Entry| {
            if Pod::of(entry).uid == uid {
                Ok(())
            } else {
                Err(Refusal::InvalidObject)
            }
        };
        for suggestion in [None, rig.store.get(&pod.key()).unwrap()] {
            let how = Updating {
                create: false,
                suggestion,
                precondition: Some(&precondition),
            };
            let updated = wait(guaranteed_update(&*rig.store, &pod.key(), how, |_| {
                Ok(Update::to(pod.clone().note(note).encoded()))
            }));
            match moves {
                Some(_) => assert_eq!(Pod::of(&updated.unwrap()).note, note),
                None => assert!(matches!(updated, Err(Refusal::InvalidObject))),
            }
        }
        let moved = rig.get(&pod).unwrap().unwrap().revision - before.revision;
        assert_eq!(moved, u64::from(moves == Some(true)), "{uid} {note}");
    }
}

fn guaranteed_update_with_ttl(rig: &Rig) {
    let pod = Pod::new("ns", "a");
    let start = rig.revision();
    let how = Updating {
        create: true,
        ..Updating::default()
    };
    let created = wait(guaranteed_update::<Refusal>(
        &*rig.store,
        &pod.key(),
        how,
        |_| {
            Ok(Update {
                encoded: pod.encoded(),
                ttl: Ttl::For(SOON),
                with: Batch::new(),
            })
        },
    ));
    assert!(created.unwrap().expires.is_some());
    // It keeps its time when it is updated.
    update(rig, &pod, false, None, |_| Ok(pod.clone().note("x"))).unwrap();
    let mut watcher = rig.store.watch(&pods(), start).unwrap();
    rig.pass(11);
    rig.unrelated();
    let kinds: Vec<_> = (0..3)
        .map(|_| watcher.next_timeout(SOON).unwrap().unwrap().kind)
        .collect();
    assert_eq!(
        kinds,
        [EventKind::Created, EventKind::Updated, EventKind::Deleted]
    );
}

fn guaranteed_update_checks_stored_data(rig: &Rig) {
    let pod = Pod::new("ns", "a").note("content");
    // The same object in other bytes, as an older version of the program may have stored it.
    let mut other = pod.encoded();
    other.bytes.push(b' ');
    let stored = rig
        .store
        .write(Batch::new().create(pod.key(), other))
        .wait()
        .unwrap();
    let stored = stored.into_entry().unwrap();
    let suggestion = Some(stored.clone());
    let updated = update(rig, &pod, false, suggestion, |_| Ok(pod.clone())).unwrap();
    assert!(updated.revision > stored.revision.0);
    let again = update(rig, &pod, false, None, |_| Ok(pod.clone())).unwrap();
    assert_eq!(again.revision, updated.revision);
    // A suggestion with the right bytes does not hide that others are stored.
    let right = rig.store.get(&pod.key()).unwrap();
    rig.put(&pod.clone().note("changed"));
    let back = update(rig, &pod, false, right, |_| Ok(pod.clone())).unwrap();
    assert_eq!(rig.get(&pod).unwrap().unwrap(), back);
    assert!(back.revision > again.revision);
}

fn guaranteed_update_with_conflict(rig: &Rig) {
    let pod = Pod::new("ns", "a");
    rig.create(&pod).unwrap();
    let mut calls = 0;
    let updated = update(rig, &pod, false, None, |current| {
        calls += 1;
        if calls == 1 {
            update(rig, &pod, false, None, |_| Ok(pod.clone().note("first"))).unwrap();
        }
        let current = current.unwrap();
        Ok(current.content().note(&format!("{}second", current.note)))
    })
    .unwrap();
    assert_eq!((updated.note.as_str(), calls), ("firstsecond", 2));
}

fn guaranteed_update_with_suggestion_and_conflict(rig: &Rig) {
    let pod = Pod::new("ns", "a");
    rig.create(&pod).unwrap();
    let stale = rig.store.get(&pod.key()).unwrap();
    let current = rig.put(&pod.clone().note("current"));
    let mut calls = 0;
    let updated = update(rig, &pod, false, stale, |found| {
        calls += 1;
        if found.unwrap().note == "current" {
            Ok(pod.clone().note("updated"))
        } else {
            Err(Refusal::Conflict)
        }
    });
    assert_eq!((updated.unwrap().note.as_str(), calls), ("updated", 2));
    let fresh = rig.store.get(&pod.key()).unwrap();
    assert!(fresh.as_ref().unwrap().revision > Revision(current.revision));
    let mut calls = 0;
    let refused = update(rig, &pod, false, fresh, |_| {
        calls += 1;
        Err(Refusal::Conflict)
    });
    assert!(matches!(refused, Err(Refusal::Conflict)));
    assert!(calls <= 2);
}

fn guaranteed_update_of_what_goes_away(rig: &Rig) {
    let pod = Pod::new("ns", "a");
    for create in [false, true] {
        rig.create(&pod).unwrap();
        let mut calls = 0;
        let updated = update(rig, &pod, create, None, |_| {
            calls += 1;
            if calls == 1 {
                rig.delete(&pod);
            }
            Ok(pod.clone().note("updated"))
        });
        match create {
            false => assert!(matches!(
                updated,
                Err(Refusal::Store(Error::NotFound { .. }))
            )),
            true => assert_eq!(updated.unwrap().note, "updated"),
        }
    }
}

/// A server runs these on whatever thread is free.
#[test]
fn the_loops_can_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let rig = Rig::in_memory();
    let key = Pod::new("ns", "a").key();
    let how = Updating {
        create: true,
        ..Updating::default()
    };
    let store = &*rig.store;
    let updated = guaranteed_update::<Error>(store, &key, how, |_| {
        Ok(Update::to(Pod::new("ns", "a").encoded()))
    });
    wait(is_send(updated)).unwrap();
    let how = crate::Deletion::default();
    let deleted = crate::delete::<Error>(store, &key, how, |_| Ok(Batch::new()));
    wait(is_send(deleted)).unwrap();
    is_send(store.watch(&pods(), rig.revision()).unwrap());
}
