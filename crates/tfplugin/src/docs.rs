// SPDX-License-Identifier: Apache-2.0
//! Documentation made from schemas, laid out as registries expect it: `index.md`, `resources/…`, `data-sources/…`.

mod schema;

use std::fmt::Write as _;

pub use schema::schema;

use crate::cty::{Type, Value};
use crate::provider::{Parameter, Provider, Signature};
use crate::schema::{Attribute, Block, Content, Schema};

/// The pages of a provider: path below `docs/`, and text.
#[must_use]
pub fn pages(name: &str, provider: &dyn Provider) -> Vec<(String, String)> {
    let mut pages = vec![(
        "index.md".to_owned(),
        page(&format!("{name} provider"), &provider.schema()),
    )];
    let short = |full: &str| {
        full.strip_prefix(&format!("{name}_"))
            .unwrap_or(full)
            .to_owned()
    };
    let mut add = |folder: &str, what: &str, full: &str, schema: &Schema| {
        let path = format!("{folder}/{}.md", short(full));
        pages.push((path, page(&format!("{full} ({what})"), schema)));
    };
    for (full, resource) in provider.resources() {
        add("resources", "resource", full, &resource.schema());
    }
    for (full, source) in provider.data_sources() {
        add("data-sources", "data source", full, &source.schema());
    }
    for (full, ephemeral) in provider.ephemeral_resources() {
        let schema = ephemeral.schema();
        add("ephemeral-resources", "ephemeral resource", full, &schema);
    }
    for (full, list) in provider.lists() {
        add("list-resources", "list resource", full, &list.schema());
    }
    for (full, action) in provider.actions() {
        add("actions", "action", full, &action.schema());
    }
    for (full, function) in provider.functions() {
        let path = format!("functions/{full}.md");
        pages.push((path, function_page(name, full, &function.signature())));
    }
    pages
}

fn page(title: &str, schema: &Schema) -> String {
    let mut text = format!("# {title}\n\n{}\n", schema.block.description);
    if let Some(instead) = &schema.block.deprecated {
        let _ = write!(text, "\n**Deprecated.** {instead}\n");
    }
    block(&mut text, &schema.block, 2);
    text
}

/// The attributes of a block, grouped by who sets them, then its blocks.
fn block(text: &mut String, block: &Block, level: usize) {
    let hashes = "#".repeat(level);
    type Group = (&'static str, fn(&Attribute) -> bool);
    let groups: [Group; 3] = [
        ("Required", |a| a.required),
        ("Optional", |a| a.optional),
        ("Read-only", |a| !a.required && !a.optional),
    ];
    for (title, belongs) in groups {
        let mut rows: Vec<_> = block
            .attributes
            .iter()
            .filter(|(_, a)| belongs(a))
            .collect();
        rows.sort_by_key(|(name, _)| name);
        if rows.is_empty() {
            continue;
        }
        let _ = write!(text, "\n{hashes} {title}\n\n");
        for (name, attribute) in rows {
            row(text, name, attribute, "");
        }
    }
    for (name, nested) in &block.blocks {
        let _ = write!(
            text,
            "\n{hashes} Block `{name}`\n\n{}\n",
            nested.block.description
        );
        self::block(text, &nested.block, level + 1);
    }
}

fn row(text: &mut String, name: &str, attribute: &Attribute, indent: &str) {
    let mut notes = vec![type_name(&attribute.value_type())];
    if let Some(default) = &attribute.default {
        notes.push(format!("default `{}`", plain(default)));
    }
    for validator in &attribute.validators {
        notes.push(validator.describes.clone());
    }
    if attribute.sensitive {
        notes.push("sensitive".into());
    }
    if attribute.write_only {
        notes.push("write-only".into());
    }
    if attribute.replaces {
        notes.push("a change replaces".into());
    }
    let _ = write!(
        text,
        "{indent}- `{name}` ({}) {}",
        notes.join(", "),
        attribute.description
    );
    if let Some(instead) = &attribute.deprecated {
        let _ = write!(text, " **Deprecated.** {instead}");
    }
    text.push('\n');
    if let Content::Nested(_, inner) = &attribute.content {
        for (name, attribute) in inner {
            row(text, name, attribute, &format!("{indent}  "));
        }
    }
}

fn function_page(provider: &str, name: &str, signature: &Signature) -> String {
    let mut text = format!("# {name} (function)\n\n{}\n\n", signature.description);
    let names: Vec<_> = signature.parameters.iter().map(|p| p.name).collect();
    let more = signature
        .variadic
        .as_ref()
        .map_or(String::new(), |p| format!(", {}...", p.name));
    let _ = write!(
        text,
        "```hcl\nprovider::{provider}::{name}({}{more})\n```\n\n## Arguments\n\n",
        names.join(", ")
    );
    let mut one = |p: &Parameter| {
        let _ = writeln!(
            text,
            "- `{}` ({}) {}",
            p.name,
            type_name(&p.of),
            p.description
        );
    };
    signature.parameters.iter().for_each(&mut one);
    signature.variadic.iter().for_each(&mut one);
    let _ = write!(text, "\n## Result\n\n{}\n", type_name(&signature.returns));
    text
}

fn type_name(of: &Type) -> String {
    match of {
        Type::List(t) | Type::Set(t) | Type::Map(t) => {
            let inner = type_name(t);
            format!("{} of {inner}", of.name())
        }
        other => other.name().to_owned(),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_json().to_string(),
    }
}
