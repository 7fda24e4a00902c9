// SPDX-License-Identifier: Apache-2.0
//! Situations of a strategic merge, one line each, on a schema made for them.
//!
//! Objects are written as YAML. `replicas`, `paused` and `x` are scalars; `labels` is a map; `cfg` a map
//! that is replaced; `containers` are merged by name, with atomic `args` and merged `env` and
//! `ports`; `tolerations` are atomic; `finalizers` are merged scalars; `strategy` retains keys;
//! `volumes` are merged by name and retain keys.
use super::*;
use proptest::prelude::*;
use serde_json::json;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Root,
    Container,
    Strategy,
    Volume,
    Other,
    Free,
}

impl PatchSchema for Type {
    fn field(self, name: &str) -> Option<PatchField<Self>> {
        let plain = PatchStrategy::default();
        let merge = PatchStrategy {
            merge: true,
            ..plain
        };
        let retain = PatchStrategy {
            retain_keys: true,
            ..plain
        };
        let field = |strategy, merge_key, child| {
            Some(PatchField {
                strategy,
                merge_key,
                child,
            })
        };
        match (self, name) {
            (Self::Root, "replicas" | "paused" | "x" | "labels") => field(plain, None, Self::Free),
            (Self::Root, "cfg") => field(
                PatchStrategy {
                    replace: true,
                    ..plain
                },
                None,
                Self::Free,
            ),
            (Self::Root, "containers") => field(merge, Some("name"), Self::Container),
            (Self::Root, "tolerations") => field(plain, None, Self::Other),
            (Self::Root, "finalizers") => field(merge, None, Self::Free),
            (Self::Root, "strategy") => field(retain, None, Self::Strategy),
            (Self::Root, "volumes") => field(
                PatchStrategy {
                    merge: true,
                    ..retain
                },
                Some("name"),
                Self::Volume,
            ),
            (Self::Container, "env") => field(merge, Some("name"), Self::Other),
            (Self::Container, "ports") => field(merge, Some("containerPort"), Self::Other),
            (Self::Container, "args" | "name" | "image" | "v") => field(plain, None, Self::Free),
            (Self::Strategy, "type" | "rollingUpdate" | "extra") => field(plain, None, Self::Free),
            (Self::Volume, "name" | "emptyDir" | "configMap") => field(plain, None, Self::Free),
            (Self::Other, "name" | "value" | "valueFrom" | "key" | "containerPort") => {
                field(plain, None, Self::Free)
            }
            _ => None,
        }
    }
}

fn object(yaml: &str) -> Object {
    match crate::yaml::read(yaml.as_bytes()) {
        Ok(Value::Object(map)) => map,
        other => panic!("{yaml}: {other:?}"),
    }
}

fn check(number: &str, live: &str, patch: &str, expected: &str) {
    let patched = apply(object(live), object(patch), Type::Root);
    assert_eq!(patched, Ok(object(expected)), "situation {number}: {patch}");
}

fn refuse(number: &str, live: &str, patch: &str, message: &str) {
    match apply(object(live), object(patch), Type::Root) {
        Ok(patched) => panic!("situation {number}: {patched:?}"),
        Err(error) => assert!(
            error.to_string().contains(message),
            "situation {number}: {error}"
        ),
    }
}

