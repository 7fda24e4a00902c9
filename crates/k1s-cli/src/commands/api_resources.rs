// SPDX-License-Identifier: Apache-2.0
//! `api-resources`: what the API serves, as a table, names, JSON or YAML.

use std::rc::Rc;

use serde_json::{Value, json};

use crate::command::Command;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::flag::{Flag, Parsed};
use crate::mapping::Resource;
use crate::tabwriter;

/// `api-resources`.
pub(super) static COMMAND: Command = Command {
    name: "api-resources",
    aliases: &[],
    usage: "[OPTIONS]",
    about: "Print the resources of the API.",
    examples: &[
        ("All kinds", "api-resources"),
        (
            "The names of what can be listed in a namespace",
            "api-resources --verbs=list --namespaced -o name",
        ),
        ("One group", "api-resources --api-group=apps"),
    ],
    flags: &[&[
        Flag::text("api-group", "Only resources of this group."),
        Flag::switch("cached", "Accepted for kubectl's sake; nothing is cached."),
        Flag::list("categories", "Only resources of all these categories."),
        Flag::switch(
            "namespaced",
            "Only resources that live in a namespace, or with =false those that do not.",
        )
        .default("true"),
        Flag::switch("no-headers", "No line of headings."),
        Flag::text("output", "Form of the output: wide, name, json, yaml.").short('o'),
        Flag::switch("show-managed-fields", "Accepted for kubectl's sake."),
        Flag::text("sort-by", "Sort by name or kind."),
        Flag::list("verbs", "Only resources that take all these verbs."),
    ]],
    subcommands: &[],
    run: Some(|cx, args| Box::pin(run(cx, args))),
};

async fn run(cx: &Context, args: &Parsed) -> Result {
    if !args.args.is_empty() {
        return Err(Error::unexpected("unexpected arguments", args));
    }
    let output = args.text("output");
    if !["", "wide", "name", "json", "yaml", "kyaml"].contains(&output) {
        return Err(Error::message(format!(
            "unable to match a printer suitable for the output format \"{output}\", allowed formats are: json,kyaml,name,wide,yaml"
        )));
    }
    let sort = args.text("sort-by");
    if !["", "name", "kind"].contains(&sort) {
        return Err(Error::message("--sort-by accepts only name or kind"));
    }
    let mut chosen = choose(cx.resources().await?, args);
    match sort {
        "name" => chosen.sort_by(|a, b| a.plural.cmp(&b.plural)),
        "kind" => chosen.sort_by(|a, b| a.kind.cmp(&b.kind)),
        _ => chosen.sort_by(|a, b| (&a.group, &a.plural).cmp(&(&b.group, &b.plural))),
    }
    match output {
        "name" => chosen.iter().try_for_each(|r| cx.line(r.group_resource())),
        "json" | "yaml" | "kyaml" => crate::print::value(cx, output, &as_list(&chosen)),
        _ => cx.print(tabwriter::table(&table(
            &chosen,
            output == "wide",
            args.on("no-headers"),
        ))),
    }
}

fn choose(all: &[Rc<Resource>], args: &Parsed) -> Vec<Rc<Resource>> {
    let (verbs, categories) = (args.list("verbs"), args.list("categories"));
    let mut out: Vec<Rc<Resource>> = Vec::new();
    for resource in all {
        // Of a group's versions discovery names the preferred one first.
        let known = out
            .iter()
            .any(|r| r.group == resource.group && r.plural == resource.plural);
        let fits = (!args.given("api-group") || resource.group == args.text("api-group"))
            && (!args.given("namespaced") || resource.namespaced == args.on("namespaced"))
            && verbs.iter().all(|v| resource.verbs.contains(v))
            && categories.iter().all(|c| resource.categories.contains(c))
            && !resource.verbs.is_empty();
        if fits && !known {
            out.push(resource.clone());
        }
    }
    out
}

fn table(chosen: &[Rc<Resource>], wide: bool, no_headers: bool) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    if !no_headers {
        let titles = [
            "NAME",
            "SHORTNAMES",
            "APIVERSION",
            "NAMESPACED",
            "KIND",
            "VERBS",
            "CATEGORIES",
        ];
        let shown = if wide { titles.len() } else { 5 };
        rows.push(titles[..shown].iter().map(|t| (*t).to_owned()).collect());
    }
    for r in chosen {
        let mut row = vec![
            r.plural.clone(),
            r.short_names.join(","),
            r.api_version(),
            r.namespaced.to_string(),
            r.kind.clone(),
        ];
        if wide {
            let mut verbs = r.verbs.clone();
            verbs.sort();
            row.extend([verbs.join(","), r.categories.join(",")]);
        }
        rows.push(row);
    }
    rows.iter().map(|row| row.join("\t") + "\n").collect()
}

fn as_list(chosen: &[Rc<Resource>]) -> Value {
    let resources: Vec<Value> = chosen
        .iter()
        .map(|r| {
            let mut out = json!({
                "name": r.plural,
                "singularName": r.singular,
                "namespaced": r.namespaced,
                "kind": r.kind,
                "verbs": r.verbs,
                "version": r.version,
            });
            for (key, texts) in [
                ("shortNames", &r.short_names),
                ("categories", &r.categories),
            ] {
                if !texts.is_empty() {
                    out[key] = texts.clone().into();
                }
            }
            if !r.group.is_empty() {
                out["group"] = r.group.clone().into();
            }
            out
        })
        .collect();
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "", "resources": resources})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_sorted_verbs_only_when_wide() {
        let deployment = Rc::new(Resource {
            group: "apps".into(),
            version: "v1".into(),
            plural: "deployments".into(),
            kind: "Deployment".into(),
            namespaced: true,
            short_names: vec!["deploy".into()],
            categories: vec!["all".into()],
            verbs: vec!["watch".into(), "get".into()],
            ..Resource::default()
        });
        assert_eq!(
            table(std::slice::from_ref(&deployment), false, true),
            "deployments\tdeploy\tapps/v1\ttrue\tDeployment\n"
        );
        assert_eq!(
            table(&[deployment], true, true),
            "deployments\tdeploy\tapps/v1\ttrue\tDeployment\tget,watch\tall\n"
        );
    }
}
