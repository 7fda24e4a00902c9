// SPDX-License-Identifier: Apache-2.0
//! Lists: the table of 86, paging, consistency.

use crate::conformance::interface::{List, Listing, Refused, Selector, list};
use crate::conformance::{Pod, Rig, conformance};
use crate::{ListRequest, Prefix, Revision};

conformance!(
    list_table,
    consistent_list,
    get_list_non_recursive,
    get_list_recursive_prefix,
    get_list_with_error_aggregation,
    get_list_without_error_aggregation,
    list_continuation,
    list_pagination_rare_object,
    list_continuation_with_filter,
    list_inconsistent_continuation,
    list_resource_version_match,
    list_paging,
    namespace_scoped_list,
    compact_revision,
);

/// `number | namespace | version | match | limit | selector | token | items or error | metadata`.
///
/// Pods p0 to p5 were written at r0 to r5, p0 again at r6 (then written p0'), p5 was deleted at L.
const LISTS: &str = "
1 | | abc | | | | | error |
2 | | 1 | | 1 | | foo@L | error |
3 | | max | | | | | too large |
4 | first | | | | | | p0' | no token
5 | first | 0 | | | | | p0' | no token
6 | first | r0 | Exact | | | | p0 | rv=r0 no token
7 | second | r0 | Exact | | | | | rv=r0 no token
8 | second | r1 | Exact | | | | p1 | rv=r1 no token
9 | first | R0 | Exact | | | | list too old |
10 | first | 0 | NOT | | | | p0' | no token
11 | first | 0 | Invalid | | | | error |
12 | first | R0 | NOT | | | | p0' | no token
13 | first | R0 | Invalid | | | | error |
14 | first | L | | | | | p0' | no token
15 | first | L | Exact | | | | p0' | rv=L no token
16 | first | L | NOT | | | | p0' | no token
17 | non-existing | | | | | | | no token
18 | first | | | | name!=bar | | | no token
19 | first | L | NOT | | name!=bar | | | no token
20 | second | | | 1 | | | p1 | rv=L+1 token=bar+@L+1 left=1
21 | second | L | | 1 | | | p1 | rv=L token=bar+@L left=1
22 | second | L | Exact | 1 | | | p1 | rv=L token=bar+@L left=1
23 | second | L | NOT | 1 | | | p1 | rv=L+1 token=bar+@L+1 left=1
24 | second | 0 | | 1 | | | p1 | rv=L+1 token=bar+@L+1 left=1
25 | second | 0 | NOT | 1 | | | p1 | rv=L+1 token=bar+@L+1 left=1
26 | second | r0 | Exact | 1 | | | | rv=r0 no token
27 | second | r1 | Exact | 1 | | | p1 | rv=r1 no token
28 | second | | | 1 | | foo@L | p2 | no token
29 | second | 0 | | 1 | | foo@L | p2 | no token
30 | second | | | | | | p1 p2 | no token
31 | second | L | NOT | | | | p1 p2 | no token
32 | | | | 1 | name=barfoo | | p3 | token=third/barfoo+@L+1
33 | | L | NOT | 1 | name=barfoo | | p3 | token=third/barfoo+@L+1
34 | | | | 2 | name=barfoo | | p3 | no token
35 | | L | NOT | 2 | name=barfoo | | p3 | no token
36 | | 0 | | 2 | name=barfoo | | p3 | no token
37 | | | | 2 | name=bar | | p0' p1 | token=second/bar+@L+1
38 | | L | NOT | 2 | name=bar | | p0' p1 | token=second/bar+@L+1
39 | | | | 2 | name=foo | | p2 p4 | no token
40 | | L | NOT | 2 | name=foo | | p2 p4 | no token
41 | | | | 2 | name=foo | third/barfoo@L | p4 | no token
42 | | | | 1 | name=foo | third/barfoo@L | p4 | no token
43 | | | | 2 | name=foo | third/barfoo@L | p4 | no token
44 | | | | 5 | name=foo | | p2 p4 | no token
45 | | L | NOT | 5 | name=foo | | p2 p4 | no token
46 | | | | 5 | name=barfoo | | p3 | no token
47 | | L | NOT | 5 | name=barfoo | | p3 | no token
48 | | | | | | | p0' p1 p2 p3 p4 | no token
49 | | L | NOT | | | | p0' p1 p2 p3 p4 | no token
50 | | L | NOT | 5 | node=fakeNode | | p0' | no token
51 | | L | NOT | 5 | name=baz | | | no token
52 | empty | | | | | | | rv=L+1 no token
53 | empty | 0 | | | | | | rv=L+1 no token
54 | | R0 | Exact | | | | list too old |
55 | | r0 | Exact | | | | p0 | rv=r0 no token
56 | | r1 | Exact | | | | p0 p1 | rv=r1 no token
57 | | r2 | Exact | | | | p0 p1 p2 | rv=r2 no token
58 | | r3 | Exact | | | | p0 p1 p2 p3 | rv=r3 no token
59 | | r4 | Exact | | | | p0 p1 p2 p3 p4 | rv=r4 no token
60 | | r5 | Exact | | | | p0 p1 p5 p2 p3 p4 | rv=r5 no token
61 | | r6 | Exact | | | | p0' p1 p5 p2 p3 p4 | rv=r6 no token
62 | | L | Exact | | | | p0' p1 p2 p3 p4 | rv=L no token
63 | | L+1 | Exact | | | | p0' p1 p2 p3 p4 | rv=L+1 no token
64 | | L+2 | Exact | | | | too large |
65 | | r1 | Exact | 1 | | | p0 | rv=r1 token=first/bar+@r1 left=1
66 | | r2 | Exact | 2 | | | p0 p1 | rv=r2 token=second/bar+@r2 left=1
67 | | r3 | Exact | 4 | | | p0 p1 p2 p3 | rv=r3 no token
68 | | r4 | Exact | 1 | | | p0 | rv=r4 token=first/bar+@r4 left=4
69 | | r5 | Exact | 2 | | | p0 p1 | rv=r5 token=second/bar+@r5 left=4
70 | | r6 | Exact | 4 | | | p0' p1 p5 p2 | rv=r6 token=second/foo+@r6 left=2
71 | | L | Exact | 8 | | | p0' p1 p2 p3 p4 | rv=L no token
72 | | L+1 | Exact | 1 | | | p0' | rv=L+1 token=first/bar+@L+1 left=4
73 | | | | 1 | | first/bar+@R0 | token too old |
74 | | | | 1 | | first/bar+@r0 | | rv=r0 no token
75 | | | | 1 | | first/bar+@r1 | p1 | rv=r1 no token
76 | | | | 2 | | second/bar+@r2 | p2 | rv=r2 no token
77 | | | | 1 | | first/bar+@r4 | p1 | rv=r4 token=second/bar+@r4 left=3
78 | | | | 2 | | second/bar+@r5 | p5 p2 | rv=r5 token=second/foo+@r5 left=2
79 | | | | 4 | | second/foo+@r6 | p3 p4 | rv=r6 no token
80 | | | | 1 | | first/bar+@L+1 | p1 | rv=L+1 token=second/bar+@L+1 left=3
81 | | | | | | first/bar+@-1 | p1 p2 p3 p4 | rv=L+1 no token
82 | | | | 2 | | first/bar+@-1 | p1 p2 | rv=L+1 token=second/foo+@L+1 left=2
83 | | | | | | second/foo+@-1 | p3 p4 | rv=L+1 no token
84 | | | | | | @L | error |
85 | | | | | | first/bar+@0 | error |
86 | | -1 | | | | | error |
";

