// SPDX-License-Identifier: Apache-2.0
//! Watches: starts, ends, errors, slow readers, bookmarks.

use std::sync::Arc;

use crate::conformance::interface::{Seen, Selector, Watching, watch};
use crate::conformance::{NOT, Pod, Rig, SOON, conformance, pods};
use crate::{Batch, Change, Error, Event, EventKind, Precondition, Prefix, Revision, Watcher};

conformance!(
    watch_scripts,
    watch_from_zero,
    delete_trigger_watch,
    watch_from_non_zero,
    delayed_watch_delivery,
    watch_error,
    watch_with_unsafe_delete,
    watch_context_cancel,
    watcher_timeout,
    watch_delete_event_object_have_latest_rv,
    watch_initialization_signal,
    progress_notify,
    watch_dispatch_bookmark_events,
    optional_watch_bookmarks_with_correct_resource_version,
    send_initial_events_backward_compatibility,
    watch_semantic_initial_events_extended,
    watch_list_match_single,
    watch_error_is_blocking_further_events,
    slow_watchers_reread_the_log,
    compaction_ends_watchers_that_need_it,
    replay_equals_live,
);

fn next(watcher: &mut Watcher) -> Arc<Event> {
    watcher.next_timeout(SOON).unwrap().unwrap()
}

/// `key or not | selector | steps`; a step writes notes or deletes, and says what is seen.
const SCRIPTS: &str = "
 | | +x A
 | note=yes | +no . +yes A
 | | +x A +y M
 | note=yes | +yes A +no D
 | note!=no | +no . +yes A +no D +yes A +more M - D
a | | +x A
a | note=yes | +no . +yes A
a | | +x A +y M
a | note=yes | +yes A +no D
a | note!=no | +no . +yes A +no D +yes A +more M - D
";

fn watch_scripts(rig: &Rig) {
    for line in SCRIPTS.lines().filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, selector, steps] = cells[..] else {
            panic!("{line}")
        };
        let mut watch = watch(
            rig,
            &Watching {
                namespace: Some("ns".to_owned()),
                name: Some(name.to_owned()).filter(|name| !name.is_empty()),
                selector: Selector::parse(selector),
                ..Watching::default()
            },
        )
        .unwrap();
        let pod = Pod::new("ns", "a");
        let mut before = pod.clone();
        let steps: Vec<&str> = steps.split(' ').collect();
        for step in steps.chunks(2) {
            rig.put(&Pod::new("elsewhere", "a").note("yes"));
            let written = match step[0].strip_prefix('+') {
                Some(note) => rig.put(&pod.clone().note(note)),
                None => rig.delete(&pod),
            };
            let expected = match step[1] {
                "A" => Seen::Added(written.clone()),
                "M" => Seen::Modified(written.clone()),
                // The state that matched last, with the revision of the change.
                "D" => Seen::Deleted(Pod {
                    revision: written.revision,
                    ..before.clone()
                }),
                _ => {
                    assert!(watch.is_quiet(), "{line}");
                    before = written;
                    continue;
                }
            };
            assert_eq!(watch.next(), expected, "{line}");
            before = written;
        }
        assert!(watch.is_quiet(), "{line}");
        if rig.get(&pod).unwrap().is_some() {
            rig.delete(&pod);
        }
    }
}

fn watch_from_zero(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let zero = Watching {
        version: Some(0),
        ..Watching::default()
    };
    let mut first = watch(rig, &zero).unwrap();
    assert_eq!(first.next(), Seen::Added(created.clone()));
    let updated = rig.put(&created.content().note("x"));
    assert_eq!(first.next(), Seen::Modified(updated.clone()));
    assert_eq!(
        watch(rig, &zero).unwrap().next(),
        Seen::Added(updated.clone())
    );
    rig.store.compact(rig.revision()).unwrap();
    assert_eq!(watch(rig, &zero).unwrap().next(), Seen::Added(updated));
    let old = rig.store.watch(&pods(), Revision(created.revision));
    let Err(Error::Compacted { requested, oldest }) = old else {
        panic!()
    };
    assert_eq!((requested.0, oldest), (created.revision, rig.revision()));
}

fn delete_trigger_watch(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let mut watcher = rig.store.watch(&pods(), rig.revision()).unwrap();
    rig.delete(&created);
    assert_eq!(next(&mut watcher).kind, EventKind::Deleted);
}

fn watch_from_non_zero(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let mut watcher = rig
        .store
        .watch(&Prefix::object(&created.key()), Revision(created.revision))
        .unwrap();
    rig.put(&created.content().note("x"));
    let event = next(&mut watcher);
    assert_eq!(
        (event.kind, event.revision.0),
        (EventKind::Updated, created.revision + 1)
    );
    assert!(watcher.next_timeout(NOT).is_none());
}

