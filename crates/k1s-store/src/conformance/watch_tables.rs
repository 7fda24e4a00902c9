// SPDX-License-Identifier: Apache-2.0
//! Watches: the tables of scoped watches and of the semantics of their start.

use crate::conformance::interface::{Seen, Selector, Watching, watch};
use crate::conformance::{Pod, Rig, conformance};

conformance!(
    cluster_scoped_watch,
    namespace_scoped_watch,
    watch_semantics
);

/// `namespace | name | selector | steps`: `+` creates, `~` changes, `>` moves to a node; what is seen
/// stands behind: A, M, D or nothing.
const CLUSTER_SCOPED: &str = "
 | | | +foo1 A ~foo1 M +foo2[bar1] A
 | | node=bar1 | +foo1 . >foo1[bar1] A
 | | node!=bar1 | +foo1 A +foo2 A ~foo1 M >foo1[bar1] D
 | foo1 | name=foo1 | +foo1 A +foo2 . ~foo1 M ~foo2 .
 | foo1 | name=foo1,node=bar1 | +foo1 . +foo2 . ~foo1 . ~foo2 . >foo1[bar1] A
 | foo1 | name=foo1,node!=bar1 | +foo1 A +foo2 . ~foo1 M >foo1[bar1] D >foo2[bar1] .
";

const NAMESPACE_SCOPED: &str = "
 | | | +foo1@ns1 A +foo2@ns2 A ~foo1@ns1 M ~foo2@ns2 M
 | | namespace=ns1 | +foo1@ns1 A +foo1@ns2 . ~foo1@ns1 M ~foo1@ns2 .
 | | node=bar1 | +foo1@ns1 . +foo2@ns2 . >foo1@ns1[bar1] A >foo2@ns2[bar1] A
 | | node!=bar1 | +foo1@ns1 A +foo2@ns2 A ~foo1@ns1 M >foo1@ns1[bar1] D
ns1 | | | +foo1@ns1 A +foo1@ns2 . +foo2@ns1 A ~foo1@ns1 M ~foo1@ns2 .
ns1 | | namespace=ns1 | +foo1@ns1 A +foo1@ns2 . ~foo1@ns1 M
ns1 | | namespace=ns2 | +foo1@ns1 . +foo1@ns2 . ~foo1@ns1 .
ns1 | | node=bar2 | +foo1@ns1 . >foo1@ns1[bar1] . >foo1@ns2[bar2] . >foo1@ns1[bar2] A
ns2 | | node!=bar1 | +foo1@ns1 . +foo1@ns2 A >foo1@ns2[bar1] D >foo1@ns2[bar2] A
 | foo1 | name=foo1 | +foo1@ns1 A +foo1@ns2 A +foo2@ns1 . ~foo1@ns1 M >foo1@ns1[bar1] M
 | foo1 | name=foo1,namespace=ns1 | +foo1@ns1 A +foo2@ns1 . +foo1@ns2 . ~foo1@ns1 M >foo1@ns1[bar1] M
 | foo1 | name=foo1,node=bar1 | +foo1@ns1 . ~foo1@ns1 . >foo1@ns1[bar1] A
 | foo1 | name=foo1,node!=bar1 | +foo1@ns1 A +foo2@ns1 . ~foo1@ns1 M >foo1@ns1[bar1] D >foo1@ns1[bar2] A
ns1 | foo1 | name=foo1 | +foo1@ns1 A +foo2@ns1 . ~foo1@ns1 M >foo1@ns1[bar1] M
ns1 | foo2 | name=foo2,namespace=ns1 | +foo1@ns1 . +foo2@ns1 A ~foo1@ns1 . >foo2@ns1[bar1] M
ns1 | foo1 | name=foo1,namespace=ns1,node=bar1 | +foo1@ns1 . +foo2@ns1 . +foo1@ns2 . ~foo1@ns1 . >foo1@ns1[bar1] A
ns1 | foo2 | name=foo2,namespace=ns1,node!=bar1 | +foo1@ns1 . +foo2@ns2 . +foo2@ns1 A ~foo2@ns1 M >foo2@ns1[bar1] D
";