#[test]
fn scalars_and_maps() {
    check(
        "1",
        "{replicas: 2, paused: false}",
        "{replicas: 5}",
        "{replicas: 5, paused: false}",
    );
    check(
        "2",
        "{replicas: 2, paused: false}",
        "{paused: null}",
        "{replicas: 2}",
    );
    check("3", "{replicas: 2}", "{paused: null}", "{replicas: 2}");
    check(
        "4",
        "{labels: {a: 1, b: 2}}",
        "{labels: {b: 3, c: 4}}",
        "{labels: {a: 1, b: 3, c: 4}}",
    );
    check(
        "5",
        "{labels: {a: 1, b: 2}}",
        "{labels: {b: null}}",
        "{labels: {a: 1}}",
    );
    check("6", "{labels: {a: 1, b: 2}}", "{labels: null}", "{}");
    check(
        "7",
        "{labels: {a: 1, b: 2}}",
        "{labels: {$patch: replace, c: 4}}",
        "{labels: {c: 4}}",
    );
    check(
        "8",
        "{labels: {a: 1, b: 2}}",
        "{labels: {$patch: delete}}",
        "{labels: {}}",
    );
    refuse(
        "9",
        "{labels: {a: 1}}",
        "{labels: {$patch: upsert, c: 4}}",
        "unknown patch type: upsert in map: map[$patch:upsert c:4]",
    );
    refuse(
        "9",
        "{labels: {a: 1}}",
        "{labels: {$patch: 5}}",
        "unknown patch type: %!s(int64=5) in map: map[$patch:5]",
    );
    refuse(
        "9",
        "{labels: {a: 1}}",
        "{labels: {$patch: null, x: 1}}",
        "unknown patch type: %!s(<nil>) in map: map[$patch:<nil> x:1]",
    );
    check("10", "{}", "{labels: {x: null, y: 1}}", "{labels: {y: 1}}");
    check("11", "{}", "{labels: {$patch: delete, x: 1}}", "{}");
    check("11", "{}", "{labels: {$patch: replace, x: 1}}", "{}");
    check("12", "{cfg: {a: 1}}", "{cfg: {b: 2}}", "{cfg: {b: 2}}");
    check(
        "13",
        "{replicas: 2, labels: {a: 1}}",
        "{$patch: replace, replicas: 3}",
        "{replicas: 3}",
    );
    refuse(
        "14",
        "{nosuch: {a: 1}}",
        "{nosuch: {b: 2}}",
        "unable to find api field",
    );
    check("14", "{nosuch: 1}", "{nosuch: 2}", "{nosuch: 2}");
}

const L: &str = "{containers: [{name: app, image: a}, {name: log, image: l}]}";

#[test]
fn lists_of_maps() {
    let check = |number: &str, patch: &str, expected: &str| {
        check(
            number,
            L,
            &format!("{{containers: {patch}}}"),
            &format!("{{containers: {expected}}}"),
        );
    };
    check(
        "15",
        "[{name: app, image: b}]",
        "[{name: app, image: b}, {name: log, image: l}]",
    );
    check(
        "16",
        "[{name: proxy, image: p}]",
        "[{name: proxy, image: p}, {name: app, image: a}, {name: log, image: l}]",
    );
    check(
        "17",
        "[{name: log, $patch: delete}]",
        "[{name: app, image: a}]",
    );
    check(
        "18",
        "[{name: ghost, $patch: delete}]",
        "[{name: app, image: a}, {name: log, image: l}]",
    );
    check(
        "19",
        "[{$patch: replace}, {name: only, image: o}]",
        "[{name: only, image: o}]",
    );
    check("20", "[{$patch: replace}]", "[]");
    check("21", "[{name: app, $patch: replace, image: b}]", "[]");
    check("25", "[]", "[{name: app, image: a}, {name: log, image: l}]");
    check(
        "R9",
        "[{name: app, $patch: delete}, {name: app, image: n}]",
        "[{name: app, image: n}, {name: log, image: l}]",
    );
    check(
        "last wins",
        "[{name: app, image: x}, {name: app, image: y}]",
        "[{name: app, image: y}, {name: log, image: l}]",
    );
    super::tests::refuse(
        "22",
        L,
        "{containers: [{image: x}]}",
        "map: map[image:x] does not contain declared merge key: name",
    );
    super::tests::refuse(
        "23",
        L,
        "{containers: [{$patch: delete}]}",
        "map: map[$patch:delete] does not contain declared merge key: name",
    );
    super::tests::refuse(
        "24",
        L,
        "{containers: [{name: app, $patch: merge}]}",
        "merging lists cannot yet be specified in the patch",
    );
    super::tests::refuse(
        "24",
        L,
        "{containers: [{name: app, $patch: upsert}]}",
        "unknown patch type: upsert in map: map[$patch:upsert name:app]",
    );
    super::tests::refuse(
        "R8",
        "{finalizers: [[a]]}",
        "{finalizers: [[b]]}",
        "lists of lists are not supported",
    );
    super::tests::refuse(
        "mixed",
        L,
        "{containers: [app]}",
        "list element types are not identical",
    );
}