fn delayed_watch_delivery(rig: &Rig) {
    let start = rig.revision();
    let mut watcher = rig.store.watch(&pods(), start).unwrap();
    for round in 0..21 {
        rig.put(&Pod::new("ns", "a").note(&round.to_string()));
    }
    for round in 1..=21 {
        assert_eq!(next(&mut watcher).revision.0, start.0 + round);
    }
}

fn watch_error(rig: &Rig) {
    let start = rig.revision();
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    rig.damage(&created.key());
    let mut watcher = rig.store.watch(&pods(), start).unwrap();
    assert!(matches!(
        watcher.next_timeout(SOON),
        Some(Err(Error::Corrupt { .. }))
    ));
    assert!(watcher.next_timeout(SOON).is_none());
}

fn watch_with_unsafe_delete(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let mut live = watch(
        rig,
        &Watching {
            version: Some(created.revision),
            ..Watching::default()
        },
    )
    .unwrap();
    rig.damage(&created.key());
    let delete = |change| {
        rig.store
            .write(Batch::new().with(created.key(), Precondition::Any, change))
            .wait()
    };
    assert!(matches!(delete(Change::Delete), Err(Error::Corrupt { .. })));
    delete(Change::DeleteCorrupt).unwrap();
    let error = Seen::Error("saw a DELETED event, but object data is corrupt".to_owned());
    assert_eq!(live.next(), error);
    let mut replayed = watch(
        rig,
        &Watching {
            version: Some(created.revision),
            ..Watching::default()
        },
    )
    .unwrap();
    assert_eq!(replayed.next(), error);
    assert_eq!(replayed.next(), Seen::Closed);
}

/// A watch that is given up before anything came costs and hurts nothing.
fn watch_context_cancel(rig: &Rig) {
    for _ in 0..3 {
        drop(rig.store.watch(&pods(), rig.revision()).unwrap());
        rig.put(&Pod::new("ns", "a"));
    }
}

fn watcher_timeout(rig: &Rig) {
    let start = rig.revision();
    let mut sleepers: Vec<_> = (0..50)
        .map(|_| rig.store.watch(&pods(), start).unwrap())
        .collect();
    let mut reader = rig.store.watch(&pods(), start).unwrap();
    for number in 0..22 {
        rig.create(&Pod::new("ns", &format!("p{number}"))).unwrap();
        assert_eq!(next(&mut reader).kind, EventKind::Created);
    }
    assert_eq!(next(&mut sleepers[49]).revision, start.next());
}

fn watch_delete_event_object_have_latest_rv(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let mut live = rig.store.watch(&pods(), rig.revision()).unwrap();
    let deleted = rig.delete(&created);
    let mut replayed = rig
        .store
        .watch(&pods(), Revision(created.revision))
        .unwrap();
    for watcher in [&mut live, &mut replayed] {
        let event = next(watcher);
        assert_eq!(Pod::decode(&event.value), deleted);
        assert_eq!(event.revision.0, deleted.revision);
        assert_eq!(Pod::decode(event.previous.as_ref().unwrap()), created);
    }
    assert_ne!(deleted.revision, created.revision);
}

/// A watch is established when the call returns: nothing that is written behind it is missed.
fn watch_initialization_signal(rig: &Rig) {
    let mut watcher = rig.store.watch(&pods(), rig.revision()).unwrap();
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    assert_eq!(next(&mut watcher).revision.0, created.revision);
}

fn progress_notify(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let mut watcher = rig
        .store
        .watch(&pods(), Revision(created.revision))
        .unwrap();
    assert_eq!(watcher.progress().0, created.revision);
    let last = rig.unrelated();
    assert!(watcher.next_timeout(NOT).is_none());
    assert_eq!(watcher.progress(), last);
    // What has not been handed out must not be skipped.
    let second = rig.create(&Pod::new("ns", "b")).unwrap();
    rig.unrelated();
    assert!(watcher.progress().0 < second.revision);
    next(&mut watcher);
    assert_eq!(watcher.progress(), rig.revision());
}

fn watch_dispatch_bookmark_events(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let namespace = Some("ns".to_owned());
    let mut watch = watch(
        rig,
        &Watching {
            namespace,
            version: Some(created.revision),
            ..Watching::default()
        },
    )
    .unwrap();
    let elsewhere = rig.create(&Pod::new("elsewhere", "a")).unwrap();
    assert!(watch.is_quiet());
    assert_eq!(watch.bookmark(), elsewhere.revision);
}

fn optional_watch_bookmarks_with_correct_resource_version(rig: &Rig) {
    let mut watcher = rig.store.watch(&pods(), rig.revision()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..100 {
                rig.create(&Pod::new("ns", &format!("p{number}"))).unwrap();
            }
        });
        let mut seen = 0;
        let mut newest = 0;
        while seen < 100 {
            let bookmark = watcher.progress().0;
            assert!(bookmark >= newest);
            newest = bookmark;
            let event = next(&mut watcher);
            assert!(
                event.revision.0 > newest,
                "{event:?} after a bookmark at {newest}"
            );
            newest = event.revision.0;
            seen += 1;
        }
    });
}

