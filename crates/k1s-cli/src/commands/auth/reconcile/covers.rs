// SPDX-License-Identifier: Apache-2.0
//! Which rules are not covered by others, one verb and one resource at a time.

use k1s_core::object::{list, text};
use serde_json::{Value, json};

/// The parts of `wanted` that no rule of `there` allows.
pub(super) fn missing(there: &[Value], wanted: &[Value]) -> Vec<Value> {
    wanted
        .iter()
        .flat_map(apart)
        .filter(|part| !there.iter().any(|rule| covers(rule, part)))
        .collect()
}

/// A rule as Go prints it.
pub(super) fn shown_rule(rule: &Value) -> String {
    let shown = |field: &str| texts(rule, field).join(" ");
    format!(
        "{{Verbs:[{}] APIGroups:[{}] Resources:[{}] ResourceNames:[{}] NonResourceURLs:[{}]}}",
        shown("verbs"),
        shown("apiGroups"),
        shown("resources"),
        shown("resourceNames"),
        shown("nonResourceURLs")
    )
}

/// A subject as Go prints it.
pub(super) fn shown_subject(subject: &Value) -> String {
    let [kind, group, name, namespace] =
        ["kind", "apiGroup", "name", "namespace"].map(|field| text(subject, &[field]));
    format!("{{Kind:{kind} APIGroup:{group} Name:{name} Namespace:{namespace}}}")
}

fn texts<'a>(rule: &'a Value, field: &str) -> Vec<&'a str> {
    list(rule, &[field])
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

fn apart(rule: &Value) -> Vec<Value> {
    let (verbs, names) = (texts(rule, "verbs"), texts(rule, "resourceNames"));
    let mut parts = Vec::new();
    for group in texts(rule, "apiGroups") {
        for resource in texts(rule, "resources") {
            for verb in &verbs {
                let part =
                    json!({ "verbs": [verb], "apiGroups": [group], "resources": [resource] });
                if names.is_empty() {
                    parts.push(part);
                    continue;
                }
                for name in &names {
                    let mut part = part.clone();
                    part["resourceNames"] = json!([name]);
                    parts.push(part);
                }
            }
        }
    }
    for url in texts(rule, "nonResourceURLs") {
        for verb in &verbs {
            parts.push(json!({ "verbs": [verb], "nonResourceURLs": [url] }));
        }
    }
    parts
}

/// Whether a rule allows all of a part.
fn covers(rule: &Value, part: &Value) -> bool {
    let has = |field: &str| {
        let own = texts(rule, field);
        own.contains(&"*") || texts(part, field).iter().all(|text| own.contains(text))
    };
    let own_resources = texts(rule, "resources");
    let resources = own_resources.contains(&"*")
        || texts(part, "resources").iter().all(|resource| {
            let any_of_subresource = resource
                .split_once('/')
                .map(|(_, subresource)| format!("*/{subresource}"));
            own_resources.contains(resource)
                || any_of_subresource.is_some_and(|any| own_resources.contains(&any.as_str()))
        });
    let own_names = texts(rule, "resourceNames");
    let part_names = texts(part, "resourceNames");
    let names = own_names.is_empty()
        || (!part_names.is_empty() && part_names.iter().all(|name| own_names.contains(name)));
    let own_urls = texts(rule, "nonResourceURLs");
    let urls = texts(part, "nonResourceURLs").iter().all(|url| {
        own_urls.iter().any(|own| {
            own == url
                || own
                    .strip_suffix('*')
                    .is_some_and(|prefix| url.starts_with(prefix))
        })
    });
    has("verbs") && has("apiGroups") && resources && names && urls
}

#[cfg(test)]
mod tests {
    use super::{missing, shown_rule};
    use serde_json::{Value, json};

    #[test]
    fn what_no_rule_allows_is_missing() {
        let rule = |verbs: &str, group: &str, resources: &str| -> Value {
            let split = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
            json!({"verbs": split(verbs), "apiGroups": [group], "resources": split(resources)})
        };
        let check = |there: Value, wanted: Value, expected: &[&str]| {
            let found: Vec<_> = missing(&[there], &[wanted])
                .iter()
                .map(shown_rule)
                .collect();
            assert_eq!(found, expected);
        };
        check(
            rule("get", "", "pods"),
            rule("get list", "", "pods"),
            &["{Verbs:[list] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}"],
        );
        check(
            rule("*", "", "*"),
            rule("get list", "", "pods pods/log"),
            &[],
        );
        check(rule("get", "", "*/log"), rule("get", "", "pods/log"), &[]);
        check(
            rule("get", "apps", "pods"),
            rule("get", "", "pods"),
            &["{Verbs:[get] APIGroups:[] Resources:[pods] ResourceNames:[] NonResourceURLs:[]}"],
        );
    }
}