fn list_table(rig: &Rig) {
    let before = rig.revision().0;
    let written: Vec<Pod> = [
        "bar@first",
        "bar@second",
        "foo@second",
        "barfoo@third",
        "foo@third",
        "baz@second",
    ]
    .iter()
    .map(|pod| rig.create(&Pod::parse(pod)).unwrap())
    .collect();
    let changed = rig.put(&Pod::parse("bar@first[fakeNode]"));
    let last = rig.delete(&written[5]).revision;
    rig.store.compact(Revision(written[0].revision)).unwrap();
    assert_eq!(rig.unrelated().0, last + 1);

    let number = |text: &str| match text {
        "R0" => before as i64,
        "r6" => changed.revision as i64,
        "L" => last as i64,
        "L+1" => last as i64 + 1,
        "L+2" => last as i64 + 2,
        "max" => i64::MAX,
        text if text.starts_with('r') => {
            written[text[1..].parse::<usize>().unwrap()].revision as i64
        }
        text => text.parse().unwrap(),
    };
    let token = |text: &str| {
        let (start, at) = text.split_once('@').unwrap();
        (start.replace('+', "\0"), number(at))
    };
    let items = |text: &str| -> Vec<Pod> {
        let pod = |name: &str| match name {
            "p0'" => changed.clone(),
            name => written[name[1..].parse::<usize>().unwrap()].clone(),
        };
        text.split_whitespace().map(pod).collect()
    };
    let mut cases = 0;
    for line in LISTS.lines().filter(|line| !line.is_empty()) {
        cases += 1;
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [
            _,
            namespace,
            version,
            version_match,
            limit,
            selector,
            from,
            expected,
            metadata,
        ] = cells[..]
        else {
            panic!("{line}");
        };
        let listing = Listing {
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
            version: match version {
                "" | "abc" => version.to_owned(),
                version => number(version).to_string(),
            },
            version_match: version_match.to_owned(),
            limit: limit.parse().unwrap_or(0),
            selector: Selector::parse(selector),
            token: Some(from).filter(|from| !from.is_empty()).map(token),
        };
        let found = list(rig, &listing);
        match expected {
            "error" => assert_eq!(found, Err(Refused::Invalid), "{line}"),
            "too large" => assert_eq!(found, Err(Refused::TooLarge), "{line}"),
            "list too old" => assert_eq!(found, Err(Refused::ListTooOld), "{line}"),
            "token too old" => assert!(matches!(found, Err(Refused::TokenTooOld(_))), "{line}"),
            expected => {
                let found = found.unwrap();
                assert_eq!(found.items, items(expected), "{line}");
                check_metadata(&found, metadata, &number, &token, line);
            }
        }
    }
    assert_eq!(cases, 86);
}