fn send_initial_events_backward_compatibility(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let mut watch = watch(
        rig,
        &Watching {
            initial: Some(true),
            ..Watching::default()
        },
    )
    .unwrap();
    assert_eq!(watch.next(), Seen::Added(created));
    assert!(watch.is_quiet());
}

fn watch_semantic_initial_events_extended(rig: &Rig) {
    let written: Vec<Pod> = (0..5)
        .map(|n| rig.create(&Pod::new("ns", &format!("p{n}"))).unwrap())
        .collect();
    let sixth = rig.create(&Pod::new("elsewhere", "p5")).unwrap();
    let namespace = Some("ns".to_owned());
    let watching = Watching {
        namespace,
        initial: Some(true),
        bookmarks: true,
        ..Watching::default()
    };
    let mut watch = watch(rig, &watching).unwrap();
    for pod in written {
        assert_eq!(watch.next(), Seen::Added(pod));
    }
    assert_eq!(watch.next(), Seen::Initial(sixth.revision));
    assert!(watch.is_quiet());
}

fn watch_list_match_single(rig: &Rig) {
    let a = rig.create(&Pod::new("ns", "a")).unwrap();
    let last = rig.create(&Pod::new("ns", "b")).unwrap();
    let selector = Selector::parse("name=a");
    let watching = Watching {
        selector,
        initial: Some(true),
        bookmarks: true,
        ..Watching::default()
    };
    let mut watch = watch(rig, &watching).unwrap();
    assert_eq!(watch.next(), Seen::Added(a));
    assert_eq!(watch.next(), Seen::Initial(last.revision));
}

fn watch_error_is_blocking_further_events(rig: &Rig) {
    let start = rig.revision();
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    rig.damage(&created.key());
    rig.create(&Pod::new("ns", "b")).unwrap();
    let mut watchers: Vec<_> = (0..10)
        .map(|_| rig.store.watch(&pods(), start).unwrap())
        .collect();
    for watcher in &mut watchers {
        assert!(matches!(
            watcher.next_timeout(SOON),
            Some(Err(Error::Corrupt { .. }))
        ));
    }
    rig.create(&Pod::new("ns", "c")).unwrap();
    for watcher in &mut watchers {
        assert!(watcher.next_timeout(NOT).is_none());
    }
}

fn slow_watchers_reread_the_log(rig: &Rig) {
    let start = rig.revision();
    let mut watcher = rig.store.watch(&pods(), start).unwrap();
    // Three times its buffer.
    for round in 0..3000 {
        rig.put(&Pod::new("ns", &format!("p{}", round % 7)).note(&round.to_string()));
    }
    for round in 0..3000 {
        let event = next(&mut watcher);
        assert_eq!(event.revision.0, start.0 + 1 + round);
        assert_eq!(Pod::decode(&event.value).note, round.to_string());
    }
    assert_eq!(watcher.progress(), rig.revision());
    rig.put(&Pod::new("ns", "last"));
    assert_eq!(next(&mut watcher).key.name(), "last");
}

fn compaction_ends_watchers_that_need_it(rig: &Rig) {
    let start = rig.revision();
    let mut slow = rig.store.watch(&pods(), start).unwrap();
    let mut quiet = rig
        .store
        .watch(&Prefix::namespace("t", "pods", "quiet").unwrap(), start)
        .unwrap();
    for round in 0..1500 {
        rig.put(&Pod::new("ns", "a").note(&round.to_string()));
    }
    rig.store.compact(rig.revision()).unwrap();
    for _ in 0..1000 {
        next(&mut slow);
    }
    assert!(matches!(
        slow.next_timeout(SOON),
        Some(Err(Error::Compacted { .. }))
    ));
    assert!(slow.next_timeout(SOON).is_none());
    // One that has missed nothing goes on.
    let written = rig.put(&Pod::new("quiet", "a"));
    assert_eq!(next(&mut quiet).revision.0, written.revision);
}

fn replay_equals_live(rig: &Rig) {
    let start = rig.revision();
    let mut live = rig.store.watch(&pods(), start).unwrap();
    for round in 0..100 {
        let pod = Pod::new("ns", &format!("p{}", round % 5)).note(&round.to_string());
        if round % 4 == 3 && rig.get(&pod).unwrap().is_some() {
            rig.delete(&pod);
        } else {
            rig.put(&pod);
        }
    }
    let mut replayed = rig.store.watch(&pods(), start).unwrap();
    while let Some(event) = live.next_timeout(NOT) {
        let (live, replayed) = (event.unwrap(), next(&mut replayed));
        let all = |event: &Event| {
            (
                event.revision,
                event.key.clone(),
                event.kind,
                event.value.clone(),
                event.previous.clone(),
            )
        };
        assert_eq!(all(&live), all(&replayed));
    }
    assert_eq!(replayed.progress(), rig.revision());
}