#[test]
fn nested_lists() {
    check("26", L, "{containers: null}", "{}");
    check(
        "27",
        "{containers: [{name: app, image: a, args: [-v]}]}",
        "{containers: [{name: app, args: null}]}",
        "{containers: [{name: app, image: a}]}",
    );
    check(
        "28",
        "{containers: [{name: app, args: [-v, -x]}]}",
        "{containers: [{name: app, args: [-y]}]}",
        "{containers: [{name: app, args: [-y]}]}",
    );
    check(
        "29",
        "{containers: [{name: app, ports: [{containerPort: 80}, {containerPort: 443}]}]}",
        "{containers: [{name: app, ports: [{containerPort: 443, name: tls}]}]}",
        "{containers: [{name: app, ports: [{containerPort: 80}, {containerPort: 443, name: tls}]}]}",
    );
    check(
        "30",
        "{containers: [{name: app, env: [{name: A, value: 1}]}]}",
        "{containers: [{name: app, env: [{name: A, value: null, valueFrom: {k: v}}]}]}",
        "{containers: [{name: app, env: [{name: A, valueFrom: {k: v}}]}]}",
    );
    check(
        "31",
        "{}",
        "{containers: [{name: a}, {name: b, $patch: delete}]}",
        "{containers: [{name: a}]}",
    );
    check(
        "32",
        "{containers: [{name: a}, {name: b}, {name: c}]}",
        "{containers: [{name: c, v: 1}, {name: a, v: 1}]}",
        "{containers: [{name: b}, {name: c, v: 1}, {name: a, v: 1}]}",
    );
    check(
        "33",
        "{tolerations: [{key: a}]}",
        "{tolerations: [{key: b}]}",
        "{tolerations: [{key: b}]}",
    );
    check(
        "R4",
        L,
        "{containers: {name: app}}",
        "{containers: {name: app}}",
    );
}