fn check_metadata(
    found: &List,
    metadata: &str,
    number: &impl Fn(&str) -> i64,
    token: &impl Fn(&str) -> (String, i64),
    line: &str,
) {
    let cell = |name: &str| metadata.split(' ').find_map(|cell| cell.strip_prefix(name));
    if let Some(version) = cell("rv=") {
        assert_eq!(found.version as i64, number(version), "{line}");
    }
    assert_eq!(found.token, cell("token=").map(token), "{line}");
    assert_eq!(
        found.remaining,
        cell("left=").map(|left| left.parse().unwrap()),
        "{line}"
    );
}

fn consistent_list(rig: &Rig) {
    let last = rig.create(&Pod::new("ns", "a")).unwrap().revision;
    for (version, token) in [
        ("0", None),
        ("", None),
        ("", Some(("a\0".to_owned(), -1))),
        ("0", None),
    ] {
        let current = rig.unrelated().0;
        let listing = Listing {
            version: version.to_owned(),
            token,
            ..Listing::default()
        };
        assert_eq!(list(rig, &listing).unwrap().version, current);
    }
    assert!(rig.revision().0 > last);
}

fn get_list_non_recursive(rig: &Rig) {
    let created = rig.create(&Pod::new("ns", "a")).unwrap();
    let updated = rig.put(&Pod::new("ns", "a").note("updated"));
    let existing = Prefix::object(&created.key());
    let missing = Prefix::object(&Pod::new("ns", "b").key());
    let cases = [
        (&existing, None, vec![updated.clone()]),
        (&existing, Some(updated.revision), vec![updated.clone()]),
        (&existing, Some(created.revision), vec![created]),
        (&missing, None, vec![]),
        (&missing, Some(updated.revision), vec![]),
    ];
    for (prefix, at, expected) in cases {
        let mut request = ListRequest::new(prefix.clone());
        request.at = at.map(Revision);
        let page = rig.store.list(&request).unwrap();
        assert_eq!(
            page.entries.iter().map(Pod::of).collect::<Vec<_>>(),
            expected,
            "{request:?}"
        );
        assert!(page.revision >= Revision(at.unwrap_or(1)));
    }
    let future = ListRequest::new(existing).at(Revision(u64::MAX >> 1));
    assert!(matches!(
        rig.store.list(&future),
        Err(crate::Error::FutureRevision { .. })
    ));
}

