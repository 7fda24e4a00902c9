// SPDX-License-Identifier: Apache-2.0
//! Roles and their bindings; rules are taken apart to single verbs and put together again by resource.

use serde_json::Value;

use super::Related;
use super::field::Fields;
use super::page::{Page, put};

/// A Role or ClusterRole.
pub(crate) fn role(page: &mut Page, role: &Value, _related: &Related) {
    put!(page, 0, "Name:\t{}", role.text("metadata.name"));
    page.marks(role);
    put!(page, 0, "PolicyRule:");
    put!(
        page,
        1,
        "Resources\tNon-Resource URLs\tResource Names\tVerbs"
    );
    put!(
        page,
        1,
        "---------\t-----------------\t--------------\t-----"
    );
    for line in table(role.list("rules")) {
        put!(page, 1, "{line}");
    }
}

/// A RoleBinding or ClusterRoleBinding.
pub(crate) fn binding(page: &mut Page, binding: &Value, _related: &Related) {
    put!(page, 0, "Name:\t{}", binding.text("metadata.name"));
    page.marks(binding);
    put!(page, 0, "Role:");
    put!(page, 1, "Kind:\t{}", binding.text("roleRef.kind"));
    put!(page, 1, "Name:\t{}", binding.text("roleRef.name"));
    put!(page, 0, "Subjects:");
    put!(page, 1, "Kind\tName\tNamespace");
    put!(page, 1, "----\t----\t---------");
    for subject in binding.list("subjects") {
        put!(
            page,
            1,
            "{}\t{}\t{}",
            subject.text("kind"),
            subject.text("name"),
            subject.text("namespace")
        );
    }
}

/// The lines of a table of rules: resources, other URLs, names and verbs, one line for each resource.
pub(crate) fn table(rules: &[Value]) -> Vec<String> {
    let mut simple: Vec<Rule> = Vec::new();
    for rule in rules.iter().flat_map(apart) {
        let same = simple.iter_mut().find(|known| {
            known.url.is_none() && rule.url.is_none() && known.target() == rule.target()
        });
        match same {
            Some(known) => known.verbs.extend(
                rule.verbs
                    .iter()
                    .filter(|verb| !known.verbs.contains(verb))
                    .cloned()
                    .collect::<Vec<_>>(),
            ),
            None => simple.push(rule),
        }
    }
    simple.sort_by_cached_key(Rule::sort_key);
    simple.iter().map(Rule::line).collect()
}

/// A rule on one resource or one URL.
struct Rule {
    group: String,
    resource: String,
    name: Option<String>,
    url: Option<String>,
    verbs: Vec<String>,
}

impl Rule {
    fn target(&self) -> (&str, &str, Option<&str>) {
        (&self.group, &self.resource, self.name.as_deref())
    }

    fn sort_key(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let url = self.url.as_deref().unwrap_or_default();
        format!(
            "[{}],[{}],[{}],[{name}],[{url}]",
            self.verbs.join(" "),
            self.group,
            self.resource
        )
    }

    fn line(&self) -> String {
        let (resource, subresource) = self
            .resource
            .split_once('/')
            .map_or((self.resource.as_str(), None), |(a, b)| (a, Some(b)));
        let group = if self.group.is_empty() {
            String::new()
        } else {
            format!(".{}", self.group)
        };
        let subresource = subresource
            .map(|name| format!("/{name}"))
            .unwrap_or_default();
        let bracketed =
            |text: &Option<String>| format!("[{}]", text.as_deref().unwrap_or_default());
        format!(
            "{resource}{group}{subresource}\t{}\t{}\t[{}]",
            bracketed(&self.url),
            bracketed(&self.name),
            self.verbs.join(" ")
        )
    }
}

/// A rule as rules of one verb each.
fn apart(rule: &Value) -> Vec<Rule> {
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let names = owned(rule.strings("resourceNames"));
    let names: Vec<Option<String>> = if names.is_empty() {
        vec![None]
    } else {
        names.into_iter().map(Some).collect()
    };
    let verbs = owned(rule.strings("verbs"));
    let mut rules = Vec::new();
    for group in owned(rule.strings("apiGroups")) {
        for resource in owned(rule.strings("resources")) {
            for verb in &verbs {
                for name in &names {
                    let (group, resource) = (group.clone(), resource.clone());
                    rules.push(Rule {
                        group,
                        resource,
                        name: name.clone(),
                        url: None,
                        verbs: vec![verb.clone()],
                    });
                }
            }
        }
    }
    for url in owned(rule.strings("nonResourceURLs")) {
        for verb in &verbs {
            rules.push(Rule {
                group: String::new(),
                resource: String::new(),
                name: None,
                url: Some(url.clone()),
                verbs: vec![verb.clone()],
            });
        }
    }
    rules
}