#[test]
fn scalars_in_lists_and_order() {
    check(
        "34",
        "{finalizers: [x, y1]}",
        "{finalizers: [z, x]}",
        "{finalizers: [z, x, y1]}",
    );
    check(
        "35",
        "{finalizers: [x, w, x]}",
        "{$deleteFromPrimitiveList/finalizers: [x]}",
        "{finalizers: [w]}",
    );
    check(
        "36",
        "{finalizers: [x]}",
        "{$deleteFromPrimitiveList/finalizers: [q]}",
        "{finalizers: [x]}",
    );
    check(
        "37",
        "{}",
        "{$deleteFromPrimitiveList/finalizers: [q]}",
        "{}",
    );
    check(
        "38",
        "{finalizers: [x, w]}",
        "{$deleteFromPrimitiveList/finalizers: [x], finalizers: [z], $setElementOrder/finalizers: [w, z]}",
        "{finalizers: [w, z]}",
    );
    check(
        "39",
        "{tolerations: [p, q]}",
        "{$deleteFromPrimitiveList/tolerations: [p]}",
        "{tolerations: [q]}",
    );
    check(
        "wrong type",
        "{finalizers: [x]}",
        "{$deleteFromPrimitiveList/finalizers: x}",
        "{finalizers: [x]}",
    );
    check(
        "46",
        "{finalizers: [a, b, c, s]}",
        "{$setElementOrder/finalizers: [c, b, a]}",
        "{finalizers: [c, b, a, s]}",
    );
    let check = |number: &str, live: &str, order: &str, list: &str, expected: &str| {
        let named = |names: &str| {
            names
                .split(' ')
                .map(|name| format!("{{name: {name}}}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let list = if list.is_empty() {
            String::new()
        } else {
            format!(", containers: {list}")
        };
        let patch = format!("{{$setElementOrder/containers: [{}]{list}}}", named(order));
        super::tests::check(
            number,
            &format!("{{containers: [{}]}}", named(live)),
            &patch,
            &format!("{{containers: [{expected}]}}"),
        );
    };
    check(
        "40",
        "a b s c",
        "c a b",
        "",
        "{name: s}, {name: c}, {name: a}, {name: b}",
    );
    check(
        "41",
        "a b c s",
        "c a",
        "",
        "{name: b}, {name: c}, {name: a}, {name: s}",
    );
    check(
        "42",
        "a c",
        "c zz a",
        "[{name: c, v: 1}]",
        "{name: c, v: 1}, {name: a}",
    );
    check(
        "43",
        "a b",
        "a m b",
        "[{name: m, v: 1}]",
        "{name: a}, {name: m, v: 1}, {name: b}",
    );
    refuse(
        "44",
        "{containers: [{name: a}, {name: b}]}",
        "{$setElementOrder/containers: [{name: a}, {name: b}], containers: [{name: b}, {name: a}]}",
        "The order in patch list:\n[map[name:b] map[name:a]]\n doesn't match $setElementOrder list:\n[map[name:a] map[name:b]]\n",
    );
    refuse(
        "45",
        "{containers: [{name: a}]}",
        "{$setElementOrder/containers: [{name: a}], containers: [{name: b}]}",
        "doesn't match $setElementOrder list",
    );
    refuse(
        "type",
        "{containers: [{name: a}]}",
        "{$setElementOrder/containers: a}",
        "expected a []interface {}, but received a string",
    );
    refuse(
        "type",
        "{containers: [{name: a}]}",
        "{$setElementOrder/containers: [a]}",
        "value for key 0 is not a map",
    );
}

#[test]
fn retained_keys() {
    check(
        "46a",
        "{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}",
        "{strategy: {$retainKeys: [type], type: Recreate}}",
        "{strategy: {type: Recreate}}",
    );
    check(
        "46b",
        "{strategy: {type: Recreate}}",
        "{strategy: {$retainKeys: [rollingUpdate, type], type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}",
        "{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}",
    );
    refuse(
        "46c",
        "{strategy: {type: RollingUpdate}}",
        "{strategy: {$retainKeys: [type], type: Recreate, extra: x}}",
        "invalid patch format of retainKeys",
    );
    refuse(
        "46d",
        "{strategy: {type: RollingUpdate}}",
        "{strategy: {$retainKeys: type, type: Recreate}}",
        "invalid patch format of retainKeys",
    );
    check(
        "46e",
        "{volumes: [{name: v, emptyDir: {medium: Memory}}]}",
        "{volumes: [{name: v, $retainKeys: [name, configMap], configMap: {name: cm}}]}",
        "{volumes: [{name: v, configMap: {name: cm}}]}",
    );
    check(
        "46f",
        "{volumes: [{name: v, emptyDir: {}}]}",
        "{volumes: [{name: v, configMap: {name: cm}}]}",
        "{volumes: [{name: v, emptyDir: {}, configMap: {name: cm}}]}",
    );
}

#[test]
fn three_way() {
    let check =
        |number: &str, original: &str, modified: &str, current: &str, patch: &str, result: &str| {
            let (original, modified, current) =
                (object(original), object(modified), object(current));
            let made = create_three_way(&original, &modified, &current, Type::Root, true);
            assert_eq!(made, Ok(object(patch)), "situation {number}");
            assert_eq!(
                apply(current, object(patch), Type::Root),
                Ok(object(result)),
                "situation {number}"
            );
        };
    check(
        "47",
        "{replicas: 2}",
        "{replicas: 3}",
        "{replicas: 2, x: 1}",
        "{replicas: 3}",
        "{replicas: 3, x: 1}",
    );
    check(
        "48",
        "{replicas: 2, paused: true}",
        "{replicas: 2}",
        "{replicas: 2, paused: true}",
        "{paused: null}",
        "{replicas: 2}",
    );
    check(
        "49",
        "{replicas: 2, paused: true}",
        "{replicas: 2}",
        "{replicas: 2}",
        "{paused: null}",
        "{replicas: 2}",
    );
    check(
        "50",
        "{}",
        "{replicas: 3}",
        "{replicas: 3, paused: true}",
        "{}",
        "{replicas: 3, paused: true}",
    );
    check(
        "51",
        "{replicas: 2}",
        "{}",
        "{replicas: 9}",
        "{replicas: null}",
        "{}",
    );
    check(
        "52",
        "{containers: [{name: a, v: 1}, {name: b}]}",
        "{containers: [{name: a, v: 1}]}",
        "{containers: [{name: a, v: 1}, {name: b}, {name: inj}]}",
        "{containers: [{name: b, $patch: delete}], $setElementOrder/containers: [{name: a}]}",
        "{containers: [{name: a, v: 1}, {name: inj}]}",
    );
    check(
        "53",
        "{containers: [{name: a, v: 1}]}",
        "{containers: [{name: a, v: 1}]}",
        "{containers: [{name: a, v: 9}, {name: inj}]}",
        "{containers: [{name: a, v: 1}], $setElementOrder/containers: [{name: a}]}",
        "{containers: [{name: a, v: 1}, {name: inj}]}",
    );
    check(
        "54",
        "{finalizers: [x, w]}",
        "{finalizers: [w, z]}",
        "{finalizers: [x, w, srv]}",
        "{$deleteFromPrimitiveList/finalizers: [x], finalizers: [z], $setElementOrder/finalizers: [w, z]}",
        "{finalizers: [w, z, srv]}",
    );
    check(
        "55",
        "{strategy: {type: RollingUpdate}}",
        "{strategy: {type: Recreate}}",
        "{strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1}}}",
        "{strategy: {type: Recreate, $retainKeys: [type]}}",
        "{strategy: {type: Recreate}}",
    );
    check(
        "56",
        "{containers: [{name: a}, {name: b}]}",
        "{containers: [{name: b}, {name: a}]}",
        "{containers: [{name: a}, {name: b}, {name: s}]}",
        "{$setElementOrder/containers: [{name: b}, {name: a}]}",
        "{containers: [{name: b}, {name: a}, {name: s}]}",
    );
}

#[test]
fn conflicts_and_identity() {
    let conflict = |original: &str, modified: &str, current: &str| {
        create_three_way(
            &object(original),
            &object(modified),
            &object(current),
            Type::Root,
            false,
        )
        .map_err(|e| e.to_string())
    };
    assert_eq!(
        conflict("{replicas: 1}", "{replicas: 2}", "{replicas: 1}"),
        Ok(object("{replicas: 2}"))
    );
    let error = conflict("{replicas: 1}", "{replicas: 2}", "{replicas: 3}").unwrap_err();
    assert_eq!(
        error,
        "patch:\nreplicas: 2\n\nconflicts with changes made from original to current:\nreplicas: 3\n\n"
    );
    assert!(require_identity(&object("{metadata: {labels: {}}}")).is_ok());
    let error = require_identity(&object("{metadata: {name: b}}"))
        .unwrap_err()
        .to_string();
    assert_eq!(error, "precondition failed for: map[metadata:map[name:b]]");
    assert_eq!(StrategicPatchError::RetainKeys.http_status(), 400);
    assert_eq!(StrategicPatchError::MergeDirective.http_status(), 500);
}

fn scalar() -> impl Strategy<Value = Value> {
    (0..4_i64).prop_map(Value::from)
}
fn names() -> impl Strategy<Value = Vec<&'static str>> {
    Just(vec!["a", "b", "c", "d"])
        .prop_shuffle()
        .prop_flat_map(|names| (0..4_usize).prop_map(move |count| names[..count].to_vec()))
}
fn maybe(name: &'static str, value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
    prop::option::of(value).prop_map(move |value| {
        value
            .map(|value| (name.to_owned(), value))
            .into_iter()
            .collect()
    })
}
type Body = (Option<Value>, Vec<&'static str>, Vec<&'static str>);

fn any_object() -> impl Strategy<Value = Object> {
    let labels = prop::collection::btree_map("[ab]", "[xy]", 0..3).prop_map(|map| json!(map));
    let containers = (
        names(),
        prop::collection::vec((prop::option::of(scalar()), names(), names()), 4),
    )
        .prop_map(|(names, bodies)| {
            let container = |(name, (v, env, args)): (&&str, Body)| {
                let env: Vec<Value> = env
                    .iter()
                    .map(|name| json!({"name": name, "value": "1"}))
                    .collect();
                let mut container = json!({"name": name, "env": env, "args": args});
                if let Some(v) = v {
                    container["v"] = v;
                }
                container
            };
            Value::Array(names.iter().zip(bodies).map(container).collect())
        });
    let volumes = (names(), any::<[bool; 4]>()).prop_map(|(names, kinds)| {
        let volume = |(name, kind): (&&str, bool)| {
            if kind {
                json!({"name": name, "emptyDir": {}})
            } else {
                json!({"name": name, "configMap": {"name": "x"}})
            }
        };
        Value::Array(names.iter().zip(kinds).map(volume).collect())
    });
    let strategy = prop_oneof![
        Just(json!({"type": "Recreate"})),
        scalar().prop_map(|n| json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": n}}))
    ];
    (
        maybe("replicas", scalar()),
        maybe("labels", labels),
        maybe("containers", containers),
        maybe("finalizers", names().prop_map(|n| json!(n))),
        maybe("volumes", volumes),
        maybe("strategy", strategy),
    )
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].into_iter().flatten().collect())
}