fn cluster_scoped_watch(rig: &Rig) {
    run(rig, CLUSTER_SCOPED, 6);
}

fn namespace_scoped_watch(rig: &Rig) {
    run(rig, NAMESPACE_SCOPED, 17);
}

fn run(rig: &Rig, table: &str, count: usize) {
    let lines: Vec<&str> = table.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), count);
    for line in lines {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [namespace, name, selector, steps] = cells[..] else {
            panic!("{line}")
        };
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let selector = Selector::parse(selector);
        let watching = Watching {
            namespace: some(namespace),
            name: some(name),
            selector,
            ..Watching::default()
        };
        let mut watch = watch(rig, &watching).unwrap();
        let mut written: Vec<Pod> = Vec::new();
        for step in steps.split(' ').collect::<Vec<_>>().chunks(2) {
            let (verb, target) = step[0].split_at(1);
            let target = Pod::parse(target);
            let before = rig.get(&target).unwrap();
            let next = match (verb, &before) {
                ("~", Some(before)) => before.content().note(&format!("{}x", before.note)),
                (">", Some(before)) => before.content().on(&target.node),
                _ => target,
            };
            let after = rig.put(&next);
            written.push(after.clone());
            match step[1] {
                "A" => assert_eq!(watch.next(), Seen::Added(after), "{line}"),
                "M" => assert_eq!(watch.next(), Seen::Modified(after), "{line}"),
                "D" => {
                    let gone = Pod {
                        revision: after.revision,
                        ..before.unwrap()
                    };
                    assert_eq!(watch.next(), Seen::Deleted(gone), "{line}");
                }
                _ => assert!(watch.is_quiet(), "{line}: {step:?}"),
            }
        }
        for pod in written {
            if rig.get(&pod).unwrap().is_some() {
                rig.delete(&pod);
            }
        }
    }
}

/// `version | bookmarks | sendInitialEvents | what is seen of the objects 1 to 3`: `added`, with the
/// `end` bookmark, or nothing. Objects 4 and 5 always follow.
const SEMANTICS: &str = "
unset | yes | true | added end
0 | yes | true | added end
1 | yes | true | added end
current | yes | true | added end
unset | yes | false |
0 | yes | false |
1 | yes | false | added
current | yes | false |
unset | no | false |
0 | no | false |
1 | no | false | added
current | no | false |
unset | no | true | added
0 | no | true | added
1 | no | true | added
current | no | true | added
0 | no | unset | added
unset | no | unset | added
";

fn watch_semantics(rig: &Rig) {
    let lines: Vec<&str> = SEMANTICS.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), 18);
    for line in lines {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [version, bookmarks, initial, expected] = cells[..] else {
            panic!("{line}")
        };
        let old = rig.revision().0;
        let create = |n: u32| rig.create(&Pod::new("ns", &format!("p{n}"))).unwrap();
        let first: Vec<Pod> = (1..=3).map(create).collect();
        let current = rig.revision().0;
        let watching = Watching {
            version: match version {
                "unset" => None,
                "0" => Some(0),
                "1" => Some(old),
                _ => Some(current),
            },
            initial: initial.parse().ok(),
            bookmarks: bookmarks == "yes",
            ..Watching::default()
        };
        let mut watch = watch(rig, &watching).unwrap();
        let later: Vec<Pod> = (4..=5).map(create).collect();
        if expected.contains("added") {
            for pod in &first {
                assert_eq!(watch.next(), Seen::Added(pod.clone()), "{line}");
            }
        }
        if expected.contains("end") {
            assert_eq!(watch.next(), Seen::Initial(current), "{line}");
        }
        for pod in &later {
            assert_eq!(watch.next(), Seen::Added(pod.clone()), "{line}");
        }
        assert!(watch.is_quiet(), "{line}");
        first
            .iter()
            .chain(&later)
            .for_each(|pod| drop(rig.delete(pod)));
    }
}
