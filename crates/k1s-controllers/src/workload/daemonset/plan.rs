// SPDX-License-Identifier: Apache-2.0
//! Which pods of a DaemonSet are made and which go: pure functions of its nodes and pods.

use super::placement::Placement;

/// A pod on a node, as far as decisions look at it. The oldest of a node comes first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    pub(super) name: String,
    /// Of the present template.
    pub(super) updated: bool,
    pub(super) going: bool,
    pub(super) failed: bool,
    pub(super) succeeded: bool,
    pub(super) ready: bool,
    pub(super) available: bool,
}

/// A node, or the name of one that is gone, and the DaemonSet's pods on it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) node: String,
    /// None for a node that is not there.
    pub(super) placement: Option<Placement>,
    pub(super) pods: Vec<State>,
}

/// Why a pod goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There are too many, or it is on the wrong node, or of an old template.
    Surplus,
    /// It has failed.
    Failed,
    /// It has ended, which no pod of a DaemonSet should.
    Succeeded,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Nodes that get a pod.
    pub(super) create: Vec<String>,
    /// Pods that go.
    pub(super) delete: Vec<(String, Why)>,
}

/// One pod on each node that is to have one, none elsewhere.
pub(super) fn manage(places: &[Place], surges: bool) -> Plan {
    let mut plan = Plan::default();
    for place in places {
        let alive = place.pods.iter().filter(|pod| !pod.going);
        let Some(placement) = place.placement else {
            // Pods of a node that is gone are the node life cycle's, those never bound are nobody's else.
            continue;
        };
        if placement.should_run && place.pods.is_empty() {
            plan.create.push(place.node.clone());
        } else if placement.may_stay {
            let mut running = Vec::new();
            for pod in alive {
                if pod.failed {
                    plan.delete.push((pod.name.clone(), Why::Failed));
                } else if pod.succeeded {
                    plan.delete.push((pod.name.clone(), Why::Succeeded));
                } else {
                    running.push(pod);
                }
            }
            if surges && running.is_empty() && placement.should_run {
                // Those that are on their way out are replaced before they are gone.
                plan.create.push(place.node.clone());
            }
            let surplus = if surges {
                surplus_of_surge(&running)
            } else {
                running.into_iter().skip(1).collect()
            };
            plan.delete
                .extend(surplus.iter().map(|pod| (pod.name.clone(), Why::Surplus)));
        } else {
            plan.delete
                .extend(alive.map(|pod| (pod.name.clone(), Why::Surplus)));
        }
    }
    plan
}

/// The oldest pod of either template may stay: the old one for as long as it is ready and the new one is not available.
fn surplus_of_surge<'a>(running: &[&'a State]) -> Vec<&'a State> {
    if running.len() <= 1 {
        return Vec::new();
    }
    let new = running.iter().position(|pod| pod.updated);
    let old = running.iter().position(|pod| !pod.updated);
    let is_replaced = match (new, old) {
        (Some(new), Some(old)) => running[new].available || !running[old].ready,
        _ => false,
    };
    let stays = |n: usize| Some(n) == new || Some(n) == old && !is_replaced;
    running
        .iter()
        .enumerate()
        .filter(|(n, _)| !stays(*n))
        .map(|(_, pod)| *pod)
        .collect()
}

/// The pods of the present and of an old template on a node; none if there are several of one.
fn pair(place: &Place) -> Option<(Option<&State>, Option<&State>)> {
    let (mut new, mut old) = (None, None);
    for pod in place.pods.iter().filter(|pod| !pod.going) {
        let slot = if pod.updated { &mut new } else { &mut old };
        if slot.replace(pod).is_some() {
            return None;
        }
    }
    Some((new, old))
}

/// A step of a rolling update: old pods that go while no more than `max_unavailable` are missing; or, when it may surge,
/// nodes that get a second pod, and old pods whose successor is available.
pub(super) fn roll(places: &[Place], max_surge: i32, max_unavailable: i32) -> Plan {
    let with_pods: Vec<&Place> = places
        .iter()
        .filter(|place| !place.pods.is_empty())
        .collect();
    let count = |number: i32| usize::try_from(number).unwrap_or(0);
    let mut plan = Plan::default();
    if max_surge == 0 {
        let (mut missing, mut candidates) = (0, Vec::new());
        for place in with_pods {
            match pair(place) {
                Some((None, Some(old))) if old.available => candidates.push(old),
                Some((None, Some(old))) => {
                    missing += 1;
                    plan.delete.push((old.name.clone(), Why::Surplus));
                }
                Some((Some(new), None)) if new.available => {}
                _ => missing += 1,
            }
        }
        let left = count(max_unavailable - missing);
        let going = candidates.into_iter().take(left);
        plan.delete
            .extend(going.map(|pod| (pod.name.clone(), Why::Surplus)));
        return plan;
    }
    let (mut surging, mut available) = (0, 0);
    let (mut candidates, mut leaving) = (Vec::new(), Vec::new());
    for place in with_pods {
        let Some((new, old)) = pair(place) else {
            surging += 1;
            continue;
        };
        available += i32::from(old.or(new).is_some_and(|pod| pod.available));
        match (new, old) {
            (_, None) => {}
            (Some(new), Some(old)) if new.available => {
                plan.delete.push((old.name.clone(), Why::Surplus));
            }
            (Some(_), Some(_)) => surging += 1,
            (None, Some(old)) => match (is_wanted(place), old.available) {
                (true, true) => candidates.push(place.node.clone()),
                (true, false) => plan.create.push(place.node.clone()),
                (false, true) => leaving.push((old.name.clone(), Why::Surplus)),
                (false, false) => plan.delete.push((old.name.clone(), Why::Surplus)),
            },
        }
    }
    // Where none is wanted any more, one goes only when as many as are wanted are available elsewhere.
    let wanted = places.iter().filter(|place| is_wanted(place)).count();
    let spare = available - i32::try_from(wanted).unwrap_or(i32::MAX);
    plan.delete.extend(leaving.into_iter().take(count(spare)));
    plan.create
        .extend(candidates.into_iter().take(count(max_surge - surging)));
    plan
}