proptest! {
    #[test]
    fn a_two_way_patch_leads_to_the_modified_object(original in any_object(), modified in any_object()) {
        let patch = create(&original, &modified, Type::Root).unwrap();
        let mut patched = apply(original, patch.clone(), Type::Root).unwrap();
        let mut modified = modified;
        // The order of merged scalars is not always restored, in Kubernetes neither.
        for object in [&mut patched, &mut modified] {
            if let Some(Value::Array(finalizers)) = object.get_mut("finalizers") {
                finalizers.sort_by_key(Value::to_string);
            }
        }
        prop_assert_eq!(patched, modified, "{:?}", patch);
    }
    #[test]
    fn a_three_way_patch_needs_no_second_one(original in any_object(), modified in any_object(), current in any_object()) {
        let patch = create_three_way(&original, &modified, &current, Type::Root, true).unwrap();
        let patched = apply(current, patch, Type::Root).unwrap();
        let again = create_three_way(&modified, &modified, &patched, Type::Root, true).unwrap();
        prop_assert_eq!(apply(patched.clone(), again.clone(), Type::Root), Ok(patched), "{:?}", again);
    }
    #[test]
    fn any_patch_is_applied_or_refused(object in any_object(), patch in any_object(), key in "\\$(setElementOrder|deleteFromPrimitiveList|retainKeys|patch)(/(containers|finalizers|labels|x))?", value in any_object()) {
        let mut patch = patch;
        patch.insert(key, value.into_iter().next().map(|(_, value)| value).unwrap_or_default());
        let _ = apply(object, patch, Type::Root);
    }
}
