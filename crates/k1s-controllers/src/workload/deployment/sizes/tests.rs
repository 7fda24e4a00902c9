// SPDX-License-Identifier: Apache-2.0
use serde_json::{Value, json};

use super::*;

fn deployment(replicas: i32, surge: Value, unavailable: Value) -> Deployment {
    serde_json::from_value(json!({
        "metadata": {"name": "d"},
        "spec": {"replicas": replicas, "selector": {}, "template": {},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}},
    }))
    .expect("a Deployment")
}

/// A ReplicaSet created at second `age`, with sizes noted from a Deployment of `desired` pods and at most `most`.
fn set(age: i64, size: i32, available: i32, (desired, most): (i32, i32)) -> ReplicaSet {
    let noted = json!({
        "deployment.kubernetes.io/desired-replicas": desired.to_string(),
        "deployment.kubernetes.io/max-replicas": most.to_string(),
    });
    serde_json::from_value(json!({
        "metadata": {"name": format!("d-{age}"), "annotations": noted,
            "creationTimestamp": format!("2026-01-01T00:00:{age:02}Z")},
        "spec": {"replicas": size, "selector": {}},
        "status": {"replicas": size, "availableReplicas": available},
    }))
    .expect("a ReplicaSet")
}

#[test]
fn surge_rounds_up_and_unavailable_down() {
    for (replicas, surge, unavailable, expected) in [
        (10, json!("25%"), json!("25%"), (3, 2)),
        (1, json!("25%"), json!("25%"), (1, 0)),
        (4, json!(2), json!(1), (2, 1)),
        (1, json!(0), json!("25%"), (0, 1)),
        (0, json!("25%"), json!("25%"), (0, 0)),
        (2, json!(0), json!(5), (0, 2)),
        (3, json!("100%"), json!(0), (3, 0)),
        (3, json!("x"), json!(null), (0, 1)),
    ] {
        let d = deployment(replicas, surge, unavailable);
        assert_eq!((max_surge(&d), max_unavailable(&d)), expected, "{replicas}");
    }
}

#[test]
fn a_new_set_grows_within_the_surge() {
    // wanted, surge, size of the new one, sizes of the old ones, its next size
    for (replicas, surge, new, old, expected) in [
        (4, 2, 0, &[4][..], 2),
        (4, 2, 2, &[4], 2),
        (4, 2, 2, &[3], 3),
        (4, 0, 0, &[4], 0),
        (4, 1, 3, &[1], 4),
        (4, 1, 6, &[], 4),
        (2, 9, 0, &[2], 2),
        (4, 2, 0, &[], 4),
    ] {
        let d = deployment(replicas, json!(surge), json!(1));
        let old: Vec<_> = old
            .iter()
            .map(|size| set(1, *size, *size, (replicas, 0)))
            .collect();
        let new = set(9, new, 0, (replicas, 0));
        assert_eq!(rolled_up(&d, &new, &old), expected, "{replicas} {surge}");
    }
}

#[test]
fn old_sets_shrink_by_what_may_be_missing() {
    // wanted, unavailable, new (size, available), old (size, available), the old ones' next sizes
    type Case = (
        i32,
        i32,
        (i32, i32),
        &'static [(i32, i32)],
        &'static [(usize, i32)],
    );
    let cases: &[Case] = &[
        (4, 1, (2, 0), &[(4, 4)], &[(0, 3)]),
        (4, 1, (3, 0), &[(3, 3)], &[]),
        (4, 1, (2, 2), &[(4, 4)], &[(0, 1)]),
        (10, 2, (4, 0), &[(8, 8)], &[]),
        (10, 0, (1, 1), &[(10, 10)], &[(0, 9)]),
        // what is broken goes first, the oldest first
        (10, 2, (2, 2), &[(5, 3), (5, 5)], &[(0, 1)]),
        (3, 1, (0, 0), &[(3, 0)], &[(0, 2)]),
        (3, 1, (3, 3), &[(0, 0)], &[]),
    ];
    for (replicas, unavailable, new, old, expected) in cases {
        let d = deployment(*replicas, json!(1), json!(unavailable));
        let old: Vec<_> = (1..)
            .zip(*old)
            .map(|(n, (s, a))| set(n, *s, *a, (*replicas, 0)))
            .collect();
        let new = set(9, new.0, new.1, (*replicas, 0));
        assert_eq!(
            rolled_down(&d, &new, &old),
            *expected,
            "{replicas} {unavailable}"
        );
    }
}

#[test]
fn scaling_in_the_midst_of_a_rollout_is_proportional() {
    // wanted now, surge, then new and old (size, available) as sized for `noted`, expected sizes
    type Case = (
        i32,
        i32,
        Option<(i32, i32)>,
        &'static [(i32, i32)],
        (i32, i32),
        &'static [(usize, i32)],
    );
    let cases: &[Case] = &[
        // 3 + 3 of 4 with surge 2, scaled to 8: 5 + 5
        (8, 2, Some((3, 0)), &[(3, 3)], (4, 6), &[(0, 5), (1, 5)]),
        // Kubernetes' documentation: 5 new and 8 old of 10 with surge 3, scaled to 15: 3 more for the larger
        (15, 3, Some((5, 0)), &[(8, 8)], (10, 13), &[(1, 11), (0, 7)]),
        (5, 3, Some((5, 0)), &[(8, 8)], (10, 13), &[(1, 5), (0, 3)]),
        (0, 3, Some((5, 0)), &[(8, 8)], (10, 13), &[(1, 0), (0, 0)]),
        // one with pods gets all
        (7, 1, Some((0, 0)), &[(4, 4)], (4, 5), &[(1, 7)]),
        (7, 1, Some((4, 4)), &[(0, 0)], (4, 5), &[(0, 7)]),
        (4, 1, Some((4, 4)), &[(0, 0)], (4, 5), &[]),
        // none has pods: the new one, else the newest
        (7, 1, Some((0, 0)), &[(0, 0)], (0, 0), &[(0, 7)]),
        (7, 1, None, &[(0, 0), (0, 0)], (0, 0), &[(1, 7)]),
        // the new one has all it wants: the others are done
        (4, 1, Some((4, 4)), &[(1, 1)], (4, 5), &[(1, 0)]),
    ];
    for (replicas, surge, new, old, noted, expected) in cases {
        let d = deployment(*replicas, json!(surge), json!(1));
        let old: Vec<_> = (1..)
            .zip(*old)
            .map(|(n, (s, a))| set(n, *s, *a, *noted))
            .collect();
        let new = new.map(|(size, available)| set(9, size, available, *noted));
        assert_eq!(
            scaled_sizes(&d, new.as_ref(), &old),
            *expected,
            "{replicas} {surge} {noted:?}"
        );
    }
}