fn get_list_recursive_prefix(rig: &Rig) {
    for pod in ["foo@test-ns", "foobar@test-ns", "baz@test-ns2"] {
        rig.create(&Pod::parse(pod)).unwrap();
    }
    let current = rig.unrelated();
    let object = |name: &str| Prefix::object(&Pod::new("test-ns", name).key());
    let cases = [
        (Prefix::resource("t", "pods").unwrap(), "foo foobar baz"),
        (
            Prefix::namespace("t", "pods", "test-ns").unwrap(),
            "foo foobar",
        ),
        (object("foo"), "foo"),
        (object("foobar"), "foobar"),
        (object("fooba"), ""),
    ];
    for (prefix, expected) in cases {
        for at in [None, Some(current), Some(Revision(current.0 - 1))] {
            let mut request = ListRequest::new(prefix.clone());
            request.at = at;
            let page = rig.store.list(&request).unwrap();
            let names: Vec<_> = page.entries.iter().map(|entry| entry.key.name()).collect();
            assert_eq!(names.join(" "), expected, "{request:?}");
        }
    }
}

fn get_list_with_error_aggregation(rig: &Rig) {
    let pods: Vec<Pod> = (0..7)
        .map(|n| rig.create(&Pod::new("ns", &format!("p{n}"))).unwrap())
        .collect();
    pods.iter()
        .step_by(2)
        .for_each(|pod| rig.damage(&pod.key()));
    let Err(Refused::Corrupt(keys, items)) = list(rig, &Listing::default()) else {
        panic!()
    };
    let corrupt: Vec<_> = pods
        .iter()
        .step_by(2)
        .map(|pod| pod.key().as_str().to_owned())
        .collect();
    assert_eq!(keys, corrupt);
    assert_eq!(
        items,
        pods.into_iter().skip(1).step_by(2).collect::<Vec<_>>()
    );
}

fn get_list_without_error_aggregation(rig: &Rig) {
    let pods: Vec<Pod> = (0..3)
        .map(|n| rig.create(&Pod::new("ns", &format!("p{n}"))).unwrap())
        .collect();
    rig.damage(&pods[1].key());
    let request = ListRequest::new(Prefix::resource("t", "pods").unwrap());
    let Err(crate::Error::Corrupt { key, .. }) = rig.store.list(&request) else {
        panic!()
    };
    assert_eq!(key, pods[1].key().as_str());
    assert_eq!(rig.store.list(&request.limit(1)).unwrap().entries.len(), 1);
}