fn is_wanted(place: &Place) -> bool {
    place
        .placement
        .is_some_and(|placement| placement.should_run)
}

/// The numbers of a status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) desired: i32,
    pub(super) current: i32,
    pub(super) misscheduled: i32,
    pub(super) ready: i32,
    pub(super) available: i32,
    pub(super) updated: i32,
}

/// Counts nodes: one with several pods counts by its oldest.
pub(super) fn numbers(places: &[Place]) -> Numbers {
    let mut numbers = Numbers::default();
    for place in places {
        let Some(placement) = place.placement else {
            continue;
        };
        let oldest = place.pods.first();
        if !placement.should_run {
            numbers.misscheduled += i32::from(oldest.is_some());
            continue;
        }
        numbers.desired += 1;
        let Some(pod) = oldest else { continue };
        numbers.current += 1;
        numbers.ready += i32::from(pod.ready);
        numbers.available += i32::from(pod.available);
        numbers.updated += i32::from(pod.updated);
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One letter a pod: A available, R ready, P neither, T on its way out, F failed, S succeeded; lower case is of an old template.
    fn place(node: usize, letters: &str) -> Place {
        let (placement, letters) = match letters.split_at_checked(1) {
            Some(("!", rest)) => (
                Placement {
                    should_run: false,
                    may_stay: false,
                },
                rest,
            ),
            Some(("~", rest)) => (
                Placement {
                    should_run: false,
                    may_stay: true,
                },
                rest,
            ),
            _ => (
                Placement {
                    should_run: true,
                    may_stay: true,
                },
                letters,
            ),
        };
        let pods = letters.chars().enumerate().map(|(n, letter)| State {
            name: format!("{node}{n}"),
            updated: letter.is_uppercase(),
            going: matches!(letter, 'T' | 't'),
            failed: letter == 'F',
            succeeded: letter == 'S',
            ready: matches!(letter, 'A' | 'a' | 'R' | 'r'),
            available: matches!(letter, 'A' | 'a'),
        });
        Place {
            node: format!("n{node}"),
            placement: Some(placement),
            pods: pods.collect(),
        }
    }

    fn places(letters: &[&str]) -> Vec<Place> {
        letters
            .iter()
            .enumerate()
            .map(|(node, letters)| place(node, letters))
            .collect()
    }

    fn check(plan: &Plan, create: &[&str], delete: &[&str]) {
        let deleted: Vec<_> = plan.delete.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            (
                plan.create.iter().map(String::as_str).collect::<Vec<_>>(),
                deleted
            ),
            (create.to_vec(), delete.to_vec())
        );
    }

    #[test]
    fn one_pod_on_each_node_that_is_to_have_one() {
        let all = places(&["", "A", "AA", "F", "S", "T", "!A", "!", "~", "~A", "!T"]);
        let plan = manage(&all, false);
        check(&plan, &["n0"], &["21", "30", "40", "60"]);
        assert_eq!(plan.delete[1].1, Why::Failed);
        assert_eq!(plan.delete[2].1, Why::Succeeded);
    }

    #[test]
    fn a_surge_has_two_for_a_while() {
        let all = places(&["aP", "aA", "aPP", "aa", "aaA", "pP", "T", "tF", "~t", "pp"]);
        check(
            &manage(&all, true),
            &["n6", "n7"],
            &["10", "22", "31", "40", "41", "50", "71", "91"],
        );
    }

    #[test]
    fn rolling_updates() {
        // pods on nodes, surge, unavailable, nodes that get one, pods that go
        type Case = (
            &'static [&'static str],
            i32,
            i32,
            &'static [&'static str],
            &'static [&'static str],
        );
        let cases: &[Case] = &[
            (&["a", "a", "a"], 0, 1, &[], &["00"]),
            (&["a", "a", "a"], 0, 2, &[], &["00", "10"]),
            (&["P", "a", "a"], 0, 1, &[], &[]),
            (&["A", "a", "a"], 0, 1, &[], &["10"]),
            (&["t", "a"], 0, 1, &[], &[]),
            (&["p", "a"], 0, 1, &[], &["00"]),
            (&["A", "A"], 0, 1, &[], &[]),
            (&["a", "a"], 1, 0, &["n0"], &[]),
            (&["aP", "a"], 1, 0, &[], &[]),
            (&["aA", "a"], 1, 0, &["n1"], &["00"]),
            (&["p", "a"], 1, 0, &["n0", "n1"], &[]),
            (&["~p", "a"], 1, 0, &["n1"], &["00"]),
            (&["~a", "A"], 1, 0, &[], &["00"]),
            (&["~a", "P"], 1, 0, &[], &[]),
        ];
        for (letters, surge, unavailable, create, delete) in cases {
            check(
                &roll(&places(letters), *surge, *unavailable),
                create,
                delete,
            );
        }
    }

    #[test]
    fn nodes_are_counted() {
        let found = numbers(&places(&["", "A", "a", "R", "P", "!A", "~a", "Aa"]));
        let expected = Numbers {
            desired: 6,
            current: 5,
            misscheduled: 2,
            ready: 4,
            available: 3,
            updated: 4,
        };
        assert_eq!(found, expected);
    }
}