fn names(list: &List) -> String {
    list.items
        .iter()
        .map(|pod| pod.name.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

fn list_continuation(rig: &Rig) {
    for name in ["a", "b", "c"] {
        rig.create(&Pod::new("ns", name)).unwrap();
    }
    let one = Listing {
        limit: 1,
        ..Listing::default()
    };
    let first = list(rig, &one).unwrap();
    assert_eq!((names(&first).as_str(), first.remaining), ("a", Some(2)));
    let rest = list(
        rig,
        &Listing {
            token: first.token.clone(),
            ..Listing::default()
        },
    )
    .unwrap();
    assert_eq!(
        (names(&rest).as_str(), &rest.token, rest.version),
        ("b c", &None, first.version)
    );
    rig.unrelated();
    let second = list(
        rig,
        &Listing {
            token: first.token,
            ..one.clone()
        },
    )
    .unwrap();
    assert_eq!(
        (names(&second).as_str(), second.version),
        ("b", first.version)
    );
    let third = list(
        rig,
        &Listing {
            token: second.token,
            ..one
        },
    )
    .unwrap();
    assert_eq!(
        (names(&third).as_str(), third.token, third.version),
        ("c", None, first.version)
    );
}

fn list_pagination_rare_object(rig: &Rig) {
    let mut batch = crate::Batch::new();
    for number in 0..1000 {
        let pod = Pod::new("ns", &format!("p{number:04}"));
        batch = batch.create(pod.key(), pod.encoded());
    }
    rig.store.write(batch).wait().unwrap();
    let rare = Listing {
        limit: 1,
        selector: Selector::parse("name=p0999"),
        ..Listing::default()
    };
    let found = list(rig, &rare).unwrap();
    assert_eq!(
        (names(&found).as_str(), found.token, found.read),
        ("p0999", None, 1000)
    );
}

fn list_continuation_with_filter(rig: &Rig) {
    for name in ["a", "b", "c", "d"] {
        rig.create(&Pod::new("ns", name)).unwrap();
    }
    let filter = Listing {
        limit: 2,
        selector: Selector::parse("name!=b"),
        ..Listing::default()
    };
    let first = list(rig, &filter).unwrap();
    assert_eq!(
        (names(&first).as_str(), first.read, first.remaining),
        ("a c", 3, None)
    );
    let second = list(
        rig,
        &Listing {
            token: first.token,
            ..filter
        },
    )
    .unwrap();
    assert_eq!(
        (names(&second).as_str(), second.token, second.version),
        ("d", None, first.version)
    );
}

fn list_inconsistent_continuation(rig: &Rig) {
    for name in ["a", "b", "c"] {
        rig.create(&Pod::new("ns", name)).unwrap();
    }
    let one = Listing {
        limit: 1,
        ..Listing::default()
    };
    let first = list(rig, &one).unwrap();
    let written = rig.put(&Pod::new("ns", "a").note("changed")).revision;
    rig.store.compact(Revision(written)).unwrap();
    let old = list(
        rig,
        &Listing {
            token: first.token,
            ..one.clone()
        },
    );
    let Err(Refused::TokenTooOld(fresh)) = old else {
        panic!("{old:?}")
    };
    let second = list(
        rig,
        &Listing {
            token: Some(fresh),
            ..one.clone()
        },
    )
    .unwrap();
    assert_eq!(names(&second), "b");
    assert!(second.version >= written);
    rig.unrelated();
    let third = list(
        rig,
        &Listing {
            token: second.token,
            ..one
        },
    )
    .unwrap();
    assert_eq!(
        (names(&third).as_str(), third.version),
        ("c", second.version)
    );
}

/// A list is a snapshot, even when writes happen while it is read.
fn list_resource_version_match(rig: &Rig) {
    for name in ["a", "b", "c", "d", "e"] {
        rig.create(&Pod::new("ns", name)).unwrap();
    }
    let request = ListRequest::new(Prefix::resource("t", "pods").unwrap());
    let (writing, reading) = std::sync::mpsc::channel::<String>();
    let (done, wait) = std::sync::mpsc::channel();
    let mut seen = Vec::new();
    let revision = std::thread::scope(|scope| {
        scope.spawn(|| {
            for name in reading {
                rig.create(&Pod::new("ns", &format!("{name}-more")))
                    .unwrap();
                done.send(()).unwrap();
            }
        });
        let revision = rig.store.scan(&request, &mut |entry| {
            let entry = entry.unwrap().to_entry().unwrap();
            writing.send(entry.key.name().to_owned()).unwrap();
            wait.recv().unwrap();
            seen.push(entry);
            std::ops::ControlFlow::Continue(())
        });
        drop(writing);
        revision.unwrap()
    });
    assert_eq!(seen.len(), 5);
    assert_eq!(rig.revision().0, revision.0 + 5);
    let exact = rig.store.list(&request.clone().at(revision)).unwrap();
    assert_eq!((exact.entries, exact.revision), (seen, revision));
    assert_eq!(rig.store.list(&request).unwrap().entries.len(), 10);
}

fn list_paging(rig: &Rig) {
    for name in ["a", "b", "c", "d"] {
        rig.create(&Pod::new("ns", name)).unwrap();
    }
    let mut listing = Listing {
        limit: 1,
        ..Listing::default()
    };
    let mut calls = 0;
    let mut all = Vec::new();
    loop {
        let page = list(rig, &listing).unwrap();
        calls += 1;
        if calls == 2 {
            rig.create(&Pod::new("ns", "bb")).unwrap();
        }
        all.push(names(&page));
        listing.token = page.token;
        if listing.token.is_none() {
            break;
        }
    }
    assert_eq!((calls, all.join(" ").as_str()), (4, "a b c d"));
}

/// `namespace | selector | stored | result`.
const NAMESPACE_SCOPED: &str = "
 | | foo1@ns1 foo2@ns2 | foo1@ns1 foo2@ns2
 | namespace=ns1 | foo1@ns1 foo1@ns2 | foo1@ns1
 | node=bar1 | foo1@ns1[bar1] foo2@ns2[bar2] | foo1@ns1[bar1]
 | node!=bar1 | foo1@ns1[bar1] foo2@ns2[bar2] | foo2@ns2[bar2]
ns1 | | foo1@ns1 foo1@ns2 foo2@ns1 | foo1@ns1 foo2@ns1
ns1 | namespace=ns1 | foo1@ns1 foo1@ns2 foo2@ns1 | foo1@ns1 foo2@ns1
ns1 | namespace=ns2 | foo1@ns1 foo2@ns1 foo1@ns2 foo2@ns2 |
ns1 | node=bar2 | foo1@ns1[bar1] foo1@ns2[bar2] foo2@ns1[bar2] | foo2@ns1[bar2]
ns2 | node!=bar1 | foo1@ns1 foo1@ns2 foo3@ns2[bar1] foo2@ns2[bar2] | foo1@ns2 foo2@ns2[bar2]
 | name=foo1 | foo1@ns1 foo1@ns2 foo2@ns1 | foo1@ns1 foo1@ns2
 | name=foo1,namespace=ns1 | foo1@ns1 foo2@ns1 foo1@ns2 | foo1@ns1
 | name=foo1,node=bar1 | foo1@ns1[bar1] | foo1@ns1[bar1]
 | name=foo1,node!=bar1 | foo1@ns1 foo2@ns1 foo1@ns2[bar1] foo2@ns2[bar1] foo1@ns3[bar2] foo2@ns3[bar2] | foo1@ns1 foo1@ns3[bar2]
ns1 | name=foo1 | foo1@ns1 foo2@ns1 foo1@ns2 foo2@ns2 | foo1@ns1
ns1 | name=foo1,namespace=ns1 | foo1@ns1 foo2@ns1 foo1@ns2 foo2@ns2 | foo1@ns1
ns2 | name=foo2,namespace=ns2,node=bar1 | foo1@ns1 foo2@ns1 foo1@ns2 foo2@ns2[bar1] foo1@ns3[bar1] foo2@ns3[bar1] | foo2@ns2[bar1]
ns2 | name=foo1,namespace=ns2,node!=bar2 | foo1@ns1 foo2@ns1 foo1@ns2[bar1] foo2@ns2[bar2] foo1@ns3[bar2] | foo1@ns2[bar1]
";

fn namespace_scoped_list(rig: &Rig) {
    let lines: Vec<&str> = NAMESPACE_SCOPED
        .lines()
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(lines.len(), 17);
    for line in lines {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [namespace, selector, stored, expected] = cells[..] else {
            panic!("{line}")
        };
        let parse = |text: &str| -> Vec<Pod> { text.split_whitespace().map(Pod::parse).collect() };
        for pod in parse(stored) {
            rig.create(&pod).unwrap();
        }
        let listing = Listing {
            namespace: Some(namespace.to_owned()).filter(|namespace| !namespace.is_empty()),
            selector: Selector::parse(selector),
            ..Listing::default()
        };
        let found: Vec<Pod> = list(rig, &listing)
            .unwrap()
            .items
            .iter()
            .map(Pod::content)
            .collect();
        assert_eq!(found, parse(expected), "{line}");
        for pod in parse(stored) {
            rig.delete(&pod);
        }
    }
}

fn compact_revision(rig: &Rig) {
    let current = rig.create(&Pod::new("ns", "a")).unwrap().revision;
    assert!(rig.store.compacted_revision().unwrap().0 < current);
    let exact = Listing {
        version: current.to_string(),
        version_match: "Exact".to_owned(),
        ..Listing::default()
    };
    assert_eq!(list(rig, &exact).unwrap().items.len(), 1);
    let next = rig.unrelated();
    assert_eq!(next.0, current + 1);
    assert_eq!(rig.store.compact(next).unwrap(), next);
    assert_eq!(list(rig, &exact), Err(Refused::ListTooOld));
    assert_eq!(rig.store.compacted_revision().unwrap(), next);
    assert_eq!(rig.revision(), next);
}
